"""Trials side by side, each in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.doctor.findings import Outcome, Trial
from onewinner.doctor.trials import try_correct, try_mutant
from onewinner.mutants import MUTANTS
from onewinner.runner import in_children

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.mutants import Mutant
    from onewinner.runner import Ended

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
    """Yield a trial for each target, in their order, with so many of them at once."""
    calls = [(None if mutant is None else mutant.name, name, budget_s) for name, mutant in wanted]
    ends = in_children(_work, calls, jobs=jobs, silence_s=SILENT_S + budget_s)
    yield from map(_trial, ends)


def _trial(ended: Ended) -> Trial:
    if isinstance(ended.value, Trial):
        return ended.value
    why = "; ".join([ended.describe(), *ended.stderr_tail[-1:]])
    return Trial(outcome=Outcome.ERROR, seconds=ended.seconds, reason=why)


def _work(_send: object, mutant: str | None, target: str, budget_s: float) -> Trial:
    return trial_of(mutant, target, budget_s)
