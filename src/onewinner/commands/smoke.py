"""`onewinner smoke`: judge the adapter alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from onewinner.commands import parsing, request
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = parsing.command(
        commands, "smoke", run, "judge the adapter in seconds: one win, one refusal"
    )
    parsing.target_arguments(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Judge the adapter alone: it must connect, win one claim and refuse one."""
    from onewinner.report import console, terminal
    from onewinner.suite import engine

    found = request.judged(args, engine.smoke)
    request.say(console.render_smoke(found, terminal.of(sys.stdout)))
    return ExitCode.CONFORMS if found.ok else ExitCode.VIOLATION
