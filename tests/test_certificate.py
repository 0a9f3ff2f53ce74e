"""Certificates: what is stated, what is computed again, and what of a forgery is noticed."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import jsonschema
import pytest

from certificates import NAME, claims, edited, expected, issued, keep, made, passed, put, written
from onewinner import cli, history
from onewinner.adapters.targets import Target
from onewinner.certificate import (
    archive,
    badge,
    digests,
    histories,
    plain,
    requirements,
    score,
    subjects,
    summary,
    words,
)
from onewinner.certificate.checking import Checked, check
from onewinner.certificate.issuing import issue
from onewinner.certificate.schema import schema
from onewinner.contract.clauses import LEVELS, by_level
from onewinner.history import Fail
from onewinner.suite import engine
from onewinner.suite.tree import ExitCode, Known, Status
from results import check as result_of_check
from tidy import FLOORS, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.suite.tree import RunResult

Capture = pytest.CaptureFixture[str]
ARCHIVE = archive.beside(NAME).name
CLAIM = "claims-on-processes-0001.jsonl"  # CLAIM-6 rests on it


def plainly(statement: words.Statement) -> dict[str, Any]:
    """Answer a certificate as somebody else's JSON parser reads it."""
    found: dict[str, Any] = json.loads(words.dumps(statement))
    return found


def stated(statement: words.Statement) -> words.Extension:
    """Answer what is stated besides in-toto's own fields."""
    return statement.predicate.extension


def checked(path: Path) -> Checked:
    """Compute a certificate again."""
    return check(words.loads(path.read_bytes()), path.parent)


def said(path: Path) -> str:
    """Answer all that differs and is unknown."""
    found = checked(path)
    return "\n".join([*found.differs, *found.unknown])


