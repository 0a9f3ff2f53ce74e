"""How long the store's calls took: counted in classes of time, by operation and by second.

A run makes millions of calls, so none is kept by itself. A class is an eighth of a doubling wide,
so that a percentile told from it is right to within nine per cent.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from onewinner.history import Operation

PERCENTILES: Final = (50, 95, 99)

_STEPS: Final = 8
_SECOND_NS: Final = 1_000_000_000

Classes = Counter[int]


@dataclass(slots=True)
class Traffic:
    """Calls by (second, operation) and class of time, and what was done to the store meanwhile.

    Seconds and the nanoseconds of `faults` are of the monotonic clock.
    """

    calls: dict[tuple[int, str], Classes] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def note(self, operations: Iterable[Operation]) -> None:
        """Count calls that returned; what never did has no time."""
        for each in operations:
            if each.completed_ns is not None:
                where = (each.invoked_ns // _SECOND_NS, each.f)
                took = _class_of(each.completed_ns - each.invoked_ns)
                self.calls.setdefault(where, Counter())[took] += 1

    def add(self, other: Traffic) -> None:
        """Add what was counted elsewhere."""
        for where, classes in other.calls.items():
            self.calls.setdefault(where, Counter()).update(classes)
        self.faults += other.faults

    @property
    def total(self) -> int:
        """How many calls were counted."""
        return sum(sum(classes.values()) for classes in self.calls.values())


def merged(parts: Iterable[Traffic | None]) -> Traffic:
    """Answer what was counted in several places, together."""
    found = Traffic()
    for each in parts:
        if each is not None:
            found.add(each)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Percentiles of so many calls, in microseconds; `second` counts from the first, if any."""

    operation: str
    calls: int
    us: Mapping[int, float]
    worst_us: float
    second: int | None = None


def by_operation(traffic: Traffic) -> Iterator[Latency]:
    """Yield the percentiles of each operation over the whole run, the most frequent first."""
    merged: dict[str, Classes] = {}
    for (_, f), classes in traffic.calls.items():
        merged.setdefault(f, Counter()).update(classes)
    for f, classes in sorted(merged.items(), key=lambda each: -sum(each[1].values())):
        yield _latency(f, classes, None)


def over_time(traffic: Traffic) -> Iterator[Latency]:
    """Yield the percentiles of all operations together, second by second as far as there are."""
    if not traffic.calls:
        return
    first = first_second(traffic)
    merged: dict[int, Classes] = {}
    for (second, _), classes in traffic.calls.items():
        merged.setdefault(second - first, Counter()).update(classes)
    for second, classes in sorted(merged.items()):
        yield _latency("", classes, second)


def first_second(traffic: Traffic) -> int:
    """Answer the second of the first call, from which reports count."""
    return min((second for second, _ in traffic.calls), default=0)


def fault_times(traffic: Traffic) -> Iterator[tuple[float, str]]:
    """Yield when what was done to the store, in seconds from the first call."""
    first = first_second(traffic)
    for at_ns, told in sorted(traffic.faults):
        yield at_ns / _SECOND_NS - first, told


def _latency(operation: str, classes: Classes, second: int | None) -> Latency:
    return Latency(
        operation=operation,
        calls=sum(classes.values()),
        us={percent: _percentile(classes, percent) for percent in PERCENTILES},
        worst_us=_us_of(max(classes)),
        second=second,
    )


def _percentile(classes: Classes, percent: int) -> float:
    """Answer the time within which so many per cent of the calls returned."""
    due = sum(classes.values()) * percent / 100
    seen = 0
    for each in sorted(classes):
        seen += classes[each]
        if seen >= due:
            return _us_of(each)
    return 0.0


def _class_of(took_ns: int) -> int:
    return math.ceil(math.log2(max(took_ns, 1_000) / 1_000) * _STEPS)


def _us_of(number: int) -> float:
    """Answer the upper end of a class in microseconds."""
    return float(2 ** (number / _STEPS))
