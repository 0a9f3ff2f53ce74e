"""One artefact on disk: a directory whose name is the failure's id.

`failure.json` holds all that is known of the failure, `history.jsonl` the calls that it rests on,
`program.py` a program that shows it, and `stderr.txt` what the store printed last; each is there
where there is something to put into it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from onewinner import history
from onewinner.contract import Capabilities
from onewinner.suite.timeline import Timeline
from onewinner.suite.tree import Recorded, Violation

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER: Final = Path(".onewinner")
"""Where artefacts are kept, in the directory in which the kit was started."""

SCHEMA_VERSION: Final = 1

FAILURE: Final = "failure.json"
HISTORY: Final = "history.jsonl"
PROGRAM: Final = "program.py"
STDERR: Final = "stderr.txt"


class ArtefactError(Exception):
    """An artefact cannot be had: what was given, why not, what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """A failure as it was kept.

    `location` is the address of a server that the user gave. `status` is `fail` or `error`; of an
    error there is a `reason` and no violation. `stderr` are the last lines that the store printed.
    `provenance` tells level, seed, budget, cores, when, and with which versions.
    """

    id: str
    target: str
    location: str | None
    clause: str
    check: str
    status: str
    reason: str
    capabilities: Capabilities
    provenance: Mapping[str, Any] = field(default_factory=dict)
    violation: Violation | None = None
    stderr: tuple[str, ...] = ()

    @property
    def recorded(self) -> Recorded | None:
        """The history that the violation rests on, None where it rests on none."""
        return None if self.violation is None else self.violation.recorded

    @property
    def token(self) -> str:
        """The replay token of the schedule that shows it, empty where none does."""
        words = self.violation.reproduce.split() if self.violation is not None else []
        return next((word for word in words if word.startswith("ow1:")), "")


def write(artefact: Artefact, folder: Path) -> None:
    """Write the artefact into its directory, which is made; raises OSError."""
    home = folder / artefact.id
    home.mkdir(parents=True, exist_ok=True)
    (home / FAILURE).write_text(_dumps(artefact), encoding="utf-8")
    recorded = artefact.recorded
    if recorded is not None and recorded.operations:
        history.write(home / HISTORY, recorded.operations, eps_ms=recorded.eps_ms)
    if artefact.violation is not None and artefact.violation.script:
        program = artefact.violation.script
        (home / PROGRAM).write_bytes(program.encode("utf-8", "backslashreplace"))
    if artefact.stderr:
        printed = "".join(f"{line}\n" for line in artefact.stderr)
        (home / STDERR).write_bytes(printed.encode("utf-8", "backslashreplace"))


def read(identity: str, folder: Path = FOLDER) -> Artefact:
    """Read an artefact by its id. Raises ArtefactError where there is none, or it is damaged."""
    home = folder / identity
    if not identity or Path(identity).name != identity or not (home / FAILURE).is_file():
        raise ArtefactError(_unknown(identity, folder))
    try:
        plain = json.loads((home / FAILURE).read_text("utf-8"))
        if plain["schema_version"] != SCHEMA_VERSION:
            raise ArtefactError(
                f"{home}: it is of schema version {plain['schema_version']}, and this onewinner "
                f"reads version {SCHEMA_VERSION}; use the onewinner that wrote it"
            )
        return _artefact(plain, home)
    except (OSError, ValueError, KeyError, TypeError, history.HistoryError) as error:
        raise ArtefactError(
            f"{home}: it cannot be read ({type(error).__name__}: {error}); run `onewinner verify` "
            f"again to have the failure kept anew"
        ) from error


def identities(folder: Path = FOLDER) -> list[str]:
    """Answer the ids of all artefacts, the oldest first."""
    found = [each for each in folder.glob("*") if (each / FAILURE).is_file()]
    return [each.name for each in sorted(found, key=lambda e: (e.stat().st_mtime_ns, e.name))]


def _unknown(identity: str, folder: Path) -> str:
    known = identities(folder)
    latest = f"the latest are {', '.join(known[:-6:-1])}" if known else "there is none"
    return (
        f"{identity!r} is neither a token (ow1:...) nor a failure kept in {folder}/: {latest}; "
        f"failures are kept in the directory in which onewinner or pytest was started"
    )


def _dumps(artefact: Artefact) -> str:
    found = artefact.violation
    plain = {
        "schema_version": SCHEMA_VERSION,
        "id": artefact.id,
        "target": artefact.target,
        "location": artefact.location,
        "clause": artefact.clause,
        "check": artefact.check,
        "status": artefact.status,
        "reason": artefact.reason,
        "capabilities": msgspec.to_builtins(artefact.capabilities, order="sorted"),
        "provenance": dict(artefact.provenance),
        "violation": None if found is None else _violation(found),
    }
    return json.dumps(plain, indent=2) + "\n"


def _violation(found: Violation) -> dict[str, Any]:
    recorded = found.recorded
    return {
        "summary": found.summary,
        "happened": list(found.happened),
        "why": found.why,
        "reproduce": found.reproduce,
        "timeline": None if found.timeline is None else msgspec.to_builtins(found.timeline),
        "judge": None if recorded is None else recorded.judge,
        "eps_ms": 0 if recorded is None else recorded.eps_ms,
        "rounds": {} if recorded is None else {str(n): dict(r) for n, r in recorded.rounds.items()},
    }


def _artefact(plain: Mapping[str, Any], home: Path) -> Artefact:
    stderr = home / STDERR
    printed = stderr.read_text("utf-8").splitlines() if stderr.exists() else ()
    told = plain["violation"]
    return Artefact(
        id=home.name,
        target=plain["target"],
        location=plain["location"],
        clause=plain["clause"],
        check=plain["check"],
        status=plain["status"],
        reason=plain["reason"],
        capabilities=msgspec.convert(plain["capabilities"], Capabilities),
        provenance=plain["provenance"],
        violation=None if told is None else _read_violation(plain["clause"], told, home),
        stderr=tuple(printed),
    )


def _read_violation(clause: str, told: Mapping[str, Any], home: Path) -> Violation:
    drawn, program = told["timeline"], home / PROGRAM
    return Violation(
        clause=clause,
        summary=told["summary"],
        happened=tuple(told["happened"]),
        why=told["why"],
        script=program.read_text("utf-8") if program.exists() else "",
        reproduce=told["reproduce"],
        timeline=None if drawn is None else msgspec.convert(drawn, Timeline),
        recorded=_recorded(told, home / HISTORY),
        artefact=home.name,
    )


def _recorded(told: Mapping[str, Any], path: Path) -> Recorded | None:
    if told["judge"] is None:
        return None
    operations = tuple(history.read(path).operations) if path.exists() else ()
    return Recorded(
        operations=operations,
        judge=told["judge"],
        eps_ms=told["eps_ms"],
        rounds={int(number): facts for number, facts in told["rounds"].items()},
    )
