"""Whether this system tells who sleeps: what every controlled schedule of Python claimants needs.

A claimant that waits for another is told from one that is at work by the scheduler's own state, and
never by a time-out. Linux shows it in `/proc`; where it is not shown nothing is held.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_TASKS: Final = Path("/proc/self/task")
_BYTES: Final = 512
_PR_SET_TIMERSLACK: Final = 29
_PR_GET_TIMERSLACK: Final = 30


def cannot_tell_who_sleeps() -> str | None:
    """Answer why schedules cannot be controlled here, None where they can."""
    if _TASKS.is_dir():
        return None
    return f"schedules cannot be controlled here: it takes Linux's {_TASKS}, to tell who sleeps"


class SleepLook:
    """Looks whether a thread of another process sleeps, and how much it ran until then.

    The files of the system are kept open, for a look is taken many times a millisecond.
    """

    def __init__(self, pid: int, thread: int) -> None:
        self._stack = ExitStack()
        self._state, self._ran = (
            self._open(f"/proc/{pid}/task/{thread}/{name}") for name in ("stat", "schedstat")
        )

    def _open(self, path: str) -> int:
        descriptor = os.open(path, os.O_RDONLY)
        self._stack.callback(os.close, descriptor)
        return descriptor

    def ran(self) -> bytes:
        """Answer how much the thread ran so far where it sleeps; nothing where it does not.

        One that waits for a processor, or for a disk, does not sleep.
        """
        try:
            state = os.pread(self._state, _BYTES, 0)
            # Its name stands before in brackets, and may hold brackets too.
            asleep = state.rpartition(b")")[2].split(maxsplit=1)[0] == b"S"
            return os.pread(self._ran, _BYTES, 0) if asleep else b""
        except (OSError, IndexError):  # it is gone
            return b""

    def close(self) -> None:
        """Give the descriptors back."""
        self._stack.close()


@contextmanager
def sharp_timers() -> Iterator[None]:
    """Let this thread sleep for microseconds meanwhile, where Linux would add fifty to each sleep.

    A look that comes late costs far more: who naps for a lock meanwhile begins a longer nap.
    """
    libc: Any = ctypes.CDLL(None)
    usual = libc.prctl(_PR_GET_TIMERSLACK, 0, 0, 0, 0)
    libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_TIMERSLACK, max(usual, 1), 0, 0, 0)
