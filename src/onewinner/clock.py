"""Time: the only module that asks the operating system what time it is.

Two different things are called a clock here, and they are never mixed:

* a *store clock* (`Clock`) tells a store under test what "now" is, in integer milliseconds; it is
  the real wall clock, or virtual time that only the kit moves;
* the *kit's clock* (`monotonic_ns`, `wall_ns`) stamps what the kit saw. On Linux
  `CLOCK_MONOTONIC` is one clock for all processes of one boot, so stamps of different processes
  can be compared.
"""

from __future__ import annotations

import mmap
import os
import select
import struct
import threading
import time
from pathlib import Path
from typing import Final, Protocol, SupportsFloat, SupportsIndex, runtime_checkable

FAKETIME_FILE: Final = "FAKETIME_TIMESTAMP_FILE"
"""The variable of the environment that is set in a process whose wall clock the kit steps."""


def _sleep(seconds: SupportsFloat | SupportsIndex, /) -> None:
    select.select((), (), (), float(seconds))


if FAKETIME_FILE in os.environ:
    # libfaketime 0.9.10 takes the end of each sleep of CPython 3.11 and later, an instant of the
    # monotonic clock, for one of the wall clock: it fails, in the store too, which would be blamed.
    time.sleep = _sleep

_VIRTUAL_START_MS: Final = 1_700_000_000_000
_CELL = struct.Struct("@q")

monotonic_ns = time.monotonic_ns
wall_ns = time.time_ns
cpu_ns = time.process_time_ns
sleep = time.sleep


@runtime_checkable
class Clock(Protocol):
    """What a store asks for the time (contract 2: `now`)."""

    def now_ms(self) -> int:
        """Answer the current time in integer milliseconds."""
        ...  # pragma: no cover


class SystemClock:
    """The wall clock of this machine."""

    def now_ms(self) -> int:
        """Answer milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """Virtual time for one process: it stands still until it is moved."""

    def __init__(self, start_ms: int = 1_000_000) -> None:
        self._now_ms = start_ms
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        """Answer the virtual time in milliseconds."""
        return self._now_ms

    def advance(self, by_ms: int) -> int:
        """Move time by `by_ms`, back where it is negative, and answer the new time."""
        with self._lock:
            self._now_ms += by_ms
            return self._now_ms


def virtual_start_ms(unit_ms: int | None) -> int:
    """Answer where virtual time begins for a store whose TTLs have this resolution.

    At a multiple of it: a store that rounds then rounds nothing away, as long as TTLs and steps are
    multiples too.
    """
    return _VIRTUAL_START_MS - _VIRTUAL_START_MS % (unit_ms or 1)


class SharedClock:
    """Virtual time that all worker processes of a run share, kept in eight bytes of a mapped file.

    Pickling keeps the path only; each process maps the file for itself. An aligned eight-byte
    load or store is one machine access on the platforms that CPython supports, so a reader never
    sees half of a step. Only the coordinator of a run may call `advance`.
    """

    def __init__(self, path: str | Path, *, start_ms: int | None = None) -> None:
        self.path = str(path)
        if start_ms is not None:
            Path(self.path).write_bytes(_CELL.pack(start_ms))
        with Path(self.path).open("r+b") as file:
            self._cell = mmap.mmap(file.fileno(), _CELL.size)

    def now_ms(self) -> int:
        """Answer the virtual time in milliseconds."""
        now: int = _CELL.unpack_from(self._cell)[0]
        return now

    def advance(self, by_ms: int) -> int:
        """Move time for every process of the run and answer the new time."""
        now = self.now_ms() + by_ms
        _CELL.pack_into(self._cell, 0, now)
        return now

    def __reduce__(self) -> tuple[type[SharedClock], tuple[str]]:
        return (SharedClock, (self.path,))
