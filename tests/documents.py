"""The documents as programs: their files are written and their commands run, in the order shown.

A block that has a title is a file. A block of `sh`, and the lines of `console` that begin with a
dollar, are commands; each must end with 0, and all of a page share one directory. What a page wants
otherwise stands in a comment before the block, its parts with semicolons between:

    <!-- test: exits 1 -->                        what the commands may end with (`0 or 7`)
    <!-- test: second adds --budget 3s -->        put behind the commands, here behind the second
    <!-- test: drops -n auto -->                  taken out of the commands
    <!-- test: elsewhere .ci/run: survey -->      not run here, but by that file, where this stands
    <!-- test: in a directory of its own -->      or `each in a directory of its own`

`ID` in a command stands for the first failure that the last red run has kept.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
"""The documents that are carried out."""

SPECS: Final = sorted((ROOT / "specs").rglob("*.md"))
"""Documents whose commands are only held to be such: what they say of formats is tested apart."""

MEASURED: Final = {
    "docs/mutation.md": ".ci/run: stress/*.py",
    "docs/openclaw.md": ".ci/run: stress/*.py",
    "docs/peers.md": ".ci/run: stress/*.py",
    "docs/suites.md": ".ci/run: stress/*.py",
    "docs/trophies.md": ".ci/run: onewinner survey",
}
"""Pages of what was found; their commands take hours, and CI runs them at a size it can spare."""

_BLOCK: Final = re.compile(
    r"(?:<!-- test: (?P<told>.*?) -->\n)?"
    r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<body>.*?)^```$',
    re.DOTALL | re.MULTILINE,
)
_ORDINALS: Final = ("first", "second", "third", "fourth")
_KEPT: Final = re.compile(r"Kept: \.onewinner/(\w+)")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of a page: as it is shown, as it is run, and what it may end with."""

    shown: str
    run: str
    exits: frozenset[int] = frozenset({0})
    elsewhere: str = ""
    own: str = ""


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that a page shows."""

    name: str
    text: str


def steps(page: str) -> Iterator[Command | File]:
    """Yield what a page asks to be done, in its order."""
    for number, block in enumerate(_BLOCK.finditer(page)):
        if block["title"]:
            yield File(name=block["title"], text=block["body"])
        elif block["language"] in {"sh", "console"}:
            yield from _commands(block, str(number))
        else:
            assert not block["told"], f"{block['told']!r} stands before what is not run"


def _commands(block: re.Match[str], number: str) -> Iterator[Command]:
    lines = block["body"].splitlines()
    if block["language"] == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    told = [part.strip() for part in (block["told"] or "").split(";") if part.strip()]
    for place, line in enumerate(lines):
        mine = [part for part in told if _is_about(part, place)]
        yield _told(line, mine, number, f"{number}-{place}")


def _is_about(part: str, place: int) -> bool:
    word = part.partition(" ")[0]
    return word not in _ORDINALS or word == _ORDINALS[place]


def _told(line: str, parts: list[str], block: str, place: str) -> Command:
    run, exits, elsewhere, own = line, frozenset({0}), "", ""
    for part in parts:
        ordinal = next(filter(part.startswith, _ORDINALS), "")
        word, _, rest = part.removeprefix(ordinal).strip().partition(" ")
        match word:
            case "exits":
                exits = frozenset(map(int, rest.split(" or ")))
            case "adds":
                run = f"{run} {rest}"
            case "drops":
                assert rest in run, f"{rest!r} is not in {line!r}"
                run = run.replace(rest, "")
            case "elsewhere":
                elsewhere = rest
            case "in" | "each":
                own = place if word == "each" else block
            case _:
                raise AssertionError(f"{part!r} means nothing; see tests/documents.py")
    return Command(shown=line, run=run, exits=exits, elsewhere=elsewhere, own=own)


def commands(page: Path) -> list[Command]:
    """Answer the commands of a page."""
    elsewhere = MEASURED.get(page.relative_to(ROOT).as_posix(), "")
    found = steps(page.read_text(encoding="utf-8"))
    return [
        replace(step, elsewhere=elsewhere or step.elsewhere)
        for step in found
        if isinstance(step, Command)
    ]


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Answer the parser of each command of onewinner."""
    from onewinner.cli import parser

    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise LookupError("the command line has no commands")


def words_of(command: str) -> list[str]:
    """Answer the words of a command, without what is said behind it."""
    return shlex.split(command, comments=True)


class Session:
    """One reader at work: in a directory of their own, with what a reader has on PATH."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "work"
        self.directory.mkdir()
        self._own = directory / "own"
        self._bin = directory / "bin"
        self._kept = ""
        programs(self._bin)

    def write(self, file: File) -> None:
        """Write a file as the page shows it."""
        path = self.directory / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")

    def run(self, command: Command) -> None:
        """Run a command, and hold it to what it may end with."""
        where = self._own / command.own if command.own else self.directory
        where.mkdir(parents=True, exist_ok=True)
        line = re.sub(r"\bID\b", lambda _: self._failure(), command.run)
        done = shell(line, where, self._bin)
        if found := _KEPT.findall(done.stdout):
            self._kept = found[0]
        assert done.returncode in command.exits, (
            f"{line}\nended with {done.returncode}, not {sorted(command.exits)}\n"
            f"{done.stdout}\n{done.stderr}"
        )

    def _failure(self) -> str:
        assert self._kept, "no command before this one has kept a failure"
        return self._kept


def programs(directory: Path) -> None:
    """Make the programs that a reader has: they run this interpreter."""
    directory.mkdir()
    begin = shlex.quote(sys.executable)
    for name, rest in {
        "python": "", "python3": "", "onewinner": " -m onewinner", "pytest": " -m pytest",
    }.items():  # fmt: skip
        program = directory / name
        end = f'exec {begin}{rest} "$@"\n'
        program.write_text(f"#!/usr/bin/env bash\n{end}", encoding="utf-8")
        program.chmod(0o755)


def shell(
    script: str, directory: Path, programs: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a script in a directory as CI services do: it ends at the first command that fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=directory,
        env={
            **kept,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "NO_COLOR": "1",
            "COLUMNS": "120",
            "PIP_NO_INDEX": "1",  # what is asked for is there, and nothing else is to come
            "PYTEST_ADDOPTS": "-p no:cacheprovider",
            **variables,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=110,
    )
