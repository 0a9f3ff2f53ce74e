"""The check of schedules: which clauses, which scenarios, what is said, and what is untested."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

import racy_stores
import scheduled_stores
from onewinner.adapters.targets import Target
from onewinner.contract import WHOLE, Capabilities
from onewinner.report.text import evidence_line
from onewinner.schedule.scenarios import scenarios
from onewinner.suite import schedules
from onewinner.suite.again import replayed
from onewinner.suite.covered import Covered, Grain, Pass, passes
from onewinner.suite.engine import probe
from onewinner.suite.replay import read_token
from onewinner.suite.schedules import run_schedules
from onewinner.suite.tree import CheckResult, Status

if TYPE_CHECKING:
    from pathlib import Path

SCENARIOS = {
    *("fresh", "live", "just expired", "expired among others", "other namespace busy"),
    *("first open", "at the plugin cap", "at the plugin cap, two namespaces", "two consumers"),
    *("claim against delete", "claim against consume", "claim against clear"),
    *("claim against register", "reclaim against lookup", "reclaim against entries"),
    *("reclaim against sweep_expired", "reclaim against delete", "reclaim against consume"),
    *("listing while rows change", "listing while all is cleared"),
    "long listing while rows change",
    *("listing while rows are replaced", "full namespace against entries"),
    *("full namespace", "full namespace, one key", "full namespace, three claims"),
    *("full namespace against delete", "full namespace against register", "two keys"),
    "claims beside a look",
}
NEWER = {
    *("two updates", "two updates of no row", "update against delete", "update against claim"),
    *("update against register", "two of delete_if_equal", "delete_if_equal against register"),
    *("two of delete_if", "delete_if against register", "two comparisons"),
    *("two comparisons of no row", "two that delete if observed", "comparison against claim"),
    *("set if observed against register", "delete if observed against register"),
    *("many looked up while rows change", "rows counted while rows change", "one place left"),
    *("very many looked up while rows change", "set and delete by one observation"),
    "two sets by one observation of no row",
    *("one place left, for a register", "no place left, against delete", "two rows at once"),
}


def run(
    name: str, home: Path, *, processes: bool, chosen: set[str], budget_s: float = 30.0
) -> dict[str, CheckResult]:
    """Sweep a small store, or a built-in one, and answer the results by clause."""
    module = scheduled_stores if hasattr(scheduled_stores, name) else racy_stores
    target = Target(f"python:{module.__name__}:{name}" if name[0].isupper() else name)
    found = run_schedules(
        target,
        probe(target, str(home)),
        run_dir=home,
        processes=processes,
        budget_s=budget_s,
        chosen=chosen,
    )
    return {each.clause: each for each in found}


class TestScenarios:
    def test_those_of_a_whole_store(self) -> None:
        """A store of the whole contract is swept over every scenario."""
        assert {each.name for each in scenarios(Capabilities())} == SCENARIOS
        assert {each.name for each in scenarios(WHOLE)} == SCENARIOS | NEWER
        sheet = dataclasses.replace(Capabilities(), virtual_clock=True)
        assert {each.name for each in scenarios(sheet)} == SCENARIOS

    @pytest.mark.parametrize("processes", [False, True])
    def test_each_judges_a_clause(self, processes: bool) -> None:
        """Each judges a clause of its level; first opens and the cap are about processes only."""
        without = {
            each.name
            for each in scenarios(Capabilities())
            if each.clause(processes=processes) is None
        }
        of_processes = {
            *("first open", "at the plugin cap", "at the plugin cap, two namespaces"),
            *("long listing while rows change", "claims beside a look"),
        }
        assert without == (set() if processes else of_processes)

    def test_only_what_is_declared(self) -> None:
        """A store is asked for no operation, expiry or limit that it does not declare."""
        found = {each.name for each in scenarios(scheduled_stores.ONLY_CLAIMS)}
        assert found == {
            *("fresh", "live", "other namespace busy", "first open", "two keys"),
            "claims beside a look",
        }

    def test_time_passes_before_what_is_just_expired(self) -> None:
        """Where the clock is virtual a row is claimed in the very millisecond of its expiry."""
        sheet = dataclasses.replace(Capabilities(), virtual_clock=True)
        (found,) = (each for each in scenarios(sheet) if each.name == "just expired")
        old, lapse = found.prepare
        assert old.ttl_ms == lapse.ms == 5  # type: ignore[union-attr]


class TestWords:
    def test_whole(self) -> None:
        """What was swept to its end is called all schedules, with bound, boundary and count."""
        covered = Covered(scenarios=2)
        covered.schedules[Grain("sql")] = 34
        covered.whole[Pass("sql", 1)] = 2
        covered.whole[Pass("sql", 2)] = 1
        assert covered.evidence()["swept"] == (
            "all schedules with at most 1 preemption at SQL statements: 34 run, 0 bad"
        )
        covered.whole[Pass("sql", 2)] = 2
        assert "at most 2 preemptions" in str(covered.evidence()["swept"])

    def test_not_whole(self) -> None:
        """Where the time ran out nothing is called all."""
        covered = Covered(scenarios=2)
        covered.schedules[Grain("line")] = 1_034
        covered.whole[Pass("line", 1)] = 1
        assert covered.evidence()["swept"] == (
            "1,034 schedules at lines of Python, 0 bad, not all with one preemption: time ran out"
        )

    def test_bad(self) -> None:
        """Where schedules went wrong they are counted, and nothing is called all."""
        covered = Covered(scenarios=1)
        covered.wrong[Grain("line")] = 3
        covered.schedules[Grain("line")] = 9
        covered.schedules[Grain("tail", shared=True)] = 2
        assert covered.evidence()["swept"] == (
            "9 schedules at lines of Python: 3 bad; 2 schedules at SQL statements and lines of "
            "Python after a commit, on one handle, 0 bad, not all with one preemption: time ran out"
        )

    def test_the_console_shows_both(self) -> None:
        """The evidence of a race stands beside what was swept, and that is not cut."""
        swept = "all schedules with at most 1 preemption at SQL statements: 34 run, 0 bad"
        found = {"contested_keys": 12, "schedules": 34, "points": 8, "swept": swept}
        assert evidence_line(found, at_most=2) == f"12 contested keys; {swept}"
        assert evidence_line({"schedules": 34, "swept": swept}) == swept

    def test_opcodes_follow_lines(self) -> None:
        """Where a store is swept at lines, opcodes come before a second preemption."""
        assert passes("line") == (Pass("line", 1), Pass("opcode", 1), Pass("line", 2))
        assert passes("sql") == (Pass("sql", 1), Pass("sql", 2))

    def test_one_handle_comes_second(self) -> None:
        """Threads that may share a handle do so; behind a last statement lines are points too."""
        assert passes("sql", shared=True) == (
            Pass("sql", 1),
            Pass("tail", 1, shared=True),
            Pass("sql", 2),
        )
        assert Pass("line", 1, shared=True) in passes("line", shared=True)

    def test_two_threads_and_a_process_come_last(self) -> None:
        """What takes a crew of its own comes after what the others show, and counts apart."""
        beside = Pass("tail", 1, beside=True)
        assert passes("sql", beside=True) == (Pass("sql", 1), Pass("sql", 2), beside)
        covered = Covered(scenarios=2, beside=1)
        covered.schedules[beside.grain] = 20
        covered.whole[beside] = 1
        told = str(covered.evidence()["swept"])
        assert told.startswith("all schedules with at most 1 preemption at SQL statements and ")
        assert told.endswith("by two threads and a process: 20 run, 0 bad")


class TestCheck:
    def test_the_reference_store(self, tmp_path: Path) -> None:
        """The SQLite store passes, and what it passed is told."""
        found = run("sqlite", tmp_path, processes=True, chosen={"CLAIM-6"}, budget_s=30)
        assert found["CLAIM-6"].status is Status.PASS
        assert "all schedules with at most 2 preemptions at SQL statements" in str(
            found["CLAIM-6"].evidence["swept"]
        )

    def test_the_first_pass_comes_to_its_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a machine that is too slow for the budget one preemption is swept all the same."""
        monkeypatch.setattr(schedules, "_LEAST_S", 0.01)
        monkeypatch.setattr(schedules, "_FIRST_FACTOR", 100_000)
        found = run("sqlite", tmp_path, processes=True, chosen={"CLAIM-6"}, budget_s=0.01)
        assert found["CLAIM-6"].status is Status.PASS
        told = str(found["CLAIM-6"].evidence["swept"])
        assert told.startswith("all schedules with at most 1 preemption at SQL statements")

    def test_safe_for_threads_only(self, tmp_path: Path) -> None:
        """A lock that other processes do not know is called by its name, with a map."""
        target = Target("mutant:thread-lock-only")
        (found,) = run_schedules(
            target,
            probe(target, str(tmp_path)),
            run_dir=tmp_path,
            processes=True,
            budget_s=30.0,
            chosen={"CLAIM-6"},
        )
        assert found.violation is not None
        assert found.violation.summary == (
            "2 claims of the key 'k' won (fresh, processes): safe for threads, not for processes"
        )
        assert any(
            line.startswith("a rival wins between `") and " points" in line
            for line in found.violation.happened
        )
        assert found.violation.reproduce.startswith("onewinner replay ow1:")

    def test_unsafe_for_both(self, tmp_path: Path) -> None:
        """A store that is wrong on threads too is not called safe for them."""
        found = run("RacySqliteBackend", tmp_path, processes=True, chosen={"CLAIM-6"})
        violation = found["CLAIM-6"].violation
        assert violation is not None
        assert violation.summary == "2 claims of the key 'k' won (fresh, processes)"

    def test_opcodes_are_tried(self, tmp_path: Path) -> None:
        """A claim that is wrong within one line is found in the pass at opcodes."""
        found = run("InlineBackend", tmp_path, processes=False, chosen={"CLAIM-5"}, budget_s=30)
        assert found["CLAIM-5"].status is Status.FAIL
        assert "opcodes: " in str(found["CLAIM-5"].evidence["swept"])

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("answer-kept-on-connection", "no claim of the key 'k' won (fresh, "),
            ("arguments-kept-on-handle", "no order explains that (two keys, "),
        ],
    )
    def test_one_handle(self, name: str, told: str, tmp_path: Path) -> None:
        """What a store keeps with a handle of all threads is found, and its token repeats it."""
        target = Target(f"mutant:{name}")
        (found,) = run_schedules(
            target,
            probe(target, str(tmp_path)),
            run_dir=tmp_path,
            processes=False,
            budget_s=30.0,
            chosen={"CLAIM-5"},
            stop_at_first=True,
        )
        assert found.violation is not None
        assert f"{told}threads on one handle)" in found.reason
        token = read_token(found.violation.reproduce.split()[-1])
        assert token.shared
        again = replayed(target, token, 3)
        assert again.wrong == 3
        assert again.shown is not None
        assert again.shown.summary == found.violation.summary

    @pytest.mark.parametrize(
        ("name", "told", "scenario"),
        [
            (
                *("mutant:compare-in-its-own-process", "-> conflict, now 'old'"),
                "set and delete by one observation",
            ),
            (
                *("python:comparing_stores:RefusesStrangersBackend", "raised INVALID_INPUT"),
                "set and delete by one observation",
            ),
            (
                *("python:comparing_stores:MarksAbsenceBackend", "-> conflict, now no row"),
                "two sets by one observation of no row",
            ),
        ],
    )
    def test_what_one_process_observed_another_compares_with(
        self, name: str, told: str, scenario: str, tmp_path: Path
    ) -> None:
        """A comparison that only its own process knows is found, whatever others are told."""
        target = Target(name)
        (found,) = run_schedules(
            target,
            probe(target, str(tmp_path)),
            run_dir=tmp_path,
            processes=True,
            budget_s=30.0,
            chosen={"CAS-5"},
            stop_at_first=True,
        )
        assert found.violation is not None
        assert told in found.reason
        assert f"({scenario}, processes): safe for threads" in found.reason

    def test_two_threads_and_a_process(self, tmp_path: Path) -> None:
        """A lock that a thread takes away from its whole process shows to another process."""
        target = Target("mutant:record-lock-lost-by-a-close")
        (found,) = run_schedules(
            target,
            probe(target, str(tmp_path)),
            run_dir=tmp_path,
            processes=True,
            budget_s=10.0,
            chosen={"CLAIM-6"},
            stop_at_first=True,
        )
        assert found.violation is not None
        assert "(claims beside a look, two threads and a process)" in found.reason
        token = read_token(found.violation.reproduce.split()[-1])
        assert token.processes
        assert token.shared
        again = replayed(target, token, 3)
        assert again.wrong == 3

    def test_an_error_is_about_errors(self, tmp_path: Path) -> None:
        """What a claimant should never be told is flagged under the clause about errors."""
        found = run("RaisesBackend", tmp_path, processes=False, chosen={"CLAIM-5", "ERR-2"})
        assert found["ERR-2"].status is Status.FAIL

    def test_no_points(self, tmp_path: Path) -> None:
        """A store that is never come to a point of is untested, not passed."""
        found = run("PointlessBackend", tmp_path, processes=False, chosen={"CLAIM-5"})
        assert {clause: each.status for clause, each in found.items()} == {
            "CLAIM-5": Status.UNTESTED
        }
        assert "no claimant came to a point" in found["CLAIM-5"].reason

    def test_a_death_is_an_error(self, tmp_path: Path) -> None:
        """A store that dies under control has not been judged."""
        (found,) = run_schedules(
            Target("python:scheduled_stores:DiesBackend"),
            scheduled_stores.ONLY_CLAIMS,
            run_dir=tmp_path,
            processes=False,
            budget_s=30.0,
            chosen={"CLAIM-5"},
        )
        assert found.status is Status.ERROR
