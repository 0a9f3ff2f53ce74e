"""Time to detection as a picture: the mutants sorted by their median, seconds on a log scale."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final

from onewinner.doctor import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.doctor.findings import Finding

_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 880, 16, 270
_STEPS: Final = (1, 2, 5)


def svg(findings: Sequence[Finding]) -> str:
    """Answer the plot of the mutants that have a time, empty where none has one.

    A mark is the median, the line above it goes to the worst trial.
    """
    timed = [(f, f.median_s, f.worst_s) for f in findings]
    known = sorted(
        ((f, max(m, 1e-3), max(w, 1e-3)) for f, m, w in timed if m is not None and w is not None),
        key=lambda each: each[1],
    )
    if not known:
        return ""
    ticks = _ticks(known[0][1], max(worst for _, _, worst in known))
    low, high = math.log10(ticks[0]), math.log10(ticks[-1])

    def y(seconds: float) -> float:
        return _BOTTOM - (math.log10(seconds) - low) / (high - low) * (_BOTTOM - _TOP)

    parts = [
        '<svg viewBox="0 0 900 310" role="img" aria-label="time to detection, sorted, log scale">'
    ]
    parts += [_tick(tick, y(tick)) for tick in ticks]
    step = (_RIGHT - _LEFT) / len(known)
    for number, (finding, median, worst) in enumerate(known):
        parts.append(_mark(finding, _LEFT + (number + 0.5) * step, y(median), y(worst)))
    middle = (_LEFT + _RIGHT) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="298" text-anchor="middle">'
        f"{len(known)} mutants, the quickest first</text></svg>"
    )
    return "\n".join(parts)


def _ticks(least: float, most: float) -> list[float]:
    """Answer 1, 2 and 5 times powers of ten, from one at or below `least` to one above `most`."""
    ticks = list(_all_ticks(math.floor(math.log10(least)), math.floor(math.log10(most)) + 1))
    first = max(number for number, tick in enumerate(ticks) if tick <= least * (1 + 1e-9))
    last = min(number for number, tick in enumerate(ticks) if tick > most)
    return ticks[first : last + 1]


def _all_ticks(lowest: int, highest: int) -> Iterator[float]:
    for power in range(lowest, highest + 1):
        yield from (step * 10.0**power for step in _STEPS)


def _tick(seconds: float, y: float) -> str:
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{seconds:g} s</text>'
    )


def _mark(finding: Finding, x: float, y_median: float, y_worst: float) -> str:
    told = f"{finding.target}: median {words.seconds(finding.median_s)}"
    told += f", worst {words.seconds(finding.worst_s)}"
    return (
        f'<g class="{finding.outcome.name.lower()}"><title>{escape(told)}</title>'
        f'<line class="worst" x1="{x:.1f}" x2="{x:.1f}" y1="{y_median:.1f}" y2="{y_worst:.1f}"/>'
        f'<circle cx="{x:.1f}" cy="{y_median:.1f}" r="3"/></g>'
    )
