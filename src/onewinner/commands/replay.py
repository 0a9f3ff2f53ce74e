"""`onewinner replay`: judge a kept failure again and drive it again, or run one schedule again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from onewinner.arguments import asked, count
from onewinner.commands import parsing, request

if TYPE_CHECKING:
    import argparse

    from onewinner.suite.tree import ExitCode

_TOKEN = "ow1:"


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = parsing.command(commands, "replay", run, "drive a failure again, as it was told")
    parser.add_argument(
        "failure", metavar="ID|TOKEN", help="a failure kept in .onewinner/, or a word ow1:..."
    )
    parser.add_argument(
        "--repeat", metavar="N", type=asked(count),
        help="drive it so often (default: a token once, a kept failure 200 times or 30 s)",
    )  # fmt: skip
    parser.add_argument("--location", metavar="URL", help="where a server listens")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> ExitCode:
    """Drive a failure again on fresh stores; exit 1 where it goes wrong again, 0 where not.

    The history of a kept failure is judged again first: that answers the same each time.
    """
    from onewinner.suite.replay import TokenError

    try:
        found = _schedule(args) if args.failure.startswith(_TOKEN) else _kept(args)
    except TokenError as error:
        raise request.Unusable(str(error)) from error
    request.say("".join(f"{line}\n" for line in found.lines()))
    code: ExitCode = found.exit_code
    return code


def _schedule(args: argparse.Namespace) -> Any:
    from onewinner.report.ticking import ticking
    from onewinner.suite.again import replayed
    from onewinner.suite.replay import read_token

    token, times = read_token(args.failure), args.repeat or 1
    args.target = token.target
    with ticking(sys.stderr, "the first run", quiet=args.quiet) as ticker:

        def hear(made: int) -> None:
            ticker.doing = f"{made} of {times} runs"

        return request.judged(args, lambda target: replayed(target, token, times, on_run=hear))


def _kept(args: argparse.Namespace) -> Any:
    from onewinner.artefacts.again import driven
    from onewinner.report.ticking import ticking

    artefact = request.artefact(args.failure)
    args.target, args.location = artefact.target, args.location or artefact.location
    with ticking(sys.stderr, "the first run", quiet=args.quiet) as ticker:

        def hear(made: int, wrong: int | None) -> None:
            ticker.doing = f"driven {made} times"
            ticker.doing += "" if wrong is None else f", {wrong} went wrong"

        return request.judged(
            args, lambda target: driven(artefact, target, times=args.repeat, on_time=hear)
        )
