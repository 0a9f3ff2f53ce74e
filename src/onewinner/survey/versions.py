"""The versions of a store, asked of what is installed here: its packages, and its server."""

from __future__ import annotations

import importlib.metadata
import re
import sqlite3
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from onewinner.adapters.servers import RECIPES
from onewinner.adapters.targets import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.survey.catalogue import Listed

_PATIENCE_S = 10.0


def versions_of(store: Listed) -> dict[str, str]:
    """Answer the versions by name: `@VERSION` of the target, its packages, its server's program.

    What is not installed is left out; the run says why it could not be judged.
    """
    return dict(_versions(store))


def _versions(store: Listed) -> Iterator[tuple[str, str]]:
    name, at, version = store.target.partition("@")
    if at:
        yield name, version
    for package in store.packages:
        if package == "sqlite":  # it comes with Python
            yield package, sqlite3.sqlite_version
        with suppress(importlib.metadata.PackageNotFoundError):
            yield package, importlib.metadata.version(package)
    kind = Target(store.target).server
    program = None if kind is None else RECIPES[kind].program()
    if program is not None and (told := _told_by(program)):
        yield Path(program).name, told


def _told_by(program: str) -> str:
    """Answer the first number with a point that a program says of its version; empty for none."""
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
        found = re.search(r"\d+(?:\.\d+)+", said.stdout + said.stderr)
        return found[0] if found else ""
    return ""
