"""Kits as processes of their own: what they start, what is left when they are gone.

Run as a program it is a kit that does one thing, says so in a line, and goes on until it is killed:

    python kits.py held|copies|grandchild|forked
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import store_commands
import unruly
from onewinner.adapters.targets import Target
from onewinner.clock import SystemClock, monotonic_ns, sleep
from onewinner.generator import Call
from onewinner.runner import call_in_child
from onewinner.schedule.claimant import Blocked, Held, Returned
from onewinner.schedule.crew import Crew
from onewinner.suite.scratch import scratch_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WAIT_S = 60


def until(condition: Callable[[], Any]) -> Any:
    """Wait until a condition is met; answer what it answered, which is false where it never was."""
    limit = monotonic_ns() + WAIT_S * 10**9
    while not (answer := condition()) and monotonic_ns() < limit:
        sleep(0.01)
    return answer


def is_gone(pid: int) -> bool:
    """Tell whether a process is gone; a zombie that nobody reaped counts as gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def gone(pids: Iterable[int]) -> list[int]:
    """Wait until processes are gone; answer those that are not."""
    left = list(pids)
    until(lambda: all(map(is_gone, left)))
    return [pid for pid in left if not is_gone(pid)]


def descendants(pid: int) -> list[int]:
    """Answer the processes that a process started, and those that these started."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text("ascii", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, left = [], [pid]
    while left:
        more = children.get(left.pop(), [])
        found += more
        left += more
    return found


def descriptors(pid: int | str = "self") -> int:
    """Count the open descriptors of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def say(*words: object) -> None:
    """Write a line that a test waits for."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def held() -> None:
    """Hold one claimant inside its claim, let another wait for it, and name both."""
    with (
        tempfile.TemporaryDirectory() as home,
        Crew(
            Target("sqlite"), location=home, clock=SystemClock(), claimants=2, processes=True
        ) as crew,
    ):
        victim, rival = crew.claimants
        victim.boundary = rival.boundary = "sql"
        claim = Call("register_if_absent", "p", "n", "k", 1)
        victim.make(claim._replace(key="other"))
        victim.begin(claim, 7)  # inside its transaction
        assert isinstance(victim.settle(), Held)
        rival.begin(claim)
        say(*(child.pid for child, _ in crew._children))
        sleep(WAIT_S)


def copies() -> None:
    """Hold a copy of a command inside its claim, beside one that is free, and name both."""
    target = Target(store_commands.target("python", Path()))
    with (
        tempfile.TemporaryDirectory() as home,
        Crew(target, location=home, clock=SystemClock(), claimants=2, processes=True) as crew,
    ):
        crew.trace()
        claim = Call("register_if_absent", "p", "n", "k", 1)
        for hold, claimant in ((None, crew.claimants[1]), (1, crew.claimants[0])):
            claimant.boundary = "syscall"
            claimant.begin(claim, hold)
            while isinstance(settled := claimant.settle(), Blocked):
                pass
            assert isinstance(settled, Returned if hold is None else Held)
        say(*(claimant.pid for claimant in crew.claimants))
        sleep(WAIT_S)


def grandchild() -> None:
    """Let a child start a process and hang."""
    call_in_child(unruly.leave_a_grandchild, on_message=say, silence_s=1000)


def forked() -> None:
    """Fork a process that goes on and holds every descriptor; name it and a directory."""
    with scratch_directory() as path:
        pid = os.fork()
        if not pid:
            sleep(WAIT_S)
            os._exit(0)
        say(pid, path)
        sleep(WAIT_S)


WORK = {"held": held, "copies": copies, "grandchild": grandchild, "forked": forked}

if __name__ == "__main__":
    WORK[sys.argv[1]]()