def texts(value: Any) -> list[str]:
    """Answer every text in a JSON value, names of members too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in texts(each)]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else []


def with_clause(result: RunResult, name: str, **changes: Any) -> RunResult:
    """Answer a run in which one clause is another."""
    clauses = (replace(c, **changes) if c.clause.id == name else c for c in result.clauses)
    return replace(result, clauses=tuple(clauses))


class TestStatement:
    def test_it_follows_the_published_schema(self, tmp_path: Path) -> None:
        """A certificate is what `specs/certificate.schema.json` says, which is current."""
        published = json.loads((ROOT / "specs" / "certificate.schema.json").read_text("utf-8"))
        assert published == schema()
        jsonschema.Draft202012Validator.check_schema(published)
        for result in (made(), made({"CLAIM-6": Status.FAIL, "TTL-1": Status.UNTESTED})):
            jsonschema.validate(plainly(issued(tmp_path, result).statement), published)

    def test_the_schema_can_refuse(self) -> None:
        """A result, a status and a digest that are none are refused by the schema."""
        for spoil in ("result", "digest", "status"):
            told = plainly(passed().statement)
            if spoil == "result":
                told["predicate"]["result"] = "GREEN"
            elif spoil == "digest":
                told["subject"][0]["digest"]["sha256"] = "abc"
            else:
                told["predicate"]["onewinner_certificate"]["clauses"][0]["status"] = "fine"
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(told, schema())

    def test_it_is_a_test_result_of_in_toto(self) -> None:
        """Whoever knows in-toto alone finds the types, the subject, the result and the tests."""
        told = plainly(passed().statement)
        assert told["_type"] == "https://in-toto.io/Statement/v1"
        assert told["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
        assert told["subject"][0]["name"] == "sqlite"
        predicate = told["predicate"]
        assert predicate["result"] == "PASSED"
        assert "CLAIM-6" in predicate["passedTests"]
        assert (predicate["warnedTests"], predicate["failedTests"]) == ([], [])
        assert [each["name"] for each in predicate["configuration"]] == [
            "contract 2026-1, level process",
            "onewinner 0.1.0",
        ]

    def test_what_was_run_is_stated(self) -> None:
        """Level, seed, budget, cores, capabilities and evidence stand in the extension."""
        told = stated(passed().statement)
        assert (told.level.asked, told.level.reached, told.complete) == ("process", "process", True)
        assert (told.run.seed, told.run.budget_seconds, told.run.cores) == ("0x51ab", 40.0, 2)
        assert told.capabilities["scope"] == "process"
        (own,) = (each for each in told.clauses if each.id == "CLAIM-6")
        assert own.evidence["overlaps"] == 1182
        assert told.contract.clauses == len(by_level("process"))

    def test_the_same_run_makes_the_same_bytes(self, tmp_path: Path) -> None:
        """Certificate and archive are the same to the byte, whenever they are written."""
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        one, other = put(tmp_path / "a", issued(tmp_path)), written(tmp_path / "b")
        assert one.read_bytes() == other.read_bytes()
        assert (one.parent / ARCHIVE).read_bytes() == (other.parent / ARCHIVE).read_bytes()

    def test_nothing_private_and_nothing_long_is_stated(self, tmp_path: Path) -> None:
        """Paths, credentials and long texts of a target are cut, wherever they stand."""
        path = "/srv/hidden/store/data.db"
        spoilt = result_of_check(
            "CLAIM-1",
            Status.FAIL,
            reason=f"unable to open {path}: {'y' * 5_000}",
            evidence={"where": path, "long": "z" * 5_000, "nasty": "\ud800\x1b", path: 1},
            violation=None,
        )
        result = replace(
            with_clause(made(), "CLAIM-1", checks=(spoilt,)),
            notes=(f"read from sqlite:///{path}", "at redis://me:secret@db.example/0"),
            target=f"exec:run {path}",
            versions={"onewinner": "0.1.0", "store": path},
        )
        told = texts(plainly(issued(tmp_path, result).statement))
        assert not [each for each in told if "hidden" in each or "secret" in each]
        assert any(each == "exec:run .../data.db" for each in told)
        assert max(len(each.encode()) for each in told) <= 200


class TestResult:
    def test_a_failing_store_has_a_certificate(self, tmp_path: Path) -> None:
        """A violation makes the result FAILED, and the level that was reached is a lower one."""
        found = issued(tmp_path, made({"CLAIM-6": Status.FAIL})).statement
        assert found.predicate.result == "FAILED"
        assert found.predicate.failed_tests == ["CLAIM-6"]
        assert (stated(found).level.reached, stated(found).exit_code) == ("thread", 1)

    @pytest.mark.parametrize(
        ("result", "code"),
        [
            (made({"CLAIM-6": Status.UNTESTED}), ExitCode.INCONCLUSIVE),
            (made(whole=False), ExitCode.CONFORMS),
            (made(stopped_early=True), ExitCode.CONFORMS),
            (made(only=("CLAIM-6",)), ExitCode.CONFORMS),
            (replace(made(), clauses=()), ExitCode.NOTHING_RAN),
        ],
        ids=["untested", "selected", "stopped", "few", "nothing"],
    )
    def test_what_is_not_whole_never_passes(
        self, tmp_path: Path, result: RunResult, code: ExitCode
    ) -> None:
        """An inconclusive run, a part of one and one of nothing are never PASSED."""
        found = issued(tmp_path, result).statement
        assert found.predicate.result == "WARNED"
        assert stated(found).exit_code == code

    def test_an_error_fails(self, tmp_path: Path) -> None:
        """A store that hung was not judged, and has failed."""
        found = issued(tmp_path, made({"DUR-1": Status.ERROR})).statement
        assert (found.predicate.result, found.predicate.failed_tests) == ("FAILED", ["DUR-1"])

    def test_a_baseline_raises_nothing(self, tmp_path: Path) -> None:
        """A failure that is known is stated as one: the gate is green, the certificate is not."""
        known = Known(clause="CLAIM-6", reason="", kind="not-yet", signature="2 winners")
        result = with_clause(made({"CLAIM-6": Status.FAIL}), "CLAIM-6", known=known)
        assert result.exit_code is ExitCode.CONFORMS
        found = issued(tmp_path, result).statement
        assert (found.predicate.result, found.predicate.failed_tests) == ("FAILED", ["CLAIM-6"])
        assert stated(found).level.reached == "thread"
        assert badge.badge(found)["color"] == "red"
        path = written(tmp_path, result)
        assert said(path) == ""


class TestHistories:
    def test_an_invalid_history_fails_what_rests_on_it(self, tmp_path: Path) -> None:
        """Whatever the run said of the clause: two winners in a kept history are a violation."""
        found = issued(tmp_path, invalid=["claims-on-processes"])
        assert found.statement.predicate.failed_tests == ["CLAIM-6"]
        assert found.result.exit_code is ExitCode.VIOLATION
        told = {each.name: each for each in stated(found.statement).histories.files}
        assert (told[CLAIM].verdict, told[CLAIM].clauses) == ("invalid", ["CLAIM-6"])
        assert (told[CLAIM].operations, told[CLAIM].judge) == (2, "claims")

    def test_what_is_stated_can_be_counted(self, tmp_path: Path) -> None:
        """Digest, bytes and operations are those of the file in the archive."""
        path = written(tmp_path)
        told = stated(words.loads(path.read_bytes())).histories
        contents = archive.read(path.parent / ARCHIVE)
        assert told.archive == ARCHIVE
        assert (told.count, told.operations) == (len(contents), 2 * len(contents))
        for each in told.files:
            assert each.digest.sha256 == digests.of_bytes(contents[each.name])
            assert each.bytes == len(contents[each.name])

    def test_what_has_no_room_is_counted(self, tmp_path: Path) -> None:
        """Where not all is kept each check has its turn, and what is left out is said."""
        folder = keep(tmp_path / "kept")
        for number in (2, 3):
            shutil.copy(folder / CLAIM, folder / f"claims-on-processes-000{number}.jsonl")
        whole = len(list(folder.iterdir()))
        found = histories.packed(made(), folder, most_files=whole - 1)
        assert "claims-on-processes-0003.jsonl" not in found.contents
        assert found.left_out.histories == 1
        assert found.left_out.because[0].startswith("1: there was room for 32 MiB")
        small = histories.packed(made(), folder, most_bytes=1)
        assert (small.histories, small.left_out.histories) == ((), whole)

    def test_what_cannot_be_shared_is_left_out(self, tmp_path: Path) -> None:
        """A value over 200 bytes would have to be cut, so its history is not kept."""
        folder = tmp_path / "kept"
        folder.mkdir()
        history.write(folder / CLAIM, claims(True, key="k" * 201))
        found = histories.packed(made(), folder)
        assert found.contents == {}
        assert found.left_out.because == ["1: a value there is longer than 200 bytes"]

    def test_errors_are_cut(self, tmp_path: Path) -> None:
        """What an error said is shortened and names no path, and the history is judged as it is."""
        folder = tmp_path / "kept"
        folder.mkdir()
        failed = Fail({"code": "X", "message": f"no /srv/private/x.db {'y' * 900}"})
        operations = [*claims(True), replace(claims(False)[0], process=7, outcome=failed)]
        history.write(folder / CLAIM, operations)
        found = histories.packed(made(), folder)
        assert b"private" not in found.contents[CLAIM]
        assert b".../x.db" in found.contents[CLAIM]
        assert [each.verdict for each in found.histories] == ["valid"]

    def test_what_no_checker_knows_is_left_out(self, tmp_path: Path) -> None:
        """A history with operations that the claim model has not says nothing, and is not kept."""
        folder = tmp_path / "kept"
        folder.mkdir()
        newer = replace(claims(True)[0], f="update")
        history.write(folder / CLAIM, [newer])
        found = histories.packed(made(), folder)
        assert (found.contents, found.left_out.histories) == ({}, 1)

    def test_a_violation_keeps_its_history(self, tmp_path: Path) -> None:
        """The program that a store gets wrong is kept, and is judged wrong again from its file."""
        target = Target("mutant:expired-row-blocks-claim")
        options = engine.Options(level="thread", select=("TTL-2",), depth="cases", seed=1)
        result = engine.verify(target, options)
        found = issue(result, target, tmp_path, ARCHIVE)
        (told,) = stated(found.statement).histories.files
        assert (told.name, told.verdict) == ("violation-TTL-2.jsonl", "invalid")
        assert (told.judge, told.clauses) == ("sequence", ["TTL-2"])
        path = put(tmp_path, found)
        assert checked(path).judged == {told.name: "invalid"}
        assert said(path) == ""

    def test_a_real_run_is_certified_and_holds(self, tmp_path: Path) -> None:
        """What a race has kept is packed, judged again, and found as it was stated."""
        folder = tmp_path / "kept"
        folder.mkdir()
        options = engine.Options(
            level="thread", select=("CLAIM-5",), budget_s=0.5, seed=1, histories=folder
        )
        target = Target("memory")
        found = issue(engine.verify(target, options), target, folder, ARCHIVE)
        assert found.statement.predicate.passed_tests == ["CLAIM-5"]
        assert found.statement.predicate.result == "WARNED"  # one clause is no level
        assert found.contents
        path = put(tmp_path, found)
        assert set(checked(path).judged.values()) == {"valid"}
        assert said(path) == ""


def clause_of(predicate: dict[str, Any], name: str) -> dict[str, Any]:
    """Answer what is stated of a clause."""
    found: dict[str, Any] = next(c for c in predicate["x"]["clauses"] if c["id"] == name)
    return found


def history_of(predicate: dict[str, Any], name: str = CLAIM) -> dict[str, Any]:
    """Answer what is stated of a history."""
    files = predicate["x"]["histories"]["files"]
    found: dict[str, Any] = next(each for each in files if each["name"] == name)
    return found


def pass_anyway(predicate: dict[str, Any]) -> None:
    """State that CLAIM-6 passes, wherever it is stated."""
    clause_of(predicate, "CLAIM-6")["status"] = "pass"
    predicate["result"] = "PASSED"
    predicate["passedTests"].append("CLAIM-6")
    predicate["failedTests"].remove("CLAIM-6")
    predicate["x"]["level"]["reached"] = "process"
    predicate["x"]["exitCode"] = 0


def change_status(predicate: dict[str, Any]) -> None:
    """State that a clause has failed, in one place."""
    clause_of(predicate, "CLAIM-1")["status"] = "fail"


def raise_level(predicate: dict[str, Any]) -> None:
    """State a level that was not asked for."""
    predicate["x"]["level"]["reached"] = "crash"


def ask_less(predicate: dict[str, Any]) -> None:
    """State that a lower level was asked for."""
    predicate["x"]["level"]["asked"] = "thread"


def drop_clause(predicate: dict[str, Any]) -> None:
    """Leave a clause out, wherever it is stated."""
    predicate["x"]["clauses"].remove(clause_of(predicate, "CLAIM-1"))
    predicate["passedTests"].remove("CLAIM-1")


def repeat_clause(predicate: dict[str, Any]) -> None:
    """State a clause twice."""
    predicate["x"]["clauses"].append(clause_of(predicate, "CLAIM-1"))


def declare_less(predicate: dict[str, Any]) -> None:
    """State that the store has no eviction."""
    predicate["x"]["capabilities"]["eviction"] = None


def not_apply(predicate: dict[str, Any]) -> None:
    """State that a clause does not apply, wherever it is stated."""
    clause_of(predicate, "CLAIM-1").update(status="n/a", missing="ttl is not declared")
    predicate["passedTests"].remove("CLAIM-1")


def make_no_claim_of_it(predicate: dict[str, Any]) -> None:
    """State that a raced clause does not apply for a reason of its check."""
    clause_of(predicate, "CLAIM-6").update(status="n/a", reason="left out")
    predicate["passedTests"].remove("CLAIM-6")


def bear_on_nothing(predicate: dict[str, Any]) -> None:
    """State that no clause rests on a history."""
    history_of(predicate)["clauses"] = []


def judge_otherwise(predicate: dict[str, Any]) -> None:
    """State that the history of a race is judged in another way."""
    history_of(predicate)["judge"] = "crash"


def move_clause(predicate: dict[str, Any]) -> None:
    """State that a clause is one of another level."""
    clause_of(predicate, "CLAIM-6")["level"] = "crash"


def ask_for_another_level(predicate: dict[str, Any]) -> None:
    """State the contract of another level than was asked."""
    predicate["x"]["contract"]["level"] = "crash"


def shrink_history(predicate: dict[str, Any]) -> None:
    """State fewer bytes than a history has."""
    history_of(predicate)["bytes"] -= 1


def ask_else(predicate: dict[str, Any]) -> None:
    """State the digest of other requirements, wherever it stands."""
    for place in (predicate["x"]["contract"], predicate["configuration"][0]):
        place["digest"]["sha256"] = "0" * 64


def name_another_release(predicate: dict[str, Any]) -> None:
    """State another release of the contract."""
    predicate["x"]["contract"]["release"] = "2099-1"


def forget_history(predicate: dict[str, Any]) -> None:
    """Leave a history out of the list alone."""
    predicate["x"]["histories"]["files"].remove(history_of(predicate))


def count_more(predicate: dict[str, Any]) -> None:
    """State more operations than there are."""
    history_of(predicate)["operations"] += 1_000
    predicate["x"]["histories"]["operations"] += 1_000


def make_up_a_score(predicate: dict[str, Any]) -> None:
    """State a mutant score that nobody measured."""
    kit = predicate["x"]["kit"]
    counts = ("caught", "mutants", "notRun", "accused", "correctRuns", "repeat", "cores")
    kit["mutantScore"] = {
        **dict.fromkeys(counts, 99), "budgetSeconds": 1.0, "started": "", "kitVersion": "",
        "source": kit["source"],
    }  # fmt: skip
    kit["mutantScoreOf"] = "this version"


def swap_configuration(predicate: dict[str, Any]) -> None:
    """State another kit in in-toto's own field."""
    predicate["configuration"][1]["name"] = "onewinner 99"


