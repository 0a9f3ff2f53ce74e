"""The command line: one room of commands, and what holds for all of them.

Results go to standard output, progress and errors to standard error. The exit code is the verdict
(`suite.tree.ExitCode`): 0 is answered only where the target conforms. What is heavy is imported
where it is needed, so that `onewinner --help` is quick.
"""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

from onewinner.commands import (
    baseline,
    certificate,
    certify,
    check,
    clauses,
    doctor,
    explain,
    init,
    parsing,
    replay,
    request,
    smoke,
    survey,
    vectors,
    verify,
)
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

COMMANDS: Final = (
    init,
    verify,
    baseline,
    certify,
    certificate,
    smoke,
    vectors,
    check,
    replay,
    explain,
    doctor,
    survey,
    clauses,
)
"""The commands, in the order in which the help shows them."""


class Interrupted(KeyboardInterrupt):
    """The run was told to stop by a signal other than the keyboard's."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and answer the exit code; no error of any kind is left to the caller."""
    try:
        args = parser().parse_args(argv)
    except SystemExit as stop:  # after --help, --version or a usage error
        return int(stop.code or 0)
    try:
        with _signals_interrupt():
            code: ExitCode = args.command(args)
    except KeyboardInterrupt as stop:
        print(f"onewinner: interrupted ({_cause(stop)}); there is no verdict", file=sys.stderr)
        code = ExitCode.INTERRUPTED
    except request.Unusable as error:
        request.complain(str(error))
        code = ExitCode.USAGE
    except Exception as error:
        code = _internal_error(error)
    return int(code)


def parser() -> argparse.ArgumentParser:
    """Answer the parser of the whole command line."""
    whole = parsing.Parser(
        prog="onewinner",
        description="Judge a keyed store with an atomic claim, clause by clause.",
        epilog=parsing.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    added = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for each in COMMANDS:
        each.add(added)
    return whole


class _Version(argparse.Action):
    """Look the version up only when it is asked for: that takes as long as all the rest."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        import onewinner

        print(f"onewinner {onewinner.__version__}")
        parser.exit(0)


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a run as Ctrl-C does: through every clean-up on the way.

    Only the first counts, so that a second does not end the clean-up that the first began.
    """
    came = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal came
        if not came:
            came = True
            raise Interrupted(signal.Signals(number).name)

    before: dict[signal.Signals, Any] = {}
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):
            # What the caller ignores (nohup) stays ignored; None: not ours to replace.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, stop)
    except ValueError:  # not the main thread: signals go elsewhere
        before.clear()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _cause(stop: KeyboardInterrupt) -> str:
    return str(stop) if isinstance(stop, Interrupted) else "Ctrl-C"


def _internal_error(error: Exception) -> ExitCode:
    import traceback

    request.complain(
        f"internal error of onewinner: {type(error).__name__}: {error}; this says nothing about "
        f"the target, please report it with the lines below"
    )
    traceback.print_exception(error)
    return ExitCode.INTERNAL_ERROR
