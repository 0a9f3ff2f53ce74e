"""One copy of a command: its standard streams as pipes, and a certain end.

It stays in the process group of whoever started it, which the kit kills as a whole; on Linux it is
killed when that process dies. To the kernel a parent is a thread, so a thread that lives as long as
the process starts all copies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import select
import shutil
import signal
import struct
import sys
import termios
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import multiprocess

from onewinner.adapters.descent import descendants
from onewinner.clock import monotonic_ns, sleep

if TYPE_CHECKING:
    from collections.abc import Callable

_TAIL_BYTES: Final = 16_384
_TAIL_LINES: Final = 32
_CHUNK: Final = 1 << 16
_CHUNKS_AT_ONCE: Final = 64
_END_S: Final = 5.0
_MOMENT_S: Final = 0.001

# What runs first in the child, and makes itself the command. Code between fork and exec would not
# be safe in a kit that has threads; a program of its own is.
_START: Final = """
import ctypes, os, signal, sys
parent, *command = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)
if os.getppid() != int(parent):
    os._exit(1)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
try:
    os.execvp(command[0], command)
except OSError as error:
    sys.exit(f"{command[0]} could not be started: {error.strerror}")
"""


class Process:
    """One running command.

    `links` are its standard streams as /proc/PID/fd names them, in the order of the descriptors.
    `ended` says how it ended, once that is known. `finished`: it has closed its standard output,
    so that it answers nothing any more.

    Raises FileNotFoundError where there is no such command.
    """

    def __init__(self, words: tuple[str, ...]) -> None:
        if os.sep not in words[0] and shutil.which(words[0]) is None:
            raise FileNotFoundError(
                f"the command {words[0]!r} is not on PATH; install it, or give its path"
            )
        if os.sep in words[0] and not os.access(words[0], os.X_OK):
            raise FileNotFoundError(
                f"the command {words[0]!r} is no file that can be run from {Path.cwd()}; give its "
                f"path, and make it executable"
            )
        self.ended = ""
        self._status: int | None = None
        self._incoming = bytearray()
        self._tail = bytearray()
        self._outbox = bytearray()
        self._writing = threading.Lock()
        self._waits_for_room = False
        self._complains = True
        self.finished = False
        theirs, self._requests, self._answers, self._errors = _pipes()
        try:
            self.links = tuple(map(_link, theirs))
            self.pid: int = _STARTER.do(lambda: _spawn(words, theirs))
        except BaseException:
            self._close_pipes()
            raise
        finally:
            for each in theirs:
                os.close(each)
        for ours in (self._requests, self._answers, self._errors):
            os.set_blocking(ours, False)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        self._poll.register(self._errors, select.POLLIN)

    def send(self, line: bytes) -> None:
        """Hand a line to the command; what it does not take yet goes while answers are awaited."""
        with self._writing:
            self._outbox += line
            self._send_on()

    def exchange(self, line: bytes, timeout_s: float) -> bytes | None:
        """Hand over a line and answer the one line that comes, without its end; the quick way.

        None where it is not as simple as that: then go on with `receive`, nothing is lost.
        """
        if self._outbox or self._incoming:
            self.send(line)
            return None
        try:
            sent = os.write(self._requests, line)
        except OSError:  # no room, or nobody there
            sent = 0
        if sent < len(line):
            self.send(line[sent:])
            return None
        events = self._poll.poll(int(timeout_s * 1000))
        if events != [(self._answers, select.POLLIN)]:
            return None
        chunk = os.read(self._answers, _CHUNK)
        if chunk.find(b"\n") == len(chunk) - 1 >= 0:
            return chunk[:-1]
        self._incoming += chunk
        return None

    def _send_on(self) -> None:
        try:
            while self._outbox:
                del self._outbox[: os.write(self._requests, self._outbox)]
        except BlockingIOError:
            pass
        except (BrokenPipeError, OSError):  # it is gone, or reads no more; its end will tell
            self._outbox.clear()
        if bool(self._outbox) != self._waits_for_room:
            self._waits_for_room = not self._waits_for_room
            if self._waits_for_room:
                self._poll.register(self._requests, select.POLLOUT)
            else:
                self._poll.unregister(self._requests)

    def receive(self, timeout_s: float) -> list[bytes]:
        """Wait for something to come and answer the lines that are complete, without their ends.

        What the command writes on standard error meanwhile is taken, so that it never waits for
        room there.
        """
        for descriptor, _ in self._poll.poll(max(0, int(timeout_s * 1000))):
            if descriptor == self._answers:
                self._take_answers()
            elif descriptor == self._errors:
                self._take_errors()
            else:
                with self._writing:
                    self._send_on()
        if b"\n" not in self._incoming:
            return []
        *lines, self._incoming = self._incoming.split(b"\n")
        return [bytes(line) for line in lines]

    def _take_answers(self) -> None:
        self.finished = _drain(self._answers, self._incoming)
        if self.finished:
            self._poll.unregister(self._answers)

    @property
    def rest(self) -> bytes:
        """What came since the last complete line."""
        return bytes(self._incoming)

    @property
    def unread(self) -> int:
        """How many bytes of requests the command has not read; 0 where that cannot be told."""
        with contextlib.suppress(OSError):
            told = fcntl.ioctl(self._requests, termios.FIONREAD, bytes(4))
            return len(self._outbox) + int(struct.unpack("i", told)[0])
        return len(self._outbox)

    def tail(self) -> tuple[str, ...]:
        """Answer the last lines that the command wrote on standard error."""
        self._take_errors()
        text = self._tail.decode("utf-8", "backslashreplace")
        return tuple(text.splitlines()[-_TAIL_LINES:])

    def _take_errors(self) -> None:
        if self._complains:
            self._complains = not _drain(self._errors, self._tail)
            del self._tail[:-_TAIL_BYTES]
            if not self._complains:
                self._poll.unregister(self._errors)

    def dead(self) -> bool:
        """Tell whether the process has ended; `ended` then says how."""
        if self._status is None:
            with contextlib.suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self._status = status
                    self.ended = self.ended or _how(os.waitstatus_to_exitcode(status))
        return self._status is not None

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end of the process; answer whether it came."""
        until_ns = monotonic_ns() + int(timeout_s * 1e9)
        while not self.dead():
            if monotonic_ns() > until_ns:
                return False
            sleep(_MOMENT_S)
        return True

    def say_no_more(self) -> None:
        """Close its standard input: a command that is asked nothing any more ends by itself."""
        with self._writing:
            if self._waits_for_room:
                self._poll.unregister(self._requests)
                self._waits_for_room = False
            if self._requests >= 0:
                os.close(self._requests)
                self._requests = -1

    def kill(self) -> None:
        """Kill the process and what it started, as far as that can be found, and reap it."""
        if not self.dead():
            for pid in (*descendants(self.pid), self.pid):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            self.wait(_END_S)

    def close(self) -> None:
        """Kill it, if it is still there, and give the pipes back; twice does no harm."""
        self.kill()
        self.ended = self.ended or "was closed"
        _hand_on(self.tail())
        self._close_pipes()

    def forget(self) -> None:
        """Give the pipes back and leave the process alone: after a fork it is the parent's."""
        self._close_pipes()

    def _close_pipes(self) -> None:
        self._complains = False
        for name in ("_requests", "_answers", "_errors"):
            if getattr(self, name) >= 0:
                os.close(getattr(self, name))
                setattr(self, name, -1)


