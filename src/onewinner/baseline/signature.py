"""The signature of a failure: the part of its sentence that is the same each time it is told.

Keys, values, times, counts and paths differ from run to run, and so does what a race says of its
rate and its witness. What is left are words, and the longest that all violations of a clause share
are taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LEAST: Final = 4
"""A signature has at least so many characters, or it would be in any sentence."""

MOST: Final = 120

_DIFFERS: Final = re.compile(
    r"""
      (?<!\w)'(?:[^'\\]|\\.)*' | (?<!\w)"(?:[^"\\]|\\.)*"  # keys and values
    | \([^()]*\) | \[[^\[\]]*\] | \{[^{}]*\}  # arguments, listings
    | (?<![\w'"])/[^\s'"]+  # paths
    | [+-]?[\w.]*\d[\w.,%]*(?:\s(?:ms|s|us|ns)\b,?)?  # counts, times, and names that are counted
    | [^\x20-\x7e]+  # what a file might not hold
    """,
    re.VERBOSE,
)
_REMARK: Final = re.compile(r" \((?:stochastic, |wrong in |[^()]*, (?:threads|processes)\b)")
_EDGES: Final = " ,;:.-=>`'\"()[]{}"


def signature(sentences: Iterable[str]) -> str:
    """Answer the longest run of words that all sentences share; empty where there is none."""
    told = list(dict.fromkeys(sentences))
    if not told:
        return ""
    everywhere = [sentence.casefold() for sentence in told]
    for candidate in sorted(set(_runs(told[0])), key=lambda each: (-len(each), each)):
        if all(candidate.casefold() in sentence for sentence in everywhere):
            return candidate
    return ""


def _runs(sentence: str) -> Iterator[str]:
    """Yield the runs of words that stay the same, all that are neither too short nor too long."""
    for part in _DIFFERS.split(_REMARK.split(sentence)[0]):
        words = [found.span() for found in re.finditer(r"\S+", part)]
        for number, (start, _) in enumerate(words):
            for _, end in words[number:]:
                run = part[start:end].strip(_EDGES)
                if LEAST <= len(run) <= MOST and any(letter.isalpha() for letter in run):
                    yield run
