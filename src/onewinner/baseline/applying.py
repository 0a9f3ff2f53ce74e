"""Holds a run against a baseline: what was expected, what was not, and what is gone.

An entry says something only where its clause was judged. Where that holds, the entry is stale and
turns the gate red, because it would hide the next failure of the clause. Where what could break the
clause lives on luck, one pass says little, so it has to hold so many times over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from onewinner.suite.registry import all_checks, stresses
from onewinner.suite.tree import ClauseResult, Status

if TYPE_CHECKING:
    from onewinner.suite.tree import Known, RunResult

PASSES: Final = 3
"""How often a clause that lives on luck must hold, at full budget, before its entry is stale."""

STORMS: Final = "kills-in-storms"

Again: TypeAlias = Callable[[str, int], ClauseResult]
"""Judges one clause again at the run's full budget; it is told the clause, and how often it was
judged before."""


def applied(result: RunResult, known: Iterable[Known], again: Again | None = None) -> RunResult:
    """Answer the run with what was known beforehand: which failures are, and which are none now.

    Without `again` nobody can judge a clause again, so entries of clauses that live on luck are
    never called stale. A run that was cut short tells nothing about what holds.
    """
    cut_short = result.interrupted or result.stopped_early
    entries = {entry.clause: entry for entry in known}
    clauses, stale, notes = [], [], []
    for clause in result.clauses:
        entry = entries.get(clause.clause.id)
        found = clause if entry is None else replace(clause, known=entry)
        if entry is not None and not cut_short:
            found, gone, note = _held(found, entry, again)
            stale += [gone] if gone else []
            notes += [note] if note else []
        clauses.append(found)
    return replace(
        result,
        clauses=tuple(clauses),
        stale=(*result.stale, *stale),
        notes=(*result.notes, *notes),
    )


def _held(found: ClauseResult, entry: Known, again: Again | None) -> tuple[ClauseResult, str, str]:
    """Answer a clause, why its entry is stale (if it is), and what whoever reads has to know."""
    name = entry.clause
    if found.missing is not None:
        why = f"{name} does not apply ({found.missing}), so nothing of it can fail"
        return found, _stale(why, entry), ""
    if found.status is not Status.PASS:  # `n/a` is here what this machine could not look at
        return found, "", ""
    if not on_luck(found):
        return found, _stale(f"{name} passes", entry), ""
    if again is None:
        note = (
            f"{name} passes and is known to fail; `onewinner verify` can say whether that is over"
        )
        return found, "", note
    return _tried_again(found, entry, again)


def _tried_again(found: ClauseResult, entry: Known, again: Again) -> tuple[ClauseResult, str, str]:
    """Judge a clause again until it fails, or has held often enough."""
    name = entry.clause
    for passed in range(1, PASSES):
        other = replace(again(name, passed), known=entry)
        told = f"{name} passed {passed} of {passed + 1} times at full budget"
        if other.status in {Status.XFAIL, Status.FAIL, Status.ERROR}:
            return other, "", f"{told}, and then did not"
        if other.status is not Status.PASS:
            return found, "", f"{told}; the last was {other.status.label}: {other.reason}"
    return found, _stale(f"{name} passed {PASSES} times in a row at full budget", entry), ""


def _stale(why: str, entry: Known) -> str:
    return f"{why}: remove its entry from the baseline, whose reason was {entry.reason!r}"


def on_luck(clause: ClauseResult) -> bool:
    """Tell whether a clause was judged by what may miss a violation that is there.

    Such are random programs, races that control no schedule, and storms of kills.
    """
    ran = {check.check for check in clause.checks}
    return any(
        check.name in ran and (check.kind == "program" or check.name == STORMS or stresses(check))
        for check in all_checks()
    )
