"""What a process finds on a system that is not Linux: the interpreter reads this when it starts.

It takes away what macOS lacks: `/proc`, `/sys` and `/dev/shm`, prctl, ptrace, the placing of
threads, and `os.waitid`. It is not macOS: its kernel, its file systems and its spawn are Linux's.
"""

from __future__ import annotations

import builtins
import ctypes
import errno
import io
import os
import sys
import sysconfig
from typing import Any

HIDDEN = ("/proc", "/sys", "/dev/shm")
LACKING = (
    *("sched_getaffinity", "sched_setaffinity", "waitid", "P_PID", "P_PGID", "P_ALL", "WEXITED"),
    *("WNOWAIT", "CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "pidfd_open"),
)


def hiding(function: Any) -> Any:
    """Answer the function, blind for the paths that are not there."""

    def blind(path: Any = ".", *args: Any, **options: Any) -> Any:
        if isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(HIDDEN):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(path))
        return function(path, *args, **options)

    return blind


class Library(ctypes.CDLL):
    """A C library without what only Linux has."""

    def __getattr__(self, name: str) -> Any:
        """Answer a function of the library."""
        if name in {"prctl", "ptrace"}:
            raise AttributeError(f"symbol not found: {name}")
        return super().__getattr__(name)


sysconfig.get_config_vars()  # read while the interpreter still knows what it was built for
builtins.open = io.open = hiding(open)  # type: ignore[assignment]
for name in ("open", "listdir", "scandir", "stat", "lstat", "readlink", "statvfs"):
    setattr(os, name, hiding(getattr(os, name)))
for name in LACKING:
    delattr(os, name)
ctypes.CDLL = Library  # type: ignore[misc]
sys.platform = "darwin"
