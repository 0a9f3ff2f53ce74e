"""The gate: from a target and a level to a result tree."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from onewinner.adapters.targets import TargetError
from onewinner.clock import monotonic_ns
from onewinner.contract.clauses import CLAUSES, LEVELS, select
from onewinner.runner import call_in_child, printed
from onewinner.suite import host
from onewinner.suite.options import (
    BUDGET_S,
    DEFAULT,
    FAULT_SHARE,
    PROGRAM_SHARE,
    SWEEP_SHARE,
    Listener,
    Options,
    Progress,
    UsageError,
)
from onewinner.suite.registry import Check, race_called
from onewinner.suite.run import Run
from onewinner.suite.scratch import scratch_directory
from onewinner.suite.servers import served

if TYPE_CHECKING:
    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.contract.clauses import Level
    from onewinner.suite.races import Race
    from onewinner.suite.tree import CheckResult, RunResult

__all__ = (
    "BUDGET_S",
    "DEFAULT",
    "FAULT_SHARE",
    "PROGRAM_SHARE",
    "SWEEP_SHARE",
    "Listener",
    "Options",
    "Progress",
    "SmokeResult",
    "UsageError",
    "probe",
    "run_check",
    "smoke",
    "verify",
)

_PROBE_SILENCE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeResult:
    """What a first look at a target showed: it judges the adapter, not the store."""

    target: str
    ok: bool
    lines: tuple[str, ...]
    seconds: float
    capabilities: Capabilities | None


def smoke(target: Target) -> SmokeResult:
    """Connect, find every declared operation, win one claim and lose one.

    Raises TargetError where the target cannot be judged at all.
    """
    started = monotonic_ns()
    with scratch_directory() as run_dir, served(target, run_dir) as located:
        probed = _probe(_watched(located, run_dir), run_dir)
    return SmokeResult(
        target=target.name,
        ok=not any("WRONG" in line for line in probed.lines),
        lines=probed.lines,
        seconds=(monotonic_ns() - started) / 1e9,
        capabilities=probed.capabilities,
    )


def probe(target: Target, run_dir: str) -> Capabilities:
    """Answer what the target declares. Raises TargetError where it cannot be judged."""
    return _probe(target, run_dir).declared


def verify(target: Target, options: Options, *, on_progress: Listener | None = None) -> RunResult:
    """Judge a target clause by clause and answer the result tree.

    Raises TargetError where the target cannot be had, or its adapter does not keep its protocol,
    UsageError where the level or the selection cannot be. Whatever happens, no process and no
    temporary directory is left.
    """
    chosen = _selection(options.select)
    with (
        printed.fresh() as lines,
        scratch_directory() as run_dir,
        served(target, run_dir) as located,
    ):
        target = _watched(located, run_dir)
        probed = _probe(target, run_dir)
        level = _level(options, target, probed.declared)
        run = Run(target, probed, level, options, chosen, run_dir, on_progress)
        run.run()
        if (fault := target.fault()) is not None:  # seen by the last check
            raise fault
        return replace(run.tree(), printed=tuple(lines))


def _watched(target: Target, run_dir: str) -> Target:
    """Answer the target with a place where word of an adapter's faults is left."""
    return replace(target, faults=str(Path(run_dir) / "adapter-fault"))


def run_check(
    check: Check,
    target: Target,
    capabilities: Capabilities,
    *,
    budget_s: float,
    seed: int,
    run_dir: str,
    expected: frozenset[str] = frozenset(),
) -> list[CheckResult]:
    """Run one check; cases and programs in this process, for a caller that has its own guards.

    `expected` are the clauses at whose violation no race ends.
    """
    if check.kind == "race":
        from onewinner.suite.races import run_race

        race = race_called(check.name)
        results = run_race(
            race,
            target,
            capabilities,
            run_dir=Path(run_dir),
            budget_s=budget_s,
            seed=seed,
            expected=expected,
        )
        if not race.stress:
            return results
        return [_confirmed(result, race, target, capabilities, run_dir) for result in results]
    if check.kind == "sweep":
        from onewinner.suite.schedules import PROCESSES, run_schedules

        return run_schedules(
            target,
            capabilities,
            run_dir=Path(run_dir),
            processes=check.name == PROCESSES,
            budget_s=budget_s,
        )
    if check.kind == "fault":
        from onewinner.suite.faults import run_fault

        return run_fault(
            check.name, target, capabilities, run_dir=Path(run_dir), budget_s=budget_s, seed=seed
        )
    job = host.Job(run_dir=run_dir, budget_s=budget_s, seed=seed)
    return host.run_sequential(check, target, capabilities, job)


def _confirmed(
    result: CheckResult, race: Race, target: Target, capabilities: Capabilities, run_dir: str
) -> CheckResult:
    from onewinner.suite.witness import confirmed

    processes = race.level == "process"
    return confirmed(result, (), target, capabilities, run_dir=Path(run_dir), processes=processes)


def _probe(target: Target, run_dir: str) -> host.Probed:
    location = target.location or tempfile.mkdtemp(prefix="probe-", dir=run_dir)
    ended = call_in_child(
        host.probe, target, location, on_message=lambda _: None, silence_s=_PROBE_SILENCE_S
    )
    if not ended.ok:
        raise TargetError(
            f"target {target.name}: the process that connects to it and makes two claims did not "
            f"come back: {ended.describe()}{host.last_words(ended)}"
        )
    probed: host.Probed = ended.value
    if probed.refusal:
        raise TargetError(probed.refusal)
    return probed


def _level(options: Options, target: Target, capabilities: Capabilities) -> Level:
    highest: Level = LEVELS[-1] if capabilities.scope == "process" else "thread"
    asked = options.level
    if asked is None or options.at_most:
        return min(asked or DEFAULT, highest, key=LEVELS.index)
    if LEVELS.index(asked) > LEVELS.index(highest):
        raise UsageError(
            f"level {asked!r} was asked for, but {target.name} declares "
            f"scope={capabilities.scope!r}, so the highest level that it can reach is {highest!r}; "
            f"ask for that, or declare scope='process'"
        )
    return asked


def _selection(patterns: tuple[str, ...]) -> frozenset[str]:
    try:
        found = [clause.id for pattern in patterns for clause in select(pattern)]
    except ValueError as error:
        raise UsageError(str(error)) from error
    return frozenset(found or CLAUSES)
