"""The judge of one mutation: run by itself, with whatever is mutated first on its PYTHONPATH.

    python judge.py cases TARGET...   # every case in this process, then random programs
    python judge.py gate TARGET       # the whole gate, at the highest level, until a violation
    python judge.py zoo [NAME...]     # which of these mutants the cases miss (empty: of all)

Prints one line of JSON as the last one: `how` and what there is to say about it.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from onewinner.adapters.targets import Target, TargetError
from onewinner.clock import SystemClock
from onewinner.contract.clauses import CLAUSES
from onewinner.suite import engine
from onewinner.suite.registry import checks_for
from onewinner.suite.scratch import scratch_directory
from onewinner.suite.tree import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.mutants import Mutant
    from onewinner.suite.tree import CheckResult

PROGRAMS_S: Final = 1.0
GATE_S: Final = 10.0
SEED: Final = 1
CORRECT: Final = ("memory", "sqlite")
LIMITS: Final = tuple(name for name in CLAUSES if name.startswith(("EVICT", "CAP")))

Found = dict[str, Any]


def by_cases(targets: list[str]) -> Found:
    """Drive all cases and some random programs against each target until something is wrong.

    A target of another profile differs in its limits alone, so only their cases are driven.
    """
    for name in targets:
        other = not name.endswith((":connect", *CORRECT))
        clauses = LIMITS if other else ()
        for result in results_of(name, programs=not other, clauses=clauses):
            if result.status >= Status.FAIL:
                return _flagged(result.clause, result.check, name)
    return {"how": "clean"}


def results_of(
    name: str, *, programs: bool = True, clauses: tuple[str, ...] = ()
) -> Iterator[CheckResult]:
    """Yield what the sequential checks say of a target, the cheapest check first."""
    with scratch_directory() as run_dir:
        target = Target(name)
        probed = target.connect(f"{run_dir}/probed", SystemClock())
        capabilities = probed.capabilities
        probed.close()
        for check in checks_for("crash", capabilities):
            wanted = check.kind == "case" or (programs and check.kind == "program")
            if wanted and (not clauses or set(clauses) & set(check.clauses)):
                yield from engine.run_check(
                    check, target, capabilities, budget_s=PROGRAMS_S, seed=SEED, run_dir=run_dir
                )


def by_gate(targets: list[str]) -> Found:
    """Run `verify` as a release would be judged, until the first violation."""
    options = engine.Options(level="crash", budget_s=GATE_S, stop_at_first=True, seed=SEED)
    tree = engine.verify(Target(targets[0]), options)
    for clause in tree.clauses:
        for check in clause.checks:
            if check.status >= Status.FAIL:
                return _flagged(clause.clause.id, check.check, check.status.label)
    return {"how": "clean", "untested": tree.count(Status.UNTESTED)}


def by_zoo(names: list[str]) -> Found:
    """Answer which mutants the cases let pass that judge the clauses which must flag them."""
    from onewinner.mutants import MUTANTS

    missed = [name for name in names or sorted(MUTANTS) if not _seen(MUTANTS[name])]
    return {"how": "missed" if missed else "clean", "missed": missed}


def _seen(mutant: Mutant) -> bool:
    if mutant.shows != "alone":
        return False
    found = results_of(f"mutant:{mutant.name}", programs=False, clauses=mutant.clauses)
    return any(result.status is Status.FAIL for result in found)


def _flagged(clause: str, check: str, where: str) -> Found:
    return {"how": "flagged", "clause": clause, "check": check, "where": where}


def main() -> None:
    """Judge as asked, and say what was found."""
    judges = {"cases": by_cases, "gate": by_gate, "zoo": by_zoo}
    try:
        found = judges[sys.argv[1]](sys.argv[2:])
    except TargetError as error:
        found = {"how": "refused", "why": str(error)[:200]}
    except Exception as error:  # a broken model breaks the kit in any way it likes
        found = {"how": "broke", "why": f"{type(error).__name__}: {error}"[:200]}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