FORGERIES: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (change_status, "the result is FAILED, and PASSED is stated"),
    (change_status, "the level reached is none, and process is stated"),
    (change_status, "passedTests and the clauses differ in CLAIM-1"),
    (raise_level, "the level reached is process, and crash is stated"),
    (ask_less, "CLAIM-6 is no clause of level thread"),
    (drop_clause, "CLAIM-1 is missing from the clauses of level process"),
    (drop_clause, "it is stated to be complete, and is not"),
    (repeat_clause, "CLAIM-1 is stated 2 times"),
    (declare_less, "EVICT-1 is stated pass, and does not apply: eviction is not declared"),
    (not_apply, "CLAIM-1 is stated to lack a declaration (ttl is not declared), and applies"),
    (make_no_claim_of_it, "CLAIM-6 is stated n/a, and applies"),
    (bear_on_nothing, f"the history {CLAIM} bears on CLAIM-6, and none is stated"),
    (judge_otherwise, f"the history {CLAIM} is not judged as crash"),
    (move_clause, "CLAIM-6 is a clause of level process, not crash"),
    (ask_for_another_level, "the contract is stated for level crash, and level process was asked"),
    (shrink_history, f"the history {CLAIM} has "),
    (ask_else, "their digests differ"),
    (name_another_release, "clauses of release 2099-1 are stated"),
    (forget_history, f"the archive holds {CLAIM}, which the certificate does not state"),
    (forget_history, "histories are stated, and"),
    (count_more, f"the history {CLAIM} has 2 operations, not 1,002"),
    (make_up_a_score, "the mutant score is not the one that this kit has recorded"),
    (swap_configuration, "configuration states another contract or kit"),
]


