"""`onewinner explain`: tell all that is known of a kept failure."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from onewinner.commands import parsing, request
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    import argparse

    from onewinner.artefacts import Artefact


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = parsing.command(
        commands, "explain", run, "tell what is known of a kept failure", epilog=None
    )
    parser.add_argument("failure", metavar="ID", help="a failure kept in .onewinner/")
    parser.add_argument("--html", metavar="FILE", help="write it as one HTML file, drawn in time")


def run(args: argparse.Namespace) -> ExitCode:
    """Tell what happened in a kept failure, with what, and how it is driven again."""
    from onewinner.report import kept, terminal

    artefact = request.artefact(args.failure)
    with request.files((("--html", args.html, _page),)) as write_reports:
        request.say(kept.render(artefact, terminal.of(sys.stdout)))
        write_reports(artefact)
    return ExitCode.CONFORMS


def _page(artefact: Artefact) -> str:
    from onewinner.report import html, kept

    return html.dumps_violation(**kept.page(artefact))
