"""A sign of life from what tells nothing of itself for long: how long it takes, and how far it is.

On a terminal one line is redrawn each second; elsewhere a plain line is written every ten seconds.
It takes a thread, so it is for commands in whose own process no target lives.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from onewinner.clock import monotonic_ns
from onewinner.report import terminal as terminals
from onewinner.report import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_REDRAWN_S: Final = 1.0
_PLAIN_S: Final = 10.0
_ERASE: Final = "\r\x1b[2K"


class Ticker:
    """Writes a line again and again; `doing` says what is under way, in few words."""

    def __init__(self, stream: TextIO, terminal: terminals.Terminal, doing: str) -> None:
        self.doing = doing
        self._stream = stream
        self._terminal = terminal
        self._started_ns = monotonic_ns()
        self._shown = False
        self._lock = threading.Lock()

    @property
    def every_s(self) -> float:
        """After how many seconds the next line is due."""
        return _REDRAWN_S if self._terminal.live else _PLAIN_S

    def tick(self) -> None:
        """Write how long it has taken so far, and what is under way."""
        seconds = (monotonic_ns() - self._started_ns) / 1e9
        line = text.printable(f"onewinner: {seconds:.0f} s  {self.doing}", keep="")
        with self._lock:
            if self._terminal.live:
                whole = self._terminal.encodable(line)[: self._terminal.width - 1]
                self._stream.write(f"{_ERASE}{whole}")
                self._shown = True
            else:
                self._stream.write(f"{line}\n")
            self._stream.flush()

    def say(self, line: str) -> None:
        """Write a line that stays."""
        with self._lock:
            self._erase()
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def end(self) -> None:
        """Leave nothing of what is redrawn."""
        with self._lock:
            self._erase()
            self._stream.flush()

    def _erase(self) -> None:
        if self._shown:
            self._stream.write(_ERASE)
            self._shown = False


@contextmanager
def ticking(
    stream: TextIO,
    doing: str,
    *,
    quiet: bool = False,
    environ: Mapping[str, str] | None = None,
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
) -> Iterator[Ticker]:
    """Let a ticker write on `stream` while the block runs; `quiet` writes nothing, `say` included.

    `wait` waits for the end so many seconds, and answers whether it has come.
    """
    if quiet:
        yield _Quiet(stream, terminals.of(stream, environ), doing)
        return
    ticker = Ticker(stream, terminals.of(stream, environ), doing)
    over = threading.Event()

    def go() -> None:
        while not wait(over, ticker.every_s):
            ticker.tick()

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    try:
        yield ticker
    finally:
        over.set()
        thread.join()
        ticker.end()


class _Quiet(Ticker):
    """Writes nothing."""

    def tick(self) -> None:
        """Stay silent."""

    def say(self, line: str) -> None:
        """Stay silent."""