def _hand_on(lines: tuple[str, ...]) -> None:
    """Hand what the command complained of on to the kit, as far as that takes no waiting.

    A child of the kit does that by its own standard error; a program of somebody else says nothing.
    """
    said = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
    if not said or multiprocess.parent_process() is None:
        return
    room = select.poll()
    room.register(sys.stderr.fileno(), select.POLLOUT)
    with contextlib.suppress(OSError):  # the kit may be gone
        if room.poll(0):
            os.write(sys.stderr.fileno(), said[-select.PIPE_BUF :])


def _pipes() -> tuple[tuple[int, int, int], int, int, int]:
    """Make three pipes; answer the command's ends, and those for requests, answers and errors."""
    reading, requests = os.pipe()
    answers, writing = os.pipe()
    errors, complaining = os.pipe()
    return (reading, writing, complaining), requests, answers, errors


def _spawn(words: tuple[str, ...], streams: tuple[int, int, int]) -> int:
    actions: list[Any] = [
        (os.POSIX_SPAWN_DUP2, theirs, place) for place, theirs in enumerate(streams)
    ]
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", "-c", _START, str(os.getpid()), *words],
        os.environ,
        file_actions=actions,
        setsigmask=[],
    )


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"


def _link(descriptor: int) -> str:
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    return ""


def _drain(descriptor: int, into: bytearray) -> bool:
    """Read what is there without waiting; answer whether the other side has closed the pipe."""
    if descriptor < 0:
        return True
    with contextlib.suppress(BlockingIOError):
        for _ in range(_CHUNKS_AT_ONCE):  # one that never stops writing must not keep the kit here
            chunk = os.read(descriptor, _CHUNK)
            if not chunk:
                return True
            into += chunk
            if len(chunk) < _CHUNK:
                break
    return False


class _Starter:
    """A thread that lives as long as this process, and starts what shall die with the process."""

    def __init__(self) -> None:
        self.forget()
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Begin anew: a fork does not copy threads."""
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[tuple[Callable[[], int], queue.SimpleQueue[Any]]] | None
        self._jobs = None

    def do(self, job: Callable[[], int]) -> int:
        """Do a job there and answer what it does; what it raises is raised here."""
        with self._lock:
            if self._jobs is None:
                self._jobs = queue.SimpleQueue()
                threading.Thread(
                    target=_start_all, args=(self._jobs,), name="onewinner-starter", daemon=True
                ).start()
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._jobs.put((job, done))
        answer = done.get()
        if isinstance(answer, BaseException):
            raise answer
        pid: int = answer
        return pid


def _start_all(jobs: queue.SimpleQueue[tuple[Callable[[], int], queue.SimpleQueue[Any]]]) -> None:
    while True:
        job, done = jobs.get()
        try:
            done.put(job())
        except BaseException as error:
            done.put(error)


_STARTER: Final = _Starter()
