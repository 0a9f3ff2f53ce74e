"""A kept failure in words: what failed, with what, what happened, and how it is driven again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from onewinner.contract.clauses import CLAUSES
from onewinner.report import failure, text, verdict
from onewinner.report.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.artefacts import Artefact
    from onewinner.suite.timeline import Bar, Timeline

_BAR: Final = 24
_STDERR_LINES: Final = 12
_KINDS: Final = {"ok": "", "fail": " (failed)", "info": " (nobody knows whether it happened)"}


def render(artefact: Artefact, terminal: Terminal | None = None) -> str:
    """Answer all that is known of the failure as text that `terminal` can show."""
    shown = terminal or Terminal()
    lines = [text.printable(line, keep="\t") for line in _lines(artefact)]
    return shown.encodable("".join(f"{line}\n" for line in lines))


def page(artefact: Artefact) -> dict[str, Any]:
    """Answer what the page of the failure is made of (`report.html.dumps_violation`)."""
    recorded = artefact.recorded
    return {
        "heading": f"{artefact.clause} of {artefact.target}",
        "facts": tuple(facts(artefact)),
        "violation": artefact.violation,
        "operations": () if recorded is None else recorded.operations,
    }


def facts(artefact: Artefact) -> Iterator[tuple[str, str]]:
    """Yield what the failure was seen with, by name."""
    known = artefact.provenance
    versions = known.get("versions", {})
    yield "target", artefact.target
    if artefact.location:
        yield "location", artefact.location
    yield "check", artefact.check
    yield "level", str(known.get("level", ""))
    yield "seed", verdict.seed_text(int(known.get("seed", 0)))
    yield "when", str(known.get("started", ""))
    yield "machine", text.count(int(known.get("cores", 0)), "core")
    yield "versions", ", ".join(f"{name} {which}" for name, which in versions.items())
    yield "kept as", artefact.id


def drawn(timeline: Timeline) -> list[str]:
    """Answer the timeline as text: a bar a call in the order of events, `!` marks the wrong one.

    Marks stand between the calls, where they were made.
    """
    instants = sorted(
        {at for bar in timeline.bars for at in (bar.begun_ns, bar.ended_ns) if at is not None}
    )
    marks = sorted(timeline.marks, key=lambda mark: mark.at_ns)
    lines: list[str] = []
    for bar in timeline.bars:
        while marks and marks[0].at_ns <= bar.begun_ns:
            lines.append(f"  *      {marks.pop(0).told}")
        lines.append(_bar(bar, instants))
    return lines + [f"  *      {mark.told}" for mark in marks]


def _bar(bar: Bar, instants: Sequence[int]) -> str:
    scale = (_BAR - 1) / max(len(instants) - 1, 1)
    first = round(instants.index(bar.begun_ns) * scale)
    last = _BAR - 1 if bar.ended_ns is None else round(instants.index(bar.ended_ns) * scale)
    drawn_bar = " " * first + "|" + "-" * max(last - first - 1, 0) + ("|" if last > first else "")
    mark = "!" if bar.wrong else " "
    told = f"{bar.call} -> {bar.answer}{_KINDS[bar.kind]}"
    return f"{mark} {bar.process:<6} {bar.at:>12}  {drawn_bar:<{_BAR}}  {told}"


def _lines(artefact: Artefact) -> Iterator[str]:
    found = artefact.violation
    yield f"{artefact.status.upper()} {artefact.clause}  {CLAUSES[artefact.clause].sentence}"
    if found is None:
        yield from artefact.reason.splitlines()
    else:
        yield from failure.story(found)
        if found.timeline is not None and found.timeline.bars:
            yield "In time:"
            yield from (f"  {line}" for line in drawn(found.timeline))
        yield from failure.program(found)
    yield ""
    yield from (f"{name + ':':<10} {value}" for name, value in facts(artefact) if value)
    if artefact.stderr:
        yield "The store's processes printed last:"
        yield from (f"  {line}" for line in artefact.stderr[-_STDERR_LINES:])
    yield ""
    if found is not None and found.reproduce:
        yield f"Reproduce:  {found.reproduce}"
    yield f"Replay:     onewinner replay {shlex.quote(artefact.id)}"
