"""`onewinner vectors`: give a store the frozen test vectors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onewinner.commands import parsing, request

if TYPE_CHECKING:
    import argparse

    from onewinner.suite.tree import ExitCode


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = parsing.command(
        commands, "vectors", run, "give a store the frozen test vectors of specs/vectors.md"
    )
    parsing.target_arguments(parser)
    parsing.select_argument(parser)
    parser.add_argument(
        "--write", metavar="DIR", help="write the vectors and their schema into a folder, too"
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Play each vector on a store of its own; exit 1 where one step is answered otherwise."""
    from onewinner.report import terminal, vectors
    from onewinner.suite.vectors import format as files
    from onewinner.suite.vectors import run as playing

    try:
        chosen = files.vectors(args.select)
        if args.write is not None:
            _write(args.write, files.texts())
    except files.VectorError as error:
        raise request.Unusable(str(error)) from error
    result = request.judged(args, lambda target: playing.run(target, chosen))
    request.say(vectors.render(result, terminal.of(sys.stdout)))
    code: ExitCode = result.exit_code
    return code


def _write(given: str, texts: dict[str, str]) -> None:
    where = request.folder("--write", given) or Path(given)
    for name, text in texts.items():
        request.write("--write", str(where / name), text)
