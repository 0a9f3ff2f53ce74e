"""One run of the gate against a mutant or a correct store, and what it says about the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.adapters.targets import Target
from onewinner.clock import monotonic_ns
from onewinner.contract.clauses import CLAUSES
from onewinner.doctor.findings import Outcome, Trial
from onewinner.suite import engine
from onewinner.suite.tree import ExitCode, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from onewinner.contract.clauses import Level
    from onewinner.mutants import Mutant
    from onewinner.suite.options import Depth
    from onewinner.suite.tree import RunResult

CORRECT: Final[dict[str, Level]] = {"sqlite": "crash", "memory": "thread"}
"""The correct stores, and the highest level that each can reach; what takes longest comes first."""


def try_mutant(mutant: Mutant, *, budget_s: float, select: tuple[str, ...] = ()) -> Trial:
    """Run the gate until the first violation; `select` empty: by the whole contract.

    The level is `crash` where a clause that it names needs it, or only a fault shows the defect;
    else it is the gate's own.
    """
    options = engine.Options(
        level=_level(mutant), select=select, budget_s=budget_s, stop_at_first=True
    )
    return _try(mutant, options)


def try_whole(
    mutant: Mutant, *, budget_s: float, depth: Depth, select: tuple[str, ...] = ()
) -> Trial:
    """Run the gate as far as `depth` and do not stop before, so that each clause can flag."""
    options = engine.Options(level=_level(mutant), select=select, budget_s=budget_s, depth=depth)
    return _try(mutant, options)


def _level(mutant: Mutant) -> Level | None:
    faults = any(CLAUSES[clause].level == "crash" for clause in mutant.clauses)
    return "crash" if faults or mutant.shows == "faults" else None


def _try(mutant: Mutant, options: engine.Options) -> Trial:
    target = f"mutant:{mutant.name}"
    return _tried(target, options, lambda result: _of_mutant(result, mutant))


def try_correct(name: str, *, budget_s: float | None = None) -> Trial:
    """Judge a correct store by the whole contract, at the highest level that it can reach."""
    options = engine.Options(level=CORRECT[name], budget_s=budget_s)
    return _tried(name, options, _of_correct)


def _tried(target: str, options: engine.Options, judge: Callable[[RunResult], Outcome]) -> Trial:
    start = monotonic_ns()
    try:
        result = engine.verify(Target(target), options)
    except (Exception, SystemExit) as error:  # whatever ends the gate, the others are judged
        why = f"{type(error).__name__}: {error}"
        return Trial(outcome=Outcome.ERROR, seconds=_since(start), reason=why)
    outcome = judge(result)
    operations, counted = calls(result)
    return Trial(
        outcome=outcome,
        seconds=_since(start),
        flagged=flagged(result),
        checks=_told_by(result),
        operations=operations,
        counted=counted,
        level=result.level,
        reason="" if outcome < Outcome.INCONCLUSIVE else described(result),
    )


def _of_mutant(result: RunResult, mutant: Mutant) -> Outcome:
    seen = flagged(result)
    if not seen:
        return Outcome.ERROR if result.status is Status.ERROR else Outcome.MISSED
    if mutant.clauses[0] in seen:
        return Outcome.EXPECTED
    return Outcome.NAMED if set(seen) & set(mutant.clauses) else Outcome.UNNAMED


def _of_correct(result: RunResult) -> Outcome:
    if result.exit_code is ExitCode.CONFORMS:
        return Outcome.CONFORMS
    return Outcome.ACCUSED if result.exit_code is ExitCode.VIOLATION else Outcome.INCONCLUSIVE


def flagged(result: RunResult) -> tuple[str, ...]:
    """Answer the clauses that were seen broken, with a violation to show for it."""
    return tuple(
        clause.clause.id
        for clause in result.clauses
        if any(c.status is Status.FAIL and c.violation is not None for c in clause.checks)
    )


def _told_by(result: RunResult) -> tuple[str, ...]:
    """Answer the checks that told a violation."""
    told = (c.check for clause in result.clauses for c in clause.checks if c.violation is not None)
    return tuple(dict.fromkeys(told))


def calls(result: RunResult) -> tuple[int | None, bool]:
    """Answer the calls that the checks of a run counted, and whether each check counted its own.

    A check that judges several clauses tells the same number for each, so it counts once.
    """
    told: dict[str, int | None] = {}
    for check in (check for clause in result.clauses for check in clause.checks):
        found = check.evidence.get("calls")
        own = found if isinstance(found, int) else None
        told[check.check] = _most((told.get(check.check), own))
    known = [number for number in told.values() if number is not None]
    return (sum(known) if known else None), len(known) == len(told)


def _most(numbers: Iterable[int | None]) -> int | None:
    return max((number for number in numbers if number is not None), default=None)


def described(result: RunResult) -> str:
    """Say how many clauses have which status, and which are worse than a pass."""
    counts = [f"{n} {s.label}" for s in Status if (n := result.count(s))]
    worse = [f"{c.clause.id}: {c.reason}" for c in result.clauses if c.status > Status.XFAIL]
    return "; ".join([", ".join(counts), *worse])


def _since(start_ns: int) -> float:
    return (monotonic_ns() - start_ns) / 1e9
