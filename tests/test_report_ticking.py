"""Tests of the sign of life of commands that tell nothing of themselves."""

from __future__ import annotations

import io
import re
import threading
from typing import Final

import pytest

from onewinner.report.ticking import ticking
from test_report_progress import Tty

PLAIN: Final = re.compile(r"onewinner: [0-9]+ s  judging it")


class Steps:
    """Lets a ticker tick so many times, and then wait for its end."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.asked: list[float] = []
        self.done = threading.Event()

    def __call__(self, over: threading.Event, seconds: float) -> bool:
        self.asked.append(seconds)
        if self.left:
            self.left -= 1
            return False
        self.done.set()
        return over.wait(60)


def test_a_log_gets_whole_lines() -> None:
    """Off a terminal a plain line comes every ten seconds, and what is said stays."""
    stream, steps = io.StringIO(), Steps(2)
    with ticking(stream, "judging it", environ={"FORCE_COLOR": "1"}, wait=steps) as ticker:
        assert steps.done.wait(60)
        ticker.say("one is done")
    first, second, last = stream.getvalue().splitlines()
    assert PLAIN.fullmatch(first)
    assert PLAIN.fullmatch(second)
    assert last == "one is done"
    assert steps.asked == [10.0] * 3


def test_a_terminal_is_redrawn_and_left_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal one line is redrawn each second, within its width, and is gone at the end."""
    monkeypatch.setenv("COLUMNS", "30")
    stream, steps = Tty(), Steps(2)
    with ticking(stream, "judging " + "x" * 99, environ={"TERM": "xterm"}, wait=steps) as ticker:
        assert steps.done.wait(60)
        ticker.say("one is done")
    parts = stream.getvalue().split("\r\x1b[2K")
    assert [len(part) for part in parts] == [0, 29, 29, len("one is done\n")]
    assert steps.asked == [1.0] * 3


def test_quiet_writes_nothing() -> None:
    """With --quiet nothing is written, and no thread is started."""
    stream, before = io.StringIO(), threading.active_count()
    with ticking(stream, "judging it", quiet=True) as ticker:
        assert threading.active_count() == before
        ticker.say("one is done")
        ticker.tick()
    assert not stream.getvalue()


def test_an_error_ends_it() -> None:
    """Whatever ends the block ends the thread."""
    before = threading.active_count()
    with pytest.raises(ValueError, match="no"), ticking(io.StringIO(), "judging it"):
        raise ValueError("no")
    assert threading.active_count() == before
