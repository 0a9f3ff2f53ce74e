"""The register of all checks: cases, programs, sweeps, faults and races, in their order."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from onewinner.contract.clauses import CLAUSES, LEVELS, missing_need
from onewinner.schedule.asleep import cannot_tell_who_sleeps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onewinner.contract import Capabilities
    from onewinner.contract.clauses import Level
    from onewinner.suite.races import Race


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what it is called, the clauses that it can judge, and from which level on it runs.

    `case` is a small directed program, `program` the random programs of the stateful machine,
    `sweep` all schedules of a few calls under control, `fault` what the nemesis does to a store,
    and `race` parallel claimants in threads or processes. Of the cases those that write `many`
    rows take longest.
    """

    name: str
    clauses: tuple[str, ...]
    level: Level
    kind: Literal["case", "program", "sweep", "fault", "race"]
    many: bool = False

    def missing(self, capabilities: Capabilities) -> str | None:
        """Say what the store does not declare that this check needs, or None where it applies."""
        if self.kind == "case":
            from onewinner.suite.cases import CASES

            return CASES[self.name].missing(capabilities)
        if self.kind == "race":
            return race_called(self.name).missing(capabilities)
        if self.kind == "fault":
            from onewinner.suite.faults import FAULTS

            if FAULTS[self.name].real and capabilities.virtual_clock:
                return f"{self.name} is for stores that have a clock of their own"
            reasons = [CLAUSES[clause].missing(capabilities) for clause in self.clauses]
            if all(reasons):
                return reasons[0]
        if self.kind == "sweep" and self.level == "process" and capabilities.scope != "process":
            return f"{self.name} needs a store that processes can share"
        if self.kind == "sweep" and (refusal := cannot_tell_who_sleeps()) is not None:
            return refusal
        return missing_need("register_if_absent", capabilities)


def race_called(name: str) -> Race:
    """Answer the race of this name."""
    from onewinner.suite.races import RACES

    return next(race for race in RACES if race.name == name)


def stresses(check: Check) -> bool:
    """Tell whether a check is a race that lives on luck."""
    return check.kind == "race" and race_called(check.name).stress


def under_control(checks: Iterable[Check], *, virtual: bool) -> list[Check]:
    """Answer the checks that need no luck and take more than a moment, the quickest first.

    At files, forks and steps of a clock nobody is held, and calls that are interrupted in `virtual`
    time wait for nothing: these take about a second. Kills and a full disk take one to three where
    time is `virtual`, and end. Sweeps take longer, and then comes what has to wait, or does not
    end.
    """
    from onewinner.suite.faults import FAULTS

    def rank(check: Check) -> int:
        if check.kind == "race":
            return 0 if virtual else 3
        if check.kind == "sweep":
            return 2
        fault = FAULTS[check.name]
        if not fault.holds:
            return 0
        return 1 if virtual and not fault.long else 3

    kinds = {"sweep", "fault", "race"}
    return sorted((c for c in checks if c.kind in kinds and not stresses(c)), key=rank)


@functools.cache
def all_checks() -> tuple[Check, ...]:
    """Answer every check, the cheapest and most telling first."""
    from onewinner.suite import schedules
    from onewinner.suite.cases import CASES
    from onewinner.suite.faults import FAULTS
    from onewinner.suite.programs import CLAUSES_EXERCISED, NAME
    from onewinner.suite.races import RACES

    order = list(CLAUSES)
    in_order = sorted(CASES.values(), key=lambda c: (c.many, order.index(c.clause)))
    cases = [Check(c.name, (c.clause,), c.level, "case", c.many) for c in in_order]
    races = [Check(r.name, tuple(r.clauses), r.level, "race") for r in RACES]
    sweeps = [
        Check(schedules.PROCESSES, schedules.clauses(processes=True), "process", "sweep"),
        Check(schedules.THREADS, schedules.clauses(processes=False), "thread", "sweep"),
    ]
    faults = [Check(name, fault.clauses, "crash", "fault") for name, fault in FAULTS.items()]
    return (*cases, Check(NAME, CLAUSES_EXERCISED, "thread", "program"), *sweeps, *faults, *races)


def checks_for(level: Level, capabilities: Capabilities) -> tuple[Check, ...]:
    """Answer the checks that run at `level` for a store with these capabilities."""
    reach = LEVELS[: LEVELS.index(level) + 1]
    return tuple(
        check
        for check in all_checks()
        if check.level in reach and check.missing(capabilities) is None
    )
