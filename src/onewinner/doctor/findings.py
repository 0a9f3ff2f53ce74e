"""What the doctor found: trials, targets with their trials, and the whole examination."""

from __future__ import annotations

import enum
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onewinner.contract.clauses import Level
    from onewinner.doctor.measured import Measured
    from onewinner.mutants import Mutant

SCHEMA_VERSION: Final = 1
"""The version of the doctor's JSON; fields are only ever added within one."""


class Outcome(enum.IntEnum):
    """What came of one run of the gate; of several the worst counts.

    The first is for correct stores, then come those of mutants that were caught; `INCONCLUSIVE` and
    `ACCUSED` are for correct stores again. `ERROR`: the gate could not judge, whatever the target.
    """

    CONFORMS = 0
    EXPECTED = 1
    NAMED = 2
    UNNAMED = 3
    INCONCLUSIVE = 4
    MISSED = 5
    ACCUSED = 6
    ERROR = 7

    @property
    def caught(self) -> bool:
        """Whether a mutant was flagged, by whatever clause."""
        return self in {Outcome.EXPECTED, Outcome.NAMED, Outcome.UNNAMED}

    @property
    def told(self) -> str:
        """The outcome in a few words."""
        return _TOLD[self]


_TOLD: Final = {
    Outcome.CONFORMS: "conforms",
    Outcome.EXPECTED: "caught",
    Outcome.NAMED: "caught (another)",
    Outcome.UNNAMED: "caught (unnamed)",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.MISSED: "MISSED",
    Outcome.ACCUSED: "ACCUSED",
    Outcome.ERROR: "ERROR",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of the gate against one target.

    `flagged` are the clauses that were seen broken, with a violation to show for it, and `checks`
    those that told one. `seconds` is the wall time from the start of the verification to its
    answer. `operations` are the calls that the evidence of its checks counts, None where none
    counts any; where not `counted`, there were checks that count no calls (sweeps, faults), so
    there were more. `level` is None and `reason` says why where nothing was judged.
    """

    outcome: Outcome
    seconds: float
    flagged: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    operations: int | None = None
    counted: bool = True
    level: Level | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A target with all its trials; `mutant` is None for a correct store."""

    target: str
    mutant: Mutant | None
    trials: tuple[Trial, ...]

    @property
    def worst(self) -> Trial:
        """The trial with the worst outcome, the first of several."""
        return max(self.trials, key=lambda trial: trial.outcome)

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of all trials."""
        return self.worst.outcome

    @property
    def flagged(self) -> Mapping[str, int]:
        """In how many trials each clause was seen broken."""
        all_ids = [clause for trial in self.trials for clause in trial.flagged]
        return {clause: all_ids.count(clause) for clause in dict.fromkeys(all_ids)}

    @property
    def times_s(self) -> tuple[float, ...]:
        """The seconds of each trial, of a mutant only where it was caught; sorted."""
        told = (t for t in self.trials if self.mutant is None or t.outcome.caught)
        return tuple(sorted(trial.seconds for trial in told))

    @property
    def median_s(self) -> float | None:
        """The median of `times_s`, None where there are none."""
        return statistics.median(self.times_s) if self.times_s else None

    @property
    def worst_s(self) -> float | None:
        """The longest of `times_s`, None where there are none."""
        return self.times_s[-1] if self.times_s else None

    @property
    def operations(self) -> int | None:
        """The median of the calls that the trials of `times_s` counted, None where unknown."""
        told = (t for t in self.trials if self.mutant is None or t.outcome.caught)
        known = [trial.operations for trial in told if trial.operations is not None]
        return int(statistics.median_low(known)) if known else None

    @property
    def counted(self) -> bool:
        """Whether `operations` are all calls that were made."""
        return all(trial.counted for trial in self.trials)

    def times(self, outcome: Outcome) -> int:
        """Answer how many trials came out so."""
        return sum(trial.outcome is outcome for trial in self.trials)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRun:
    """A mutant that this machine cannot run, and why: no server of its kind can be had."""

    target: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """The whole: what was found of every target, and the machine that it was found on.

    `budget_s` is what each mutant had, `family` the one asked for or None, `started` an ISO time.
    `measured` is empty where the matrix was not asked for. `jobs` trials went on at once. `not_run`
    changes no exit code, but is told in every report.
    """

    findings: tuple[Finding, ...]
    budget_s: float
    repeat: int
    family: str | None
    started: str
    seconds: float
    cores: int
    versions: Mapping[str, str]
    measured: tuple[Measured, ...] = ()
    jobs: int = 1
    not_run: tuple[NotRun, ...] = ()

    @property
    def mutants(self) -> tuple[Finding, ...]:
        """What was found of the mutants."""
        return tuple(f for f in self.findings if f.mutant is not None)

    @property
    def correct(self) -> tuple[Finding, ...]:
        """What was found of the correct stores."""
        return tuple(f for f in self.findings if f.mutant is None)

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The targets of which any trial was missed, accused, in error, or inconclusive."""
        return tuple(f for f in self.findings if f.outcome >= Outcome.INCONCLUSIVE)

    @property
    def caught(self) -> tuple[Finding, ...]:
        """The mutants that were caught in every trial."""
        return tuple(f for f in self.mutants if f.outcome.caught)

    @property
    def accusations(self) -> tuple[int, int]:
        """How many runs accused a correct store, of how many."""
        runs = [trial for finding in self.correct for trial in finding.trials]
        return sum(trial.outcome is Outcome.ACCUSED for trial in runs), len(runs)

    @property
    def exit_code(self) -> ExitCode:
        """1 where one is missed, accused or in error, 7 where only a correct store is unclear."""
        worst = max((f.outcome for f in self.findings), default=None)
        if worst is None:
            return ExitCode.NOTHING_RAN
        if worst > Outcome.INCONCLUSIVE:
            return ExitCode.VIOLATION
        return ExitCode.INCONCLUSIVE if worst is Outcome.INCONCLUSIVE else ExitCode.CONFORMS
