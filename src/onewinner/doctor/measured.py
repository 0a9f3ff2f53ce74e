"""Which clauses flag a mutant when the gate is not stopped: the measurement behind the matrix.

A run of the doctor ends at the first violation, so it tells one clause of several. Here each mutant
is run once by all clauses of its level (`crash` where it names one of those, else `process`), and
nothing stops at a violation:

1. a mutant that one caller alone can see, by the cases;
2. any other by those, by interrupted calls and sweeps of schedules, and at level `crash` by faults;
3. where its first named clause did not flag it so, by the clauses that it names, with everything,
   races included.

All that flags it so is `flagged`. A mutant is *caught by a family alone* where all that flags it is
of one family: without the checks of that family the gate would have missed it, as far as these
checks go. (What one caller sees loses races too, whatever it is about: they are not asked.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onewinner.contract.clauses import CLAUSES
from onewinner.doctor.trials import try_whole

if TYPE_CHECKING:
    from onewinner.mutants import Mutant
    from onewinner.suite.options import Depth

BUDGET_S: Final = 8.0
"""The seconds for what can be repeated of each run: a short one, for what is under control ends."""

RACES_S: Final = 20.0
"""The same where races are needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A mutant, the clauses that flag it in the order of the contract, and how long it took."""

    mutant: Mutant
    flagged: tuple[str, ...]
    seconds: float

    @property
    def families(self) -> frozenset[str]:
        """The families of the clauses that flag it."""
        return frozenset(CLAUSES[clause].family for clause in self.flagged)

    def alone(self, clause: str) -> bool:
        """Tell whether the clause flags it, and beside it at most others of its family."""
        return clause in self.flagged and len(self.families) == 1


def measure(mutant: Mutant) -> Measured:
    """Run the gate against one mutant, and do not stop at a violation."""
    depth: Depth = "cases" if mutant.shows == "alone" else "control"
    whole = try_whole(mutant, budget_s=BUDGET_S, depth=depth)
    seen, seconds = set(whole.flagged), whole.seconds
    if mutant.clauses[0] not in seen:
        named = try_whole(mutant, budget_s=RACES_S, depth="luck", select=mutant.clauses)
        seen.update(named.flagged)
        seconds += named.seconds
    flagged = tuple(clause for clause in CLAUSES if clause in seen)
    return Measured(mutant=mutant, flagged=flagged, seconds=seconds)
