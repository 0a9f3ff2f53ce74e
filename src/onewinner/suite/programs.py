"""The check of random programs: the stateful machine, run for a time, with what it exercised."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns
from onewinner.contract.clauses import CLAUSES
from onewinner.suite.exercise import MARKS
from onewinner.suite.tree import CheckResult, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.suite.machine import Campaign
    from onewinner.suite.session import Session

NAME: Final = "random_programs"
CLAUSES_EXERCISED: Final = tuple(sorted({clause for found in MARKS.values() for clause in found}))

_PROGRAMS_MIN = 20
_BATCH = 40
_STEPS = 30
_HARD_FACTOR = 4
_HARD_MIN_S = 20.0


def run_programs(
    target: Target,
    capabilities: Capabilities,
    run_dir: str,
    *,
    budget_s: float,
    seed: int,
    on_session: Callable[[Session], None] | None = None,
    on_batch: Callable[[Campaign], None] | None = None,
) -> list[CheckResult]:
    """Run programs for `budget_s`, at least twenty of them, and answer what they found.

    One result for each clause that was exercised, with how often; a clause that no program
    exercised is left to its directed cases. A violation is reported with the shortest program.
    """
    from onewinner.suite.machine import BudgetSpent, Campaign

    started = monotonic_ns()
    hard_s = max(_HARD_FACTOR * budget_s, _HARD_MIN_S)
    end_ns = started + int(budget_s * 1e9)
    campaign = Campaign(target, capabilities, run_dir, end_ns, end_ns, on_session=on_session)
    batch = 0
    while campaign.found is None:
        over = monotonic_ns() - started
        if over > hard_s * 1e9:
            break
        if over > budget_s * 1e9:
            if campaign.programs >= _PROGRAMS_MIN:
                break
            campaign.deadline_ns = started + int(hard_s * 1e9)
        with contextlib.suppress(BudgetSpent):
            _run_batch(campaign, seed + batch)
        if campaign.mistake is not None:
            raise campaign.mistake
        batch += 1
        if on_batch is not None:
            on_batch(campaign)
    return _results(campaign, (monotonic_ns() - started) / 1e9)


def _run_batch(campaign: Campaign, seed: int) -> None:
    import hypothesis
    from hypothesis.stateful import run_state_machine_as_test

    from onewinner.suite.divergence import Divergence
    from onewinner.suite.machine import machine_for

    enough = campaign.programs + (_PROGRAMS_MIN if campaign.programs < _PROGRAMS_MIN else _BATCH)
    settings = hypothesis.settings(
        max_examples=enough - campaign.programs,
        stateful_step_count=_STEPS,
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
    )
    machine = hypothesis.seed(seed)(machine_for(campaign))
    try:
        run_state_machine_as_test(machine, settings=settings)
    except Divergence:
        return
    except hypothesis.errors.Flaky:
        # A store that is not deterministic is found all the same, and a batch that the end of its
        # time cut short looks flaky to Hypothesis; anything else is a mistake of the kit.
        if campaign.found is None and not campaign.spent:
            raise


def _results(campaign: Campaign, seconds: float) -> list[CheckResult]:
    evidence: dict[str, int | float | str] = {
        "programs": campaign.programs,
        "calls": campaign.calls,
    }
    results = []
    if campaign.found is not None:
        results.append(
            CheckResult(
                check=NAME,
                clause=campaign.found.clause,
                status=Status.FAIL,
                reason=campaign.found.summary,
                evidence=evidence,
                violation=campaign.found,
                seconds=seconds,
            )
        )
    enough = campaign.programs >= _PROGRAMS_MIN
    for clause in _exercised(campaign):
        if campaign.found is not None and clause == campaign.found.clause:
            continue
        seen = {mark: campaign.marks[mark] for mark in MARKS if clause in MARKS[mark]}
        results.append(
            CheckResult(
                check=NAME,
                clause=clause,
                status=Status.PASS if enough or campaign.found else Status.UNTESTED,
                reason="" if enough else f"only {campaign.programs} programs fitted the time",
                evidence={**evidence, **{mark: times for mark, times in seen.items() if times}},
                seconds=0.0 if results else seconds,  # told once: reports add them up
            )
        )
    return results


def _exercised(campaign: Campaign) -> Iterable[str]:
    for clause in CLAUSES_EXERCISED:
        if CLAUSES[clause].missing(campaign.capabilities) is not None:
            continue
        if any(campaign.marks[mark] for mark, found in MARKS.items() if clause in found):
            yield clause
