"""The command line: `onewinner verify`, `smoke`, `check`, `replay`, `doctor`, `survey`, `list`.

Results go to standard output, progress and errors to standard error. The exit code is the verdict
(`suite.tree.ExitCode`): 0 is answered only where the target conforms. What is heavy is imported
where it is needed, so that `onewinner --help` is quick.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from onewinner.command_line import parser_for
from onewinner.contract.clauses import CLAUSES, by_level
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import FrameType
    from typing import TextIO

    from onewinner.adapters.targets import Target
    from onewinner.suite.tree import RunResult

_Result = TypeVar("_Result")


class Interrupted(KeyboardInterrupt):
    """The run was told to stop by a signal other than the keyboard's."""


class _Unusable(Exception):  # noqa: N818 - never seen outside this module
    """The request cannot be carried out (exit 4)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and answer the exit code; no error of any kind is left to the caller."""
    try:
        args = parser_for(COMMANDS).parse_args(argv)
    except SystemExit as stop:  # after --help, --version or a usage error
        return int(stop.code or 0)
    try:
        with _signals_interrupt():
            code: ExitCode = args.command(args)
    except KeyboardInterrupt as stop:
        print(f"onewinner: interrupted ({_cause(stop)}); there is no verdict", file=sys.stderr)
        code = ExitCode.INTERRUPTED
    except _Unusable as error:
        _complain(str(error))
        code = ExitCode.USAGE
    except Exception as error:
        code = _internal_error(error)
    return int(code)


def verify(args: argparse.Namespace) -> ExitCode:
    """Judge a target clause by clause and write every report that was asked for."""
    from onewinner.report import console, progress, terminal
    from onewinner.suite import engine

    with _reports(args) as write_reports:
        options = engine.Options(
            level=args.level,
            budget_s=args.budget,
            seed=args.seed,
            select=tuple(args.select),
            stop_at_first=args.stop_at_first,
            histories=_folder("--histories", args.histories),
        )
        with progress.shown(sys.stderr, quiet=args.quiet) as listener:
            result = _judged(
                args, lambda target: engine.verify(target, options, on_progress=listener)
            )
        _say(console.render(result, terminal.of(sys.stdout)))
        write_reports(result)
    return ExitCode(result.exit_code)


def smoke(args: argparse.Namespace) -> ExitCode:
    """Judge the adapter alone: it must connect, win one claim and refuse one."""
    from onewinner.report import console, terminal
    from onewinner.suite import engine

    found = _judged(args, engine.smoke)
    _say(console.render_smoke(found, terminal.of(sys.stdout)))
    return ExitCode.CONFORMS if found.ok else ExitCode.VIOLATION


def check_history(args: argparse.Namespace) -> ExitCode:
    """Judge a recorded history: some order of its operations must be one that the model allows."""
    from onewinner.checker.verdict import Budgets
    from onewinner.history import HistoryError
    from onewinner.report import history, terminal
    from onewinner.suite.offline import UnknownModel, judge_file

    try:
        judged = judge_file(
            args.file,
            model=args.model,
            budgets=Budgets(timeout_s=args.budget),
            eps_ms=args.eps_ms,
            grace_ms=args.grace_ms,
        )
    except (HistoryError, UnknownModel) as error:
        raise _Unusable(str(error)) from error
    except OSError as error:
        raise _Unusable(f"{args.file} cannot be read: {error.strerror}; name a file") from error
    _say(history.render(judged, terminal.of(sys.stdout), explain=args.explain))
    return judged.exit_code


def replay(args: argparse.Namespace) -> ExitCode:
    """Run one schedule again on a fresh store; exit 1 where it goes wrong again, 0 where not."""
    from onewinner.suite.again import replayed
    from onewinner.suite.replay import TokenError, read_token

    try:
        token = read_token(args.token)
        args.target = token.target
        found = _judged(args, lambda target: replayed(target, token, args.repeat))
    except TokenError as error:
        raise _Unusable(str(error)) from error
    _say("".join(f"{line}\n" for line in found.lines()))
    code: ExitCode = found.exit_code
    return code


def doctor(args: argparse.Namespace) -> ExitCode:
    """Judge the gate: every known bug must be flagged, and no correct store accused."""
    from onewinner.doctor import console, html, json, words
    from onewinner.doctor.examination import examine
    from onewinner.report import terminal
    from onewinner.suite.engine import UsageError

    def tell(line: str) -> None:
        if not args.quiet:
            print(line, file=sys.stderr, flush=True)

    wanted = (("--json", args.json, json.dumps), ("--html", args.html, html.dumps))
    with _files(wanted) as write_reports:
        try:
            examined = examine(
                budget_s=args.budget,
                repeat=args.repeat,
                family=args.family,
                whole=args.matrix,
                jobs=args.jobs,
                on_trial=lambda target, trial: tell(words.trial_line(target, trial)),
                on_measured=lambda measured: tell(words.measured_line(measured)),
            )
        except UsageError as error:
            raise _Unusable(str(error)) from error
        _say(console.render(examined, terminal.of(sys.stdout)))
        write_reports(examined)
    code: ExitCode = examined.exit_code
    return code


