"""`onewinner init`: write an adapter to begin with, and a file for a CI service."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner.commands import parsing, request
from onewinner.starter.files import LANGUAGES, SERVICES, Occupied, Start, start
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    import argparse

_EPILOG: Final = "exit codes: 0 written; 4 a file is there already, or cannot be written\n"


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = parsing.command(
        commands, "init", run, "write an adapter to begin with, and a file for CI", epilog=_EPILOG
    )
    parser.add_argument(
        "directory", metavar="DIR", nargs="?", default=".", help="where to (default: here)"
    )
    parser.add_argument(
        "--language", choices=LANGUAGES, default="python",
        help="of the store: Python, or any other, by a command and the stdio protocol",
    )  # fmt: skip
    parser.add_argument(
        "--ci", choices=SERVICES, default="github", help="the CI service to write a file for"
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Write a commented adapter around a small store, which passes, and a file for CI."""
    begun = start(args.language, args.ci)
    directory = Path(args.directory)
    try:
        begun.write(directory)
    except Occupied as error:
        raise request.Unusable(str(error)) from error
    except OSError as error:
        raise request.Unusable(
            f"init cannot write into {directory} ({error}); name a directory that you may write to"
        ) from error
    request.say("".join(f"{line}\n" for line in _told(begun, directory)))
    return ExitCode.CONFORMS


def _told(begun: Start, directory: Path) -> list[str]:
    moved = [] if directory == Path() else [f"cd {shlex.quote(str(directory))}"]
    return [
        *(f"wrote {directory / path}" for path in begun.files),
        *(f"To do: {sentence}." for sentence in begun.todo),
        "The adapter works as it stands. Judge it, then put your store in its place:",
        *(f"  {command}" for command in (*moved, *begun.commands)),
    ]
