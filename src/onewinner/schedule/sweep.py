"""The sweep: every schedule of a scenario with one preemption, then with two.

A schedule is written as segments: who runs, and up to where. A segment ends where its claimant is
held, has returned, or sleeps because it waits for another; then the next one begins. After the last
segment everybody goes on to the end. So a schedule with one preemption is: the victim to its point,
each rival to its end, the victim to its end. What waits is left to wait, and those whom it waits
for go on: no time-out is in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from onewinner.clock import SharedClock, monotonic_ns, sleep
from onewinner.generator import Call, Pass
from onewinner.history import Info, Operation
from onewinner.schedule.claimant import Blocked, Died, Held, Returned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from onewinner.clock import Clock
    from onewinner.schedule.claimant import Point
    from onewinner.schedule.crew import Crew, PythonClaimant
    from onewinner.schedule.gate import Boundary, Hold
    from onewinner.schedule.scenarios import Scenario

POINTS_MOST: Final = 400
"""No call is held at more points than so many."""

_AHEAD: Final = 16


class Segment(NamedTuple):
    """Let claimant `who` run up to a point, or to its end."""

    who: int
    hold: Hold = None


class Stop(NamedTuple):
    """A claimant was held at a point, the `number`-th of its call."""

    who: int
    point: Point
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One schedule as it went.

    `operations` are those of preparation, of the calls that met, and of the look at the end, told
    apart by `extra["phase"]`; `extra["now"]` is the store's time, logical where its clock is real.
    `stops` tell who was held where, in order, `waited` who slept until another went on. `points`
    are those that each claimant passed. `died` says who went how.
    """

    scenario: Scenario
    segments: tuple[Segment, ...]
    operations: tuple[Operation, ...]
    stops: tuple[Stop, ...]
    waited: tuple[int, ...]
    points: tuple[tuple[Point, ...], ...]
    died: tuple[tuple[int, Died], ...] = ()

    @property
    def reached(self) -> bool:
        """Whether every hold was come to, so that the schedule was what was asked for."""
        return len(self.stops) == sum(each.hold is not None for each in self.segments)


@dataclass(slots=True)
class _Prepared:
    plugin: str
    place: str | None
    operations: list[Operation] = field(default_factory=list)


