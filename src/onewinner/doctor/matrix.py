"""Which clauses flagged which mutant, and why a row is empty or short.

`rows` tells what the examination saw, which stops at the first violation; `lines` tells what was
measured without stopping (`doctor/measured.py`), and holds every clause against `ENOUGH`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onewinner.contract.clauses import CLAUSES, LEVELS
from onewinner.doctor.short_rows import EXPLAINED
from onewinner.mutants import MUTANTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from onewinner.contract.clauses import Clause
    from onewinner.doctor.findings import Examination, Finding
    from onewinner.doctor.measured import Measured

ENOUGH: Final = 2
"""So many mutants each clause must flag that no other family flags, or its row is explained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A clause: in how many trials it flagged each mutant, and why where it flagged none."""

    clause: Clause
    flagged: Mapping[str, int]
    empty_because: str


def rows(examined: Examination) -> tuple[Row, ...]:
    """Answer a row for every clause of the contract, in its order."""
    return tuple(_row(clause, examined) for clause in CLAUSES.values())


def _row(clause: Clause, examined: Examination) -> Row:
    flagged = {
        f.mutant.name: f.flagged[clause.id]
        for f in examined.mutants
        if f.mutant is not None and clause.id in f.flagged
    }
    because = "" if flagged else _why_empty(clause, examined)
    return Row(clause=clause, flagged=flagged, empty_because=because)


def _why_empty(clause: Clause, examined: Examination) -> str:
    zoo = [m for m in MUTANTS.values() if clause.id in m.clauses]
    named = [f for f in examined.mutants if f.mutant is not None and clause.id in f.mutant.clauses]
    if not named:
        if zoo:
            families = ", ".join(sorted({m.family for m in zoo}))
            return f"its mutants were not judged, they are of other families: {families}"
        return "no mutant names it"
    if not any(_reached(clause, finding) for finding in named):
        return f"its mutants were judged below level {clause.level}: {_names(named)}"
    first = list(dict.fromkeys(each for finding in named for each in finding.flagged))
    if not first:
        return f"its mutants were flagged by no clause: {_names(named)}"
    return f"the run had stopped at {', '.join(first)} before: {_names(named)}"


def _reached(clause: Clause, finding: Finding) -> bool:
    levels = [trial.level for trial in finding.trials if trial.level is not None]
    return any(LEVELS.index(level) >= LEVELS.index(clause.level) for level in levels)


def _names(findings: list[Finding]) -> str:
    return ", ".join(f.target.removeprefix("mutant:") for f in findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A clause with the mutants that it flags: those that its family `alone` catches, and others.

    `because` explains why fewer than `ENOUGH` are alone; empty where that is not needed, or where
    nobody has explained it yet.
    """

    clause: Clause
    alone: tuple[str, ...]
    others: tuple[str, ...]
    because: str

    @property
    def short(self) -> bool:
        """Whether too few mutants are caught by its family alone."""
        return len(self.alone) < ENOUGH


def lines(measured: Sequence[Measured]) -> tuple[Line, ...]:
    """Answer a line for every clause of the contract, in its order."""
    return tuple(_line(clause, measured) for clause in CLAUSES.values())


def _line(clause: Clause, measured: Sequence[Measured]) -> Line:
    flagged = [each for each in measured if clause.id in each.flagged]
    alone = tuple(each.mutant.name for each in flagged if each.alone(clause.id))
    others = tuple(each.mutant.name for each in flagged if not each.alone(clause.id))
    because = EXPLAINED.get(clause.id, "") if len(alone) < ENOUGH else ""
    return Line(clause=clause, alone=alone, others=others, because=because)
