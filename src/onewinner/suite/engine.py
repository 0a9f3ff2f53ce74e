"""The gate: from a target and a level to a result tree."""

from __future__ import annotations

import dataclasses
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from onewinner.adapters.targets import TargetError
from onewinner.clock import monotonic_ns, wall_ns
from onewinner.contract.clauses import CLAUSES, LEVELS, Level, by_level, select
from onewinner.runner import call_in_child
from onewinner.suite import host
from onewinner.suite.registry import Check, checks_for, race_called
from onewinner.suite.tree import CheckResult, ClauseResult, RunResult, Status

if TYPE_CHECKING:
    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.runner import Ended

BUILT: Final[tuple[Level, ...]] = ("thread", "process")
"""The levels whose checks exist; a higher one is refused, not shown green."""

BUDGET_S: Final[dict[Level, float]] = {"thread": 14.0, "process": 36.0, "crash": 60.0}
"""The time for programs and races of a whole run at each level, in seconds."""

_PROGRAM_SHARE = 0.3
_PROBE_SILENCE_S = 30.0
_DEATHS_MAX = 3


class UsageError(Exception):
    """What was asked for cannot be: what was given, why not, what to do instead (exit 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is asked to do.

    `level` None: the highest level that has checks and that the target's scope allows. `select`
    holds clause ids or families; empty: all. `budget_s` bounds the time that is spent on what can
    be repeated for ever (programs and races), None for the level's own (`BUDGET_S`); it is not a
    time-out for what must run. `call_max_s` is the time after which a sequential call counts as hung.
    """

    level: Level | None = None
    budget_s: float | None = None
    seed: int | None = None
    select: tuple[str, ...] = ()
    stop_at_first: bool = False
    call_max_s: float = host.CALL_MAX_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run is: told often, shown by whoever wants to."""

    check: str
    done: int
    total: int
    elapsed_s: float
    budget_s: float
    counters: Mapping[str, int] = field(default_factory=dict)


Listener: TypeAlias = Callable[[Progress], None]


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
    with tempfile.TemporaryDirectory(prefix="onewinner-") as run_dir:
        probed = _probe(target, run_dir)
    return SmokeResult(
        target=target.name,
        ok=not any("WRONG" in line for line in probed.lines),
        lines=probed.lines,
        seconds=(monotonic_ns() - started) / 1e9,
        capabilities=probed.capabilities,
    )


def probe(target: Target, run_dir: str) -> Capabilities:
    """Answer what the target declares. Raises TargetError where it cannot be judged."""
    capabilities = _probe(target, run_dir).capabilities
    assert capabilities is not None
    return capabilities


def verify(target: Target, options: Options, *, on_progress: Listener | None = None) -> RunResult:
    """Judge a target clause by clause and answer the result tree.

    Raises TargetError where the target cannot be had, UsageError where the level or the selection
    cannot be. Whatever happens, no process and no temporary directory is left.
    """
    _refuse_unbuilt(options.level)
    chosen = _selection(options.select)
    with tempfile.TemporaryDirectory(prefix="onewinner-", ignore_cleanup_errors=True) as run_dir:
        capabilities = probe(target, run_dir)
        level = _level(options.level, target, capabilities)
        run = _Run(target, capabilities, level, options, chosen, run_dir, on_progress)
        run.run()
        return run.tree()


def run_check(
    check: Check,
    target: Target,
    capabilities: Capabilities,
    *,
    budget_s: float,
    seed: int,
    run_dir: str,
) -> list[CheckResult]:
    """Run one check; cases and programs in this process, for a caller that has its own guards."""
    if check.kind == "race":
        from onewinner.suite.races import run_race

        race = race_called(check.name)
        return run_race(
            race, target, capabilities, run_dir=Path(run_dir), budget_s=budget_s, seed=seed
        )
    job = host.Job(run_dir=run_dir, budget_s=budget_s, seed=seed)
    return host.run_sequential(check, target, capabilities, job)


def _probe(target: Target, run_dir: str) -> host.Probed:
    location = target.location or tempfile.mkdtemp(prefix="probe-", dir=run_dir)
    ended = call_in_child(
        host.probe, target, location, on_message=lambda _: None, silence_s=_PROBE_SILENCE_S
    )
    if not ended.ok:
        raise TargetError(
            f"target {target.name}: the process that connects to it and makes two claims did not "
            f"come back: {ended.describe()}{_last_words(ended)}"
        )
    probed: host.Probed = ended.value
    if probed.refusal:
        raise TargetError(probed.refusal)
    return probed


def _refuse_unbuilt(level: Level | None) -> None:
    if level is not None and level not in BUILT:
        raise UsageError(
            f"level {level!r} has no checks in this release, so it cannot be shown to hold; "
            f"ask for {' or '.join(BUILT)}"
        )


def _level(asked: Level | None, target: Target, capabilities: Capabilities) -> Level:
    highest: Level = BUILT[-1] if capabilities.scope == "process" else "thread"
    if asked is None:
        return highest
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


class _Run:
    """One run under way: what was found so far, and the time that is left."""

    def __init__(
        self,
        target: Target,
        capabilities: Capabilities,
        level: Level,
        options: Options,
        chosen: frozenset[str],
        run_dir: str,
        on_progress: Listener | None,
    ) -> None:
        self.target = target
        self.capabilities = capabilities
        self.level = level
        self.options = options
        self.chosen = chosen
        self.run_dir = run_dir
        self.on_progress = on_progress
        self.budget_s = BUDGET_S[level] if options.budget_s is None else options.budget_s
        self.seed = options.seed if options.seed is not None else wall_ns() & 0xFFFFFFFF
        self.started = monotonic_ns()
        self.results: list[CheckResult] = []
        self.done = 0
        self.checks = [c for c in checks_for(level, capabilities) if chosen & set(c.clauses)]
        self.stopped = False

    def run(self) -> None:
        """Run all checks: sequential ones in a child, then the races."""
        sequential = [check for check in self.checks if check.kind != "race"]
        self._host(sequential)
        races = [check for check in self.checks if check.kind == "race"]
        for number, check in enumerate(races):
            if self._enough():
                return
            self._race(check, len(races) - number)

    def tree(self) -> RunResult:
        """Answer what was found as the one value that reports are written from."""
        return RunResult(
            target=self.target.name,
            level=self.level,
            clauses=tuple(self._clause_results()),
            capabilities=_as_plain(self.capabilities),
            seed=self.seed,
            budget_s=self.budget_s,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=self._elapsed_s(),
            cores=len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1,
            versions=_versions(),
            stopped_early=self.stopped,
        )

    def _clause_results(self) -> list[ClauseResult]:
        found = []
        for clause in by_level(self.level):
            own = tuple(result for result in self.results if result.clause == clause.id)
            violated = any(result.status is Status.FAIL for result in own)
            if clause.id not in self.chosen and not violated:
                continue
            missing = clause.missing(self.capabilities)
            if self.stopped and not own and missing is None:
                continue
            found.append(ClauseResult(clause=clause, checks=own, missing=missing))
        return found

    # --- sequential checks --------------------------------------------------------------------

    def _host(self, checks: list[Check]) -> None:
        """Run checks in a child; where it dies, say so of the check and go on with a new one."""
        deaths = 0
        while checks and not self._enough():
            ended, reached = self._one_child(checks)
            if ended.ok or ended.how == "stopped":
                return
            if reached is None:
                reached = checks[0]
            self._blame(reached, ended)
            checks = checks[checks.index(reached) + 1 :]
            deaths += 1
            if deaths == _DEATHS_MAX:
                for check in checks:
                    self._error(check, "not run: the target had hung or died three times before")
                return

    def _one_child(self, checks: list[Check]) -> tuple[Ended, Check | None]:
        by_name = {check.name: check for check in checks}
        reached: Check | None = None

        def hear(message: object) -> None:
            nonlocal reached
            if isinstance(message, host.Began):
                reached = by_name[message.check]
                self._tell(reached.name, {})
            elif isinstance(message, host.Found):
                self.done += 1
                self._add(by_name[message.check], message.results)
            elif isinstance(message, host.Alive) and reached is not None:
                self._tell(reached.name, message.counters)

        job = host.Job(
            run_dir=self.run_dir,
            budget_s=self.budget_s * _PROGRAM_SHARE,
            seed=self.seed,
            call_max_s=self.options.call_max_s,
        )
        names = [check.name for check in checks]
        ended = call_in_child(
            host.host,
            self.target,
            self.capabilities,
            names,
            job,
            on_message=hear,
            silence_s=2 * self.options.call_max_s + 5,
            stop=self._enough,
        )
        return ended, reached

    def _blame(self, check: Check, ended: Ended) -> None:
        if isinstance(ended.last_message, host.Hung):
            why = f"{ended.last_message.call} did not return within {self.options.call_max_s:g} s"
        else:
            why = f"while it ran, {ended.describe()}{_last_words(ended)}"
        self._error(check, why)

    def _error(self, check: Check, why: str) -> None:
        self.done += 1
        clauses = check.clauses if check.kind == "case" else check.clauses[:1]
        self._add(check, tuple(host.hung_result(check, clause, why) for clause in clauses))

    # --- races ----------------------------------------------------------------------------------

    def _race(self, check: Check, left: int) -> None:
        from onewinner.suite.races import run_race

        spare_s = self.budget_s - self._elapsed_s()
        share_s = max(spare_s / left, 0.2)
        self._tell(check.name, {})
        results = run_race(
            race_called(check.name),
            self.target,
            self.capabilities,
            run_dir=Path(self.run_dir),
            budget_s=share_s,
            seed=self.seed,
            on_progress=lambda progress: self._tell(check.name, progress.counters),
        )
        self.done += 1
        self._add(check, tuple(results))

    # --- plumbing -------------------------------------------------------------------------------

    def _add(self, check: Check, results: tuple[CheckResult, ...]) -> None:
        command = self._command()
        for result in results:
            if result.violation is not None and not result.violation.reproduce:
                again = f"{command} -k {result.clause} --seed {self.seed}"
                violation = dataclasses.replace(result.violation, reproduce=again)
                result = dataclasses.replace(result, violation=violation)  # noqa: PLW2901 - the same result, completed
            self.results.append(result)
        self._tell(check.name, {})

    def _command(self) -> str:
        place = f" --location {self.target.location}" if self.target.location else ""
        return f"onewinner verify {self.target.name}{place} --level {self.level}"

    def _enough(self) -> bool:
        failed = any(result.status >= Status.FAIL for result in self.results)
        self.stopped = self.stopped or (self.options.stop_at_first and failed)
        return self.stopped

    def _elapsed_s(self) -> float:
        return (monotonic_ns() - self.started) / 1e9

    def _tell(self, check: str, counters: Mapping[str, int]) -> None:
        if self.on_progress is not None:
            self.on_progress(
                Progress(
                    check=check,
                    done=self.done,
                    total=len(self.checks),
                    elapsed_s=self._elapsed_s(),
                    budget_s=self.budget_s,
                    counters=dict(counters),
                )
            )


def _last_words(ended: Ended) -> str:
    if not ended.stderr_tail:
        return ""
    return "; the last lines that it printed:\n  " + "\n  ".join(ended.stderr_tail[-8:])


def _as_plain(capabilities: Capabilities) -> dict[str, Any]:
    plain = dataclasses.asdict(capabilities)
    plain["operations"] = sorted(capabilities.operations)
    return plain


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _versions() -> dict[str, str]:
    import onewinner

    return {
        "onewinner": onewinner.__version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "platform": f"{sys.platform} {platform.machine()}",
    }
