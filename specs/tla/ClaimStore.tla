----------------------------- MODULE ClaimStore -----------------------------
(***************************************************************************)
(* How a store keeps the contract, or fails to: callers that can be paused *)
(* for any time anywhere, a write lock, a file, a clock that ticks at any  *)
(* time (inside a transaction too), kills, and a sweep.                    *)
(*                                                                         *)
(* The honest store does what stores/sqlite.py does: it waits for the      *)
(* write lock, reads the clock then, and does all the rest in that one     *)
(* transaction.  Nobody sees anything of a transaction before it commits,  *)
(* so its statements and its commit are one step here.  Design names the   *)
(* honest store or one defect; manifest.json says which mutant of the      *)
(* project has the same one.                                               *)
(***************************************************************************)
EXTENDS Integers, FiniteSets, TLC

CONSTANTS
    Design,  \* "immediate" is the honest store
    Kills,   \* whether callers are killed
    Callers, Keys, Siblings, MaxEntries, Cap, Asks, TTL, Horizon  \* as in Contract

VARIABLES
    now,      \* the clock
    rows,     \* what is committed
    lock,     \* who holds the write lock
    pc,       \* how far each caller is
    turn,     \* in its how-manieth transaction
    reading,  \* what the clock said when it was asked
    found,    \* what the first transaction of two saw
    asked, answers, periods,  \* as in Contract: no store looks at these
    step      \* what happened last, so that a trace can be read

C == INSTANCE Contract

View == <<now, rows, lock, pc, turn, reading, found, asked, answers, periods>>
vars == <<View, step>>

Alike == Permutations(Callers)

Free == 0
Early == Design = "early_clock"
Key(c) == asked[c].key
Writes(c) == asked[c].f # "lookup"

\* The calls that a design makes of two transactions.
Two(c) ==
    \/ /\ asked[c].f = "claim"
       /\ Design \in {"check_act", "cap_outside_transaction", "evicts_after_commit"}
    \/ /\ asked[c].f = "consume"
       /\ Design = "consume_read_then_delete"

-----------------------------------------------------------------------------
\* What a transaction sees and makes.

Without(r, gone) == [k \in C!All |-> IF k \in gone THEN C!Nothing ELSE r[k]]
Held(r) == {k \in C!All : C!There(r[k])}
Expired(t) == {k \in C!All : C!There(rows[k]) /\ ~C!Live(rows[k], t)}

Pruned(c) ==
    IF Design = "expired_row_blocks_claim" THEN rows
    ELSE Without(rows, Expired(reading[c]))
Taken(c) == C!There(Pruned(c)[Key(c)])
Holder(c) == Pruned(c)[Key(c)].value
Row(c) == [value |-> asked[c].value, from |-> reading[c], to |-> reading[c] + TTL]
Inserted(c) == [Pruned(c) EXCEPT ![Key(c)] = Row(c)]

\* DELETE ... ORDER BY created_at, key LIMIT (as many as are too many).
Leaving(c, r) ==
    LET held == Held(r) \cap C!Space(Key(c))
        candidates == IF Design = "evict_self" THEN held ELSE held \ {Key(c)}
        Before(j, k) == \/ r[j].from < r[k].from
                        \/ r[j].from = r[k].from /\ j < k
    IN  {k \in candidates : Cardinality({j \in candidates : Before(j, k)})
                            < Cardinality(held) - MaxEntries}

\* How periods go on: those of these values end now, as the clock was read.
Cut(c, values) ==
    {[p EXCEPT !.to = IF p.value \in values /\ @ > reading[c] THEN reading[c] ELSE @]
        : p \in periods}
Period(c) ==
    [key |-> Key(c), value |-> asked[c].value, from |-> reading[c], to |-> reading[c] + TTL]

Told(c, word, value) ==
    answers' = [answers EXCEPT ![c] = [word |-> word, value |-> value, at |-> reading[c]]]

\* The call is over, or goes on with a second transaction.
Over(c) ==
    /\ pc' = [pc EXCEPT ![c] = "done"]
    /\ turn' = [turn EXCEPT ![c] = 0]
    /\ reading' = [reading EXCEPT ![c] = 0]
    /\ found' = [found EXCEPT ![c] = 0]
Again(c, value) ==
    /\ pc' = [pc EXCEPT ![c] = "asked"]
    /\ turn' = [turn EXCEPT ![c] = 2]
    /\ reading' = [reading EXCEPT ![c] = 0]
    /\ found' = [found EXCEPT ![c] = value]
    /\ UNCHANGED answers

-----------------------------------------------------------------------------
\* What transactions do.

Refuse(c) ==
    /\ Told(c, "refused", Holder(c))
    /\ rows' = Pruned(c)
    /\ UNCHANGED periods
    /\ Over(c)

LookOnly(c, value) ==
    /\ rows' = Pruned(c)
    /\ UNCHANGED periods
    /\ Again(c, value)

\* Roll back: nothing of it happened.
Full(c) ==
    /\ Told(c, "full", 0)
    /\ UNCHANGED <<rows, periods>>
    /\ Over(c)

