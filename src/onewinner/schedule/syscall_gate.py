"""What is counted of a process that is traced: the system calls of a call that others can notice.

When a call begins and ends is the business of each kind of claimant: one in Python announces it
(`resident_gate.py`), and a copy of a command reads a request and writes an answer
(`served_gate.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.schedule import syscalls
from onewinner.schedule.syscall_points import NO_STORE, Points
from onewinner.schedule.tracer_target import target_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onewinner.generator import Call
    from onewinner.schedule.claimant import Point
    from onewinner.schedule.failing import Failing
    from onewinner.schedule.gate import Hold
    from onewinner.schedule.ptrace import Entry
    from onewinner.schedule.tracer import Thread

# By these a thread wakes another.
_BELLS: Final = ("anon_inode:[eventfd]", "anon_inode:[eventpoll]")


class SyscallGate:
    """Hears from the tracer what a process does; `own` are the pipes between it and the kit.

    `status` is the wait status of the process `pid` once the tracer has reaped it. `failing` looks
    at the system calls of the next call, and may let one fail.
    """

    def __init__(self, pid: int, own: Iterable[str]) -> None:
        self.status: int | None = None
        self.failing: Failing | None = None
        self.pid = pid
        self._own = {*own, *_BELLS}
        self._inside = False
        self._points = Points()

    @property
    def points(self) -> list[Point]:
        """The points that the call came to so far."""
        return self._points.passed

    def begin(self, call: Call, hold: Hold) -> None:
        """Expect a call; it has not begun yet."""
        self._inside = False
        words = {call.plugin: "PLUGIN"} | ({} if call.key is None else {call.key: "KEY"})
        self._points.begin(words, hold)

    def end(self) -> None:
        """Expect nothing more of the call: its answer has arrived."""
        self._inside = False

    def aim(self, hold: Hold) -> None:
        """Set where the call is held next."""
        self._points.hold = hold

    def enters(self, thread: Thread, entry: Entry) -> bool:
        """Count what others notice; answer whether the call is held there."""
        thread.matters = False
        return self._inside and self._counts(
            thread, syscalls.name_of(entry.arch, entry.number), entry
        )

    def _counts(self, thread: Thread, name: str, entry: Entry) -> bool:
        if not syscalls.is_point(name):
            return False
        target = target_of(thread.tid, name, entry)
        if self._is_own_business(target):
            return False
        thread.matters = True
        held = self._points.reach(name, target)
        if self.failing is not None:
            self.failing.enters(thread, name, entry, self._points.passed)
        return held

    def leaves(self, thread: Thread, entry: Entry, value: int) -> bool:
        """Hear what a system call has come to; nothing is held there."""
        del entry, value
        if self.failing is not None:
            self.failing.leaves(thread)
        return False

    def swallows(self, _thread: Thread, _number: int) -> bool:
        """Leave every signal to the process."""
        return False

    def ended(self, tid: int, status: int) -> None:
        """Keep how the process ended."""
        if tid == self.pid:
            self.status = status

    def _is_own_business(self, target: str) -> bool:
        """Tell whether nobody but the process and the kit can notice what is done to a target."""
        return target in self._own or target.startswith(NO_STORE)
