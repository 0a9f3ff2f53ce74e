"""`onewinner list`: show the clauses of the contract."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from onewinner.commands import parsing, request
from onewinner.contract.clauses import CLAUSES, by_level
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = parsing.command(
        commands, "list", run, "show the clauses, their levels and needs", epilog=None
    )
    parsing.level_argument(parser, "only the clauses that a store must hold at this level")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> ExitCode:
    """Show the clauses of the contract with level, severity and needs."""
    clauses = by_level(args.level) if args.level else tuple(CLAUSES.values())
    if args.json:
        import json

        from onewinner.report.json import clause_as_dict
        from onewinner.suite.tree import SCHEMA_VERSION

        shown = [clause_as_dict(clause) for clause in clauses]
        request.say(
            json.dumps({"schema_version": SCHEMA_VERSION, "clauses": shown}, indent=2) + "\n"
        )
    else:
        from onewinner.report import console, terminal

        request.say(console.render_list(clauses, terminal.of(sys.stdout)))
    return ExitCode.CONFORMS
