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
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onewinner.clock import SharedClock, SystemClock, monotonic_ns, wall_ns
from onewinner.contract import Capabilities
from onewinner.contract.clauses import CLAUSES
from onewinner.runner import ChildError
from onewinner.schedule.asleep import cannot_tell_who_sleeps
from onewinner.schedule.crew import Crew
from onewinner.schedule.scenarios import scenarios
from onewinner.schedule.sweep import Stage
from onewinner.suite.held import bad_of, violation
from onewinner.suite.options import Progress
from onewinner.suite.orders import Judge
from onewinner.suite.replay import TokenError
from onewinner.suite.scratch import scratch_directory
from onewinner.suite.tree import CheckResult, ExitCode, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.schedule.gate import Boundary
    from onewinner.schedule.scenarios import Scenario
    from onewinner.schedule.sweep import Ran
    from onewinner.suite.held import Bad
    from onewinner.suite.options import Listener
    from onewinner.suite.replay import Token
    from onewinner.suite.tree import Violation

THREADS: Final = "schedules-on-threads"
PROCESSES: Final = "schedules-on-processes"

VIRTUAL_START_MS: Final = 1_700_000_000_000
_CREW: Final = 3
_MAPPED_MOST: Final = 200
_LEAST_S: Final = 2.0


def silent(_: object) -> None:
    """Listen to no progress."""


def clauses(*, processes: bool) -> tuple[str, ...]:
    """Answer the clauses that a sweep can judge, the one that it is about first."""
    found = [each.clause(processes=processes) for each in scenarios(Capabilities())]
    errors = "ERR-3" if processes else "ERR-2"
    return tuple(dict.fromkeys([*(each for each in found if each is not None), errors]))


@dataclass(slots=True)
class Covered:
    """What was swept for one clause."""

    schedules: int = 0
    points: int = 0
    scenarios: int = 0
    second: int = 0
    bad: Bad | None = None


@dataclass(slots=True)
class Sweeps:
    """The sweeps of one target by one crew.

    `found` tells by clause what was covered; `notes` why something was left out.
    """

    target: Target
    capabilities: Capabilities
    home: Path
    processes: bool
    chosen: Collection[str]
    found: defaultdict[str, Covered] = field(default_factory=lambda: defaultdict(Covered))
    notes: list[str] = field(default_factory=list)
    boundary: Boundary = "sql"
    passed: int = 0
    _stages: int = 0

    def sweep(self, crew: Crew, clock: Clock, over_ns: int) -> Iterator[int]:
        """Sweep all scenarios with one preemption, then with two, as far as the time goes.

        Yields the number of schedules after each scenario.
        """
        judge = Judge(self.capabilities)
        applicable = [each for each in scenarios(self.capabilities) if self._applies(each)]
        if not applicable:
            return
        self.boundary = self._boundary(crew, clock, applicable[0])
        whole = []
        for scenario in applicable:
            if self._one(crew, clock, scenario, judge, over_ns, preemptions=1):
                whole.append(scenario)
            yield self.passed
        for scenario in whole:
            clause = scenario.clause(processes=self.processes)
            if monotonic_ns() > over_ns or self.found[str(clause)].bad is not None:
                continue
            if self._one(crew, clock, scenario, judge, over_ns, preemptions=2):
                self.found[str(clause)].second += 1
            yield self.passed

    def _applies(self, scenario: Scenario) -> bool:
        clause = scenario.clause(processes=self.processes)
        if clause is None or CLAUSES[clause].missing(self.capabilities) is not None:
            return False
        errors = "ERR-3" if self.processes else "ERR-2"
        if not {clause, errors}.intersection(self.chosen):
            return False
        return not (scenario.fresh and self.target.location is not None)

    def _boundary(self, crew: Crew, clock: Clock, scenario: Scenario) -> Boundary:
        """Answer statements where the store makes any; else the lines of its Python code."""
        stage = self.stage(crew, clock, scenario, "sql")
        return "sql" if any(stage.unheld().points) else "line"

    def stage(self, crew: Crew, clock: Clock, scenario: Scenario, boundary: Boundary) -> Stage:
        """Answer a stage that nobody used; lines are swept on a location each.

        The number of lines may depend on what is in the store: so nothing of before may be there.
        """
        self._stages += 1
        unique = f"{wall_ns():x}" if self.target.location is not None else ""
        return Stage(
            crew,
            scenario,
            boundary,
            clock,
            prefix=f"s{unique}{self._stages}",
            home=self.home,
            apart=boundary != "sql" and self.target.location is None and not scenario.once,
        )

    def _one(
        self,
        crew: Crew,
        clock: Clock,
        scenario: Scenario,
        judge: Judge,
        over_ns: int,
        *,
        preemptions: int,
    ) -> bool:
        """Sweep one scenario; answer whether that came to its end with nothing bad."""
        stage = self.stage(crew, clock, scenario, self.boundary)
        tally = Covered()
        worst: Bad | None = None

        def over() -> bool:
            return monotonic_ns() > over_ns

        for victim in stage.victims:
            runs = stage.one_preemption if preemptions == 1 else stage.two_preemptions
            rans: list[Ran] = []
            for ran in runs(victim, over):
                rans.append(ran)
                tally.schedules += 1
                tally.points = max(tally.points, *(len(each) for each in ran.points))
                bad = bad_of(ran, judge)
                if bad is not None:
                    worst = worst or bad
                    worst.vulnerable.append(ran)
                    if ran.died or len(rans) > _MAPPED_MOST or preemptions > 1:
                        break
            if worst is not None:
                worst.tried = rans
                break
        self._add(scenario, tally, worst)
        return worst is None and not over()

    def _add(self, scenario: Scenario, tally: Covered, worst: Bad | None) -> None:
        clause = str(scenario.clause(processes=self.processes))
        about = self.found[clause]
        about.schedules += tally.schedules
        about.points = max(about.points, tally.points)
        about.scenarios += 1
        self.passed += tally.schedules
        if worst is not None:
            broken = self.found[worst.error_clause(processes=self.processes) or clause]
            broken.bad = broken.bad or worst


