"""Contention: how much of a race was truly one.

A race in which the clients never met proves nothing. Two calls have met when their intervals
overlap; that takes two clients, and at process level two workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onewinner.history import Operation

_RACING: Final = frozenset({"register_if_absent", "consume"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Contention:
    """What met what.

    `rounds` with a volley, `calls` in the volleys, `contested` keys at which calls of different
    clients overlapped, `pairs` of such calls, and `across`, the contested keys at which the calls
    came from different workers.
    """

    rounds: int = 0
    calls: int = 0
    contested: int = 0
    pairs: int = 0
    across: int = 0

    def __add__(self, other: Contention) -> Contention:
        return Contention(
            rounds=self.rounds + other.rounds,
            calls=self.calls + other.calls,
            contested=self.contested + other.contested,
            pairs=self.pairs + other.pairs,
            across=self.across + other.across,
        )


def contention(operations: Iterable[Operation], racing: frozenset[str] = _RACING) -> Contention:
    """Count what met among the volleys' operations whose name is in `racing`.

    An operation on a whole namespace meets what overlaps it in that namespace.
    """
    groups: dict[tuple[Any, ...], list[Operation]] = {}
    rounds = set()
    calls = 0
    for operation in operations:
        if operation.extra.get("phase") != "volley":
            continue
        calls += 1
        rounds.add(operation.extra["round"])
        if operation.f in racing:
            groups.setdefault(_meeting_place(operation), []).append(operation)
    counted = [_meetings(group) for group in groups.values()]
    return Contention(
        rounds=len(rounds),
        calls=calls,
        contested=sum(pairs > 0 for pairs, _ in counted),
        pairs=sum(pairs for pairs, _ in counted),
        across=sum(across > 0 for _, across in counted),
    )


def _meeting_place(operation: Operation) -> tuple[Any, ...]:
    value = operation.value
    return (operation.extra["round"], value["plugin"], value["namespace"], value["key"])


def _meetings(group: list[Operation]) -> tuple[int, int]:
    """Count the pairs of overlapping calls of different clients, and of different workers."""
    pairs = across = 0
    running: list[Operation] = []
    for operation in sorted(group, key=lambda each: each.invoked_ns):
        running = [
            each
            for each in running
            if each.completed_ns is None or each.completed_ns >= operation.invoked_ns
        ]
        for each in running:
            pairs += each.process != operation.process
            across += each.extra["worker"] != operation.extra["worker"]
        running.append(operation)
    return pairs, across
