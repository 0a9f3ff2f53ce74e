"""Races find the bug in a racy store, pass a right one on evidence, and say what was too little."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

import racy_stores
from onewinner.adapters.targets import Target
from onewinner.contract import Capabilities
from onewinner.contract.clauses import CLAUSES
from onewinner.generator import KINDS
from onewinner.suite.early_clock import run_early_clock
from onewinner.suite.engine import probe
from onewinner.suite.races import RACES, Course, Race, run_race
from onewinner.suite.rulings import RULINGS
from onewinner.suite.tree import CheckResult, Status

if TYPE_CHECKING:
    from pathlib import Path

    from onewinner.suite.engine import Progress

BY_NAME = {race.name: race for race in RACES}
NEVER = 10**9

# Clauses that take parallel callers, by their own words.
NEWER = {
    *("UPD-2", "UPD-3", "DEL-9", "DEL-10", "DEL-11", "DEL-12", "CAS-4", "CAS-5", "READ-8"),
    *("READ-10", "READ-11", "READ-12", "EVICT-10", "EVICT-11"),
}
PARALLEL = {
    *("CLAIM-5", "CLAIM-6", "CLAIM-7", "CLAIM-8", "CLAIM-9", "CLAIM-10"),
    *("DEL-3", "DEL-4", "DEL-5", "REG-3", "READ-5", "EVICT-6", "EVICT-7", "CAP-5", "DUR-2"),
    *("ERR-2", "ERR-3", "TTL-6"),
}


def target(name: str) -> Target:
    """Name one of the small stores."""
    return Target(f"python:racy_stores:{name}")


def run(
    race: str | Race, name: str, home: Path, *, budget_s: float = 0.3
) -> dict[str, CheckResult]:
    """Run a race against a small store and answer the results by clause."""
    capabilities = getattr(racy_stores, name).capabilities
    results = run_race(
        BY_NAME[race] if isinstance(race, str) else race,
        target(name),
        capabilities,
        run_dir=home,
        budget_s=budget_s,
        seed=1,
    )
    return {each.clause: each for each in results}


class TestTable:
    def test_every_parallel_clause_has_a_race(self) -> None:
        """What takes parallel callers is judged by a race of its level, or of a higher one."""
        assert {clause for race in RACES for clause in race.clauses} == PARALLEL | NEWER
        for race in RACES:
            assert race.level in {CLAUSES[race.clauses[0]].level, "process"}

    def test_every_kind_is_written_and_judged(self) -> None:
        """A race has rounds, a judge and a meter; names are unique."""
        assert len(BY_NAME) == len(RACES)
        assert {race.kind for race in RACES} - {"early-clock"} == {*RULINGS} == {*KINDS} - {"alone"}


class TestDetection:
    @pytest.mark.parametrize("name", ["RacySqliteBackend", "FileBackend"])
    def test_racy_stores_are_flagged_on_processes(self, name: str, tmp_path: Path) -> None:
        """A store that looks first and writes then has two winners among processes."""
        found = run("claims-on-processes", name, tmp_path, budget_s=20.0)["CLAIM-6"]
        assert found.status == Status.FAIL
        assert found.violation is not None
        assert "answered true" in found.violation.summary or "won" in found.violation.summary
        assert sum("-> True" in line for line in found.violation.happened) >= 2
        assert "-k CLAIM-6 --seed 1" in found.violation.reproduce

    def test_racy_dict_is_flagged_on_threads(self, tmp_path: Path) -> None:
        """A store in Python without a lock has two winners among threads, GIL or not."""
        found = run("claims-on-threads", "RacyDictBackend", tmp_path, budget_s=20.0)["CLAIM-5"]
        assert found.status == Status.FAIL

    def test_right_stores_pass_on_evidence(self, tmp_path: Path) -> None:
        """A right store passes, and the result says at how many keys clients met."""
        found = run("claims-on-processes", "SqliteBackend", tmp_path)
        assert {"CLAIM-6", "ERR-3"} == {*found}
        for each in found.values():
            assert each.status == Status.PASS, each.reason
            assert int(each.evidence["contested across processes"]) >= 100
            assert each.evidence["processes"] == 4

    @pytest.mark.parametrize("race", ["claims-on-processes", "claims-on-threads"])
    def test_a_handle_stays_with_its_thread(self, race: str, tmp_path: Path) -> None:
        """A store whose handles belong to threads is never used by another, in any block."""
        bound = Target("python:bound_stores:BoundBackend")
        capabilities = probe(bound, str(tmp_path))
        assert capabilities.handle_scope == "thread"
        results = run_race(
            BY_NAME[race], bound, capabilities, run_dir=tmp_path, budget_s=2.0, seed=1
        )
        assert {each.status for each in results} == {Status.PASS}, results

    def test_one_course_for_many_races(self, tmp_path: Path) -> None:
        """Races that share a pool of workers do not meet each other's rows."""
        races = [
            race for race in RACES if race.kind in {"claims", "churn"} and race.level[0] == "t"
        ]
        with Course(target("DictBackend"), racy_stores.BARE, run_dir=tmp_path) as course:
            for race in races * 2:
                for each in course.run(race, budget_s=0.1, seed=1):
                    assert each.status == Status.PASS, each.reason
        assert list(tmp_path.iterdir()) == []


