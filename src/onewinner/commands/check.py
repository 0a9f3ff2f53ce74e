"""`onewinner check`: judge a history that was recorded."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from onewinner.arguments import asked, duration, milliseconds
from onewinner.commands import parsing, request

if TYPE_CHECKING:
    import argparse

    from onewinner.suite.offline import Judged
    from onewinner.suite.tree import ExitCode

_EPILOG: Final = "exit codes: 0 valid; 1 invalid; 4 FILE is no history; 7 unknown\n"


def add(commands: Any) -> None:
    """Add the command and its options."""
    from onewinner.checker.claims import EPS_MS
    from onewinner.suite.offline import MODELS

    parser = parsing.command(
        commands, "check", run, "judge a history that was recorded", epilog=_EPILOG
    )
    parser.add_argument("file", metavar="FILE", help="JSON Lines, see specs/history.md")
    parser.add_argument(
        "--model", choices=MODELS, help="what was used (default: by the names of the operations)"
    )
    parser.add_argument(
        "--explain", action="store_true", help="show the few operations that make it invalid"
    )
    parser.add_argument(
        "--html", metavar="FILE", help="write the verdict as a page, with the history as a timeline"
    )
    parser.add_argument(
        "--budget", metavar="TIME", type=asked(duration), default=60.0,
        help="time to search, after which the verdict is unknown (default: 60s)",
    )  # fmt: skip
    parser.add_argument(
        "--eps-ms", metavar="MS", type=asked(milliseconds),
        help="how far the store's clock may be off the history's (default: what the file says, "
        f"else {EPS_MS})",
    )  # fmt: skip
    parser.add_argument(
        "--grace-ms", metavar="MS", type=asked(milliseconds), default=0,
        help="how long an expired row may still be seen (default: 0, by the contract)",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> ExitCode:
    """Judge a recorded history: some order of its operations must be one that the model allows."""
    from onewinner.checker.verdict import Budgets
    from onewinner.history import HistoryError
    from onewinner.report import history, terminal
    from onewinner.report.ticking import ticking
    from onewinner.suite.offline import UnknownModel, judge_file

    with request.files([("--html", args.html, _page)]) as write_reports:
        try:
            with ticking(sys.stderr, f"judging {args.file}", quiet=args.quiet):
                judged = judge_file(
                    args.file,
                    model=args.model,
                    budgets=Budgets(timeout_s=args.budget),
                    eps_ms=args.eps_ms,
                    grace_ms=args.grace_ms,
                )
        except (HistoryError, UnknownModel) as error:
            raise request.Unusable(str(error)) from error
        except OSError as error:
            raise request.Unusable(
                f"{args.file} cannot be read: {error.strerror}; name a file"
            ) from error
        request.say(history.render(judged, terminal.of(sys.stdout), explain=args.explain))
        write_reports(judged)
    return judged.exit_code


def _page(judged: Judged) -> str:
    """Answer the page of a history, which is read once more for it: no verdict holds on to it."""
    from onewinner.history import read_any
    from onewinner.report import html

    recording = read_any(judged.path)
    return html.dumps_history(judged, recording.operations, recording.remarks)
