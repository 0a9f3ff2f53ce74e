"""Tests of the command line: what it accepts, what it prints where, and every exit code."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from onewinner import arguments, cli
from onewinner.adapters.targets import TargetError
from onewinner.clock import sleep
from onewinner.contract import Capabilities
from onewinner.contract.clauses import CLAUSES
from onewinner.suite import engine
from onewinner.suite.tree import ExitCode, RunResult, Status
from results import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from onewinner.adapters.targets import Target

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Let the engine answer a result, or raise; answers what it was asked."""

    def answer(outcome: RunResult | BaseException) -> dict[str, Any]:
        asked: dict[str, Any] = {}

        def verify(target: Target, options: engine.Options, **more: Any) -> RunResult:
            asked.update(target=target, options=options, **more)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setattr(engine, "verify", verify)
        return asked

    return answer


def command(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell would."""
    return subprocess.run(
        [sys.executable, "-m", "onewinner", *args],
        capture_output=True, text=True, check=False, timeout=110, **options,
    )  # fmt: skip


class TestExitCodes:
    @pytest.mark.parametrize(
        ("result", "code"),
        [
            (run(), ExitCode.CONFORMS),
            (run({"CLAIM-6": Status.FAIL}), ExitCode.VIOLATION),
            (run({"CLAIM-6": Status.ERROR}), ExitCode.VIOLATION),
            (run(interrupted=True), ExitCode.INTERRUPTED),
            (
                run(only=("DEL-2",), capabilities=Capabilities().without("consume")),
                ExitCode.NOTHING_RAN,
            ),
            (run({"CLAIM-6": Status.UNTESTED}), ExitCode.INCONCLUSIVE),
        ],
    )
    def test_the_verdict_is_the_exit_code(
        self, judged: Any, capsys: Capture, result: RunResult, code: ExitCode
    ) -> None:
        """Every verdict of a run has its own answer to the shell, and ends the report."""
        judged(result)
        assert cli.main(["verify", "sqlite", "--quiet"]) == code
        assert capsys.readouterr().out.splitlines()[-1].startswith("onewinner: ")

    @pytest.mark.parametrize("error", [TargetError("no such thing"), engine.UsageError("no such")])
    def test_what_the_user_can_put_right_is_usage(
        self, judged: Any, capsys: Capture, error: Exception
    ) -> None:
        """A target or request that cannot be had is one message on standard error, exit 4."""
        judged(error)
        assert cli.main(["verify", "sqlite", "--quiet"]) == ExitCode.USAGE
        out, err = capsys.readouterr()
        assert (out, err) == ("", f"onewinner: {error}\n")

    def test_a_mistake_of_the_kit_is_internal(self, judged: Any, capsys: Capture) -> None:
        """An exception that nobody expected says whose fault it is, before its traceback."""
        judged(ZeroDivisionError("by zero"))
        assert cli.main(["verify", "sqlite", "--quiet"]) == ExitCode.INTERNAL_ERROR
        lines = capsys.readouterr().err.splitlines()
        assert lines[0].startswith(
            "onewinner: internal error of onewinner: ZeroDivisionError: by zero"
        )
        assert "please report" in lines[0]
        assert lines[1] == "Traceback (most recent call last):"

    def test_an_interrupt_has_no_verdict(self, judged: Any, capsys: Capture) -> None:
        """Ctrl-C ends with its own code and says that nothing was decided."""
        judged(KeyboardInterrupt())
        assert cli.main(["verify", "sqlite", "--quiet"]) == ExitCode.INTERRUPTED
        assert "interrupted (Ctrl-C); there is no verdict" in capsys.readouterr().err

    def test_a_target_cannot_leave_with_a_green_code(self, judged: Any, capsys: Capture) -> None:
        """A store that calls sys.exit(0) does not make the gate answer 0."""
        judged(SystemExit(0))
        assert cli.main(["verify", "python:a:b", "--quiet"]) == ExitCode.USAGE
        assert "target python:a:b: it called sys.exit(0)" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            ([], "the following arguments are required: COMMAND"),
            (["judge"], "invalid choice: 'judge'"),
            (["verify"], "required: TARGET"),
            (["verify", "sqlite", "--levle", "thread"], "unrecognized arguments: --levle"),
            (["verify", "sqlite", "--level", "galaxy"], "invalid choice: 'galaxy'"),
            (["verify", "sqlite", "--budget", "soon"], "'soon' is no duration; write 60s"),
            (["verify", "sqlite", "--seed", "x"], "'x' is no seed; write a whole number"),
            (["verify", "sqlite", "-k", "CLAM"], "did you mean CLAIM"),
            (["verify", "sqlite", "--loc", "x"], "unrecognized arguments: --loc"),
        ],
    )
    def test_a_wrong_call_is_usage(self, capsys: Capture, args: list[str], said: str) -> None:
        """Arguments that cannot be understood are exit 4, not pytest's or argparse's 2."""
        assert cli.main(args) == ExitCode.USAGE
        assert said in capsys.readouterr().err

    def test_a_level_beyond_the_scope_is_refused(self, capsys: Capture) -> None:
        """`--level crash` is not shown green for a store that lives in one process."""
        assert cli.main(["verify", "memory", "--level", "crash", "--quiet"]) == ExitCode.USAGE
        assert "the highest level that it can reach is 'thread'" in capsys.readouterr().err

    @pytest.mark.parametrize("option", ["--json", "--junitxml"])
    def test_a_report_that_cannot_be_written_is_refused_first(
        self, judged: Any, capsys: Capture, tmp_path: Path, option: str
    ) -> None:
        """A path that cannot be written is exit 4 before anything runs."""
        asked = judged(run())
        path = str(tmp_path / "missing" / "report")
        assert cli.main(["verify", "sqlite", option, path]) == ExitCode.USAGE
        assert f"{option} {path}: the file cannot be written" in capsys.readouterr().err
        assert asked == {}


class TestArguments:
    @pytest.mark.parametrize(
        ("given", "seconds"),
        [("60s", 60), ("2m", 120), ("500ms", 0.5), ("45", 45), ("1.5m", 90), ("1h", 3600)],
    )
    def test_durations_are_read(self, given: str, seconds: float) -> None:
        """A number with or without a unit is so many seconds."""
        assert arguments.duration(given) == seconds

    @pytest.mark.parametrize("given", ["", "s", "0", "-1s", "1 day", "nan", "inf", "9" * 400])
    def test_what_is_no_duration_is_refused(self, given: str) -> None:
        """Nothing that is not a positive, finite time is taken for one."""
        with pytest.raises(ValueError, match="is no duration"):
            arguments.duration(given)

    @pytest.mark.parametrize(("given", "seed"), [("0", 0), ("20907", 20907), ("0x51ab", 0x51AB)])
    def test_seeds_are_read(self, given: str, seed: int) -> None:
        """A seed is decimal or hexadecimal, as reports show it."""
        assert arguments.seed_number(given) == seed

    @pytest.mark.parametrize("given", ["-1", "1.5", "", "0x", str(2**64)])
    def test_what_is_no_seed_is_refused(self, given: str) -> None:
        """Nothing but a whole number of 64 bits is a seed."""
        with pytest.raises(ValueError, match="is no seed"):
            arguments.seed_number(given)

    def test_what_is_asked_reaches_the_engine(self, judged: Any) -> None:
        """Every option of verify is handed on."""
        asked = judged(run())
        what = (
            "--level",
            "thread",
            "--budget",
            "2m",
            "--seed",
            "0x10",
            "-k",
            "CLAIM-6",
            "-k",
            "ERR",
        )
        cli.main(["verify", "sqlite", *what, "-x", "--location", "redis://here", "--quiet"])
        assert asked["options"] == engine.Options(
            level="thread", budget_s=120.0, seed=16, select=("CLAIM-6", "ERR"), stop_at_first=True
        )
        assert (asked["target"].name, asked["target"].location) == ("sqlite", "redis://here")
        assert asked["on_progress"] is None

    def test_what_is_not_asked_is_the_default(self, judged: Any) -> None:
        """Without options the engine's own defaults hold."""
        asked = judged(run())
        cli.main(["verify", "sqlite"])
        assert asked["options"] == engine.Options()
        assert asked["on_progress"] is not None


class TestOutput:
    def test_reports_are_written(self, judged: Any, tmp_path: Path) -> None:
        """One run gives the table, JSON and JUnit, all of the same verdict."""
        judged(run({"CLAIM-6": Status.FAIL}))
        one, other = tmp_path / "a.json", tmp_path / "b.xml"
        code = cli.main(["verify", "sqlite", "--json", str(one), "--junitxml", str(other)])
        assert json.loads(one.read_text("utf-8"))["exit_code"] == code == ExitCode.VIOLATION
        assert ElementTree.parse(other).getroot().attrib["failures"] == "1"

    def test_an_earlier_report_is_not_left(self, judged: Any, tmp_path: Path) -> None:
        """A run without a verdict does not leave the green report of the run before."""
        path = tmp_path / "a.json"
        path.write_text('{"exit_code": 0}', "utf-8")
        judged(TargetError("no such thing"))
        cli.main(["verify", "sqlite", "--json", str(path)])
        assert not path.read_text("utf-8")

    def test_results_and_progress_do_not_mix(self, judged: Any, capsys: Capture) -> None:
        """Standard output holds the report alone."""
        judged(run())
        cli.main(["verify", "sqlite"])
        out, err = capsys.readouterr()
        assert out.startswith("onewinner 0.1.0 judges sqlite")
        assert not err

    def test_a_reader_that_leaves_changes_no_verdict(self, tmp_path: Path) -> None:
        """`onewinner list | head -1` ends quietly."""
        done = subprocess.run(
            [
                "bash",
                "-c",
                f"{sys.executable} -m onewinner list | head -1; echo ${{PIPESTATUS[0]}}",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == "0"
        assert not done.stderr

    def test_an_ascii_terminal_is_served(self) -> None:
        """No encoding of standard output ends the command."""
        environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = command("list", "--level", "thread", env=environ)
        assert done.returncode == 0
        assert done.stdout.isascii()

    def test_the_list_holds_every_clause(self, capsys: Capture) -> None:
        """`list` shows all clauses, `--level` those that the level asks for, `--json` as data."""
        assert cli.main(["list", "--json"]) == ExitCode.CONFORMS
        told = json.loads(capsys.readouterr().out)
        assert [clause["id"] for clause in told["clauses"]] == list(CLAUSES)
        cli.main(["list", "--level", "thread"])
        shown = capsys.readouterr().out
        assert "CLAIM-5" in shown
        assert "CLAIM-6" not in shown

    def test_help_and_version_are_answers(self, capsys: Capture) -> None:
        """What was asked for is printed on standard output, with exit 0."""
        assert cli.main(["--version"]) == ExitCode.CONFORMS
        assert capsys.readouterr().out.startswith("onewinner ")
        for args in (["--help"], ["verify", "--help"], ["smoke", "--help"], ["list", "--help"]):
            assert cli.main(args) == ExitCode.CONFORMS
            assert "usage: onewinner" in capsys.readouterr().out

    def test_help_loads_nothing_heavy(self) -> None:
        """The help is quick because neither the engine nor what it needs is loaded."""
        code = (
            "import sys; from onewinner.cli import main; main(['--help'])\n"
            "print([m for m in ('hypothesis', 'rich', 'multiprocess', 'pytest', 'sqlite3',"
            " 'onewinner.suite.engine') if m in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]"


BAD_TARGETS = {
    "does_not_import": ("import no_such_module_anywhere", "No module named"),
    "raises": ("def connect(location, *, clock): raise OSError('no disk')", "OSError: no disk"),
    "takes_nothing": ("def connect(): ...", "raised TypeError"),
    "is_missing": ("", "has no callable 'connect'"),
    "is_no_backend": ("def connect(location, *, clock): return 42", "is not a Backend"),
    "dies": ("import os\ndef connect(location, *, clock): os._exit(0)", "exit code 0"),
    "leaves": ("import sys\ndef connect(location, *, clock): sys.exit(0)", "onewinner: target"),
    "lacks_an_operation": (
        """
        import onewinner
        class Bad:
            capabilities = onewinner.Capabilities()
            def open(self, *args, **kwargs): return self
            def sweep_expired(self): return 0
            def close(self): ...
        def connect(location, *, clock): return Bad()
        """,
        "declares clear, consume",
    ),
}


class TestBadTargets:
    @pytest.mark.parametrize("name", BAD_TARGETS)
    @pytest.mark.parametrize("verb", ["smoke", "verify"])
    def test_a_target_that_cannot_be_judged_is_named(
        self, tmp_path: Path, name: str, verb: str
    ) -> None:
        """Exit 4 with one message that names the target, and no traceback in place of it."""
        code, said = BAD_TARGETS[name]
        (tmp_path / f"bad_{name}.py").write_text(textwrap.dedent(code), "utf-8")
        target = f"python:bad_{name}:connect"
        done = command(verb, target, cwd=tmp_path)
        assert done.returncode == ExitCode.USAGE, done.stderr
        assert said in done.stderr
        assert target in done.stderr.splitlines()[0]
        assert not done.stdout
        assert sorted(p.suffix for p in tmp_path.iterdir() if p.name != "__pycache__") == [".py"]

    @pytest.mark.parametrize("target", ["nonsense", "python:", "python:os", "mutant:nonsense", ""])
    def test_a_target_that_is_none_is_refused(self, target: str, capsys: Capture) -> None:
        """A text that names no target says which texts do."""
        assert cli.main(["smoke", target]) == ExitCode.USAGE
        assert f"target {target!r}" in capsys.readouterr().err


SLOW_STORE = """
import pathlib, time
from onewinner.stores import memory
def connect(location, *, clock):
    pathlib.Path({mark!r}).touch()
    time.sleep(60)
    return memory.connect(location, clock=clock)
"""


class TestSignals:
    @pytest.mark.parametrize(
        ("number", "name"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C")]
    )
    def test_a_signal_ends_a_run_with_its_clean_up(
        self, tmp_path: Path, number: signal.Signals, name: str
    ) -> None:
        """A stopped run answers 2, says why, and leaves no process and no directory."""
        mark, scratch = tmp_path / "mark", tmp_path / "scratch"
        scratch.mkdir()
        (tmp_path / "slow.py").write_text(SLOW_STORE.format(mark=str(mark)), "utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "onewinner", "verify", "python:slow:connect"],
            stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(scratch)}, start_new_session=True,
        )  # fmt: skip
        try:
            for _ in range(500):
                if mark.exists():
                    break
                sleep(0.1)
            process.send_signal(number)
            # The pipe ends only when the children that hold it have ended too.
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == ExitCode.INTERRUPTED, err
        assert f"onewinner: interrupted ({name}); there is no verdict" in err
        assert list(scratch.iterdir()) == []

    def test_handlers_are_put_back(self, judged: Any) -> None:
        """A caller of `main` keeps its own handlers."""
        before = signal.getsignal(signal.SIGTERM)
        judged(run())
        cli.main(["verify", "sqlite"])
        assert signal.getsignal(signal.SIGTERM) == before


class TestRealRuns:
    def test_smoke_of_a_reference_store(self) -> None:
        """The adapter of a reference store is sound, and that is said in one line."""
        done = command("smoke", "memory")
        assert done.returncode == ExitCode.CONFORMS, done.stderr
        assert done.stdout.splitlines()[-1].startswith(
            "onewinner: memory answers as an adapter must ("
        )

    def test_a_selection_of_a_reference_store(self, tmp_path: Path) -> None:
        """A clause that holds is green end to end, and the line claims no more than that."""
        path = tmp_path / "r.json"
        done = command("verify", "memory", "-k", "INPUT-2", "--json", str(path))
        assert done.returncode == ExitCode.CONFORMS, done.stderr
        assert "memory passes what was selected, 1 of the " in done.stdout.splitlines()[-1]
        assert json.loads(path.read_text("utf-8"))["complete"] is False

    def test_a_selection_that_does_not_apply_ran_nothing(self) -> None:
        """Asking a store of threads for a clause of processes is exit 5, not green."""
        done = command("verify", "memory", "-k", "CLAIM-6")
        assert done.returncode == ExitCode.NOTHING_RAN, done.stderr

    def test_a_broken_store_is_told_so_that_anyone_can_see_it(self, tmp_path: Path) -> None:
        """A violation is exit 1, and both the program and the command that are printed show it."""
        done = command("verify", "mutant:claim-always-true", "-k", "CLAIM-2", "--quiet")
        assert done.returncode == ExitCode.VIOLATION, done.stderr
        assert "\nFAIL CLAIM-2  " in done.stdout
        again = re.search(r"^Reproduce:  onewinner (.*)$", done.stdout, re.MULTILINE)
        program = re.search(r"^# --- a program.*^# --- end$", done.stdout, re.MULTILINE | re.DOTALL)
        assert again
        assert program
        assert command(*shlex.split(again[1]), "--quiet").returncode == ExitCode.VIOLATION
        shown = subprocess.run(
            [sys.executable, "-c", program[0]], capture_output=True, text=True, check=False
        )
        assert shown.stderr.splitlines()[-1].startswith("AssertionError"), shown.stderr
