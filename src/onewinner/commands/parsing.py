"""What commands share of their options: how they are spelt, and what stands below their help."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from onewinner.arguments import asked
from onewinner.contract.clauses import LEVELS, select
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

Command: TypeAlias = "Callable[[argparse.Namespace], ExitCode]"

EPILOG: Final = """\
TARGET is a built-in store (sqlite, memory, ...), python:package.module:connect,
exec:COMMAND for any language (specs/protocol.md), or mutant:NAME, one of the
kit's own broken stores.

exit codes: 0 conforms; 1 violated; 2 interrupted; 3 internal error; 4 usage, or
the target could not start; 5 nothing ran; 7 inconclusive
"""
"""What stands below the help of a command that judges a target."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors end with the usage exit code of the gate."""

    def error(self, message: str) -> NoReturn:
        """End with the usage of the command, and what was wrong."""
        self.print_usage(sys.stderr)
        self.exit(int(ExitCode.USAGE), f"{self.prog}: {message}\n")


def command(
    commands: Any, name: str, run: Command, help_: str, *, epilog: str | None = EPILOG
) -> argparse.ArgumentParser:
    """Answer the parser of a new command, which `run` carries out."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help_,
        description=run.__doc__,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=run)
    return parser


def target_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the store to judge, and where its server listens."""
    parser.add_argument("target", metavar="TARGET", help="the store to judge, see below")
    parser.add_argument("--location", metavar="URL", help="where a server listens")


def level_argument(parser: argparse.ArgumentParser, help_: str) -> None:
    """Take a level."""
    parser.add_argument("--level", choices=LEVELS, help=help_)


def select_argument(parser: argparse.ArgumentParser) -> None:
    """Take clauses and families."""
    parser.add_argument(
        "-k", dest="select", metavar="CLAUSE", action="append", default=[], type=asked(_pattern),
        help="judge only this clause or family; may be repeated",
    )  # fmt: skip


def _pattern(given: str) -> str:
    select(given)
    return given