class Stage:
    """Where the schedules of one scenario are run, by one crew.

    `apart`: each schedule has a location of its own, in `home`; else only a plugin of its own.
    """

    def __init__(
        self,
        crew: Crew,
        scenario: Scenario,
        boundary: Boundary,
        clock: Clock,
        *,
        prefix: str,
        home: Path,
        apart: bool = False,
    ) -> None:
        self.scenario = scenario
        self.crew = crew
        self.cast: list[PythonClaimant] = crew.claimants[: len(scenario.calls)]
        for claimant in self.cast:
            claimant.boundary = boundary
        self._clock = clock
        self._prefix = prefix
        self._home = home
        self._apart = apart
        self._made = 0
        self._logical_ms = 0
        self._ready: list[_Prepared] = []
        self._base: _Prepared | None = None

    # --- one schedule -----------------------------------------------------------------------

    def run(self, segments: tuple[Segment, ...]) -> Ran:
        """Run one schedule on a plugin of its own, or on a location of its own."""
        prepared = self._next()
        fresh = prepared.place
        calls = [each._replace(plugin=prepared.plugin) for each in self.scenario.calls]
        play = _Play(self.cast, calls, fresh)
        play.run(segments)
        met = [self._operation(who, calls[who], play.ended[who], "meet") for who in play.ended]
        looked = [] if play.died else self._look(prepared.plugin, fresh)
        return Ran(
            scenario=self.scenario,
            segments=segments,
            operations=(*prepared.operations, *met, *looked),
            stops=tuple(play.stops),
            waited=tuple(play.waited),
            points=tuple(play.points_of(who) for who in range(len(calls))),
            died=tuple(play.died.items()),
        )

    def _look(self, plugin: str, fresh: str | None) -> list[Operation]:
        """Look at what is left, from one handle after the other, and make up for what was done."""
        made = []
        for number, call in enumerate(self.scenario.inspect):
            who = number % len(self.cast)
            made.append(self._make(who, call._replace(plugin=plugin), "inspect", fresh))
        for call in self.scenario.undo:
            self._make(0, call._replace(plugin=plugin), "undo", fresh)
        return made

    # --- preparation --------------------------------------------------------------------------

    def _next(self) -> _Prepared:
        if self.scenario.once:
            if self._base is None:
                (self._base,) = self._prepare(1, self.scenario.once)
            return self._base
        if not self._ready:
            waits = any(isinstance(step, Pass) for step in self.scenario.prepare)
            count = _AHEAD if waits and not isinstance(self._clock, SharedClock) else 1
            self._ready = self._prepare(count, self.scenario.prepare)
        return self._ready.pop()

    def _prepare(self, count: int, steps: tuple[Call | Pass, ...]) -> list[_Prepared]:
        """Prepare some plugins at once: where time is real they share the waiting."""
        fresh = [self._new() for _ in range(count)]
        for step in steps:
            if isinstance(step, Pass):
                self._pass(step)
                continue
            for each in fresh:
                call = step._replace(plugin=each.plugin)
                each.operations.append(self._make(0, call, "prepare", each.place))
        return fresh

    def _new(self) -> _Prepared:
        """Answer a plugin that nobody used; where all is to be fresh it has a place of its own."""
        self._made += 1
        plugin = f"{self._prefix}-{self._made}"
        if not (self.scenario.fresh or self._apart):
            return _Prepared(plugin, None)
        place = self._home / plugin
        place.mkdir()
        return _Prepared(plugin, str(place))

    def _pass(self, step: Pass) -> None:
        if isinstance(self._clock, SharedClock):
            self._clock.advance(step.ms)
        else:
            sleep((step.ms + step.margin_ms) / 1_000)
            self._logical_ms += step.ms + step.margin_ms

    def _make(self, who: int, call: Call, phase: str, fresh: str | None = None) -> Operation:
        return self._operation(who, call, self.cast[who].make(call, fresh=fresh), phase)

    def _operation(self, who: int, call: Call, ended: Returned | Died, phase: str) -> Operation:
        returned = isinstance(ended, Returned)
        now = monotonic_ns()
        return Operation(
            process=who,
            f=call.f,
            value=call._asdict(),
            outcome=ended.outcome if isinstance(ended, Returned) else Info(ended.how),
            invoked_ns=ended.invoked_ns if isinstance(ended, Returned) else now,
            completed_ns=ended.completed_ns if returned and isinstance(ended, Returned) else None,
            extra={"phase": phase, "now": self._now(call)},
        )

    def _now(self, call: Call) -> int:
        """Answer the store's time; where it is real, one that makes each write younger."""
        if isinstance(self._clock, SharedClock):
            return self._clock.now_ms()
        if call.f in {"register", "register_if_absent"}:
            self._logical_ms += 1
        return self._logical_ms

    # --- sweeps ---------------------------------------------------------------------------------

    @property
    def victims(self) -> tuple[int, ...]:
        """Who is held in turn: everybody, but one only of those that make the same call."""
        calls = [each._replace(value=None) for each in self.scenario.calls]
        return tuple(who for who, call in enumerate(calls) if call not in calls[:who])

    def unheld(self, victim: int = 0) -> Ran:
        """Run the schedule without preemption: first the victim, then the others."""
        rivals = [Segment(who) for who in range(len(self.cast)) if who != victim]
        return self.run((Segment(victim), *rivals))

    def one_preemption(self, victim: int, over: Callable[[], bool]) -> Iterator[Ran]:
        """Run every schedule in which `victim` is held at most once.

        Its points are counted first, in the schedule without preemption; they are then tried in an
        order in which any beginning is spread over the whole, and those that appear only beside a
        rival at the end.
        """
        rivals = [Segment(who) for who in range(len(self.cast)) if who != victim]
        free = self.unheld(victim)
        yield free
        count = min(len(free.points[victim]), POINTS_MOST)
        for number in (*spread(count), *range(count + 1, POINTS_MOST + 1)):
            if over() or free.died:
                return
            ran = self.run((Segment(victim, number), *rivals, Segment(victim)))
            if number > count and not ran.reached:
                return
            yield ran
            if ran.died:
                return

    def two_preemptions(self, victim: int, over: Callable[[], bool]) -> Iterator[Ran]:
        """Run every schedule in which the victim is held, and then its first rival inside that.

        With a third claimant the victim is held twice besides, and one rival is let in each time.
        """
        rival, *rest = (who for who in range(len(self.cast)) if who != victim)
        others = [Segment(who) for who in rest]
        for outer in range(1, POINTS_MOST + 1):
            inner = 0
            while inner < POINTS_MOST and not over():
                inner += 1
                ran = self.run(
                    (Segment(victim, outer), Segment(rival, inner), *others, Segment(victim))
                )
                yield ran
                if ran.died or not ran.reached:
                    break
            if over() or ran.died or not ran.stops:
                return


