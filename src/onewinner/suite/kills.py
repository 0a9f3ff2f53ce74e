"""The checks of kills: a process dies at each point of a call, and others look at what it left.

The victim makes one call and is killed at one of its points, or right after its answer. Points are
statements or lines of Python; in a check of its own they are the system calls that change a file of
the store, for a line may hold several, and what a statement does is more than one. Then one
process that lives on and one that starts anew look, claim the key, and claim it again once every
row on it must be over. The model says which answers some state explains that has the call whole, or
not at all.

The first situation gets all its points, and each other as many as the time allows; but some it gets
whatever the time, for a call that nobody was killed in would pass for one that survived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns
from onewinner.history import Fail, Info, Ok, Operation
from onewinner.model import State
from onewinner.nemesis import act, situations
from onewinner.nemesis.situations import KEY, Situation, lapse, ttl_of, write
from onewinner.schedule.choice import NAMES, TRACED, refusal
from onewinner.schedule.nursery import Nursery
from onewinner.schedule.resident import Do
from onewinner.schedule.telling import spread, telling
from onewinner.suite.ground import HURT, CrashJudge, Ground, Place
from onewinner.suite.held import told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.schedule.gate import Boundary
    from onewinner.schedule.victims import Fell
    from onewinner.suite.faults import Ask, Tally

_LEAST_S: Final = 3.0
_POINTS_LEAST: Final = 5
_POINTS_MOST: Final = 60
_HUNG_MOST: Final = 2
_LATE: Final = "late"
_CLAIM: Final = "register_if_absent"
_SWEEP: Final = "sweep_expired"
_EMPTY: Final = State()
_WHOLE: Final = (
    "no state explains that: neither the one in which the call that was cut off has happened, with "
    "value, createdAt and expiry, nor the one in which it has not"
)


@dataclass(slots=True)
class _Grave:
    """One kill: the place, the situation, and the call of the victim.

    `judged`: the model could say whether what is there can be.
    """

    place: Place
    situation: Situation
    call: Operation
    judged: bool = False

    @property
    def inside(self) -> bool:
        """Whether the call had no answer yet."""
        return not isinstance(self.call.outcome, Ok)


def run_kills(ask: Ask, tally: Tally) -> None:
    """Kill a process at each point of each situation, as far as the time goes."""
    if ask.target.served:
        why = "a command is killed at its system calls"
        tally.left_out = dict.fromkeys(ask.clauses, why)
        return
    tally.lacking |= _run(ask, tally, "sql")


def run_kills_at_system_calls(ask: Ask, tally: Tally) -> None:
    """Kill a process at each system call that changes a file below the location."""
    why = refusal()
    if why is not None:
        tally.notes.append(f"no process was killed at a system call, for {why}")
    elif ask.target.location is not None:
        why = "its files are a server's, which the kit does not kill"
    if why is not None:
        tally.left_out = dict.fromkeys(ask.clauses, why)
        return
    lacking = _run(ask, tally, "syscall")
    if not tally.number("killed inside a call"):  # the other kills judge such a store
        why = "no call came to a system call that changes a file below its location"
        tally.left_out = dict.fromkeys(ask.clauses, why)
    tally.lacking |= lacking


def _run(ask: Ask, tally: Tally, boundary: Boundary) -> dict[str, str]:
    """Kill processes, and answer by clause what nothing can be said about."""
    with (
        Ground.of(ask) as ground,
        Nursery(ask.target, ground.clock) as nursery,
    ):
        kills = _Kills(ask, tally, ground, nursery, boundary)
        kills.run()
    lacking = {}
    if not tally.number("killed inside a call") or not tally.number("judged by the model"):
        why = "no process came to a point inside a call at which to kill it"
        lacking = dict.fromkeys(("DUR-4", "DUR-5", "DUR-6"), why)
    elif kills.spared:
        why = f"no kill inside its call could be judged: {', '.join(kills.spared)}"
        lacking = dict.fromkeys(("DUR-4", "DUR-6"), why)
    if not tally.number("killed after an answer"):
        lacking["DUR-3"] = "no claim was answered before its process was killed"
    return lacking


class _Kills:
    """The kills of one target."""

    def __init__(
        self, ask: Ask, tally: Tally, ground: Ground, nursery: Nursery, boundary: Boundary
    ) -> None:
        self._ask = ask
        self._tally = tally
        self._ground = ground
        self._nursery = nursery
        self._judge = CrashJudge(ask.capabilities)
        self._over_ns = monotonic_ns() + int(ask.time_s(_LEAST_S) * 1e9)
        self._boundary = boundary
        self._least = 0 if ask.brief else _POINTS_LEAST
        self._hung = 0
        self.spared: list[str] = []
        """The situations in which nobody was killed inside the call, and judged."""

    def run(self) -> None:
        """Go through the situations, each with the points first that tell most."""
        whole = True
        for number, situation in enumerate(situations(self._ask.capabilities)):
            points = self._points(situation)
            if not points and self._boundary == "sql":
                self._boundary = "line"
                points = self._points(situation)
            graves = [self._kill(situation, None)]  # right after its answer
            for point in points[:_POINTS_MOST]:
                if number and len(graves) > self._least and monotonic_ns() > self._over_ns:
                    break
                if self._tally.broken:  # where others are not served, each look takes long
                    break
                graves.append(self._kill(situation, point))
            whole = whole and len(graves) > len(points)
            self._tally.count("situations")
            self._bury([grave for grave in graves if grave is not None])
            if self._tally.broken:
                break
            self._weigh(situation, points, graves)
        self._tally.counts["held at"] = NAMES[self._boundary]
        cut = "until something was wrong" if self._tally.broken else "as far as the time went"
        self._tally.counts["all points"] = "yes" if whole else cut

    def _weigh(
        self, situation: Situation, points: Sequence[int], graves: Sequence[_Grave | None]
    ) -> None:
        """Note a situation about which nothing can be said, unless the other kills are about it."""
        if not points and self._boundary == "syscall" and not self._ask.target.served:
            return  # it changes no file by a system call
        if not any(each is not None and each.inside and each.judged for each in graves):
            self.spared.append(situation.name)

    def _points(self, situation: Situation) -> Sequence[int]:
        """Answer by number at which points a call can be cut off, the most telling first."""
        place = self._ground.place()
        self._ground.prepare(place, situation.prepare)
        fell = self._fell(place, situation, None)
        if fell.done is None:
            return ()
        if self._boundary == "syscall":
            return [fell.changes[at - 1] for at in spread(len(fell.changes))]
        return telling(fell.done.points)

    def _fell(self, place: Place, situation: Situation, hold: int | None) -> Fell:
        call = situation.call._replace(plugin=place.plugin)
        order = Do(call, hold, self._boundary, traced=self._boundary in TRACED)
        return self._nursery.hurt(order, self._ground.address(place))

    def _kill(self, situation: Situation, hold: int | None) -> _Grave | None:
        """Kill one process and look; None where it did not come to its point."""
        ground, place = self._ground, self._ground.place()
        place.evicts = bool(situation.others)
        ground.prepare(place, situation.prepare)
        invoked_ns = monotonic_ns()
        fell = self._fell(place, situation, hold)
        interval = (invoked_ns, monotonic_ns())
        if fell.done is not None and fell.done.kind == 0 and hold is None:
            outcome: Ok | Info = Ok(fell.done.answer)
            where, name = "right after its answer", "killed after an answer"
        elif fell.at is not None:
            outcome = Info("its process was killed in this call")
            where, name = f"before `{fell.at.point.name}`", "killed inside a call"
        else:
            self._tally.count("not reached")
            self._hung += fell.done is None
            if self._hung > _HUNG_MOST:
                raise RuntimeError(f"processes that were to be killed in a call fail: {fell.how}")
            return None
        self._tally.count(name)
        call = ground.note(place, 9, situation.call, outcome, interval, HURT)
        place.entries.append(act("kill", whom="p9", where=where))
        grave = _Grave(place, situation, call)
        self._look(grave)
        return grave

    def _look(self, grave: _Grave) -> None:
        """Look by a process that starts anew there, and claim by it and by one that lives on."""
        ground, place, situation = self._ground, grave.place, grave.situation
        most = situation.call.max_entries
        ground.look(place, 1, KEY, *situation.others, max_entries=most)
        claim = write("register_if_absent", KEY, _LATE, situation.ttl_ms, most)
        ground.make(place, 1, claim)
        if not situation.full:
            ground.make(place, 0, write("register_if_absent", "other", "x", None, most))
        if situation.call.f == _SWEEP:  # whoever lives on has to be able to do it
            ground.make(place, 0, situation.call)
        self._served(grave, place.calls)
        if self._timely(grave):
            self._explained(grave)

    def _served(self, grave: _Grave, calls: list[Operation]) -> None:
        failed = [each for each in calls if each.extra["phase"] == "look" and _failed(each)]
        if failed:
            half = _corrupt(failed[0])
            self._tally.blame(
                "DUR-4" if half else "DUR-6",
                f"after a process was killed, {told(failed[0])} ({grave.situation.name})",
                grave.place.story(),
                _WHOLE if half else "what a dead process held must not be held against others",
            )

    def _timely(self, grave: _Grave) -> bool:
        """Tell whether, in real time, no row can have expired yet."""
        ttl = grave.situation.ttl_ms
        if self._ground.virtual or ttl is None:
            return True
        return (monotonic_ns() - grave.place.began_ns) / 1e6 < ttl / 2

    def _explained(self, grave: _Grave) -> None:
        calls = [each for each in grave.place.calls if not _failed(each) or each is grave.call]
        before = [each for each in calls if each.extra["phase"] == "prepare"]
        states = self._judge.after([_EMPTY], before)
        if not states:
            return
        grave.judged = True
        self._tally.count("judged by the model")
        if self._judge.after(states, calls[len(before) :]):
            return
        answered = isinstance(grave.call.outcome, Ok)
        clause = "DUR-3" if answered and grave.situation.call.f == _CLAIM else "DUR-4"
        summary = (
            f"what was answered before the kill is not what is there ({grave.situation.name})"
            if answered
            else f"a call that was cut off has half happened ({grave.situation.name})"
        )
        self._tally.blame(clause, summary, grave.place.story(), _WHOLE)

    def _bury(self, graves: list[_Grave]) -> None:
        """Once every row on the key must be over, claim it again."""
        ttl = ttl_of(self._ask.capabilities)
        if ttl is None or not graves:
            return
        step = lapse(ttl, self._ask.capabilities)
        self._ground.pass_time(step, *[grave.place for grave in graves])
        for grave in graves:
            most = grave.situation.call.max_entries
            again = self._ground.make(
                grave.place, 1, write("register_if_absent", KEY, "again", None, most)
            )
            self._served(grave, [again])
            if again.outcome == Ok(False):
                self._tally.blame(
                    "DUR-5",
                    f"the key is held when every claim on it is over ({grave.situation.name})",
                    grave.place.story(),
                    f"every row that was ever written there had a TTL of {ttl} ms at most",
                )


def _failed(operation: Operation) -> bool:
    return not isinstance(operation.outcome, Ok)


def _corrupt(operation: Operation) -> bool:
    """Tell whether a row could not be read: it was written by half."""
    match operation.outcome:
        case Fail({"code": "CORRUPT"}):
            return True
        case _:
            return False