def survey(args: argparse.Namespace) -> ExitCode:
    """Judge the stores of other projects that onewinner has adapters for, or those given."""
    from onewinner.adapters.targets import TargetError
    from onewinner.suite.engine import UsageError
    from onewinner.survey import json, markdown, surveying, words
    from onewinner.survey.catalogue import catalogue
    from onewinner.survey.findings import Survey, Surveyed

    def keep(found: Survey) -> None:
        if args.json is not None:
            _write("--json", args.json, json.dumps(found))

    def tell(store: Surveyed, found: Survey) -> None:
        keep(found)
        if not args.quiet:
            print(words.line(store), file=sys.stderr, flush=True)

    try:
        earlier = [json.loads(_read("--from", path), path) for path in args.held]
        held = {s.target: s for each in earlier for s in each.stores if s.ended == "judged"}
        keep(Survey(stores=tuple(held.values())))
        if args.write is not None:
            _opened("--write", args.write, "a").close()  # told now, and not after an hour
        found = surveying.survey(
            args.targets or tuple(catalogue()),
            level=args.level,
            budget_s=args.budget,
            select=tuple(args.select),
            jobs=args.jobs,
            held=held,
            on_surveyed=tell,
        )
    except (TargetError, UsageError) as error:
        raise _Unusable(str(error)) from error
    keep(found)
    if args.write is not None:
        _write("--write", args.write, markdown.dumps(found))
    _say(words.render(found))
    return found.exit_code


def list_clauses(args: argparse.Namespace) -> ExitCode:
    """Show the clauses of the contract with level, severity and needs."""
    clauses = by_level(args.level) if args.level else tuple(CLAUSES.values())
    if args.json:
        import json

        from onewinner.report.json import clause_as_dict
        from onewinner.suite.tree import SCHEMA_VERSION

        shown = [clause_as_dict(clause) for clause in clauses]
        _say(json.dumps({"schema_version": SCHEMA_VERSION, "clauses": shown}, indent=2) + "\n")
    else:
        from onewinner.report import console, terminal

        _say(console.render_list(clauses, terminal.of(sys.stdout)))
    return ExitCode.CONFORMS


def _judged(args: argparse.Namespace, judge: Callable[[Target], Any]) -> Any:
    """Call the engine; what the user can put right becomes `_Unusable`."""
    from onewinner.adapters.targets import Target, TargetError
    from onewinner.suite.engine import UsageError

    try:
        return judge(Target(args.target, location=args.location))
    except (TargetError, UsageError) as error:
        raise _Unusable(str(error)) from error
    except SystemExit as stop:
        # Left alone, a target that calls sys.exit(0) would make the gate green.
        raise _Unusable(
            f"target {args.target}: it called sys.exit({stop.code!r}) while it was judged; a store "
            f"must raise an error instead"
        ) from stop


def _reports(args: argparse.Namespace) -> AbstractContextManager[Callable[[RunResult], None]]:
    from onewinner.report import json, junit

    return _files((("--json", args.json, json.dumps), ("--junitxml", args.junitxml, junit.dumps)))


@contextmanager
def _files(
    wanted: Iterable[tuple[str, str | None, Callable[[_Result], str]]],
) -> Iterator[Callable[[_Result], None]]:
    """Open the report files before anything runs; the block gets the function that fills them.

    Opening empties a file, so that the report of an earlier run cannot be taken for this one's.
    """
    from contextlib import ExitStack

    with ExitStack() as stack:
        files: list[tuple[str, TextIO, Callable[[_Result], str]]] = []
        for option, path, dumps in wanted:
            if path is not None:
                files.append((path, stack.enter_context(_opened(option, path)), dumps))

        def write(result: _Result) -> None:
            for path, file, dumps in files:
                try:
                    file.write(dumps(result))
                    file.flush()
                except OSError as error:
                    raise _Unusable(f"the report {path} could not be written: {error}") from error

        yield write


def _folder(option: str, path: str | None) -> Path | None:
    """Answer the folder, made where it does not exist."""
    if path is None:
        return None
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _Unusable(
            f"{option} {path}: the folder cannot be made ({error}); name one that you may write to"
        ) from error
    return Path(path)


def _opened(option: str, path: str, mode: Literal["w", "a"] = "w") -> TextIO:
    try:
        return open(path, mode, encoding="utf-8")  # noqa: PTH123 - the caller closes it
    except (OSError, ValueError) as error:
        raise _Unusable(
            f"{option} {path}: the file cannot be written ({error}); name a file in a directory "
            f"that exists and that you may write to"
        ) from error


def _write(option: str, path: str, text: str) -> None:
    with _opened(option, path) as file:
        file.write(text)


def _read(option: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _Unusable(f"{option} {path}: the file cannot be read ({error})") from error


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


def _say(text: str) -> None:
    """Write to standard output; a reader that has gone (`| head`) changes no verdict."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end; that must not fail either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> None:
    from onewinner.report import text

    print(f"onewinner: {text.printable(message)}", file=sys.stderr)


def _internal_error(error: Exception) -> ExitCode:
    import traceback

    _complain(
        f"internal error of onewinner: {type(error).__name__}: {error}; this says nothing about "
        f"the target, please report it with the lines below"
    )
    traceback.print_exception(error)
    return ExitCode.INTERNAL_ERROR


COMMANDS: Final = {
    "verify": verify,
    "smoke": smoke,
    "check": check_history,
    "replay": replay,
    "doctor": doctor,
    "survey": survey,
    "list": list_clauses,
}
