"""How long the store's calls took, as plots: by operation, and second by second with the faults.

Times stand on a logarithmic axis. What a colour says, a shape says too.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from onewinner.report import text
from onewinner.report.html.markup import Markup, joined, plain, said, tag
from onewinner.suite.traffic import PERCENTILES, by_operation, fault_times, over_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from onewinner.suite.traffic import Latency, Traffic

_WIDTH: Final = 760
_LEFT: Final = 150
_RIGHT: Final = 24
_ROW: Final = 26
_TOP: Final = 26
_TIMES: Final = 180
_RATES: Final = 70
_KINDS_MOST: Final = 12
_TOLD_MOST: Final = 90
_FAULTS_APART: Final = 30
"""Where faults stand at more places than these, their lines are faint."""


def plots(traffic: Traffic) -> Markup:
    """Answer the figures, with the numbers in tables for whoever cannot see them."""
    operations, seconds = list(by_operation(traffic)), list(over_time(traffic))
    faults = list(fault_times(traffic))
    return joined(
        (
            _figure(
                "Latency by operation",
                "Time within which so many of the calls returned; the line goes to the slowest.",
                _by_operation(operations),
                _numbers("Operation", [each.operation for each in operations], operations),
                shapes=len(PERCENTILES) + 1,
            ),
            _figure(
                "Latency and calls over time",
                "Each second of the run, all operations together"
                + (f"; {text.count(len(faults), 'fault')} marked." if faults else "."),
                _over_time(seconds, faults),
                joined((_kinds(faults), _numbers("Second", _names(seconds), seconds))),
                shapes=len(PERCENTILES),
            ),
        )
    )


def _names(seconds: Iterable[Latency]) -> list[str]:
    return [str(each.second) for each in seconds]


def _figure(title: str, caption: str, picture: Markup, numbers: Markup, *, shapes: int) -> Markup:
    return tag(
        "figure",
        tag("figcaption", tag("h3", title), tag("p", caption, class_="dim")),
        _legend(shapes),
        tag("div", picture, class_="plot"),
        numbers,
        class_="card",
    )


def duration(us: float) -> str:
    """Answer microseconds in the unit that reads best."""
    for limit, scale, unit in ((1e6, 1e6, "s"), (1e3, 1e3, "ms")):
        if us >= limit * 0.9995:
            return f"{us / scale:.3g} {unit}"
    return f"{us:.3g} \u00b5s"


class _Scale:
    """A logarithmic axis from whole power of ten to whole power of ten, in pixels."""

    def __init__(self, latencies: Sequence[Latency], begin: float, end: float) -> None:
        least = min((each.us[PERCENTILES[0]] for each in latencies), default=1.0)
        most = max((each.worst_us for each in latencies), default=10.0)
        self._low = math.floor(math.log10(max(least, 1.0)))
        self._high = max(math.ceil(math.log10(max(most, 1.0))), self._low + 1)
        self._begin, self._end = begin, end

    def __call__(self, us: float) -> float:
        share = (math.log10(max(us, 1.0)) - self._low) / (self._high - self._low)
        return self._begin + share * (self._end - self._begin)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield the powers of ten, where each stands and how it is called."""
        for power in range(self._low, self._high + 1):
            yield self(10.0**power), duration(10.0**power)


def _marker(number: int, x: float, y: float, title: str) -> Markup:
    """Answer the shape of a percentile: a circle, a square, a triangle; a cross for the slowest."""
    named = tag("title", title)
    match number:
        case 0:
            return tag("circle", named, cx=x, cy=y, r=5, class_="q0")
        case 1:
            return tag("rect", named, x=x - 4.5, y=y - 4.5, width=9, height=9, class_="q1")
        case 2:
            d = f"M{plain(x)} {plain(y - 6)}l6 11h-12z"
            return tag("path", named, d=d, class_="q2")
        case _:
            d = f"M{plain(x - 4)} {plain(y - 4)}l8 8m0 -8l-8 8"
            return tag("path", named, d=d, class_="worst")


