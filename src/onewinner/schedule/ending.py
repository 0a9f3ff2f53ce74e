"""The end of a process that is traced: killed with all it started, reaped to the last thread.

The kernel tells the end of a process only after each of its traced threads was reaped by the thread
that traces it; so a plain wait for such a process would last for ever.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns, sleep
from onewinner.schedule.ptrace import WALL

if TYPE_CHECKING:
    from collections.abc import Iterable

_END_S: Final = 30.0


def end_group(pid: int, status: int | None, traced: Iterable[tuple[int, int]] = ()) -> int | None:
    """Kill a child that leads a group, its group, and what else of it is traced; reap all of it.

    `status` is the child's wait status where it was reaped before, else None; the answer is its
    status. `traced` are process and thread ids. An id stays in use until it is reaped, so nobody
    else's process can be hit.
    """
    if status is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    end = _End(pid, status, {tid: of for of, tid in traced})
    for other in set(end.left.values()) - {pid}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(other, signal.SIGKILL)
    until = monotonic_ns() + int(_END_S * 1e9)
    while end.reap() and monotonic_ns() < until:
        sleep(0.0002)
    return end.status


def end_traced(traced: Iterable[tuple[int, int]]) -> None:
    """Kill traced processes that are another's children, and reap their threads for the tracer.

    Until its tracer has done so a process is not told to its parent.
    """
    left = {tid: pid for pid, tid in traced}
    for pid in set(left.values()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    until = monotonic_ns() + int(_END_S * 1e9)
    while left and monotonic_ns() < until:
        for tid in list(left):
            with contextlib.suppress(ChildProcessError):
                found, status = os.waitpid(tid, os.WNOHANG | WALL)
                if not found or os.WIFSTOPPED(status):
                    continue
            del left[tid]
        sleep(0.0002)


class _End:
    """Who is left to be reaped: the group, and `left`, threads with their processes."""

    def __init__(self, pid: int, status: int | None, left: dict[int, int]) -> None:
        self.status = status
        self.left = left
        self._pid = pid

    def reap(self) -> bool:
        """Reap what has ended; tell whether more is there.

        A stranger in the group is a child that was started while its parent was killed.
        """
        for tid in (-self._pid, *self.left):
            try:
                found, status = os.waitpid(tid, os.WNOHANG | WALL)
                while found:
                    self._take(found, status)
                    found, status = os.waitpid(tid, os.WNOHANG | WALL)
            except ChildProcessError:
                self.left.pop(tid, None)
                if tid == -self._pid and not self.left:
                    return False
        return True

    def _take(self, found: int, status: int) -> None:
        if os.WIFSTOPPED(status):
            with contextlib.suppress(ProcessLookupError):
                os.kill(found, signal.SIGKILL)
        elif found == self._pid:
            self.status = status
