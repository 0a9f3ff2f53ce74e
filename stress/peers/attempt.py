"""One attempt of one tool at one bug: run as `python TOOL.py BUG LIMIT_S`, it prints one line.

The line is JSON: whether the bug was found, the seconds until the tool said so (with the start of
its workers, without that of the interpreter), how many replays of how many went wrong again (None:
it has none), and a note. `LIMIT_S` is when a tool that could go on for ever gives up.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from broken_claims import CLAIMS
from bugs import BUGS, Bug

from onewinner.clock import monotonic_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLAIMANTS = 4


@dataclass(slots=True)
class Found:
    """What an attempt came to."""

    found: bool
    note: str = ""
    replayed: tuple[int, int] | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Limit:
    """When to give up."""

    until_ns: int

    @property
    def over(self) -> bool:
        """Whether it is time to."""
        return monotonic_ns() > self.until_ns

    @property
    def left_s(self) -> float:
        """The seconds that are left."""
        return max(0.1, (self.until_ns - monotonic_ns()) / 1e9)


@contextmanager
def place() -> Iterator[Path]:
    """Answer a directory for stores, in memory where there is one, the same for every tool."""
    memory = Path("/dev/shm")
    path = tempfile.mkdtemp(prefix="peers-", dir=memory if memory.is_dir() else None)
    try:
        yield Path(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def attempt(hunt: Callable[[Bug, Limit, Path], Found]) -> None:
    """Let a tool hunt for the bug of the command line, and print what came of it."""
    bug, limit_s = {**BUGS, **CLAIMS}[sys.argv[1]], float(sys.argv[2])
    with place() as home:
        started = monotonic_ns()
        found = hunt(bug, Limit(started + int(limit_s * 1e9)), home)
        found.seconds = found.seconds or (monotonic_ns() - started) / 1e9
    print(json.dumps(asdict(found)), flush=True)
