"""Tests of the baseline: reading, holding a run against it, writing, and the command."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onewinner import cli
from onewinner.baseline import rerun
from onewinner.baseline.applying import PASSES, applied, on_luck
from onewinner.baseline.reading import BaselineError, read
from onewinner.baseline.signature import signature
from onewinner.baseline.writing import TODO, drafted, dumps, written
from onewinner.contract.clauses import CLAUSES
from onewinner.suite import engine
from onewinner.suite.options import Options
from onewinner.suite.registry import all_checks
from onewinner.suite.tree import ClauseResult, ExitCode, Known, RunResult, Status
from results import WHOLE, check, run, violation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Capture = pytest.CaptureFixture[str]

RACE = "claims-on-processes"
ENTRY = """
[[known]]
clause = "CLAIM-6"
reason = "the lock is one process's own"
issue = "https://example.org/issues/12"
kind = "not-yet"
signature = "has 2 winners"
"""


def known(clause: str = "CLAIM-6", **changes: Any) -> Known:
    """Answer an entry that explains the violations of `results`."""
    fields: dict[str, Any] = {
        "clause": clause,
        "reason": "the lock is one process's own",
        "kind": "not-yet",
        "signature": "has 2 winners",
    }
    return Known(**{**fields, **changes})


def of(result: RunResult, clause: str = "CLAIM-6") -> ClauseResult:
    """Answer one clause of a run."""
    return next(each for each in result.clauses if each.clause.id == clause)


def told(status: Status, clause: str = "CLAIM-6", by: str = RACE) -> ClauseResult:
    """Answer what a check found of a clause."""
    return ClauseResult(clause=CLAUSES[clause], checks=(check(clause, status, check=by),))


def passing(by: str = RACE) -> RunResult:
    """Answer a run in which CLAIM-6 holds, as this check found."""
    return run(checks={"CLAIM-6": (check("CLAIM-6", check=by),)})


def entry(**changes: str | None) -> str:
    """Answer the text of an entry with other fields; None leaves one out."""
    fields: dict[str, str | None] = {
        "clause": "CLAIM-6", "reason": "why", "kind": "not-yet", "signature": "winners",
    }  # fmt: skip
    fields.update(changes)
    lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items() if value is not None]
    return "\n".join(["[[known]]", *lines, ""])


class TestReading:
    def test_an_entry_is_read(self) -> None:
        """Every field of an entry arrives, and a file without entries is a baseline too."""
        (found,) = read(ENTRY, "known.toml")
        assert found == known(issue="https://example.org/issues/12")
        assert read("", "known.toml") == ()
        assert read("# nothing is known\nknown = []\n", "known.toml") == ()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                entry(clause="CLAIM-60"),
                "entry 1: no clause is called 'CLAIM-60' (did you",
            ),
            (entry(clause="claim-6"), "no clause is called 'claim-6' (did you mean 'CLAIM-6'?)"),
            (entry(clause="CLAIM"), "no clause is called 'CLAIM'"),
            (
                entry(reason=None, signature=None),
                "entry 1 has no reason and no signature; an",
            ),
            (entry(reason=" "), "its reason is empty; say why CLAIM-6"),
            (entry(signature=""), "its signature is empty, which would hide every failure"),
            (entry(kind="never"), "'never' is no kind; write 'cannot' where"),
            (entry(sginature="x"), "an entry has no 'sginature' (did you mean 'signature'?)"),
            (entry(issue="#12"), "the issue '#12' is no link"),
            (entry(issue="javascript:alert(1)"), "is no link"),
            (entry() + entry(), "entry 2: CLAIM-6 stands there already, as entry 1"),
            (entry().replace('"why"', "7"), "reason is 7, which is no text"),
            ("[[knwon]]\n", "'knwon' is no part of a baseline"),
            ("[known]\n", "known is no list of tables"),
            ("known = [1]\n", "known is no list of tables"),
            ("[[known]\n", "known.toml is no TOML"),
        ],
    )
    def test_what_is_no_entry_is_told_what_it_should_be(self, text: str, said: str) -> None:
        """A file that cannot be meant names itself, the entry, the mistake and what to write."""
        with pytest.raises(BaselineError) as refused:
            read(text, "known.toml")
        assert said in str(refused.value)
        assert str(refused.value).startswith("known.toml")


class TestApplying:
    def test_an_expected_failure_is_not_red_and_raises_no_level(self) -> None:
        """A failure that carries the signature is xfail: exit 0, and the level is not reached."""
        red = run({"CLAIM-6": Status.FAIL})
        found = applied(red, [known()])
        assert of(found).status is Status.XFAIL
        assert (red.exit_code, found.exit_code) == (ExitCode.VIOLATION, ExitCode.CONFORMS)
        assert (found.reached, found.stale) == ("thread", ())

    def test_a_known_failure_of_the_lowest_level_reaches_none(self) -> None:
        """A baseline of all failures lets a store pass, and certifies nothing."""
        found = applied(run({"CLAIM-2": Status.FAIL}), [known("CLAIM-2")])
        assert (found.exit_code, found.reached) == (ExitCode.CONFORMS, None)

    def test_another_failure_is_red(self) -> None:
        """A violation that is told in other words stays one, with what was expected beside it."""
        found = applied(run({"CLAIM-6": Status.FAIL}), [known(signature="no winner at all")])
        assert of(found).status is Status.FAIL
        assert of(found).known == known(signature="no winner at all")
        assert found.exit_code is ExitCode.VIOLATION

    def test_one_of_two_violations_is_not_enough(self) -> None:
        """Where a clause is broken in two ways, one entry for one of them hides neither."""
        two = (
            check("CLAIM-6", Status.FAIL),
            check("CLAIM-6", Status.FAIL, violation=violation("CLAIM-6", summary="it is lost")),
        )
        found = applied(run(checks={"CLAIM-6": two}), [known()])
        assert of(found).status is Status.FAIL

    def test_an_error_is_explained_by_nothing(self) -> None:
        """A store that hangs in a clause is in error, whatever is known of the clause."""
        found = applied(run({"CLAIM-6": Status.ERROR}), [known()])
        assert (of(found).status, found.exit_code) == (Status.ERROR, ExitCode.VIOLATION)
        assert found.stale == ()

    def test_an_entry_whose_clause_holds_is_stale_at_once(self) -> None:
        """What no luck is needed for passes once, and the sentence says what to remove."""
        found = applied(passing(by="schedules-on-processes"), [known()], _never)
        assert found.exit_code is ExitCode.VIOLATION
        (said,) = found.stale
        assert said.startswith("CLAIM-6 passes: remove its entry from the baseline")
        assert "the lock is one process's own" in said

    def test_an_entry_of_what_is_not_declared_is_stale(self) -> None:
        """A clause that does not apply cannot fail, so its entry would hide a later failure."""
        result = run(capabilities=replace(WHOLE, eviction=None))
        (said,) = applied(result, [known("EVICT-1")], _never).stale
        assert said.startswith("EVICT-1 does not apply (eviction is not declared)")

    @pytest.mark.parametrize(
        "result",
        [
            run(only=("CLAIM-1",)),
            run(level="thread"),
            run({"CLAIM-6": Status.NA}),
            run({"CLAIM-6": Status.UNTESTED}),
            run(stopped_early=True),
            run(interrupted=True),
        ],
        ids=["not selected", "another level", "left out", "untested", "stopped", "interrupted"],
    )
    def test_an_entry_that_was_not_judged_is_not_stale(self, result: RunResult) -> None:
        """Whoever looks at a part of the contract is told nothing of the entries of the rest."""
        assert applied(result, [known()], _never).stale == ()

    def test_what_lives_on_luck_must_hold_three_times(self) -> None:
        """A race that nobody lost once is judged again, and its entry goes when all passed."""
        again = _Again(told(Status.PASS))
        found = applied(passing(), [known()], again)
        assert again.asked == [("CLAIM-6", 1), ("CLAIM-6", 2)]
        assert len(again.asked) + 1 == PASSES
        assert found.stale[0].startswith("CLAIM-6 passed 3 times in a row at full budget: remove")
        assert found.exit_code is ExitCode.VIOLATION

    def test_a_failure_that_comes_again_is_expected(self) -> None:
        """The first failure ends it: the clause is what was then found, and nothing is stale."""
        again = _Again(told(Status.FAIL))
        found = applied(passing(), [known()], again)
        assert again.asked == [("CLAIM-6", 1)]
        assert (of(found).status, found.stale) == (Status.XFAIL, ())
        assert of(found).violation is not None
        assert "CLAIM-6 passed 1 of 2 times at full budget, and then did not" in found.notes

    def test_another_failure_that_comes_then_is_red(self) -> None:
        """What is seen when a clause is judged again counts, though it was not looked for."""
        again = _Again(told(Status.FAIL))
        found = applied(passing(), [known(signature="lost")], again)
        assert (of(found).status, found.exit_code) == (Status.FAIL, ExitCode.VIOLATION)

    def test_what_could_not_be_tried_again_is_not_stale(self) -> None:
        """A machine too busy for a race says nothing of an entry, and takes no pass away."""
        found = applied(passing(), [known()], _Again(told(Status.PASS), told(Status.UNTESTED)))
        assert (of(found).status, found.stale) == (Status.PASS, ())
        assert "the last was untested" in found.notes[-1]

    def test_without_another_try_luck_makes_nothing_stale(self) -> None:
        """Where nobody can judge a clause again its entry stays, and that is said."""
        found = applied(passing(), [known()])
        assert (found.stale, found.exit_code) == ((), ExitCode.CONFORMS)
        assert "CLAIM-6 passes and is known to fail" in found.notes[-1]

    @pytest.mark.parametrize(
        ("name", "luck"),
        [
            (RACE, True),
            ("random_programs", True),
            ("kills-in-storms", True),
            ("early-clock", False),
            ("schedules-on-processes", False),
            ("kills-at-points", False),
        ],
    )
    def test_it_is_known_what_lives_on_luck(self, name: str, luck: bool) -> None:
        """Races, random programs and storms may miss what is there; what is swept may not."""
        assert name in {each.name for each in all_checks()}
        assert on_luck(told(Status.PASS, by=name)) is luck

    def test_a_clause_is_judged_again_at_full_budget(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same level and budget, the one clause alone, and a seed that was not used yet."""
        asked: list[Options] = []

        def verify(_: object, options: Options, **more: Any) -> RunResult:
            asked.append(options)
            return run(only=("ERR-3", "CLAIM-6"))

        monkeypatch.setattr(engine, "verify", verify)
        first = run(seed=2**64 - 1, budget_s=7.0)
        options = Options(select=("CLAIM",), stop_at_first=True)
        again = rerun.again(None, options, first)  # type: ignore[arg-type]
        assert again("CLAIM-6", 1).clause.id == "CLAIM-6"
        assert asked == [Options(level="process", budget_s=7.0, seed=0, select=("CLAIM-6",))]


