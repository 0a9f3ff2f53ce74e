"""The examination for people at a terminal: a row for each target, and what went wrong last."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from onewinner.doctor import matrix, words
from onewinner.report import text
from onewinner.report.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.doctor.findings import Examination, Finding
    from onewinner.doctor.matrix import Line

_TITLES: Final = ("TARGET", "OUTCOME", "MEDIAN", "WORST", "CALLS", "FLAGGED BY")
_TO_THE_RIGHT: Final = frozenset({"MEDIAN", "WORST", "CALLS"})


def render(examined: Examination, terminal: Terminal | None = None) -> str:
    """Answer the report as text of the terminal's width."""
    terminal = terminal or Terminal()
    lines = [f"onewinner doctor, {words.machine(examined)}", ""]
    lines += _table([_cells(f) for f in examined.findings], terminal.width)
    lines += ["", *(words.summary(examined))]
    if examined.measured:
        lines += ["", *_matrix(matrix.lines(examined.measured))]
    lines += [words.why_wrong(finding) for finding in examined.wrong]
    wrapped = (line for each in lines for line in _wrapped(each, terminal.width))
    return terminal.encodable("\n".join(wrapped) + "\n")


def _matrix(rows: Sequence[Line]) -> list[str]:
    """Answer a line for each clause: how many its family alone catches, how many others, which."""
    told = ["clause: mutants that its family alone catches + others that it flags"]
    for row in rows:
        names = ", ".join(row.alone) or "-"
        why = f"; {words.why_short(row)}" if row.short else ""
        told.append(f"{row.clause.id}: {len(row.alone)} + {len(row.others)}: {names}{why}")
    return [*told, words.matrix_summary(rows)]


def _cells(finding: Finding) -> tuple[str, ...]:
    return (
        finding.target,
        finding.outcome.told,
        words.seconds(finding.median_s),
        words.seconds(finding.worst_s),
        words.operations(finding),
        words.clauses(finding),
    )


def _table(rows: Sequence[tuple[str, ...]], width: int) -> list[str]:
    """Answer the rows in columns, or each as two lines where the columns do not fit."""
    widths = [max(map(len, column)) for column in zip(_TITLES, *rows, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) <= width:
        return [_aligned(row, widths) for row in (_TITLES, *rows)]
    return [line for row in rows for line in _on_two_lines(row)]


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    cells = (
        cell.rjust(width) if title in _TO_THE_RIGHT else cell.ljust(width)
        for title, cell, width in zip(_TITLES, row, widths, strict=True)
    )
    return "  ".join(cells).rstrip()


def _on_two_lines(row: tuple[str, ...]) -> tuple[str, str]:
    target, outcome, median, worst, calls, flagged = row
    by = f" by {flagged}" if flagged else ""
    return target, f"  {outcome}{by}; median {median}, worst {worst}, {calls} calls"


def _wrapped(line: str, width: int) -> list[str]:
    shown = text.printable(line, keep="")
    if len(shown) <= width:
        return [shown]
    indent = " " * (len(shown) - len(shown.lstrip()) + 2)
    # A name that is longer than the line stays whole, so that it can be copied.
    return textwrap.wrap(
        shown,
        width,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
