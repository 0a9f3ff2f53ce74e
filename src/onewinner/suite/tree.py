"""The result tree: the one value that every report is written from."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from onewinner.contract.clauses import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from onewinner.contract.clauses import Clause, Level
    from onewinner.history import Operation
    from onewinner.suite.timeline import Timeline
    from onewinner.suite.traffic import Traffic

SCHEMA_VERSION = 1

REPLAY: Final = "onewinner replay"
"""The command that repeats one schedule, with its token behind."""

Evidence: TypeAlias = "Mapping[str, int | float | str]"


class Status(enum.IntEnum):
    """What is known of a clause or a check; of several the worst counts.

    `NA`: the capability is not declared. `UNTESTED`: declared, but not exercised enough to say.
    `ERROR`: the check could not be carried out (the target died, hung or broke its interface).
    """

    NA = 0
    PASS = 1
    XFAIL = 2
    UNTESTED = 3
    FAIL = 4
    ERROR = 5

    @property
    def label(self) -> str:
        """The status as reports spell it."""
        return "n/a" if self is Status.NA else self.name.lower()


def rule_of_three(rounds: int) -> str:
    """Say what it means that nothing was wrong in so many rounds.

    Were a round wrong with a chance of 3/R or more, R rounds would all be right in less than 5 % of
    all cases. That holds for rounds like these, on this machine.
    """
    percent = min(300 / max(rounds, 1), 100)
    shown = f"{percent:.2g}" if percent < 10 else f"{percent:.0f}"
    return f"0 in {rounds:,} rounds, so below {shown} % at 95 %"


class ExitCode(enum.IntEnum):
    """What the command answers to the shell; pytest's numbers where the meaning is the same."""

    CONFORMS = 0
    VIOLATION = 1
    INTERRUPTED = 2
    INTERNAL_ERROR = 3
    USAGE = 4
    NOTHING_RAN = 5
    INCONCLUSIVE = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The history in which a violation was seen, with what its judge has to know.

    `judge` is the way in which it was judged (`suite.rejudging`), `eps_ms` how far the store's
    clock may be off the history's, `rounds` what was known of each round of a race, by its number.
    """

    operations: tuple[Operation, ...]
    judge: str
    eps_ms: int = 0
    rounds: Mapping[int, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A clause that was seen broken.

    `summary` is one sentence of what happened, `happened` the operations with their times, one a
    line, `why` the sentence that says which rule this breaks, `script` a Python program that shows
    it (empty where a race cannot be put into one), `reproduce` the command that runs the check
    again, `history` the file that its whole history was kept in, empty where none was. `timeline`
    is how it is drawn, and `recorded` what it rests on, as far as it rests on calls; `artefact` is
    the name under which all of it was kept.
    """

    clause: str
    summary: str
    happened: tuple[str, ...]
    why: str
    script: str = ""
    reproduce: str = ""
    history: str = ""
    timeline: Timeline | None = None
    recorded: Recorded | None = None
    artefact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check found out about one clause; `evidence` counts what was exercised.

    `notes` say how the check went about it, and what it had to leave out; a sentence each.
    `traffic` is how long the store's calls took, told by one of the results of a check.
    `artefact` is the name under which an error that is no violation was kept.
    """

    check: str
    clause: str
    status: Status
    reason: str = ""
    evidence: Evidence = field(default_factory=dict)
    violation: Violation | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    traffic: Traffic | None = None
    artefact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A failure that is known, as an entry of a baseline has it.

    `kind`: the store `cannot` keep the clause, by its design, or does not do so yet (`not-yet`).
    `signature` is a part of the sentence in which each violation of the clause must be told: one
    that is told otherwise is another failure. `issue` is a link, empty where there is none.
    """

    clause: str
    reason: str
    kind: Literal["cannot", "not-yet"]
    signature: str
    issue: str = ""

    def explains(self, checks: Iterable[CheckResult]) -> bool:
        """Tell whether all that is violated there is this failure."""
        told = [check.violation.summary for check in checks if check.violation is not None]
        return bool(told) and all(self.signature.casefold() in each.casefold() for each in told)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseResult:
    """A clause with all that its checks found; the worst status counts.

    `known` is the failure of this clause that was expected, if any.
    """

    clause: Clause
    checks: tuple[CheckResult, ...] = ()
    missing: str | None = None
    known: Known | None = None

    @property
    def status(self) -> Status:
        """`n/a` where a declaration is missing, `untested` where no check reported.

        A failure that was expected is `xfail`.
        """
        if self.missing is not None:
            return Status.NA
        found = max((check.status for check in self.checks), default=Status.UNTESTED)
        expected = self.known is not None and self.known.explains(self.checks)
        return Status.XFAIL if found is Status.FAIL and expected else found

    @property
    def reason(self) -> str:
        """Why the status is what it is, in the words of the check that decided it."""
        if self.missing is not None:
            return self.missing
        if not self.checks:
            return "no check ran"
        return max(self.checks, key=lambda check: check.status).reason

    @property
    def violation(self) -> Violation | None:
        """The violation that is told best, if any: what can be repeated, else the shortest."""
        seen = [check.violation for check in self.checks if check.violation is not None]
        return min(seen, key=_telling, default=None)


