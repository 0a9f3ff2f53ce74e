"""onewinner: the controlled sweep alone, or all of `verify -x`; what is found is replayed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from attempt import Found, Limit, attempt

from onewinner.adapters.targets import Target
from onewinner.clock import monotonic_ns
from onewinner.suite.again import replayed
from onewinner.suite.engine import Options, probe, verify
from onewinner.suite.replay import read_token
from onewinner.suite.schedules import run_schedules
from onewinner.suite.tree import REPLAY, Status

if TYPE_CHECKING:
    from pathlib import Path

    from bugs import Bug

    from onewinner.suite.tree import CheckResult, Violation

REPLAYS = 10


def sweep(bug: Bug, limit: Limit, home: Path) -> Found:
    """Sweep the scenarios about one claim, to their end."""
    target = Target(bug.target)
    capabilities = probe(target, str(home))
    started = monotonic_ns()
    results = run_schedules(
        target,
        capabilities,
        run_dir=home,
        processes=bug.processes,
        budget_s=limit.left_s,
        chosen=_clauses(bug),
    )
    seconds = (monotonic_ns() - started) / 1e9
    note = f"{sum(int(each.evidence.get('schedules', 0)) for each in results)} schedules"
    failed = [each.violation for each in results if each.status is Status.FAIL]
    return _told(bug, failed, note, seconds)


def _clauses(bug: Bug) -> frozenset[str]:
    if bug.processes:
        return frozenset({"CLAIM-8" if bug.expired else "CLAIM-6"})
    return frozenset({"CLAIM-7" if bug.expired else "CLAIM-5"})


def gate(bug: Bug, _limit: Limit, _home: Path) -> Found:
    """Judge the whole contract, up to the first violation; only one of claims that met counts."""
    started = monotonic_ns()
    result = verify(Target(bug.target), Options(stop_at_first=True))
    seconds = (monotonic_ns() - started) / 1e9
    checks: list[CheckResult] = [check for each in result.clauses for check in each.checks]
    failed = [
        each.violation for each in checks if each.status is Status.FAIL and "-on-" in each.check
    ]
    clauses = sorted({each.clause for each in failed if each is not None})
    return _told(bug, failed, f"violates {', '.join(clauses)}" if failed else "conforms", seconds)


def _told(bug: Bug, failed: list[Violation | None], note: str, seconds: float) -> Found:
    found = Found(bool(failed), note, seconds=seconds)
    for violation in failed:
        if violation is not None and violation.reproduce.startswith(REPLAY):
            token = read_token(violation.reproduce.removeprefix(REPLAY).strip())
            again = replayed(Target(bug.target), token, REPLAYS)
            found.replayed = (again.wrong, again.times)
            break
    return found


if __name__ == "__main__":
    attempt(gate if sys.argv[3] == "verify" else sweep)
