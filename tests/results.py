"""Result trees made by hand: what a run could have found, without running it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from onewinner.contract import WHOLE as EVERYTHING
from onewinner.contract import Capabilities
from onewinner.contract.clauses import CLAUSES, by_level
from onewinner.suite.tree import CheckResult, ClauseResult, RunResult, Status, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from onewinner.contract.clauses import Level

WHOLE = dataclasses.replace(EVERYTHING, virtual_clock=True)  # declares all that any clause needs
SCRIPT = (
    "from onewinner.stores.memory import connect\n"
    "\n"
    "def main():\n"
    '\tstore = connect("", clock=None)  # a line that is wider than any narrow terminal will be\n'
    "\tassert store.register_if_absent('k', 1) is True\n"
)


def violation(clause: str, **changes: Any) -> Violation:
    """Answer a violation of the clause with every field filled."""
    fields: dict[str, Any] = {
        "clause": clause,
        "summary": 'key "k17" has 2 winners, process 1 and process 3',
        "happened": ('p1  11.204 - 11.219 ms  register_if_absent("k17", 1) answered True',),
        "why": "between two successful claims there was no removal",
        "script": SCRIPT,
    }
    return Violation(**{**fields, **changes})


def check(clause: str, status: Status = Status.PASS, **changes: Any) -> CheckResult:
    """Answer what one check found of the clause."""
    fields: dict[str, Any] = {
        "check": "race_vacant",
        "clause": clause,
        "status": status,
        "reason": "" if status is Status.PASS else f"it is {status.label}",
        "evidence": {"overlaps": 1182, "processes": 4},
        "violation": violation(clause) if status is Status.FAIL else None,
        "seconds": 0.25,
    }
    return CheckResult(**{**fields, **changes})


def run(
    statuses: Mapping[str, Status] | None = None,
    *,
    level: Level = "process",
    capabilities: Capabilities | None = None,
    only: Iterable[str] | None = None,
    checks: Mapping[str, tuple[CheckResult, ...]] | None = None,
    **changes: Any,
) -> RunResult:
    """Answer a run in which every clause passed but those of `statuses` and `checks`."""
    declared = capabilities or WHOLE
    chosen = by_level(level) if only is None else tuple(CLAUSES[clause] for clause in only)
    clauses = [clause for clause in chosen if not clause.of_another_profile(declared)]
    found = tuple(
        ClauseResult(
            clause=clause,
            missing=clause.missing(declared),
            checks=()
            if clause.missing(declared)
            else (checks or {}).get(clause.id)
            or (check(clause.id, (statuses or {}).get(clause.id, Status.PASS)),),
        )
        for clause in clauses
    )
    fields: dict[str, Any] = {
        "target": "sqlite",
        "level": level,
        "clauses": found,
        "capabilities": {"scope": "process", "operations": declared.operations},
        "seed": 0x51AB,
        "budget_s": 40.0,
        "started": "2026-01-02T03:04:05Z",
        "seconds": 31.24,
        "cores": 2,
        "versions": {"onewinner": "0.1.0", "python": "3.11.7"},
    }
    return RunResult(**{**fields, **changes})
