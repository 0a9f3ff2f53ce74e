"""Tests of live progress."""

from __future__ import annotations

import io
import re

import pytest

from onewinner.report import progress
from onewinner.suite.engine import Progress


class Tty(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def at(
    elapsed_s: float = 16.4, name: str = "race", clauses: tuple[str, ...] = ("CLAIM-6", "ERR-3")
) -> Progress:
    """Answer where a run could be."""
    counters = {"claims": 18_204, "overlaps": 3_120, "faults survived": 7}
    return Progress(
        check=name, done=12, total=62, elapsed_s=elapsed_s, budget_s=40.0, counters=counters,
        clauses=clauses,
    )  # fmt: skip


def test_a_log_gets_a_line_every_ten_seconds() -> None:
    """Off a terminal the first line comes after ten seconds, and no other within the next ten."""
    stream, now = io.StringIO(), 0
    write = progress.plain_lines(stream, now_ns=lambda: now)
    for second in range(35):
        now = second * 1_000_000_000
        write(at(second))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0] == (
        "onewinner:  12/62 checks  10 s  25% of budget  30 s left  CLAIM-6 ERR-3 race  "
        "18.2k claims  3,120 overlaps  7 faults survived"
    )


def test_a_log_gets_no_escape_sequence() -> None:
    """A stream that is no terminal is written plainly, also where colour is forced."""
    stream = io.StringIO()
    with progress.shown(stream, environ={"FORCE_COLOR": "1"}) as listener:
        assert listener is not None
        listener(at())
    assert "\x1b" not in stream.getvalue()


def test_quiet_shows_nothing() -> None:
    """With --quiet there is no listener at all."""
    stream = Tty()
    with progress.shown(stream, quiet=True, environ={"TERM": "xterm"}) as listener:
        assert listener is None
    assert not stream.getvalue()


@pytest.mark.parametrize("columns", [20, 40, 60, 100])
def test_a_terminal_is_redrawn_within_its_width(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """What is drawn fits the terminal, starts with the numbers, and is gone at the end."""
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Tty()
    with progress.shown(stream, environ={"TERM": "xterm", "NO_COLOR": "1"}) as listener:
        assert listener is not None
        listener(at(name="race" + "long" * 50))
        drawn = stream.getvalue()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    assert all(len(line) < columns for line in plain.splitlines())
    assert "12/62 checks"[: columns - 1] in plain
    assert "\x1b[3" not in drawn, "no colour under NO_COLOR"
    erased = stream.getvalue()[len(drawn) :]
    assert "\x1b[2K" in erased
    assert erased.rstrip("\n").endswith("\x1b[?25h") or "\x1b[?25h" in erased


def test_many_clauses_are_counted() -> None:
    """Random programs exercise most clauses; the line names some and counts the rest."""
    stream = io.StringIO()
    progress.plain_lines(stream, every_ns=0)(at(clauses=tuple(f"TTL-{n}" for n in range(1, 9))))
    assert "  TTL-1 TTL-2 TTL-3 and 5 more race  " in stream.getvalue()


def test_what_goes_beyond_its_budget_says_so() -> None:
    """A run that is still at work when its budget is spent promises no time."""
    stream = io.StringIO()
    progress.plain_lines(stream, every_ns=0)(at(elapsed_s=50.0))
    assert "  100% of budget  beyond its budget  " in stream.getvalue()


def test_what_has_no_budget_and_no_number_tells_neither() -> None:
    """Where nothing is known of the end, only how long it takes is told."""
    stream = io.StringIO()
    told = Progress(check="race", done=0, total=0, elapsed_s=3.0, budget_s=0.0)
    progress.plain_lines(stream, every_ns=0)(told)
    assert stream.getvalue() == "onewinner:  3 s  race\n"


def test_a_terminal_shows_colour() -> None:
    """Without NO_COLOR a terminal's progress is coloured."""
    stream = Tty()
    with progress.shown(stream, environ={"TERM": "xterm"}) as listener:
        assert listener is not None
        listener(at())
    assert "\x1b[36m" in stream.getvalue()


def test_a_run_without_budget_has_used_it_up() -> None:
    """The share of the budget stays between none and all of it."""
    assert progress.share(at(elapsed_s=90.0)) == 1.0
    assert progress.share(at(elapsed_s=10.0)) == 0.25
