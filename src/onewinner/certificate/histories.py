"""The histories that a certificate keeps: which, how they are judged, and what was left out.

What is kept can be shared: paths and long texts in what errors said are cut before anything is
judged, and a history that would lose a value by that is left out.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner import history
from onewinner.certificate import digests, plain
from onewinner.certificate.rebuilding import VIOLATION, bearing, capabilities_of, check_of
from onewinner.certificate.words import Digest, History, LeftOut
from onewinner.checker.verdict import Budgets
from onewinner.suite.offline import judge_file
from onewinner.suite.rejudging import rejudged
from onewinner.suite.tree import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from onewinner.certificate.words import Verdict
    from onewinner.checker.verdict import Validity
    from onewinner.contract import Capabilities
    from onewinner.suite.tree import RunResult, Violation

CLAIMS: Final = "claims"
"""How histories of races and faults are judged: as `onewinner check` does."""

MOST_BYTES: Final = 32 << 20
MOST_FILES: Final = 200
"""How much is kept, unpacked: enough to judge for seconds, and small enough to be published."""

SECONDS: Final = 60.0
"""How long one history may be searched; what is not decided by then is unknown."""

_VALUE_BYTES: Final = 200
_INVOKE: Final = b'"type":"invoke"'
_LONG: Final = f"a value there is longer than {_VALUE_BYTES} bytes"
_ROOM: Final = f"there was room for {MOST_BYTES >> 20} MiB in {MOST_FILES} files"
_APART: Final = "what was wrong there is not to be seen in calls alone"
_OPEN: Final = "no check of a history decides it (it holds newer operations, or is too hard)"
_VERDICTS: Final[dict[Validity, Verdict]] = {True: "valid", False: "invalid", "unknown": "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """The histories that are kept, their contents by name, and how many are not."""

    histories: tuple[History, ...] = ()
    contents: Mapping[str, bytes] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=lambda: LeftOut(histories=0, because=[]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A history on disk: what it would be called, how it is judged, and what rests on it."""

    name: str
    path: Path
    clauses: list[str]
    judge: str = CLAIMS
    rounds: Mapping[str, dict[str, int]] = field(default_factory=dict)


def packed(
    result: RunResult, folder: Path, *, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES
) -> Packed:
    """Choose, cut and judge the histories of a run, which were kept in `folder`.

    First come those in which violations were seen, then those of each check in turns.
    """
    capabilities = capabilities_of(result.capabilities)
    kept: list[History] = []
    contents: dict[str, bytes] = {}
    left: Counter[str] = Counter()
    for found in chain(_of_violations(result, folder), _in_turns(result, folder)):
        content = None if found is None else shareable(found.path.read_bytes())
        if found is None or content is None:
            left[_APART if found is None else _LONG] += 1
        elif not operations_in(content):
            continue  # nothing was called
        elif len(kept) >= most_files or len(content) > most_bytes:
            left[_ROOM] += 1
        else:
            stated = _stated(found, content, capabilities)
            if stated.verdict == "unknown" or (found.judge != CLAIMS and stated.verdict == "valid"):
                left[_APART if found.judge != CLAIMS else _OPEN] += 1
                continue
            most_bytes -= len(content)
            kept.append(stated)
            contents[found.name] = content
    because = [f"{number:,}: {why}" for why, number in left.items()]
    left_out = LeftOut(histories=left.total(), because=because)
    return Packed(histories=tuple(kept), contents=contents, left_out=left_out)


def _stated(found: _Found, content: bytes, capabilities: Capabilities | None) -> History:
    return History(
        name=found.name,
        digest=Digest(sha256=digests.of_bytes(content)),
        bytes=len(content),
        operations=operations_in(content),
        judge=found.judge,
        verdict=judged(content, found.judge, found.rounds, capabilities),
        clauses=found.clauses,
        rounds=dict(found.rounds),
    )


def operations_in(content: bytes) -> int:
    """Answer how many calls a history holds, as the kit writes histories."""
    return content.count(_INVOKE)


