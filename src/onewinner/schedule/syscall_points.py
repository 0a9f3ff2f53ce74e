"""The points of a call that is held at system calls: how they are counted, and their names.

A point is called after the system call and what it works on, without whatever differs from one call
to the next. So it can be found again in another call, in another process, on another day.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from onewinner.schedule.claimant import Point
from onewinner.schedule.tracer_target import short_name

if TYPE_CHECKING:
    from collections.abc import Mapping

# Process ids, serial numbers, hashes and UUIDs differ from call to call; a point keeps its name.
_PASSING: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:[0-9]+|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"|[0-9A-Fa-f]{8,})(?![A-Za-z0-9])"
)

# What `tempfile` makes up.
_MADE_UP: Final = re.compile(r"(?<![A-Za-z0-9])tmp[a-z0-9_]{8}(?![a-z0-9_])")

# No store keeps its rows here, but runtimes look here when they see fit: glibc, for one, reads
# /proc/sys/vm/overcommit_memory when it gives memory back, which is once in hundreds of calls.
NO_STORE: Final = ("/proc/", "/sys/", "/dev/null", "/dev/random", "/dev/urandom")


class Points:
    """Counts the points of one call, and tells where it is held.

    `passed` are those that the call came to so far; `hold` is where it is held next: a number that
    counts from 1, a named point, or nowhere.
    """

    def __init__(self) -> None:
        self.passed: list[Point] = []
        self.hold: int | Point | None = None
        self._counts: Counter[str] = Counter()
        self._words: tuple[tuple[re.Pattern[str], str], ...] = ()

    def begin(self, words: Mapping[str, str], hold: int | Point | None) -> None:
        """Begin a call; `words` differ from call to call, each with what stands for it."""
        self.passed = []
        self.hold = hold
        self._counts.clear()
        self._words = tuple(
            (re.compile(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])"), stands)
            for word, stands in words.items()
            if word
        )

    def reach(self, name: str, target: str = "") -> bool:
        """Come to a point; answer whether the call is held there."""
        what = short_name(target)
        for word, stands in self._words:
            what = word.sub(stands, what)
        text = f"{name} {_PASSING.sub('#', _MADE_UP.sub('tmp#', what))}".rstrip()
        self._counts[text] += 1
        point = Point(text, self._counts[text])
        self.passed.append(point)
        return self.hold is not None and self.hold in (point, len(self.passed))
