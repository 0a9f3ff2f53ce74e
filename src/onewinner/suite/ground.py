"""The ground on which the nemesis acts: a crew that lives on, a clock, and new places on demand."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

from onewinner.clock import (
    SharedClock,
    SystemClock,
    monotonic_ns,
    sleep,
    virtual_start_ms,
    wall_ns,
)
from onewinner.contract.newer import WRITES
from onewinner.generator import Call, Pass
from onewinner.history import Info, Ok, Operation
from onewinner.nemesis import act, is_act, remark
from onewinner.nemesis.acts import told as act_told
from onewinner.schedule.claimant import Returned
from onewinner.schedule.crew import Crew
from onewinner.suite.held import answer_told, call_told, told
from onewinner.suite.orders import Judge
from onewinner.suite.timeline import timeline_of
from onewinner.suite.traffic import Traffic
from onewinner.suite.tree import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.contract import Capabilities
    from onewinner.history import Outcome
    from onewinner.model import State
    from onewinner.schedule.claimant import Died
    from onewinner.schedule.crew import PythonClaimant
    from onewinner.schedule.gate import Boundary
    from onewinner.suite.answers import Observed
    from onewinner.suite.faults import Ask
    from onewinner.suite.kept import Kept
    from onewinner.suite.timeline import Timeline

CRASH: Final = "crash"
"""How a history is judged in which calls were cut off (see `suite.rejudging`)."""

HURT: Final = "hurt"
"""The phase of a call whose process suffered: unless it answered, it may have happened or not."""


class Place:
    """Where one act takes place: a plugin that nobody used, and a location of its own if it can be.

    `entries` is the history of it so far, acts included. In real time `began_ns` tells since when
    its rows live. `evicts`: rows are evicted there on purpose.
    """

    def __init__(self, plugin: str, location: str | None) -> None:
        self.plugin = plugin
        self.location = location
        self.entries: list[Operation] = []
        self.began_ns = monotonic_ns()
        self.evicts = False

    @property
    def calls(self) -> list[Operation]:
        """The calls, without the acts."""
        return [each for each in self.entries if not is_act(each)]

    def story(self, *, wrong: Operation | None = None) -> Story:
        """Answer what happened, with the call that nothing explains: the last one if not said."""
        calls = self.calls
        amiss = calls[-1:] if wrong is None else [wrong]
        return Story(
            lines=tuple(act_told(each) if is_act(each) else told(each) for each in self.entries),
            timeline=timeline_of(
                calls,
                call=call_told,
                answer=answer_told,
                marks=[(each.invoked_ns, act_told(each)) for each in self.entries if is_act(each)],
                wrong=amiss,
            ),
            recorded=Recorded(operations=tuple(calls), judge=CRASH),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened at a place: a line each, as it is drawn, and as it is judged again."""

    lines: tuple[str, ...]
    timeline: Timeline
    recorded: Recorded


