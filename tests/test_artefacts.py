"""Failures are kept without being asked for, read back whole, and removed by a rule."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import results
from onewinner import artefacts, cli
from onewinner.adapters.targets import Target
from onewinner.artefacts import ArtefactError
from onewinner.artefacts.again import driven
from onewinner.artefacts.artefact import identities, read
from onewinner.artefacts.keeping import KEPT_MOST, kept, names, prune
from onewinner.suite.engine import Options, verify
from onewinner.suite.tree import ExitCode, RunResult, Status

if TYPE_CHECKING:
    from pathlib import Path

BROKEN = "mutant:claim-overwrites-live"


@pytest.fixture(scope="module")
def broken() -> RunResult:
    """A run against a store that is broken in one case."""
    options = Options(budget_s=1, seed=7, select=("CLAIM-2",), depth="cases")
    return verify(Target(BROKEN), options)


class TestKeeping:
    def test_what_passes_leaves_nothing_behind(self, tmp_path: Path) -> None:
        """Where nothing failed not even the folder is made."""
        folder = tmp_path / "kept"
        result = results.run()
        assert kept(result, folder=folder) is result
        assert not folder.exists()

    def test_a_failure_comes_back_as_it_was(self, broken: RunResult, tmp_path: Path) -> None:
        """Violation, timeline, history and what it was seen with survive the disk."""
        found = kept(broken, location="redis://127.0.0.1:1", folder=tmp_path)
        ((clause, identity),) = names(found)
        artefact = read(identity, tmp_path)
        before = broken.clauses[0].violation
        assert before is not None
        assert artefact.violation == replace(
            before, artefact=identity, recorded=artefact.recorded, history=""
        )
        assert artefact.recorded is not None
        assert before.recorded is not None
        assert artefact.recorded.judge == before.recorded.judge
        assert len(artefact.recorded.operations) == len(before.recorded.operations) > 0
        assert (artefact.clause, artefact.target) == (clause, BROKEN)
        assert (artefact.location, artefact.provenance["seed"]) == ("redis://127.0.0.1:1", 7)

    def test_an_error_is_kept_too(self, tmp_path: Path) -> None:
        """A check that could not be carried out is kept with its reason and what was printed."""
        result = replace(results.run({"TTL-1": Status.ERROR}), printed=("Traceback", "boom"))
        ((_, identity),) = names(kept(result, folder=tmp_path))
        artefact = read(identity, tmp_path)
        assert (artefact.status, artefact.violation) == ("error", None)
        assert artefact.stderr == ("Traceback", "boom")

    def test_the_folder_is_no_business_of_version_control(self, tmp_path: Path) -> None:
        """It ignores itself; an ignore file that is there stays."""
        kept(results.run({"TTL-1": Status.FAIL}), folder=tmp_path)
        ignore = tmp_path / ".gitignore"
        assert ignore.read_text().endswith("*\n")
        ignore.write_text("mine")
        kept(results.run({"TTL-1": Status.FAIL}), folder=tmp_path)
        assert ignore.read_text() == "mine"

    def test_two_failures_have_two_names(self, tmp_path: Path) -> None:
        """Each clause that failed is kept by itself."""
        result = results.run({"TTL-1": Status.FAIL, "CLAIM-2": Status.FAIL})
        assert len({identity for _, identity in names(kept(result, folder=tmp_path))}) == 2

    def test_the_oldest_go_first(self, tmp_path: Path) -> None:
        """So many stay, the newest of them; what is no artefact is left alone."""
        for number in range(5):
            home = tmp_path / f"{number}"
            home.mkdir()
            (home / "failure.json").write_text("{}")
            os.utime(home, ns=(number, number))
        (tmp_path / "notes").mkdir()
        prune(tmp_path, 2)
        assert identities(tmp_path) == ["3", "4"]
        assert (tmp_path / "notes").is_dir()
        assert KEPT_MOST == 50


class TestReading:
    @pytest.mark.parametrize("given", ["nonesuch", "", "..", "a/b"])
    def test_an_unknown_name_is_told(self, given: str, tmp_path: Path) -> None:
        """What is there instead is said; a path is no name."""
        kept(results.run({"TTL-1": Status.FAIL}), folder=tmp_path)
        with pytest.raises(ArtefactError, match=f"the latest are {identities(tmp_path)[0]}"):
            read(given, tmp_path)

    def test_a_damaged_one_is_told(self, tmp_path: Path) -> None:
        """A file that was cut short is no failure, and says so."""
        ((_, identity),) = names(kept(results.run({"TTL-1": Status.FAIL}), folder=tmp_path))
        (tmp_path / identity / "failure.json").write_text("{")
        with pytest.raises(ArtefactError, match="it cannot be read"):
            read(identity, tmp_path)

    def test_one_of_a_later_version_is_told(self, tmp_path: Path) -> None:
        """Its version and the one that is read here are named."""
        ((_, identity),) = names(kept(results.run({"TTL-1": Status.FAIL}), folder=tmp_path))
        path = tmp_path / identity / "failure.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
        with pytest.raises(ArtefactError, match="schema version 99"):
            read(identity, tmp_path)


class TestAgain:
    def test_a_case_goes_wrong_each_time(self, broken: RunResult, tmp_path: Path) -> None:
        """The history is invalid again, and the case fails as often as it is driven."""
        ((_, identity),) = names(kept(broken, folder=tmp_path))
        counts: list[tuple[int, int]] = []
        found = driven(
            read(identity, tmp_path),
            Target(BROKEN),
            times=3,
            on_time=lambda *count: counts.append(count),
        )
        assert (found.verdict, found.times, found.wrong) == (False, 3, 3)
        assert counts == [(1, 1), (2, 2), (3, 3)]
        assert found.exit_code is ExitCode.VIOLATION
        assert list(found.lines())[-1].endswith("went wrong 3 of 3 times")

    def test_a_store_that_was_mended_is_found_right(
        self, broken: RunResult, tmp_path: Path
    ) -> None:
        """The kept history stays invalid, while the store passes."""
        ((_, identity),) = names(kept(broken, folder=tmp_path))
        found = driven(read(identity, tmp_path), Target("memory"), times=2)
        assert (found.verdict, found.times, found.wrong) == (False, 2, 0)
        assert found.exit_code is ExitCode.CONFORMS

    def test_a_check_that_is_gone_says_nothing(self, broken: RunResult, tmp_path: Path) -> None:
        """An artefact of another release is no verdict on the store."""
        ((_, identity),) = names(kept(broken, folder=tmp_path))
        other = replace(read(identity, tmp_path), check="nonesuch")
        found = driven(other, Target(BROKEN), times=1)
        assert (found.times, found.exit_code) == (0, ExitCode.INCONCLUSIVE)


class TestCommands:
    def test_a_failure_is_kept_explained_and_replayed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What verify prints leads to the failure, and from there to the same violation."""
        monkeypatch.chdir(tmp_path)
        chosen = ["-k", "CLAIM-2", "-x", "--budget", "1s", "--quiet"]
        assert cli.main(["verify", BROKEN, *chosen]) == ExitCode.VIOLATION
        (identity,) = identities(tmp_path / artefacts.FOLDER)
        assert f"onewinner replay {identity}" in capsys.readouterr().out
        assert cli.main(["explain", identity]) == ExitCode.CONFORMS
        told = capsys.readouterr().out
        assert "FAIL CLAIM-2" in told
        assert "In time:" in told
        assert cli.main(["replay", identity, "--repeat", "2"]) == ExitCode.VIOLATION
        assert "went wrong 2 of 2 times" in capsys.readouterr().out

    def test_a_run_writes_into_its_folder_only(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of a run that fails only the folder of failures is new where it was started."""
        monkeypatch.chdir(tmp_path)
        cli.main(["verify", BROKEN, "-k", "CLAIM-2", "-x", "--budget", "1s", "--quiet"])
        assert [each.name for each in tmp_path.iterdir()] == [str(artefacts.FOLDER)]

    def test_an_unknown_failure_is_a_matter_of_usage(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Neither a token nor a name that is kept here: exit 4, and what there is."""
        monkeypatch.chdir(tmp_path)
        assert cli.main(["replay", "abcdef"]) == ExitCode.USAGE
        assert "neither a token" in capsys.readouterr().err

    def test_where_nothing_can_be_written_the_verdict_stands(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A folder that is a file costs the artefact, is told, and changes no exit code."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / artefacts.FOLDER).write_text("")
        chosen = ["-k", "CLAIM-2", "-x", "--budget", "1s", "--quiet"]
        assert cli.main(["verify", BROKEN, *chosen]) == ExitCode.VIOLATION
        assert "could not be kept" in capsys.readouterr().out
