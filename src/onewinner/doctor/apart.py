"""Trials side by side, each in a process of its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from onewinner.doctor.findings import Outcome, Trial
from onewinner.doctor.trials import try_correct, try_mutant
from onewinner.mutants import MUTANTS
from onewinner.runner import call_in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from onewinner.mutants import Mutant

SILENT_S: Final = 600.0
"""A trial that has not ended after so many seconds, beside its budget, has hung."""


def trial_of(mutant: str | None, target: str, budget_s: float) -> Trial:
    """Judge a mutant, given by its name, or a correct store."""
    if mutant is None:
        return try_correct(target)
    return try_mutant(MUTANTS[mutant], budget_s=budget_s)


def side_by_side(
    wanted: Sequence[tuple[str, Mutant | None]], *, budget_s: float, jobs: int
) -> Iterator[Trial]:
    """Yield a trial for each target, in their order, with so many of them at once.

    Whoever stops listening ends those that are under way.
    """
    over = threading.Event()

    def trial(target: str, mutant: Mutant | None) -> Trial:
        return _apart(target, None if mutant is None else mutant.name, budget_s, over.is_set)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield from pool.map(lambda each: trial(*each), wanted)
        finally:
            over.set()
            pool.shutdown(cancel_futures=True)


def _apart(target: str, mutant: str | None, budget_s: float, stop: Callable[[], bool]) -> Trial:
    ended = call_in_child(
        _work,
        mutant,
        target,
        budget_s,
        on_message=lambda _: None,
        silence_s=SILENT_S + budget_s,
        stop=stop,
    )
    if isinstance(ended.value, Trial):
        return ended.value
    why = "; ".join([ended.describe(), *ended.stderr_tail[-1:]])
    return Trial(outcome=Outcome.ERROR, seconds=ended.seconds, reason=why)


def _work(_send: object, mutant: str | None, target: str, budget_s: float) -> Trial:
    return trial_of(mutant, target, budget_s)
