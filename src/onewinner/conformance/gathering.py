"""What the tests of a pytest run found, gathered into one result tree for each class of tests.

Under pytest-xdist each worker gathers what it ran and hands it to the controller, which merges: a
check that a lost worker had begun is missing then, and what it judges is untested.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from onewinner.adapters.targets import TargetError, source_of
from onewinner.conformance.subject import checks, identity
from onewinner.contract.clauses import by_level
from onewinner.suite import engine
from onewinner.suite.processors import processors
from onewinner.suite.provenance import as_plain, notes, versions
from onewinner.suite.traffic import merged
from onewinner.suite.tree import CheckResult, ClauseResult, RunResult, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.contract.clauses import Level
    from onewinner.suite.registry import Check


_UNENDED: Final = "its test did not come to an end"


@dataclass(slots=True, kw_only=True)
class Judged:
    """What one class of tests found out about its store; `ran` are the checks that came to an end.

    `asked` is the level that was asked for, None where the store's own holds.
    """

    target: str
    capabilities: Capabilities
    asked: Level | None
    budget_s: float | None
    seed: int
    started: str
    source: tuple[str, int] | None
    seconds: float = 0.0
    ran: set[str] = field(default_factory=set)
    results: list[CheckResult] = field(default_factory=list)

    @property
    def level(self) -> Level:
        """The level that is judged, as `onewinner verify` has it."""
        if self.asked is not None:
            return self.asked
        return engine.DEFAULT if self.capabilities.scope == "process" else "thread"

    def add(self, check: str, results: Iterable[CheckResult], seconds: float) -> None:
        """Note what a check found; nothing where it does not apply."""
        self.ran.add(check)
        self.results += results
        self.seconds += seconds

    def frame(self) -> RunResult:
        """Answer the run without what was found in it: with what and when the store is judged."""
        return RunResult(
            target=self.target,
            level=self.level,
            clauses=(),
            capabilities=as_plain(self.capabilities),
            seed=self.seed,
            budget_s=self.budget_s or engine.BUDGET_S[self.level],
            started=self.started,
            seconds=self.seconds,
            cores=processors(),
            versions=versions(),
            source=self.source,
        )


@dataclass(slots=True)
class Gathering:
    """What was found by class, and which checks were to run: the ids of the tests collected."""

    classes: dict[str, Judged] = field(default_factory=dict)
    collected: dict[str, set[str]] = field(default_factory=dict)

    def begin(
        self,
        name: str,
        target: Target,
        capabilities: Capabilities,
        *,
        level: Level | None,
        budget_s: float | None,
        seed: int,
    ) -> Judged:
        """Answer where the tests of a class note what they find."""
        judged = Judged(
            target=target.name,
            capabilities=capabilities,
            asked=level,
            budget_s=budget_s,
            seed=seed,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            source=_source(target),
        )
        return self.classes.setdefault(name, judged)

    def packed(self) -> bytes:
        """Answer it as bytes, which is what one process of pytest-xdist can send another."""
        return pickle.dumps(self)

    def merge(self, packed: bytes) -> None:
        """Add what another process has gathered."""
        other: Gathering = pickle.loads(packed)
        for name, ids in other.collected.items():
            self.collected.setdefault(name, set()).update(ids)
        for name, judged in other.classes.items():
            own = self.classes.setdefault(name, judged)
            if own is not judged:
                own.ran |= judged.ran
                own.results += judged.results
                own.seconds += judged.seconds
                own.started = min(own.started, judged.started)

    def trees(self, *, interrupted: bool = False) -> dict[str, RunResult]:
        """Answer the result tree of each class, by its name."""
        return {
            name: replace(_tree(judged, self.collected.get(name, set())), interrupted=interrupted)
            for name, judged in sorted(self.classes.items())
        }


def _source(target: Target) -> tuple[str, int] | None:
    try:
        return source_of(target)
    except TargetError:
        return None


def _tree(judged: Judged, collected: set[str]) -> RunResult:
    expected = {identity(check): check for check in checks(judged.asked)}
    whole = collected >= expected.keys()
    wanted = [check for name, check in expected.items() if name in collected]
    noted = (note for result in judged.results for note in result.notes)
    return replace(
        judged.frame(),
        clauses=tuple(_clauses(judged, wanted, whole=whole)),
        notes=tuple(dict.fromkeys([*notes(), *noted])),
        whole=whole,
        traffic=merged(result.traffic for result in judged.results),
    )


def _clauses(judged: Judged, wanted: list[Check], *, whole: bool) -> Iterator[ClauseResult]:
    """Yield the clauses that were looked at: all of the level, or what some tests were about."""
    results = [*judged.results, *_open(judged, wanted)]
    order = {check.name: number for number, check in enumerate(wanted)}
    undeclared = {name for check in wanted for name in check.clauses}
    for clause in by_level(judged.level):
        if clause.of_another_profile(judged.capabilities):
            continue
        own = [result for result in results if result.clause == clause.id]
        bad = any(result.status >= Status.FAIL for result in own)
        missing = None if bad else clause.missing(judged.capabilities)
        if not (whole or own or (missing is not None and clause.id in undeclared)):
            continue  # what a test said nothing of is left to those that were not chosen
        own.sort(key=lambda result: order.get(result.check, len(order)))
        yield ClauseResult(clause=clause, checks=tuple(own), missing=missing)


def _open(judged: Judged, wanted: list[Check]) -> Iterator[CheckResult]:
    """Yield a result for each clause of a test that did not come to its end; others may pass it."""
    for check in wanted:
        if check.name not in judged.ran:
            # random programs exercise what others judge too
            for clause in check.clauses[:1] if check.kind == "program" else check.clauses:
                yield CheckResult(
                    check=check.name, clause=clause, status=Status.UNTESTED, reason=_UNENDED
                )
