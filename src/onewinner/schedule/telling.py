"""At which points a call is held first: the order in which a sweep tries them."""

from __future__ import annotations

import re
from itertools import takewhile, zip_longest
from typing import TYPE_CHECKING, Final

from onewinner.schedule.gate import BEGINS, ENDS, first_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.schedule.claimant import Point

# file, class, method, comprehension in it, line
_LINE: Final = re.compile(r"\S+ (\S*?)(<?\w+>?)(?:\.<locals>\.<\w+>)?:\d+")

# The first words of those points, statements and system calls, that change what others see.
_CHANGING: Final = """
INSERT UPDATE DELETE REPLACE CREATE ALTER DROP
WRITE WRITEV PWRITE64 PWRITEV PWRITEV2 TRUNCATE FTRUNCATE CREAT
MKDIR MKDIRAT RMDIR LINK LINKAT SYMLINK SYMLINKAT UNLINK UNLINKAT RENAME RENAMEAT RENAMEAT2
"""
_CHANGES: Final = frozenset(_CHANGING.split())
_READING: Final = frozenset({"READ", "READV", "PREAD64", "PREADV", "PREADV2"})


def telling(points: Sequence[Point]) -> list[int]:
    """Answer the numbers of points, in turns one between two transactions and one inside.

    A store that makes one step of two is wrong between its transactions, where few points are.
    Inside of one a rival waits for its lock, or is told something wrong at any point. The method's
    own last line comes first, if it is a point: there all is done but for the answer; then where
    something is changed outside of a transaction, by what was seen before. Held at its first point
    a call has done nothing yet. Any beginning is spread over the whole.

    Without any transaction those come first before which something is changed: there a call has
    seen all that it acts on. A file that nothing was read of is made when it is opened to be
    written; another is changed when it is written. Then comes the last point, where all is done but
    for the answer; and of lines those of the method that was called, between the steps that it is
    made of, from the last one on: the later it is, the more was seen that may no longer be so.
    """
    between, inside = [], False
    changes = [number for number in range(1, len(points) + 1) if _changes(number, points)]
    for number, point in enumerate(points, 1):
        if not inside and number > 1:
            between.append(number)
        word = first_word(point.name)
        inside = word not in ENDS and (inside or word in BEGINS)
    rest = [number for number in range(1, len(points) + 1) if number not in between]
    own = _own_lines(points)
    if rest == [1]:
        steps = _in_turns([list(reversed(each)) for each in _steps(own)])
        whole = spread(len(points))
        made = [number for number in changes if _makes(number, points)]
        first = [*reversed(made), *reversed(changes), len(points)]
        return list(dict.fromkeys([*first, *steps, *whole]))
    turns = _in_turns([[part[at - 1] for at in spread(len(part))] for part in (between, rest)])
    behind = sorted({number for each in own for number in each}.intersection(between))[-1:]
    alone = [number for number in changes if number in between]
    return list(dict.fromkeys([*behind, *alone, *turns]))


def _changes(number: int, points: Sequence[Point]) -> bool:
    """Tell whether something is changed at a point, or a file opened that is then written to."""
    point = points[number - 1]
    if not _opens(point):
        return first_word(point.name) in _CHANGES
    later = (each for each in points[number:] if _target(each) == _target(point))
    since = takewhile(lambda each: not _opens(each), later)
    return any(first_word(each.name) == "WRITE" for each in since)


def _makes(number: int, points: Sequence[Point]) -> bool:
    """Tell whether a change is the opening of a file that nothing was read of."""
    point = points[number - 1]
    before = {_target(each) for each in points[:number] if first_word(each.name) in _READING}
    return _opens(point) and _target(point) not in before


def _opens(point: Point) -> bool:
    return first_word(point.name) in {"OPEN", "OPENAT", "OPENAT2"}


def _target(point: Point) -> str:
    return point.name.partition(" ")[2]


def _own_lines(points: Sequence[Point]) -> list[list[int]]:
    """Answer the numbers of the lines of the method that was called, by the class that has it.

    That is whose line came first, or last where the first lines were no points. A method of that
    name in another class is the same one: it calls what it overrides.
    """
    lines = [(n, _LINE.fullmatch(point.name)) for n, point in enumerate(points, 1)]
    methods = [(n, each[1], each[2]) for n, each in lines if each is not None]
    called = methods[0 if methods[0][0] == 1 else -1][2] if methods else ""
    own: dict[str, list[int]] = {}
    for number, owner, method in methods:
        if method == called:
            own.setdefault(owner, []).append(number)
    return list(own.values())


def _steps(own: Sequence[Sequence[int]]) -> list[list[int]]:
    """Leave of lines that follow each other the last, for nothing is done between them."""
    every = {number for each in own for number in each}
    return [[number for number in each if number + 1 not in every] for each in own]


def _in_turns(parts: Sequence[Sequence[int]]) -> list[int]:
    """Answer what all have, the first of each before the second of any."""
    return [number for each in zip_longest(*parts) for number in each if number is not None]


def spread(count: int) -> list[int]:
    """Answer 1..count in an order in which any beginning is spread over the whole."""
    return sorted(range(1, count + 1), key=lambda each: int(f"{each:032b}"[::-1], 2))
