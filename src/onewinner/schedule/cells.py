"""A few counters that the kit and its claimants share, in memory."""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path
from typing import Final

_SIZE: Final = 8


class Cells:
    """Counters of orders taken, one for each claimant, which alone adds to it.

    From when a claimant has taken an order it sleeps only where it waits for somebody; before, it
    may just not have been woken yet. A file without a name holds them, so that nothing is left
    behind however the kit ends; a child opens it through `/proc`.
    """

    def __init__(self, count: int) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._file.truncate(count * _SIZE)
        self._open(self._file.fileno(), count)

    def _open(self, descriptor: int, count: int) -> None:
        self._count = count
        self._map = mmap.mmap(descriptor, count * _SIZE)
        self._cells = memoryview(self._map).cast("q")

    def add(self, cell: int) -> None:
        """Count one more."""
        self._cells[cell] += 1

    def count(self, cell: int) -> int:
        """Answer how many were counted."""
        return self._cells[cell]

    def close(self) -> None:
        """Give the memory back."""
        self._cells.release()
        self._map.close()
        self._file.close()

    def __getstate__(self) -> tuple[str, int]:
        return f"/proc/{os.getpid()}/fd/{self._file.fileno()}", self._count

    def __setstate__(self, state: tuple[str, int]) -> None:
        path, count = state
        self._file = Path(path).open("r+b")  # noqa: SIM115 - `close` closes it
        self._open(self._file.fileno(), count)
