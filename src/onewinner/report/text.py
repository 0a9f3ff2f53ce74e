"""Text that is safe to show: what a target says may hold anything, a report must not.

A store under test is asked to keep nasty keys, and its errors are quoted. Nothing of that may move
a terminal's cursor, break an XML file or fill a log.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VALUE_BYTES: Final = 200
LINE_BYTES: Final = 1_000
PROSE_BYTES: Final = 4_000
LINES: Final = 60
_MEETINGS: Final = ("contested", "overlap")
_STRESS: Final = "stress"
_SENTENCE: Final = "swept"
_SAID_BY_IT: Final = ("schedules", "points")
_LONG: Final = re.compile(
    r"""(?<!\w)'(?:[^'\\]|\\.){49,}'|(?<!\w)"(?:[^"\\]|\\.){49,}"|\S{50,}""", re.DOTALL
)
"""What may take more than `VALUE_BYTES`: it has at least a quarter as many characters."""


def printable(text: str, *, keep: str = "\n") -> str:
    """Answer the text with every control, format and surrogate character escaped.

    Characters of `keep` stay as they are. The escapes are Python's, so no information is lost.
    """
    if text.isprintable():
        return text
    return "".join(c if c in keep or c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shorten(text: str, *, at_most: int = VALUE_BYTES) -> str:
    """Answer at most about `at_most` UTF-8 bytes of the text, and say how many were left out."""
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= at_most:
        return text
    cut = at_most
    while raw[cut] & 0xC0 == 0x80:  # not inside a character
        cut -= 1
    head = raw[:cut].decode("utf-8", "surrogatepass")
    return f"{head}... ({len(raw) - cut:,} more bytes)"


def shorten_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """Answer at most `LINES` lines, each shortened; the middle goes, as both ends tell more."""
    short = tuple(shorten(line, at_most=LINE_BYTES) for line in lines)
    if len(short) <= LINES:
        return short
    half = LINES // 2
    return (*short[:half], f"... ({len(short) - 2 * half:,} more lines)", *short[-half:])


def count(number: int, word: str) -> str:
    """Answer `1 clause`, `3 clauses`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def compact(number: float) -> str:
    """Answer a number in few characters: `812`, `18.2k`, `3.1M`."""
    for limit, scale, unit in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(number) >= limit:
            return f"{number / scale:,.1f}{unit}"
    return _number(number)


def evidence_line(found: Mapping[str, int | float | str], *, at_most: int | None = None) -> str:
    """Answer evidence in one line, such as `1,182 contested keys, 4 processes`.

    With `at_most`, so many facts are told: how often clients met comes first, as a race without
    that says nothing, and what never happened is left out. What sweeps covered is a sentence of its
    own, which is never cut.
    """
    swept = str(found.get(_SENTENCE, ""))
    left_out = (_SENTENCE, *_SAID_BY_IT) if swept else ()
    found = {name: value for name, value in found.items() if name not in left_out}
    if at_most is not None:
        facts = [fact for fact in found.items() if fact[1] != 0]
        facts.sort(key=_importance)
        found = dict(facts[:at_most])
    words = []
    for name, value in found.items():
        label = name.replace("_", " ")
        word = f"{label} {value}" if isinstance(value, str) else f"{_number(value)} {label}"
        words.append(printable(shorten(word, at_most=60), keep=""))
    return "; ".join(part for part in (", ".join(words), printable(swept, keep="")) if part)


def _importance(fact: tuple[str, int | float | str]) -> int:
    """Answer 0 for what a race adds up to, 1 for how often clients met, 2 for the rest."""
    return 0 if fact[0] == _STRESS else 1 if any(word in fact[0] for word in _MEETINGS) else 2


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def shorten_values(said: str) -> str:
    """Answer a text in which what a store was given takes at most 200 bytes a piece.

    A piece is what stands between quotes, or has no space in it.
    """
    if len(said) <= VALUE_BYTES // 4:  # a character takes four bytes at most
        return said
    return _LONG.sub(lambda found: shorten(found[0]), said)
