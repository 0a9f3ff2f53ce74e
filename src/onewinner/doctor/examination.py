"""The examination: every mutant and every correct store, as often as asked."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from onewinner.adapters.targets import Target
from onewinner.clock import monotonic_ns
from onewinner.doctor.apart import side_by_side, trial_of
from onewinner.doctor.findings import Examination, Finding, NotRun
from onewinner.doctor.measured import measure
from onewinner.doctor.trials import CORRECT
from onewinner.mutants import MUTANTS
from onewinner.suite.engine import UsageError
from onewinner.suite.processors import processors
from onewinner.suite.provenance import versions
from onewinner.suite.servers import lacking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onewinner.doctor.findings import Trial
    from onewinner.doctor.measured import Measured
    from onewinner.mutants import Mutant

BUDGET_S: Final = 60.0
"""The seconds that a mutant has for what can be repeated, where nothing else is asked for."""


def examine(
    *,
    budget_s: float = BUDGET_S,
    repeat: int = 1,
    family: str | None = None,
    whole: bool = False,
    jobs: int = 1,
    on_trial: Callable[[str, Trial], None] = lambda _target, _trial: None,
    on_measured: Callable[[Measured], None] = lambda _measured: None,
) -> Examination:
    """Judge the mutants (of one family) and the correct stores, each `repeat` times.

    `whole`: run each mutant once more to the end, to measure which clauses flag it. With `jobs`
    above 1 so many trials go on at once, and slow each other down. `on_trial` and
    `on_measured` are told each run as it ends. Raises UsageError where no mutant is of the family.
    """
    start = monotonic_ns()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    chosen, not_run = _that_can_run(_of_family(family))

    targets: list[tuple[str, Mutant | None]] = [(name, None) for name in CORRECT]
    targets += [(f"mutant:{each.name}", each) for each in chosen]

    def measured(mutant: Mutant) -> Measured:
        found = measure(mutant)
        on_measured(found)
        return found

    found = list(_findings(targets, budget_s, repeat, jobs, on_trial))
    matrix = tuple(measured(mutant) for mutant in chosen) if whole else ()
    return Examination(
        findings=tuple(found),
        measured=matrix,
        jobs=jobs,
        not_run=not_run,
        budget_s=budget_s,
        repeat=repeat,
        family=family,
        started=started,
        seconds=(monotonic_ns() - start) / 1e9,
        cores=processors(),
        versions=versions(),
    )


def _findings(
    targets: list[tuple[str, Mutant | None]],
    budget_s: float,
    repeat: int,
    jobs: int,
    on_trial: Callable[[str, Trial], None],
) -> Iterator[Finding]:
    """Yield a finding for each target as soon as its trials are over."""
    wanted = [target for target in targets for _ in range(repeat)]
    trials: Iterator[Trial]
    if jobs > 1:
        trials = side_by_side(wanted, budget_s=budget_s, jobs=jobs)
    else:
        trials = (trial_of(m.name if m else None, name, budget_s) for name, m in wanted)
    for name, mutant in targets:
        told = []
        for trial in islice(trials, repeat):
            on_trial(name, trial)
            told.append(trial)
        yield Finding(target=name, mutant=mutant, trials=tuple(told))


def _that_can_run(mutants: list[Mutant]) -> tuple[list[Mutant], tuple[NotRun, ...]]:
    """Part the mutants into those that this machine can run, and those whose server it lacks."""
    why = {mutant.name: lacking(Target(f"mutant:{mutant.name}")) for mutant in mutants}
    not_run = (NotRun(target=f"mutant:{name}", reason=said) for name, said in why.items() if said)
    return [mutant for mutant in mutants if why[mutant.name] is None], tuple(not_run)


def _of_family(family: str | None) -> list[Mutant]:
    chosen = [m for m in MUTANTS.values() if family is None or m.family == family]
    if not chosen:
        known = ", ".join(sorted({m.family for m in MUTANTS.values()}))
        raise UsageError(f"no mutant is of the family {family!r}; the families are {known}")
    return chosen
