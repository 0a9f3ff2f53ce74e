"""Keeps the failures of a run, and removes old ones by a rule.

A failure's id is made from what failed and when, so that each has a directory of its own. After a
run the newest `KEPT_MOST` artefacts are left; older ones are removed.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from onewinner.artefacts import artefact as artefacts
from onewinner.artefacts.artefact import FOLDER, Artefact
from onewinner.contract import Capabilities
from onewinner.suite.tree import Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from onewinner.suite.tree import CheckResult, ClauseResult, RunResult

KEPT_MOST: Final = 50
"""So many artefacts stay in a folder; the oldest go first."""

_ID_LENGTH: Final = 6
_IGNORE: Final = (
    "# Failures that onewinner kept: `onewinner explain ID`, `onewinner replay ID`.\n*\n"
)


def kept(result: RunResult, *, location: str | None = None, folder: Path = FOLDER) -> RunResult:
    """Keep each failure of a run, and answer the run with the ids that they were kept under.

    Of a clause the violation that is told best is kept, and each error. Where nothing failed,
    nothing is written. `location` is the address that the user gave. Raises OSError.
    """
    clauses = tuple(_clause(clause, result, location, folder) for clause in result.clauses)
    if clauses == result.clauses:
        return result
    prune(folder)
    return replace(result, clauses=clauses)


def kept_result(
    check: CheckResult, result: RunResult, *, location: str | None = None, folder: Path = FOLDER
) -> CheckResult:
    """Keep the failure that one check has found, and answer what it found with the id of it.

    `result` is the run that it belongs to, as far as it is known. What did not fail is answered as
    it is. Raises OSError.
    """
    if check.status < Status.FAIL:
        return check
    found = _check(check, result, location, folder)
    prune(folder)
    return found


def prune(folder: Path, most: int = KEPT_MOST) -> None:
    """Remove the oldest artefacts until so many are left; nothing else in the folder is touched."""
    for identity in artefacts.identities(folder)[:-most]:
        shutil.rmtree(folder / identity, ignore_errors=True)


def _clause(
    clause: ClauseResult, result: RunResult, location: str | None, folder: Path
) -> ClauseResult:
    told = clause.violation
    checks = tuple(
        _check(each, result, location, folder)
        if each.status is Status.ERROR or (told is not None and each.violation is told)
        else each
        for each in clause.checks
    )
    return clause if checks == clause.checks else replace(clause, checks=checks)


def _check(
    check: CheckResult, result: RunResult, location: str | None, folder: Path
) -> CheckResult:
    artefact = _artefact(check, result, location)
    _ready(folder)
    artefacts.write(artefact, folder)
    if check.violation is None:
        return replace(check, artefact=artefact.id)
    return replace(check, violation=replace(check.violation, artefact=artefact.id))


def _artefact(check: CheckResult, result: RunResult, location: str | None) -> Artefact:
    return Artefact(
        id=_identity(check, result),
        target=result.target,
        location=location,
        clause=check.clause,
        check=check.check,
        status=check.status.label,
        reason=check.reason,
        capabilities=msgspec.convert(dict(result.capabilities), Capabilities),
        provenance={
            "level": result.level,
            "seed": result.seed,
            "budget_s": result.budget_s,
            "cores": result.cores,
            "started": result.started,
            "versions": dict(result.versions),
        },
        violation=check.violation,
        stderr=result.printed,
    )


def _identity(check: CheckResult, result: RunResult) -> str:
    """Answer a short name, made of what failed and of the run it failed in."""
    said = (result.target, result.level, result.seed, result.started, check.clause, check.check)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:_ID_LENGTH]


def _ready(folder: Path) -> None:
    """Make the folder, which keeps itself out of version control."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text(_IGNORE, encoding="utf-8")


def names(result: RunResult) -> Iterator[tuple[str, str]]:
    """Yield clause and id of what was kept of a run."""
    for clause in result.clauses:
        for check in clause.checks:
            identity = check.violation.artefact if check.violation is not None else check.artefact
            if identity:
                yield clause.clause.id, identity
