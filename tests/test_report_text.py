"""Tests of the text that reports are made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onewinner.report import text

ANY_TEXT = st.text(st.characters())


@given(ANY_TEXT)
def test_printable_text_moves_no_cursor(given: str) -> None:
    """What is shown holds only printable characters and line feeds, and can be encoded."""
    shown = text.printable(given)
    assert all(character == "\n" or character.isprintable() for character in shown)
    shown.encode("utf-8")


def test_printable_text_keeps_what_can_be_shown() -> None:
    """Letters of any script stay; escapes, overrides and surrogates become Python escapes."""
    assert text.printable("Käse 鍵\n") == "Käse 鍵\n"
    assert text.printable("\x1b[31m\u202e\ud800\t") == "\\x1b[31m\\u202e\\ud800\\t"
    assert text.printable("a\nb", keep="") == "a\\nb"


@given(ANY_TEXT, st.integers(min_value=1, max_value=40))
def test_shortened_text_is_a_whole_beginning(given: str, at_most: int) -> None:
    """A text within the limit is untouched; a longer one is cut between two characters."""
    size = len(given.encode("utf-8", "surrogatepass"))
    short = text.shorten(given, at_most=at_most)
    if size <= at_most:
        assert short == given
    else:
        head = short[: short.rindex("... (")]
        assert given.startswith(head)
        kept = len(head.encode("utf-8", "surrogatepass"))
        assert at_most - 3 <= kept <= at_most
        assert f"({size - kept:,} more bytes)" in short


def test_many_lines_lose_their_middle() -> None:
    """Of too many lines both ends are kept, and the number of lost ones is told."""
    short = text.shorten_lines(str(number) for number in range(1000))
    assert len(short) == text.LINES + 1
    assert short[0] == "0"
    assert short[-1] == "999"
    assert "(940 more lines)" in short[text.LINES // 2]


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (9_999, "9,999"), (18_204, "18.2k"), (3_100_000, "3.1M"), (0.125, "0.125")],
)
def test_compact_numbers(number: float, shown: str) -> None:
    """A large number is rounded to few characters with its unit."""
    assert text.compact(number) == shown


def test_evidence_reads_as_words() -> None:
    """Evidence is one line of numbers with their names."""
    found = {"calls": 1182, "share": 0.25, "mode": "spawn"}
    assert text.evidence_line(found) == "1,182 calls, 0.25 share, mode spawn"


def test_short_evidence_tells_the_meetings_first() -> None:
    """Where there is room for few facts, contention is told and what never happened is not."""
    found = {"rounds": 60, "evictions": 0, "calls": 240, "contested_keys": 55, "processes": 4}
    assert text.evidence_line(found, at_most=2) == "55 contested keys, 60 rounds"
