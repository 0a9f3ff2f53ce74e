"""What children do in the tests of the runner: they behave, hang, die and make noise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

from onewinner.clock import sleep

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.clock import Clock
    from onewinner.contract import Backend

    Send = Callable[[object], None]

FOREVER_S = 1_000.0


def count(send: Send, until: int) -> int:
    """Send the numbers below `until`."""
    for number in range(until):
        send(number)
    return until


def hang(send: Send) -> None:
    """Say who it is, then nothing any more."""
    send(os.getpid())
    sleep(FOREVER_S)


def leave(send: Send) -> None:
    """End in the middle of its work, past every handler."""
    send("here")
    sys.stdout.write("last words\n")
    os._exit(7)


def crash(send: Send) -> None:
    """Die of a signal."""
    send("here")
    os.kill(os.getpid(), signal.SIGSEGV)


def fail(_send: Send) -> None:
    """Raise."""
    raise LookupError("nothing there")


def quit_politely(_send: Send) -> None:
    """Raise what would end an interpreter."""
    raise SystemExit(3)


def answer_a_lock(_send: Send) -> Any:
    """Answer something that no process can hand to another."""
    return threading.Lock()


def make_noise(send: Send, lines: int) -> None:
    """Print a lot, from this process and from one that it started."""
    for number in range(lines):
        sys.stdout.write(f"noise {number} {'.' * 100}\n")
    subprocess.run([sys.executable, "-c", "print('grandchild')"], check=True)
    os.write(2, b"on standard error\n")
    send("done")


def leave_a_grandchild(send: Send) -> None:
    """Start a process that would run for ever, name it, and hang."""
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    send(grandchild.pid)
    sleep(FOREVER_S)


def leave_a_thread(_send: Send) -> str:
    """Return while a thread that is no daemon still runs."""
    threading.Thread(target=sleep, args=(FOREVER_S,)).start()
    return "returned"


def connect_and_hang(_location: str, *, clock: Clock) -> Backend:
    """Be a target whose factory never answers."""
    sleep(FOREVER_S)
    raise AssertionError(clock)
