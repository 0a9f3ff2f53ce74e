"""Tests of the doctor: what a run of the gate says about the gate, and how that is told."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from onewinner import cli
from onewinner.adapters.servers import RECIPES
from onewinner.contract.clauses import CLAUSES
from onewinner.doctor import console, examination, html, matrix, plot, trials, words
from onewinner.doctor import json as as_json
from onewinner.doctor.apart import side_by_side
from onewinner.doctor.examination import examine
from onewinner.doctor.findings import (
    SCHEMA_VERSION,
    Examination,
    Finding,
    NotRun,
    Outcome,
    Trial,
)
from onewinner.doctor.measured import Measured, measure
from onewinner.doctor.short_rows import EXPLAINED
from onewinner.mutants import MUTANTS
from onewinner.report.terminal import Terminal
from onewinner.suite import engine
from onewinner.suite.tree import ExitCode, RunResult, Status
from results import check, run

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = RunResult | BaseException
LATE = MUTANTS["claim-answers-count"]  # names CLAIM-1 first, then CLAIM-2
GATE = Path(__file__).parents[1] / "stress" / "mutant_gate.py"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[engine.Options]]:
    """Let the gate answer by target, a pass where nothing is said; answers what it was asked."""

    def answers(by_target: dict[str, Answer]) -> list[engine.Options]:
        asked: list[engine.Options] = []

        def verify(target: Any, options: engine.Options) -> RunResult:
            asked.append(options)
            answer = by_target.get(target.name, run())
            if isinstance(answer, BaseException):
                raise answer
            return answer

        monkeypatch.setattr(engine, "verify", verify)
        return asked

    return answers


def finding(name: str, *found: Trial) -> Finding:
    """Answer a finding of a mutant, or of a correct store."""
    mutant = MUTANTS.get(name)
    target = f"mutant:{name}" if mutant else name
    return Finding(target=target, mutant=mutant, trials=found)


def trial(outcome: Outcome = Outcome.EXPECTED, *flagged: str, **more: Any) -> Trial:
    """Answer a trial of one second."""
    fields = {"seconds": 1.0, "level": "process", **more}
    return Trial(outcome=outcome, flagged=flagged, **fields)


def examined(*findings: Finding, repeat: int = 1) -> Examination:
    """Answer an examination on a machine that was made up."""
    return Examination(
        findings=findings,
        budget_s=60.0,
        repeat=repeat,
        family=None,
        started="2026-01-02T03:04:05Z",
        seconds=9.0,
        cores=2,
        versions={"onewinner": "0.1.0", "python": "3.11.7", "sqlite": "3.40", "platform": "linux"},
    )


ALL_KINDS = examined(
    finding("claim-answers-count", trial(Outcome.EXPECTED, "CLAIM-1", operations=12)),
    finding("null-is-absent", trial(Outcome.UNNAMED, "READ-1", operations=9, counted=False)),
    finding("case-folded-keys", trial(Outcome.MISSED, reason="40 pass")),
    finding("early-clock", trial(Outcome.ERROR, level=None, reason="ValueError: <b>\x1b[1m")),
    finding("memory", trial(Outcome.CONFORMS)),
    finding("sqlite", trial(Outcome.ACCUSED, "CLAIM-6", reason="1 fail")),
)


class TestTrials:
    @pytest.mark.parametrize(
        ("answer", "outcome"),
        [
            (run({"CLAIM-1": Status.FAIL, "CLAIM-2": Status.FAIL}), Outcome.EXPECTED),
            (run({"CLAIM-2": Status.FAIL}), Outcome.NAMED),
            (run({"CLAIM-3": Status.FAIL}), Outcome.UNNAMED),
            (run(), Outcome.MISSED),
            (run({"CLAIM-1": Status.UNTESTED}), Outcome.MISSED),
            (run({"CLAIM-1": Status.ERROR}), Outcome.ERROR),
            (ValueError("the gate broke"), Outcome.ERROR),
            (SystemExit(0), Outcome.ERROR),
        ],
    )
    def test_a_mutant_is_caught_by_a_violation_alone(
        self, gate: Any, answer: Answer, outcome: Outcome
    ) -> None:
        """Only a clause with a violation to show catches; a gate that broke has caught nothing."""
        (asked,) = (gate({"mutant:claim-answers-count": answer}),)
        found = trials.try_mutant(LATE, budget_s=5.0)
        assert found.outcome is outcome
        assert bool(found.reason) is not outcome.caught
        assert (asked[0].stop_at_first, asked[0].budget_s, asked[0].select) == (True, 5.0, ())

    @pytest.mark.parametrize(
        ("answer", "outcome"),
        [
            (run(), Outcome.CONFORMS),
            (run({"CLAIM-1": Status.FAIL}), Outcome.ACCUSED),
            (run({"CLAIM-1": Status.UNTESTED}), Outcome.INCONCLUSIVE),
            (ValueError("the gate broke"), Outcome.ERROR),
        ],
    )
    def test_a_correct_store_conforms_or_is_accused(
        self, gate: Any, answer: Answer, outcome: Outcome
    ) -> None:
        """What is untested is no accusation, and no pass either."""
        gate({"sqlite": answer})
        assert trials.try_correct("sqlite").outcome is outcome

    def test_a_mutant_that_needs_faults_is_judged_with_them(self, gate: Any) -> None:
        """The level is that of the clauses which the mutant names."""
        asked = gate({})
        trials.try_mutant(MUTANTS["commits-late"], budget_s=5.0)
        trials.try_mutant(LATE, budget_s=5.0)
        assert [options.level for options in asked] == ["crash", None]

    def test_a_check_counts_its_calls_once(self) -> None:
        """One check that judges two clauses told one number twice; who counts none is said."""
        one = (check("CLAIM-1", check="a", evidence={"calls": 7}),)
        same = (check("CLAIM-2", check="a", evidence={"calls": 7}),)
        other = (check("CLAIM-3", check="b", evidence={"calls": 5}),)
        silent = (check("CLAIM-4", check="c", evidence={"schedules": 3}),)
        by_clause = {"CLAIM-1": one, "CLAIM-2": same, "CLAIM-3": other}
        assert trials.calls(run(only=by_clause, checks=by_clause)) == (12, True)
        by_clause["CLAIM-4"] = silent
        assert trials.calls(run(only=by_clause, checks=by_clause)) == (12, False)
        assert trials.calls(run(only=("CLAIM-4",), checks=by_clause)) == (None, False)

    def test_real_mutants_are_caught(self) -> None:
        """Bugs that one caller sees are flagged by the real gate, with time and calls."""
        for name in ("claim-answers-count", "null-is-absent"):
            found = trials.try_mutant(MUTANTS[name], budget_s=10.0, select=MUTANTS[name].clauses)
            assert found.outcome in {Outcome.EXPECTED, Outcome.NAMED}
            assert found.seconds > 0
            assert found.operations


class TestExamination:
    def test_all_are_judged_as_often_as_asked(self, gate: Any) -> None:
        """The correct stores, which take longest, and each mutant of the family; all are told."""
        asked = gate({"mutant:null-is-absent": run({"READ-2": Status.FAIL})})
        told: list[str] = []
        found = examine(repeat=2, family="readers", on_trial=lambda target, _: told.append(target))
        names = [f"mutant:{m.name}" for m in MUTANTS.values() if m.family == "readers"]
        assert [f.target for f in found.findings] == ["sqlite", "memory", *names]
        assert len(asked) == len(told) == 2 * len(found.findings)
        assert [f.target for f in found.caught] == ["mutant:null-is-absent"]
        assert found.exit_code is ExitCode.VIOLATION

    def test_several_at_once(self) -> None:
        """Trials in processes of their own come out in order; one that cannot be is an error."""
        mutants = [
            MUTANTS["null-is-absent"],
            dataclasses.replace(MUTANTS["null-is-absent"], name="nobody"),
        ]
        wanted = [(f"mutant:{each.name}", each) for each in mutants]
        caught, unknown = side_by_side(wanted, budget_s=5.0, jobs=2)
        assert caught.outcome is Outcome.EXPECTED
        assert unknown.outcome is Outcome.ERROR
        assert "nobody" in unknown.reason

    @pytest.mark.parametrize(
        ("outcome", "code"),
        [
            (Outcome.EXPECTED, ExitCode.CONFORMS),
            (Outcome.UNNAMED, ExitCode.CONFORMS),
            (Outcome.INCONCLUSIVE, ExitCode.INCONCLUSIVE),
            (Outcome.MISSED, ExitCode.VIOLATION),
            (Outcome.ACCUSED, ExitCode.VIOLATION),
            (Outcome.ERROR, ExitCode.VIOLATION),
        ],
    )
    def test_the_worst_trial_is_the_exit_code(self, outcome: Outcome, code: ExitCode) -> None:
        """One bad trial of several counts, whatever the others were."""
        found = finding("early-clock", trial(), trial(outcome), trial())
        assert examined(finding("memory", trial(Outcome.CONFORMS)), found).exit_code is code

    def test_times_are_those_of_trials_that_caught(self) -> None:
        """A run that missed says nothing about how soon a mutant is seen."""
        missed = trial(Outcome.MISSED, seconds=60.0, operations=1)
        caught = [trial(seconds=s, operations=n) for s, n in ((4.0, 40), (1.0, 10), (2.0, 20))]
        found = finding("early-clock", missed, *caught)
        assert (found.median_s, found.worst_s, found.operations) == (2.0, 4.0, 20)
        assert finding("early-clock", missed).median_s is None

    def test_nothing_was_judged(self) -> None:
        """An examination of nothing is not a good one."""
        assert examined().exit_code is ExitCode.NOTHING_RAN


class TestMatrix:
    def test_every_clause_has_a_row_or_a_reason(self) -> None:
        """A clause that flagged nothing says why; one that flagged says whom."""
        rows = {row.clause.id: row for row in matrix.rows(ALL_KINDS)}
        assert list(rows) == list(CLAUSES)
        assert dict(rows["CLAIM-1"].flagged) == {"claim-answers-count": 1}
        assert all(bool(row.flagged) is not bool(row.empty_because) for row in rows.values())

    @pytest.mark.parametrize(
        ("clause", "name", "found", "told"),
        [
            ("DUR-9", "null-is-absent", trial(), "of other families: crashes, durability"),
            ("CLAIM-6", "early-clock", trial(), "of other families"),
            ("CLAIM-6", "lookup-then-register", trial(level="thread"), "below level process"),
            ("CLAIM-6", "lookup-then-register", trial(Outcome.EXPECTED, "CLAIM-5"), "CLAIM-5"),
            ("CLAIM-6", "lookup-then-register", trial(Outcome.MISSED), "flagged by no clause"),
        ],
    )
    def test_an_empty_row_is_explained(
        self, clause: str, name: str, found: Trial, told: str
    ) -> None:
        """No mutant, one of another level, one that another clause flagged first, one missed."""
        rows = {r.clause.id: r for r in matrix.rows(examined(finding(name, found)))}
        assert told in rows[clause].empty_because

    def test_a_clause_without_any_mutant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """That the zoo has no mutant for a clause is said as such."""
        monkeypatch.setattr(matrix, "MUTANTS", {})
        assert matrix.rows(examined())[0].empty_because == "no mutant names it"


def measured(name: str, *flagged: str) -> Measured:
    """Answer a mutant that was run to the end."""
    return Measured(mutant=MUTANTS[name], flagged=flagged, seconds=2.0)


WHOLE = (
    measured("case-folded-keys", "ISO-1"),
    measured("plugins-share-namespaces", "ISO-1", "ISO-4"),
    measured("joined-key-collision", "CLAIM-1", "ISO-1"),
    measured("commits-late", "DUR-3"),
)


class TestMeasured:
    def test_every_clause_is_asked(self, gate: Any) -> None:
        """A mutant is run to its end by all clauses of its level, and what flags it is kept."""
        answer = run({"CLAIM-2": Status.FAIL, "CLAIM-1": Status.FAIL, "READ-1": Status.ERROR})
        asked = gate({"mutant:claim-answers-count": answer})
        found = measure(LATE)
        assert found.flagged == ("CLAIM-1", "CLAIM-2")
        assert [(o.stop_at_first, o.depth, o.select, o.level) for o in asked] == [
            (False, "cases", (), None)
        ]

    def test_races_are_run_where_the_expected_clause_needs_them(self, gate: Any) -> None:
        """A mutant that its first clause did not flag is run by what it names, with luck."""
        asked = gate({"mutant:commits-late": run({"CLAIM-2": Status.FAIL})})
        assert measure(MUTANTS["commits-late"]).flagged == ("CLAIM-2",)
        assert [(o.depth, o.select, o.level) for o in asked] == [
            ("control", (), "crash"),
            ("luck", ("DUR-3", "DUR-8"), "crash"),
        ]

    def test_a_family_is_alone_where_no_other_flags(self) -> None:
        """Of three that ISO-1 flags, two are flagged by its family only."""
        lines = {line.clause.id: line for line in matrix.lines(WHOLE)}
        assert list(lines) == list(CLAUSES)
        assert lines["ISO-1"].alone == ("case-folded-keys", "plugins-share-namespaces")
        assert lines["ISO-1"].others == ("joined-key-collision",)
        assert [lines[clause].short for clause in ("ISO-1", "ISO-4", "CLAIM-1")] == [
            False, True, True,
        ]  # fmt: skip

    def test_a_short_row_is_explained_or_said_not_to_be(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The reason stands in one place; a row that needs none has none."""
        monkeypatch.setattr(matrix, "EXPLAINED", {"CLAIM-1": "because.", "ISO-1": "not needed."})
        lines = matrix.lines(WHOLE)
        told = {line.clause.id: words.why_short(line) for line in lines}
        assert [told[clause] for clause in ("ISO-1", "CLAIM-1", "ISO-4")] == [
            "", "because.", "NOT EXPLAINED",
        ]  # fmt: skip
        summary = words.matrix_summary(lines)
        assert f"1 of {len(CLAUSES)} clauses" in summary
        assert "CLAIM-1," not in summary

    def test_every_report_shows_it(self) -> None:
        """Console, JSON and HTML tell who is alone, who is not, and what is short."""
        found = dataclasses.replace(ALL_KINDS, measured=WHOLE)
        assert "ISO-1: 2 + 1: case-folded-keys, plugins-" in console.render(
            found, Terminal(width=120)
        )
        told = {each["id"]: each for each in json.loads(as_json.dumps(found))["matrix"]}
        assert told["ISO-1"]["others"] == ["joined-key-collision"]
        assert told["DUR-3"]["alone"] == ["commits-late"]
        assert "measured without stopping" in html.dumps(found)
        assert "measured without stopping" not in html.dumps(ALL_KINDS)
        assert json.loads(as_json.dumps(ALL_KINDS))["matrix"] is None

    def test_explanations_are_of_clauses(self) -> None:
        """Each is a sentence about a clause that there is."""
        assert set(EXPLAINED) <= set(CLAUSES)
        assert all(reason.endswith(".") for reason in EXPLAINED.values())


