"""The examination as JSON, for machines; fields are only ever added within a `schema_version`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from onewinner.doctor import matrix, words
from onewinner.doctor.findings import SCHEMA_VERSION
from onewinner.report import text

if TYPE_CHECKING:
    from onewinner.doctor.findings import Examination, Finding, Trial


def dumps(examined: Examination) -> str:
    """Answer the whole examination as one JSON document in ASCII, ending with a newline."""
    return json.dumps(as_dict(examined), indent=2, allow_nan=False) + "\n"


def as_dict(examined: Examination) -> dict[str, Any]:
    """Answer the examination as plain JSON values; times are seconds."""
    accused, runs = examined.accusations
    return {
        "schema_version": SCHEMA_VERSION,
        "started": examined.started,
        "seconds": round(examined.seconds, 3),
        "budget_s": examined.budget_s,
        "repeat": examined.repeat,
        "jobs": examined.jobs,
        "family": examined.family,
        "machine": {"cores": examined.cores, **examined.versions},
        "exit_code": int(examined.exit_code),
        "mutants": len(examined.mutants),
        "caught": len(examined.caught),
        "correct_runs": runs,
        "false_alarms": accused,
        "not_run": [{"target": each.target, "reason": each.reason} for each in examined.not_run],
        "wrong": [finding.target for finding in examined.wrong],
        "targets": [_finding(finding) for finding in examined.findings],
        "clauses": [
            {"id": r.clause.id, "flagged": dict(r.flagged), "empty_because": r.empty_because}
            for r in matrix.rows(examined)
        ],
        "matrix": _matrix(examined) if examined.measured else None,
    }


def _matrix(examined: Examination) -> list[dict[str, Any]]:
    return [
        {
            "id": line.clause.id,
            "alone": list(line.alone),
            "others": list(line.others),
            "short_because": words.why_short(line),
        }
        for line in matrix.lines(examined.measured)
    ]


def _finding(finding: Finding) -> dict[str, Any]:
    mutant = finding.mutant
    return {
        "target": finding.target,
        "family": mutant.family if mutant else None,
        "named": list(mutant.clauses) if mutant else [],
        "outcome": finding.outcome.name.lower(),
        "flagged": dict(finding.flagged),
        "median_s": _rounded(finding.median_s),
        "worst_s": _rounded(finding.worst_s),
        "operations": finding.operations,
        "operations_complete": finding.counted,
        "trials": [_trial(trial) for trial in finding.trials],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "outcome": trial.outcome.name.lower(),
        "flagged": list(trial.flagged),
        "checks": list(trial.checks),
        "seconds": _rounded(trial.seconds),
        "operations": trial.operations,
        "operations_complete": trial.counted,
        "level": trial.level,
        "reason": text.shorten(trial.reason, at_most=text.PROSE_BYTES),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
