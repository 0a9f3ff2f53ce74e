"""The formal model's tools: what is expected is complete, traces are read, stores replay them.

TLC itself is run by `specs/check.py`, `replay.py` and `validate.py`; here one small model is
checked where Java and TLC are there.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "specs"))  # scripts, which no package holds

import check
import replay
import validate
from formal import manifest, tlc, traces
from formal.callers import PointGate
from formal.histories import CALLS_MOST, FULL, LIMITS, LIVES, broken, drawn
from formal.judgement import BROKEN, unlike
from formal.manifest import REFINES
from formal.recordings import FOREVER, admitted, events, module
from formal.stage import Answer, Held, Limits, Picture
from formal.traces import Asked, Ending, Happened, Passed
from onewinner.checker import check as checked
from onewinner.contract import ABSENT
from onewinner.history import Info, Ok, Operation
from onewinner.mutants import MUTANTS
from onewinner.schedule.gate import watch_statements
from onewinner.stores.sqlite import connect as reference

if TYPE_CHECKING:
    from formal.manifest import Expectation
    from formal.tlc import Output

ROOT = Path(__file__).parents[1]
TOLD = manifest.load()
CONTRACT = (tlc.MODULES / "Contract.tla").read_text(encoding="utf-8")
STORE = (tlc.MODULES / "ClaimStore.tla").read_text(encoding="utf-8")
README = (ROOT / "specs" / "README.md").read_text(encoding="utf-8")
EARLY_CLOCK = (ROOT / "tests" / "tlc" / "early_clock.txt").read_text(encoding="utf-8")
RACE = Limits(keys=(1,), max_entries=1, cap=1, ttl=2)

INVARIANTS = set(re.findall(r"^(\w+) == C!\1$", STORE, re.MULTILINE))
REACHABLE = set(re.findall(r"^(Never\w+) ==", STORE, re.MULTILINE))


def runs(result: str, design: str | None = None) -> list[Expectation]:
    """Answer the runs with this result, of this design where one is named."""
    found = [run for run in TOLD.runs if run.result == result]
    return [run for run in found if design in (None, run.design)]


def output(result: str = "violated", **other: Any) -> Output:
    """Answer what TLC may have said."""
    usual: dict[str, Any] = {"violated": "", "states": 7, "trace": 3, "seconds": 0.1, "text": ""}
    return tlc.Output(result=result, **{**usual, **other})


class TestManifest:
    def test_every_run_is_of_something_that_is_there(self) -> None:
        """Its module, its instance, its design and its checks exist; no two have one name."""
        names = [run.name for run in TOLD.runs]
        assert len(names) == len(set(names))
        for run in TOLD.runs:
            text = (tlc.MODULES / f"{run.module}.tla").read_text(encoding="utf-8")
            assert all(re.search(rf"^{check} ==", text, re.MULTILINE) for check in run.checks)
            assert run.instance in TOLD.instances
            assert run.design in TOLD.designs or (run.design == "") == (run.module == "Contract")

    def test_every_run_says_what_it_counts(self) -> None:
        """A run has states, and a trace exactly where something is violated."""
        assert [run.name for run in TOLD.runs if run.states < 1] == []
        assert [r.name for r in TOLD.runs if (r.trace > 1) != (r.result != "holds")] == []

    def test_designs_are_those_of_the_model(self) -> None:
        """The manifest names each design that the model tells apart, and no other."""
        sets = re.findall(r"Design \\in \{(.*?)\}", STORE)
        named = {each for part in sets for each in re.findall(r'"(\w+)"', part)}
        named |= set(re.findall(r'Design (?:=|#) "(\w+)"', STORE))
        assert TOLD.designs.keys() == named | {"immediate"}

    def test_every_defect_has_one_name(self) -> None:
        """Each broken design is made like one mutant of the project, and no two like the same."""
        mutants = TOLD.mutants()
        assert mutants.keys() == TOLD.designs.keys() - {"immediate"}
        assert set(mutants.values()) <= MUTANTS.keys()
        assert len(set(mutants.values())) == len(mutants)

    def test_readers_are_told_the_same_names(self) -> None:
        """The table of `specs/README.md` has the designs, the mutants and what they break."""
        rows = re.findall(r"^\| `(\w+)` \| `([\w-]+)` \| .*? \| `(\w+)`", README, re.MULTILINE)
        broken_by = {(run.design, run.violates) for run in runs("violated")}
        assert {design: mutant for design, mutant, _ in rows} == TOLD.mutants()
        assert {(design, violated) for design, _, violated in rows} <= broken_by

    @pytest.mark.parametrize("path", ["README.md", "ARCHITECTURE.md", "docs", "specs"])
    def test_documents_name_mutants_that_exist(self, path: str) -> None:
        """Whatever a document calls `mutant:NAME` can be verified by that name."""
        top = ROOT / path
        files = [top] if top.is_file() else sorted(top.rglob("*.md"))
        text = "\n".join(file.read_text(encoding="utf-8") for file in files)
        assert set(re.findall(r"mutant:([a-z]+(?:-[a-z]+)*)", text)) <= MUTANTS.keys()

    @pytest.mark.parametrize("design", sorted(TOLD.mutants()))
    def test_a_broken_design_breaks_something(self, design: str) -> None:
        """It violates an invariant, which stores replay, and it does not refine the contract."""
        violated = {run.violates for run in runs("violated", design)}
        assert REFINES in violated
        assert len(violated - {REFINES}) == 1
        assert [run.design for run in TOLD.replays()].count(design) == 1

    def test_the_honest_design_keeps_everything(self) -> None:
        """In each instance all invariants hold, and it refines the contract."""
        held = runs("holds", "immediate")
        assert {run.instance for run in held} == {"lease", "queue", "limits", "ages"}
        assert all(set(run.checks) == INVARIANTS | {REFINES} for run in held)
        assert [run.name for run in runs("violated", "immediate")] == []

    def test_the_contract_keeps_everything_by_itself(self) -> None:
        """What is asked of the store follows from the contract, in the same instances."""
        held = [run for run in runs("holds") if run.module == "Contract"]
        assert {run.instance for run in held} == {"lease", "queue", "limits", "ages"}
        assert all(set(run.checks) == INVARIANTS for run in held)

    def test_every_invariant_can_be_broken(self) -> None:
        """Each is violated by some design, and each can be asked of a real store."""
        assert {run.violates for run in runs("violated")} == INVARIANTS | {REFINES}
        assert BROKEN.keys() == INVARIANTS
        assert all(re.search(rf"^{name} ==", CONTRACT, re.MULTILINE) for name in INVARIANTS)

    def test_the_honest_design_is_not_idle(self) -> None:
        """What the model says can happen to it is reached: all of it, expiry and limits too."""
        assert {run.violates for run in runs("reached", "immediate")} == REACHABLE
        assert {"NeverASecondGrant", "NeverAnEviction", "NeverACapRefusal"} <= REACHABLE
        assert [run.design for run in runs("reached")] == ["immediate"] * len(REACHABLE)

    def test_kills_are_checked(self) -> None:
        """The honest design is checked with callers that are killed in their transactions."""
        assert any(
            TOLD.instances[run.instance]["constants"]["Kills"] for run in runs("holds", "immediate")
        )

    def test_a_configuration_is_what_tlc_reads(self) -> None:
        """Constants, checks and what makes states equal stand in it."""
        run = next(run for run in TOLD.runs if run.name == "early_clock-refinement")
        text = TOLD.config(run)
        assert '    Design = "early_clock"\n    Kills = FALSE\n    Callers = {c1, c2, c3}\n' in text
        assert '    Asks = {"claim"}\n' in text
        assert text.endswith("PROPERTY Refines\nVIEW View\nSYMMETRY Alike\n")
        alone = next(run for run in TOLD.runs if run.module == "Contract")
        assert "Kills" not in TOLD.config(alone)

    def test_it_can_be_written_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is written is what was read, byte for byte."""
        monkeypatch.setattr(manifest, "MANIFEST", tmp_path / "manifest.json")
        manifest.save(TOLD, TOLD.runs)
        written = (tmp_path / "manifest.json").read_text(encoding="utf-8")
        assert written == (tlc.MODULES / "manifest.json").read_text(encoding="utf-8")


