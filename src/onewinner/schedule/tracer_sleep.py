"""Whether threads sleep, as the scheduler sees it: never inferred from how long something takes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onewinner.adapters.descent import descendants, tasks_of
from onewinner.clock import monotonic_ns

if TYPE_CHECKING:
    from collections.abc import Iterable

SAMPLE_NS: Final = 500_000
"""How far two looks are apart."""

_STEADY_LOOKS: Final = 6


class Sleep:
    """Looks at threads again and again, to tell that all sleep and none ran between the looks.

    A thread that is ready and gets no processor, or that waits for a disk, is not asleep, so a busy
    machine makes this slower and not wrong. One look is not enough: threads are looked at one after
    the other, and work may be handed from one that was not looked at yet to one that was. So the
    run counters of all must stand still as well.
    """

    def __init__(self, looks: int = _STEADY_LOOKS) -> None:
        self._looks = looks
        self.forget()

    def forget(self) -> None:
        """Begin anew: something has happened since the last look."""
        self._seen: tuple[str, ...] = ()
        self._steady = 0
        self._next_ns = monotonic_ns() + SAMPLE_NS

    def found(self, threads: Iterable[tuple[int, int]]) -> bool:
        """Look at threads, given by process and thread id, if it is time to; tell if all sleep."""
        now = monotonic_ns()
        if now < self._next_ns:
            return False
        self._next_ns = now + SAMPLE_NS
        states = [_state(pid, tid) for pid, tid in threads]
        seen = tuple(counted for _, counted in states)
        asleep = bool(states) and all(letter == "S" for letter, _ in states)
        if not asleep:
            self._steady = 0
        else:
            self._steady = self._steady + 1 if seen == self._seen else 1
        self._seen = seen
        return self._steady >= self._looks


def _state(pid: int, tid: int) -> tuple[str, str]:
    """Answer the scheduler's letter for a thread, and what grows whenever the thread runs."""
    task = Path(f"/proc/{pid}/task/{tid}")
    try:
        letter = (task / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "", ""
    ran = ""
    with contextlib.suppress(OSError):  # a kernel may be built without these counters
        ran = (task / "schedstat").read_text("ascii")
    return letter, f"{tid} {ran}"


def threads_of(pid: int) -> list[tuple[int, int]]:
    """Answer the threads of a process and of the processes that it started, and theirs."""
    return [(each, int(task.name)) for each in (pid, *descendants(pid)) for task in tasks_of(each)]
