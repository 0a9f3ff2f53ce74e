"""`onewinner replay`: run one schedule again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from onewinner.arguments import asked, count
from onewinner.commands import parsing, request

if TYPE_CHECKING:
    import argparse

    from onewinner.suite.tree import ExitCode


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = parsing.command(commands, "replay", run, "run one schedule again, as a violation told it")
    parser.add_argument("token", metavar="TOKEN", help="the word that begins with ow1:")
    parser.add_argument(
        "--repeat", metavar="N", type=asked(count), default=1, help="run it so often (default: 1)"
    )
    parser.add_argument("--location", metavar="URL", help="where a server listens")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> ExitCode:
    """Run one schedule again on a fresh store; exit 1 where it goes wrong again, 0 where not."""
    from onewinner.report.ticking import ticking
    from onewinner.suite.again import replayed
    from onewinner.suite.replay import TokenError, read_token

    try:
        token = read_token(args.token)
        args.target = token.target
        with ticking(sys.stderr, "the first run", quiet=args.quiet) as ticker:

            def hear(made: int) -> None:
                ticker.doing = f"{made} of {args.repeat} runs"

            found = request.judged(
                args, lambda target: replayed(target, token, args.repeat, on_run=hear)
            )
    except TokenError as error:
        raise request.Unusable(str(error)) from error
    request.say("".join(f"{line}\n" for line in found.lines()))
    code: ExitCode = found.exit_code
    return code
