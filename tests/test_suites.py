"""The comparison of test suites is fair: n/a, missed and broken are told apart, none is a pass."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from onewinner import ABSENT
from onewinner.mutants import MUTANTS

sys.path.append(str(Path(__file__).parents[1] / "stress"))  # what no package holds
sys.path.append(str(Path(__file__).parents[1] / "stress" / "peers"))

import environment
import key_value_kit
import trial
from broken_claims import CLAIMS
from suites import SUITES
from trial import Broke, Seen, Terms, tried, verdict

import bench_suites
from bench_suites import Cell, table, wrong

BY_NAME = {suite.name: suite for suite in SUITES}
ONEWINNER, BARRIER, ZARR = (BY_NAME[name] for name in ("onewinner", "barrier and count", "zarr"))
OVERWRITES = CLAIMS["claim-overwrites-live"]

CELLS = {
    ("correct-memory", "zarr"): Cell([Seen(False, 9.0, "68 passed")]),
    ("claim-always-true", "zarr"): Cell(absent="a claim answers nothing"),
    ("lookup-then-register", "zarr"): Cell([Seen(True, 1.0, "a"), Seen(False, 9.0, "b")]),
    ("claim-overwrites-live", "zarr"): Cell([Seen(True, 2.0, "a"), Seen(True, 4.0, "a")]),
}


def report(home: Path, *statuses: str) -> None:
    """Write what onewinner reports where the checks of CLAIM-1 ended like this."""
    checks = [{"status": status} for status in statuses]
    clauses = {"clauses": [{"id": "CLAIM-1", "checks": checks}]}
    (home / "report.json").write_text(json.dumps(clauses), encoding="utf-8")


class TestClaims:
    def test_what_an_interface_lacks_is_said(self) -> None:
        """A defect that an interface cannot come upon is named, with all that is lacking."""
        assert CLAIMS["error-swallowed-as-false"].lacking(frozenset({"claim"})) == (
            "a claim answers nothing, no limit"
        )
        assert CLAIMS["claim-always-true"].lacking(frozenset()) == "no claim"
        assert OVERWRITES.lacking(frozenset({"claim"})) == ""

    def test_every_broken_store_is_a_mutant(self) -> None:
        """At least seven broken claims are compared, each one that onewinner's gate holds."""
        broken = [claim for claim in CLAIMS.values() if not claim.correct]
        assert len(broken) >= 7
        assert [c.name for c in broken if c.target.removeprefix("mutant:") not in MUTANTS] == []

    def test_both_correct_stores_come_first(self) -> None:
        """A suite is tried on what it must pass before anything it flags counts."""
        assert list(CLAIMS)[:2] == ["correct-memory", "correct-sqlite"]

    @pytest.mark.parametrize("name", ["correct-memory", "claim-overwrites-live"])
    def test_rows_are_seen_past_the_store(self, name: str, tmp_path: Path) -> None:
        """What a suite reads past the store under test are the rows of that store."""
        claim = CLAIMS[name]
        store = claim.connect(tmp_path).open("p", "n", max_entries=3)
        beside = claim.beside(tmp_path).open("p", "n", max_entries=3)
        assert beside.lookup("k") is ABSENT
        assert store.register_if_absent("k", 1)
        assert beside.lookup("k") == 1


class TestVerdict:
    def test_the_first_failure_is_named(self, tmp_path: Path) -> None:
        """A suite that fails has flagged the store, by the test that it names."""
        said = "..F\nFAILED zarr_suite.py::TestStore::test_get[c/0] - assert 1\n1 failed in 2s\n"
        assert verdict(ZARR, 1, said, tmp_path) == (True, "`test_get[c/0]`")

    def test_all_passed(self, tmp_path: Path) -> None:
        """A suite that passes says how many of its tests ran."""
        said = "....\n68 passed, 5 skipped in 1.15s\n"
        assert verdict(ZARR, 0, said, tmp_path) == (False, "68 passed, 5 skipped")

    @pytest.mark.parametrize(
        ("code", "said"),
        [(0, "5 skipped in 1s\n"), (5, "no tests ran in 0s\n"), (1, "Traceback\n"), (2, "E\n")],
    )
    def test_nothing_that_ran_is_no_verdict(self, code: int, said: str, tmp_path: Path) -> None:
        """A suite that ran no test, or broke, says nothing about the store."""
        with pytest.raises(Broke):
            verdict(ZARR, code, said, tmp_path)

    def test_the_barrier_answers_in_json(self, tmp_path: Path) -> None:
        """The last line says whether it was found; a program that fails says nothing."""
        said = 'warning\n{"found": true, "note": "3 rounds"}\n'
        assert verdict(BARRIER, 0, said, tmp_path) == (
            True,
            "3 rounds, the last without one winner",
        )
        with pytest.raises(Broke):
            verdict(BARRIER, 1, "Traceback\n", tmp_path)

    def test_onewinner_names_the_clause(self, tmp_path: Path) -> None:
        """Only a check that failed counts, also where another one could not be judged."""
        report(tmp_path, "fail", "error")
        assert verdict(ONEWINNER, 1, "", tmp_path) == (True, "CLAIM-1")
        report(tmp_path, "pass")
        assert verdict(ONEWINNER, 0, "", tmp_path) == (False, "conforms")

    @pytest.mark.parametrize(("code", "status"), [(1, "error"), (7, "untested"), (3, "pass")])
    def test_onewinner_gets_no_credit_for_less(
        self, code: int, status: str, tmp_path: Path
    ) -> None:
        """An error, and a run that proved nothing, are neither a find nor a pass."""
        report(tmp_path, status)
        with pytest.raises(Broke):
            verdict(ONEWINNER, code, "said", tmp_path)


