"""Counts the points of one call of a traced command, and says where it is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns
from onewinner.schedule import syscalls
from onewinner.schedule.syscall_points import NO_STORE, Points
from onewinner.schedule.tracer_target import target_of

if TYPE_CHECKING:
    from onewinner.schedule.claimant import Point
    from onewinner.schedule.command_process import CommandProcess
    from onewinner.schedule.ptrace import Entry
    from onewinner.schedule.tracer import Thread

# By these a thread wakes another.
_BELLS: Final = ("anon_inode:[eventfd]", "anon_inode:[eventpoll]")


class Gate:
    """Hears from the tracer what a command does, and knows when that is part of a call.

    The call begins when the request has been read and ends when the answer has been written, so a
    call has the same points however long either pipe took. `answer` is the answer's line and when
    it was read, in nanoseconds of the monotonic clock.
    """

    def __init__(self, process: CommandProcess) -> None:
        self.answer: tuple[str, int] | None = None
        self._process = process
        self._asked, self._answered, complained = process.links
        self._own = {self._asked, self._answered, complained, *_BELLS}
        self._awaited = False
        self._inside = False
        self._points = Points()

    @property
    def points(self) -> list[Point]:
        """The points that the call came to so far."""
        return self._points.passed

    def begin(self, key: str, hold: int | Point | None) -> None:
        """Expect a call about a key; its request is about to be sent."""
        self.answer = None
        self._awaited, self._inside = True, False
        self._points.begin({key: "KEY"}, hold)

    def aim(self, hold: int | Point | None) -> None:
        """Set where the call is held next."""
        self._points.hold = hold

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
        return self._points.reach(name, target)

    def leaves(self, thread: Thread, entry: Entry, value: int) -> bool:
        """Notice that the request was read, or the answer written; nothing is held there."""
        if value <= 0 or not (self._awaited or self._inside):
            return False
        name = syscalls.name_of(entry.arch, entry.number)
        if self._inside:
            if not thread.matters and target_of(thread.tid, name, entry) == self._answered:
                self.take_answer()
        elif name in syscalls.READS and target_of(thread.tid, name, entry) == self._asked:
            self._inside = True
        return False

    def swallows(self, _thread: Thread, _number: int) -> bool:
        """Leave every signal to the command."""
        return False

    def ended(self, tid: int, status: int) -> None:
        """Keep how the command ended."""
        if tid == self._process.pid:
            self._process.status = status

    def _is_own_business(self, target: str) -> bool:
        """Tell whether nobody but the command and the kit can notice what is done to a target."""
        return target in self._own or target.startswith(NO_STORE)
