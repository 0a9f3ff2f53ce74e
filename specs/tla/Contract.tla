------------------------------ MODULE Contract ------------------------------
(***************************************************************************)
(* What a keyed store with an atomic claim promises, and nothing about how *)
(* it keeps that.                                                          *)
(*                                                                         *)
(* A caller asks, and its answer is found in one indivisible step, by one  *)
(* reading of the clock that lies between the question and that step.      *)
(* Time is one clock, which ticks whenever it likes and never goes back.   *)
(*                                                                         *)
(* Each caller makes one call: whoever calls again is another caller here. *)
(* So the name of a caller serves for the value that it writes.  A caller  *)
(* that was killed, or whose answer was lost, is one that stays without.   *)
(***************************************************************************)
EXTENDS Integers, FiniteSets, TLC

CONSTANTS
    Callers,     \* who calls
    Keys,        \* the keys of one namespace: numbers, in the order of keys
    Siblings,    \* the keys of a second namespace of the same plugin
    MaxEntries,  \* so many live rows a namespace may hold
    Cap,         \* so many live rows the plugin may hold over both
    Asks,        \* what callers ask for: "claim", "register", "lookup", ...
    TTL,         \* how long a row lives
    Horizon      \* the clock stops here, or there would be no end

VARIABLES
    now,      \* the clock
    rows,     \* what the store holds, key by key; what expired may linger
    periods,  \* which value held which key, from when, until when
    asked,    \* the call of each caller, and since when it is under way
    answers   \* what each caller was answered, and by which reading

vars == <<now, rows, periods, asked, answers>>

All == Keys \cup Siblings
Nothing == [value |-> 0, from |-> 0, to |-> 0]
Nobody == [f |-> "none", key |-> 0, value |-> 0, ttl |-> 0, since |-> 0]
Unanswered == [word |-> "none", value |-> 0, at |-> 0]

There(row) == row.to > 0
Live(row, t) == row.to > t  \* at the instant of its expiry it is not
Space(key) == IF key \in Keys THEN Keys ELSE Siblings
LiveIn(keys, t) == {k \in keys : Live(rows[k], t)}

(***************************************************************************)
(* The rows, with some forgotten that are expired at t.  Nobody but a      *)
(* delete can tell, so any step may forget them.                           *)
(***************************************************************************)
Tidied(t) ==
    LET expired == {k \in All : There(rows[k]) /\ ~Live(rows[k], t)}
    IN  {[k \in All |-> IF k \in gone THEN Nothing ELSE rows[k]] : gone \in SUBSET expired}

\* The periods, those on these keys ended at t where they would have gone on.
Until(t, keys) ==
    {[p EXCEPT !.to = IF p.key \in keys /\ @ > t THEN t ELSE @] : p \in periods}

\* Has nobody who came first read the clock later than at t?  Lookups do not
\* count: they change nothing, and nobody is told by which reading they went.
InOrder(t) ==
    \A c \in Callers : asked[c].f # "lookup" => answers[c].at <= t

Answer(c, word, value, t) ==
    answers' = [answers EXCEPT ![c] = [word |-> word, value |-> value, at |-> t]]

-----------------------------------------------------------------------------
\* The steps.  In each, t is the reading of the clock.

Older(j, k) ==
    \/ rows[j].from < rows[k].from
    \/ rows[j].from = rows[k].from /\ j < k

\* Write the row; then the oldest others go while the namespace holds too many.
\* Where the plugin would hold too many even so, nothing happens at all.  Who
\* held the replaced keys does so no longer.
Put(c, t, word, replaced) ==
    LET call == asked[c]
        others == LiveIn(Space(call.key), t) \ {call.key}
        excess == Cardinality(others) + 1 - MaxEntries
        evicted == {k \in others : Cardinality({j \in others : Older(j, k)}) < excess}
        held == (LiveIn(All, t) \ evicted) \cup {call.key}
        row == [value |-> call.value, from |-> t, to |-> t + call.ttl]
        period == [key |-> call.key, value |-> call.value, from |-> t, to |-> t + call.ttl]
    IN  IF Cardinality(held) > Cap
        THEN /\ Answer(c, "full", 0, t)
             /\ UNCHANGED <<rows, periods>>
        ELSE /\ Answer(c, word, 0, t)
             /\ periods' = Until(t, evicted \cup replaced) \cup {period}
             /\ \E tidy \in Tidied(t) :
                    rows' = [k \in All |-> IF k = call.key THEN row
                                           ELSE IF k \in evicted THEN Nothing
                                           ELSE tidy[k]]

\* A claim is won only if every earlier period of the key has ended by then;
\* it is refused only where somebody holds the key at that very reading.
Claim(c, t) ==
    LET key == asked[c].key
    IN  \/ /\ \A p \in periods : p.key = key => p.to <= t
           /\ Put(c, t, "won", {})
        \/ /\ \E p \in periods :
                  /\ p.key = key /\ p.from <= t /\ t < p.to
                  /\ Answer(c, "refused", p.value, t)
           /\ rows' \in Tidied(t)
           /\ UNCHANGED periods

