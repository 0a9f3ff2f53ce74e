"""Every way in which a gate can be green and prove nothing, and that this one is red there.

Each has been seen in some gate. Where the engine has to find something it is made up; all else is
the command line as users call it.
"""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from onewinner import cli
from onewinner.adapters.targets import Target
from onewinner.clock import ManualClock
from onewinner.contract.clauses import CLAUSES
from onewinner.report import console, github
from onewinner.report import json as report_json
from onewinner.suite import engine
from onewinner.suite.registry import all_checks
from onewinner.suite.tree import ExitCode, RunResult, Status
from results import WHOLE, check, run
from tidy import APART

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Capture = pytest.CaptureFixture[str]

PASSES = """
[[known]]
clause = "CLAIM-6"
reason = "it was mended"
kind = "not-yet"
signature = "has 2 winners"
"""


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunResult], None]:
    """Let the engine find what a test wants."""

    def answer(result: RunResult) -> None:
        monkeypatch.setattr(engine, "verify", lambda *_, **__: result)

    return answer


def verify(*words: str) -> int:
    """Answer the exit code of `onewinner verify`."""
    return cli.main(["verify", *words, "--quiet"])


def adapter(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> str:
    """Write an adapter that differs from a correct one by `body`; answers its target."""
    name = f"vacuous_{abs(hash(body))}"
    text = """
        from onewinner.stores import memory
        def connect(location, *, clock):
            backend = memory.connect(location, clock=clock)
        {body}
            return backend
    """
    whole = textwrap.dedent(text).format(body=textwrap.indent(textwrap.dedent(body), "    "))
    (folder / f"{name}.py").write_text(whole, "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")
    return f"python:{name}:connect"


class TestNothingRan:
    def test_a_selection_that_names_nothing(self, capsys: Capture) -> None:
        """No clause matches: a usage error with the nearest ones, not an empty success."""
        assert verify("memory", "-k", "CLAIN-6") == ExitCode.USAGE
        assert "did you mean" in capsys.readouterr().err

    def test_a_selection_that_does_not_apply(self) -> None:
        """What was asked for is nothing that this store has: 5."""
        assert verify("memory", "-k", "CLAIM-6") == ExitCode.NOTHING_RAN

    def test_a_history_without_a_call(self, tmp_path: Path) -> None:
        """An empty history is one that was not judged: 7."""
        path = tmp_path / "empty.jsonl"
        path.write_text("", "utf-8")
        assert cli.main(["check", str(path), "--model", "claim"]) == ExitCode.INCONCLUSIVE

    def test_a_baseline_of_nothing(self, found: Any) -> None:
        """Where nothing ran there is nothing to write down: 5."""
        found(run(only=("DEL-2",), capabilities=WHOLE.without("consume")))
        assert cli.main(["baseline", "sqlite", "--quiet"]) == ExitCode.NOTHING_RAN


class TestWhatWasAskedCannotBe:
    @pytest.mark.parametrize(
        "words",
        [
            ["nonsense"],
            ["python:no_such_module:connect"],
            ["memory", "--level", "process"],
            ["memory", "--baseline", "nowhere.toml"],
            ["memory", "--json", "no/such/place.json"],
        ],
    )
    def test_it_is_no_success(self, words: list[str], capsys: Capture) -> None:
        """A target, level, baseline or report that cannot be had is 4, and nothing is printed."""
        assert verify(*words) == ExitCode.USAGE
        assert not capsys.readouterr().out

    def test_a_typo_in_a_baseline(self, tmp_path: Path) -> None:
        """A known failure of a clause that does not exist would never be missed."""
        path = tmp_path / "known.toml"
        path.write_text(PASSES.replace("CLAIM-6", "CLAIM-66"), "utf-8")
        assert verify("memory", "--baseline", str(path)) == ExitCode.USAGE

    def test_a_store_that_leaves_with_success(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`sys.exit(0)` in an adapter is not the gate's own 0."""
        target = adapter(tmp_path, monkeypatch, "import sys; sys.exit(0)")
        assert verify(target, "-k", "CLAIM-1") == ExitCode.USAGE


class TestVerdictIsInTheAnswer:
    def test_every_report_has_the_exit_code(self, found: Any, tmp_path: Path) -> None:
        """The verdict is the answer to the shell, and the same in each file."""
        one, other = tmp_path / "r.json", tmp_path / "r.xml"
        found(run({"CLAIM-6": Status.FAIL}))
        code = verify("sqlite", "--json", str(one), "--junitxml", str(other))
        suite = ElementTree.parse(other).getroot()[0]
        told = {each.attrib["name"]: each.attrib["value"] for each in suite.iter("property")}
        assert code == json.loads(one.read_text("utf-8"))["exit_code"] == 1
        assert told["exit_code"] == "1"

    def test_an_interrupt_is_none(self, found: Any) -> None:
        """What was found before an interrupt is not the verdict on the rest."""
        found(run(interrupted=True))
        assert verify("sqlite") == ExitCode.INTERRUPTED

    def test_an_earlier_report_is_not_left(self, tmp_path: Path) -> None:
        """A run that never began leaves no green file of the run before."""
        path = tmp_path / "r.json"
        path.write_text('{"exit_code": 0}', "utf-8")
        assert verify("nonsense", "--json", str(path)) == ExitCode.USAGE
        assert not path.read_text("utf-8")


class TestSkippedIsNotGreen:
    def test_what_is_not_declared_is_named(self, found: Any, capsys: Capture) -> None:
        """A store that declares less passes less, and the verdict says what it lacks."""
        found(run(capabilities=WHOLE.without("consume")))
        assert verify("sqlite") == ExitCode.CONFORMS
        assert "partial: consume not declared" in capsys.readouterr().out.splitlines()[-1]

    def test_what_is_declared_and_refused_is_violated(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There is no third way: a declared operation that answers nothing is red."""
        body = """
            import onewinner
            def refuse(self):
                raise onewinner.StoreError("no", code="SWEEP_FAILED", operation="sweep")
            backend.__class__ = type("B", (type(backend),), {"sweep_expired": refuse})
        """
        target = adapter(tmp_path, monkeypatch, body)
        assert verify(target, "-k", "DEL-6", "--budget", "100ms") == ExitCode.VIOLATION

    def test_what_is_declared_and_has_no_method_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A declaration without the operation behind it is an adapter that cannot be judged."""
        body = """
            import dataclasses
            backend.capabilities = dataclasses.replace(
                backend.capabilities, operations=backend.capabilities.operations | {"sweep"})
        """
        target = adapter(tmp_path, monkeypatch, body)
        assert verify(target, "-k", "CLAIM-1") == ExitCode.USAGE

    def test_what_was_not_exercised_is_open(self, found: Any) -> None:
        """A declared clause that was not tried enough is 7, also where it has no check at all."""
        found(run({"CLAIM-6": Status.UNTESTED}))
        assert verify("sqlite") == ExitCode.INCONCLUSIVE
        silent = run(only=("CLAIM-1",))
        object.__setattr__(silent.clauses[0], "checks", ())
        found(silent)
        assert verify("sqlite") == ExitCode.INCONCLUSIVE

    def test_no_clause_is_skipped_by_everyone(self, tmp_path: Path) -> None:
        """Each clause has a check, and applies to a store that there is."""
        sqlite = Target("sqlite").connect(str(tmp_path), ManualClock()).capabilities
        strict = WHOLE  # as a release of OpenClaw declares it
        other = {c.id for c in CLAUSES.values() if c.of_another_profile(sqlite)}
        lacking = {c.id for c in CLAUSES.values() if c.missing(sqlite) and c.missing(strict)}
        assert lacking - other == set()
        assert {name for each in all_checks() for name in each.clauses} == set(CLAUSES)

    def test_a_selection_is_no_verdict_on_the_level(self, found: Any, capsys: Capture) -> None:
        """Green for some clauses is not called conforming."""
        found(run(only=("CLAIM-1",)))
        assert verify("sqlite") == ExitCode.CONFORMS
        last = capsys.readouterr().out.splitlines()[-1]
        assert "that is no verdict on the level" in last
        assert "conforms" not in last


class TestRacesThatAreNone:
    def test_clients_that_never_meet(self, found: Any, capsys: Capture) -> None:
        """A race below its floor is untested, and its evidence is in the report."""
        few = check(
            "CLAIM-6", Status.UNTESTED, reason="clients met at 3 keys; 100 are needed",
            evidence={"contested keys": 3},
        )  # fmt: skip
        found(run(checks={"CLAIM-6": (few,)}))
        assert verify("sqlite") == ExitCode.INCONCLUSIVE
        assert "100 are needed" in capsys.readouterr().out

    def test_every_race_has_a_floor(self) -> None:
        """No race passes without clients that met."""
        from onewinner.suite.races import RACES

        assert min(race.floor for race in RACES) > 0

    @pytest.mark.parametrize("clause", ["CLAIM-5", "CLAIM-6"])
    def test_one_handle_is_not_all(self, clause: str) -> None:
        """Claims meet on one handle, on several, and in processes, by luck and under control."""
        kinds = {each.kind for each in all_checks() if clause in each.clauses}
        assert {"race", "sweep"} <= kinds

    def test_a_machine_that_sees_nothing(self) -> None:
        """Where a race that is certainly there is not found, a pass of others is taken back."""
        from onewinner.suite.canaries import calibrated
        from onewinner.suite.tree import Canary

        blind = Canary(
            name="look", level="process", easiest=True, found_ms=None, rounds=9, seconds=5.0
        )
        told = calibrated(check("CLAIM-6"), "process", (blind,))
        assert told.status is Status.UNTESTED


class TestFailuresThatHideOthers:
    def test_another_failure_than_the_known_one(self, found: Any, tmp_path: Path) -> None:
        """An entry hides the failure that it names, and no other of the clause."""
        path = tmp_path / "known.toml"
        path.write_text(PASSES.replace("has 2 winners", "was lost"), "utf-8")
        found(run({"CLAIM-6": Status.FAIL}))
        assert verify("sqlite", "--baseline", str(path)) == ExitCode.VIOLATION

    def test_an_entry_that_is_over(self, found: Any, tmp_path: Path) -> None:
        """A store that was mended is told to remove its entry, by a red run."""
        path = tmp_path / "known.toml"
        path.write_text(PASSES, "utf-8")
        found(run())
        assert verify("sqlite", "--baseline", str(path)) == ExitCode.VIOLATION

    def test_a_run_that_ends_at_what_is_known(self, found: Any, tmp_path: Path) -> None:
        """-x and a baseline would judge up to the first known failure, and call that green."""
        path = tmp_path / "known.toml"
        path.write_text(PASSES, "utf-8")
        found(run({"CLAIM-6": Status.FAIL}, stopped_early=True))
        assert verify("sqlite", "-x", "--baseline", str(path)) == ExitCode.USAGE

    def test_a_baseline_reaches_no_level(self, found: Any, tmp_path: Path) -> None:
        """A known failure costs the level all the same, in each report."""
        path, one = tmp_path / "known.toml", tmp_path / "r.json"
        path.write_text(PASSES, "utf-8")
        found(run({"CLAIM-6": Status.FAIL}))
        assert verify("sqlite", "--baseline", str(path), "--json", str(one)) == ExitCode.CONFORMS
        told = json.loads(one.read_text("utf-8"))
        assert (told["reached"], told["status"]) == ("thread", "xfail")
        assert "level reached: thread" in told["verdict"]

    def test_an_error_of_one_check(self, found: Any) -> None:
        """A check that could not be carried out is red, however many others pass."""
        found(run(checks={"CLAIM-6": (check("CLAIM-6"), check("CLAIM-6", Status.ERROR))}))
        assert verify("sqlite") == ExitCode.VIOLATION


class TestJudgesThatAreNone:
    def test_a_checker_that_runs_out_of_time(self, tmp_path: Path, capsys: Capture) -> None:
        """A history that was not decided is unknown: 7, never a pass."""
        lines = [
            {"index": 0, "type": "invoke", "process": 0, "f": "noop", "time_ns": 0},
            {"index": 1, "type": "ok", "process": 0, "f": "noop", "time_ns": 1},
        ]
        path = tmp_path / "strange.jsonl"
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
        assert cli.main(["check", str(path)]) == ExitCode.USAGE
        many = _undecidable(tmp_path)
        assert cli.main(["check", str(many), "--budget", "1ms"]) == ExitCode.INCONCLUSIVE
        assert " is unknown" in capsys.readouterr().out

    def test_a_judge_that_is_the_store(self) -> None:
        """The reference stores and the model share no code, so that neither hides the other."""
        assert {("stores", "model"), ("stores", "contract.values")} <= {
            (one, other) for one, other, _ in APART
        }


def _undecidable(folder: Path) -> Path:
    """Write a history of many claims that overlap one another, so that it takes long to judge."""
    path = folder / "many.jsonl"
    value = {"plugin": "p", "namespace": "n", "key": "k", "value": 1, "ttl_ms": None}
    calls = [
        {"type": kind, "process": number, "f": f, "time_ns": at, "value": told}
        for number in range(300)
        for f in ("register_if_absent" if number % 2 else "delete",)
        for kind, at, told in (
            ("invoke", number, value if f != "delete" else {**value, "value": None}),
            ("ok", 10_000 + number, True),
        )
    ]
    calls.sort(key=lambda each: each["time_ns"])
    path.write_text("".join(f"{json.dumps(each)}\n" for each in calls), "utf-8")
    return path


class TestReportsOfOneRun:
    def test_they_agree_to_the_clause(self) -> None:
        """What is red in one report is red in all of them."""
        result = run({"CLAIM-6": Status.FAIL, "CLAIM-5": Status.UNTESTED, "ERR-2": Status.ERROR})
        told = {c["id"]: c["status"] for c in report_json.as_dict(result)["clauses"]}
        shown = console.render(result)
        summary = github.summary(result).replace("&#45;", "-")
        for name, status in told.items():
            if status in {"fail", "untested", "error"}:
                assert f"\n{status.upper()} {name}  " in shown
                assert f"| {name} " in summary
        assert [s for s in told.values() if s != "pass"].count("fail") == 1
