"""What a survey found: a value for each store, which is written to disk and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct

from onewinner.suite.tree import ExitCode
from onewinner.survey.catalogue import listed

if TYPE_CHECKING:
    from onewinner.survey.catalogue import Cause

SCHEMA_VERSION: Final = 1
"""The version of the survey's JSON; fields are only ever added within one."""

Ended: TypeAlias = Literal["judged", "not run", "broke"]


class Seen(Struct, frozen=True, kw_only=True):
    """A clause that was seen broken: a sentence of what happened, and the command to see it."""

    clause: str
    evidence: str
    reproduce: str


class Unjudged(Struct, frozen=True, kw_only=True):
    """A clause that applies and of which nothing is known, and why."""

    clause: str
    reason: str


class Surveyed(Struct, frozen=True, kw_only=True):
    """What one run of the gate found of one store.

    `ended`: `judged`; `not run` where the target could not be had, and `broke` where the gate came
    to no end, both with the `reason`. `reached` is None where no level is reached, or only some
    clauses were asked for (`select`). `versions` are those of the store, `kit` those of the run.
    """

    target: str
    ended: Ended
    reason: str = ""
    versions: dict[str, str] = {}
    kit: dict[str, str] = {}
    level: str | None = None
    reached: str | None = None
    select: tuple[str, ...] = ()
    budget_s: float = 0.0
    seed: int = 0
    started: str = ""
    seconds: float = 0.0
    cores: int = 0
    passed: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()
    errors: tuple[Unjudged, ...] = ()
    untested: tuple[Unjudged, ...] = ()
    undeclared: tuple[str, ...] = ()

    @property
    def by_cause(self) -> dict[Cause | None, list[Seen]]:
        """What was seen by what is behind it; None for what the catalogue does not know."""
        known = listed(self.target)
        found: dict[Cause | None, list[Seen]] = {}
        for seen in self.seen:
            found.setdefault(known.cause_of(seen.clause), []).append(seen)
        return found

    @property
    def news(self) -> tuple[str, ...]:
        """The clauses that were seen broken and that the catalogue does not tell."""
        return tuple(seen.clause for seen in self.by_cause.get(None, ()))

    @property
    def stale(self) -> tuple[str, ...]:
        """The clauses that the catalogue has as broken each time, and that passed."""
        told = [clause for cause in listed(self.target).cause for clause in cause.clauses]
        return tuple(clause for clause in told if clause in self.passed)

    @property
    def exit_code(self) -> ExitCode:
        """What one store has to say to the shell (see `Survey.exit_code`)."""
        if self.ended == "broke":
            return ExitCode.INTERNAL_ERROR
        if self.news or self.stale or self.errors:
            return ExitCode.VIOLATION
        if self.ended == "not run" or self.untested:
            return ExitCode.INCONCLUSIVE
        return ExitCode.CONFORMS if self.passed or self.seen else ExitCode.NOTHING_RAN


class Survey(Struct, frozen=True, kw_only=True):
    """What was found of all stores, in the order in which they were asked for."""

    stores: tuple[Surveyed, ...]
    schema_version: int = SCHEMA_VERSION

    @property
    def exit_code(self) -> ExitCode:
        """0 where all is as the catalogue has it, known violations included.

        3 where the gate broke, 1 where a store breaks what the catalogue does not tell, or keeps
        what it is said to break; 7 where a store could not be run or a clause not be tested; 5
        where nothing was judged.
        """
        codes = {store.exit_code for store in self.stores}
        return next((code for code in _WORST_FIRST if code in codes), ExitCode.NOTHING_RAN)


_WORST_FIRST: Final = (
    ExitCode.INTERNAL_ERROR,
    ExitCode.VIOLATION,
    ExitCode.INCONCLUSIVE,
    ExitCode.NOTHING_RAN,
    ExitCode.CONFORMS,
)
