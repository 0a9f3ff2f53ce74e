"""A violation in words: what every report for people says of it, in the same order."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from onewinner.report.text import LINE_BYTES, printable, shorten, shorten_lines

if TYPE_CHECKING:
    from onewinner.suite.tree import Violation


def story(violation: Violation) -> list[str]:
    """Answer what happened and why that is wrong, as lines of which some are indented."""
    happened = shorten_lines(violation.happened)
    lines = [shorten(violation.summary, at_most=LINE_BYTES)]
    lines += ["What happened:", *(f"  {line}" for line in happened)] if happened else []
    lines.append(f"Why: {shorten(violation.why, at_most=LINE_BYTES)}")
    if violation.artefact:
        lines.append(kept_as(violation.artefact))
    if violation.history:
        lines.append(f"History: onewinner check {shlex.quote(violation.history)} --explain")
    return [printable(line) for line in lines]


def kept_as(identity: str) -> str:
    """Answer the line that says where a failure was kept, and what can be done with it."""
    return (
        f"Kept: .onewinner/{identity} (onewinner replay {identity}; onewinner explain {identity})"
    )


def program(violation: Violation) -> list[str]:
    """Answer the lines of the program to paste, in a frame of comments; none where there is none.

    The frame is made of comments so that a selection that is a line too wide still runs.
    """
    if not violation.script:
        return []
    script = printable(violation.script.strip("\n"), keep="\n\t")
    return [f"# --- a program that shows {violation.clause}", *script.split("\n"), "# --- end"]
