"""`onewinner certificate`: read a certificate, and compute it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner.commands import parsing, request
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    import argparse

    from onewinner.certificate.words import Statement

_EPILOG: Final = """\
exit codes: 0 it could be read, and with --check all of it is equal, whether the
store conforms or not; 1 something differs; 4 FILE is no certificate; 7 a history
is missing, or a verdict is unknown
"""


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = parsing.command(
        commands, "certificate", run, "read a certificate, or compute it again", epilog=_EPILOG
    )
    parser.add_argument("file", metavar="FILE", help="what onewinner certify wrote")
    parser.add_argument(
        "--check", action="store_true",
        help="judge its histories again, and say in a line each what differs",
    )  # fmt: skip
    parser.add_argument("--badge", metavar="FILE", help="write the badge for shields.io as JSON")


def run(args: argparse.Namespace) -> ExitCode:
    """Show what a certificate states; with --check compute it again (see specs/certificate.md)."""
    from onewinner.certificate import badge, summary

    statement = _read(args.file)
    if args.check:
        from onewinner.certificate.checking import check

        checked = check(statement, Path(args.file).parent)
        request.say(summary.render_check(statement, checked))
        code = checked.exit_code
    else:
        checked = None
        request.say(summary.render(statement))
        code = ExitCode.CONFORMS
    if args.badge is not None:
        request.write("--badge", args.badge, badge.dumps(statement, checked))
    return code


def _read(path: str) -> Statement:
    from onewinner.certificate import words

    try:
        return words.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise request.Unusable(f"{path} cannot be read ({error}); name a certificate") from error
    except words.NotACertificate as error:
        raise request.Unusable(f"{path}: {error}") from error