class TestForgeries:
    def test_what_was_issued_holds(self, tmp_path: Path) -> None:
        """All that was stated is computed again and equal, whatever the result is."""
        for number, result in enumerate((made(), made({"CLAIM-6": Status.FAIL}))):
            home = tmp_path / str(number)
            home.mkdir()
            found = checked(written(home, result))
            assert (found.exit_code, found.differs, found.unknown) == (0, [], [])
            assert len(found.judged) == len(expected()) + 1  # READ-5 has two races

    @pytest.mark.parametrize(("change", "told"), FORGERIES)
    def test_what_is_changed_is_noticed(
        self, tmp_path: Path, change: Callable[[dict[str, Any]], None], told: str
    ) -> None:
        """A status, a level, a clause, a declaration, a digest: each is told in a line."""
        path = written(tmp_path)
        edited(path, change)
        assert told in said(path)
        assert checked(path).exit_code is ExitCode.VIOLATION

    def test_a_clause_cannot_pass_over_its_history(self, tmp_path: Path) -> None:
        """A certificate that is consistent in itself fails where a kept history tells otherwise."""
        path = written(tmp_path, invalid=["claims-on-processes"])
        edited(path, pass_anyway)
        assert f"CLAIM-6 is stated pass, and {CLAIM} shows it broken" in said(path)
        assert "the result is FAILED, and PASSED is stated" in said(path)

    def test_a_byte_of_a_history_is_noticed(self, tmp_path: Path) -> None:
        """Another byte is another digest."""
        path = written(tmp_path)
        contents = archive.read(tmp_path / ARCHIVE)
        contents[CLAIM] = contents[CLAIM].replace(b'"value":true', b'"value":false')
        archive.write(tmp_path / ARCHIVE, contents)
        assert said(path) == f"the history {CLAIM} has another digest than is stated"

    def test_a_verdict_is_not_believed(self, tmp_path: Path) -> None:
        """A history with a digest of its own and a made-up verdict is judged again."""
        path = written(tmp_path)
        other = keep(tmp_path / "other", invalid=["claims-on-processes"]) / CLAIM
        contents = archive.read(tmp_path / ARCHIVE) | {CLAIM: other.read_bytes()}
        archive.write(tmp_path / ARCHIVE, contents)

        def believe(predicate: dict[str, Any]) -> None:
            history_of(predicate)["digest"]["sha256"] = digests.of_file(other)
            history_of(predicate)["bytes"] = other.stat().st_size

        edited(path, believe)
        assert f"the history {CLAIM} is invalid, and valid is stated" in said(path)

    @pytest.mark.parametrize("what", ["history", "archive"])
    def test_what_is_missing_is_unknown(self, tmp_path: Path, what: str) -> None:
        """Without a history nothing is computed again: neither right nor wrong, exit 7."""
        path = written(tmp_path)
        if what == "archive":
            (tmp_path / ARCHIVE).unlink()
        else:
            contents = archive.read(tmp_path / ARCHIVE)
            del contents[CLAIM]
            archive.write(tmp_path / ARCHIVE, contents)
        assert checked(path).exit_code is ExitCode.INCONCLUSIVE
        assert "is not in the archive" in said(path) or "is missing" in said(path)

    def test_a_clause_without_its_history_is_unknown(self, tmp_path: Path) -> None:
        """To drop a history from everywhere leaves a clause that rests on nothing."""
        path = written(tmp_path)
        contents = archive.read(tmp_path / ARCHIVE)
        del contents[CLAIM]
        archive.write(tmp_path / ARCHIVE, contents)

        def drop(predicate: dict[str, Any]) -> None:
            told = predicate["x"]["histories"]
            told["operations"] -= history_of(predicate)["operations"]
            told["count"] -= 1
            forget_history(predicate)

        edited(path, drop)
        assert said(path) == "no history is kept on which CLAIM-6 rests"
        assert checked(path).exit_code is ExitCode.INCONCLUSIVE

    def test_no_history_at_all_is_unknown(self, tmp_path: Path) -> None:
        """A pass that rests on no history is not computed again, and does not hold."""
        path = written(tmp_path)
        edited(
            path,
            lambda p: p["x"]["histories"].update(archive=None, files=[], count=0, operations=0),
        )
        assert checked(path).exit_code is ExitCode.INCONCLUSIVE

    def test_a_verdict_that_cannot_be_had_is_unknown(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the time runs out nothing is right and nothing is wrong."""
        path = written(tmp_path)
        monkeypatch.setattr(histories, "judged", lambda *_: "unknown")
        found = checked(path)
        assert (found.differs, found.exit_code) == ([], ExitCode.INCONCLUSIVE)
        assert f"the history {CLAIM} could not be judged; valid is stated" in found.unknown

    def test_histories_without_an_archive_are_missing(self, tmp_path: Path) -> None:
        """A certificate that names no archive has none of the histories that it lists."""
        path = written(tmp_path)
        edited(path, lambda predicate: predicate["x"]["histories"].update(archive=None))
        assert checked(path).exit_code is ExitCode.INCONCLUSIVE

    def test_a_history_of_another_check_is_unknown(self, tmp_path: Path) -> None:
        """What this kit has no check for may bear on anything; it says so."""
        path = written(tmp_path)
        edited(path, lambda predicate: history_of(predicate).update(name="else-0001.jsonl"))
        assert "this kit has no check that keeps else-0001.jsonl" in said(path)

    def test_another_seed_is_not_noticed(self, tmp_path: Path) -> None:
        """What rests on no history can only be believed; a signature is for that."""
        path = written(tmp_path)
        edited(path, lambda predicate: predicate["x"]["run"].update(seed="0x1"))
        assert checked(path).exit_code is ExitCode.CONFORMS

    def test_another_kit_is_told(self, tmp_path: Path) -> None:
        """A certificate of other sources may hold; it is said that others judged."""
        path = written(tmp_path)

        def other(predicate: dict[str, Any]) -> None:
            kit = predicate["x"]["kit"]
            for place in (kit["source"], predicate["configuration"][1]["digest"]):
                place["sha256"] = "0" * 64
            kit["mutantScoreOf"] = "another version" if kit["mutantScore"] else "none recorded"

        edited(path, other)
        found = checked(path)
        assert (found.exit_code, found.differs) == (0, [])
        assert "another version of the kit (0.1.0)" in found.notes[0]

    def test_capabilities_of_a_newer_kit_are_unknown(self, tmp_path: Path) -> None:
        """What this kit does not know it cannot compute."""
        path = written(tmp_path)
        edited(path, lambda predicate: predicate["x"]["capabilities"].update(telepathy=True))
        assert checked(path).exit_code is ExitCode.INCONCLUSIVE


class TestArchive:
    def test_it_gives_back_what_it_was_given(self, tmp_path: Path) -> None:
        """Names and contents are kept, in a file that `tar` reads."""
        path = tmp_path / "a.tar.gz"
        archive.write(path, {"b.jsonl": b"1\n", "a.jsonl": b""})
        assert archive.read(path) == {"b.jsonl": b"1\n", "a.jsonl": b""}
        with tarfile.open(path) as opened:
            assert {(each.mtime, each.uid, each.uname) for each in opened} == {(0, 0, "")}

    @pytest.mark.parametrize(
        "content", [b"", b"no archive", gzip.compress(b"no tar" * 200, mtime=0)]
    )
    def test_what_is_none_is_refused(self, tmp_path: Path, content: bytes) -> None:
        """Bytes that are no archive are an error of their own; and they differ."""
        path = written(tmp_path)
        (tmp_path / ARCHIVE).write_bytes(content)
        with pytest.raises(archive.ArchiveError):
            archive.read(tmp_path / ARCHIVE)
        assert checked(path).exit_code is ExitCode.VIOLATION

    def test_no_member_leads_elsewhere(self, tmp_path: Path) -> None:
        """A link and a name that stands there twice are refused; nothing is ever unpacked."""
        for kind in (tarfile.SYMTYPE, tarfile.REGTYPE):
            path = tmp_path / "a.tar.gz"
            with tarfile.open(path, "w:gz") as opened:
                for _ in range(2):
                    member = tarfile.TarInfo("x")
                    member.type = kind
                    opened.addfile(member)
            with pytest.raises(archive.ArchiveError):
                archive.read(path)

    def test_it_cannot_fill_the_memory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What unpacks to more than there may be is refused before it is read."""
        archive.write(tmp_path / "a.tar.gz", {"x": b"0" * 1_000})
        monkeypatch.setattr(archive, "MOST_BYTES", 999)
        with pytest.raises(archive.ArchiveError, match="more than 999 bytes"):
            archive.read(tmp_path / "a.tar.gz")


class TestRequirements:
    def test_the_release_is_the_newest(self) -> None:
        """What a certificate calls the release is the newest that was frozen."""
        newest = max((ROOT / "specs" / "requirements").glob("*.toml"))
        assert newest.stem == requirements.RELEASE

    def test_the_digest_is_stable(self) -> None:
        """Two kits that ask the same state the same digest; another clause is another digest."""
        assert {level: requirements.digest(level) for level in LEVELS} == {
            "thread": "ea14cff0a12b4e04ed6b1cb47e2b981320e0767f484fab28fc0ae5a5ffd3c2b2",
            "process": "2dbb06d0e2e4ba5771848c6043e011e475f8a198f8da79c9bb05dd422bff788b",
            "crash": "236ed77d0a9df8f800a7d3d679818e6f759188f486a2820d71e4056ce8c09a94",
        }

    @pytest.mark.parametrize("change", [{"sentence": "Other."}, {"needs": ()}, {"level": "crash"}])
    def test_what_a_clause_asks_is_in_the_digest(
        self, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
    ) -> None:
        """A sentence, a need or a level that changes makes another digest."""
        before = requirements.digest("process")
        found = tuple(replace(c, **change) if c.id == "CLAIM-6" else c for c in by_level("process"))
        monkeypatch.setattr(requirements, "by_level", lambda _: found)
        assert requirements.digest("process") != before


class TestSubjects:
    def test_a_factory_is_its_source_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A target in Python is the file of its factory, by its plain digest."""
        file = tmp_path / "store.py"
        file.write_text("def connect(): ...\n")
        (found,) = subjects.subjects_of(Target("python:store:connect"), (str(file), 1))
        assert (found.name, found.digest.sha256) == ("python:store:connect", digests.of_file(file))
        assert found.annotations["file"] == "store.py"
        monkeypatch.chdir(tmp_path)
        (again,) = subjects.subjects_of(Target("python:store:connect"), None)
        assert again == found

    def test_a_distribution_is_named_with_its_version(self) -> None:
        """A module that was installed says which distribution it is of."""
        (found,) = subjects.subjects_of(Target("python:onewinner.stores.memory:connect"), None)
        assert found.annotations["distribution"] == "onewinner"
        assert found.annotations["file"] == "memory.py"

    def test_a_command_is_its_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each word that is a file is a subject; without one it is the program itself."""
        monkeypatch.chdir(tmp_path)
        Path("adapter.mjs").write_text("one")
        Path("more.json").write_text("two")
        target = Target(f"exec:node adapter.mjs --with {tmp_path / 'more.json'} 3")
        found = subjects.subjects_of(target, None)
        assert [each.name for each in found] == ["adapter.mjs", "more.json"]
        assert found[0].digest.sha256 == digests.of_bytes(b"one")
        (program,) = subjects.subjects_of(Target("exec:sh"), None)
        assert program.digest.sha256 == digests.of_file(Path(str(shutil.which("sh"))))

    def test_what_has_no_file_says_so(self) -> None:
        """A digest of a name says nothing more than the name, and the certificate says that."""
        for name in ("exec:no-such-program-here", "python:no_such_module:connect"):
            (found,) = subjects.subjects_of(Target(name), None)
            assert found.digest.sha256 == digests.of_bytes(name.encode())
            assert "file" not in found.annotations

    def test_what_comes_with_the_kit_is_the_kit(self) -> None:
        """A built-in store is the kit's own sources, an adapter with its driver's version."""
        (found,) = subjects.subjects_of(Target("sqlite"), None)
        assert found.digest.sha256 == score.source_digest()
        assert re.fullmatch(r"the sources of onewinner \S+", found.annotations["digestOf"])


class TestScore:
    EXAMINATION: ClassVar[dict[str, Any]] = {
        "family": None, "mutants": 30, "caught": 29, "correct_runs": 4, "false_alarms": 0,
        "not_run": [{"target": "mutant:x", "reason": "no server"}], "repeat": 1, "budget_s": 10.0,
        "started": "2026-01-02T03:04:05+00:00", "machine": {"cores": 2, "onewinner": "0.1.0"},
    }  # fmt: skip

    def test_what_was_measured_is_stated(self, tmp_path: Path) -> None:
        """A score is read back as it was recorded, and belongs to what was measured."""
        found = score.of_examination(self.EXAMINATION, score.source_digest())
        score.write(found, tmp_path / "score.json")
        assert score.recorded(tmp_path / "score.json") == found
        kit = score.kit("0.1.0", found)
        assert kit.mutant_score is not None
        assert (kit.mutant_score.caught, kit.mutant_score.mutants, kit.mutant_score.not_run) == (
            29,
            30,
            1,
        )
        assert kit.mutant_score_of == "this version"

    def test_a_score_of_other_sources_is_said_to_be_one(self) -> None:
        """Where the kit has changed since it was measured, the certificate says so."""
        found = score.of_examination(self.EXAMINATION, "0" * 64)
        assert score.kit("0.1.0", found).mutant_score_of == "another version"

    def test_without_a_score_there_is_none(self, tmp_path: Path) -> None:
        """No number is made up: a kit that was not measured says that."""
        assert score.recorded(tmp_path / "score.json") is None
        kit = score.kit("0.1.0", None)
        assert (kit.mutant_score, kit.mutant_score_of) == (None, "none recorded")

    @pytest.mark.parametrize("change", [{"family": "caps"}, {"mutants": 0}, {"correct_runs": 0}])
    def test_a_part_of_the_mutants_is_no_score(self, change: dict[str, Any]) -> None:
        """An examination of one family, or without a correct store, is not recorded."""
        with pytest.raises(score.NoScore):
            score.of_examination(self.EXAMINATION | change, "0" * 64)

    def test_all_rooms_that_judge_are_in_the_digest(self) -> None:
        """Whatever can change a verdict lies below the reports, and is part of the sources."""
        below = {name for name, floor in FLOORS.items() if floor <= FLOORS["suite"]}
        assert {room.removesuffix(".py") for room in score.ROOMS} == below - {"arguments"}


class TestPlain:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("see /srv/private/a.db now", "see .../a.db now"),
            ("'/srv/private/a.db'", "'.../a.db'"),
            ("open:/srv/private/a.db", "open:.../a.db"),
            ("sqlite:////srv/private/a.db", ".../a.db"),
            ("~/private/a.db", ".../a.db"),
            ("https://example.org/a/b", "https://example.org/a/b"),
            ("redis://me:word@example.org:1/0", "redis://example.org:1/0"),
            ("a/b/c and 1/2 and /proc", "a/b/c and 1/2 and /proc"),
            ("a\x1b\ud800", "a\\x1b\\ud800"),
        ],
    )
    def test_only_what_may_be_shared_is_told(self, text: str, told: str) -> None:
        """Of absolute paths the last part is left; relative ones and addresses stay."""
        assert plain.told(text) == told

    def test_values_are_plain(self) -> None:
        """Sets, records and numbers that are not finite are written as JSON can."""
        assert plain.of({"a": {2, 1}, 3: float("inf"), "b": [None, True, 0.5]}) == {
            "a": [1, 2], "3": "inf", "b": [None, True, 0.5],
        }  # fmt: skip
        assert plain.longest({"a": ["é" * 10]}) == 20