def run_schedules(
    target: Target,
    capabilities: Capabilities,
    *,
    run_dir: Path,
    processes: bool,
    budget_s: float,
    chosen: Collection[str] = frozenset(CLAUSES),
    on_progress: Listener = silent,
) -> list[CheckResult]:
    """Sweep a target with claimants on threads or in processes; a result for each clause.

    Only scenarios about the clauses `chosen` are swept.

    A clause that nothing was covered of has no result here: other checks judge it. Where claimants
    came to no point at all the clause about vacant keys is untested.
    """
    started = monotonic_ns()
    name = PROCESSES if processes else THREADS
    home = run_dir / name
    home.mkdir()
    sweeps = Sweeps(target, capabilities, home, processes, chosen)
    failure = ""
    try:
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, home, ignore_errors=True)
            crew, clock = crew_for(stack, target, capabilities, home, processes=processes)
            over_ns = monotonic_ns() + int(max(budget_s, _LEAST_S) * 1e9)
            for schedules in sweeps.sweep(crew, clock, over_ns):
                on_progress(
                    Progress(
                        check=name,
                        done=schedules,
                        total=schedules,
                        elapsed_s=(monotonic_ns() - started) / 1e9,
                        budget_s=budget_s,
                        counters={"schedules": schedules},
                    )
                )
    except (ChildError, RuntimeError) as error:
        failure = str(error)
    return list(_results(sweeps, name, failure, (monotonic_ns() - started) / 1e9))


def crew_for(
    stack: ExitStack, target: Target, capabilities: Capabilities, home: Path, *, processes: bool
) -> tuple[Crew, Clock]:
    """Start a crew on a new store in `home`, and its clock."""
    (home / "store").mkdir()
    clock: Clock = SystemClock()
    if capabilities.virtual_clock:
        clock = SharedClock(home / "clock", start_ms=VIRTUAL_START_MS)
    crew = Crew(
        target,
        location=target.location or str(home / "store"),
        clock=clock,
        claimants=_CREW,
        processes=processes,
    )
    return stack.enter_context(crew), clock


