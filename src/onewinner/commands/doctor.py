"""`onewinner doctor`: judge the gate itself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from onewinner.arguments import asked, count, duration
from onewinner.commands import parsing, request

if TYPE_CHECKING:
    import argparse

    from onewinner.suite.tree import ExitCode

_EPILOG: Final = "exit codes: 0 all is right; 1 one missed, accused or in error; 7 inconclusive\n"


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = parsing.command(
        commands,
        "doctor",
        run,
        "judge the gate itself, by stores known to be broken",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--budget", metavar="TIME", type=asked(duration), default=60.0,
        help="time for each mutant (default: 60s)",
    )  # fmt: skip
    parser.add_argument(
        "--repeat", metavar="N", type=asked(count), default=1, help="judge each N times"
    )
    parser.add_argument(
        "--jobs", metavar="N", type=asked(count), default=1,
        help="judge N at once; each takes longer then (default: 1)",
    )  # fmt: skip
    parser.add_argument("--family", metavar="F", help="only the mutants of this family: eviction")
    parser.add_argument(
        "--matrix", action="store_true",
        help="run each mutant without stopping too, and show which clauses flag it (takes long)",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON")
    parser.add_argument("--html", metavar="FILE", help="write the result as one HTML file")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> ExitCode:
    """Judge the gate: every known bug must be flagged, and no correct store accused."""
    from onewinner.doctor import console, html, json, words
    from onewinner.doctor.examination import examine
    from onewinner.report import terminal
    from onewinner.report.ticking import ticking
    from onewinner.suite.engine import UsageError

    def heard(line: str) -> None:
        ticker.doing = f"after: {line}"
        ticker.say(line)

    wanted = (("--json", args.json, json.dumps), ("--html", args.html, html.dumps))
    with (
        request.files(wanted) as write_reports,
        ticking(sys.stderr, "the first trial", quiet=args.quiet) as ticker,
    ):
        try:
            examined = examine(
                budget_s=args.budget,
                repeat=args.repeat,
                family=args.family,
                whole=args.matrix,
                jobs=args.jobs,
                on_trial=lambda target, trial: heard(words.trial_line(target, trial)),
                on_measured=lambda measured: heard(words.measured_line(measured)),
            )
        except UsageError as error:
            raise request.Unusable(str(error)) from error
        ticker.end()
        request.say(console.render(examined, terminal.of(sys.stdout)))
        write_reports(examined)
    code: ExitCode = examined.exit_code
    return code