def _legend(shapes: int) -> Markup:
    named = [*(f"{percent} %" for percent in PERCENTILES), "slowest"]
    return tag(
        "ul",
        *(
            tag(
                "li",
                tag("svg", _marker(n, 8, 8, told), width=16, height=16, aria_hidden="true"),
                told,
                class_="key",
            )
            for n, told in enumerate(named[:shapes])
        ),
        class_="legend",
    )


def _by_operation(latencies: Sequence[Latency]) -> Markup:
    bottom = _TOP + len(latencies) * _ROW
    scale = _Scale(latencies, _LEFT, _WIDTH - 110)
    grid = [
        tag("g", tag("line", x1=x, x2=x, y1=_TOP - 6, y2=bottom), tag("text", told, x=x, y=14))
        for x, told in scale.ticks()
    ]
    rows = [_row(each, scale, _TOP + (n + 0.5) * _ROW) for n, each in enumerate(latencies)]
    return tag(
        "svg",
        tag("g", *grid, class_="grid across"),
        *rows,
        viewBox=f"0 0 {_WIDTH} {bottom + 8}",
        role="img",
        aria_label="Percentiles of the time that calls took, by operation",
    )


def _row(latency: Latency, scale: _Scale, y: float) -> Markup:
    name = latency.operation
    points = [(f"{p} %", us) for p, us in latency.us.items()]
    points.append(("slowest", latency.worst_us))
    first, last = scale(points[0][1]), scale(latency.worst_us)
    return tag(
        "g",
        tag("text", said(name, at_most=22), x=_LEFT - 14, y=y + 4, class_="name"),
        tag("line", x1=first, x2=last, y1=y, y2=y, class_="range"),
        *reversed(
            [
                _marker(n, scale(us), y, f"{name}: {told} within {duration(us)}")
                for n, (told, us) in enumerate(points)
            ]
        ),
        tag("text", f"{text.compact(latency.calls)} calls", x=_WIDTH - 8, y=y + 4, class_="name"),
    )


def _over_time(latencies: Sequence[Latency], faults: Sequence[tuple[float, str]]) -> Markup:
    bottom = _TOP + _TIMES
    scale = _Scale(latencies, bottom, _TOP)
    across = _across(latencies, faults)
    grid = [
        tag(
            "g",
            tag("line", x1=60, x2=_WIDTH - _RIGHT, y1=y, y2=y),
            tag("text", told, x=54, y=y + 4),
        )
        for y, told in scale.ticks()
    ]
    base = bottom + 24 + _RATES
    return tag(
        "svg",
        tag("g", *grid, class_="grid down"),
        *_faults(faults, across, base),
        *(_line(n, percent, latencies, across, scale) for n, percent in enumerate(PERCENTILES)),
        *_rates(latencies, across, base),
        *_seconds(latencies, across, base),
        viewBox=f"0 0 {_WIDTH} {base + 30}",
        role="img",
        aria_label="Percentiles of the time that calls took, and calls a second, over the run",
    )


def _across(
    latencies: Sequence[Latency], faults: Sequence[tuple[float, str]]
) -> Callable[[float], float]:
    """Answer where a second stands; the last one is whole."""
    ends = [each.second or 0 for each in latencies] + [at for at, _ in faults]
    span = max(max(ends, default=0) + 1, 1)
    begin = min([0.0, *(at for at, _ in faults)])
    return lambda second: 60 + (second - begin) / (span - begin) * (_WIDTH - 60 - _RIGHT)


def _faults(
    faults: Sequence[tuple[float, str]], across: Callable[[float], float], base: float
) -> Iterator[Markup]:
    """Yield a line for each pixel at which something was done, with a mark above it."""
    told: dict[int, list[str]] = {}
    for at, fault in faults:
        told.setdefault(round(across(at)), []).append(fault)
    for x, what in told.items():
        more = f" and {len(what) - 1} more" if len(what) > 1 else ""
        yield tag(
            "g",
            tag("title", f"{said(what[0], at_most=_TOLD_MOST)}{more}"),
            tag("line", x1=x, x2=x, y1=12, y2=base),
            tag("path", d=f"M{x - 4} 6h8l-4 8z"),
            class_="fault many" if len(told) > _FAULTS_APART else "fault",
        )


