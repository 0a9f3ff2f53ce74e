"""A witness: what luck showed once, shown again under control, every time.

A race that was lost is found again today and not tomorrow. So the scenarios of the same clause are
swept for a schedule that breaks it; where there is one, its token is what is handed on. Where there
is none the violation stands all the same, and is called stochastic, with its rate.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns
from onewinner.runner import ChildError
from onewinner.schedule.scenarios import scenarios
from onewinner.suite.covered import Grain
from onewinner.suite.held import violation
from onewinner.suite.orders import Judge
from onewinner.suite.schedules import Sweeps, swept
from onewinner.suite.tree import REPLAY, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.schedule.scenario import Scenario
    from onewinner.suite.held import Bad
    from onewinner.suite.tree import CheckResult, Violation

BUDGET_S: Final = 2.0
"""How long schedules are looked through for one violation."""

_GRAINS: Final = (Grain("sql"), Grain("line"), Grain("tail", shared=True))
_OF_COMMANDS: Final = (Grain("syscall"),)
_ERRORS: Final = frozenset({"ERR-2", "ERR-3"})


def confirmed(
    result: CheckResult,
    earlier: Iterable[CheckResult],
    target: Target,
    capabilities: Capabilities,
    *,
    run_dir: Path,
    processes: bool,
    budget_s: float = BUDGET_S,
) -> CheckResult:
    """Answer the result of a race with a witness for its violation, or with its rate.

    What the sweeps have found `earlier` about the same clause is the witness; else one is looked
    for. A result without violation is answered as it is.
    """
    if result.status is not Status.FAIL or result.violation is None:
        return result
    known = (each.violation for each in earlier if each.clause == result.clause)
    found = next((v for v in known if v is not None and v.reproduce.startswith(REPLAY)), None)
    if found is None:
        found = witness(
            result.clause,
            target,
            capabilities,
            run_dir=run_dir,
            processes=processes,
            budget_s=budget_s,
        )
    rate, seen = result.evidence["stress"], result.violation
    if found is None:
        summary = f"{seen.summary} (stochastic, {rate}: no schedule that was tried shows it)"
        return replace(result, violation=replace(seen, summary=summary))
    summary = f"{seen.summary} ({rate}); under control each time: {found.summary}"
    return replace(result, violation=replace(found, summary=summary, history=seen.history))


def witness(
    clause: str,
    target: Target,
    capabilities: Capabilities,
    *,
    run_dir: Path,
    processes: bool,
    budget_s: float = BUDGET_S,
) -> Violation | None:
    """Answer a violation of `clause` by one schedule, with its token; None where none is found.

    Statements are tried first, then lines of Python, then threads on one handle; all with one
    preemption. Of a command it is the system calls of its copies.
    """
    chosen = [
        each
        for each in scenarios(capabilities)
        if _may_show(each, clause, processes=processes)
        and not (each.fresh and target.location is not None)
    ]
    if not chosen or (target.served and not processes):
        return None
    home = run_dir / "witness"
    home.mkdir()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        sweeps = Sweeps(target, capabilities, home, processes, frozenset({clause}))
        over_ns = monotonic_ns() + int(budget_s * 1e9)
        try:
            bad = next(_bad_about(clause, sweeps, stack, chosen, over_ns), None)
        except (ChildError, RuntimeError):
            return None  # the race has its violation; a crew that cannot start adds nothing to it
    return None if bad is None or bad.fatal else violation(bad, target.name, clause, processes)


def _bad_about(
    clause: str, sweeps: Sweeps, stack: ExitStack, chosen: list[Scenario], over_ns: int
) -> Iterator[Bad]:
    """Yield schedules that break the clause, or that a claimant dies of."""
    judge = Judge(sweeps.capabilities)
    crew, clock = sweeps.crew(stack, "own")
    for grain in _OF_COMMANDS if sweeps.target.served else _GRAINS:
        if grain.shared and not sweeps.shares:
            continue
        if grain.shared and monotonic_ns() < over_ns:
            crew, clock = sweeps.crew(stack, "shared", shared=True)
        for scenario in chosen:
            stage = sweeps.stage(crew, clock, scenario, grain.boundary)
            bad = swept(stage, judge, 1, lambda: monotonic_ns() > over_ns).bad
            if bad is None:
                continue
            about = bad.error_clause(processes=sweeps.processes)
            if bad.fatal or clause == (about or scenario.clause(processes=sweeps.processes)):
                yield bad


def _may_show(scenario: Scenario, clause: str, *, processes: bool) -> bool:
    about = scenario.clause(processes=processes)
    if about is None or scenario.beside:  # that takes a crew of its own
        return False
    return clause in _ERRORS or about == clause
