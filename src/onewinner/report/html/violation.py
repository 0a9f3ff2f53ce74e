"""A violation as a part of a page: what happened, drawn and in words, and how to see it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.report import places, text
from onewinner.report.html.markup import Markup, joined, said, tag
from onewinner.report.html.timeline import drawn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onewinner.suite.tree import Violation


def told(violation: Violation, *, name: str, command: str) -> Markup:
    """Answer all that is known of a violation; `name` begins the ids, and is unique on the page.

    `command` runs its check again.
    """
    timeline = violation.timeline
    return joined(
        (
            tag("p", said(violation.summary, at_most=text.LINE_BYTES), class_="summary"),
            tag("p", tag("strong", "Why: "), said(violation.why), class_="why"),
            drawn(timeline, name=name) if timeline is not None and timeline.bars else None,
            _happened(violation.happened, folded=timeline is not None and bool(timeline.bars)),
            commands(_commands(violation, command)),
            _script(violation),
        )
    )


def _happened(lines: Iterable[str], *, folded: bool) -> Markup | None:
    """Answer the lines of what happened; folded where it is drawn too."""
    shown = text.shorten_lines(lines)
    if not shown:
        return None
    block = tag("pre", "\n".join(said(line) for line in shown), class_="happened")
    if not folded:
        return joined((tag("h4", "What happened"), block))
    return tag("details", tag("summary", "What happened, in words"), block)


def _commands(violation: Violation, command: str) -> list[tuple[str, str]]:
    found = [("Reproduce", command)]
    if violation.artefact:
        kept = violation.artefact
        if not command.startswith("onewinner replay"):
            found.append(("Replay", f"onewinner replay {kept}"))
        found.append(("Explain", f"onewinner explain {kept}"))
    if violation.history:
        file = violation.history.replace("\\", "/").rpartition("/")[2]
        found.append(("History", f"onewinner check {file} --explain"))
    return found


def commands(given: Iterable[tuple[str, str]]) -> Markup:
    """Answer commands to copy, each with what it is for."""
    rows = [
        tag(
            "div",
            tag("span", what, class_="for"),
            tag("code", text.printable(places.shareable(command))),
            tag("button", "Copy", type="button", class_="button copy", hidden=True),
            class_="command",
        )
        for what, command in given
    ]
    return tag("div", *rows, class_="commands")


def _script(violation: Violation) -> Markup | None:
    if not violation.script:
        return None

    program = text.printable(violation.script.strip("\n"), keep="\n\t")
    return tag(
        "details",
        tag("summary", f"A program that shows {violation.clause}"),
        tag(
            "div",
            tag("code", program),
            tag("button", "Copy", type="button", class_="button copy", hidden=True),
            class_="command program",
        ),
    )
