"""The kit's own score: how many broken stores it catches, as the doctor once measured it.

It is written from a real examination (`stress/record_score.py`) and never by hand. It holds for the
sources that were measured, so a certificate says whether these are the ones that judged.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

import onewinner.contract
from onewinner.certificate import digests
from onewinner.certificate.words import Digest, Kit, Score

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from onewinner.certificate.words import ScoreOf

FILE: Final = Path(__file__).with_name("score.json")

ROOMS: Final = (
    "adapters", "checker", "clock.py", "contract", "generator", "history", "model", "mutants",
    "nemesis", "runner", "schedule", "stores", "strategies", "suite", "worker",
)  # fmt: skip
"""The rooms that can change a verdict: all below the reports."""

_PACKAGE: Final = Path(onewinner.contract.__file__).parents[1]


class NoScore(Exception):  # noqa: N818 - an examination has none
    """An examination cannot be recorded as the kit's score: why not."""


@functools.cache
def source_digest() -> str:
    """Answer the digest of the sources that judge, as they are installed (`digests.of_tree`)."""
    return digests.of_tree(_PACKAGE, _sources())


def _sources() -> Iterator[Path]:
    for room in ROOMS:
        path = _PACKAGE / room
        files = [path] if path.is_file() else path.rglob("*")
        yield from (f for f in files if f.is_file() and "__pycache__" not in f.parts)


def recorded(file: Path = FILE) -> Score | None:
    """Answer the score that was recorded, None where none was."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Score)
    except FileNotFoundError:
        return None


def kit(version: str, score: Score | None) -> Kit:
    """Answer what a certificate says of the kit that judged, with the score that was recorded."""
    source = source_digest()
    return Kit(
        name="onewinner",
        version=version,
        source=Digest(sha256=source),
        mutant_score=score,
        mutant_score_of=whose(score, source),
    )


def whose(score: Score | None, source: str) -> ScoreOf:
    """Answer whether a score was measured of these sources."""
    if score is None:
        return "none recorded"
    return "this version" if score.source.sha256 == source else "another version"


def of_examination(told: Mapping[str, Any], source: str) -> Score:
    """Answer the score of an examination, as `onewinner doctor --json` tells it.

    `source` is the digest of the sources that were examined. Raises NoScore where only a part of
    the mutants was.
    """
    if told["family"] is not None:
        raise NoScore(f"only the family {told['family']!r} was examined; examine all")
    if not told["mutants"] or not told["correct_runs"]:
        raise NoScore("no mutant or no correct store was examined")
    return Score(
        caught=told["caught"],
        mutants=told["mutants"],
        not_run=len(told["not_run"]),
        accused=told["false_alarms"],
        correct_runs=told["correct_runs"],
        repeat=told["repeat"],
        budget_seconds=told["budget_s"],
        cores=told["machine"]["cores"],
        started=told["started"],
        kit_version=told["machine"]["onewinner"],
        source=Digest(sha256=source),
    )


def write(score: Score, file: Path = FILE) -> None:
    """Record a score."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(score), indent=2) + b"\n")
