"""Where a run is and what it has done so far, told to whoever listens.

A check counts from nothing for itself; what is told are the sums over the run.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns
from onewinner.suite.options import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from onewinner.history import Operation
    from onewinner.suite.options import Listener
    from onewinner.suite.registry import Check

CLAIMS: Final = "claims"
OVERLAPS: Final = "overlaps"
FAULTS: Final = "faults survived"

_SHOWN: Final = (CLAIMS, OVERLAPS, "schedules", "programs", FAULTS)


def claims_in(operations: Iterable[Operation]) -> int:
    """Count the claims among operations."""
    return sum(each.f == "register_if_absent" for each in operations)


def silent(_: object) -> None:
    """Listen to no progress."""


class Underway:
    """What a run tells of itself; `done` counts the checks that came to their end."""

    def __init__(
        self, listener: Listener | None, checks: Iterable[Check], budget_s: float, started_ns: int
    ) -> None:
        self.done = 0
        self._listener = listener
        self._clauses = {check.name: check.clauses for check in checks}
        self._budget_s = budget_s
        self._started_ns = started_ns
        self._before: Counter[str] = Counter()
        self._now: dict[str, int] = {}
        self._check = ""

    def tell(self, check: str, counters: Mapping[str, int]) -> None:
        """Tell where the run is; `counters` are those of the check that is under way."""
        if self._listener is None:
            return
        self._listener(
            Progress(
                check=check,
                clauses=self._clauses.get(check, ()),
                done=self.done,
                total=len(self._clauses),
                elapsed_s=(monotonic_ns() - self._started_ns) / 1e9,
                budget_s=self._budget_s,
                counters=self._sums(check, counters),
            )
        )

    def _sums(self, check: str, counters: Mapping[str, int]) -> dict[str, int]:
        """Add what the checks before have counted; one that begins anew counts from nothing."""
        again = any(counters.get(name, number) < number for name, number in self._now.items())
        if check != self._check or again:
            self._before.update(self._now)
            self._check, self._now = check, {}
        self._now.update(counters)
        sums = {name: self._before[name] + self._now.get(name, 0) for name in _SHOWN}
        return {name: number for name, number in sums.items() if number}
