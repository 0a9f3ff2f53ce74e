"""What a case is, the register of all cases, and how one is run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from onewinner.adapters.targets import TargetError
from onewinner.clock import monotonic_ns
from onewinner.contract.clauses import CLAUSES, missing_need
from onewinner.suite.diagnosis import violation
from onewinner.suite.divergence import Divergence, Undecided
from onewinner.suite.session import Session, new_session
from onewinner.suite.subject import broken_clause
from onewinner.suite.tree import CheckResult, Status

if TYPE_CHECKING:
    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.contract.clauses import Level

Time: TypeAlias = Literal["any", "virtual", "real"]
Program: TypeAlias = Callable[[Session], None]


@dataclass(frozen=True, slots=True)
class Case:
    """A program about one clause.

    `needs` are declarations beyond the clause's own; `time` says which kind of time it can be
    driven in: a boundary that is exact to the millisecond needs virtual time. `many`: it writes
    nearly a thousand rows, and comes after those that do not.
    """

    name: str
    clause: str
    program: Program
    needs: tuple[str, ...] = ()
    time: Time = "any"
    many: bool = False

    @property
    def level(self) -> Level:
        """The level of the case's clause."""
        return CLAUSES[self.clause].level

    def missing(self, capabilities: Capabilities) -> str | None:
        """Say what the store does not declare that this case needs, or None where it applies."""
        if self.time != "any" and (self.time == "virtual") != capabilities.virtual_clock:
            return f"the case is for {self.time} time"
        reasons = (
            missing_need(need, capabilities) for need in (*CLAUSES[self.clause].needs, *self.needs)
        )
        return next((reason for reason in reasons if reason is not None), None)


class Inconclusive(Exception):  # noqa: N818 - a finding, not a mistake
    """The case could not exercise what it is about; its clause stays untested, with this reason."""


CASES: Final[dict[str, Case]] = {}


def case(
    clause: str, *needs: str, time: Time = "any", many: bool = False
) -> Callable[[Program], Program]:
    """Register the decorated program as a case of `clause`, under the program's own name."""

    def register(program: Program) -> Program:
        name: str = getattr(program, "__name__")  # noqa: B009 - Callable has no __name__ in types
        if name in CASES:
            raise ValueError(f"two cases are called {name}; a case's name is for ever")
        CASES[name] = Case(name, clause, program, needs, time, many)
        return program

    return register


def run_case(
    case: Case,
    target: Target,
    capabilities: Capabilities,
    run_dir: str,
    *,
    on_session: Callable[[Session], None] | None = None,
) -> list[CheckResult]:
    """Drive one case on a location of its own and answer what it found.

    A divergence in the part that the case is about breaks its clause, as far as that can be (see
    `suite.subject`). One in its set-up is put down to the clause that it looks like, and leaves the
    case's own clause untested.
    """
    started = monotonic_ns()
    try:
        session = new_session(target, capabilities, run_dir, subject=case.clause)
    except TargetError as error:
        return [_error(case, str(error), started)]
    if on_session is not None:
        on_session(session)
    try:
        with contextlib.closing(session):
            case.program(session)
    except Divergence as divergence:
        return _broken(case, session, divergence, started)
    except TargetError as error:
        return [_error(case, str(error), started)]
    except (Inconclusive, Undecided) as reason:
        return [_untested(case, str(reason), started)]
    return [
        CheckResult(
            check=case.name,
            clause=case.clause,
            status=Status.PASS,
            evidence={"calls": session.calls},
            seconds=_seconds(started),
        )
    ]


def _broken(
    case: Case, session: Session, divergence: Divergence, started: int
) -> list[CheckResult]:
    clause = broken_clause(session, divergence)
    found = CheckResult(
        check=case.name,
        clause=clause,
        status=Status.FAIL,
        reason=str(divergence),
        evidence={"calls": session.calls},
        violation=violation(session, divergence, clause),
        seconds=_seconds(started),
    )
    if clause == case.clause:
        return [found]
    return [found, _untested(case, f"its set-up already breaks {clause}", started)]


def _untested(case: Case, reason: str, started: int) -> CheckResult:
    return CheckResult(
        check=case.name,
        clause=case.clause,
        status=Status.UNTESTED,
        reason=reason,
        seconds=_seconds(started),
    )


def _error(case: Case, reason: str, started: int) -> CheckResult:
    return CheckResult(
        check=case.name,
        clause=case.clause,
        status=Status.ERROR,
        reason=reason,
        seconds=_seconds(started),
    )


def _seconds(started_ns: int) -> float:
    return (monotonic_ns() - started_ns) / 1e9