def interrupt(name: str, home: Path) -> dict[str, CheckResult]:
    """Hold the claims of a small store where they read their clock."""
    results = run_early_clock(
        target(name),
        getattr(racy_stores, name).capabilities,
        home=home,
        budget_s=1.0,
        seed=1,
        on_progress=lambda _: None,
    )
    return {each.clause: each for each in results}


class TestEarlyClock:
    @pytest.mark.parametrize("name", ["EarlyBackend", "RealEarlyBackend"])
    def test_early_clock_is_flagged(self, name: str, tmp_path: Path) -> None:
        """A store that reads its clock before its lock is caught, in virtual time and in real."""
        found = interrupt(name, tmp_path)["TTL-6"]
        assert found.status == Status.FAIL
        assert found.violation is not None
        assert "delete('k') -> True" in "\n".join(found.violation.happened)

    def test_early_clock_tears_listings(self, tmp_path: Path) -> None:
        """Its listings show rows together that were never live together."""
        found = run("early-clock", "EarlyBackend", tmp_path)["READ-5"]
        assert found.status == Status.FAIL

    @pytest.mark.parametrize("name", ["TimedBackend", "RealTimedBackend"])
    def test_clock_under_the_lock_passes(self, name: str, tmp_path: Path) -> None:
        """A store that reads its clock under its lock passes, on claims that were interrupted."""
        found = interrupt(name, tmp_path)["TTL-6"]
        assert found.status == Status.PASS, found.reason
        assert int(found.evidence["claims interrupted"]) >= 3


