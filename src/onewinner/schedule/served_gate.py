"""Counts the points of one call that a command serves (`exec:COMMAND`): system calls of its copy.

A call begins when its request has been read and ends when its answer has been written, so a call
has the same points however long either pipe took.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.schedule import syscalls
from onewinner.schedule.syscall_gate import SyscallGate
from onewinner.schedule.tracer_target import target_of

if TYPE_CHECKING:
    from onewinner.generator import Call
    from onewinner.schedule.gate import Hold
    from onewinner.schedule.ptrace import Entry
    from onewinner.schedule.tracer import Thread


class ServedGate(SyscallGate):
    """Hears from the tracer what a copy of the command does; `links` are its standard streams."""

    def __init__(self, pid: int, links: tuple[str, ...]) -> None:
        super().__init__(pid, links)
        self._asked, self._answered, _ = links
        self._awaited = False

    def begin(self, call: Call, hold: Hold) -> None:
        """Expect a call; its request is about to be sent."""
        super().begin(call, hold)
        self._awaited = True

    def end(self) -> None:
        """Expect nothing more of the call: its answer has arrived."""
        super().end()
        self._awaited = False

    def leaves(self, thread: Thread, entry: Entry, value: int) -> bool:
        """Notice that a request was read, or an answer written; nothing is held there."""
        super().leaves(thread, entry, value)
        if value <= 0 or not self._awaited or thread.matters:
            return False
        name = syscalls.name_of(entry.arch, entry.number)
        if self._inside:
            self._inside = target_of(thread.tid, name, entry) != self._answered
        elif name in syscalls.READS and target_of(thread.tid, name, entry) == self._asked:
            self._inside = True
        return False
