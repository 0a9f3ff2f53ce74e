"""A command as a child process: a line in, a line out, and a certain end.

The child leads a process group of its own. On Linux it dies with the thread that started it,
whatever that thread came to.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner.runner import guardian
from onewinner.schedule.ending import end_group

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_TAIL_BYTES: Final = 16_384
_TAIL_LINES: Final = 40

# What runs first in the child, and makes itself the command. Code between fork and exec would not
# be safe in a kit that has threads; a program of its own is.
_START: Final = """
import ctypes, os, signal, sys
parent, directory, *command = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)
if os.getppid() != int(parent):
    os._exit(1)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
try:
    os.chdir(directory)
    os.execvp(command[0], command)
except OSError as error:
    sys.exit(f"{command[0]} could not be started in {directory}: {error.strerror}")
"""


class CommandProcess:
    """One running command, its standard streams as pipes.

    `status` is its wait status once it was reaped, by `end` or by whoever traces it. `links` are
    the pipes as /proc/PID/fd names them, in the order of the descriptors 0, 1, 2.

    Raises FileNotFoundError where there is no such command.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        environment = dict(os.environ if env is None else env)
        _check(command, environment, cwd)
        self.status: int | None = None
        self._answers = bytearray()
        self._tail = bytearray()
        self._outbox = bytearray()
        self._open = True
        reading, self._requests = os.pipe()
        answers, writing = os.pipe()
        errors, complaining = os.pipe()
        self._incoming, self._errors = answers, errors
        try:
            self.links = tuple(map(_link, (reading, writing, complaining)))
            self.pid = _spawn(command, cwd, environment, (reading, writing, complaining))
            guardian.entrust_group(self.pid)
        except BaseException:
            self._close()
            raise
        finally:
            for theirs in (reading, writing, complaining):
                os.close(theirs)
        for ours in (self._requests, answers, errors):
            os.set_blocking(ours, False)

    def send(self, line: str) -> None:
        """Hand a line to the command; what it does not take yet goes with `send_on`."""
        self._outbox += line.encode() + b"\n"
        self.send_on()

    def send_on(self) -> None:
        """Send as much of what is still to be sent as the pipe has room for."""
        with contextlib.suppress(BlockingIOError):
            try:
                while self._outbox:
                    del self._outbox[: os.write(self._requests, self._outbox)]
            except BrokenPipeError:  # it is gone, or reads no more; its end will tell
                self._outbox.clear()

    def answer(self) -> str | None:
        """Answer the next line that the command wrote, without waiting; None: none is complete."""
        self._answers += _drain(self._incoming)
        line, end, rest = self._answers.partition(b"\n")
        if not end:
            return None
        self._answers = rest
        return line.decode("utf-8", "backslashreplace").removesuffix("\r")

    def unread(self) -> str:
        """Answer what the command wrote beyond its answers, without waiting."""
        self._answers += _drain(self._incoming)
        return self._answers.decode("utf-8", "backslashreplace")

    def tail(self) -> tuple[str, ...]:
        """Answer the last lines that the command wrote on standard error."""
        self.drain_errors()
        text = self._tail.decode("utf-8", "backslashreplace")
        return tuple(text.splitlines()[-_TAIL_LINES:])

    def drain_errors(self) -> None:
        """Take what stands in the pipe of standard error, so that nobody waits for room in it."""
        self._tail += _drain(self._errors)
        del self._tail[:-_TAIL_BYTES]

    def dead(self) -> bool:
        """Tell whether the process has ended, without taking its id out of use."""
        if self.status is not None:
            return True
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._reaped()
        try:
            found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        # Of what is traced the kernel tells stops as well, though they were not asked for.
        ends = {os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED}
        return found is not None and found.si_code in ends

    def _reaped(self) -> bool:
        """Reap the process if it has ended, and kill at once what is left of its group."""
        with contextlib.suppress(ChildProcessError):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)
        return self.status is not None

    def how_it_ended(self) -> str:
        """Say how a process ended that was reaped."""
        code = os.waitstatus_to_exitcode(self.status or 0)
        if code >= 0:
            return f"it ended with exit code {code} before it answered"
        with contextlib.suppress(ValueError):
            return f"it was killed by {signal.Signals(-code).name} before it answered"
        return f"it was killed by signal {-code} before it answered"

    def end(self, traced: Iterable[tuple[int, int]] = ()) -> None:
        """Kill the process with its group, and what else of it is traced; reap all of it.

        `traced` are process and thread ids.
        """
        self.status = end_group(self.pid, self.status, traced)
        guardian.release_group(self.pid)

    def close(self) -> None:
        """Give the pipes back; more than once does no harm."""
        if self._open:
            self._close()

    def _close(self) -> None:
        self._open = False
        for ours in (self._requests, self._incoming, self._errors):
            os.close(ours)


def _check(
    command: Sequence[str], environment: Mapping[str, str], cwd: str | os.PathLike[str] | None
) -> None:
    if not command or isinstance(command, str):
        raise ValueError(f"{command!r} is no command: give its words as a list, the program first")
    if os.sep not in command[0] and shutil.which(command[0], path=environment.get("PATH")) is None:
        raise FileNotFoundError(
            f"the command {command[0]!r} is not on PATH; install it, or give its path"
        )
    if cwd is not None and not Path(cwd).is_dir():
        raise FileNotFoundError(f"the working directory {os.fspath(cwd)!r} does not exist; make it")


def _spawn(
    command: Sequence[str],
    cwd: str | os.PathLike[str] | None,
    environment: dict[str, str],
    streams: tuple[int, int, int],
) -> int:
    words = [sys.executable, "-I", "-S", "-c", _START, str(os.getpid()), os.fspath(cwd or ".")]
    actions: list[Any] = [
        (os.POSIX_SPAWN_DUP2, theirs, place) for place, theirs in enumerate(streams)
    ]
    return os.posix_spawn(
        sys.executable,
        [*words, *command],
        environment,
        file_actions=actions,
        setpgroup=0,
        setsigmask=[],
    )


def _link(descriptor: int) -> str:
    with contextlib.suppress(OSError):  # there is no /proc elsewhere, and no tracing
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    return ""


def _drain(descriptor: int) -> bytes:
    """Read what is there without waiting."""
    chunks = []
    with contextlib.suppress(BlockingIOError):
        for _ in range(64):
            chunks.append(os.read(descriptor, 1 << 16))
            if not chunks[-1]:
                break
    return b"".join(chunks)
