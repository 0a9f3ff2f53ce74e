"""The result tree as JSON, for machines; fields are only ever added within one `schema_version`.

`specs/report.schema.json` says what each means. A report may be shared: it names no place of the
machine, and holds no value of more than 200 bytes (`report.sharing`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from onewinner.report import text, verdict
from onewinner.report.sharing import shared
from onewinner.suite import traffic as traffics
from onewinner.suite.tree import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.contract.clauses import Clause
    from onewinner.suite.timeline import Bar, Timeline
    from onewinner.suite.traffic import Latency, Traffic
    from onewinner.suite.tree import (
        Canary,
        CheckResult,
        ClauseResult,
        Known,
        RunResult,
        Violation,
    )

_FAULTS_MOST: Final = 500
"""So many faults are told with their times; a storm makes more than anybody reads."""


def dumps(result: RunResult) -> str:
    """Answer the whole run as one JSON document in ASCII, ending with a newline."""
    return json.dumps(as_dict(result), indent=2, allow_nan=False) + "\n"


def as_dict(result: RunResult) -> dict[str, Any]:
    """Answer the run as plain JSON values; values of the target are shortened to 200 bytes."""
    result = shared(result)
    return {
        "schema_version": SCHEMA_VERSION,
        "kit": {"name": "onewinner", "version": result.versions.get("onewinner", "")},
        "target": result.target,
        "source": None if result.source is None else _source(*result.source),
        "level": result.level,
        "reached": result.reached,
        "complete": verdict.is_complete(result),
        "status": result.status.label,
        "exit_code": int(result.exit_code),
        "verdict": verdict.line(result),
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
        "stale": [text.shorten(told, at_most=text.PROSE_BYTES) for told in result.stale],
        "capabilities": plain(result.capabilities),
        "stopped_early": result.stopped_early,
        "interrupted": result.interrupted,
        "canaries": [_canary(canary) for canary in result.canaries],
        "traffic": None if result.traffic is None else _traffic(result.traffic),
        "clauses": [_clause(clause, result) for clause in result.clauses],
    }


def _source(file: str, line: int) -> dict[str, Any]:
    return {"file": text.shorten(file), "line": line}


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
        "known": None if clause.known is None else _known(clause.known),
        "evidence": plain(verdict.evidence(clause)),
        "checks": [_check(check, clause, result) for check in clause.checks],
    }


def _known(known: Known) -> dict[str, Any]:
    said = {
        "reason": known.reason,
        "issue": known.issue,
        "kind": known.kind,
        "signature": known.signature,
    }
    return {name: text.shorten(told, at_most=text.PROSE_BYTES) for name, told in said.items()}


def _check(check: CheckResult, clause: ClauseResult, result: RunResult) -> dict[str, Any]:
    violation = check.violation
    return {
        "check": text.shorten(check.check),
        "status": verdict.status_of(check, clause).label,
        "reason": text.shorten(check.reason, at_most=text.PROSE_BYTES),
        "evidence": plain(check.evidence),
        "seconds": round(check.seconds, 3),
        "artefact": check.artefact,
        "violation": None if violation is None else _violation(violation, result),
    }


def _violation(violation: Violation, result: RunResult) -> dict[str, Any]:
    drawn = violation.timeline
    return {
        "clause": violation.clause,
        "summary": text.shorten(violation.summary, at_most=text.PROSE_BYTES),
        "happened": [text.shorten(x, at_most=text.LINE_BYTES) for x in violation.happened],
        "why": text.shorten(violation.why, at_most=text.PROSE_BYTES),
        "script": violation.script,
        "reproduce": verdict.reproduce(result, violation.clause, violation),
        "history": violation.history,
        "artefact": violation.artefact,
        "timeline": None if drawn is None else _timeline(drawn),
    }


def _timeline(timeline: Timeline) -> dict[str, Any]:
    return {
        "axis": timeline.axis,
        "bars": [_bar(bar) for bar in timeline.bars],
        "marks": [
            {"told": text.shorten(mark.told, at_most=text.LINE_BYTES), "at_ns": mark.at_ns}
            for mark in timeline.marks
        ],
    }


def _bar(bar: Bar) -> dict[str, Any]:
    return {
        "process": bar.process,
        "call": text.shorten(bar.call, at_most=text.LINE_BYTES),
        "answer": text.shorten(bar.answer, at_most=text.LINE_BYTES),
        "kind": bar.kind,
        "begun_ns": bar.begun_ns,
        "ended_ns": bar.ended_ns,
        "at": bar.at,
        "wrong": bar.wrong,
        "before": text.shorten(bar.before, at_most=text.LINE_BYTES),
        "after": text.shorten(bar.after, at_most=text.LINE_BYTES),
    }


def _traffic(traffic: Traffic) -> dict[str, Any]:
    """Answer how long the store's calls took, and when what was done to it."""
    faults = traffics.fault_times(traffic)
    return {
        "calls": traffic.total,
        "operations": [
            {"operation": each.operation, **_latency(each)}
            for each in traffics.by_operation(traffic)
        ],
        "by_second": [
            {"second": each.second, **_latency(each)} for each in traffics.over_time(traffic)
        ],
        "faults": [
            {"at_s": round(at_s, 3), "told": text.shorten(told, at_most=text.LINE_BYTES)}
            for at_s, told in islice(faults, _FAULTS_MOST)
        ],
        "faults_in_all": len(traffic.faults),
    }


def _latency(latency: Latency) -> dict[str, Any]:
    percentiles = {f"p{percent}_us": round(us, 1) for percent, us in latency.us.items()}
    return {"calls": latency.calls, **percentiles, "worst_us": round(latency.worst_us, 1)}


def plain(value: Any, told: Callable[[str], str] = text.shorten) -> Any:
    """Answer the value with nothing in it that JSON has not; sets are sorted.

    `told` answers a text as it may stand there.
    """
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if value - value == 0 else repr(value)
        case str():
            return told(value)
        case Mapping():
            return {told(str(name)): plain(member, told) for name, member in value.items()}
        case set() | frozenset():
            return sorted((plain(member, told) for member in value), key=repr)
        case list() | tuple():
            return [plain(member, told) for member in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return plain({f.name: getattr(value, f.name) for f in dataclasses.fields(value)}, told)
        case _:
            return told(repr(value))
