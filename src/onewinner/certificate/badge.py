"""The badge of a certificate, as an endpoint of shields.io is asked for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from onewinner.certificate.checking import Checked
    from onewinner.certificate.words import Statement

LABEL: Final = "claim store"


def badge(statement: Statement, checked: Checked | None = None) -> dict[str, Any]:
    """Answer what the badge says: the level that was reached, or why there is none.

    A certificate that was `checked` and did not hold has no other badge than that.
    """
    message, colour = _message(statement, checked)
    return {"schemaVersion": 1, "label": LABEL, "message": message, "color": colour}


def dumps(statement: Statement, checked: Checked | None = None) -> str:
    """Answer the badge as JSON, ending with a newline."""
    return json.dumps(badge(statement, checked)) + "\n"


def _message(statement: Statement, checked: Checked | None) -> tuple[str, str]:
    stated = statement.predicate.extension
    if checked is not None and checked.exit_code is ExitCode.VIOLATION:
        return "certificate does not hold", "red"
    if checked is not None and checked.exit_code is not ExitCode.CONFORMS:
        return "certificate not checked", "lightgrey"
    if statement.predicate.result == "FAILED":
        return f"fails at {stated.level.asked} level", "red"
    if statement.predicate.result == "PASSED":
        return f"{stated.level.asked} level", "brightgreen"
    if stated.exit_code == ExitCode.CONFORMS and stated.level.reached is not None:
        return f"{stated.level.reached} level, not {stated.level.asked}", "yellow"
    return f"inconclusive at {stated.level.asked} level", "lightgrey"