class TestHonesty:
    def test_too_little_evidence_is_untested(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Below its floor a race does not pass: it goes on to its bound, and says its numbers."""
        monkeypatch.setattr("onewinner.suite.heat._HARD_LEAST_S", 0.4)
        race = dataclasses.replace(BY_NAME["claims-on-threads"], floor=NEVER)
        for each in run(race, "DictBackend", tmp_path, budget_s=0.05).values():
            assert each.status == Status.UNTESTED
            assert f"{NEVER} are needed" in each.reason

    def test_what_is_expected_ends_no_race(self, tmp_path: Path) -> None:
        """Beside a violation that is known the race goes on, so that its other clause is judged."""
        store, race = target("RacyDictBackend"), BY_NAME["claims-on-threads"]
        expected = frozenset({"CLAIM-5"})
        with Course(store, racy_stores.BARE, run_dir=tmp_path / "a", expected=expected) as course:
            found = course.run(race, budget_s=0.5, seed=1)
        assert {each.clause: each.status for each in found} == {
            "CLAIM-5": Status.FAIL,
            "ERR-2": Status.PASS,
        }

    def test_a_brief_race_does_not_wait_for_its_floor(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is over when its time is spent, and says that this was too little."""
        monkeypatch.setattr("onewinner.suite.heat._HARD_LEAST_S", float(NEVER))
        race = dataclasses.replace(BY_NAME["claims-on-threads"], floor=NEVER)
        store = target("DictBackend")
        with Course(store, racy_stores.BARE, run_dir=tmp_path) as course:
            found = course.run(race, budget_s=0.2, seed=1, brief=True)
        assert [each.status for each in found] == [Status.UNTESTED, Status.UNTESTED]

    def test_hang_is_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store that hangs in a race makes an error that names the call, and ends."""
        monkeypatch.setattr("onewinner.runner.pool.PATIENCE_S", 0.5)
        found = run("claims-on-threads", "HangingBackend", tmp_path)["CLAIM-5"]
        assert found.status == Status.ERROR
        assert "register_if_absent('k" in found.reason
        assert list(tmp_path.iterdir()) == []

    def test_death_is_an_error(self, tmp_path: Path) -> None:
        """A store that kills its process makes an error that names the signal."""
        found = run("claims-on-threads", "DyingBackend", tmp_path)["CLAIM-5"]
        assert found.status == Status.ERROR
        assert "SIGKILL" in found.reason

    def test_failing_alone_is_no_race(self, tmp_path: Path) -> None:
        """What fails without any parallelism is an error, not a violation of a race."""
        found = run("claims-on-threads", "BrokenBackend", tmp_path)["ERR-2"]
        assert found.status == Status.ERROR
        assert "one client alone" in found.reason
        assert "out of order" in found.reason

    def test_what_is_not_declared_is_not_run(self, tmp_path: Path) -> None:
        """Without the clause's declaration nothing runs; without an operation it is untested."""
        assert run("consumers-on-threads", "DictBackend", tmp_path) == {}
        assert run("claims-on-processes", "DictBackend", tmp_path) == {}
        found = run("snapshots-on-processes", "TimedBackend", tmp_path)
        assert found == {}
        lookup = Capabilities().without("lookup")
        results = run_race(
            BY_NAME["visible-on-processes"],
            target("DictBackend"),
            lookup,
            run_dir=tmp_path,
            budget_s=1,
            seed=1,
        )
        assert [(each.clause, each.status) for each in results] == [("REG-3", Status.UNTESTED)]
        assert "needs the operation lookup" in results[0].reason

    def test_progress_is_told(self, tmp_path: Path) -> None:
        """A listener hears how far the evidence is, against the floor."""
        heard: list[Progress] = []
        run_race(
            BY_NAME["claims-on-threads"],
            target("DictBackend"),
            racy_stores.BARE,
            run_dir=tmp_path,
            budget_s=0.1,
            seed=1,
            on_progress=heard.append,
        )
        assert heard
        assert heard[-1].done >= heard[-1].total == 100
        assert heard[-1].counters["claims"] > heard[-1].counters["overlaps"] > 0


class TestLostWorkers:
    def test_what_a_killed_worker_did_is_judged(self, tmp_path: Path) -> None:
        """Two winners whose process then dies are two winners: the journals tell."""
        found = run("claims-on-processes", "DoubleWinThenDeath", tmp_path, budget_s=20.0)
        assert found["CLAIM-6"].status == Status.FAIL
        assert found["CLAIM-6"].violation is not None
        assert "won" in found["CLAIM-6"].violation.summary

    def test_death_alone_accuses_nobody_of_two_winners(self, tmp_path: Path) -> None:
        """A store that only dies is an error, not a violation of the claim."""
        found = run("claims-on-processes", "SharedThenDeath", tmp_path, budget_s=20.0)
        assert found["CLAIM-6"].status == Status.ERROR
        assert "SIGKILL" in found["CLAIM-6"].reason
