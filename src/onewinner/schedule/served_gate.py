"""Counts the points of one call that a command serves (`exec:COMMAND`): system calls of its copy.

A call begins when its request has been read and ends when its answer has been written, so a call
has the same points however long either pipe took.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.schedule import syscalls
from onewinner.schedule.syscall_points import NO_STORE, Points
from onewinner.schedule.tracer_target import target_of

if TYPE_CHECKING:
    from onewinner.generator import Call
    from onewinner.schedule.claimant import Point
    from onewinner.schedule.failing import Failing
    from onewinner.schedule.gate import Hold
    from onewinner.schedule.ptrace import Entry
    from onewinner.schedule.tracer import Thread

# By these a thread wakes another.
_BELLS: Final = ("anon_inode:[eventfd]", "anon_inode:[eventpoll]")


class ServedGate:
    """Hears from the tracer what a copy of the command does; `links` are its standard streams.

    `status` is the wait status of the process `pid` once the tracer has reaped it. `failing` looks
    at the system calls of the next call, and may let one fail. `begun`: the copy has read the
    request of the call.
    """

    def __init__(self, pid: int, links: tuple[str, ...]) -> None:
        self.status: int | None = None
        self.failing: Failing | None = None
        self.begun = False
        self.pid = pid
        self._asked, self._answered, self._complained = links
        self._own = {*links, *_BELLS}
        self._awaited = False
        self._inside = False
        self._points = Points()

    @property
    def points(self) -> list[Point]:
        """The points that the call came to so far."""
        return self._points.passed

    def begin(self, call: Call, hold: Hold) -> None:
        """Expect a call; its request is about to be sent."""
        self._awaited, self._inside, self.begun = True, False, False
        words = {call.plugin: "PLUGIN"} | ({} if call.key is None else {call.key: "KEY"})
        self._points.begin(words, hold)

    def end(self) -> None:
        """Expect nothing more of the call: its answer has arrived."""
        self._awaited = self._inside = False

    def aim(self, hold: Hold) -> None:
        """Set where the call is held next."""
        self._points.hold = hold

    def enters(self, thread: Thread, entry: Entry) -> bool:
        """Count what others notice; answer whether the call is held there."""
        thread.matters = False
        if not self._inside:
            return False
        name = syscalls.name_of(entry.arch, entry.number)
        if not syscalls.is_point(name):
            return False
        target = target_of(thread.tid, name, entry)
        if target in self._own or target.startswith(NO_STORE):
            return False
        thread.matters = True
        held = self._points.reach(name, target)
        if self.failing is not None:
            self.failing.enters(thread, name, entry, self._points.passed)
        return held

    def leaves(self, thread: Thread, entry: Entry, value: int) -> bool:
        """Notice that a request was read, or an answer written; nothing is held there."""
        if self.failing is not None:
            self.failing.leaves(thread)
        if value <= 0 or not self._awaited or thread.matters:
            return False
        name = syscalls.name_of(entry.arch, entry.number)
        if self._inside:
            self._inside = target_of(thread.tid, name, entry) != self._answered
        elif name in syscalls.READS and target_of(thread.tid, name, entry) == self._asked:
            self._inside = self.begun = True
        return False

    def swallows(self, _thread: Thread, _number: int) -> bool:
        """Leave every signal to the command."""
        return False

    def ended(self, tid: int, status: int) -> None:
        """Keep how the copy ended."""
        if tid == self.pid:
            self.status = status
