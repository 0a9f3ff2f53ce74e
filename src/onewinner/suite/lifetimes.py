"""In real time: whether a row that the model still has may have gone by itself meanwhile.

The model's time is logical there, and moves on only when a program lets a TTL pass. A short life
can be over sooner, where a call is slow or the machine is busy; whichever call came then may have
removed the row, and a sweep does not count it any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.clock import monotonic_ns
from onewinner.contract.newer import WRITES
from onewinner.model import Count

if TYPE_CHECKING:
    from onewinner.model import Answer, Call, State

_MS_NS: Final = 1_000_000


class Lifetimes:
    """The ends of all lives that were written since the last sweep; TTLs are good to a unit."""

    def __init__(self, unit_ms: int) -> None:
        self._unit_ms = unit_ms
        self._ends_ns: list[int] = []
        self._overtaken = False

    def called(self, call: Call, state: State, begun_ns: int) -> None:
        """Note a call that has just returned, and the TTL that it gave, if any."""
        now_ns = monotonic_ns()
        ttl_ms = _ttl_ms(call, state) if call.f in WRITES else None
        if call.f == "sweep_expired":
            self._ends_ns = [each for each in self._ends_ns if each > now_ns]
            self._overtaken = False
            return
        if isinstance(ttl_ms, int):
            self._ends_ns.append(begun_ns + (ttl_ms - self._unit_ms) * _MS_NS)
        self._overtaken = self._overtaken or any(each <= now_ns for each in self._ends_ns)

    def counted(self, answer: Answer) -> Answer:
        """Answer how many a sweep may count, where a call may have removed some of them before."""
        return Count(0, answer.high) if self._overtaken and isinstance(answer, Count) else answer


def _ttl_ms(call: Call, state: State) -> Any:
    space = state.space(call.plugin, call.namespace)
    default_ms = None if space is None else space.default_ttl_ms
    return default_ms if call.ttl_ms is None else call.ttl_ms