def _telling(violation: Violation) -> tuple[bool, bool, int]:
    replayed = violation.reproduce.startswith(REPLAY)
    return not violation.script, not replayed, len(violation.happened)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A race that is certainly there, run on this machine, and how soon it was found.

    `found_ms` is None where it was not found in `rounds` (contested keys) and `seconds`; `reason`
    says why it could not be raced, if so. Where not even the `easiest` of a level was found, a pass
    of that level's races says nothing.
    """

    name: str
    level: Level
    easiest: bool
    found_ms: float | None
    rounds: int
    seconds: float
    reason: str = ""

    @property
    def told(self) -> str:
        """What came of it in a few words."""
        if self.found_ms is None:
            return f"{self.name}: not found in {self.seconds:.1f} s"
        return f"{self.name}: {self.found_ms:.3g} ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """One run of the gate against one target.

    `canaries` are races that are certainly there, run before those of the target.
    `whole` is False where only some clauses were asked for, or the run stopped at a violation: then
    nothing is said about a level. `notes` say what this machine did not allow, what was left out
    and why, and how the checks went about the rest. `traffic` is how long the store's calls took.
    `source` is the file and the line where the adapter begins, as far as that is known. `stale` are
    sentences about known failures that are none any more (`onewinner.baseline`). `printed` are the
    last lines that the store's processes printed.
    """

    target: str
    level: Level
    clauses: tuple[ClauseResult, ...]
    capabilities: Mapping[str, Any]
    seed: int
    budget_s: float
    started: str
    seconds: float
    cores: int
    versions: Mapping[str, str]
    notes: tuple[str, ...] = ()
    stopped_early: bool = False
    whole: bool = True
    interrupted: bool = False
    canaries: tuple[Canary, ...] = ()
    traffic: Traffic | None = None
    source: tuple[str, int] | None = None
    stale: tuple[str, ...] = ()
    printed: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """The worst status of all clauses that were judged."""
        return max((clause.status for clause in self.clauses), default=Status.NA)

    @property
    def reached(self) -> Level | None:
        """The highest level whose clauses all hold, at most the one asked for.

        A failure that is known is one all the same: a baseline raises no level.
        """
        best: Level | None = None
        if not self.whole:
            return None
        for level in LEVELS[: LEVELS.index(self.level) + 1]:
            own = [c for c in self.clauses if c.clause.level == level]
            if not own or max(c.status for c in own) > Status.PASS:
                break
            if all(c.status is Status.NA for c in own):
                break
            best = level
        return best

    @property
    def exit_code(self) -> ExitCode:
        """The answer to the shell."""
        statuses = [clause.status for clause in self.clauses]
        ran = [status for status in statuses if status is not Status.NA]
        match worst(statuses):
            case _ if self.interrupted:
                return ExitCode.INTERRUPTED
            case _ if not ran:
                return ExitCode.NOTHING_RAN
            case Status.FAIL | Status.ERROR:
                return ExitCode.VIOLATION
            case _ if self.stale:
                return ExitCode.VIOLATION
            case Status.UNTESTED:
                return ExitCode.INCONCLUSIVE
            case _:
                return ExitCode.CONFORMS

    def count(self, status: Status) -> int:
        """Answer how many clauses have this status."""
        return sum(clause.status is status for clause in self.clauses)


def worst(statuses: Iterable[Status]) -> Status:
    """Answer the status that counts of several."""
    return max(statuses, default=Status.NA)
