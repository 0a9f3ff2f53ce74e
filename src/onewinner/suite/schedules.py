"""The check of controlled schedules: every scenario is swept, and each schedule judged exactly.

A sweep ends, so a pass says what it covered: all schedules with so many preemptions at the points
of one boundary. It proves nothing below that boundary, and nothing of schedules with more
preemptions. What could not be swept to its end is left to the races, and is not called covered.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from onewinner.clock import SharedClock, SystemClock, monotonic_ns, virtual_start_ms, wall_ns
from onewinner.contract import WHOLE
from onewinner.contract.clauses import CLAUSES
from onewinner.runner import ChildError
from onewinner.schedule.choice import TRACED, choice, refusal
from onewinner.schedule.crew import Crew
from onewinner.schedule.scenarios import scenarios
from onewinner.schedule.sweep import Stage
from onewinner.suite.covered import Covered, Grain, Pass, passes
from onewinner.suite.held import bad_of, violation
from onewinner.suite.options import Progress
from onewinner.suite.orders import Judge
from onewinner.suite.tree import CheckResult, Status
from onewinner.suite.underway import CLAIMS, claims_in, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.contract import Capabilities
    from onewinner.schedule.gate import Boundary
    from onewinner.schedule.scenario import Scenario
    from onewinner.schedule.sweep import Ran
    from onewinner.suite.held import Bad
    from onewinner.suite.options import Listener
    from onewinner.suite.tree import Violation

THREADS: Final = "schedules-on-threads"
PROCESSES: Final = "schedules-on-processes"

_CREW: Final = 3
_MAPPED_MOST: Final = 200
_LEAST_S: Final = 2.0
_FIRST_FACTOR: Final = 3
_SHARED_PART: Final = 0.5


def clauses(*, processes: bool) -> tuple[str, ...]:
    """Answer the clauses that a sweep can judge, the one that it is about first."""
    found = [each.clause(processes=processes) for each in scenarios(WHOLE)]
    errors = "ERR-3" if processes else "ERR-2"
    return tuple(dict.fromkeys([*(each for each in found if each is not None), errors]))


@dataclass(slots=True)
class Sweeps:
    """The sweeps of one target by one crew.

    `found` tells by clause what was covered; `notes` where claimants were held and what was left
    out, each with its reason. `deeper` is a boundary beside the one that was chosen.
    """

    target: Target
    capabilities: Capabilities
    home: Path
    processes: bool
    chosen: Collection[str]
    found: defaultdict[str, Covered] = field(default_factory=lambda: defaultdict(Covered))
    notes: list[str] = field(default_factory=list)
    boundary: Boundary = "sql"
    deeper: Boundary | None = None
    passed: int = 0
    claims: int = 0
    _stages: int = 0

    @property
    def bad(self) -> list[Bad]:
        """What went wrong so far: one schedule for each clause that it breaks."""
        return [each.bad for each in self.found.values() if each.bad is not None]

    def sweep(self, crew: Crew, clock: Clock, budget_s: float) -> Iterator[int]:
        """Sweep all scenarios with one preemption, then deeper, as far as the time goes.

        At statements, which are few, the first pass may take some times as long, so that on a slow
        machine too it comes to its end; threads that share something have time of their own, for
        what goes wrong with it shows there alone. Yields the number of schedules each time.
        """
        started = monotonic_ns()
        judge = Judge(self.capabilities)
        left = [each for each in scenarios(self.capabilities) if self._applies(each)]
        if not left:
            return
        self.boundary = self._boundary(crew, clock, left[0])
        left = [each for each in left if self._shows(each)]
        for scenario in left:
            about = self._about(scenario)
            about.beside += scenario.beside
            about.scenarios += not scenario.beside
        beside = any(each.beside for each in left)
        due = passes(self.boundary, self.deeper, shared=self.shares, beside=beside)
        for number, each in enumerate(due):
            longer = self.boundary == "sql" and not number
            over_ns = started + int(budget_s * (_FIRST_FACTOR if longer else 1) * 1e9)
            deeper = each.boundary == self.deeper and monotonic_ns() < over_ns
            with ExitStack() as stack:
                own = crew, clock
                together = each.shared or each.beside
                if left and (deeper or together):
                    # one that is traced stays so, and is slow at whatever it does
                    own = self.crew(stack, "-".join(map(str, each)), shared=together)
                if together:
                    over_ns = max(over_ns, monotonic_ns() + int(budget_s * _SHARED_PART * 1e9))
                for scenario in [every for every in left if every.beside is each.beside]:
                    if len(scenario.calls) > 2 and each.preemptions > 1:
                        continue  # of three calls each is held once, in turn
                    if self._about(scenario).bad is not None or monotonic_ns() > over_ns:
                        left.remove(scenario)
                        continue
                    if not self.one(*own, scenario, judge, over_ns, each):
                        left.remove(scenario)
                    yield self.passed

    def _shows(self, scenario: Scenario) -> bool:
        """Tell whether a scenario can be swept where claimants are held, and within the time."""
        if scenario.beside:
            watched = self.boundary in {"sql", "line"}  # by the process itself, thread by thread
            return watched and not self.target.served
        return self.boundary == "sql" or not scenario.long

    @property
    def shares(self) -> bool:
        """Whether its claimants can use one handle."""
        return not self.processes and self.capabilities.handle_scope == "process"

    def crew(self, stack: ExitStack, name: str, *, shared: bool = False) -> tuple[Crew, Clock]:
        """Start a crew of its own, and its clock, in a folder of that name."""
        home = self.home / name
        home.mkdir()
        return crew_for(
            stack, self.target, self.capabilities, home, processes=self.processes, shared=shared
        )

    def _about(self, scenario: Scenario) -> Covered:
        return self.found[str(scenario.clause(processes=self.processes))]

    def _applies(self, scenario: Scenario) -> bool:
        clause = scenario.clause(processes=self.processes)
        if clause is None or CLAUSES[clause].missing(self.capabilities) is not None:
            return False
        errors = "ERR-3" if self.processes else "ERR-2"
        here = not scenario.fresh or self.target.location is None
        return here and not {clause, errors}.isdisjoint(self.chosen)

    def _boundary(self, crew: Crew, clock: Clock, scenario: Scenario) -> Boundary:
        """Choose the boundary by what a first schedule shows at it."""

        def count(boundary: Boundary) -> int:
            ran = self.stage(crew, clock, scenario, boundary).unheld()
            return max(len(points) for points in ran.points)

        located = self.target.location is not None
        served = self.target.served
        chosen = choice(count, processes=self.processes, located=located, served=served)
        self.notes += chosen.notes()
        self.deeper = chosen.deeper
        return chosen.boundary

    def stage(self, crew: Crew, clock: Clock, scenario: Scenario, boundary: Boundary) -> Stage:
        """Answer a stage that nobody used; without statements each schedule has its own location.

        The number of lines may depend on what is in the store: so nothing of before may be there.
        """
        alone = boundary not in {"sql", "tail"}
        if boundary in TRACED and refusal() is None and (lost := crew.trace()) is not None:
            self.notes += [lost] if lost not in self.notes else []
        self._stages += 1
        unique = f"{wall_ns():x}" if self.target.location is not None else ""
        return Stage(
            crew,
            scenario,
            boundary,
            clock,
            prefix=f"s{unique}{self._stages}",
            home=self.home,
            apart=alone and self.target.location is None and not scenario.once,
            lasting=self.capabilities.durable,
        )

    def one(
        self,
        crew: Crew,
        clock: Clock,
        scenario: Scenario,
        judge: Judge,
        over_ns: int,
        this: Pass,
    ) -> bool:
        """Sweep one scenario; answer whether that came to its end with nothing bad."""
        stage = self.stage(crew, clock, scenario, this.boundary)
        found = swept(stage, judge, this.preemptions, lambda: monotonic_ns() > over_ns)
        if this.grain != Grain(self.boundary) and not found.points and found.bad is None:
            return found.ended  # there is nothing that its calls could be held at
        about = self._about(scenario)
        about.schedules[this.grain] += len(found.rans)
        about.three[this.grain] += len(found.rans) if len(scenario.calls) > 2 else 0
        about.points = max(about.points, found.points)
        self.passed += len(found.rans)
        self.claims += sum(claims_in(ran.operations) for ran in found.rans)
        if found.bad is not None:
            clause = found.bad.error_clause(processes=self.processes)
            about.wrong[this.grain] += len(found.bad.vulnerable)
            broken = about
            if clause is not None:
                broken = self.found[clause]
                broken.schedules[this.grain] += len(found.rans)
                broken.wrong[this.grain] += len(found.bad.vulnerable)
            broken.bad = broken.bad or found.bad
        elif found.ended:
            about.whole[this] += 1
        return found.bad is None and found.ended


@dataclass(slots=True)
class Swept:
    """The schedules of one scenario as they went; `ended`: none is left to be run."""

    rans: list[Ran] = field(default_factory=list)
    bad: Bad | None = None
    ended: bool = False

    @property
    def points(self) -> int:
        """The most points that a call came to."""
        return max((len(points) for ran in self.rans for points in ran.points), default=0)


def swept(stage: Stage, judge: Judge, preemptions: int, over: Callable[[], bool]) -> Swept:
    """Run the schedules with so many preemptions, and those with none before those with one.

    After a bad one only the other points of the same call are tried, for the map of them. Of the
    bad ones that is told in which nobody had to wait: what a claimant does when it need not wait
    any longer is up to the machine.
    """
    found = Swept()
    bads: list[Bad] = []
    for count in (0, 1) if preemptions == 1 else (preemptions,):
        for ran in stage.schedules(count, over):
            found.rans.append(ran)
            bad = bad_of(ran, judge)
            if bad is not None:
                bads.append(bad)
                stage.only = ran.shape
                if ran.died or count != 1 or len(found.rans) > _MAPPED_MOST:
                    break
        if bads:
            found.bad = min(bads, key=lambda bad: bool(bad.ran.waited))
            found.bad.vulnerable = [bad.ran for bad in bads]
            found.bad.tried = [each for each in found.rans if each.shape == found.bad.ran.shape]
            return found
    found.ended = not over() and not stage.cut
    return found


def run_schedules(
    target: Target,
    capabilities: Capabilities,
    *,
    run_dir: Path,
    processes: bool,
    budget_s: float,
    chosen: Collection[str] = frozenset(CLAUSES),
    stop_at_first: bool = False,
    on_progress: Listener = silent,
) -> list[CheckResult]:
    """Sweep a target with claimants on threads or in processes; a result for each clause.

    Only scenarios about the clauses `chosen` are swept. With `stop_at_first` the first in which
    something goes wrong is the last, and only what went wrong has a result.

    A clause that nothing was covered of has no result here: other checks judge it. Where claimants
    came to no point at all the clause about vacant keys is untested.
    """
    started = monotonic_ns()
    name = PROCESSES if processes else THREADS
    if target.served and not processes:
        return []  # threads of the kit share one copy of a command; held, it would stand still
    home = run_dir / name
    home.mkdir()
    sweeps = Sweeps(target, capabilities, home, processes, chosen)
    failure = ""
    try:
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, home, ignore_errors=True)
            crew, clock = crew_for(stack, target, capabilities, home, processes=processes)
            for schedules in sweeps.sweep(crew, clock, max(budget_s, _LEAST_S)):
                on_progress(
                    Progress(
                        check=name,
                        done=schedules,
                        total=schedules,
                        elapsed_s=(monotonic_ns() - started) / 1e9,
                        budget_s=budget_s,
                        counters={CLAIMS: sweeps.claims, "schedules": schedules},
                    )
                )
                if stop_at_first and sweeps.bad:
                    break
            if processes:
                _compare_with_threads(stack, sweeps)
    except (ChildError, RuntimeError) as error:
        failure = str(error)
    results = list(_results(sweeps, name, failure, (monotonic_ns() - started) / 1e9))
    if stop_at_first and sweeps.bad:
        return [each for each in results if each.status >= Status.FAIL]
    return results


def _compare_with_threads(stack: ExitStack, sweeps: Sweeps) -> None:
    """Look whether what went wrong over processes goes right on threads, to call it by its name."""
    bads = [b for b in sweeps.bad if b.ran.scenario.clause(processes=False) and not b.error]
    if sweeps.target.served or not bads or any(bad.fatal for bad in bads):
        return
    home = sweeps.home / "threads"
    home.mkdir()
    crew, clock = crew_for(stack, sweeps.target, sweeps.capabilities, home, processes=False)
    other = Sweeps(sweeps.target, sweeps.capabilities, home, False, sweeps.chosen)
    over_ns = monotonic_ns() + int(_LEAST_S * 1e9)
    for bad in bads:
        stage = other.stage(crew, clock, bad.ran.scenario, bad.ran.boundary)
        found = swept(stage, Judge(sweeps.capabilities), 1, lambda: monotonic_ns() > over_ns)
        if found.ended and found.points:
            bad.on_threads = len(found.rans)


def crew_for(
    stack: ExitStack,
    target: Target,
    capabilities: Capabilities,
    home: Path,
    *,
    processes: bool,
    shared: bool = False,
) -> tuple[Crew, Clock]:
    """Start a crew on a new store in `home`, and its clock; `shared` as a `Crew` has it."""
    (home / "store").mkdir()
    clock: Clock = SystemClock()
    if capabilities.virtual_clock:
        start_ms = virtual_start_ms(capabilities.ttl_unit_ms)
        clock = SharedClock(home / "clock", start_ms=start_ms)
    crew = Crew(
        target,
        location=target.location or str(home / "store"),
        clock=clock,
        claimants=_CREW,
        processes=processes,
        shared=shared,
    )
    return stack.enter_context(crew), clock


def _results(sweeps: Sweeps, name: str, failure: str, seconds: float) -> Iterator[CheckResult]:
    main = "CLAIM-6" if sweeps.processes else "CLAIM-5"
    if not sweeps.passed and failure:
        yield CheckResult(check=name, clause=main, status=Status.ERROR, reason=failure)
        return
    for clause, covered in sweeps.found.items():
        status, reason, shown = _judged(sweeps, clause, covered)
        if status is not Status.NA:
            yield CheckResult(
                check=name,
                clause=clause,
                status=status,
                reason=reason,
                evidence=covered.evidence(),
                violation=shown,
                seconds=seconds,
                notes=tuple(f"{name}: {each}" for each in sweeps.notes),
            )


def _judged(sweeps: Sweeps, clause: str, covered: Covered) -> tuple[Status, str, Violation | None]:
    bad = covered.bad
    if bad is not None:
        if bad.fatal:
            return Status.ERROR, bad.summary, None
        shown = violation(bad, sweeps.target.name, clause, sweeps.processes)
        return Status.FAIL, shown.summary, shown
    if covered.points == 0 and covered.schedules and clause in {"CLAIM-5", "CLAIM-6"}:
        return Status.UNTESTED, "no claimant came to a point at which it could be held", None
    return (Status.PASS if covered.points else Status.NA), "", None