class TestServersThatAreNotThere:
    def test_their_mutants_are_listed_and_not_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where a machine lacks a server, its mutants are told with the reason, and no others."""
        monkeypatch.setitem(
            RECIPES, "redis", replace(RECIPES["redis"], programs=("no-such-program",), wheels=())
        )
        chosen = [MUTANTS["redis-get-then-set"], MUTANTS["claim-always-true"]]
        run, (not_run,) = examination._that_can_run(chosen)
        assert run == chosen[1:]
        assert not_run.target == "mutant:redis-get-then-set"
        assert "no no-such-program was found" in not_run.reason

    def test_every_report_tells_them_and_no_exit_code_does(self) -> None:
        """They are no fault of the gate, and nobody overlooks them."""
        missing = NotRun(target="mutant:redis-get-then-set", reason="no redis-server was found")
        found = replace(examined(finding("memory", trial(Outcome.CONFORMS))), not_run=(missing,))
        assert found.exit_code is ExitCode.CONFORMS
        for shown in (console.render(found, Terminal(width=200)), html.dumps(found)):
            assert "not run: 1 mutant" in shown
            assert "mutant:redis-get-then-set: no redis-server was found" in shown
        told = json.loads(as_json.dumps(found))["not_run"]
        assert told == [{"target": missing.target, "reason": missing.reason}]


class TestReports:
    @pytest.mark.parametrize("width", [20, 60, 100, 120])
    def test_every_target_is_told_within_the_width(self, width: int) -> None:
        """No line is longer than the terminal, no target is dropped, and the bad ones come last."""
        shown = console.render(ALL_KINDS, Terminal(width=width))
        lines = shown.splitlines()
        assert all(f.target in shown for f in ALL_KINDS.findings)
        longest = max(len(f.target) for f in ALL_KINDS.findings)
        assert max(map(len, lines)) <= max(width, longest + 3)
        after = " ".join(" ".join(lines).partition("false alarms")[2].split())
        assert all(f"{f.target}: {f.outcome.told}" in after for f in ALL_KINDS.wrong)
        assert "\x1b" not in shown

    def test_the_json_has_the_same_facts(self) -> None:
        """Version, machine, outcome and figures of every target, and why rows are empty."""
        told = json.loads(as_json.dumps(ALL_KINDS))
        assert told["schema_version"] == SCHEMA_VERSION
        assert told["machine"]["cores"] == 2
        assert (told["mutants"], told["caught"], told["false_alarms"]) == (4, 2, 1)
        assert told["exit_code"] == 1
        assert [t["outcome"] for t in told["targets"]] == [
            "expected", "unnamed", "missed", "error", "conforms", "accused",
        ]  # fmt: skip
        assert told["targets"][1]["operations_complete"] is False
        assert len(told["clauses"]) == len(CLAUSES)

    def test_the_html_needs_nothing_else(self) -> None:
        """One file: no script, nothing fetched, and what a target says stays text."""
        page = html.dumps(ALL_KINDS)
        assert "default-src 'none'" in page
        assert not any(
            part in page for part in ("<script", "src=", "href=", "http:", "url(", "<b>")
        )
        assert "&lt;b&gt;" in page
        assert "\x1b" not in page
        assert all(f.target in page for f in ALL_KINDS.findings)
        assert "<svg" in page

    def test_the_plot_is_sorted_and_logarithmic(self) -> None:
        """Ten times the time is as far up from 1 as from 0.1; who was not caught has no mark."""
        names = ("early-clock", "null-is-absent", "case-folded-keys")
        timed = [finding(n, trial(seconds=s)) for n, s in zip(names, (10.0, 0.1, 1.0), strict=True)]
        picture = plot.svg([*timed, finding("value-aliasing", trial(Outcome.MISSED))])
        marks = list(ElementTree.fromstring(picture).iter("circle"))
        xs, ys = ([float(mark.attrib[axis]) for mark in marks] for axis in ("cx", "cy"))
        assert xs == sorted(xs)
        assert len(ys) == 3
        assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.2)
        assert plot.svg([]) == ""

    def test_what_holds_in_some_trials_is_said_so(self) -> None:
        """How often a clause flagged, and how often a mutant was missed."""
        found = finding("early-clock", trial(Outcome.EXPECTED, "TTL-6"), trial(Outcome.MISSED))
        assert words.clauses(found) == "TTL-6 (1/2)"
        assert "MISSED in 1 of 2 trials" in words.why_wrong(found)
        assert words.operations(dataclasses.replace(found, trials=())) == "-"


class TestCommand:
    def test_it_writes_every_report(
        self, gate: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The exit code, the table, the files, and a line for each trial on standard error."""
        names = [m.name for m in MUTANTS.values() if m.family == "caps"]
        flagged = {f"mutant:{name}": run({"CAP-1": Status.FAIL}) for name in names}
        asked = gate(flagged)
        files = [str(tmp_path / name) for name in ("found.json", "found.html")]
        argv = ["doctor", "--family", "caps", "--budget", "2m"]
        assert cli.main([*argv, "--json", files[0], "--html", files[1]]) == 0
        shown = capsys.readouterr()
        assert f"{len(names)} of {len(names)} mutants caught" in shown.out
        assert len(shown.err.splitlines()) == len(asked)
        assert asked[-1].budget_s == 120.0
        assert json.loads(Path(files[0]).read_text(encoding="utf-8"))["exit_code"] == 0
        assert Path(files[1]).read_text(encoding="utf-8").startswith("<!doctype html>")
        gate({**flagged, "memory": run({"CLAIM-1": Status.FAIL})})
        assert cli.main([*argv, "--quiet"]) == 1

    def test_the_matrix_is_measured_where_asked_for(
        self, gate: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Each mutant is run once more, to its end, and the matrix is printed."""
        asked = gate({})
        assert cli.main(["doctor", "--family", "upserts", "--matrix"]) == 1
        shown = capsys.readouterr()
        assert "REG-1: 0 + 0" in shown.out
        assert "flagged by no clause" in shown.err
        ends = [options for options in asked if options.depth != "luck"]
        assert len(ends) == sum(m.family == "upserts" for m in MUTANTS.values())

    def test_an_unknown_family_is_a_usage_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The families that there are are named."""
        assert cli.main(["doctor", "--family", "nonesuch"]) == ExitCode.USAGE
        assert "atomicity" in capsys.readouterr().err

    def test_the_stress_gate_judges_by_what_a_mutant_names(self) -> None:
        """The stage of CI keeps its rows and its exit code."""
        found = subprocess.run(
            [sys.executable, str(GATE), "-k", "claim-answers-count", "--budget", "10"],
            capture_output=True, text=True, check=False, timeout=110,
        )  # fmt: skip
        assert found.returncode == 0, found.stdout + found.stderr
        assert "1 of 1 judged rightly" in found.stdout