def _results(sweeps: Sweeps, name: str, failure: str, seconds: float) -> Iterator[CheckResult]:
    main = "CLAIM-6" if sweeps.processes else "CLAIM-5"
    if not sweeps.found and failure:
        yield CheckResult(check=name, clause=main, status=Status.ERROR, reason=failure)
    for clause, covered in sweeps.found.items():
        status, reason, shown = _judged(sweeps, clause, covered)
        if status is Status.NA:
            continue
        yield CheckResult(
            check=name,
            clause=clause,
            status=status,
            reason=reason,
            evidence={
                "schedules": covered.schedules,
                "points": covered.points,
                "held at": _BOUNDARIES[sweeps.boundary],
                "preemptions": 2 if covered.second == covered.scenarios else 1,
            },
            violation=shown,
            seconds=seconds,
        )


_BOUNDARIES: Final = {"sql": "SQL statements", "line": "lines of Python", "opcode": "opcodes"}


def _judged(sweeps: Sweeps, clause: str, covered: Covered) -> tuple[Status, str, Violation | None]:
    if covered.bad is not None:
        if covered.bad.fatal:
            return Status.ERROR, covered.bad.summary, None
        shown = violation(
            covered.bad, sweeps.target.name, clause, sweeps.boundary, sweeps.processes
        )
        return Status.FAIL, shown.summary, shown
    if covered.points == 0 and clause in {"CLAIM-5", "CLAIM-6"}:
        return Status.UNTESTED, "no claimant came to a point at which it could be held", None
    return (Status.PASS if covered.points else Status.NA), "", None


@dataclass(frozen=True, slots=True)
class Replayed:
    """One schedule run again, so many times: how often it went wrong, and how it went."""

    token: Token
    times: int
    wrong: int
    unreached: int
    shown: Violation | None

    @property
    def exit_code(self) -> ExitCode:
        """1 where it went wrong at all, 7 where the schedule could not be run as told, else 0."""
        if self.wrong:
            return ExitCode.VIOLATION
        return ExitCode.INCONCLUSIVE if self.unreached else ExitCode.CONFORMS

    def lines(self) -> Iterator[str]:
        """Yield what to print: how it went, and the count."""
        if self.shown is not None:
            yield self.shown.summary
            yield from (f"  {line}" for line in self.shown.happened)
            yield f"Why: {self.shown.why}"
        elif self.unreached:
            yield "a claimant did not come to the point at which it was to be held"
        yield (
            f"onewinner: {self.token.target}, {self.token.scenario}: "
            f"went wrong {self.wrong} of {self.times} times"
        )


def replayed(target: Target, token: Token, times: int) -> Replayed:
    """Run a schedule again, each time on a fresh store with a fresh crew.

    Raises TokenError where the target has no such scenario or nothing can be held here, TargetError
    where it cannot be had.
    """
    from onewinner.suite.engine import probe

    if (refusal := cannot_tell_who_sleeps()) is not None:
        raise TokenError(refusal)
    wrong = unreached = 0
    shown: Violation | None = None
    with scratch_directory() as run_dir:
        capabilities = probe(target, run_dir)
        by_name = {each.name: each for each in scenarios(capabilities)}
        if token.scenario not in by_name:
            raise TokenError(
                f"{token.target} has no scenario {token.scenario!r} with what it declares now"
            )
        for number in range(times):
            ran = _again(target, capabilities, Path(run_dir) / f"{number}", token, by_name)
            bad = bad_of(ran, Judge(capabilities))
            wrong += bad is not None
            unreached += bad is None and not ran.reached
            if bad is not None and shown is None:
                clause = str(ran.scenario.clause(processes=token.processes))
                shown = violation(bad, target.name, clause, token.boundary, token.processes)
    return Replayed(token, times, wrong, unreached, shown)


def _again(
    target: Target,
    capabilities: Capabilities,
    home: Path,
    token: Token,
    by_name: dict[str, Scenario],
) -> Ran:
    home.mkdir()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        crew, clock = crew_for(stack, target, capabilities, home, processes=token.processes)
        sweeps = Sweeps(target, capabilities, home, token.processes, frozenset(CLAUSES))
        stage = sweeps.stage(crew, clock, by_name[token.scenario], token.boundary)
        stage.unheld()  # the first calls of a process differ from all that follow
        return stage.run(token.segments)
