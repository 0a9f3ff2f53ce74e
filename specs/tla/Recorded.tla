------------------------------ MODULE Recorded ------------------------------
(***************************************************************************)
(* Does the contract admit what was recorded?  Recordings.tla, which       *)
(* validate.py writes, holds many short histories of calls, each as the    *)
(* sequence of its events: a call is asked, an answer comes back, time     *)
(* passes.  Between two events calls may take their step.  A history whose *)
(* last event can be reached is admitted, and its number is printed.       *)
(*                                                                         *)
(* A step is taken only where an answer or a tick is next: until then it   *)
(* can wait, for nobody else can have seen it.                             *)
(***************************************************************************)
EXTENDS Integers, Sequences, TLC, Recordings

CONSTANTS Callers, Keys, Siblings, MaxEntries, Cap, Asks, TTL, Horizon

VARIABLES now, rows, periods, asked, answers, which, place

C == INSTANCE Contract

vars == <<now, rows, periods, asked, answers, which, place>>

Events == Histories[which]
Event == Events[place]

\* What was answered is what was recorded; who refused is not recorded.
Fits ==
    /\ answers[Event.who].word = Event.word
    /\ Event.word = "found" => answers[Event.who].value = Event.value

Happens ==
    \/ /\ Event.what = "ask"
       /\ C!Ask(Event.who, [f |-> Event.f, key |-> Event.key, value |-> Event.value,
                            ttl |-> Event.ttl, since |-> now])
    \/ /\ Event.what = "answer"
       /\ Fits
       /\ UNCHANGED <<now, rows, periods, asked, answers>>
    \/ /\ Event.what = "tick"
       /\ C!Tick(Event.ticks)

Init == C!Init /\ which \in 1 .. Len(Histories) /\ place = 1

Next ==
    /\ place <= Len(Events)
    /\ \/ /\ Happens
          /\ place' = place + 1
          /\ place = Len(Events) => PrintT(<<"admitted", which>>)
       \/ /\ Event.what # "ask"
          /\ \E c \in Callers : C!Step(c)
          /\ UNCHANGED place
    /\ UNCHANGED which

Spec == Init /\ [][Next]_vars
=============================================================================
