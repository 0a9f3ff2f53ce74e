"""The processes that a process has started, as the kernel tells them (Linux; elsewhere none)."""

from __future__ import annotations

import contextlib
from pathlib import Path

_MANY = 10_000


def tasks_of(pid: int) -> list[Path]:
    """Answer the directories of a process's threads in `/proc`; none where there is no such."""
    with contextlib.suppress(OSError):
        return list(Path(f"/proc/{pid}/task").iterdir())
    return []


def lives(pid: int) -> bool:
    """Tell whether a process is there, and not only its entry, which nobody has collected yet."""
    with contextlib.suppress(OSError, IndexError):
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
    return False


def descendants(pid: int) -> list[int]:
    """Answer the processes that a process has started, and theirs, in whatever group or session."""
    found = [pid]
    for each in found:  # it grows while it is gone through
        for task in tasks_of(each) if len(found) < _MANY else ():
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text("ascii").split())
    return found[1:]