def _never(clause: str, passed: int) -> ClauseResult:
    raise AssertionError(f"{clause} was judged again")


class _Again:
    """Answers what a test wants, the last for ever, and remembers what it was asked."""

    def __init__(self, *answers: ClauseResult) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    def __call__(self, clause: str, passed: int) -> ClauseResult:
        self.asked.append((clause, passed))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class TestSignature:
    @pytest.mark.parametrize(
        ("sentences", "found"),
        [
            (["3 claims of the key 'k17' answered true"], "claims of the key"),
            (
                ["at +0 ms, register_if_absent('k') answered True, where the contract has False"],
                "answered True, where the contract has False",
            ),
            (
                [
                    "2 claims of the key 'v3' answered true (stochastic, wrong in 3 of 41 rounds)",
                    "2 claims of the key 'k' won (two-claims, processes): safe for threads",
                ],
                "claims of the key",
            ),
            (["raised OSError: /dev/shm/onewinner-x1/store.db is locked while"], "is locked while"),
            (["p1 and p2: both were told 'true' in 3.2 ms, is wrong"], "both were told"),
            (["'k1'"], ""),
            (["the row was lost", "two claims won"], ""),
            ([], ""),
        ],
    )
    def test_it_is_what_stays_the_same(self, sentences: list[str], found: str) -> None:
        """Keys, times, counts, rates, witnesses and places are no part of a signature."""
        assert signature(sentences) == found

    @settings(max_examples=30)
    @given(st.lists(st.text(), min_size=1, max_size=3))
    def test_it_is_a_part_of_each_sentence(self, sentences: list[str]) -> None:
        """Whatever a store says, a signature is found in it, and can be written as TOML."""
        found = signature(sentences)
        assert all(found.casefold() in sentence.casefold() for sentence in sentences)
        entries = (known(signature=found),) if found else ()
        text = dumps(drafted(run(only=("CLAIM-1",)), entries))
        assert read(text, "known.toml") == entries