class TestRun:
    def test_a_run_that_hangs_is_ended_and_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A run beyond its bound is killed, and whoever waits for it would have noticed."""
        forever = ["-c", "import threading; threading.Event().wait()"]
        monkeypatch.setattr(trial, "command", lambda *_, **__: forever)
        place: Any = SimpleNamespace(bin=Path(sys.executable).parent, variables=lambda **_: None)
        seen = tried(place, ZARR, OVERWRITES, Terms(0.2, None, brief=False))
        assert seen == Seen(True, 0.2, "did not end within 0.2 s")

    def test_a_correct_store_is_judged_whole(self, tmp_path: Path) -> None:
        """`-x` is given: it stops at the first violation only where there is one to come."""
        broken = trial.command(ONEWINNER, CLAIMS["commits-late"], tmp_path)
        assert broken[:5] == ["-m", "onewinner", "verify", "mutant:commits-late", "-x"]
        assert broken[5:7] == ["--level", "crash"]
        assert "-x" not in trial.command(ONEWINNER, CLAIMS["correct-sqlite"], tmp_path)


class TestTable:
    def test_what_is_told(self) -> None:
        """Flagged, flagged at times, missed and not asked are four things; the first is counted."""
        claims = [CLAIMS[name] for name, _ in CELLS]
        assert table(CELLS, claims, [ZARR]).splitlines()[2:] == [
            "| correct-memory | passes, 9.0 s |",
            "| claim-always-true | n/a: a claim answers nothing |",
            "| lookup-then-register | 1 of 2, 1.0 s |",
            "| claim-overwrites-live | **yes**, 3.0 s |",
            "| **flagged each time** | 1 of 3 |",
        ]
        assert Cell([Seen(False, 3.0, "")]).text() == "no, 3.0 s"

    def test_what_must_not_be(self) -> None:
        """A correct store that is flagged, a miss of onewinner, and a broken run are named."""
        flagged, missed = Cell([Seen(True, 1.0, "")]), Cell([Seen(False, 1.0, "")])
        assert wrong(CELLS) == []
        assert wrong({("claim-always-true", "zarr"): missed}) == []
        assert wrong({("correct-sqlite", "zarr"): flagged}) != []
        assert wrong({("claim-always-true", "onewinner"): missed}) != []
        assert wrong({("claim-always-true", "zarr"): Cell(broke="so")}) != []

    def test_a_document_keeps_the_rest(self, tmp_path: Path) -> None:
        """Only what is between the marks is replaced; a document without marks is refused."""
        path = tmp_path / "doc.md"
        path.write_text("a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n", encoding="utf-8")
        environment.write(path, "new", "x")
        expected = "a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nb\n"
        assert path.read_text(encoding="utf-8") == expected
        with pytest.raises(ValueError, match="write them where"):
            environment.write(path, "new", "y")


class TestKeyValueKit:
    def test_a_checkout_says_its_release(self, tmp_path: Path) -> None:
        """The package that is installed is of the release whose tests are run."""
        (tmp_path / "pyproject.toml").write_text('version = "0.4.4"\n', encoding="utf-8")
        assert key_value_kit.packages(tmp_path)[0] == "py-key-value-aio[memory]==0.4.4"

    @pytest.mark.parametrize(
        ("text", "told"), [("class BaseStoreTests(ABC):", ""), ("", "no class BaseStoreTests")]
    )
    def test_a_checkout_without_tests_is_no_kit(self, text: str, told: str, tmp_path: Path) -> None:
        """Where the tests are gone it is said, instead of a run of nothing."""
        base = tmp_path / "tests" / "stores" / "base.py"
        base.parent.mkdir(parents=True)
        base.write_text(text, encoding="utf-8")
        environment: Any = None  # a checkout is all that is looked at
        assert key_value_kit.missing(environment, tmp_path).startswith(told)
        assert bool(key_value_kit.missing(environment, tmp_path)) == bool(told)


def test_every_suite_is_asked_for_something() -> None:
    """Each suite can come upon at least three of the defects, else it is no comparison."""
    broken = [claim for claim in CLAIMS.values() if not claim.correct]
    asked = {s.name: sum(not c.lacking(s.offers) for c in broken) for s in bench_suites.SUITES}
    assert asked == {
        "zarr": 6,
        "dogpile": 10,
        "py-key-value": 3,
        "barrier and count": 13,
        "onewinner": 13,
    }
