"""Where the bars and marks of a timeline stand when only their order counts: ranks, not times.

Each instant gets a column, and columns are as far apart as the words on the bars need. So what was
over in a microsecond can be read beside what took a second, and who overlapped whom is still true.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onewinner.suite.timeline import Bar, Timeline

GAP: Final = 14.0
"""How far apart two instants are at least."""

EDGE: Final = 10.0
"""What is left free at both ends."""

_MARK_GAP: Final = 8.0

Instant: TypeAlias = "tuple[int, int]"
"""A time, and 1 where something ends there: calls that touch are drawn as calls that overlap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """The columns of each bar, from and to, and of each mark, and how wide the whole is."""

    bars: tuple[tuple[float, float], ...]
    marks: tuple[float, ...]
    width: float


def ranked(timeline: Timeline, needed: Sequence[float]) -> Ranked:
    """Answer the columns, with at least `needed` for each bar; who never returned ends last."""
    at: dict[Instant, float] = {}
    x = EDGE
    ends = _ends(timeline.bars, needed)
    for instant in sorted(_instants(timeline)):
        if at:
            x += GAP
        x = max([x, *(at[begun] + width for begun, width in ends.get(instant, ()))])
        at[instant] = x
    open_ended = [
        at[bar.begun_ns, 0] + width
        for bar, width in zip(timeline.bars, needed, strict=True)
        if bar.ended_ns is None
    ]
    right = max([x + EDGE, *open_ended])
    return Ranked(
        bars=tuple(
            (at[bar.begun_ns, 0], right if bar.ended_ns is None else at[bar.ended_ns, 1])
            for bar in timeline.bars
        ),
        marks=tuple(at[mark.at_ns, 0] for mark in timeline.marks),
        width=right + (0 if open_ended else EDGE),
    )


def _instants(timeline: Timeline) -> set[Instant]:
    begun = {(bar.begun_ns, 0) for bar in timeline.bars}
    ended = {(bar.ended_ns, 1) for bar in timeline.bars if bar.ended_ns is not None}
    return begun | ended | {(mark.at_ns, 0) for mark in timeline.marks}


def _ends(
    bars: Iterable[Bar], needed: Iterable[float]
) -> dict[Instant, list[tuple[Instant, float]]]:
    """Answer what ends at each instant, as the instant at which it began and its width."""
    found: dict[Instant, list[tuple[Instant, float]]] = {}
    for bar, width in zip(bars, needed, strict=True):
        if bar.ended_ns is not None:
            found.setdefault((bar.ended_ns, 1), []).append(((bar.begun_ns, 0), width))
    return found


def rows(bars: Sequence[Bar]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Answer the process of each row, and the row of each bar.

    A process makes one call at a time and has one row, unless a call of it was cut off and it, or
    who is taken for it, goes on.
    """
    free: dict[str, list[int | None]] = {}
    lane_of = []
    for bar in bars:
        lanes = free.setdefault(bar.process, [])
        lane = next(
            (n for n, end in enumerate(lanes) if end is not None and end < bar.begun_ns), len(lanes)
        )
        lanes[lane : lane + 1] = [bar.ended_ns]
        lane_of.append((bar.process, lane))
    names = sorted(free, key=_natural)
    every = [(name, lane) for name in names for lane in range(len(free[name]))]
    number = {each: row for row, each in enumerate(every)}
    return tuple(name for name, _ in every), tuple(number[each] for each in lane_of)


def _natural(name: str) -> tuple[bool, int, str]:
    """Sort `p2` before `p10`, and the clock last."""
    digits = name.removeprefix("p")
    return (not digits.isdecimal(), int(digits) if digits.isdecimal() else 0, name)


def heights(at: Sequence[float], widths: Sequence[float]) -> list[int]:
    """Answer for marks, from left to right, the line of their words, so that none overlap."""
    ends: list[float] = []
    found = []
    for x, width in zip(at, widths, strict=True):
        line = next((n for n, end in enumerate(ends) if end <= x), len(ends))
        ends[line : line + 1] = [x + width + _MARK_GAP]
        found.append(line)
    return found