Register(c, t) == Put(c, t, "done", {asked[c].key})

Lookup(c, t) ==
    LET row == rows[asked[c].key]
    IN  /\ IF Live(row, t) THEN Answer(c, "found", row.value, t)
                           ELSE Answer(c, "absent", 0, t)
        /\ UNCHANGED <<rows, periods>>

Remove(key, t) ==
    /\ periods' = Until(t, {key})
    /\ \E tidy \in Tidied(t) : rows' = [tidy EXCEPT ![key] = Nothing]

Consume(c, t) ==
    LET row == rows[asked[c].key]
    IN  IF Live(row, t)
        THEN /\ Answer(c, "found", row.value, t)
             /\ Remove(asked[c].key, t)
        ELSE /\ Answer(c, "absent", 0, t)
             /\ rows' \in Tidied(t)
             /\ UNCHANGED periods

\* For a row that is expired and not yet swept either answer will do.
Delete(c, t) ==
    LET row == rows[asked[c].key]
    IN  \/ /\ There(row)
           /\ Answer(c, "removed", 0, t)
           /\ Remove(asked[c].key, t)
        \/ /\ ~Live(row, t)
           /\ Answer(c, "nothing", 0, t)
           /\ rows' \in Tidied(t)
           /\ UNCHANGED periods

Step(c) ==
    /\ asked[c] # Nobody
    /\ answers[c] = Unanswered
    /\ \E t \in asked[c].since .. now :
           \/ asked[c].f = "lookup" /\ Lookup(c, t)
           \/ /\ InOrder(t)
              /\ \/ asked[c].f = "claim" /\ Claim(c, t)
                 \/ asked[c].f = "register" /\ Register(c, t)
                 \/ asked[c].f = "consume" /\ Consume(c, t)
                 \/ asked[c].f = "delete" /\ Delete(c, t)
    /\ UNCHANGED <<now, asked>>

-----------------------------------------------------------------------------
\* All that can happen.

Ask(c, call) ==
    /\ asked[c] = Nobody
    /\ asked' = [asked EXCEPT ![c] = call]
    /\ UNCHANGED <<now, rows, periods, answers>>

Tick(ticks) ==
    /\ now' = now + ticks
    /\ UNCHANGED <<rows, periods, asked, answers>>

Forget ==
    /\ rows' \in Tidied(now)
    /\ UNCHANGED <<now, periods, asked, answers>>

Init ==
    /\ now = 0
    /\ rows = [k \in All |-> Nothing]
    /\ periods = {}
    /\ asked = [c \in Callers |-> Nobody]
    /\ answers = [c \in Callers |-> Unanswered]

Next ==
    \/ Forget
    \/ now < Horizon /\ Tick(1)
    \/ \E c \in Callers : Step(c)
    \/ \E c \in Callers, f \in Asks, key \in All :
           Ask(c, [f |-> f, key |-> key, value |-> c, ttl |-> TTL, since |-> now])

Spec == Init /\ [][Next]_vars

Alike == Permutations(Callers)  \* callers differ by nothing but their names

-----------------------------------------------------------------------------
\* What follows from it.

\* Nobody is given a key that somebody else still holds.
NoDoubleHold ==
    \A p, q \in periods : p.key = q.key /\ p.to > now /\ q.to > now => p = q

\* No two periods of a key share an instant, those that are over included.
NoOverlap ==
    \A p, q \in periods : p.key = q.key /\ p # q => p.to <= q.from \/ q.to <= p.from

\* Whoever was refused is told a holder whose row was live at that reading.  A
\* period that ends there too was cut short at that instant, and did not expire.
RefusedForALiveRow ==
    \A c \in Callers : answers[c].word = "refused" =>
        \E p \in periods :
            /\ p.key = asked[c].key /\ p.value = answers[c].value
            /\ p.from <= answers[c].at
            /\ \/ answers[c].at < p.to
               \/ answers[c].at = p.to /\ p.to < p.from + TTL

\* A row is there until its period ends; nothing but a removal ends one early.
NothingLost ==
    \A p \in periods :
        p.to > now => rows[p.key] = [value |-> p.value, from |-> p.from, to |-> p.to]

\* Of all who consume a row one gets it.
ConsumedOnce ==
    \A c, d \in Callers :
        /\ asked[c].f = "consume" /\ answers[c].word = "found"
        /\ asked[d].f = "consume" /\ answers[d].word = "found"
        /\ answers[c].value = answers[d].value
        => c = d

RoomHeld == \A keys \in {Keys, Siblings} : Cardinality(LiveIn(keys, now)) <= MaxEntries

CapHeld == Cardinality(LiveIn(All, now)) <= Cap
=============================================================================
