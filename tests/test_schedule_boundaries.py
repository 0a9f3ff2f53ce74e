"""System calls and client calls of Python targets are points too: races are found there."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tcp_claims
from onewinner.adapters.targets import Target
from onewinner.clock import sleep
from onewinner.contract.clauses import CLAUSES
from onewinner.generator import Call
from onewinner.schedule import choice as choices
from onewinner.schedule import crew as crews
from onewinner.schedule import ptrace, traced
from onewinner.schedule.choice import choice
from onewinner.schedule.claimant import Died, Held, Point, Returned
from onewinner.schedule.scenarios import scenarios
from onewinner.schedule.sweep import Segment
from onewinner.suite.again import replayed
from onewinner.suite.engine import probe
from onewinner.suite.held import bad_of
from onewinner.suite.orders import Judge
from onewinner.suite.replay import read_token
from onewinner.suite.schedules import Sweeps, crew_for, run_schedules, swept
from onewinner.suite.tree import ExitCode, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Capabilities
    from onewinner.schedule.gate import Boundary
    from onewinner.schedule.sweep import Stage
    from onewinner.suite.tree import CheckResult

HERE = Path(__file__).parent
FOR_EVER_S = 60.0
REFUSED = "system calls cannot be traced here: ptrace was refused (EPERM)"
OPAQUE = (
    "schedules-on-processes: held at system calls: its calls make no statement and run no line of "
    "its own Python code"
)
CLIENT = (
    "schedules-on-processes: held at client calls: it was given with an address, and its calls "
    "send something there"
)
FILE_ROWS = "python:onewinner.mutants.file_rows:FileRowsBackend"


def capabilities_of(target: Target, tmp_path: Path) -> Capabilities:
    """Answer what a target declares."""
    return probe(target, tmp_path)


class Set:
    """A crew of processes on one target, and stages for it."""

    def __init__(self, stack: ExitStack, target: Target, home: Path) -> None:
        self.capabilities = capabilities_of(target, home)
        place = home / "set"
        place.mkdir()
        self.crew, self.clock = crew_for(stack, target, self.capabilities, place, processes=True)
        self.sweeps = Sweeps(target, self.capabilities, place, True, frozenset(CLAUSES))

    def stage(self, name: str = "fresh", boundary: Boundary = "syscall") -> Stage:
        """Answer a stage for a scenario."""
        (scenario,) = (each for each in scenarios(self.capabilities) if each.name == name)
        return self.sweeps.stage(self.crew, self.clock, scenario, boundary)


@contextmanager
def opened(name: str, home: Path, location: str | None = None) -> Iterator[Set]:
    """A crew that ends with the block."""
    with ExitStack() as stack:
        yield Set(stack, Target(name, location=location), home)


def swept_by(
    name: str,
    home: Path,
    *,
    processes: bool = True,
    location: str | None = None,
    budget_s: float = FOR_EVER_S,
) -> dict[str, CheckResult]:
    """Sweep a target as `verify` does; answer the results by clause."""
    target = Target(name, location=location)
    found = run_schedules(
        target,
        capabilities_of(target, home),
        run_dir=home,
        processes=processes,
        budget_s=budget_s,
        chosen={"CLAIM-5", "CLAIM-6", "ERR-2", "ERR-3"},
    )
    return {each.clause: each for each in found}


@pytest.fixture
def _refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ptrace, "ptrace_refusal", lambda: REFUSED)


@pytest.fixture
def _traced() -> None:
    if (refusal := ptrace.ptrace_refusal()) is not None:
        pytest.skip(refusal)


@pytest.mark.usefixtures("_traced")
def states(pid: int) -> list[str]:
    """Answer the scheduler's letters for the threads of a process."""
    stats = [path.read_text("ascii") for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return [stat.rpartition(")")[2].split()[0] for stat in stats]


class TestSystemCalls:
    def test_a_look_before_a_write_is_found_between_the_two(self, tmp_path: Path) -> None:
        """A store that shows nothing but its system calls is held at them, and its race is seen."""
        found = swept_by("python:opaque_stores:RacyBackend", tmp_path)["CLAIM-6"]
        assert found.status is Status.FAIL
        assert found.violation is not None
        assert found.violation.summary.startswith("2 claims of the key 'k' won (fresh, processes)")
        assert found.violation.happened[:3] == (
            found.violation.happened[0],
            "p1: register_if_absent('k', 'r') -> True",
            "p0: goes on -> True",
        )
        assert "is held before `openat KEY`" in found.violation.happened[0]
        assert "and `openat KEY`: 1 of " in found.violation.happened[4]
        assert found.notes == (OPAQUE,)

    def test_the_token_repeats_it(self, tmp_path: Path) -> None:
        """The violation is seen again each time that its token is replayed."""
        found = swept_by("python:opaque_stores:RacyBackend", tmp_path)["CLAIM-6"]
        assert found.violation is not None
        token = read_token(found.violation.reproduce.split()[-1])
        assert token.boundary == "syscall"
        assert token.segments[0] == Segment(0, Point("openat KEY", 1))
        again = replayed(Target(token.target), token, 2)
        assert (again.wrong, again.exit_code) == (2, ExitCode.VIOLATION)

    def test_a_claim_in_one_step_passes(self, tmp_path: Path) -> None:
        """A correct store passes, and the pass says that it was held at system calls."""
        found = swept_by("python:opaque_stores:GoodBackend", tmp_path, budget_s=2)["CLAIM-6"]
        assert (found.status, found.violation) == (Status.PASS, None)
        assert "at system calls" in str(found.evidence["swept"])
        assert int(found.evidence["points"]) > 3

    def test_the_points_have_the_same_names_in_any_process(self, tmp_path: Path) -> None:
        """A point is called the same in every call, process and place: names hold no ids."""
        seen = []
        for number in range(2):
            home = tmp_path / f"{number}"
            home.mkdir()
            with opened("python:opaque_stores:GoodBackend", home) as each:
                stage = each.stage()
                seen += [stage.unheld().points[0] for _ in range(3)][1:]
        assert seen[1:] == seen[:-1]
        visible = {"openat", "write", "link", "unlink"}
        assert [each for each in seen[0] if each.name.split()[0] in visible] == [
            Point("openat KEY.#", 1),
            Point("write KEY.#", 1),
            Point("link KEY", 1),
            Point("unlink KEY.#", 1),
        ]

    def test_what_other_threads_do_counts(self, tmp_path: Path) -> None:
        """A store that has a thread of its own do the work is held there."""
        with opened("python:opaque_stores:ThreadedBackend", tmp_path) as each:
            stage = each.stage()
            names = [point.name for point in stage.unheld().points[0]]
            found = swept(stage, Judge(each.capabilities), 1, lambda: False)
        assert "openat KEY" in names
        assert found.bad is not None
        assert found.bad.summary == "2 claims of the key 'k' won"

    def test_who_is_held_stands_still(self, tmp_path: Path) -> None:
        """While a call is held every thread of its process is stopped, or sleeps in the kernel."""
        with opened("python:opaque_stores:ThreadedBackend", tmp_path) as each:
            stage = each.stage()
            stage.unheld()
            claimant = each.crew.claimants[0]
            claimant.begin(Call("register_if_absent", "p", "n", "k", 1), Point("openat KEY", 1))
            held = claimant.settle()
            letters = states(claimant._child.pid)
            for _ in range(5_000):  # who is inside a call that nobody notices stops behind it
                if set(letters) <= {"t", "S"}:
                    break
                sleep(0.002)
                letters = states(claimant._child.pid)
            claimant.resume()
            ended = claimant.finish()
        assert isinstance(held, Held)
        assert held.point == Point("openat KEY", 1)
        assert len(letters) > 2
        assert "t" in letters
        assert set(letters) <= {"t", "S"}
        assert isinstance(ended, Returned)

    def test_who_waits_for_a_lock_is_seen_to_wait(self, tmp_path: Path) -> None:
        """A rival that sleeps in flock waits for the one that is held; both return, and one won."""
        with opened(FILE_ROWS, tmp_path) as each:
            stage = each.stage()
            stage.unheld()
            ran = stage.run((Segment(0, Point("rename KEY.row", 1)), Segment(1), Segment(0)))
            bad = bad_of(ran, Judge(each.capabilities))
        assert (ran.waited, ran.reached, bad) == ((1,), True, None)

    def test_half_a_row_is_seen_at_system_calls_only(self, tmp_path: Path) -> None:
        """Between the system calls of one line of Python a reader finds an empty file."""
        with opened("mutant:torn-row", tmp_path) as each:
            judge = Judge(each.capabilities)
            found = {
                boundary: swept(
                    each.stage("reclaim against lookup", boundary), judge, 1, lambda: False
                ).bad
                for boundary in ("line", "syscall")
            }
        assert found["line"] is None
        assert found["syscall"] is not None
        assert "JSONDecodeError" in found["syscall"].summary

    def test_a_death_is_told(self, tmp_path: Path) -> None:
        """A traced process that kills itself is told as dead, and how; nothing waits for it."""
        with opened("python:opaque_stores:DyingBackend", tmp_path) as each:
            each.stage()
            claimant = each.crew.claimants[0]
            claimant.begin(Call("register_if_absent", "p", "n", "die", 1))
            died = claimant.finish()
        assert isinstance(died, Died)
        assert died.how == "its process was killed by SIGKILL"

    def test_a_hang_is_told_with_the_system_call(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A call that never returns ends with its process, and with what it waited in."""
        with opened("python:opaque_stores:DyingBackend", tmp_path) as each:
            each.stage()
            for module in (crews, traced):
                monkeypatch.setattr(module, "PATIENCE_S", 0.3)
            claimant = each.crew.claimants[0]
            claimant.begin(Call("register_if_absent", "p", "n", "hang", 1))
            died = claimant.finish()
        assert isinstance(died, Died)
        assert died.how.startswith("its call did not return within 0 s, in ")

    def test_nothing_is_left_behind(self, tmp_path: Path) -> None:
        """When a crew has been closed its processes are gone, one that was held too."""
        with opened("python:opaque_stores:GoodBackend", tmp_path) as each:
            each.stage()
            pids = [claimant._child.pid for claimant in each.crew.claimants]
            claimant = each.crew.claimants[0]
            claimant.begin(Call("register_if_absent", "p", "n", "k", 1), 1)
            assert isinstance(claimant.settle(), Held)
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    def test_a_deeper_pass_follows_the_lines(self, tmp_path: Path) -> None:
        """A file store with Python code of its own is swept at lines, then at system calls."""
        found = swept_by("mutant:exists-then-creates", tmp_path, budget_s=3)["CLAIM-6"]
        assert found.status is Status.FAIL
        assert "at lines of Python" in str(found.evidence["swept"])
        held = choice(lambda boundary: 5 * (boundary == "line"), processes=True, located=False)
        assert (held.boundary, held.deeper) == ("line", "syscall")


class TestClientCalls:
    @pytest.mark.parametrize(
        ("name", "processes", "status"),
        [
            ("RacyBackend", True, Status.FAIL),
            ("RacyBackend", False, Status.FAIL),
            ("AtomicBackend", True, Status.PASS),
            ("AtomicBackend", False, Status.PASS),
        ],
    )
    def test_a_server_is_held_at_its_requests(
        self, name: str, processes: bool, status: Status, tmp_path: Path
    ) -> None:
        """A look and a write in two requests are found out, a claim in one passes."""
        with tcp_claims.server() as address:
            all_found = swept_by(
                f"python:tcp_claims:{name}", tmp_path, processes=processes, location=address
            )
        found = all_found["CLAIM-6" if processes else "CLAIM-5"]
        assert found.status is status
        assert "at client calls" in str(found.evidence["swept"])
        assert found.evidence["points"] == (4 if status is Status.FAIL else 2)

    @pytest.mark.usefixtures("_traced")
    @pytest.mark.parametrize(
        ("name", "status"), [("RacyCBackend", Status.FAIL), ("AtomicCBackend", Status.PASS)]
    )
    def test_a_driver_in_c_is_held_as_well(self, name: str, status: Status, tmp_path: Path) -> None:
        """What goes past Python's sockets is seen from outside, at the same points."""
        with tcp_claims.server() as address:
            found = swept_by(f"python:tcp_claims:{name}", tmp_path, location=address)["CLAIM-6"]
        assert found.status is status
        assert "at client calls" in str(found.evidence["swept"])
        if found.violation is not None:
            assert found.violation.happened[0] == (
                "p0: register_if_absent('k', 'v') is held before `take answer` (point 2 of 4)"
            )

    def test_both_ways_of_seeing_them_show_the_same_points(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A token that was made with ptrace can be replayed without: the points are the same."""
        expected = (
            Point("send request", 1),
            Point("take answer", 1),
            Point("send request", 2),
            Point("take answer", 2),
        )
        for refusal in (ptrace.ptrace_refusal(), REFUSED):
            monkeypatch.setattr(ptrace, "ptrace_refusal", lambda refusal=refusal: refusal)
            home = tmp_path / f"{refusal is None}"
            home.mkdir(exist_ok=True)
            with (
                tcp_claims.server() as address,
                opened("python:tcp_claims:RacyBackend", home, address) as each,
            ):
                assert each.stage(boundary="client").unheld().points[0] == expected
            home.rename(tmp_path / f"done-{refusal is None}-{refusal is REFUSED}")

    @pytest.mark.usefixtures("_refused")
    def test_without_ptrace_pythons_sockets_are_left(self, tmp_path: Path) -> None:
        """Where tracing is refused the race is found all the same; a note says what is lost."""
        with tcp_claims.server() as address:
            found = swept_by("python:tcp_claims:RacyBackend", tmp_path, location=address)
        assert found["CLAIM-6"].status is Status.FAIL
        lost = f"client calls are seen at Python's own sockets only, for {REFUSED}"
        assert found["CLAIM-6"].notes == (CLIENT, f"schedules-on-processes: {lost}")


class TestChoice:
    @pytest.mark.parametrize(
        ("shown", "processes", "located", "boundary"),
        [
            ({"sql", "line", "syscall"}, True, False, "sql"),
            ({"sql", "client"}, True, True, "sql"),
            ({"line", "client", "syscall"}, True, True, "client"),
            ({"line", "syscall"}, True, True, "line"),
            ({"line", "client"}, True, False, "line"),
            ({"syscall"}, True, False, "syscall"),
            ({"syscall"}, False, False, "line"),
            (set(), True, False, "syscall"),
        ],
    )
    def test_what_a_target_shows_decides(
        self,
        shown: set[str],
        processes: bool,
        located: bool,
        boundary: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Statements, then client calls of what has an address, then lines, then system calls."""
        monkeypatch.setattr(ptrace, "ptrace_refusal", lambda: None)
        made = choice(lambda each: int(each in shown), processes=processes, located=located)
        assert made.boundary == boundary
        assert made.notes()[0].startswith(f"held at {choices.NAMES[boundary]}: ")

    @pytest.mark.usefixtures("_refused")
    def test_what_ptrace_would_have_shown_is_told(self) -> None:
        """Where tracing is refused each choice that suffers from it says so."""
        opaque = choice(lambda _: 0, processes=True, located=False)
        lines = choice(lambda each: int(each == "line"), processes=True, located=False)
        statements = choice(lambda each: int(each == "sql"), processes=True, located=False)
        assert (opaque.boundary, opaque.lost) == ("line", (f"not held at all: {REFUSED}",))
        assert lines.deeper is None
        assert lines.lost == (f"not held at system calls besides, for {REFUSED}",)
        assert statements.lost == ()


class TestWithoutPtrace:
    @pytest.mark.usefixtures("_refused")
    def test_an_opaque_store_is_untested_and_not_passed(self, tmp_path: Path) -> None:
        """A store that could not be held anywhere does not pass: its clause is untested."""
        found = swept_by("python:opaque_stores:RacyBackend", tmp_path)["CLAIM-6"]
        assert found.status is Status.UNTESTED
        assert f"schedules-on-processes: not held at all: {REFUSED}" in found.notes

    def test_a_sandbox_loses_no_more_than_it_must(self) -> None:
        """Under a seccomp profile that forbids ptrace the races are still found at lines."""
        done = subprocess.run(
            [sys.executable, str(HERE / "sandboxed.py"), "mutant:exists-then-creates"],
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "CLAIM-6 fail" in done.stdout
        assert "not held at system calls besides, for system calls cannot be traced" in done.stdout

    def test_a_process_that_forbids_it_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A kernel that refuses to trace these very processes makes a note, not a crash."""

        def refuse(_: int) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(ptrace, "ptrace_refusal", lambda: None)
        monkeypatch.setattr(ptrace, "seize", refuse)
        found = swept_by("python:opaque_stores:GoodBackend", tmp_path)["CLAIM-6"]
        assert found.status is Status.UNTESTED
        lost = "the claimants cannot be traced: Operation not permitted"
        assert f"schedules-on-processes: {lost}" in found.notes


class TestElsewhere:
    def test_nothing_fails_to_be_imported(self) -> None:
        """On a system without ptrace all modules can be imported, and say what is lost."""
        program = (
            "import os, sys, pkgutil, importlib, sysconfig, subprocess, multiprocess\n"
            "import onewinner.clock\n"
            "sysconfig.get_config_vars()\n"
            "sys.platform = 'darwin'\n"
            "for name in ('posix_spawn', 'waitid', 'WNOWAIT', 'CLD_DUMPED', 'P_PID'):\n"
            "    delattr(os, name)\n"
            "import onewinner.schedule as room\n"
            "for each in pkgutil.iter_modules(room.__path__):\n"
            "    importlib.import_module(f'onewinner.schedule.{each.name}')\n"
            "from onewinner.schedule.ptrace import ptrace_refusal\n"
            "print(ptrace_refusal())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout.startswith("system calls cannot be traced on darwin ")
