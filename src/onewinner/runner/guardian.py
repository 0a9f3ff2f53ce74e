"""The kit's side of the guard: who tells it what must not outlive the kit.

One guard for each kit, started with the first thing that it is told of. It is a process of its own,
in a group of its own, for what ends the kit must not end the guard as well.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import Any, Final

from onewinner.worker import guard


def entrust_group(pid: int) -> None:
    """Have the process group that `pid` leads killed when this process is gone."""
    _GUARDIAN.entrust(f"g{pid}")


def release_group(pid: int) -> None:
    """Take a group back, after it was killed: its id may belong to others from now on."""
    _GUARDIAN.release(f"g{pid}")


def entrust_directory(path: str) -> None:
    """Have a directory, or a file, removed when this process is gone."""
    _GUARDIAN.entrust(f"d{os.fsencode(path).hex()}")


def release_directory(path: str) -> None:
    """Take a directory or a file back, after it was removed."""
    _GUARDIAN.release(f"d{os.fsencode(path).hex()}")


class Guardian:
    """A guard process, and all that it has been told; if it dies, the next one is told it too."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self._input = -1
        self._lock = threading.Lock()
        self._entrusted: set[str] = set()

    def entrust(self, what: str) -> None:
        """Tell the guard of something that must not outlive the kit."""
        with self._lock:
            self._entrusted.add(what)
            self._tell(f"+{what}\n")

    def release(self, what: str) -> None:
        """Tell the guard that something is none of its business any more."""
        with self._lock:
            self._entrusted.discard(what)
            self._tell(f"-{what}\n")

    def _tell(self, line: str) -> None:
        if self.pid is not None:
            try:
                os.write(self._input, line.encode("ascii"))
            except BrokenPipeError:
                self._bury(self.pid)
            else:
                return
        if self._entrusted:
            self._start()
            for each in self._entrusted:
                os.write(self._input, f"+{each}\n".encode("ascii"))

    def _bury(self, pid: int) -> None:
        os.close(self._input)
        self.pid = None
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)

    def _start(self) -> None:
        reading, writing = os.pipe()
        null = os.open(os.devnull, os.O_WRONLY)
        actions: list[Any] = [
            (os.POSIX_SPAWN_DUP2, theirs, place)
            for place, theirs in enumerate((reading, null, null))
        ]
        words = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid())]
        try:
            pid = os.posix_spawn(
                sys.executable, words, os.environ, file_actions=actions, setpgroup=0
            )
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
            os.close(null)
        self._input, self.pid = writing, pid

    def forget(self) -> None:
        """Begin anew in a process that was forked: the guard is its parent's."""
        if self.pid is not None:
            os.close(self._input)
        self.pid = None
        self._lock = threading.Lock()  # a thread that the fork did not copy may have held the old
        self._entrusted = set()


_GUARDIAN: Final = Guardian()
os.register_at_fork(after_in_child=_GUARDIAN.forget)
