"""The gate judges itself: every store with a known bug is flagged, every correct store passes.

A mutant is judged rightly when at least one of the clauses that it names is violated, a correct
store when it conforms at its own level. Exit 1 where any is not: then a check cannot fail, or fails
without reason.

    python stress/mutant_gate.py                     # all mutants, then the correct stores
    python stress/mutant_gate.py -k cap --repeat 10  # some mutants, ten times each
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onewinner.adapters.targets import Target
from onewinner.clock import monotonic_ns
from onewinner.contract.clauses import CLAUSES
from onewinner.mutants import MUTANTS
from onewinner.suite.engine import Options, verify
from onewinner.suite.tree import ExitCode, RunResult, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract.clauses import Level

CORRECT: dict[str, Level] = {"memory": "thread", "sqlite": "crash"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a target, whether it was judged rightly, and what was seen."""

    target: str
    right: bool
    seen: str
    seconds: float

    def __str__(self) -> str:
        verdict = "ok" if self.right else "WRONG"
        return f"{self.target:<40} {verdict:<6} {self.seconds:6.1f} s  {self.seen}"


def judge_mutant(name: str, budget_s: float) -> Row:
    """Judge a mutant by the clauses that it names; one violation is enough."""
    named = tuple(MUTANTS[name].clauses)
    start = monotonic_ns()
    faults = any(CLAUSES[clause].level == "crash" for clause in named)
    options = Options(
        level="crash" if faults else None, select=named, budget_s=budget_s, stop_at_first=True
    )
    result = verify(Target(f"mutant:{name}"), options)
    flagged = violated(result) & set(named)
    seen = f"violates {', '.join(sorted(flagged))}" if flagged else f"named {', '.join(named)}"
    if not flagged:
        seen += f"; {described(result)}"
    right = bool(flagged) and result.exit_code == ExitCode.VIOLATION
    return Row(f"mutant:{name}", right, seen, seconds_since(start))


def judge_correct(name: str, level: Level, budget_s: float) -> Row:
    """Judge a correct store by the whole contract, at the highest level that it can reach."""
    start = monotonic_ns()
    result = verify(Target(name), Options(level=level, budget_s=budget_s))
    right = result.exit_code == ExitCode.CONFORMS
    return Row(name, right, described(result), seconds_since(start))


def violated(result: RunResult) -> set[str]:
    """Answer the clauses that were seen broken, with a violation to show for it."""
    return {
        clause.clause.id
        for clause in result.clauses
        if clause.status is Status.FAIL and clause.violation is not None
    }


def described(result: RunResult) -> str:
    """Say how many clauses have which status, and which are worse than a pass."""
    counts = [f"{n} {s.label}" for s in Status if (n := result.count(s))]
    worse = [f"{c.clause.id}: {c.reason}" for c in result.clauses if c.status > Status.XFAIL]
    return "; ".join([", ".join(counts), *worse])


def seconds_since(start_ns: int) -> float:
    """Answer the seconds since an instant of the kit's clock."""
    return (monotonic_ns() - start_ns) / 1e9


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Judge what was asked for, one row after the other."""
    for name in sorted(MUTANTS):
        if options.select in name:
            for _ in range(options.repeat):
                yield judge_mutant(name, options.budget)
    if not options.select:
        for name, level in CORRECT.items():
            yield judge_correct(name, level, options.correct_budget)


def parsed() -> argparse.Namespace:
    """Answer the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-k", dest="select", default="", help="only mutants with this in the name")
    parser.add_argument("--repeat", type=int, default=1, help="times that each mutant is judged")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds for a mutant")
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
    for row in rows(parsed()):
        print(row, flush=True)
        judged.append(row)
    wrong = [row for row in judged if not row.right]
    print(f"{len(judged) - len(wrong)} of {len(judged)} judged rightly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
