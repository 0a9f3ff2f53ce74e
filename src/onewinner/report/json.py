"""The result tree as JSON, for machines; fields are only ever added within one `schema_version`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from onewinner.report import text, verdict
from onewinner.suite.tree import SCHEMA_VERSION

if TYPE_CHECKING:
    from onewinner.contract.clauses import Clause
    from onewinner.suite.tree import Canary, CheckResult, ClauseResult, RunResult, Violation


def dumps(result: RunResult) -> str:
    """Answer the whole run as one JSON document in ASCII, ending with a newline."""
    return json.dumps(as_dict(result), indent=2, allow_nan=False) + "\n"


def as_dict(result: RunResult) -> dict[str, Any]:
    """Answer the run as plain JSON values; values of the target are shortened to 200 bytes."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kit": {"name": "onewinner", "version": result.versions.get("onewinner", "")},
        "target": result.target,
        "level": result.level,
        "reached": result.reached,
        "complete": verdict.is_complete(result),
        "status": result.status.label,
        "exit_code": int(result.exit_code),
        "counts": dict(verdict.tally(result)),
        "undeclared": verdict.undeclared(result),
        "seed": result.seed,
        "seed_hex": verdict.seed_text(result.seed),
        "budget_s": result.budget_s,
        "started": result.started,
        "seconds": round(result.seconds, 3),
        "cores": result.cores,
        "versions": dict(result.versions),
        "notes": [text.shorten(note, at_most=text.PROSE_BYTES) for note in result.notes],
        "capabilities": _plain(result.capabilities),
        "stopped_early": result.stopped_early,
        "interrupted": result.interrupted,
        "canaries": [_canary(canary) for canary in result.canaries],
        "clauses": [_clause(clause, result) for clause in result.clauses],
    }


def _canary(canary: Canary) -> dict[str, Any]:
    return {
        "name": canary.name,
        "level": canary.level,
        "easiest": canary.easiest,
        "found_ms": None if canary.found_ms is None else round(canary.found_ms, 3),
        "rounds": canary.rounds,
        "seconds": round(canary.seconds, 3),
        "reason": text.shorten(canary.reason, at_most=text.PROSE_BYTES),
    }


def clause_as_dict(clause: Clause) -> dict[str, Any]:
    """Answer what the contract says of one clause, as `onewinner list --json` shows it."""
    return {
        "id": clause.id,
        "family": clause.family,
        "level": clause.level,
        "severity": clause.severity,
        "sentence": clause.sentence,
        "note": clause.note,
        "needs": list(clause.needs),
    }


def _clause(clause: ClauseResult, result: RunResult) -> dict[str, Any]:
    return {
        **clause_as_dict(clause.clause),
        "status": clause.status.label,
        "reason": text.shorten(clause.reason, at_most=text.PROSE_BYTES),
        "missing": clause.missing,
        "evidence": _plain(verdict.evidence(clause)),
        "checks": [_check(check, result) for check in clause.checks],
    }


def _check(check: CheckResult, result: RunResult) -> dict[str, Any]:
    violation = check.violation
    return {
        "check": check.check,
        "status": check.status.label,
        "reason": text.shorten(check.reason, at_most=text.PROSE_BYTES),
        "evidence": _plain(check.evidence),
        "seconds": round(check.seconds, 3),
        "violation": None if violation is None else _violation(violation, result),
    }


def _violation(violation: Violation, result: RunResult) -> dict[str, Any]:
    return {
        "clause": violation.clause,
        "summary": text.shorten(violation.summary, at_most=text.PROSE_BYTES),
        "happened": [text.shorten(x, at_most=text.LINE_BYTES) for x in violation.happened],
        "why": text.shorten(violation.why, at_most=text.PROSE_BYTES),
        "script": violation.script,
        "reproduce": verdict.reproduce(result, violation.clause, violation),
        "history": violation.history,
    }


def _plain(value: Any) -> Any:
    """Answer the value with nothing in it that JSON has not; sets are sorted."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if value - value == 0 else repr(value)
        case str():
            return text.shorten(value)
        case Mapping():
            return {text.shorten(str(name)): _plain(member) for name, member in value.items()}
        case set() | frozenset():
            return sorted((_plain(member) for member in value), key=repr)
        case list() | tuple():
            return [_plain(member) for member in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return _plain({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
        case _:
            return text.shorten(repr(value))
