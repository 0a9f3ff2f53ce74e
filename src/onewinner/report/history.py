"""The verdict on somebody's history for people: what was judged, the verdict, and why."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from onewinner.checker.narrate import BAR_AT, CALL_AT, answer, call, sentence, timeline
from onewinner.report import text
from onewinner.report.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.suite.offline import Judged

_STYLES = {"valid": "\x1b[1;32m", "invalid": "\x1b[1;31m", "unknown": "\x1b[1;33m"}
_PLAIN = "\x1b[0m"


def render(judged: Judged, terminal: Terminal | None = None, *, explain: bool = False) -> str:
    """Answer the verdict as text that `terminal` can show; the last line holds it in one word.

    With `explain` an invalid history is shown by the few operations that make it so.
    """
    shown = terminal or Terminal()
    lines = [*about(judged), *(_explained(judged) if explain else ())]
    wrapped = [each for line in lines for each in _wrapped(text.printable(line), shown.width)]
    name = judged.verdict.name
    last = text.printable(f"onewinner: {judged.path} is {name}{why(judged)}")
    if shown.colour:
        last = f"{_STYLES[name]}{last}{_PLAIN}"
    return shown.encodable("\n".join([*wrapped, last]) + "\n")


def _wrapped(line: str, width: int) -> list[str]:
    """Timelines keep their columns as long as they fit; then the call gets a line of its own."""
    if not line.startswith(("  ", "! ")):
        return textwrap.wrap(line, width) or [""]
    if len(line) <= width or not line[:BAR_AT].endswith(" "):
        return [line]
    head = line[:CALL_AT].rstrip()
    if len(head) > width:
        head = line[:BAR_AT].rstrip()
    indent = "    "
    return [
        head,
        *textwrap.wrap(line[CALL_AT:], width, initial_indent=indent, subsequent_indent=indent),
    ]


def about(judged: Judged) -> Iterator[str]:
    """Yield what was judged and what of it was not decided, a sentence each."""
    verdict = judged.verdict
    parts = len(verdict.partitions)
    over = f" in {text.count(parts, 'part')}" if parts else ""
    yield (
        f"{text.count(verdict.operations, 'operation')}{over}, {judged.model} model, "
        f"{verdict.seconds:.2f} s"
    )
    yield from judged.notes
    undecided = sum(part.valid == "unknown" for part in verdict.partitions)
    if undecided and verdict.valid == "unknown":
        yield f"{undecided} of {parts} parts are undecided"
    grey = judged.grey
    if grey is not None and grey.expiries:
        proof = "" if grey.crisp else ": nothing here proves anything about TTL"
        yield (
            f"TTL: {text.count(grey.expiries, 'row')} could expire, {grey.crisp:,} answers "
            f"certain, {grey.grey:,} in the grey zone of an expiry{proof}"
        )


def why(judged: Judged) -> str:
    """Answer the reason of the verdict after a colon; nothing where there is none."""
    if judged.example is not None:
        return f": {sentence(judged.example)}"
    return f": {judged.verdict.reason}" if judged.verdict.reason else ""


def _explained(judged: Judged) -> Iterator[str]:
    if judged.example is not None:
        yield ""
        for line in timeline(judged.example):
            yield line if line.startswith(("!", "  ")) else f"  {line}"
        yield ""
    elif judged.mixed:
        yield ""
        yield from (f"  {line}" for line in _mixed(judged))
        yield ""


def _mixed(judged: Judged) -> Iterator[str]:
    """Yield the operations that a mixed listing contradicts, the listing first."""
    for each in judged.mixed:
        end = "never" if each.completed_ns is None else f"{each.completed_ns:,}"
        yield f"p{each.process} {each.invoked_ns:,} .. {end} ns  {call(each)} -> {answer(each)}"