class TestWriting:
    def test_each_failing_clause_has_an_entry_that_explains_it(self) -> None:
        """What is written is read back, and turns the run that it was written from green."""
        red = run({"CLAIM-6": Status.FAIL, "CLAIM-2": Status.FAIL, "ERR-3": Status.UNTESTED})
        entries = read(written(red), "known.toml")
        assert [each.clause for each in entries] == ["CLAIM-2", "CLAIM-6"]
        assert {(each.reason, each.kind) for each in entries} == {(TODO, "not-yet")}
        green = applied(red, entries)
        assert [of(green, name).status for name in ("CLAIM-2", "CLAIM-6")] == [Status.XFAIL] * 2

    def test_what_people_wrote_is_kept(self) -> None:
        """An entry that still explains its clause, or was not judged, stays as it was."""
        before = (known(), known("DUR-3", reason="no fsync", kind="cannot"))
        red = applied(run({"CLAIM-6": Status.FAIL}), before)
        draft = drafted(red, before)
        assert draft.known == before
        assert draft.changes == ()

    def test_a_reason_is_not_written_over(self) -> None:
        """Where a clause fails otherwise than its entry says, somebody has to look."""
        before = (known(signature="lost"),)
        draft = drafted(applied(run({"CLAIM-6": Status.FAIL}), before), before)
        assert draft.known == before
        assert draft.unexplained == ("CLAIM-6",)
        assert "left CLAIM-6 as it is, though 'lost' is not how it fails now" in draft.changes[0]

    def test_a_reason_that_nobody_gave_is(self) -> None:
        """An entry that was never touched gets the signature of today."""
        before = (known(reason=TODO, signature="lost"),)
        draft = drafted(applied(run({"CLAIM-6": Status.FAIL}), before), before)
        assert draft.unexplained == ()
        assert draft.changes[0].startswith("changed CLAIM-6: ")

    def test_what_is_over_is_removed(self) -> None:
        """A stale entry goes, with a word about it."""
        before = (known(),)
        draft = drafted(applied(passing(by="schedules-on-processes"), before), before)
        assert draft.known == ()
        assert draft.changes == ("removed CLAIM-6: it holds (the lock is one process's own)",)

    def test_ways_that_have_no_words_in_common_are_told(self) -> None:
        """One entry cannot explain two unlike violations; the file and the command say so."""
        two = (
            check("CLAIM-6", Status.FAIL, violation=violation("CLAIM-6", summary="row is lost")),
            check("CLAIM-6", Status.FAIL, violation=violation("CLAIM-6", summary="both won it")),
        )
        draft = drafted(run(checks={"CLAIM-6": two}))
        assert draft.unexplained == ("CLAIM-6",)
        assert "# This does not explain all its violations" in dumps(draft)

    @given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
    def test_any_text_comes_back(self, reason: str, more: str) -> None:
        """Quotes, control characters and signs of all kinds survive the file."""
        draft = drafted(run(only=("CLAIM-1",)), (known(reason=reason, signature=more),))
        (table,) = tomllib.loads(dumps(draft))["known"]
        assert (table.get("reason", ""), table.get("signature", "")) == (reason, more)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunResult], list[Options]]:
    """Let the engine answer a result; answers what it was asked."""

    def answer(result: RunResult) -> list[Options]:
        asked: list[Options] = []

        def verify(_: object, options: Options, **more: Any) -> RunResult:
            asked.append(options)
            return result

        monkeypatch.setattr(engine, "verify", verify)
        return asked

    return answer