class Ground:
    """A crew of claimants in processes of their own, and places. Use it as a context manager.

    What happened at all places is written to `kept` in the end, where given, as one history. The
    claimants have the variables of `environment` besides the kit's.
    """

    def __init__(
        self,
        target: Target,
        capabilities: Capabilities,
        home: Path,
        *,
        claimants: int = 2,
        kept: Kept | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.target = target
        self.capabilities = capabilities
        self.home = home
        home.mkdir()
        (home / "store").mkdir()
        self.clock: Clock = SystemClock()
        if capabilities.virtual_clock:
            start_ms = virtual_start_ms(capabilities.ttl_unit_ms)
            self.clock = SharedClock(home / "clock", start_ms=start_ms)
        self._claimants = claimants
        self.traffic = Traffic()
        self._kept = kept
        self._environment = environment
        self._places: list[Place] = []
        self._moves = [act("advance")] if capabilities.virtual_clock else []
        self._logical_ms = 0
        self._made = 0
        self._prefix = f"f{wall_ns():x}" if target.location is not None else "f"
        self._stack = ExitStack()

    @classmethod
    def of(cls, ask: Ask, *, claimants: int = 2) -> Self:
        """Answer the ground of a check with faults; what goes on there is counted as traffic."""
        ground = cls(ask.target, ask.capabilities, ask.home, claimants=claimants, kept=ask.kept)
        ground.traffic = ask.traffic
        return ground

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self.home, ignore_errors=True)
            self.crew = stack.enter_context(
                Crew(
                    self.target,
                    location=self.target.location or str(self.home / "store"),
                    clock=self.clock,
                    claimants=self._claimants,
                    processes=True,
                    environment=self._environment,
                )
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        for place in self._places:
            self.traffic.note(place.calls)
            self.traffic.faults += [
                (each.invoked_ns, act_told(each))
                for each in place.entries
                if is_act(each) and each.f != "advance"
            ]
        if self._kept is not None:
            self._keep(self._kept)

    def _keep(self, kept: Kept) -> None:
        """Write the history of all places; virtual time is one for all, and moves in operations."""
        entries = [each for place in self._places if not place.evicts for each in place.entries]
        calls = [each for each in entries if not is_act(each)]
        acts = {id(each): each for each in entries if is_act(each)}
        for move in self._moves:
            acts.pop(id(move), None)
        kept.write([*self._moves, *calls], map(remark, acts.values()))

    @property
    def virtual(self) -> bool:
        """Whether the store's time is the kit's."""
        return isinstance(self.clock, SharedClock)

    def place(self) -> Place:
        """Answer a place that nobody used."""
        self._made += 1
        plugin = f"{self._prefix}-{self._made}"
        location = None
        if self.target.location is None:
            (self.home / plugin).mkdir()
            location = str(self.home / plugin)
        place = Place(plugin, location)
        self._places.append(place)
        return place

    def address(self, place: Place) -> str:
        """Answer the location of a place, as a process of its own is given it."""
        return place.location or str(self.target.location)

    def make(self, place: Place, who: int, call: Call, phase: str = "look") -> Operation:
        """Let a claimant make a call there, and enter it into the history."""
        call = call._replace(plugin=place.plugin)
        ended = self.crew.claimants[who].make(call, fresh=place.location)
        return self.enter(place, who, call, ended, phase)

    def enter(
        self, place: Place, who: int, call: Call, ended: Returned | Died, phase: str
    ) -> Operation:
        """Enter a call that ended into the history of a place."""
        if isinstance(ended, Returned):
            return self.note(
                place, who, call, ended.outcome, (ended.invoked_ns, ended.completed_ns), phase
            )
        before = [each.completed_ns or 0 for each in place.calls if each.process == who]
        interval = (max([place.began_ns, *before]) + 1, monotonic_ns())
        return self.note(place, who, call, Info(ended.how), interval, phase)

    def note(
        self,
        place: Place,
        who: int,
        call: Call,
        outcome: Outcome,
        interval: tuple[int, int],
        phase: str,
    ) -> Operation:
        """Enter a call into the history of a place, at the store's time now."""
        operation = Operation(
            process=who,
            f=call.f,
            value=call._replace(plugin=place.plugin)._asdict(),
            outcome=outcome,
            invoked_ns=interval[0],
            completed_ns=interval[1],
            extra={"phase": phase, "now": self.now(call)},
        )
        place.entries.append(operation)
        return operation

    def now(self, call: Call) -> int:
        """Answer the store's time; where it is real, one that makes each write younger."""
        if isinstance(self.clock, SharedClock):
            return self.clock.now_ms()
        self._logical_ms += call.f in WRITES
        return self._logical_ms

    def pass_time(self, step: Pass, *places: Place) -> None:
        """Let the store's time pass, and enter that into the histories of these places."""
        if isinstance(self.clock, SharedClock):
            self.clock.advance(step.ms)
        else:
            sleep((step.ms + step.margin_ms) / 1_000)
            self._logical_ms += step.ms + step.margin_ms
        move = act("advance", ms=step.ms)
        if self.virtual:
            self._moves.append(move)
        for place in places:
            place.entries.append(move)

    def prepare(self, place: Place, steps: Iterable[Call | Pass]) -> None:
        """Prepare what a situation asks for, by the first claimant."""
        for step in steps:
            if isinstance(step, Pass):
                self.pass_time(step, place)
            else:
                self.make(place, 0, step, "prepare")

    def look(self, place: Place, who: int, *keys: str, max_entries: int = 100) -> list[Operation]:
        """Look at all that is there, by whatever the store has."""
        offered = self.capabilities.operations
        calls = []
        if "lookup" in offered:
            calls += [Call("lookup", "", "n", key, max_entries=max_entries) for key in keys]
        if "entries" in offered:
            calls.append(Call("entries", "", "n", max_entries=max_entries))
        return [self.make(place, who, call) for call in calls]

    def claimant(self, who: int) -> PythonClaimant:
        """Answer a claimant of the crew."""
        return self.crew.claimants[who]


def first_boundary(ground: Ground) -> Boundary:
    """Answer where claimants are held first: at statements; copies of a command at system calls."""
    if not ground.target.served:
        return "sql"
    ground.crew.trace()
    return "syscall"


class CrashJudge(Judge):
    """Judges histories in which a process was hurt: its call may have happened, or not."""

    def after(self, states: Iterable[State], operations: Sequence[Operation]) -> list[State]:
        """Answer the states that explain these calls, in this order; none where nothing does."""
        reached = list(states)
        for each in operations:
            unknown = each.extra["phase"] == HURT and not isinstance(each.outcome, Ok)
            skipped = reached if unknown else []
            reached = [*skipped, *self._follow(reached, [each])]
        return reached

    def _accepts(self, operation: Operation, answer: Any, seen: Observed) -> bool:
        if operation.extra["phase"] == HURT and not isinstance(operation.outcome, Ok):
            return True
        return super()._accepts(operation, answer, seen)


def at(operation: Operation, now: int) -> Operation:
    """Answer the operation as if it had been made at this time of the store."""
    return replace(operation, extra={**operation.extra, "now": now})