COUNTS = "29 states generated, 9 distinct states found, 0 states left on queue.\n"


class TestTlc:
    @pytest.mark.parametrize(
        ("code", "text", "result"),
        [
            (0, COUNTS, "holds"),
            (12, f"Error: Invariant CapHeld is violated.\nState 1: <x>\n{COUNTS}", "violated"),
            (13, f"Error: Action property line 3 is violated.\nState 1: <x>\n{COUNTS}", "violated"),
            (0, "", "broken"),
            (0, f"State 1: <x>\n{COUNTS}", "broken"),
            (12, COUNTS, "broken"),
            (75, f"State 1: <x>\n{COUNTS}", "broken"),
            (-1, "TLC did not end", "broken"),
        ],
    )
    def test_only_a_proof_or_a_counterexample_counts(
        self, code: int, text: str, result: str
    ) -> None:
        """Any other exit code, a count that is missing, or a trace too many is a broken run."""
        assert tlc.read(code, text, 0.5).result == result

    def test_what_tlc_counted_is_read(self) -> None:
        """Distinct states, the length of the trace, and the invariant's name."""
        found = tlc.read(12, EARLY_CLOCK, 0.5)
        assert (found.violated, found.states, found.trace) == ("NoOverlap", 11_759, 12)

    def test_what_is_missing_is_named(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Without TLC the scripts exit 4 and say what to install."""
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        for script in (check, replay, validate):
            monkeypatch.setattr(sys, "argv", [script.__name__])
            assert script.main() == 4
            assert "pip install 'onewinner[specs]'" in capsys.readouterr().err

    def test_a_missing_java_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """TLC without a Java is of no use, and that is said too."""
        monkeypatch.setattr(tlc, "_beside", lambda *_: tmp_path / "tla2tools.jar")
        monkeypatch.setattr(tlc, "_packaged_java", lambda: None)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(tlc.NoToolbox, match="no java is on the PATH"):
            tlc.toolbox()

    def test_a_small_model_is_checked(self, tmp_path: Path) -> None:
        """Where TLC is there, it finds the shortest run of the manifest as it is told there."""
        try:
            tools = tlc.toolbox()
        except tlc.NoToolbox as missing:
            pytest.skip(f"n/a without TLC, which specs/check.py runs in CI: {missing}")
        run = min(TOLD.runs, key=lambda each: each.states)
        found = tlc.run(tools, tmp_path / "run", run.module, TOLD.config(run), {})
        assert check.complaints(run, found) == []


class TestCheck:
    RUN = manifest.Expectation(
        name="x",
        module="ClaimStore",
        instance="race",
        checks=("NoOverlap",),
        result="violated",
        states=7,
        trace=3,
        design="early_clock",
    )

    def test_what_is_expected_passes(self) -> None:
        """The same result, states and trace: nothing to complain of."""
        assert check.complaints(self.RUN, output(violated="NoOverlap")) == []

    @pytest.mark.parametrize(
        ("found", "told"),
        [
            (output("holds", trace=0), "expected violated NoOverlap, found holds"),
            (output("broken", trace=0), "expected violated NoOverlap, found broken"),
            (output(violated="CapHeld"), "expected NoOverlap to be violated, not CapHeld"),
            (output(states=8), "states: expected 7, found 8"),
            (output(trace=4), "trace: expected 3, found 4"),
        ],
    )
    def test_any_change_is_told(self, found: Output, told: str) -> None:
        """A mutant that survives, another violation, and other counts are failures."""
        assert check.complaints(self.RUN, found) == [told]

    def test_what_is_to_be_reached_must_be(self) -> None:
        """A violated denial counts as reached; one that holds fails."""
        run = dataclasses.replace(self.RUN, checks=("NeverARefusal",), result="reached")
        assert check.complaints(run, output(violated="NeverARefusal")) == []
        assert check.complaints(run, output("holds", trace=0)) != []

    def test_a_new_result_is_never_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Counts are taken over where the result is the expected one, and nowhere else."""
        first, second, *_ = TOLD.runs
        monkeypatch.setattr(manifest, "MANIFEST", tmp_path / "manifest.json")
        counted = dataclasses.replace(first, states=1)
        turned = dataclasses.replace(second, result="violated", states=2, trace=2)
        check.written(TOLD, [counted, turned])
        assert manifest.load().runs[:2] == (counted, second)


SCHEDULE = [
    Asked("c1", "claim", 1),
    Passed("c1", "clock", clock_first=True),
    Happened("tick"),
    Passed("c1", "begin"),
    Passed("c1", "commit"),
    Asked("c2", "claim", 1),
    Passed("c2", "clock", clock_first=True),
    Happened("tick"),
    Happened("sweep"),
    Passed("c2", "begin"),
    Passed("c2", "commit"),
]


class TestTraces:
    def test_a_counterexample_is_a_schedule(self) -> None:
        """Each step of a stored trace is a move, in order."""
        assert traces.schedule(EARLY_CLOCK) == SCHEDULE

    def test_the_last_state_is_read(self) -> None:
        """The rows, and who was answered what by which reading of the clock."""
        assert traces.ending(EARLY_CLOCK) == Ending(
            rows={1: ("c2", "1", "3")}, answers={"c1": ("won", "0"), "c2": ("won", "1")}
        )

    @pytest.mark.parametrize("text", ["", 'State 1:\n/\\ step = <<"tick">>\n'])
    def test_what_is_no_trace_is_refused(self, text: str) -> None:
        """Output without a trace from the initial state cannot be replayed."""
        with pytest.raises(ValueError, match="holds no trace"):
            traces.steps(text)

    def test_a_step_that_nobody_can_replay_is_refused(self) -> None:
        """A kill is no move of a thread: it is not passed over in silence."""
        text = '/\\ step = <<"init">>\n/\\ step = <<"kill", c1>>\n'
        with pytest.raises(ValueError, match="cannot be replayed"):
            traces.schedule(text)

    def test_moves_can_be_told(self) -> None:
        """A schedule is read in words."""
        words = [traces.told(move) for move in SCHEDULE[:3]]
        assert words == ["c1 asks claim 1", "c1 clock", "tick"]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections that are made in a test come to points, and no others."""
    monkeypatch.setattr(sqlite3, "connect", sqlite3.connect)
    watch_statements()


@pytest.mark.usefixtures("watched")
class TestStage:
    def test_the_mutant_breaks_what_the_model_breaks(self) -> None:
        """Its answers and its rows are the model's, and two periods overlap on a real file."""
        seen = replay.played(MUTANTS["early-clock"].connect, EARLY_CLOCK, RACE)
        assert seen.answers == "c1 won, c2 won"
        assert seen.broken == {"NoOverlap": ["c1 has [0, 2) of key 1, c2 has [1, 3)"]}
        assert seen.unlike == []

    def test_the_reference_keeps_it(self) -> None:
        """The same schedule, and the second claim is refused, which is not what the model's is."""
        seen = replay.played(reference, EARLY_CLOCK, RACE)
        assert seen.answers == "c1 won, c2 refused"
        assert (seen.broken, seen.later) == ({}, {})
        assert len(seen.unlike) == 2

    def test_who_must_wait_is_left_where_it_is(self) -> None:
        """A caller is not let into BEGIN while another holds the lock, so nothing hangs."""
        moves = [
            Asked("c1", "claim", 1),
            Passed("c1", "begin"),
            Asked("c2", "claim", 1),
            Passed("c2", "commit"),
            Passed("c1", "commit"),
        ]
        with replay.staged(reference, RACE) as stage:
            end, last = stage.play(moves)
        assert {who: answer.word for who, answer in end.answers.items()} == {"c1": "won"}
        assert last.answers["c2"].word == "refused"

    def test_calls_of_each_kind_are_played(self) -> None:
        """A register, a lookup, a consume and a delete are answered in the model's words."""
        asked = ["register", "lookup", "consume", "lookup", "delete", "consume"]
        moves: list[Any] = []
        for number, f in enumerate(asked):
            moves += [Asked(f"c{number}", f, 1), Passed(f"c{number}", "commit")]
        with replay.staged(reference, RACE) as stage:
            _, last = stage.play(moves)
        words = [(answer.word, answer.value) for answer in last.answers.values()]
        assert words == [
            ("done", ""),
            ("found", "c0"),
            ("found", "c0"),
            ("absent", ""),
            ("nothing", ""),
            ("absent", ""),
        ]

    def test_a_savepoint_is_no_point(self) -> None:
        """Only what begins or ends a transaction, and a snapshot outside of one, is a point."""
        seen: list[str] = []
        gate = PointGate(seen.append)
        gate.enter()
        for sql in ("SELECT 1", "BEGIN IMMEDIATE", "SELECT 2", "SAVEPOINT s", "ROLLBACK TO s"):
            gate.statement(sql)
        gate.statement("COMMIT")
        gate.leave()
        gate.statement("BEGIN")
        assert seen == ["look", "begin", "commit"]


def picture(now: int = 0, rows: Any = None, **answers: Answer) -> Picture:
    """Answer a picture in which all rows that ever were are in the file, unless told otherwise."""
    periods = {
        who: Held(answer.key, answer.at, answer.at + 2)
        for who, answer in answers.items()
        if answer.word == "won"
    }
    return Picture(now, answers, periods, periods if rows is None else rows)


def answer(word: str, key: int = 1, at: int = 0, f: str = "claim", value: str = "") -> Answer:
    """Answer what a caller was answered."""
    return Answer(f, key, word, value, at)


def broken_in(seen: Picture, limits: Limits = RACE) -> set[str]:
    """Answer the names of what is broken."""
    return {name for name, judge in BROKEN.items() if list(judge(seen, limits))}


ROOMY = Limits(keys=(1, 2), max_entries=9, cap=9, ttl=2)


class TestReplay:
    def run(self, **other: Any) -> Expectation:
        """Answer the run whose trace is stored, changed."""
        found = next(each for each in TOLD.runs if each.name == "early_clock")
        return dataclasses.replace(found, **other)

    @pytest.mark.usefixtures("watched")
    def test_a_mutant_that_breaks_it_passes(self) -> None:
        """The mutant breaks what the model says, the reference nothing: both are told."""
        well, seen = replay.judged(self.run(), EARLY_CLOCK, TOLD)
        assert well
        assert seen[0] == (
            "mutant:early-clock: c1 won, c2 won: c1 has [0, 2) of key 1, c2 has [1, 3)"
        )
        assert seen[1] == "sqlite: c1 won, c2 refused: nothing is broken"

    @pytest.mark.usefixtures("watched")
    def test_a_mutant_that_breaks_nothing_fails(self) -> None:
        """Another property than the one that the trace is about does not count."""
        well, seen = replay.judged(self.run(checks=("CapHeld",)), EARLY_CLOCK, TOLD)
        assert not well
        assert seen[0].endswith("nothing was broken")

    @pytest.mark.usefixtures("watched")
    def test_a_store_unlike_the_model_fails(self) -> None:
        """The reference is no store with an early clock, and that is seen."""
        well, seen = replay.judged(self.run(design="immediate"), EARLY_CLOCK, TOLD)
        assert not well
        assert "the model" in seen[0]


class TestJudgement:
    @pytest.mark.parametrize(
        ("seen", "limits", "names"),
        [
            (picture(a=answer("won"), b=answer("won", at=1)), ROOMY, {"NoDoubleHold", "NoOverlap"}),
            (picture(9, {}, a=answer("won"), b=answer("won", at=1)), ROOMY, {"NoOverlap"}),
            (picture(9, {}, a=answer("won"), b=answer("won", at=2)), ROOMY, set()),
            (picture(a=answer("won"), b=answer("won", 2)), ROOMY, set()),
            (picture(1, {}, a=answer("won")), ROOMY, {"NothingLost"}),
            (picture(2, {}, a=answer("won")), ROOMY, set()),
            (picture(a=answer("refused")), ROOMY, {"RefusedForALiveRow"}),
            (picture(a=answer("won"), b=answer("refused", at=1)), ROOMY, set()),
            (picture(a=answer("won"), b=answer("refused", at=2)), ROOMY, {"RefusedForALiveRow"}),
            (
                picture(
                    1,
                    {},
                    a=answer("won"),
                    b=answer("found", f="consume", value="a"),
                    c=answer("found", f="consume", value="a"),
                ),
                ROOMY,
                {"ConsumedOnce"},
            ),
            (picture(a=answer("won"), b=answer("won", 2)), RACE, {"CapHeld"}),
            (
                picture(a=answer("won"), b=answer("won", 2)),
                dataclasses.replace(ROOMY, max_entries=1),
                {"RoomHeld"},
            ),
            (picture(2, a=answer("won"), b=answer("won", 2)), RACE, set()),
        ],
    )
    def test_what_is_broken_is_seen(self, seen: Picture, limits: Limits, names: set[str]) -> None:
        """Each property is asked of what could be seen, and of nothing else."""
        assert broken_in(seen, limits) == names

    def test_a_row_that_was_never_there_is_lost(self) -> None:
        """A win without a row is as bad as one whose row went."""
        seen = dataclasses.replace(picture(a=answer("won")), periods={}, rows={})
        assert broken_in(seen) == {"NothingLost"}

    def test_a_younger_row_explains_an_eviction(self) -> None:
        """Which of two rows is gone tells a right eviction from one that took the fresh row."""
        both = {"a": answer("won"), "b": answer("won", 2)}
        limits = dataclasses.replace(ROOMY, max_entries=1)
        assert broken_in(picture(rows={"b": Held(2, 0, 2)}, **both), limits) == set()
        assert broken_in(picture(rows={"a": Held(1, 0, 2)}, **both), limits) == {"NothingLost"}

    def test_what_differs_from_the_model_is_told(self) -> None:
        """Rows and answers are compared, each by itself."""
        seen = picture(a=answer("won"))
        same = Ending({1: ("a", "0", "2")}, {"a": ("won", "0")})
        assert list(unlike(seen, same)) == []
        assert len(list(unlike(seen, Ending({}, {})))) == 2


def operation(f: str, result: Any, begun: int, ended: int | None, **value: Any) -> Operation:
    """Answer an operation on the key k1."""
    usual = {"plugin": "p", "namespace": "n", "key": "k1", "value": None, "ttl_ms": None}
    return Operation(
        process=0,
        f=f,
        value={**usual, **value},
        outcome=Info("lost") if ended is None else Ok(result),
        invoked_ns=begun,
        completed_ns=ended,
    )


class TestHistories:
    @pytest.mark.parametrize("family", [LIVES, LIMITS], ids=lambda each: each.name)
    def test_what_is_drawn_is_right(self, family: Any) -> None:
        """The checker finds an order for every history that is not broken, and they are short."""
        histories = [drawn(family, seed) for seed in range(30)]
        assert [
            n for n, h in enumerate(histories) if checked(h, family.judge).valid is not True
        ] == []
        assert max(sum(each.f != "advance" for each in h) for h in histories) <= CALLS_MOST
        assert histories[7] == drawn(family, 7)

    @pytest.mark.parametrize("family", [LIVES, LIMITS], ids=lambda each: each.name)
    def test_enough_of_what_is_broken_is_wrong(self, family: Any) -> None:
        """One answer is another one, and most such histories have no order any more."""
        wrong = 0
        for seed in range(30):
            history = drawn(family, seed)
            spoilt = broken(history, seed)
            assert sum(a != b for a, b in zip(history, spoilt, strict=True)) <= 1
            wrong += checked(spoilt, family.judge).valid is False
        assert wrong > 15

    def test_a_crash_and_a_refusal_are_drawn(self) -> None:
        """Clients that get no answer, expiry and full plugins are among what is drawn."""
        lives = [each for seed in range(30) for each in drawn(LIVES, seed)]
        limits = [each for seed in range(30) for each in drawn(LIMITS, seed)]
        assert any(isinstance(each.outcome, Info) for each in lives)
        assert any(each.value.get("ttl_ms") for each in lives)
        assert any(each.outcome == FULL for each in limits)

    def test_events_are_in_order(self) -> None:
        """Calls that touch overlap: who begins comes before who ends at that instant."""
        history = [
            operation("register_if_absent", True, 0, 5, value="a", ttl_ms=3),
            operation("lookup", "a", 5, 6),
            Operation(
                process=-1,
                f="advance",
                value={"ms": 2},
                outcome=Ok(None),
                invoked_ns=7,
                completed_ns=8,
            ),
            operation("consume", ABSENT, 9, None),
        ]
        told = [(each["what"], each.get("who", 0)) for each in events(history)]
        assert told == [
            ("ask", 1),
            ("ask", 2),
            ("answer", 1),
            ("answer", 2),
            ("tick", 0),
            ("ask", 3),
        ]
        first, second, *_, seen = events(history)[:4]
        assert (first["f"], first["value"], first["ttl"]) == ("claim", 1, 3)
        assert (second["ttl"], seen["word"], seen["value"]) == (FOREVER, "found", 1)

    def test_a_module_holds_the_histories(self) -> None:
        """Each is a sequence of records that TLC can read."""
        text = module([[operation("delete", True, 0, 1)]])
        assert text.startswith("---- MODULE Recordings ----\nHistories == <<\n<<[what |-> ")
        assert '[what |-> "answer", who |-> 1, word |-> "removed", value |-> 0]>>\n>>\n' in text

    def test_what_cannot_be_told_is_refused(self) -> None:
        """An operation that the formal contract does not know is no event."""
        with pytest.raises(ValueError, match="cannot be told to TLC"):
            events([operation("clear", None, 0, 1)])

    def test_who_is_admitted_is_read(self) -> None:
        """TLC prints the number of each history whose end it reached, more than once too."""
        text = 'Starting\n<<"admitted", 12>>\n<<"admitted", 3>>\n<<"admitted", 12>>\n'
        assert admitted(text) == {3, 12}

    def test_every_second_history_is_broken(self) -> None:
        """The others stay as they were."""
        histories = [drawn(LIVES, seed) for seed in range(6)]
        spoilt = validate.spoilt(histories)
        assert spoilt[::2] == histories[::2]
        assert all(a != b for a, b in zip(spoilt[1::2], histories[1::2], strict=True))


class TestValidate:
    def judged(self, *, admits: bool, valid: bool, result: str = "holds") -> validate.Judged:
        """Answer what both said about one history."""
        history = drawn(LIVES, 1)
        return validate.Judged(LIVES, [history], [admits], [valid], output(result, trace=0))

    def test_a_disagreement_is_told(self) -> None:
        """Whichever of the two is wrong, the history is printed, event by event."""
        told = list(validate.told(self.judged(admits=True, valid=False)))
        assert told[0].startswith("FAILED")
        assert told[1] == "  history 0: TLC True, the checker False"
        assert len(told) > 3

    def test_agreement_is_a_line(self) -> None:
        """There is nothing to add where both say the same."""
        told = list(validate.told(self.judged(admits=False, valid=False)))
        assert [line.startswith("ok") for line in told] == [True]

    def test_a_broken_run_is_no_agreement(self) -> None:
        """Where TLC did not do its work nothing is agreed."""
        told = list(validate.told(self.judged(admits=False, valid=False, result="broken")))
        assert told[0].startswith("FAILED")

    @pytest.mark.xdist_group("onewinner-stress")  # one race at a time
    def test_races_are_recorded_by_key(self) -> None:
        """What happened on each key is a short history, which the checker finds right."""
        histories = list(validate.recorded(10, 0))
        assert [len(each) for each in histories] == [8] * 10
        assert all(checked(each, validate.RACED.judge).valid is True for each in histories)

    def test_a_configuration_has_the_familys_limits(self) -> None:
        """Keys by namespace, room and cap are those that the histories were drawn with."""
        text = validate.config(LIMITS)
        assert "    Keys = {1, 2, 3}\n    Siblings = {4}\n" in text
        assert "    MaxEntries = 2\n    Cap = 2\n" in text
        assert "    Siblings = {}\n" in validate.config(LIVES)
