"""Counts the points of one call of a traced claimant in Python: system calls, or client calls.

A call lies between the two announcements of its thread (`announcing.py`). All threads of the
process count, and what it starts, for a store may have others do its work.
"""

from __future__ import annotations

import sysconfig
from typing import TYPE_CHECKING, Final

from onewinner.schedule import announcing, sockets, syscalls
from onewinner.schedule.syscall_gate import SyscallGate
from onewinner.schedule.tracer_target import target_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onewinner.generator import Call
    from onewinner.schedule.gate import Boundary, Hold
    from onewinner.schedule.ptrace import Entry
    from onewinner.schedule.tracer import Thread

# The interpreter reads its own code when it first needs it: whoever imports inside a call.
_CODE: Final = tuple(
    {
        f"{path}/"
        for name, path in sysconfig.get_paths().items()
        if name in {"stdlib", "platstdlib", "purelib", "platlib"}
    }
)
_CODE_FILES: Final = (".py", ".pyc", ".so", "__pycache__", "pyvenv.cfg")
_SYSTEM_FILES: Final = ("/etc/localtime", "/usr/share/zoneinfo", "/usr/lib/locale/")


class ResidentGate(SyscallGate):
    """Hears from the tracer what a claimant does, at one boundary: see `begin`."""

    def __init__(self, pid: int, own: Iterable[str]) -> None:
        super().__init__(pid, own)
        self._client = False
        self._awaited: set[str] = set()

    def begin(self, call: Call, hold: Hold, boundary: Boundary = "syscall") -> None:
        """Expect a call, whose points are client calls or system calls."""
        super().begin(call, hold)
        self._client = boundary == "client"
        self._awaited.clear()

    def enters(self, thread: Thread, entry: Entry) -> bool:
        """Count what others notice; answer whether the call is held there."""
        thread.matters = False
        name = syscalls.name_of(entry.arch, entry.number)
        if name == announcing.NAME and entry.args[1] == announcing.END:
            self._inside, thread.free = False, True
        if not self._inside:
            return False
        if self._client:
            return self._sends(thread, name, entry)
        return self._counts(thread, name, entry)

    def leaves(self, thread: Thread, entry: Entry, value: int) -> bool:
        """Notice the first of an answer from a server; answer whether the call is held there."""
        super().leaves(thread, entry, value)
        if not (self._inside and self._client and value > 0 and self._awaited):
            return False
        name = syscalls.name_of(entry.arch, entry.number)
        if name not in syscalls.RECEIVES:
            return False
        link = target_of(thread.tid, name, entry)
        if link not in self._awaited:
            return False
        self._awaited.discard(link)
        return self._points.reach(sockets.TAKE)

    def swallows(self, thread: Thread, number: int) -> bool:
        """Notice that a call begins; from here on its thread's system calls are looked at."""
        if number != announcing.BEGIN:
            return False
        self._inside, thread.free = True, False
        return True

    def _sends(self, thread: Thread, name: str, entry: Entry) -> bool:
        if name not in syscalls.SENDS and name != "connect":
            return False
        link = target_of(thread.tid, name, entry)
        if not link.startswith("socket:"):
            return False
        thread.matters = True
        if name == "connect":
            return self._points.reach(sockets.CONNECT)
        self._awaited.add(link)
        return self._points.reach(sockets.SEND)

    def _is_own_business(self, target: str) -> bool:
        """Tell whether nobody but the claimant can notice what is done to a target."""
        if super()._is_own_business(target) or target.startswith((*_SYSTEM_FILES, *_CODE)):
            return True
        return target.endswith(_CODE_FILES)
