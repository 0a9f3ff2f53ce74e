"""The result tree for people: a table, a block for every failure, and one last line."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from onewinner.report import failure, text, verdict
from onewinner.report.sharing import shared
from onewinner.report.terminal import Terminal
from onewinner.suite.tree import ExitCode, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onewinner.contract.clauses import Clause
    from onewinner.suite.engine import SmokeResult
    from onewinner.suite.tree import ClauseResult, Known, RunResult

_STYLES: Final = {
    Status.NA: "dim",
    Status.PASS: "green",
    Status.XFAIL: "yellow",
    Status.UNTESTED: "bold yellow",
    Status.FAIL: "bold red",
    Status.ERROR: "bold red",
}
_TABLE_NEEDS: Final = 72  # columns; with fewer, each clause gets lines of its own


def render(result: RunResult, terminal: Terminal | None = None) -> str:
    """Answer the whole report of a run as text that `terminal` can show."""
    page = _Page(terminal or Terminal())
    if not page.terminal.live:  # a file may be handed on
        result = shared(result)
    page.line(_heading(result))
    page.line()
    page.clauses([c for c in result.clauses if c.status is not Status.NA])
    page.not_applicable(result)
    for clause in result.clauses:
        if clause.status in (Status.FAIL, Status.ERROR, Status.UNTESTED):
            page.failure(clause, result)
    page.baseline(result)
    page.line()
    for note in result.notes:
        page.line(f"Note: {text.shorten(note, at_most=text.PROSE_BYTES)}", "yellow")
    for line in verdict.calibration(result):
        page.line(line)
    good = result.exit_code is ExitCode.CONFORMS
    # In a file the verdict is one line that can be searched for; a terminal would cut its words.
    whole = not page.terminal.live
    page.line(verdict.line(result), "bold green" if good else "bold red", whole=whole)
    return page.text()


def render_list(clauses: Iterable[Clause], terminal: Terminal | None = None) -> str:
    """Answer the clauses of the contract with level, severity and needs as text."""
    page = _Page(terminal or Terminal())
    rows = [
        (c, Text(c.level), f"{c.severity}; needs {', '.join(c.needs).replace('|', ' or ') or '-'}")
        for c in clauses
    ]
    page.table(
        ("CLAUSE", "LEVEL", "SEVERITY, NEEDS", "WHAT IT SAYS"),
        [(Text(clause.id), level, needs, Text(clause.sentence)) for clause, level, needs in rows],
    )
    return page.text()


def render_smoke(found: SmokeResult, terminal: Terminal | None = None) -> str:
    """Answer what a look at the adapter found, and whether `verify` has something to judge."""
    page = _Page(terminal or Terminal())
    for line in found.lines:
        page.line(line)
    answer = "answers as an adapter must" if found.ok else "does NOT answer as an adapter must"
    style = "bold green" if found.ok else "bold red"
    page.line(f"onewinner: {found.target} {answer} ({found.seconds:.1f} s)", style, whole=True)
    return page.text()


class _Page:
    """Rich, told to write text of a known width, with no look at the environment."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._file = io.StringIO()
        self._console = Console(
            file=self._file,
            width=terminal.width,
            force_terminal=terminal.colour,
            color_system="standard" if terminal.colour else None,
            no_color=not terminal.colour,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def text(self) -> str:
        lines = (line.rstrip() for line in self._file.getvalue().splitlines())
        return self.terminal.encodable("\n".join(lines) + "\n")

    def line(
        self, content: str = "", style: str = "", *, indent: int = 0, whole: bool = False
    ) -> None:
        """Write one line; a `whole` one is left to the terminal to wrap, so it can be copied."""
        shown = Text(text.printable(content), style=style)
        if whole:
            self._console.print(shown, soft_wrap=True)
        else:
            self._console.print(Padding(shown, (0, 0, 0, indent)))

    def hanging(self, content: str) -> None:
        """Write one line of a block; where it is wrapped, the rest stands further in."""
        depth = 2 + len(content) - len(content.lstrip())
        wrapped = textwrap.wrap(
            content.lstrip(),
            max(self.terminal.width, depth + 10),
            initial_indent=" " * depth,
            subsequent_indent=" " * (depth + 2),
            break_on_hyphens=False,
        )
        for line in wrapped:
            self.line(line)

    def clauses(self, clauses: list[ClauseResult]) -> None:
        rows = [
            (
                Text(c.clause.id),
                Text(c.status.label, style=_STYLES[c.status]),
                text.evidence_line(verdict.evidence(c), at_most=2),
                Text(c.clause.sentence, style="" if c.status > Status.XFAIL else "dim"),
            )
            for c in clauses
        ]
        if rows:
            self.table(("CLAUSE", "STATUS", "EVIDENCE", "WHAT IT SAYS"), rows)

    def table(self, titles: tuple[str, ...], rows: list[tuple[Text, Text, str, Text]]) -> None:
        if self.terminal.width < _TABLE_NEEDS:
            for identity, status, middle, sentence in rows:
                self._console.print(Text("  ").join([identity, status, Text(middle)]))
                self._console.print(Padding(sentence, (0, 0, 0, 2)))
            return
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for title, width in zip(titles, (None, None, 24, None), strict=True):
            table.add_column(title, max_width=width, no_wrap=title in ("CLAUSE", "STATUS", "LEVEL"))
        for identity, status, middle, sentence in rows:
            table.add_row(identity, status, Text(middle), sentence)
        self._console.print(table)

    def not_applicable(self, result: RunResult) -> None:
        optional: dict[str, list[str]] = {}
        for lost, ids in verdict.undeclared(result).items():
            if lost in verdict.OPTIONAL:
                optional[lost] = ids
                continue
            self.line(f"n/a  {lost} is not declared: {' '.join(ids)}", _STYLES[Status.NA])
        if optional:
            every = " ".join(name for ids in optional.values() for name in ids)
            told = f"n/a  optional and not declared ({', '.join(optional)}): {every}"
            self.line(told, _STYLES[Status.NA])
        for reason, ids in verdict.left_out(result).items():
            self.line(f"n/a  {' '.join(ids)}: {reason}", _STYLES[Status.NA])

    def baseline(self, result: RunResult) -> None:
        """Tell which failures were expected, and which were in vain."""
        known = [(c, c.known) for c in result.clauses if c.known is not None]
        told = [_known(clause, entry) for clause, entry in known if clause.status > Status.PASS]
        for line in [*told, *(f"Stale: {sentence}" for sentence in result.stale)]:
            style = "bold red" if line.startswith("Stale") else _STYLES[Status.XFAIL]
            self.line(text.shorten(line, at_most=text.PROSE_BYTES), style)

    def failure(self, clause: ClauseResult, result: RunResult) -> None:
        found = clause.violation
        self.line()
        title = Text.assemble(
            (clause.status.label.upper(), _STYLES[clause.status]),
            (f" {clause.clause.id}", "bold"),
            f"  {clause.clause.sentence}",
        )
        self._console.print(title)
        if found is None:
            self.line(text.shorten(clause.reason, at_most=text.PROSE_BYTES), indent=2)
            for identity in dict.fromkeys(c.artefact for c in clause.checks if c.artefact):
                self.hanging(failure.kept_as(identity))
        else:
            for line in failure.story(found):
                self.hanging(line)
            # Written as it is: rich would wrap its lines and expand its tabs.
            self._file.writelines(f"{line}\n" for line in failure.program(found))
        others = [c.check for c in clause.checks if c.status > Status.XFAIL]
        self.line(f"Checks: {', '.join(others) or 'none'}", indent=2)
        for check in clause.checks:  # another program may show another defect
            other = check.violation
            if other is not None and other.script and other != found:
                self.hanging(text.printable(f"{check.check}: {text.shorten(other.summary)}"))
        command = verdict.reproduce(result, clause.clause.id, found)
        self.line(f"Reproduce:  {command}", "bold", whole=True)


def _known(clause: ClauseResult, entry: Known) -> str:
    kept = f"{entry.kind}: {entry.reason}" + (f", see {entry.issue}" if entry.issue else "")
    if clause.status is Status.XFAIL:
        return f"Known: {clause.clause.id} ({kept})"
    return (
        f"Known otherwise: {clause.clause.id} is {clause.status.label}, and not because of "
        f"{entry.signature!r} ({kept})"
    )


def _heading(result: RunResult) -> str:
    kit = result.versions.get("onewinner", "")
    return (
        f"onewinner {kit} judges {result.target} at level {result.level} "
        f"(budget {result.budget_s:g} s, seed {verdict.seed_text(result.seed)})"
    )