OverCap(c, r) ==
    /\ Design = "cap_outside_transaction" => asked[c].f # "claim"
    /\ Cardinality(Held(r)) > Cap

\* Insert or replace, evict, hold the cap.  The periods of replaced values end.
Write(c, word, replaced) ==
    LET gone == Leaving(c, Inserted(c))
        after == Without(Inserted(c), gone)
        evicted == {Inserted(c)[k].value : k \in gone \ {Key(c)}}
    IN  IF OverCap(c, after) THEN Full(c)
        ELSE /\ Told(c, word, 0)
             /\ rows' = after
             /\ periods' = Cut(c, evicted \cup replaced) \cup {Period(c)}
             /\ Over(c)

\* Remove the row, and end the period of the value that is answered for it.
Removing(c, word, value) ==
    /\ Told(c, word, IF word = "found" THEN value ELSE 0)
    /\ rows' = Without(Pruned(c), {Key(c)})
    /\ periods' = Cut(c, {value})
    /\ Over(c)

\* The first transaction of two.
First(c) ==
    CASE Design = "check_act" ->
            IF Taken(c) THEN Refuse(c) ELSE LookOnly(c, 0)
      [] Design = "cap_outside_transaction" ->
            LET sees == Pruned(c)
                evicts == Cardinality(Held(sees) \cap C!Space(Key(c))) >= MaxEntries
            IN  IF ~Taken(c) /\ ~evicts /\ Cardinality(Held(sees)) >= Cap
                THEN Full(c)
                ELSE LookOnly(c, 0)
      [] Design = "evicts_after_commit" ->
            IF Taken(c) THEN Refuse(c)
            ELSE IF OverCap(c, Without(Inserted(c), Leaving(c, Inserted(c)))) THEN Full(c)
            ELSE /\ rows' = Inserted(c)
                 /\ periods' = periods \cup {Period(c)}
                 /\ Again(c, 0)
      [] Design = "consume_read_then_delete" ->
            LookOnly(c, Holder(c))

Claim(c) ==
    CASE Design = "check_act" ->
            Write(c, "won", {})  \* whoever is there is written over
      [] Design = "evicts_after_commit" ->
            LET gone == Leaving(c, Pruned(c))
            IN  /\ Told(c, "won", 0)
                /\ rows' = Without(Pruned(c), gone)
                /\ periods' = Cut(c, {rows[k].value : k \in gone})
                /\ Over(c)
      [] OTHER ->
            IF Taken(c) THEN Refuse(c) ELSE Write(c, "won", {})

Consume(c) ==
    LET value == IF Two(c) THEN found[c] ELSE Holder(c)
    IN  Removing(c, IF value = 0 THEN "absent" ELSE "found", value)

\* The transaction that answers.
Last(c) ==
    CASE asked[c].f = "claim" -> Claim(c)
      [] asked[c].f = "register" -> Write(c, "done", {Holder(c)})
      [] asked[c].f = "consume" -> Consume(c)
      [] asked[c].f = "delete" ->
            Removing(c, IF Taken(c) THEN "removed" ELSE "nothing", Holder(c))

-----------------------------------------------------------------------------
\* The steps.

Ask(c, f, key) ==
    /\ pc[c] = "idle"
    /\ asked' = [asked EXCEPT ![c] =
                    [f |-> f, key |-> key, value |-> c, ttl |-> TTL, since |-> now]]
    /\ pc' = [pc EXCEPT ![c] = "asked"]
    /\ turn' = [turn EXCEPT ![c] = IF Design = "sweep_by_key" /\ f = "claim" THEN 0 ELSE 1]
    /\ step' = <<"ask", c, f, key>>
    /\ UNCHANGED <<now, rows, lock, reading, found, answers, periods>>

\* sweep_by_key: before it claims, a caller looks without a lock whether the row
\* of the key is stale, and removes it in a step of its own, by nothing but its key.
Spot(c) ==
    /\ pc[c] = "asked" /\ turn[c] = 0
    /\ IF Key(c) \in Expired(now)
       THEN pc' = [pc EXCEPT ![c] = "stale"] /\ UNCHANGED turn
       ELSE turn' = [turn EXCEPT ![c] = 1] /\ UNCHANGED pc
    /\ step' = <<"spot", c>>
    /\ UNCHANGED <<now, rows, lock, reading, found, asked, answers, periods>>
Unlink(c) ==
    /\ pc[c] = "stale" /\ lock = Free
    /\ rows' = Without(rows, {Key(c)})
    /\ pc' = [pc EXCEPT ![c] = "asked"]
    /\ turn' = [turn EXCEPT ![c] = 1]
    /\ step' = <<"unlink", c>>
    /\ UNCHANGED <<now, lock, reading, found, asked, answers, periods>>

