"""The reference adapters, one a language: the right store conforms, the broken one is flagged."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import store_commands
from onewinner import cli
from onewinner.adapters.targets import Target
from onewinner.schedule.ptrace import ptrace_refusal
from onewinner.suite import engine
from onewinner.suite.faults import run_fault
from onewinner.suite.races import run_race
from onewinner.suite.registry import race_called
from onewinner.suite.tree import Status
from store_commands import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.suite.tree import CheckResult, RunResult

HERE = Path(__file__).parents[2] / "tests"
BUDGET_S = 30.0
CLAIMS = ("CLAIM-1", "CLAIM-2", "CLAIM-6", "TTL-1", "READ-4")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where adapters are compiled."""
    return tmp_path_factory.mktemp("adapters")


@pytest.fixture
def target(built: Path) -> Callable[..., Target]:
    """Answers the target of a language, or skips where its tools are not there."""

    def found(language: str, *words: str) -> Target:
        if (what := store_commands.missing(language)) is not None:
            pytest.skip(what)
        if (refusal := ptrace_refusal()) is not None:
            pytest.skip(refusal)
        return Target(store_commands.target(language, built, *words))

    return found


def verified(target: Target, *clauses: str, stop: bool = False) -> RunResult:
    """Judge a target by cases and by what is under control, over processes."""
    options = engine.Options(
        level="process",
        budget_s=BUDGET_S,
        select=clauses,
        depth="control",
        stop_at_first=stop,
    )
    return engine.verify(target, options)


@pytest.mark.parametrize("language", LANGUAGES)
class TestAdapters:
    def test_the_right_store_conforms(self, language: str, target: Callable[..., Target]) -> None:
        """No schedule and no case shows anything wrong in a correct store, in any language."""
        result = verified(target(language), *CLAIMS)
        told = {each.clause.id: (each.status, each.reason) for each in result.clauses}
        assert told == dict.fromkeys(CLAIMS, (Status.PASS, ""))

    def test_the_broken_store_is_flagged_under_control(
        self, language: str, target: Callable[..., Target]
    ) -> None:
        """A look before a write is found at the system calls of the command, each time."""
        result = verified(target(language, "racy"), "CLAIM-6", stop=True)
        (found,) = [each for each in result.clauses if each.status is Status.FAIL]
        assert found.clause.id == "CLAIM-6"
        assert found.violation is not None
        assert found.violation.reproduce.startswith("onewinner replay ")
        assert any("a rival wins between" in line for line in found.violation.happened)

    def test_smoke_finds_nothing_wrong(self, language: str, target: Callable[..., Target]) -> None:
        """Every message of the adapter is one that the schema allows."""
        found = engine.smoke(target(language))
        assert found.ok, found.lines
        assert any("protocol.schema.json" in line for line in found.lines)


class TestRaces:
    def test_batches_meet_and_the_broken_store_is_flagged(
        self, target: Callable[..., Target], tmp_path: Path
    ) -> None:
        """A volley that copies fire at one instant shows two winners of one key."""
        result = _raced(target("node", "racy"), tmp_path)
        assert (result.clause, result.status) == ("CLAIM-6", Status.FAIL)

    def test_batches_accuse_no_correct_store(
        self, target: Callable[..., Target], tmp_path: Path
    ) -> None:
        """However copies meet, a correct store is not accused, and calls are judged as made."""
        result = _raced(target("node"), tmp_path)
        assert result.status < Status.FAIL, result.reason
        assert int(result.evidence["calls"]) > 0


def _raced(target: Target, home: Path) -> CheckResult:
    """Race claims over processes, and answer what the race says of its first clause."""
    capabilities = engine.probe(target, str(home))
    race = race_called("claims-on-processes")
    return run_race(race, target, capabilities, run_dir=home, budget_s=2.0, seed=1)[0]


class TestTheWholeContract:
    @pytest.mark.parametrize("time", ["virtual", "real"])
    def test_every_clause_can_go_over_the_wire(self, time: str) -> None:
        """The reference store conforms through the protocol as it does without, in both times."""
        command = shlex.join([sys.executable, str(HERE / "whole_adapter.py"), time])
        options = engine.Options(level="thread", depth="cases")
        result = engine.verify(Target(f"exec:{command}"), options)
        told = {each.clause.id: each.reason for each in result.clauses if each.violation}
        assert told == {}
        statuses = [each.status for each in result.clauses if each.checks]
        assert set(statuses) == {Status.PASS}
        assert len(statuses) > 30

    def test_its_files_and_its_damaged_rows_are_judged(self, tmp_path: Path) -> None:
        """Private files and a damaged row are looked at through the protocol too."""
        command = shlex.join([sys.executable, str(HERE / "whole_adapter.py"), "virtual"])
        told = _faults("files", Target(f"exec:{command}"), tmp_path)
        assert told == dict.fromkeys(("DUR-9", "ERR-7", "ERR-1"), (Status.PASS, ""))


class TestReplay:
    def test_a_schedule_of_a_command_is_repeated(
        self, target: Callable[..., Target], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What a sweep of a command found goes wrong again, each time, by its token."""
        result = verified(target("python", "racy"), "CLAIM-6", stop=True)
        (found,) = [each for each in result.clauses if each.violation is not None]
        assert found.violation is not None
        token = found.violation.reproduce.split()[-1]
        assert cli.main(["replay", token, "--repeat", "5"]) == 1
        assert "went wrong 5 of 5 times" in capsys.readouterr().out


class TestCrashes:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_a_copy_that_is_killed_leaves_no_half(
        self, language: str, target: Callable[..., Target], tmp_path: Path
    ) -> None:
        """Killed at each system call that changes a file, the right store harms nobody."""
        told = _faults("kills-at-system-calls", target(language), tmp_path)
        assert {status for status, _ in told.values()} == {Status.PASS}, told

    def test_an_answer_before_the_write_is_flagged(
        self, target: Callable[..., Target], tmp_path: Path
    ) -> None:
        """A store that answers first and writes with the next call loses a claim to a kill."""
        told = _faults("kills-at-system-calls", target("python", "late"), tmp_path)
        assert told["DUR-3"][0] is Status.FAIL

    def test_a_row_in_two_writes_is_flagged(
        self, target: Callable[..., Target], tmp_path: Path
    ) -> None:
        """A claim that is written without its expiry at first can be cut in two by a kill."""
        told = _faults("kills-at-system-calls", target("python", "halves"), tmp_path)
        assert told["DUR-5"][0] is Status.FAIL

    @pytest.mark.parametrize(
        "check", ["kills-in-storms", "stops-at-points", "full-disk", "failed-system-calls"]
    )
    def test_other_faults_reach_the_copy(
        self, check: str, target: Callable[..., Target], tmp_path: Path
    ) -> None:
        """Storms, stops, full disks and failing system calls are done to the command itself."""
        told = _faults(check, target("python"), tmp_path)
        assert {status for status, _ in told.values()} == {Status.PASS}, told


def _faults(check: str, target: Target, home: Path) -> dict[str, tuple[Status, str]]:
    """Run one check with faults, and answer what it says of its clauses."""
    capabilities = engine.probe(target, str(home))
    results = run_fault(check, target, capabilities, run_dir=home, budget_s=20.0, seed=1)
    return {each.clause: (each.status, each.reason) for each in results}
