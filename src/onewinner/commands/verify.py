"""`onewinner verify`: judge a store clause by clause."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from onewinner.arguments import asked, duration, seed_number
from onewinner.commands import parsing, request
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = parsing.command(commands, "verify", run, "judge a store clause by clause")
    parsing.target_arguments(parser)
    parsing.level_argument(parser, "the highest level to judge (default: the highest that applies)")
    parser.add_argument(
        "--budget", metavar="TIME", type=asked(duration), help="time for programs and races: 60s"
    )
    parser.add_argument(
        "--seed", metavar="N", type=asked(seed_number), help="repeat the choices of a run: 0x51ab"
    )
    parsing.select_argument(parser)
    parser.add_argument(
        "-x", dest="stop_at_first", action="store_true", help="stop at the first violation"
    )
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON")
    parser.add_argument("--junitxml", metavar="FILE", help="write the result as JUnit XML")
    parser.add_argument(
        "--histories", metavar="DIR",
        help="keep histories in which nobody is evicted, of races and faults, for onewinner check",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> ExitCode:
    """Judge a target clause by clause and write every report that was asked for."""
    from onewinner.report import console, json, junit, progress, terminal
    from onewinner.suite import engine

    wanted = (("--json", args.json, json.dumps), ("--junitxml", args.junitxml, junit.dumps))
    with request.files(wanted) as write_reports:
        options = engine.Options(
            level=args.level,
            budget_s=args.budget,
            seed=args.seed,
            select=tuple(args.select),
            stop_at_first=args.stop_at_first,
            histories=request.folder("--histories", args.histories),
        )
        with progress.shown(sys.stderr, quiet=args.quiet) as listener:
            result = request.judged(
                args, lambda target: engine.verify(target, options, on_progress=listener)
            )
        result = request.kept(result, args.location)
        request.say(console.render(result, terminal.of(sys.stdout)))
        write_reports(result)
    return ExitCode(result.exit_code)
