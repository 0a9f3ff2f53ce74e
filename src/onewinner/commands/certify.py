"""`onewinner certify`: judge a store, and state what was found so that it can be computed again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onewinner.arguments import asked, duration, seed_number
from onewinner.commands import parsing, request
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    import argparse

    from onewinner.certificate.issuing import Issued
    from onewinner.suite.tree import RunResult


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = parsing.command(commands, "certify", run, "judge a store and write a certificate")
    parsing.target_arguments(parser)
    parser.add_argument(
        "-o", dest="output", metavar="FILE", required=True,
        help="write the certificate; its histories go beside it, into an archive of its name",
    )  # fmt: skip
    parsing.level_argument(parser, "the highest level to judge (default: the highest that applies)")
    parser.add_argument(
        "--budget", metavar="TIME", type=asked(duration), help="time for programs and races: 60s"
    )
    parser.add_argument(
        "--seed", metavar="N", type=asked(seed_number), help="repeat the choices of a run: 0x51ab"
    )
    parser.add_argument("--badge", metavar="FILE", help="write the badge for shields.io as JSON")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> ExitCode:
    """Judge a target as verify does, and state what was found, whether it conforms or not."""
    from onewinner.adapters.targets import Target
    from onewinner.certificate import archive, badge, issuing, summary, words
    from onewinner.report import console, terminal
    from onewinner.suite.scratch import scratch_directory

    def certificate(issued: Issued) -> str:
        return words.dumps(issued.statement)

    def its_badge(issued: Issued) -> str:
        return badge.dumps(issued.statement)

    beside = archive.beside(args.output)
    wanted = (("-o", args.output, certificate), ("--badge", args.badge, its_badge))
    with request.files(wanted) as write_reports, scratch_directory() as folder:
        _remove(beside)
        result = _judged(args, Path(folder))
        target = Target(args.target, location=args.location)
        issued = issuing.issue(result, target, Path(folder), beside.name)
        if issued.contents:
            _archive(beside, issued)
        write_reports(issued)
        request.say(console.render(issued.result, terminal.of(sys.stdout)))
        request.say(f"{args.output}: {summary.verdict(issued.statement)}\n")
    return ExitCode(issued.result.exit_code)


def _judged(args: argparse.Namespace, folder: Path) -> RunResult:
    from onewinner.report import progress
    from onewinner.suite import engine

    options = engine.Options(
        level=args.level, budget_s=args.budget, seed=args.seed, histories=folder
    )
    with progress.shown(sys.stderr, quiet=args.quiet) as listener:
        result: RunResult = request.judged(
            args, lambda target: engine.verify(target, options, on_progress=listener)
        )
    return result


def _remove(archive: Path) -> None:
    """Remove the histories of an earlier certificate, which cannot be those of this one."""
    try:
        archive.unlink(missing_ok=True)
    except OSError as error:
        raise request.Unusable(
            f"{archive}: the histories of an earlier certificate cannot be removed ({error})"
        ) from error


def _archive(path: Path, issued: Issued) -> None:
    from onewinner.certificate import archive

    try:
        archive.write(path, issued.contents)
    except OSError as error:
        raise request.Unusable(f"the histories {path} could not be written: {error}") from error
