"""The result tree for GitHub: a few annotations on the adapter, and a table in the job's summary.

GitHub shows ten errors of a step and drops the rest without a word. So at most nine are told, and
one notice says how many more there are.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onewinner.report import text, verdict
from onewinner.report.sharing import shared
from onewinner.suite.tree import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from onewinner.suite.tree import ClauseResult, RunResult

ANNOTATIONS_MOST: Final = 9
SUMMARY_BYTES: Final = 1 << 20
"""What the summary of a step may hold; GitHub refuses a longer one as a whole."""

_RESERVE: Final = 500  # for the line that says what was left out
_FOLDED: Final = "<details><summary>All other clauses</summary>"
_SEVERITIES: Final = ("critical", "major", "minor")
_RED: Final = (Status.FAIL, Status.ERROR, Status.UNTESTED)
_NOT_MARKUP: Final = frozenset(" ,;'/=?%")
_SIGNS: Final = {
    Status.FAIL: "\N{CROSS MARK}",
    Status.ERROR: "\N{CROSS MARK}",
    Status.UNTESTED: "\N{BLACK QUESTION MARK ORNAMENT}",
    Status.XFAIL: "\N{WARNING SIGN}",
    Status.PASS: "\N{WHITE HEAVY CHECK MARK}",
    Status.NA: "\N{EN DASH}",
}


def applies(environ: Mapping[str, str]) -> bool:
    """Tell whether this process is a step of a GitHub workflow."""
    return environ.get("GITHUB_ACTIONS") == "true"


def commands(results: Iterable[RunResult], workspace: str) -> str:
    """Answer the annotations as workflow commands, a line each; none for runs that are green.

    They stand on the adapter's file where that is in the `workspace`, else on no file.
    """
    told = [
        ({**_place(result.source, workspace), "title": title}, message)
        for result in results
        for title, message in _annotated(shared(result))
    ]
    lines = [
        _command("error", properties, message) for properties, message in told[:ANNOTATIONS_MOST]
    ]
    more = len(told) - ANNOTATIONS_MOST
    if more > 0:
        message = f"{more} more are not shown here; the summary of the job has them all"
        lines.append(_command("notice", {"title": "onewinner"}, message))
    return "".join(f"{line}\n" for line in lines)


def quoted(report: str) -> str:
    """Answer a report so that nothing in it is taken for a workflow command.

    A store under test says what it likes, and a report for people quotes it.
    """
    word = secrets.token_hex(16)
    return f"::stop-commands::{word}\n{report}::{word}::\n"


def _annotated(result: RunResult) -> Iterator[tuple[str, str]]:
    """Yield titles and messages, the worst first."""
    red = [clause for clause in result.clauses if clause.status in _RED]
    for clause in sorted(red, key=_badness):
        seen = clause.violation
        happened = clause.reason if seen is None else seen.summary
        command = verdict.reproduce(result, clause.clause.id, seen)
        told = f"{clause.status.label}: {_prose(happened)}\nReproduce: {command}"
        yield clause.clause.id, f"{clause.clause.sentence}\n{told}"
    for told in result.stale:
        yield "baseline", _prose(told)


def _badness(clause: ClauseResult) -> tuple[int, int]:
    return _RED.index(clause.status), _SEVERITIES.index(clause.clause.severity)


def _prose(said: str) -> str:
    return text.printable(text.shorten(said, at_most=text.LINE_BYTES))


def _place(source: tuple[str, int] | None, workspace: str) -> dict[str, str]:
    """Answer the properties that name a place, none where it is not the user's own file."""
    if source is None or not workspace:
        return {}
    file = Path(os.path.realpath(source[0]))
    root = Path(os.path.realpath(workspace))
    if not file.is_relative_to(root) or {"site-packages", "dist-packages"} & set(file.parts):
        return {}
    return {"file": file.relative_to(root).as_posix(), "line": str(source[1])}


def _command(name: str, properties: Mapping[str, str], message: str) -> str:
    told = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {told}::{_data(message)}"


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


# --- the summary of the job ----------------------------------------------------------------------


def append_summary(result: RunResult, path: str) -> None:
    """Write the summary behind what other commands of the step have written. Raises OSError."""
    with Path(path).open("a", encoding="utf-8") as file:
        room = SUMMARY_BYTES - file.tell()
        file.write(summary(result, at_most=room))


def summary(result: RunResult, *, at_most: int = SUMMARY_BYTES) -> str:
    """Answer the run as Markdown of at most so many bytes; what does not fit is counted."""
    result = shared(result)
    red = [clause for clause in result.clauses if clause.status in _RED]
    others = [clause for clause in result.clauses if clause.status not in _RED]
    lines = [f"### {_cell(verdict.line(result), most=text.PROSE_BYTES)}", ""]
    lines += [f"- {_cell(told, most=text.LINE_BYTES)}" for told in result.stale]
    lines += [""] if result.stale else []
    if red:
        lines += ["| Clause | Status | What happened |", "| --- | --- | --- |"]
        lines += [_row(clause, _happened(clause)) for clause in sorted(red, key=_badness)]
        lines += ["", _commands_to_paste(result, red), ""]
    lines += [_FOLDED, ""] if others else []
    lines += ["| Clause | Status | Evidence |", "| --- | --- | --- |"] if others else []
    lines += [_row(clause, _evidence(clause)) for clause in others]
    return _fitting(lines, at_most)


def _row(clause: ClauseResult, told: str) -> str:
    identity = f"{_cell(clause.clause.id)} {_cell(clause.clause.sentence, most=text.LINE_BYTES)}"
    return f"| {identity} | {_SIGNS[clause.status]} {clause.status.label} | {_cell(told)} |"


def _happened(clause: ClauseResult) -> str:
    return clause.reason if clause.violation is None else clause.violation.summary


def _evidence(clause: ClauseResult) -> str:
    if clause.status is Status.XFAIL and clause.known is not None:
        return f"{clause.known.kind}: {clause.known.reason} {clause.known.issue}"
    return clause.reason or text.evidence_line(verdict.evidence(clause), at_most=3)


def _commands_to_paste(result: RunResult, red: Iterable[ClauseResult]) -> str:
    """Answer the commands that reproduce violations, as one block of code."""
    told = [verdict.reproduce(result, each.clause.id, each.violation) for each in red]
    lines = [text.printable(line, keep="") for line in dict.fromkeys(told)]
    fence = "```"
    while any(fence in line for line in lines):
        fence += "`"
    return "\n".join([f"{fence}sh", *lines, fence])


def _cell(said: str, *, most: int = text.VALUE_BYTES) -> str:
    """Answer a text of one line in which nothing is mark-up: as numbers where it could be."""
    line = text.printable(text.shorten(" ".join(said.split()), at_most=most), keep="")
    return "".join(c if c.isalnum() or c in _NOT_MARKUP else f"&#{ord(c)};" for c in line)


def _fitting(lines: list[str], at_most: int) -> str:
    """Answer as many lines as there is room for, whole ones, and how many there were besides."""
    room = at_most - _RESERVE
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    if not kept:
        return ""
    if left := len(lines) - len(kept):
        kept += ["", f"{left} more lines had no room here."]
    closed = ["", "</details>"] if _FOLDED in kept else []
    return "".join(f"{line}\n" for line in [*kept, *closed, ""])
