"""Judges one clause again, as often as an entry of a baseline asks for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from onewinner.suite import engine

if TYPE_CHECKING:
    from onewinner.adapters.targets import Target
    from onewinner.baseline.applying import Again
    from onewinner.suite.tree import ClauseResult, RunResult

_SEEDS: Final = 2**64


def again(
    target: Target,
    options: engine.Options,
    result: RunResult,
    on_progress: engine.Listener | None = None,
) -> Again:
    """Answer what judges a clause again with all of the run's budget, each time with another seed.

    Raises as `engine.verify` does.
    """

    def judge(clause: str, passed: int) -> ClauseResult:
        asked = replace(
            options,
            level=result.level,
            budget_s=result.budget_s,
            seed=(result.seed + passed) % _SEEDS,
            select=(clause,),
            stop_at_first=False,
            histories=None,
        )
        found = engine.verify(target, asked, on_progress=on_progress)
        return next(each for each in found.clauses if each.clause.id == clause)

    return judge
