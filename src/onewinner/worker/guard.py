"""The guard: a process that is there when the kit is not, and clears up what it left behind.

A kit that is killed without warning cannot end anything. The kernel ends its children, but not what
those started, and no directory. So each kit has a guard: it is told which process groups and which
directories are the kit's, and when its input ends it kills the ones and removes the others.

It is run as a program, by its path, and imports the standard library only, so that it is there in
milliseconds. A line of its input is a sign (`+` from now on, `-` no longer), a kind, and the id of
a group or the path of a directory in hexadecimal.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK_MS = 500
_TRIES = 50


def main(kit: int) -> None:
    """Listen until the process `kit` is gone, then clear up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    directories: set[str] = set()
    for line in _lines(kit):
        sign, kind, text = line[:1], line[1:2], line[2:]
        if kind == "g":
            (groups.add if sign == "+" else groups.discard)(int(text))
        elif kind == "d":
            path = os.fsdecode(bytes.fromhex(text))
            (directories.add if sign == "+" else directories.discard)(path)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for path in directories:
        _remove(path)


def _lines(kit: int) -> Iterator[str]:
    """Yield the lines of the input until it ends or the kit is gone.

    A process that was forked from the kit may hold the input open for longer than the kit lives.
    """
    poll = select.poll()
    poll.register(0, select.POLLIN)
    rest = b""
    while poll.poll(_LOOK_MS) or os.getppid() == kit:
        if not poll.poll(0):
            continue
        chunk = os.read(0, 1 << 16)
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("ascii") for line in lines)


def _remove(path: str) -> None:
    """Remove a directory, also while those who were killed are still at work in it, or a file."""
    for _ in range(_TRIES):
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - nothing is imported that takes time
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            return
        select.poll().poll(20)


if __name__ == "__main__":
    main(int(sys.argv[1]))
