"""Contention: how much of a race was truly one.

A race in which the clients never met proves nothing. Two calls have met when their intervals
overlap; that takes two clients, and for a race of processes two workers.
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


def contention(
    operations: Iterable[Operation],
    *,
    writes: frozenset[str] = _RACING,
    reads: frozenset[str] = frozenset(),
    by_key: bool = True,
) -> Contention:
    """Count what met in the volleys: writes that overlap writes, or reads that overlap writes.

    Calls meet at a key, or, where `by_key` is False, in a namespace.
    """
    groups: dict[tuple[Any, ...], list[Operation]] = {}
    rounds = set()
    calls = 0
    for operation in operations:
        if operation.extra["phase"] != "volley":
            continue
        calls += 1
        rounds.add(operation.extra["round"])
        if operation.f in writes or operation.f in reads:
            groups.setdefault(_meeting_place(operation, by_key=by_key), []).append(operation)
    counted = [_meetings(group, writes) for group in groups.values()]
    return Contention(
        rounds=len(rounds),
        calls=calls,
        contested=sum(pairs > 0 for pairs, _ in counted),
        pairs=sum(pairs for pairs, _ in counted),
        across=sum(across > 0 for _, across in counted),
    )


def _meeting_place(operation: Operation, *, by_key: bool) -> tuple[Any, ...]:
    value = operation.value
    space = (operation.extra["round"], value["plugin"], value["namespace"])
    return (*space, value["key"]) if by_key else space


def _meetings(group: list[Operation], writes: frozenset[str]) -> tuple[int, int]:
    """Count the pairs of overlapping calls of different clients, and of different workers."""
    pairs = across = 0
    running: list[Operation] = []
    for operation in sorted(group, key=_begun):
        begun = operation.invoked_ns
        running = [each for each in running if _runs_at(each, begun)]
        for each in running:
            if each.process != operation.process and (each.f in writes or operation.f in writes):
                pairs += 1
                across += each.extra["worker"] != operation.extra["worker"]
        running.append(operation)
    return pairs, across


def _runs_at(operation: Operation, instant_ns: int) -> bool:
    return operation.completed_ns is None or operation.completed_ns >= instant_ns


def _begun(operation: Operation) -> int:
    return operation.invoked_ns