def judged(
    content: bytes,
    judge: str,
    rounds: Mapping[str, Mapping[str, int]],
    capabilities: Capabilities | None,
) -> Verdict:
    """Judge a history again: the same bytes have the same verdict, unless the time runs out.

    What cannot be judged (a judge that this kit does not know) is unknown. Raises HistoryError
    where the bytes are no history.
    """
    with tempfile.TemporaryDirectory(prefix="onewinner-") as home:
        path = Path(home) / "history.jsonl"
        path.write_bytes(content)
        try:
            if judge == CLAIMS:
                return _VERDICTS[_as_claims(path)]
            if capabilities is not None:
                return _VERDICTS[_again(path, judge, rounds, capabilities)]
        except (AttributeError, KeyError, TypeError, ValueError):  # calls that are none of a store
            pass
    return "unknown"


def _as_claims(path: Path) -> Validity:
    budgets = Budgets(timeout_s=SECONDS)
    found = judge_file(str(path), model="claim", budgets=budgets, eps_ms=None, grace_ms=0)
    return found.verdict.valid


def _again(
    path: Path, judge: str, rounds: Mapping[str, Mapping[str, int]], capabilities: Capabilities
) -> Validity:
    recording = history.read(path)
    recorded = Recorded(
        operations=tuple(recording.operations),
        judge=judge,
        eps_ms=recording.eps_ms or 0,
        rounds={int(number): dict(facts) for number, facts in rounds.items()},
    )
    return rejudged(recorded, capabilities)


def shareable(content: bytes) -> bytes | None:
    """Answer a history as it may be shared; None where a value of it is too long for that."""
    lines = []
    for line in content.splitlines(keepends=True):
        if len(line) > _VALUE_BYTES or b'"error":' in line:
            event: dict[str, Any] = json.loads(line)
            if "error" in event:
                event["error"] = plain.of(event["error"])
                line = json.dumps(event, separators=(",", ":")).encode() + b"\n"  # noqa: PLW2901 - the same event
            if plain.longest(event) > _VALUE_BYTES:
                return None
        lines.append(line)
    return b"".join(lines)


def _of_violations(result: RunResult, folder: Path) -> Iterator[_Found | None]:
    """Yield the histories in which violations were seen; None for each that cannot be written."""
    home = folder / "violations"
    home.mkdir(exist_ok=True)
    for clause in result.clauses:
        violation = clause.violation
        kept = violation is not None and violation.history  # among those of its check
        if violation is None or violation.recorded is None or kept:
            continue
        yield _of_violation(violation, violation.recorded, home)


def _of_violation(violation: Violation, recorded: Recorded, home: Path) -> _Found | None:
    name = f"{VIOLATION}{violation.clause}.jsonl"
    try:
        history.write(home / name, recorded.operations, eps_ms=recorded.eps_ms)
    except (TypeError, ValueError):  # an argument that JSON has not
        return None
    return _Found(
        name=name,
        path=home / name,
        clauses=[violation.clause],
        judge=recorded.judge,
        rounds={str(number): dict(facts) for number, facts in recorded.rounds.items()},
    )


def _in_turns(result: RunResult, folder: Path) -> Iterator[_Found]:
    """Yield the first history of each check, then the second of each, and so on.

    Those that a violation names come before all others.
    """
    by_check: dict[str, list[_Found]] = defaultdict(list)
    for path in sorted(folder.glob("*.jsonl")):
        check = check_of(path.name)
        judged_by_it = set(_judged_by(check, result))
        clauses = [clause for clause in bearing(path.name) or () if clause in judged_by_it]
        by_check[check].append(_Found(name=path.name, path=path, clauses=clauses))
    turns = [each for turn in zip_longest(*by_check.values()) for each in turn if each is not None]
    named = {Path(v.history).name for c in result.clauses if (v := c.violation) and v.history}
    yield from sorted(turns, key=lambda each: each.name not in named)


def _judged_by(check: str, result: RunResult) -> Iterator[str]:
    for clause in result.clauses:
        if any(each.check == check for each in clause.checks):
            yield clause.clause.id
