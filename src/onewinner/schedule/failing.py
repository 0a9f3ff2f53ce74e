"""System calls that change a file of the store: which they are, and how one is made to fail.

The kernel lets a tracer skip a system call and say what it answers. So the call fails for just this
process, with the error number that is wanted, and nothing of it has happened.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns
from onewinner.schedule import ptrace
from onewinner.schedule.syscalls import path_place
from onewinner.schedule.tracer_target import target_of

if TYPE_CHECKING:
    from onewinner.schedule.claimant import Point
    from onewinner.schedule.ptrace import Entry
    from onewinner.schedule.tracer import Thread

_CHANGES_TEXT: Final = """
write writev pwrite64 pwritev pwritev2 fsync fdatasync sync_file_range ftruncate truncate fallocate
creat mkdir mkdirat rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat rmdir
"""
_CHANGES: Final = frozenset(_CHANGES_TEXT.split())

_FREES: Final = frozenset({"unlink", "unlinkat", "rmdir"})
"""These give room back: a full disk does not make them fail."""

# Where the flags stand: of these calls only those that make a file change anything.
_FLAGS_PLACE: Final = {"open": 1, "openat": 2}
_AT_PLACE: Final = {"symlinkat": 1, "renameat": 2, "renameat2": 2, "linkat": 2}
_DESCRIPTOR_BITS: Final = 0xFFFF_FFFF
_AT_FDCWD: Final = -100 & _DESCRIPTOR_BITS


@dataclass(slots=True)
class Failing:
    """The system calls of one call of a claimant that change what is below a directory.

    The `number`-th of them, counted from 1, fails with `error`; 0: none does. `changes` are the
    points that they are, by their numbers; `failed` is the one that failed, at `failed_ns` of the
    monotonic clock.
    """

    below: str
    number: int = 0
    error: int = 0
    changes: list[tuple[int, Point]] = field(default_factory=list)
    failed: Point | None = None
    failed_ns: int = 0
    _thread: int = 0

    def enters(self, thread: Thread, name: str, entry: Entry, points: list[Point]) -> None:
        """Look at a system call that a thread is about to enter, which is the last of the points.

        Where it is the one that fails it is skipped.
        """
        if not _is_change(name, entry) or not self._is_below(thread.tid, name, entry):
            return
        self.changes.append((len(points), points[-1]))
        if len(self.changes) == self.number:
            ptrace.skip(thread.tid)
            self.failed, self.failed_ns, self._thread = points[-1], monotonic_ns(), thread.tid

    def leaves(self, thread: Thread) -> None:
        """Say what a system call that was skipped has come to."""
        if thread.tid == self._thread:
            self._thread = 0
            ptrace.answer(thread.tid, -self.error)

    def _is_below(self, tid: int, name: str, entry: Entry) -> bool:
        path = _absolute(tid, name, entry)
        return path.startswith((f"{self.below}/", f"{os.path.realpath(self.below)}/"))


def can_lack_room(point: Point) -> bool:
    """Tell whether a full disk could make the system call of this point fail."""
    return point.name.partition(" ")[0] not in _FREES


def _is_change(name: str, entry: Entry) -> bool:
    place = _FLAGS_PLACE.get(name)
    return name in _CHANGES or (place is not None and bool(entry.args[place] & os.O_CREAT))


def _absolute(tid: int, name: str, entry: Entry) -> str:
    """Answer the path that a system call changes; empty where it is none."""
    path = target_of(tid, name, entry)
    if not path or path.startswith("/") or path_place(name) is None:
        return path
    base = "cwd"
    if name.endswith(("at", "at2")):
        descriptor = entry.args[_AT_PLACE.get(name, 0)] & _DESCRIPTOR_BITS
        base = base if descriptor == _AT_FDCWD else f"fd/{descriptor}"
    try:
        return os.path.normpath(os.path.join(os.readlink(f"/proc/{tid}/{base}"), path))  # noqa: PTH115, PTH118 - no paths of this process
    except OSError:
        return ""