def _line(
    number: int,
    percent: int,
    latencies: Sequence[Latency],
    across: Callable[[float], float],
    scale: _Scale,
) -> Markup:
    """Answer a percentile as a line that is broken where nothing was called."""
    path: list[str] = []
    before: int | None = None
    shapes = []
    for each in latencies:
        second = each.second or 0
        x, y = across(second + 0.5), scale(each.us[percent])
        path.append(f"{'L' if before == second - 1 else 'M'}{plain(x)} {plain(y)}")
        title = f"second {second}: {percent} % within {duration(each.us[percent])}"
        shapes.append(_marker(number, x, y, title))
        before = second
    line = tag("path", d="".join(path), class_=f"line l{number}")
    return tag("g", line, *shapes, class_="dense" if len(latencies) > 60 else None)


def _rates(
    latencies: Sequence[Latency], across: Callable[[float], float], base: float
) -> Iterator[Markup]:
    """Yield a column for the calls of each second."""
    most = max((each.calls for each in latencies), default=1)
    for each in latencies:
        second = each.second or 0
        height = max(each.calls / most * (_RATES - 8), 1)
        left, right = across(second), across(second + 1)
        yield tag(
            "rect",
            tag("title", f"second {second}: {text.count(each.calls, 'call')}"),
            x=left + 0.5,
            y=base - height,
            width=max(right - left - 1, 0.8),
            height=height,
            class_="rate",
        )
    yield tag("text", f"{text.compact(most)}/s", x=54, y=base - _RATES + 16, class_="name")
    yield tag("text", "calls", x=54, y=base - _RATES + 30, class_="name")
    yield tag("text", "0", x=54, y=base, class_="name")


def _seconds(
    latencies: Sequence[Latency], across: Callable[[float], float], base: float
) -> Iterator[Markup]:
    last = max((each.second or 0 for each in latencies), default=0) + 1
    step = next((s for s in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600) if last / s <= 12), 1800)
    yield tag("line", x1=60, x2=_WIDTH - _RIGHT, y1=base, y2=base, class_="base")
    for second in range(0, last + 1, step):
        told = f"{second} s"
        yield tag("text", told, x=across(second), y=base + 16, class_="second")


def _kinds(faults: Sequence[tuple[float, str]]) -> Markup | None:
    """Answer what was done, how often each; points of calls and numbers aside."""
    if not faults:
        return None
    counted = Counter(said(told, at_most=_TOLD_MOST) for _, told in faults).most_common()
    items = [
        tag("li", f"{times:,} \u00d7 {told}" if times > 1 else told)
        for told, times in counted[:_KINDS_MOST]
    ]
    if len(counted) > _KINDS_MOST:
        items.append(tag("li", f"and {len(counted) - _KINDS_MOST:,} other kinds", class_="dim"))
    told = f"\u25bc {text.count(len(faults), 'fault')}: what was done to the store and its clients"
    return tag("details", tag("summary", told), tag("ul", *items))


def _numbers(title: str, names: Sequence[str], latencies: Sequence[Latency]) -> Markup:
    heads = [title, "Calls", *(f"{percent} %" for percent in PERCENTILES), "Slowest"]
    rows = [
        tag(
            "tr",
            tag("th", said(name, at_most=40), scope="row"),
            tag("td", f"{each.calls:,}"),
            *(tag("td", duration(us)) for us in (*each.us.values(), each.worst_us)),
        )
        for name, each in zip(names, latencies, strict=True)
    ]
    head = tag("thead", tag("tr", *(tag("th", each, scope="col") for each in heads)))
    table = tag("table", head, tag("tbody", *rows), class_="numbers")
    return tag(
        "details",
        tag("summary", "The same as numbers"),
        tag("div", table, class_="wide"),
    )
