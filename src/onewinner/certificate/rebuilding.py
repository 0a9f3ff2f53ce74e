"""From a certificate back to a result tree, so that level, result and exit code have one source.

A history that is invalid breaks the clauses that rest on it, whatever is stated of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import Capabilities, Profile
from onewinner.contract.clauses import CLAUSES, LEVELS
from onewinner.report import verdict
from onewinner.suite.faults import FAULTS
from onewinner.suite.races import RACES
from onewinner.suite.rulings import RULINGS
from onewinner.suite.tree import CheckResult, ClauseResult, ExitCode, RunResult, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onewinner.certificate.words import Clause, Extension, History, Result
    from onewinner.contract.clauses import Level

STATUSES: Final = {status.label: status for status in Status}
BROKEN: Final = frozenset({Status.XFAIL, Status.FAIL, Status.ERROR})
"""What counts as a failure: a known one too, for a baseline makes no certificate better."""

VIOLATION: Final = "violation-"
"""What the name of a history begins with in which a violation was seen; its clause follows."""

_CHECK: Final = "certificate"


def result_of(tree: RunResult) -> Result:
    """Answer the result that a tree adds up to: only a store that conforms to all of it passes."""
    if BROKEN & {clause.status for clause in tree.clauses}:
        return "FAILED"
    conforms = tree.exit_code is ExitCode.CONFORMS and tree.reached == tree.level
    return "PASSED" if conforms and verdict.is_complete(tree) else "WARNED"


def capabilities_of(plain: Mapping[str, Any]) -> Capabilities | None:
    """Answer the capabilities that were stated; None where this kit does not know them all."""
    given = dict(plain)
    try:
        if isinstance(profile := given.get("profile"), Mapping):
            given["profile"] = Profile(**profile)
        return Capabilities(**given)
    except (TypeError, ValueError):
        return None


def bearing(history: str) -> tuple[str, ...] | None:
    """Answer the clauses on which a history can bear, by its name; None where nobody knows that.

    A race shows what it is about, and none of its other clauses.
    """
    stem = history.removesuffix(".jsonl")
    if stem.startswith(VIOLATION):
        return (stem.removeprefix(VIOLATION),)
    check = check_of(history)
    if check in FAULTS:
        return FAULTS[check].clauses
    return next((race.clauses[:1] for race in RACES if race.name == check), None)


def check_of(history: str) -> str:
    """Answer the check that has kept a history, by its name (`suite.kept`)."""
    return history.removesuffix(".jsonl").rpartition("-")[0]


def kept_for(level: Level, capabilities: Capabilities) -> set[str]:
    """Answer the clauses of which a whole run at `level` keeps histories: what races are about."""
    reach = LEVELS[: LEVELS.index(level) + 1]
    return {
        race.clauses[0]
        for race in RACES
        if race.level in reach
        and (ruling := RULINGS.get(race.kind)) is not None
        and ruling.keyed
        and race.missing(capabilities) is None
    }


def broken_by(
    histories: Iterable[History], verdicts: Mapping[str, str], statuses: Mapping[str, Status]
) -> dict[str, str]:
    """Answer the clauses that fail by an invalid history though nothing else says so, with it.

    Which of several clauses it breaks is not known; so where one of them has failed, that is the
    one, and else they all have.
    """
    found: dict[str, str] = {}
    for each in histories:
        told = BROKEN & {statuses.get(clause, Status.NA) for clause in each.clauses}
        if verdicts.get(each.name) == "invalid" and not told:
            found |= dict.fromkeys(each.clauses, each.name)
    return found


def settled(result: RunResult, histories: Iterable[History]) -> RunResult:
    """Answer the tree of a run in which what its histories show broken has failed."""
    kept = list(histories)
    statuses = {clause.clause.id: clause.status for clause in result.clauses}
    broken = broken_by(kept, {each.name: each.verdict for each in kept}, statuses)
    clauses = (
        _failed(clause, broken[clause.clause.id]) if clause.clause.id in broken else clause
        for clause in result.clauses
    )
    return replace(result, clauses=tuple(clauses))


def _failed(clause: ClauseResult, history: str) -> ClauseResult:
    found = CheckResult(
        check=_CHECK,
        clause=clause.clause.id,
        status=Status.FAIL,
        reason=f"the history {history} is one that the contract does not allow",
    )
    return replace(clause, checks=(*clause.checks, found), missing=None)


def tree_of(stated: Extension, broken: Mapping[str, str]) -> RunResult:
    """Answer the tree that a certificate states, in which `broken` clauses have failed."""
    clauses = (_clause(each) for each in stated.clauses if each.id in CLAUSES)
    found = (_failed(c, broken[c.clause.id]) if c.clause.id in broken else c for c in clauses)
    return RunResult(
        target=stated.target,
        level=stated.level.asked,
        clauses=tuple(found),
        capabilities=stated.capabilities,
        seed=int(stated.run.seed, 16),
        budget_s=stated.run.budget_seconds,
        started=stated.run.started,
        seconds=stated.run.seconds,
        cores=stated.run.cores,
        versions=stated.run.versions,
        whole=stated.complete,
    )


def _clause(stated: Clause) -> ClauseResult:
    found = CheckResult(
        check=_CHECK, clause=stated.id, status=STATUSES[stated.status], reason=stated.reason
    )
    is_missing = found.status is Status.NA and stated.missing is not None
    return ClauseResult(
        clause=CLAUSES[stated.id],
        checks=() if is_missing else (found,),
        missing=stated.missing if is_missing else None,
    )
