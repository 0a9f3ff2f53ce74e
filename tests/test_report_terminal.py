"""Tests of what a stream is taken to be able to show."""

from __future__ import annotations

import io

import pytest

from onewinner.report import terminal


class Tty(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "colour", "live"),
    [
        (io.StringIO(), {}, False, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True, False),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        (io.StringIO(), {"FORCE_COLOR": ""}, False, False),
        (Tty(), {"TERM": "xterm"}, True, True),
        (Tty(), {"TERM": "xterm", "NO_COLOR": "1"}, False, True),
        (Tty(), {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        (Tty(), {"TERM": "dumb"}, False, False),
        (Tty(), {"TERM": "dumb", "FORCE_COLOR": "1"}, True, False),
    ],
)
def test_no_color_beats_force_color_beats_the_terminal(
    stream: io.StringIO, environ: dict[str, str], colour: bool, live: bool
) -> None:
    """Colour follows the variables before the stream; redrawing follows the stream alone."""
    found = terminal.of(stream, environ)
    assert (found.colour, found.live) == (colour, live)


def test_a_closed_stream_is_no_terminal() -> None:
    """Asking a closed stream does not end the run."""
    closed = io.StringIO()
    closed.close()
    assert not terminal.of(closed, {}).live


@pytest.mark.parametrize(("columns", "width"), [("5", 20), ("40", 40), ("500", 120)])
def test_the_width_is_kept_readable(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    """A report is neither squeezed to nothing nor drawn out over a very wide screen."""
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal.of(io.StringIO(), {}).width == width


def test_what_the_encoding_lacks_is_escaped() -> None:
    """A terminal that shows ASCII only gets Python escapes, not an error."""
    assert terminal.Terminal(encoding="ascii").encodable("鍵 ä k") == "\\u9375 \\xe4 k"
    assert terminal.Terminal(encoding="utf-8").encodable("鍵\ud800") == "鍵\\ud800"
