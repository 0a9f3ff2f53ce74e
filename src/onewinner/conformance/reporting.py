"""The reports of a pytest run: written once, by the process that the user started."""

from __future__ import annotations

import importlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from onewinner.baseline.applying import applied
from onewinner.report import github
from onewinner.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from onewinner.suite.tree import Known, RunResult

    Dumps = Callable[[RunResult], str]


def held(trees: Mapping[str, RunResult], known: Sequence[Known]) -> dict[str, RunResult]:
    """Answer the trees with what was known of their stores.

    Only a run of all checks tells that an entry is stale, for others may be what it is about.
    """
    found = {name: applied(tree, known) for name, tree in trees.items()}
    return {name: tree if tree.whole else replace(tree, stale=()) for name, tree in found.items()}


def dumps_of(kind: str) -> Dumps:
    """Answer the writer of a kind of report, `json` or `html`."""
    found: Dumps = importlib.import_module(f"onewinner.report.{kind}").dumps
    return found


def write(path: Path, kind: str, trees: Mapping[str, RunResult]) -> None:
    """Write the report of each class: into the file, or into one for each where there are several.

    Of several each has the name of its class before the suffix, and the file itself is removed, so
    that nobody takes one of them for the whole. Raises OSError.
    """
    dumps = dumps_of(kind)
    if len(trees) == 1:
        path.write_text(dumps(next(iter(trees.values()))), encoding="utf-8")
        return
    path.unlink(missing_ok=True)
    for name, tree in trees.items():
        own = path.with_name(f"{path.stem}-{_word(name)}{path.suffix}")
        own.write_text(dumps(tree), encoding="utf-8")


def _word(name: str) -> str:
    """Answer the id of a class as a word for a file's name: `tests.test_store.TestMine`."""
    word = name.replace("::", ".").replace("/", ".").replace(".py.", ".")
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in word)


def stale(trees: Mapping[str, RunResult]) -> list[str]:
    """Answer what is to be said of entries that expect what does not happen any more."""
    return [printable(f"{name}: {told}") for name, tree in trees.items() for told in tree.stale]


def on_github(trees: Mapping[str, RunResult]) -> Iterator[str]:
    """Yield the lines that annotate the change in a workflow of GitHub, and write the summary."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        try:
            for tree in trees.values():
                github.append_summary(tree, path)
        except OSError as error:
            yield f"onewinner: the summary of the job could not be written: {error}"
    workspace = os.environ.get("GITHUB_WORKSPACE", "")
    yield from github.commands(list(trees.values()), workspace).splitlines()
