"""Stress is calibrated: canaries tell what a pass is worth, and a hit is shown again or rated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import racy_stores
from onewinner.adapters.targets import Target
from onewinner.contract import Capabilities
from onewinner.mutants import MUTANTS, canaries
from onewinner.report import console, verdict
from onewinner.report.json import as_dict
from onewinner.suite import canaries as calibration
from onewinner.suite.canaries import calibrate, calibrated, left_to_control
from onewinner.suite.schedules import PROCESSES
from onewinner.suite.tree import REPLAY, Canary, CheckResult, Status, rule_of_three
from onewinner.suite.witness import confirmed, witness
from results import check, run, violation

if TYPE_CHECKING:
    from pathlib import Path

FOUND = Canary(
    name="look, then write",
    level="process",
    easiest=True,
    found_ms=1.3,
    rounds=2,
    seconds=0.0013,
)
MISSED = replace(FOUND, found_ms=None, rounds=61, seconds=0.5)
PASSED = CheckResult(check="claims-on-processes", clause="CLAIM-6", status=Status.PASS)


@pytest.mark.xdist_group("onewinner-stress")  # one race at a time, as in the plugin
class TestCanaries:
    def test_the_easiest_are_found(self, tmp_path: Path) -> None:
        """Of each level the easiest canary is found within its bound, and how soon is told."""
        found = calibrate(tmp_path, ["thread", "process"], seed=1)
        assert [(each.level, each.easiest) for each in found] == [
            ("thread", True),
            ("process", True),
            ("process", False),
            ("process", False),
        ]
        assert all(each.found_ms is not None for each in found if each.easiest)
        assert [*tmp_path.iterdir()] == []

    def test_only_the_levels_that_are_raced(self, tmp_path: Path) -> None:
        """A store for threads is judged with the canary for threads alone."""
        found = calibrate(tmp_path, ["thread"], seed=1)
        assert [each.name for each in found] == ["check, then set, in memory"]
        assert calibrate(tmp_path, [], seed=1) == ()

    def test_a_canary_that_never_loses_is_not_found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The search is bounded, and says of a store that is right that it found nothing."""
        monkeypatch.setattr(calibration, "_lost", lambda *_: False)
        monkeypatch.setattr(calibration, "_HARD_S", 0.05)
        (found,) = calibrate(tmp_path, ["thread"], seed=1, bound_s=0.05)
        assert found.found_ms is None
        assert found.seconds >= 0.05
        assert found.told.startswith("check, then set, in memory: not found in ")

    def test_canaries_that_cannot_be_raced_say_why(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A pool that dies is no canary found, and its reason is kept."""
        monkeypatch.setattr(canaries, "TARGET", "python:racy_stores:DyingBackend")
        (found,) = calibrate(tmp_path, ["thread"], seed=1)
        assert found.found_ms is None
        assert "SIGKILL" in found.reason

    def test_bytes_are_no_ones_but_their_keys(self) -> None:
        """No two keys of a block share a byte of the canary in shared memory."""
        slots = {canaries.slot_of(f"k{r}-{n}") for r in range(200) for n in range(300)}
        assert len(slots) == 200 * 300
        assert max(slots) < 1 << 16


class TestWorth:
    def test_a_pass_is_worth_what_the_easiest_canary_was(self) -> None:
        """Where the easiest race of a level was not seen, a pass of that level is untested."""
        blind = calibrated(PASSED, "process", (MISSED,))
        assert blind.status is Status.UNTESTED
        assert "'look, then write' was not found in 61 rounds and 0.5 s" in blind.reason
        assert calibrated(PASSED, "thread", (MISSED,)).status is Status.PASS
        assert calibrated(PASSED, "process", (FOUND,)).status is Status.PASS

    def test_a_hard_canary_takes_nothing_away(self) -> None:
        """A canary that is not the easiest is only told of."""
        kept = calibrated(PASSED, "process", (FOUND, replace(MISSED, easiest=False)))
        assert kept.status is Status.PASS
        expected = "look, then write: 1.3 ms; look, then write: not found in 0.5 s"
        assert kept.evidence["canaries"] == expected

    def test_a_violation_needs_no_canary(self) -> None:
        """What was seen was seen, on whatever machine."""
        failed = replace(PASSED, status=Status.FAIL)
        assert calibrated(failed, "process", (MISSED,)) is failed

    @pytest.mark.parametrize(
        ("rounds", "said"),
        [
            (4_210, "0 in 4,210 rounds, so below 0.071 % at 95 %"),
            (100, "0 in 100 rounds, so below 3 % at 95 %"),
            (1, "0 in 1 rounds, so below 100 % at 95 %"),
        ],
    )
    def test_the_rule_of_three(self, rounds: int, said: str) -> None:
        """With 95 % confidence the chance is below 3/R after R rounds without a hit."""
        assert rule_of_three(rounds) == said

    def test_reports_tell_what_a_pass_is_worth(self) -> None:
        """The console has the bound of a clause and the canaries, JSON has both as values."""
        raced = check("CLAIM-6", evidence={"stress rounds": 100, "stress": "x"})
        again = check("CLAIM-6", evidence={"stress rounds": 200, "stress": "y"})
        result = run(checks={"CLAIM-6": (raced, again)}, canaries=(FOUND, MISSED))
        shown = " ".join(console.render(result).split())
        assert "look, then write: 1.3 ms; look, then write: not found in 0.5 s" in shown
        clause = next(each for each in result.clauses if each.clause.id == "CLAIM-6")
        assert verdict.evidence(clause)["stress"] == "0 in 300 rounds, so below 1 % at 95 %"
        assert as_dict(result)["canaries"][0]["found_ms"] == 1.3
        assert as_dict(result)["canaries"][1]["found_ms"] is None


class TestOneProcessor:
    SWEPT = check("CLAIM-6", check=PROCESSES, evidence={"swept": "all schedules with"})
    STARVED = replace(PASSED, status=Status.UNTESTED, reason="clients met at 3 keys")

    def test_what_was_swept_is_left_to_control(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """On one processor a race that could not be run leaves its clause to the sweep."""
        monkeypatch.setattr(calibration, "processors", lambda: 1)
        left = left_to_control(self.STARVED, [self.SWEPT])
        assert (left.status, left.reason.rpartition(" ")[2]) == (Status.NA, PROCESSES)
        assert left_to_control(self.STARVED, []).status is Status.UNTESTED
        other = replace(self.SWEPT, clause="CLAIM-8")
        assert left_to_control(self.STARVED, [other]).status is Status.UNTESTED

    def test_with_several_nothing_is_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where races can be run, one that met too little stays untested."""
        monkeypatch.setattr(calibration, "processors", lambda: 2)
        assert left_to_control(self.STARVED, [self.SWEPT]).status is Status.UNTESTED


HIT = CheckResult(
    check="claims-on-processes",
    clause="CLAIM-6",
    status=Status.FAIL,
    reason="2 won",
    evidence={"stress": "wrong in 37 of 410 rounds"},
    violation=violation("CLAIM-6", summary="2 claims of the key 'k' answered true", script=""),
)


class TestWitness:
    def test_what_sweeps_have_found_is_used(self, tmp_path: Path) -> None:
        """A finding of the sweeps about the same clause is the witness; nothing is run again."""
        token = f"{REPLAY} ow1:abc"
        swept = check(
            "CLAIM-6",
            Status.FAIL,
            violation=violation("CLAIM-6", summary="2 claims won", reproduce=token),
        )
        shown = confirmed(
            HIT,
            [swept],
            Target("no such target"),
            Capabilities(),
            run_dir=tmp_path,
            processes=True,
        )
        assert shown.violation is not None
        assert shown.violation.reproduce == token
        assert shown.violation.summary == (
            "2 claims of the key 'k' answered true (wrong in 37 of 410 rounds); "
            "under control each time: 2 claims won"
        )

    @pytest.mark.parametrize("name", ["RacySqliteBackend", "FileBackend"])
    def test_a_hit_gets_a_token(self, name: str, tmp_path: Path) -> None:
        """A race that was lost to a store that looks first is shown again by a schedule."""
        shown = confirmed(
            HIT,
            (),
            Target(f"python:racy_stores:{name}"),
            getattr(racy_stores, name).capabilities,
            run_dir=tmp_path,
            processes=True,
            budget_s=20.0,
        )
        assert shown.violation is not None
        assert shown.violation.reproduce.startswith(REPLAY)
        assert "under control each time: 2 claims of the key 'k' won" in shown.violation.summary
        assert [*tmp_path.iterdir()] == []

    def test_without_witness_it_is_stochastic(self, tmp_path: Path) -> None:
        """A violation that no schedule shows stands, with its rate."""
        shown = confirmed(
            HIT,
            (),
            Target("python:racy_stores:SqliteBackend"),
            racy_stores.SqliteBackend.capabilities,
            run_dir=tmp_path,
            processes=True,
            budget_s=0.5,
        )
        assert shown.status is Status.FAIL
        assert shown.violation is not None
        assert "(stochastic, wrong in 37 of 410 rounds: no schedule" in shown.violation.summary

    def test_a_clause_without_scenario_has_no_witness(self, tmp_path: Path) -> None:
        """Nothing is started where no scenario is about the clause."""
        target = Target("no such target")
        found = witness("REG-3", target, Capabilities(), run_dir=tmp_path, processes=True)
        assert found is None

    def test_a_pass_is_left_alone(self, tmp_path: Path) -> None:
        """Only a violation needs a witness."""
        target = Target("no such target")
        shown = confirmed(PASSED, (), target, Capabilities(), run_dir=tmp_path, processes=True)
        assert shown is PASSED


def test_canaries_are_mutants() -> None:
    """What is raced as a canary is flagged by the gate as a mutant too, under these names."""
    assert {"lookup-then-register", "stale-row-removed-before-claim", "dict-check-then-set"} <= {
        *MUTANTS
    }