class TestBadge:
    @pytest.mark.parametrize(
        ("result", "message", "colour"),
        [
            (made(), "process level", "brightgreen"),
            (made({"CLAIM-6": Status.FAIL}), "fails at process level", "red"),
            (made({"CLAIM-6": Status.UNTESTED}), "inconclusive at process level", "lightgrey"),
            (made({"CLAIM-1": Status.ERROR}), "fails at process level", "red"),
            (made(level="crash"), "crash level", "brightgreen"),
        ],
    )
    def test_it_says_what_the_certificate_states(
        self, tmp_path: Path, result: RunResult, message: str, colour: str
    ) -> None:
        """Level, failure and doubt have a message and a colour each, as shields.io asks."""
        told = json.loads(badge.dumps(issued(tmp_path, result).statement))
        assert told == {
            "schemaVersion": 1, "label": "claim store", "message": message, "color": colour,
        }  # fmt: skip

    def test_what_does_not_hold_is_never_green(self) -> None:
        """A certificate that was checked in vain has no other badge."""
        found = passed().statement
        assert badge.badge(found, Checked(differs=["x"]))["color"] == "red"
        assert badge.badge(found, Checked(unknown=["x"]))["color"] == "lightgrey"
        assert badge.badge(found, Checked())["color"] == "brightgreen"


