"""hegeltest: a concurrent state machine; its rule is a claim, its invariant one winner a key."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import hegel
from attempt import CLAIMANTS, Found, Limit, attempt
from bugs import Bug, Field
from hegel import generators as gs

if TYPE_CHECKING:
    from pathlib import Path

CASES = 100
KEYS = 10


class TwoWinners(AssertionError):
    """The bug."""


def hunt(bug: Bug, limit: Limit, home: Path) -> Found:
    """Run the machine, a hundred cases at a time as it does by default, until one fails."""
    firsts = itertools.count(step=KEYS)
    field = Field(bug, home)
    cases = itertools.count()

    class Claims(hegel.StateMachine):
        min_concurrency = 2
        max_concurrency = CLAIMANTS

        def __init__(self) -> None:
            next(cases)
            self.first = next(firsts)
            self.wins: list[int] = []
            field.vacate(*range(self.first, self.first + KEYS))

        @hegel.rule()
        def claim(self, tc: Any) -> None:
            key = tc.draw(gs.integers(min_value=0, max_value=KEYS - 1))
            if field.claim(self.first + key, 1)():
                self.wins.append(key)

        @hegel.invariant(always_run=True)
        def one_winner(self, _tc: Any) -> None:
            if self.wins and max(Counter(self.wins).values()) > 1:
                raise TwoWinners(self.wins)

    while not limit.over:
        try:
            hegel.run(
                lambda tc: hegel.run_state_machine(tc, Claims),
                test_cases=CASES,
                suppress_health_check=["too_slow"],
            )
        except TwoWinners:
            return Found(True, f"{next(cases)} cases, with shrinking")
    return Found(False, f"{next(cases)} cases")


if __name__ == "__main__":
    attempt(hunt)
