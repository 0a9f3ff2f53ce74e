"""What commands share: a target judged, files opened before anything runs, and words said.

What the user can put right is `Unusable`, which ends the command with exit code 4.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator
    from typing import TextIO

    from onewinner.adapters.targets import Target
    from onewinner.artefacts import Artefact
    from onewinner.suite.tree import Known, RunResult

_Result = TypeVar("_Result")


class Unusable(Exception):  # noqa: N818 - a request is, not the kit
    """The request cannot be carried out (exit 4): what was given, why not, what to do instead."""


def artefact(identity: str) -> Artefact:
    """Answer the failure that was kept under a name here."""
    from onewinner.artefacts.artefact import ArtefactError, read

    try:
        return read(identity)
    except ArtefactError as error:
        raise Unusable(str(error)) from error


def kept(result: RunResult, location: str | None) -> RunResult:
    """Keep each failure of a run here, and answer the run with the names of what was kept.

    Where nothing can be written the verdict stands all the same, and that is a note of the run.
    """
    from onewinner import artefacts

    try:
        return artefacts.kept(result, location=location)
    except OSError as error:
        note = f"the failures could not be kept in {artefacts.FOLDER}/ ({error.strerror})"
        return replace(result, notes=(*result.notes, note))


def judged(args: argparse.Namespace, judge: Callable[[Target], Any]) -> Any:
    """Call the engine; what the user can put right becomes `Unusable`."""
    from onewinner.adapters.targets import Target, TargetError
    from onewinner.suite.engine import UsageError

    try:
        return judge(Target(args.target, location=args.location))
    except (TargetError, UsageError) as error:
        raise Unusable(str(error)) from error
    except SystemExit as stop:
        # Left alone, a target that calls sys.exit(0) would make the gate green.
        raise Unusable(
            f"target {args.target}: it called sys.exit({stop.code!r}) while it was judged; a store "
            f"must raise an error instead"
        ) from stop


@contextmanager
def files(
    wanted: Iterable[tuple[str, str | None, Callable[[_Result], str]]],
) -> Iterator[Callable[[_Result], None]]:
    """Open the report files before anything runs; the block gets the function that fills them.

    Opening empties a file, so that the report of an earlier run cannot be taken for this one's.
    """
    with ExitStack() as stack:
        files: list[tuple[str, TextIO, Callable[[_Result], str]]] = []
        for option, path, dumps in wanted:
            if path is not None:
                files.append((path, stack.enter_context(opened(option, path)), dumps))

        def write(result: _Result) -> None:
            for path, file, dumps in files:
                try:
                    file.write(dumps(result))
                    file.flush()
                except OSError as error:
                    raise Unusable(f"the report {path} could not be written: {error}") from error

        yield write


def folder(option: str, path: str | None) -> Path | None:
    """Answer the folder, made where it does not exist."""
    if path is None:
        return None
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unusable(
            f"{option} {path}: the folder cannot be made ({error}); name one that you may write to"
        ) from error
    return Path(path)


def opened(option: str, path: str, mode: Literal["w", "a"] = "w") -> TextIO:
    """Answer the file, opened; the caller closes it."""
    try:
        return open(path, mode, encoding="utf-8")  # noqa: PTH123 - the caller closes it
    except (OSError, ValueError) as error:
        raise Unusable(
            f"{option} {path}: the file cannot be written ({error}); name a file in a directory "
            f"that exists and that you may write to"
        ) from error


def write(option: str, path: str, text: str) -> None:
    """Write a text into a file."""
    with opened(option, path) as file:
        file.write(text)


def read(option: str, path: str) -> str:
    """Answer the text of a file."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise Unusable(f"{option} {path}: the file cannot be read ({error})") from error


def say(text: str) -> None:
    """Write to standard output; a reader that has gone (`| head`) changes no verdict."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end; that must not fail either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(message: str) -> None:
    """Say on standard error what is wrong."""
    from onewinner.report import text

    print(f"onewinner: {text.printable(message)}", file=sys.stderr)


def baseline(option: str, path: str) -> tuple[Known, ...]:
    """Answer the known failures that a file holds."""
    from onewinner.baseline.reading import BaselineError
    from onewinner.baseline.reading import read as read_baseline

    try:
        return read_baseline(read(option, path), path)
    except BaselineError as error:
        raise Unusable(f"{option} {error}") from error
