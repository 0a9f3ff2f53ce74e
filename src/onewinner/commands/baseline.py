"""`onewinner baseline`: write down which clauses a store is known to violate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner.arguments import asked, duration, seed_number
from onewinner.commands import parsing, request
from onewinner.suite.tree import ExitCode, Status

if TYPE_CHECKING:
    import argparse

    from onewinner.adapters.targets import Target
    from onewinner.baseline.writing import Draft
    from onewinner.suite.options import Listener, Options
    from onewinner.suite.tree import Known, RunResult

_EPILOG: Final = """\
TARGET as for verify. Entries that FILE holds stay as they are where their clause still
fails so, or was not judged; one whose clause is seen to hold is removed.

exit codes: 0 the baseline explains all that was seen; 2 interrupted; 3 internal error;
4 usage, or the target could not start; 5 nothing ran; 7 something is left that it
cannot explain: a clause in error, untested, or told in several ways
"""


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = parsing.command(
        commands, "baseline", run, "write down which failures are known", epilog=_EPILOG
    )
    parsing.target_arguments(parser)
    parser.add_argument(
        "--write", metavar="FILE", help="write it, or complete it (default: show it)"
    )
    parsing.level_argument(parser, "the highest level to judge (default: the highest that applies)")
    parser.add_argument(
        "--budget", metavar="TIME", type=asked(duration), help="time for programs and races: 60s"
    )
    parser.add_argument(
        "--seed", metavar="N", type=asked(seed_number), help="repeat the choices of a run: 0x51ab"
    )
    parsing.select_argument(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> ExitCode:
    """Judge a target and write an entry for each clause that it violates."""
    from onewinner.baseline import writing
    from onewinner.report import progress
    from onewinner.suite import engine

    before = _before(args.write)
    options = engine.Options(
        level=args.level, budget_s=args.budget, seed=args.seed, select=tuple(args.select)
    )
    with progress.shown(sys.stderr, quiet=args.quiet) as listener:
        result = request.judged(args, lambda target: _judge(target, options, before, listener))
    draft = writing.drafted(result, before)
    if args.write is None:
        request.say(writing.dumps(draft))
    else:
        _write(args.write, draft, before)
    return _code(result, draft)


def _before(path: str | None) -> tuple[Known, ...]:
    """Answer what the file holds already; a path that cannot be written is told now."""
    if path is None:
        return ()
    found = request.baseline("--write", path) if Path(path).exists() else ()
    request.opened("--write", path, "a").close()
    return found


def _judge(
    target: Target, options: Options, before: tuple[Known, ...], listener: Listener | None
) -> RunResult:
    from onewinner.baseline.applying import applied
    from onewinner.baseline.rerun import again
    from onewinner.suite import engine

    result = engine.verify(target, options, on_progress=listener)
    return applied(result, before, again(target, options, result, listener))


def _write(path: str, draft: Draft, before: tuple[Known, ...]) -> None:
    """Write the file; where entries are only added, what people wrote beside them stays."""
    from onewinner.baseline import writing

    had = request.read("--write", path)
    added = writing.additions(draft, before)
    if draft.known == before and had:
        text = had
    elif had and added is not None:
        text = had.rstrip("\n") + "\n" + added
    else:
        text = writing.dumps(draft)
    request.write("--write", path, text)
    for change in draft.changes or ("nothing changed",):
        request.complain(f"{path}: {change}")


def _code(result: RunResult, draft: Draft) -> ExitCode:
    if result.exit_code is ExitCode.NOTHING_RAN:
        return ExitCode.NOTHING_RAN
    open_ = [c for c in result.clauses if c.status in {Status.UNTESTED, Status.ERROR}]
    for clause in open_:
        request.complain(
            f"{clause.clause.id} is {clause.status.label}, which no baseline explains: "
            f"{clause.reason}"
        )
    for name in draft.unexplained:
        request.complain(f"{name} fails in ways that its entry does not explain")
    return ExitCode.INCONCLUSIVE if open_ or draft.unexplained else ExitCode.CONFORMS
