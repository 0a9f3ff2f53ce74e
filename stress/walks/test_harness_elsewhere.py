"""The kit where less is allowed: spawned, with xdist, untraced, on one processor, on macOS."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import store_commands
from kits import descendants, gone, until
from onewinner.adapters.targets import Target
from onewinner.suite.engine import Options, verify
from onewinner.suite.replay import Token
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

pytestmark = pytest.mark.xdist_group("onewinner-stress")  # one race at a time
HERE = Path(__file__).parents[2] / "tests"
CONSUMERS = ("verify", "sqlite", "-k", "DEL-4", "--quiet", "--budget", "1s")


def python(program: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program that may import what lies beside this file."""
    path = os.pathsep.join(filter(None, (more.pop("PYTHONPATH", ""), str(HERE))))
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "PYTHONPATH": path, **more},
        capture_output=True,
        check=False,
        text=True,
        timeout=110,
    )


def onewinner_after(preparation: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process that was prepared first."""
    program = f"import sys; {preparation}; from onewinner.cli import main; sys.exit(main())"
    return python(program, *words, **more)


def judge(answers: SimpleQueue[Any]) -> None:
    """Verify a store; the body of a spawned process."""
    result = verify(Target("memory"), Options(select=("CLAIM-1",), budget_s=1))
    answers.put(int(result.exit_code))


def test_a_spawned_process_can_be_a_kit() -> None:
    """A kit works in a process that was spawned, also as a daemon, which may have no children."""
    context = multiprocessing.get_context("spawn")
    answers: SimpleQueue[Any] = context.SimpleQueue()
    process = context.Process(target=judge, args=(answers,), daemon=True)
    process.start()
    process.join(110)
    assert process.exitcode == 0
    assert answers.get() == ExitCode.CONFORMS
    answers.close()


def test_a_killed_xdist_run_leaves_no_process(tmp_path: Path) -> None:
    """When pytest-xdist is killed -9, its workers' claimants are gone as well."""
    words = [
        *("-m", "pytest", "--pyargs", "onewinner.conformance", "-p", "no:cacheprovider"),
        *("--onewinner-target", "sqlite", "-n", "2", "-k", "CLAIM-8 or READ-4"),
        *("--basetemp", str(tmp_path / "base")),
    ]
    with subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        try:
            # Two workers, and beside them a guard, a resource tracker and two claimants at least.
            assert until(lambda: len(descendants(process.pid)) >= 6)
            started = descendants(process.pid)
        finally:
            process.kill()
    assert gone(started) == []


def test_without_ptrace() -> None:
    """A container that forbids ptrace changes no verdict."""
    done = onewinner_after("import sandboxed; sandboxed.forbid_ptrace()", *CONSUMERS)
    assert done.returncode == ExitCode.CONFORMS, done.stdout + done.stderr


ONE_PROCESSOR = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])"


def test_on_one_processor_a_run_says_so(tmp_path: Path) -> None:
    """On one processor a correct store conforms, and the report says what that is worth."""
    report = tmp_path / "report.json"
    done = onewinner_after(ONE_PROCESSOR, *CONSUMERS, "--json", str(report))
    assert done.returncode == ExitCode.CONFORMS, done.stdout + done.stderr
    assert "Note: one processor: claimants take turns" in done.stdout
    found = json.loads(report.read_text("utf-8"))
    assert found["cores"] == 1
    assert found["notes"][0].startswith("one processor: claimants take turns")


def test_on_one_processor_control_finds_what_luck_would_not() -> None:
    """On one processor a look before a write is found all the same."""
    words = ("verify", "mutant:lookup-then-register", "-k", "CLAIM-6", "-x", "--quiet")
    done = onewinner_after(ONE_PROCESSOR, *words)
    assert done.returncode == ExitCode.VIOLATION, done.stdout + done.stderr
    assert "Checks: schedules-on-processes" in done.stdout


@pytest.mark.parametrize(
    ("target", "clauses", "level"),
    [("memory", ("CLAIM-9", "TTL-1"), "thread"), ("sqlite", ("DEL-4",), "process")],
)
def test_where_linux_is_missed(target: str, clauses: tuple[str, ...], level: str) -> None:
    """Without /proc, prctl and what else only Linux has a store is judged, and the loss is told."""
    words = [word for clause in clauses for word in ("-k", clause)]
    done = onewinner_after(
        "assert sys.platform == 'darwin'",
        *("verify", target, *words, "--quiet", "--budget", "1s"),
        PYTHONPATH=str(HERE / "elsewhere"),
    )
    assert done.returncode == ExitCode.CONFORMS, done.stdout + done.stderr
    assert f"judges {target} at level {level}" in done.stdout
    assert "Note: schedules cannot be controlled here" in done.stdout


def test_where_linux_is_missed_children_end_with_the_kit(tmp_path: Path) -> None:
    """Without the kernel's death signal a child that hangs, and what it started, still ends."""
    path = os.pathsep.join((str(HERE / "elsewhere"), str(HERE)))
    with subprocess.Popen(
        [sys.executable, str(HERE / "kits.py"), "grandchild"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline())
        started = descendants(process.pid)
        process.kill()
    assert len(started) >= 3
    assert gone(started) == []


def test_where_linux_is_missed_a_replay_says_why_it_cannot_be() -> None:
    """A schedule cannot be repeated where nothing can be held, and the command says so."""
    token = Token(
        target="sqlite", scenario="fresh", processes=True, boundary="sql", segments=()
    ).text()
    done = onewinner_after("pass", "replay", token, PYTHONPATH=str(HERE / "elsewhere"))
    assert done.returncode == ExitCode.USAGE
    assert "schedules cannot be controlled here" in done.stderr


def test_where_linux_is_missed_a_command_answers_and_its_end_is_told() -> None:
    """A command is run without being held: its answers arrive, and so does how it ended."""
    for target, code, told in (
        (store_commands.target("python", HERE), ExitCode.CONFORMS, "of one key answered False"),
        ("exec:sh -c 'exit 3'", ExitCode.USAGE, "ended with exit code 3 before it answered"),
    ):
        done = onewinner_after("pass", "smoke", target, PYTHONPATH=str(HERE / "elsewhere"))
        assert done.returncode == code, done.stdout + done.stderr
        assert told in done.stdout + done.stderr