class TestCommands:
    def test_a_baseline_is_written_and_then_holds(
        self, judged: Any, tmp_path: Path, capsys: Capture
    ) -> None:
        """`baseline --write` makes the file with which `verify` is green, and says what is new."""
        path = tmp_path / "known.toml"
        judged(run({"CLAIM-6": Status.FAIL}))
        assert cli.main(["baseline", "sqlite", "--write", str(path), "--quiet"]) == 0
        assert f"{path}: added CLAIM-6: 'winners, process'" in capsys.readouterr().err
        assert cli.main(["verify", "sqlite", "--baseline", str(path), "--quiet"]) == 0
        out = capsys.readouterr().out
        assert "passes with 1 known failure (CLAIM-6) at level process" in out
        assert "level reached: thread" in out.splitlines()[-1]
        assert "Known: CLAIM-6 (not-yet: TODO: say why)" in out

    def test_it_is_shown_where_no_file_is_named(self, judged: Any, capsys: Capture) -> None:
        """Standard output holds the file and nothing else."""
        judged(run({"CLAIM-6": Status.FAIL}))
        assert cli.main(["baseline", "sqlite", "--quiet"]) == 0
        assert [each.clause for each in read(capsys.readouterr().out, "-")] == ["CLAIM-6"]

    def test_comments_stay_where_entries_are_added(self, judged: Any, tmp_path: Path) -> None:
        """What people wrote beside their entries is not touched by a new one."""
        path = tmp_path / "known.toml"
        path.write_text("# ours, ask Ada\n" + ENTRY, "utf-8")
        judged(run({"CLAIM-6": Status.FAIL, "CLAIM-2": Status.FAIL}))
        cli.main(["baseline", "sqlite", "--write", str(path), "--quiet"])
        text = path.read_text("utf-8")
        assert text.startswith("# ours, ask Ada\n" + ENTRY.rstrip())
        assert [each.clause for each in read(text, "-")] == ["CLAIM-6", "CLAIM-2"]

    def test_what_it_cannot_explain_is_no_success(self, judged: Any, capsys: Capture) -> None:
        """A clause in error or untested is in no baseline: exit 7, and a word about it."""
        judged(run({"CLAIM-6": Status.ERROR}))
        assert cli.main(["baseline", "sqlite", "--quiet"]) == ExitCode.INCONCLUSIVE
        assert "CLAIM-6 is error, which no baseline explains" in capsys.readouterr().err

    def test_a_run_of_nothing_is_no_baseline(self, judged: Any, tmp_path: Path) -> None:
        """Where nothing ran the answer is 5."""
        judged(run(only=("DEL-2",), capabilities=WHOLE.without("consume")))
        assert cli.main(["baseline", "sqlite", "--quiet"]) == ExitCode.NOTHING_RAN

    @pytest.mark.parametrize("verb", [["verify", "--baseline"], ["baseline", "--write"]])
    def test_a_file_that_is_none_is_refused_before_anything_runs(
        self, judged: Any, tmp_path: Path, capsys: Capture, verb: list[str]
    ) -> None:
        """An unknown clause is exit 4 with the nearest one, nothing ran, and the file is whole."""
        path = tmp_path / "known.toml"
        path.write_text(entry(clause="CLAIM-66"), "utf-8")
        asked = judged(run())
        assert cli.main([verb[0], "sqlite", verb[1], str(path), "--quiet"]) == ExitCode.USAGE
        assert "did you mean 'CLAIM-6'?" in capsys.readouterr().err
        assert asked == []
        assert path.read_text("utf-8") == entry(clause="CLAIM-66")

    def test_a_file_that_is_not_there_is_refused(self, judged: Any, capsys: Capture) -> None:
        """A baseline that cannot be read is never an empty one."""
        judged(run())
        assert cli.main(["verify", "sqlite", "--baseline", "nowhere.toml"]) == ExitCode.USAGE
        assert "--baseline nowhere.toml: the file cannot be read" in capsys.readouterr().err

    def test_a_run_that_stops_at_once_has_no_baseline(self, tmp_path: Path, judged: Any) -> None:
        """-x would end at a failure that is expected, and call the rest green."""
        (tmp_path / "known.toml").write_text(ENTRY, "utf-8")
        asked = judged(run())
        told = ["verify", "sqlite", "-x", "--baseline", str(tmp_path / "known.toml")]
        assert cli.main(told) == ExitCode.USAGE
        assert asked == []

    def test_a_stale_entry_is_red_on_the_command_line(
        self, judged: Any, tmp_path: Path, capsys: Capture
    ) -> None:
        """A store that got better is told so by a red run, which says what to remove."""
        path = tmp_path / "known.toml"
        path.write_text(ENTRY, "utf-8")
        judged(passing(by="schedules-on-processes"))
        code = cli.main(["verify", "sqlite", "--baseline", str(path), "--quiet"])
        assert code == ExitCode.VIOLATION
        out = " ".join(capsys.readouterr().out.split())
        assert "Stale: CLAIM-6 passes: remove its entry from the baseline" in out
        assert "the baseline of sqlite is stale: CLAIM-6 passes" in out

    def test_a_real_store_that_is_broken_passes_with_its_baseline(self, tmp_path: Path) -> None:
        """End to end: the entries of one run explain the violations of another."""
        path = str(tmp_path / "known.toml")
        asked = ("mutant:key-length-in-characters", "-k", "INPUT-4", "--budget", "1s", "--quiet")
        assert cli.main(["baseline", *asked, "--write", path, "--seed", "1"]) == 0
        assert cli.main(["verify", *asked, "--seed", "2", "--baseline", path]) == 0

    def test_a_real_store_that_holds_makes_an_entry_stale(self, tmp_path: Path) -> None:
        """End to end: the clause is judged again, and its entry is found to be stale."""
        path = tmp_path / "known.toml"
        path.write_text(entry(clause="INPUT-2"), "utf-8")
        asked = ("memory", "-k", "INPUT-2", "--budget", "1s", "--quiet")
        code = cli.main(["verify", *asked, "--baseline", str(path)])
        assert code == ExitCode.VIOLATION
