"""Servers that the kit starts: on a free port of this machine, for one run, and gone with it.

A server leads a process group of its own and is entrusted to the guard, so a kit that is killed
leaves none behind; on Linux the kernel ends it besides.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Final, Self

from onewinner.adapters.descent import descendants, lives
from onewinner.clock import monotonic_ns, sleep
from onewinner.runner import guardian
from onewinner.worker import launch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from onewinner.adapters.servers import Recipe

START_S: Final = 60.0
"""How long a server may take to answer; a busy machine is slow."""

_STOP_S: Final = 10.0
_LOOK_S: Final = 0.02
_TRIES: Final = 5
_USERS: Final = ("postgres", "memcache", "nobody")
_LOG_LINES: Final = 6
_RUNNING: Final[dict[str, Server]] = {}


class ServerError(Exception):
    """A server could not be had: what was tried, how it went, what to do instead."""


class Server:
    """A server of one kind in `directory`; use it as a context manager.

    Raises ServerError where it does not start.
    """

    def __init__(self, recipe: Recipe, directory: Path) -> None:
        if (lacking := recipe.lacking()) is not None:
            raise ServerError(lacking)
        self.recipe = recipe
        self._program = str(recipe.program())
        self._directory = directory
        self._log = directory / "log"
        self._user = _user(recipe)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The address of the server."""
        return self.recipe.url(self.port)

    @property
    def pid(self) -> int:
        """The process id of the server."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        try:
            self._prepare()
            self._start_somewhere()
        except BaseException:
            self.close()
            raise
        _RUNNING[self.url] = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def kill(self) -> None:
        """Kill the server and all its processes with SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start it again after a kill: at the same address, with what it left in its directory.

        Raises ServerError where it does not come back.
        """
        said = ""
        for _ in range(_TRIES):  # what the dead one started may be there for another moment
            said = self._start()
            if not said:
                return
            sleep(_LOOK_S * 10)
        raise ServerError(f"{self._command()} did not come back after it was killed: {said}")

    def close(self) -> None:
        """Stop the server; it is given a moment to clear up, and then killed."""
        _RUNNING.pop(self.url, None)
        self._end(self.recipe.stop)

    # --- starting ---------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._log.touch()
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(self._directory, entry.pw_uid, entry.pw_gid)
            for each in (self._directory.parent, self._directory):
                each.chmod(0o711)  # it must get through, and see nothing on its way
        if self.recipe.prepare is None:
            return
        words = self.recipe.prepare(self._program, str(self._directory))
        process = self._launch(words)
        _until(lambda: _ended(process), START_S)
        if _bury(process):
            hint = "; TMPDIR names a place that this user can reach" if self._user else ""
            raise ServerError(
                f"`{' '.join(words)}`{self._as_whom()} failed: {self._last_words()}{hint}"
            )

    def _start_somewhere(self) -> None:
        said = ""
        for _ in range(_TRIES):  # somebody else may take the port before the server does
            self.port = _free_port()
            said = self._start()
            if not said:
                return
        raise ServerError(f"{self._command()} did not start: {said}")

    def _start(self) -> str:
        """Start it once and wait until it is ready; answer what went wrong, empty for nothing."""
        words = self.recipe.words(self._program, str(self._directory), self.port)
        self._process = self._launch(words)
        until_ns = monotonic_ns() + int(START_S * 1e9)
        while (said := self.recipe.silent(self.port)) is not None:
            if _ended(self._process):
                code = self._end(signal.SIGKILL)
                return f"it ended with exit code {code}: {self._last_words()}"
            if monotonic_ns() > until_ns:
                self._end(signal.SIGKILL)
                return f"it was not ready within {START_S:g} s: {said}; {self._last_words()}"
            sleep(_LOOK_S)
        return ""

    def _launch(self, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
        launcher = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), self._user]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [*launcher, *words],
                cwd=self._directory,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        guardian.entrust_group(process.pid)
        return process

    # --- ending -----------------------------------------------------------------------------------

    def _end(self, number: signal.Signals) -> int | None:
        """End it with a signal and kill what is left; answer how it ended, None for none."""
        process, self._process = self._process, None
        if process is None:
            return None
        if number != signal.SIGKILL and not _ended(process):
            process.send_signal(number)
            _until(lambda: _ended(process))
        if not _ended(process):
            _kill_all(process)
        return _bury(process)

    # --- words ------------------------------------------------------------------------------------

    def _command(self) -> str:
        words = self.recipe.words(self._program, str(self._directory), self.port)
        return f"`{' '.join(words)}`{self._as_whom()}"

    def _as_whom(self) -> str:
        return f", run as {self._user}," if self._user else ""

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", "replace").splitlines()[-_LOG_LINES:]
        return " | ".join(line.strip() for line in lines) or "it printed nothing"


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a process has ended; its id stays in use, so that its group can be killed."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll() is not None
    return _changed(process, os.WEXITED)


def _changed(process: subprocess.Popen[bytes], how: int) -> bool:
    return os.waitid(os.P_PID, process.pid, how | os.WNOHANG | os.WNOWAIT) is not None


def _until(true: Callable[[], bool], patience_s: float = _STOP_S) -> None:
    until_ns = monotonic_ns() + int(patience_s * 1e9)
    while not true() and monotonic_ns() < until_ns:
        sleep(_LOOK_S)


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill a server with all that it has started, and wait until none of it can answer any more.

    A server may put what it starts into sessions of their own, as PostgreSQL does. It is stopped
    first, so that it starts nothing more and buries nobody, whose id might become another's.
    """
    process.send_signal(signal.SIGSTOP)
    if hasattr(os, "waitid"):
        _until(lambda: _changed(process, os.WSTOPPED | os.WEXITED))
    started = descendants(process.pid)
    for pid in (*started, process.pid):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    _until(lambda: not any(map(lives, started)))


def _bury(process: subprocess.Popen[bytes]) -> int:
    """Kill the whole group, and answer how its leader ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    guardian.release_group(process.pid)
    return code


def running(url: str | None) -> Server | None:
    """Answer the server that this process has started at an address, None where it has not."""
    return None if url is None else _RUNNING.get(url)


def _user(recipe: Recipe) -> str:
    """Answer whom the server is to be run as, empty for whoever runs the kit."""
    if not recipe.refuses_root or os.geteuid() != 0:
        return ""
    for name in _USERS:
        with contextlib.suppress(KeyError):
            if pwd.getpwnam(name).pw_uid:
                return name
    raise ServerError(
        f"{recipe.name} refuses to be run by root, and this system has none of the users "
        f"{', '.join(_USERS)} to run it as: run onewinner as another user, or start the server "
        f"yourself and give --location {recipe.scheme}://..."
    )


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port
