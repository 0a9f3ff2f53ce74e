"""The gate judges itself: every store with a known bug is flagged, every correct store passes.

A mutant is judged rightly when at least one of the clauses that it names is violated, a correct
store when it conforms at its own level. Exit 1 where any is not: then a check cannot fail, or fails
without reason. A mutant whose server this machine lacks is not judged rightly either.

    python stress/mutant_gate.py                     # all mutants, then the correct stores
    python stress/mutant_gate.py -k cap --repeat 10  # some mutants, ten times each
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from onewinner.adapters.targets import Target
from onewinner.doctor.examination import BUDGET_S
from onewinner.doctor.findings import Outcome, Trial
from onewinner.doctor.trials import CORRECT, try_correct, try_mutant
from onewinner.mutants import MUTANTS
from onewinner.suite.engine import Options
from onewinner.suite.servers import lacking

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of a mutant whose server this machine lacks nothing is known: it is told, and judged nowhere.
RIGHT = {Outcome.CONFORMS, Outcome.EXPECTED, Outcome.NAMED}


def shown(target: str, trial: Trial) -> str:
    """Answer one line of the table: a target, whether it was judged rightly, what was seen."""
    verdict = "ok" if trial.outcome in RIGHT else "WRONG"
    seen = f"violates {', '.join(trial.flagged)}" if trial.flagged else trial.outcome.told
    seen = "; ".join(part for part in (seen, trial.reason) if part)
    return f"{target:<40} {verdict:<6} {trial.seconds:6.1f} s  {seen}"


def trials(options: argparse.Namespace) -> Iterator[tuple[str, Trial]]:
    """Judge what was asked for, one target after the other; a mutant by what it names alone."""
    for name in sorted(MUTANTS):
        if options.select in name:
            named = MUTANTS[name].clauses
            if (reason := lacking(Target(f"mutant:{name}"))) is not None:
                not_run = Trial(outcome=Outcome.ERROR, seconds=0.0, reason=f"not run: {reason}")
                yield f"mutant:{name}", not_run
                continue
            for _ in range(options.repeat):
                trial = try_mutant(MUTANTS[name], budget_s=options.budget, select=named)
                yield f"mutant:{name}", trial
    if not options.select:
        for name in CORRECT:
            yield name, try_correct(name, budget_s=options.correct_budget)


def parsed() -> argparse.Namespace:
    """Answer the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-k", dest="select", default="", help="only mutants with this in the name")
    parser.add_argument("--repeat", type=int, default=1, help="times that each mutant is judged")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds for a mutant")
    parser.add_argument(
        "--correct-budget", type=float, default=Options().budget_s, help="seconds for a store"
    )
    options = parser.parse_args()
    if not any(options.select in name for name in MUTANTS):
        parser.error(f"no mutant has {options.select!r} in its name: {', '.join(sorted(MUTANTS))}")
    return options


def main() -> int:
    """Judge everything, print a row for each, and answer the exit code."""
    judged = []
    for target, trial in trials(parsed()):
        print(shown(target, trial), flush=True)
        judged.append(trial)
    right = sum(trial.outcome in RIGHT for trial in judged)
    print(f"{right} of {len(judged)} judged rightly")
    return 0 if right == len(judged) else 1


if __name__ == "__main__":
    sys.exit(main())
