"""The sweep: every schedule of a scenario with one preemption, then with two.

A schedule with one preemption is: the victim to its point, each rival to its end, the victim to its
end. What waits is left to wait, and those whom it waits for go on: no time-out is in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from onewinner.clock import SharedClock, monotonic_ns, sleep
from onewinner.contract.newer import WRITES
from onewinner.generator import Call, Pass
from onewinner.history import Info, Ok, Operation
from onewinner.schedule.claimant import Died, Returned
from onewinner.schedule.play import Play, Segment, Stop
from onewinner.schedule.telling import telling

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from onewinner.clock import Clock
    from onewinner.generator import Step
    from onewinner.schedule.claimant import Point
    from onewinner.schedule.crew import Crew, PythonClaimant
    from onewinner.schedule.gate import Boundary
    from onewinner.schedule.scenario import Scenario

POINTS_MOST: Final = 2_000
"""No call is held at more points than so many."""

_AHEAD: Final = 16

Shape: TypeAlias = "tuple[int, ...]"
"""Who runs in which order; whoever runs again later is held before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One schedule as it went.

    `operations` are those of preparation, of the calls that met, and of the look at the end, told
    apart by `extra["phase"]`; `extra["now"]` is the store's time, logical where its clock is real.
    `stops` tell who was held where, in order, `missed` counts from 0 the holds that were not come
    to, `waited` who slept until another went on. `points` are those that each claimant passed.
    `died` says who went how. `shared` as the `Crew` was.
    """

    scenario: Scenario
    boundary: Boundary
    shared: bool = False
    segments: tuple[Segment, ...]
    operations: tuple[Operation, ...]
    stops: tuple[Stop, ...]
    waited: tuple[int, ...]
    points: tuple[tuple[Point, ...], ...]
    missed: tuple[int, ...] = ()
    died: tuple[tuple[int, Died], ...] = ()

    @property
    def reached(self) -> bool:
        """Whether every hold was come to, so that the schedule was what was asked for."""
        return not self.missed

    @property
    def shape(self) -> Shape:
        """Who ran in which order."""
        return tuple(each.who for each in self.segments)


@dataclass(slots=True)
class _Prepared:
    """A plugin that is ready; `observed` is what all compare with, where one has it for all."""

    plugin: str
    place: str | None
    operations: list[Operation] = field(default_factory=list)
    observed: str | None = None


class Stage:
    """Where the schedules of one scenario are run, by one crew.

    `apart`: each schedule has a location of its own, in `home`; else only a plugin of its own.
    `lasting`: what is in a location stays there when its last handle is closed.
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
        lasting: bool = True,
    ) -> None:
        self.scenario = scenario
        self.crew = crew
        self.cast: list[PythonClaimant] = crew.claimants[: len(scenario.calls)]
        for claimant in self.cast:
            claimant.boundary = boundary
        self._boundary = boundary
        self._clock = clock
        self._prefix = prefix
        self._home = home
        waits = any(isinstance(step, Pass) for step in scenario.prepare)
        self._waits = waits and not isinstance(clock, SharedClock)
        self._apart = apart or self._waits if lasting else apart and not self._waits
        self._lasting = lasting
        self._made = 0
        self._logical_ms = 0
        self._ready: list[_Prepared] = []
        self._base: _Prepared | None = None
        self._passed: list[tuple[Point, ...]] = [()] * len(self.cast)
        self.only: Shape | None = None
        self.cut = False
        """Whether a call came to more points than it is held at."""

    # --- one schedule -----------------------------------------------------------------------

    def run(self, segments: tuple[Segment, ...]) -> Ran:
        """Run one schedule on a plugin of its own, or on a location of its own."""
        prepared = self._next()
        fresh = prepared.place
        calls = [each._replace(plugin=prepared.plugin) for each in self.scenario.calls]
        play = Play(self.cast, calls, fresh)
        play.run(segments)
        met = [
            self._operation(who, calls[who], play.ended[who], "meet", prepared.observed)
            for who in play.ended
        ]
        looked = [] if play.died else self._look(prepared.plugin, fresh)
        return Ran(
            scenario=self.scenario,
            boundary=self._boundary,
            shared=self.crew.shared,
            segments=segments,
            operations=(*prepared.operations, *met, *looked),
            stops=tuple(play.stops),
            waited=tuple(play.waited),
            points=tuple(play.points_of(who) for who in range(len(calls))),
            missed=tuple(play.missed),
            died=tuple(play.died.items()),
        )

    def _look(self, plugin: str, fresh: str | None) -> list[Operation]:
        """Look at what is left, from one handle after the other, and make up for what was done."""
        made: list[Operation] = []
        for number, call in enumerate(self.scenario.inspect):
            who = number % len(self.cast)
            made += self._make(who, [(call._replace(plugin=plugin), fresh)], "inspect")
        undo = [(call._replace(plugin=plugin), fresh) for call in self.scenario.undo]
        if undo:
            self._make(0, undo, "undo")
        return made

    # --- preparation --------------------------------------------------------------------------

    def _next(self) -> _Prepared:
        if self.scenario.once:
            if self._base is None:
                (self._base,) = self._prepare(1, self.scenario.once)
            return self._base
        if not self._ready:
            self._ready = self._prepare(self._ahead(), self.scenario.prepare)
        return self._ready.pop()

    def _ahead(self) -> int:
        """Answer how many plugins are prepared at once.

        Of several that expire in one store, whoever removes expired rows may remove those of the
        others. So they are prepared one by one, or, where time is real, on a location each; only
        in a store that does not last they share both the waiting and the location. Where rows are
        observed at a location of their own, nobody may leave it before they are compared with: a
        store may know a comparison for as long as it is open. Where nothing is waited for, few are
        prepared at first: the first schedules may be all that it takes.
        """
        expires = any(isinstance(each, Call) and each.ttl_ms for each in self.scenario.prepare)
        if self._waits:
            return _AHEAD
        observed = bool(self.scenario.each)
        one_by_one = observed or not self._lasting if self._apart else expires
        return 1 if one_by_one else min(_AHEAD, self._made + 2)

    def _prepare(self, count: int, steps: tuple[Step, ...]) -> list[_Prepared]:
        """Prepare some plugins at once; they share the way to the claimant, and any waiting."""
        fresh = [self._new() for _ in range(count)]
        for passing, calls in groupby(steps, lambda step: isinstance(step, Pass)):
            if passing:
                for step in calls:
                    self._pass(cast("Pass", step))
                continue
            due = [cast("Call", step) for step in calls]
            orders = [
                (call._replace(plugin=each.plugin), each.place) for each in fresh for call in due
            ]
            made = iter(self._make(0, orders, "prepare"))
            for each in fresh:
                each.operations += islice(made, len(due))
        self._prepare_each(fresh)
        return fresh

    def _prepare_each(self, fresh: list[_Prepared]) -> None:
        """Let every claimant do what each of them does before they meet, or the first for all."""
        due, handed_on = self.scenario.each, self.scenario.handed_on
        for who in range(1 if handed_on else len(self.cast)) if due else ():
            for prepared in fresh:
                calls = [(call._replace(plugin=prepared.plugin), prepared.place) for call in due]
                made = self._make(who, calls, "prepare")
                prepared.operations += made
                if handed_on:
                    self._hand_on(prepared, made)

    def _hand_on(self, prepared: _Prepared, made: list[Operation]) -> None:
        """Tell the others what the first has observed."""
        for each in made:
            if isinstance(each.outcome, Ok) and isinstance(each.outcome.result, dict):
                prepared.observed = str(each.outcome.result["comparison"])
                for claimant in self.cast[1:]:
                    claimant.learn([(Call(**each.value), prepared.observed)])

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

    def _make(self, who: int, calls: list[tuple[Call, str | None]], phase: str) -> list[Operation]:
        made = self.cast[who].make_all(calls)
        if isinstance(made, Died):
            return [self._operation(who, call, made, phase) for call, _ in calls]
        return [
            self._operation(who, call, each, phase)
            for (call, _), each in zip(calls, made, strict=True)
        ]

    def _operation(
        self,
        who: int,
        call: Call,
        ended: Returned | Died,
        phase: str,
        compared: str | None = None,
    ) -> Operation:
        """Write down how a call ended; `compared` is what it compares with, where that is known.

        Who is refused does not answer what he had compared with.
        """
        returned = isinstance(ended, Returned)
        now = monotonic_ns()
        return Operation(
            process=who,
            f=call.f,
            value=call._asdict(),
            outcome=ended.outcome if isinstance(ended, Returned) else Info(ended.how),
            invoked_ns=ended.invoked_ns if isinstance(ended, Returned) else now,
            completed_ns=ended.completed_ns if returned and isinstance(ended, Returned) else None,
            extra={
                "phase": phase,
                "now": self._now(call),
                **({} if compared is None else {"compared": compared}),
            },
        )

    def _now(self, call: Call) -> int:
        """Answer the store's time; where it is real, one that makes each write younger."""
        if isinstance(self._clock, SharedClock):
            return self._clock.now_ms()
        if call.f in WRITES:
            self._logical_ms += 1
        return self._logical_ms

    # --- sweeps ---------------------------------------------------------------------------------

    def unheld(self) -> Ran:
        """Run the schedule without preemption: one claimant after the other."""
        return self.run(tuple(Segment(who) for who in range(len(self.cast))))

    def schedules(self, preemptions: int, over: Callable[[], bool]) -> Iterator[Ran]:
        """Run every schedule with exactly so many preemptions, until `over` says that it is enough.

        See `shapes` for which those are, and `telling` for the order in which the points of one
        preemption are tried. The shapes of two calls take turns, for nobody knows which is the
        wrong one; of three it is mostly the first, so the others are run without preemption only
        when their turn has come. Set `only` to go on with one of them. After a claimant died there
        is nothing more to run.
        """
        self.only = None
        three = len(self.cast) > 2
        due = shapes(self.scenario.kinds(), preemptions)[: 1 if three and not preemptions else None]
        left = {each: self._of(each, over) for each in due}
        turns = 1 if three else len(left)
        while left and not over():
            for shape, runs in list(left.items())[:turns]:
                ran = next(runs, None) if self._goes_on(shape) else None
                if ran is None:
                    del left[shape]
                    continue
                yield ran
                if ran.died:
                    return

    def _goes_on(self, shape: Shape) -> bool:
        return self.only is None or self.only == shape

    def _of(self, shape: Shape, over: Callable[[], bool]) -> Iterator[Ran]:
        last = {who: at for at, who in enumerate(shape)}
        holds = [at for at, who in enumerate(shape) if last[who] != at]
        if holds and len(self.cast) > 2 and not self._passed[shape[0]]:
            yield from self._filled(tuple(dict.fromkeys(shape)), [], (), over)
        yield from self._filled(shape, holds, (), over)

    def _filled(
        self, shape: Shape, holds: list[int], chosen: tuple[int, ...], over: Callable[[], bool]
    ) -> Generator[Ran, None, int]:
        """Run a shape with every number for its holds after the `chosen` ones.

        Answers which hold was the first that the last schedule did not come to.
        """
        depth = len(chosen)
        if depth == len(holds):
            numbers = dict(zip(holds, chosen, strict=True))
            ran = self.run(tuple(Segment(who, numbers.get(at)) for at, who in enumerate(shape)))
            who = shape[0]  # the only one that came to its points in the state that was prepared
            self._passed[who] = max(self._passed[who], ran.points[who], key=len)
            yield ran
            return -1 if ran.died else ran.missed[0] if ran.missed else len(holds)
        who = shape[holds[depth]]
        passed = self._passed[who][:POINTS_MOST] if len(holds) == 1 else ()
        known = len(passed)
        gone_by = [n for n, at in zip(chosen, holds, strict=False) if shape[at] == who]
        first = max(gone_by, default=0) + 1
        for number in (*telling(passed), *range(max(known + 1, first), POINTS_MOST + 1)):
            if over():
                return -1
            missed = yield from self._filled(shape, holds, (*chosen, number), over)
            if missed < depth or (missed == depth and number > known):
                return missed
        self.cut = True
        return depth


def shapes(kinds: Sequence[int], preemptions: int) -> list[Shape]:
    """Answer in which orders claimants can run with exactly so many preemptions.

    A preemption lets another run before a call has ended. `kinds` are equal where claimants do the
    same: of shapes that differ only in which of those does what, one is answered. For two claimants
    these are all shapes. Of three each is held in turn, and the other two run.
    """
    everybody = range(len(kinds))
    if len(kinds) > 2:
        found = [
            (who, *(other for other in everybody if other != who), *[who] * preemptions)
            for who in everybody
        ]
        return [each for each in found if kinds.index(kinds[each[0]]) == each[0]]
    first = [(n % 2, (n + 1) % 2) for n in everybody if kinds.index(kinds[n]) == n]
    length = len(kinds) + preemptions
    return [tuple((who, rival)[at % 2] for at in range(length)) for who, rival in first]