\* BEGIN IMMEDIATE.
Begin(c) ==
    /\ Writes(c) /\ turn[c] > 0 /\ lock = Free
    /\ pc[c] = IF Early THEN "early" ELSE "asked"
    /\ pc' = [pc EXCEPT ![c] = IF Early THEN "timed" ELSE "begun"]
    /\ lock' = c
    /\ step' = <<"begin", c>>
    /\ UNCHANGED <<now, rows, turn, reading, found, asked, answers, periods>>

\* A lookup reads the clock first and takes no lock.
ReadClock(c) ==
    /\ turn[c] > 0
    /\ pc[c] = IF Writes(c) /\ ~Early THEN "begun" ELSE "asked"
    /\ pc' = [pc EXCEPT ![c] = IF Writes(c) /\ Early THEN "early" ELSE "timed"]
    /\ reading' = [reading EXCEPT ![c] = now]
    /\ step' = <<"clock", c>>
    /\ UNCHANGED <<now, rows, lock, turn, found, asked, answers, periods>>

\* The statements of a transaction and its COMMIT, or its ROLLBACK.
Commit(c) ==
    /\ Writes(c) /\ pc[c] = "timed"
    /\ IF Two(c) /\ turn[c] = 1 THEN First(c) ELSE Last(c)
    /\ lock' = Free
    /\ step' = <<"commit", c>>
    /\ UNCHANGED <<now, asked>>

\* The snapshot of a lookup.
Look(c) ==
    /\ ~Writes(c) /\ pc[c] = "timed"
    /\ IF C!Live(rows[Key(c)], reading[c])
       THEN Told(c, "found", rows[Key(c)].value)
       ELSE Told(c, "absent", 0)
    /\ Over(c)
    /\ step' = <<"look", c>>
    /\ UNCHANGED <<now, rows, lock, asked, periods>>

\* Who is killed in a transaction gives the lock back, and nothing is committed.
\* Without a lock it is as if it were paused for ever, which anybody may be.
Kill(c) ==
    /\ Kills /\ lock = c
    /\ lock' = Free
    /\ pc' = [pc EXCEPT ![c] = "dead"]
    /\ turn' = [turn EXCEPT ![c] = 0]
    /\ reading' = [reading EXCEPT ![c] = 0]
    /\ found' = [found EXCEPT ![c] = 0]
    /\ step' = <<"kill", c>>
    /\ UNCHANGED <<now, rows, asked, answers, periods>>

Tick ==
    /\ now < Horizon
    /\ now' = now + 1
    /\ step' = <<"tick">>
    /\ UNCHANGED <<rows, lock, pc, turn, reading, found, asked, answers, periods>>

Sweep ==
    /\ lock = Free /\ Expired(now) # {}
    /\ rows' = Without(rows, Expired(now))
    /\ step' = <<"sweep">>
    /\ UNCHANGED <<now, lock, pc, turn, reading, found, asked, answers, periods>>

Init ==
    /\ C!Init
    /\ lock = Free
    /\ pc = [c \in Callers |-> "idle"]
    /\ turn = [c \in Callers |-> 0]
    /\ reading = [c \in Callers |-> 0]
    /\ found = [c \in Callers |-> 0]
    /\ step = <<"init">>

Next ==
    \/ Tick
    \/ Sweep
    \/ \E c \in Callers :
           \/ \E f \in Asks, key \in C!All : Ask(c, f, key)
           \/ Spot(c) \/ Unlink(c)
           \/ Begin(c) \/ ReadClock(c) \/ Commit(c) \/ Look(c)
           \/ Kill(c)

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
\* What is asked of a design.  Refines: each of its steps is one that the
\* contract allows, or changes nothing that anybody was promised.

Refines == C!Spec
NoDoubleHold == C!NoDoubleHold
NoOverlap == C!NoOverlap
RefusedForALiveRow == C!RefusedForALiveRow
NothingLost == C!NothingLost
ConsumedOnce == C!ConsumedOnce
RoomHeld == C!RoomHeld
CapHeld == C!CapHeld

\* Of the honest store these are to be violated: what they deny can be reached,
\* so what holds of it does not hold for want of anything happening.

Won(c) == answers[c].word = "won"

NeverASecondGrant ==
    \A c, d \in Callers : Won(c) /\ Won(d) /\ Key(c) = Key(d) => c = d
NeverARefusal == \A c \in Callers : answers[c].word # "refused"
NeverAnEviction ==
    \A p \in periods : p.to < p.from + TTL => \E q \in periods : q.key = p.key /\ q # p
NeverACapRefusal == \A c \in Callers : answers[c].word # "full"
NeverAConsume ==
    \A c \in Callers : asked[c].f = "consume" => answers[c].word # "found"
NeverAWinAfterAKill ==
    \A c, d \in Callers : pc[c] = "dead" /\ Won(d) => Key(c) # Key(d)

\* A lookup that answers a row which expired after it had read the clock.
NeverALateSnapshot ==
    \A c \in Callers :
        asked[c].f = "lookup" /\ pc[c] = "timed" =>
            ~(C!Live(rows[Key(c)], reading[c]) /\ ~C!Live(rows[Key(c)], now))
=============================================================================