def spread(count: int) -> list[int]:
    """Answer 1..count in an order in which any beginning is spread over the whole."""
    return sorted(range(1, count + 1), key=lambda each: int(f"{each:032b}"[::-1], 2))


class _Play:
    """One schedule under way."""

    def __init__(self, cast: list[PythonClaimant], calls: list[Call], fresh: str | None) -> None:
        self.ended: dict[int, Returned | Died] = {}
        self.stops: list[Stop] = []
        self.waited: list[int] = []
        self.died: dict[int, Died] = {}
        self._cast = cast
        self._calls = calls
        self._fresh = fresh
        self._held: set[int] = set()
        self._begun: set[int] = set()

    def run(self, segments: tuple[Segment, ...]) -> None:
        """Run the segments one after the other, then everybody to the end."""
        for who, hold in segments:
            if who in self.ended:
                continue
            if who not in self._begun:
                self._begun.add(who)
                self._cast[who].begin(self._calls[who], hold, fresh=self._fresh)
            elif who in self._held:
                self._held.discard(who)
                self._cast[who].resume(hold)
            else:
                continue  # it waits for somebody who is still held
            self._settle(who)
        self._drain()

    def _settle(self, who: int) -> None:
        settled = self._cast[who].settle()
        if isinstance(settled, Held):
            self.stops.append(Stop(who, settled.point, settled.number))
            self._held.add(who)
        elif isinstance(settled, Blocked):
            if who not in self.waited:
                self.waited.append(who)
        else:
            self._end(who, settled)

    def _end(self, who: int, ended: Returned | Died) -> None:
        self.ended[who] = ended
        if isinstance(ended, Died):
            self.died[who] = ended

    def _drain(self) -> None:
        """Let everybody go on; first those that are held, for others may wait for them."""
        for who in range(len(self._cast)):
            if who not in self._begun:
                self._begun.add(who)
                self._cast[who].begin(self._calls[who], None, fresh=self._fresh)
        for who in sorted(self._held):
            self._cast[who].resume()
        self._held.clear()
        left = [who for who in range(len(self._cast)) if who not in self.ended]
        while left:
            for who in left:
                settled = self._cast[who].settle()
                if isinstance(settled, Held):
                    self._cast[who].resume()
                elif not isinstance(settled, Blocked):
                    self._end(who, settled)
            still = [who for who in left if who not in self.ended]
            if still == left:  # all sleep: one of them must come back, or all hang
                self._end(left[0], self._cast[left[0]].finish())
                still = left[1:]
            left = still

    def points_of(self, who: int) -> tuple[Point, ...]:
        """Answer the points that a claimant passed; none of one that died."""
        ended = self.ended[who]
        return ended.points if isinstance(ended, Returned) else ()
