"""The result tree: which status counts, what the shell is answered, and which level is reached."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from onewinner.contract.clauses import CLAUSES, Level
from onewinner.suite.tree import (
    CheckResult,
    ClauseResult,
    ExitCode,
    Known,
    RunResult,
    Status,
    Violation,
    worst,
)

THREAD, PROCESS = CLAUSES["CLAIM-1"], CLAUSES["CLAIM-6"]
OTHER_THREAD = CLAUSES["CLAIM-2"]


def check(status: Status, reason: str = "", violation: Violation | None = None) -> CheckResult:
    """Answer what a check found."""
    return CheckResult(
        check="a check", clause="CLAIM-1", status=status, reason=reason, violation=violation
    )


def clause(status: Status, of: Any = THREAD) -> ClauseResult:
    """Answer a clause with this status."""
    if status is Status.NA:
        return ClauseResult(clause=of, missing="operation register_if_absent is not declared")
    return ClauseResult(clause=of, checks=(check(status),))


def run(*clauses: ClauseResult, level: Level = "process", **more: Any) -> RunResult:
    """Answer a run with these clauses."""
    return RunResult(
        target="a store",
        level=level,
        clauses=clauses,
        capabilities={},
        seed=1,
        budget_s=1.0,
        started="2026-01-01T00:00:00Z",
        seconds=1.0,
        cores=2,
        versions={},
        **more,
    )


class TestStatus:
    def test_the_order_is_the_contract_with_the_user(self) -> None:
        """Worst wins, and the order of badness is fixed."""
        labels = [status.label for status in sorted(Status)]
        assert labels == ["n/a", "pass", "xfail", "untested", "fail", "error"]

    @pytest.mark.parametrize("pair", [*itertools.combinations(Status, 2)], ids=str)
    def test_the_worst_of_two_counts(self, pair: tuple[Status, Status]) -> None:
        """The order in which results arrive does not matter."""
        assert worst(pair) == worst(reversed(pair)) == max(pair)

    def test_the_worst_of_nothing_is_not_a_pass(self) -> None:
        """Nothing at all is n/a."""
        assert worst([]) is Status.NA

    def test_exit_codes_keep_their_numbers(self) -> None:
        """The numbers are an interface: scripts compare them."""
        assert {code.name: int(code) for code in ExitCode} == {
            "CONFORMS": 0,
            "VIOLATION": 1,
            "INTERRUPTED": 2,
            "INTERNAL_ERROR": 3,
            "USAGE": 4,
            "NOTHING_RAN": 5,
            "INCONCLUSIVE": 7,
        }


class TestClause:
    def test_a_clause_without_a_check_is_untested(self) -> None:
        """A clause that nobody judged is never green."""
        result = ClauseResult(clause=THREAD)
        assert (result.status, result.reason) == (Status.UNTESTED, "no check ran")

    def test_a_missing_declaration_hides_what_checks_said(self) -> None:
        """An undeclared capability is n/a with the declaration as reason."""
        result = ClauseResult(clause=THREAD, checks=(check(Status.PASS),), missing="no ttl")
        assert (result.status, result.reason) == (Status.NA, "no ttl")

    def test_the_worst_check_decides_and_explains(self) -> None:
        """Status and reason come from the same check."""
        result = ClauseResult(
            clause=THREAD, checks=(check(Status.PASS, "fine"), check(Status.UNTESTED, "too few"))
        )
        assert (result.status, result.reason) == (Status.UNTESTED, "too few")

    def test_the_first_violation_is_the_clauses(self) -> None:
        """A clause shows the violation that was seen first."""
        violations = [
            Violation(clause="CLAIM-1", summary=word, happened=(), why="") for word in "ab"
        ]
        checks = tuple(check(Status.FAIL, violation=violation) for violation in violations)
        result = ClauseResult(clause=THREAD, checks=(check(Status.PASS), *checks))
        assert result.violation is violations[0]
        assert clause(Status.PASS).violation is None


class TestKnown:
    def failing(self, *summaries: str, signature: str = "Two Won") -> ClauseResult:
        """Answer a clause that is violated so, with what is known of it."""
        known = Known(clause="CLAIM-1", reason="why", kind="cannot", signature=signature)
        told = (Violation(clause="CLAIM-1", summary=s, happened=(), why="") for s in summaries)
        checks = tuple(check(Status.FAIL, violation=violation) for violation in told)
        return ClauseResult(clause=THREAD, checks=checks, known=known)

    def test_a_failure_that_carries_the_signature_is_expected(self) -> None:
        """The signature is a part of each sentence, in any case."""
        assert self.failing("two won it", "there two won").status is Status.XFAIL
        assert self.failing("two won it", "it was lost").status is Status.FAIL
        assert self.failing("it was lost").status is Status.FAIL

    def test_nothing_seen_is_not_expected(self) -> None:
        """Where no violation is told, or it is an error, the entry explains nothing."""
        assert self.failing().status is Status.UNTESTED
        error = ClauseResult(
            clause=THREAD, checks=(check(Status.ERROR),), known=self.failing().known
        )
        assert error.status is Status.ERROR

    def test_a_stale_entry_is_red_whatever_else_passes(self) -> None:
        """A run in which nothing failed is red for its baseline, unless it was interrupted."""
        assert run(clause(Status.PASS), stale=("CLAIM-1 passes",)).exit_code == 1
        assert run(clause(Status.UNTESTED), stale=("CLAIM-1 passes",)).exit_code == 1
        assert run(clause(Status.PASS), stale=("x",), interrupted=True).exit_code == 2


class TestExitCode:
    @pytest.mark.parametrize(
        ("statuses", "code"),
        [
            ([Status.PASS], 0),
            ([Status.PASS, Status.NA], 0),
            ([Status.PASS, Status.XFAIL], 0),
            ([Status.PASS, Status.FAIL], 1),
            ([Status.UNTESTED, Status.FAIL], 1),
            ([Status.PASS, Status.ERROR], 1),
            ([Status.PASS, Status.UNTESTED], 7),
            ([Status.NA, Status.UNTESTED], 7),
            ([Status.NA, Status.NA], 5),
            ([], 5),
        ],
    )
    def test_the_worst_clause_decides(self, statuses: list[Status], code: int) -> None:
        """Green needs something that ran and nothing that failed or stayed open."""
        assert run(*map(clause, statuses)).exit_code == code

    def test_an_interrupted_run_says_so_first(self) -> None:
        """An interrupted run proves nothing, whatever it saw."""
        assert run(clause(Status.FAIL), interrupted=True).exit_code == ExitCode.INTERRUPTED

    def test_the_status_of_a_run_is_its_worst(self) -> None:
        """Counts and status agree with the clauses."""
        result = run(clause(Status.PASS), clause(Status.PASS, PROCESS), clause(Status.UNTESTED))
        assert result.status is Status.UNTESTED
        assert [result.count(status) for status in Status] == [0, 2, 0, 1, 0, 0]


class TestReachedLevel:
    @pytest.mark.parametrize(
        ("thread", "process", "reached"),
        [
            (Status.PASS, Status.PASS, "process"),
            (Status.PASS, Status.XFAIL, "thread"),
            (Status.XFAIL, Status.PASS, None),
            (Status.PASS, Status.FAIL, "thread"),
            (Status.PASS, Status.UNTESTED, "thread"),
            (Status.PASS, Status.NA, "thread"),
            (Status.FAIL, Status.PASS, None),
            (Status.UNTESTED, Status.PASS, None),
            (Status.NA, Status.PASS, None),
        ],
    )
    def test_a_level_needs_all_levels_below_it(
        self, thread: Status, process: Status, reached: Level | None
    ) -> None:
        """A level is reached where nothing failed, stayed open or was absent up to it."""
        assert run(clause(thread), clause(process, PROCESS)).reached == reached

    def test_a_clause_that_does_not_apply_costs_no_level(self) -> None:
        """One n/a clause among others that pass leaves the level reached."""
        result = run(clause(Status.PASS), clause(Status.NA, OTHER_THREAD), level="thread")
        assert result.reached == "thread"

    def test_no_level_above_the_one_asked_for_is_reached(self) -> None:
        """A run proves nothing about a level that it was not asked to judge."""
        result = run(clause(Status.PASS), clause(Status.PASS, PROCESS), level="thread")
        assert result.reached == "thread"

    def test_a_level_without_clauses_is_not_reached(self) -> None:
        """A level of which nothing was judged is never shown green."""
        result = run(clause(Status.PASS), clause(Status.PASS, PROCESS), level="crash")
        assert result.reached == "process"