class TestCommands:
    @pytest.fixture
    def judging(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[RunResult], dict[str, Any]]:
        """Let the engine answer a result and keep histories; answers what it was asked."""

        def answer(result: RunResult) -> dict[str, Any]:
            asked: dict[str, Any] = {}

            def verify(target: Target, options: engine.Options, **_: Any) -> RunResult:
                asked.update(target=target, options=options)
                assert options.histories is not None
                keep(options.histories)
                return result

            monkeypatch.setattr(engine, "verify", verify)
            return asked

        return answer

    @pytest.mark.parametrize(
        ("statuses", "code", "result"),
        [
            ({}, 0, "PASSED"),
            ({"CLAIM-6": Status.FAIL}, 1, "FAILED"),
            ({"CLAIM-6": Status.UNTESTED}, 7, "WARNED"),
        ],
    )
    def test_certify_answers_the_verdict(
        self, tmp_path: Path, judging: Any, capsys: Capture, statuses: Any, code: int, result: str
    ) -> None:
        """Whatever the verdict is there are certificate, histories and badge, which hold."""
        asked = judging(made(statuses))
        path, shown = tmp_path / NAME, tmp_path / "badge.json"
        argv = ["certify", "sqlite", "-o", str(path), "--badge", str(shown), "--level", "process"]
        assert cli.main([*argv, "--budget", "5s", "--seed", "0x51ab", "--quiet"]) == code
        assert (asked["options"].level, asked["options"].seed) == ("process", 0x51AB)
        assert not Path(asked["options"].histories).exists()
        assert f"{path}: {result}: sqlite " in capsys.readouterr().out
        assert json.loads(shown.read_text())["label"] == "claim store"
        assert sorted(each.name for each in tmp_path.iterdir()) == sorted(
            [NAME, ARCHIVE, "badge.json"]
        )
        assert cli.main(["certificate", str(path), "--check"]) == 0
        assert "the certificate holds" in capsys.readouterr().out

    def test_an_older_certificate_is_not_taken_for_this_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run that is interrupted leaves no certificate and no histories of another."""
        path = written(tmp_path)

        def verify(*_: Any, **__: Any) -> RunResult:
            raise KeyboardInterrupt

        monkeypatch.setattr(engine, "verify", verify)
        assert cli.main(["certify", "sqlite", "-o", str(path), "--quiet"]) == ExitCode.INTERRUPTED
        assert path.read_bytes() == b""
        assert not (tmp_path / ARCHIVE).exists()
        assert cli.main(["certificate", str(path)]) == ExitCode.USAGE

    def test_a_certificate_is_shown_to_people(self, tmp_path: Path, capsys: Capture) -> None:
        """Without --check it is what is stated, in lines; the last one is the verdict."""
        path = written(tmp_path, made({"CLAIM-6": Status.FAIL}))
        shown = tmp_path / "badge.json"
        assert cli.main(["certificate", str(path), "--badge", str(shown)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[-1] == (
            "onewinner: FAILED: sqlite does NOT conform at level process: 1 clause failed; level "
            "reached: thread"
        )
        assert any("no mutant score was recorded" in line for line in lines) or score.recorded()
        assert json.loads(shown.read_text())["color"] == "red"

    @pytest.mark.parametrize(
        ("spoil", "code", "told"),
        [
            (lambda path: edited(path, raise_level), 1, "does NOT hold: it differs in 1 point"),
            (lambda path: (path.parent / ARCHIVE).unlink(), 7, "could not be checked in full"),
        ],
    )
    def test_a_check_says_what_is_wrong(
        self, tmp_path: Path, capsys: Capture, spoil: Any, code: int, told: str
    ) -> None:
        """What differs is exit 1, what is missing 7, and the badge is not green."""
        path = written(tmp_path)
        spoil(path)
        shown = tmp_path / "badge.json"
        assert cli.main(["certificate", str(path), "--check", "--badge", str(shown)]) == code
        assert told in capsys.readouterr().out
        assert json.loads(shown.read_text())["color"] != "brightgreen"

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"\xff", b"[]", b'{"_type": "https://in-toto.io/Statement/v1"}']
    )
    def test_what_is_no_certificate_is_refused(
        self, tmp_path: Path, capsys: Capture, content: bytes
    ) -> None:
        """A file of another kind is a mistake of the caller, exit 4, with what is wrong."""
        path = tmp_path / NAME
        path.write_bytes(content)
        assert cli.main(["certificate", str(path), "--check"]) == ExitCode.USAGE
        assert "no certificate of onewinner" in capsys.readouterr().err
        assert cli.main(["certificate", str(tmp_path / "none")]) == ExitCode.USAGE

    def test_a_level_below_the_one_asked_is_told(self, tmp_path: Path) -> None:
        """A store that declares less than the level takes conforms to a lower one."""
        lower = [c for c in made().clauses if c.clause.level == "thread"]
        bare = [
            replace(c, checks=(), missing="process-scope is not declared")
            for c in made().clauses
            if c.clause.level == "process"
        ]
        result = replace(made(), clauses=(*lower, *bare))
        found = issued(tmp_path, result).statement
        assert (found.predicate.result, stated(found).level.reached) == ("WARNED", "thread")
        assert summary.verdict(found).endswith(
            "conforms at level thread only, not at process; partial: process-scope not declared"
        )
        assert badge.badge(found)["message"] == "thread level, not process"
