"""The last lines that the kit's children printed, for whoever keeps a failure.

A target runs in children only, so what they print is what the store printed. It is noted when a
child is closed; there is one such note for the process, and `fresh` begins a new one.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LINES_MOST: Final = 60
_LINES: Final[deque[str]] = deque(maxlen=_LINES_MOST)


def note(lines: Iterable[str]) -> None:
    """Note what a child printed last."""
    _LINES.extend(lines)


@contextmanager
def fresh() -> Iterator[deque[str]]:
    """Begin anew, and answer the lines as they come; at most the last sixty are there."""
    _LINES.clear()
    yield _LINES
