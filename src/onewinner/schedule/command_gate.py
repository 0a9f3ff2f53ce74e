"""Counts the points of one call of a traced command, and says where it is held."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns
from onewinner.schedule import syscalls
from onewinner.schedule.claimant import Point
from onewinner.schedule.tracer_target import short_name, target_of

if TYPE_CHECKING:
    from onewinner.schedule.command_process import CommandProcess
    from onewinner.schedule.ptrace import Entry
    from onewinner.schedule.tracer import Thread

# Process ids, serial numbers, hashes and UUIDs differ from call to call; a point keeps its name.
_PASSING: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:[0-9]+|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"|[0-9A-Fa-f]{8,})(?![A-Za-z0-9])"
)

# By these a thread wakes another.
_BELLS: Final = ("anon_inode:[eventfd]", "anon_inode:[eventpoll]")

# No store keeps its rows here, but runtimes look here when they see fit: glibc, for one, reads
# /proc/sys/vm/overcommit_memory when it gives memory back, which is once in hundreds of calls.
_NO_STORE: Final = ("/proc/", "/sys/", "/dev/null", "/dev/random", "/dev/urandom")


class Gate:
    """Hears from the tracer what a command does, and knows when that is part of a call.

    The call begins when the request has been read and ends when the answer has been written, so a
    call has the same points however long either pipe took. `answer` is the answer's line and when
    it was read, in nanoseconds of the monotonic clock.
    """

    def __init__(self, process: CommandProcess) -> None:
        self.points: list[Point] = []
        self.answer: tuple[str, int] | None = None
        self._process = process
        self._asked, self._answered, complained = process.links
        self._own = {self._asked, self._answered, complained, *_BELLS}
        self._awaited = False
        self._inside = False
        self._counts: Counter[str] = Counter()
        self._hold: int | Point | None = None
        self._key = re.compile("$^")

    def begin(self, key: str, hold: int | Point | None) -> None:
        """Expect a call about a key; its request is about to be sent."""
        self.points = []
        self.answer = None
        self._counts.clear()
        self._awaited, self._inside = True, False
        self._key = re.compile(rf"(?<![A-Za-z0-9]){re.escape(key)}(?![A-Za-z0-9])")
        self.aim(hold)

    def aim(self, hold: int | Point | None) -> None:
        """Set where the call is held next."""
        self._hold = hold

    def take_answer(self) -> bool:
        """Look whether the answer is there; with it the call ends."""
        if self.answer is None and (line := self._process.answer()) is not None:
            self.answer = (line, monotonic_ns())
            self._awaited = self._inside = False
        return self.answer is not None

    def enters(self, thread: Thread, entry: Entry) -> bool:
        """Count a system call that others notice; answer whether the call is held there."""
        thread.matters = False
        if not self._inside:
            return False
        name = syscalls.name_of(entry.arch, entry.number)
        if not syscalls.is_point(name):
            return False
        target = target_of(thread.tid, name, entry)
        if self._is_own_business(target):
            return False
        thread.matters = True
        point = self._point(name, target)
        self.points.append(point)
        return self._hold in {point, len(self.points)}

    def leaves(self, thread: Thread, entry: Entry, value: int) -> None:
        """Notice that the request was read, or the answer written."""
        if value <= 0 or not (self._awaited or self._inside):
            return
        name = syscalls.name_of(entry.arch, entry.number)
        if self._inside:
            if not thread.matters and target_of(thread.tid, name, entry) == self._answered:
                self.take_answer()
        elif name in syscalls.READS and target_of(thread.tid, name, entry) == self._asked:
            self._inside = True

    def ended(self, tid: int, status: int) -> None:
        """Keep how the command ended."""
        if tid == self._process.pid:
            self._process.status = status

    def _is_own_business(self, target: str) -> bool:
        """Tell whether nobody but the command and the kit can notice what is done to a target."""
        return target in self._own or target.startswith(_NO_STORE)

    def _point(self, name: str, target: str) -> Point:
        what = _PASSING.sub("#", self._key.sub("KEY", short_name(target)))
        text = f"{name} {what}".rstrip()
        self._counts[text] += 1
        return Point(text, self._counts[text])
