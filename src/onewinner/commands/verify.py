"""`onewinner verify`: judge a store clause by clause."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from onewinner.arguments import asked, duration, seed_number
from onewinner.commands import parsing, request
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    import argparse

    from onewinner.adapters.targets import Target
    from onewinner.suite.options import Listener, Options
    from onewinner.suite.tree import Known, RunResult


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
    parser.add_argument("--html", metavar="FILE", help="write the result as one HTML file")
    parser.add_argument(
        "--histories", metavar="DIR",
        help="keep histories in which nobody is evicted, of races and faults, for onewinner check",
    )  # fmt: skip
    parser.add_argument(
        "--baseline", metavar="FILE", help="failures that are known, from `onewinner baseline`"
    )
    parser.add_argument(
        "--no-github", action="store_true",
        help="write no annotations and no job summary in a GitHub workflow",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> ExitCode:
    """Judge a target clause by clause and write every report that was asked for."""
    from onewinner.report import github, html, json, junit, progress
    from onewinner.suite import engine

    known = _known(args)
    wanted = (
        ("--json", args.json, json.dumps),
        ("--junitxml", args.junitxml, junit.dumps),
        ("--html", args.html, html.dumps),
    )
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
            result = request.judged(args, lambda target: _judge(target, options, known, listener))
        result = request.kept(result, args.location)
        _show(result, on_github=github.applies(os.environ) and not args.no_github)
        write_reports(result)
    return ExitCode(result.exit_code)


def _known(args: argparse.Namespace) -> tuple[Known, ...] | None:
    """Answer the known failures before anything runs, None where there is no baseline."""
    if args.baseline is None:
        return None
    if args.stop_at_first:
        raise request.Unusable(
            "-x would stop at the first violation that --baseline expects, and so judge no more "
            "than that; leave one of the two out"
        )
    return request.baseline("--baseline", args.baseline)


def _judge(
    target: Target, options: Options, known: tuple[Known, ...] | None, listener: Listener | None
) -> RunResult:
    from onewinner.suite import engine

    result = engine.verify(target, options, on_progress=listener)
    if known is None:
        return result
    from onewinner.baseline.applying import applied
    from onewinner.baseline.rerun import again

    return applied(result, known, again(target, options, result, listener))


def _show(result: RunResult, *, on_github: bool) -> None:
    """Say what was found; in a workflow of GitHub also to those who look at the change there."""
    from onewinner.report import console, github, terminal

    report = console.render(result, terminal.of(sys.stdout))
    if not on_github:
        request.say(report)
        return
    request.say(github.quoted(report))
    request.say(github.commands([result], os.environ.get("GITHUB_WORKSPACE", "")))
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        try:
            github.append_summary(result, path)
        except OSError as error:
            request.complain(f"the summary of the job could not be written: {error}")
