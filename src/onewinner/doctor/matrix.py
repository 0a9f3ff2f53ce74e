"""Which clauses flagged which mutant, and why a clause flagged none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from onewinner.contract.clauses import CLAUSES, LEVELS
from onewinner.mutants import MUTANTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onewinner.contract.clauses import Clause
    from onewinner.doctor.findings import Examination, Finding


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
