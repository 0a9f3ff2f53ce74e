"""Level crash in real time: the wall clock of a store's processes is stepped, and what is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import store_commands
from onewinner.adapters.targets import Target
from onewinner.clock import SystemClock, monotonic_ns, sleep, wall_ns
from onewinner.contract import Capabilities
from onewinner.contract.clauses import CLAUSES
from onewinner.runner import Child, faketime, process
from onewinner.schedule import crew
from onewinner.suite import clock_steps
from onewinner.suite.faults import run_fault
from onewinner.suite.registry import checks_for
from onewinner.suite.tree import Status
from onewinner.worker.child import RETURNED

if TYPE_CHECKING:
    from onewinner.suite.tree import CheckResult

HOUR_NS = 3_600_000_000_000
FORTH = "after the clock was set forth by 3 h"
BACK = "after the clock was set back by 3 h"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="n/a: a wall clock is stepped on Linux only"
)
needs_library = pytest.mark.skipif(
    faketime.library() is None, reason=f"libfaketime is not there; {faketime.HOW_TO_GET}"
)


def judged(name: str, tmp_path: Path, **more: Any) -> dict[str, CheckResult]:
    """Run the check on a target, and answer what it found by clause."""
    target = Target(name, faults=str(tmp_path / "faults"), **more)
    (tmp_path / "first").mkdir()
    backend = target.connect(str(tmp_path / "first"), SystemClock())
    backend.close()
    (tmp_path / "run").mkdir()
    found = run_fault(
        "clock-steps",
        target,
        backend.capabilities,
        run_dir=tmp_path / "run",
        budget_s=3,
        seed=1,
    )
    return {each.clause: each for each in found}


def story(found: CheckResult) -> str:
    """Answer what happened, as it is told."""
    assert found.violation is not None
    return "\n".join(found.violation.happened)


@needs_library
class TestRightStores:
    def test_the_reference_store_on_the_wall_clock_passes(self, tmp_path: Path) -> None:
        """It passes both clauses, and the pass says what was done to it."""
        found = judged("python:clock_stores:RealBackend", tmp_path)
        assert {each.reason for each in found.values()} == {""}
        assert {name: each.status for name, each in found.items()} == {
            "TTL-8": Status.PASS,
            "EVICT-2": Status.PASS,
        }
        told = found["TTL-8"].evidence
        assert told["clock steps"] == 6
        assert str(told["swept"]).startswith(
            "the wall clock of the store's processes was stepped by +3, -3, -3, +3, -3, +6 hours: "
            "4 rows expired by it, "
        )

    def test_a_store_that_only_claims_passes(self, tmp_path: Path) -> None:
        """Where nothing can be read, claims tell who holds a key."""
        found = judged("python:clock_stores:FewBackend", tmp_path)
        assert {name: each.status for name, each in found.items()} == {"TTL-8": Status.PASS}

    def test_a_store_may_sleep(self, tmp_path: Path) -> None:
        """The library lets no sleep of a Python store fail: the kit's processes are mended."""
        found = judged("python:clock_stores:SleepingBackend", tmp_path)
        assert {each.status for each in found.values()} == {Status.PASS}

    @pytest.mark.parametrize("language", store_commands.LANGUAGES)
    def test_commands_that_read_their_own_clock_pass(self, language: str, tmp_path: Path) -> None:
        """CPython, Node.js and Rust, linked dynamically, are reached."""
        if (lacking := store_commands.missing(language)) is not None:
            pytest.skip(lacking)
        found = judged(store_commands.on_its_own_clock(language, tmp_path), tmp_path)
        assert {name: each.reason for name, each in found.items()} == {"TTL-8": ""}
        assert found["TTL-8"].status is Status.PASS


@needs_library
class TestWrongStores:
    @pytest.mark.parametrize(
        ("store", "clause", "summary", "told"),
        [
            (
                "Deadline",
                "TTL-8",
                f"the key 's0' is held for one process and free for the other {FORTH}",
                "p0: register_if_absent('s0', 'value of s0') -> False",
            ),
            (
                "Future",
                "TTL-8",
                f"the key 's0' is held, and its claim is not refused {BACK}",
                "the wall clock is stepped by -10,800,000 ms",
            ),
            (
                "Raising",
                "TTL-8",
                f"the row on 's0' is not read as it was written {BACK}",
                "raised ValueError",
            ),
            (
                "Oldest",
                "EVICT-2",
                f"the key 'fresh 00' is held, and its claim is not refused {BACK}",
                "p0: register_if_absent('b', 'value of b') -> True",
            ),
        ],
    )
    def test_each_is_flagged_by_its_clause(
        self, store: str, clause: str, summary: str, told: str, tmp_path: Path
    ) -> None:
        """What a step breaks is told, with the step in the story."""
        found = judged(f"python:clock_stores:{store}Backend", tmp_path)[clause]
        assert (found.status, found.reason) == (Status.FAIL, summary)
        assert told in story(found)
        assert "the wall clock is stepped by" in story(found)

    def test_what_was_not_looked_at_is_not_said_to_pass(self, tmp_path: Path) -> None:
        """Where TTL-8 is broken nothing was evicted, and EVICT-2 is not shown green."""
        found = judged("python:clock_stores:FutureBackend", tmp_path)
        assert found["EVICT-2"].status is Status.NA

    def test_a_command_is_flagged_too(self, tmp_path: Path) -> None:
        """A store in Node.js that does not see rows of the future loses them by a step back."""
        if (lacking := store_commands.missing("node")) is not None:
            pytest.skip(lacking)
        change = ("return row.expiresAt === null", "return row.createdAt <= now && !row.expiresAt")
        found = judged(store_commands.on_its_own_clock("node", tmp_path, change), tmp_path)
        assert found["TTL-8"].status is Status.FAIL
        assert "after the clock was set back by 3 h" in found["TTL-8"].reason

    def test_a_hang_is_an_error_with_its_call(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who waits for a clock that was set back does not return; the call and the step are named.

        The patience is cut, for else the test would take all of it.
        """
        monkeypatch.setattr(crew, "PATIENCE_S", 3.0)
        found = judged("python:clock_stores:PatientBackend", tmp_path)["TTL-8"]
        assert found.status is Status.ERROR
        assert "after the clock was set back by 3 h: its call did not return" in found.reason


@needs_library
class TestUntold:
    def test_a_store_on_the_monotonic_clock_is_not_judged(self, tmp_path: Path) -> None:
        """A clock that cannot be set is nobody's mistake, and no pass either."""
        found = judged("python:clock_stores:MonotonicBackend", tmp_path)
        assert found["TTL-8"].status is Status.UNTESTED
        assert "the store lives by another clock" in found["TTL-8"].reason
        assert found["EVICT-2"].status is Status.NA

    def test_a_static_program_is_not_judged(self, tmp_path: Path) -> None:
        """The library is not loaded into a static program, which is seen, and said."""
        if (lacking := store_commands.missing("rust")) is not None:
            pytest.skip(lacking)
        static = ("-C", "target-feature=+crt-static")
        name = store_commands.on_its_own_clock("rust", tmp_path, rustc=static)
        found = judged(name, tmp_path)["TTL-8"]
        assert found.status is Status.UNTESTED
        assert "libfaketime is not loaded into the store's process" in found.reason

    def test_who_talks_to_others_is_not_accused(self, tmp_path: Path) -> None:
        """Behind a socket there may be a clock that was not stepped, so nothing is certain."""
        found = judged("python:clock_stores:ConnectedBackend", tmp_path)["TTL-8"]
        assert found.status is Status.UNTESTED
        assert "the clock of those was not stepped" in found.reason

    def test_a_clock_that_somebody_else_set_proves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the machine's own clock moved meanwhile, a wrong answer may be due to that."""
        times = iter(range(0, 10**18, 600 * 10**9))
        monkeypatch.setattr(clock_steps, "wall_ns", lambda: next(times))
        found = judged("python:clock_stores:FutureBackend", tmp_path)["TTL-8"]
        assert found.status is Status.UNTESTED
        assert "its own clock was set" in found.reason

    def test_a_failure_is_not_the_library_s(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the library makes sleeping fail in CPython, a command in it is not accused."""
        monkeypatch.setattr(faketime, "_SLEEP", "raise OSError")
        born = "row is not None and now >= row['createdAt'] and"
        change = ("live = row is not None and", f"live = {born}")
        found = judged(store_commands.on_its_own_clock("python", tmp_path, change), tmp_path)
        assert found["TTL-8"].status is Status.UNTESTED
        assert "makes sleeping fail in CPython" in found["TTL-8"].reason


class TestWithoutSteps:
    def test_a_server_is_left_out(self, tmp_path: Path) -> None:
        """The time of a client of a server is not its own."""
        found = judged("python:clock_stores:RealBackend", tmp_path, location=str(tmp_path))
        assert {each.status for each in found.values()} == {Status.NA}

    def test_without_the_library_it_is_said_how_to_get_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A machine without libfaketime shows no pass, and what to install."""
        monkeypatch.setattr(clock_steps.faketime, "library", lambda: None)
        found = judged("python:clock_stores:RealBackend", tmp_path)
        assert found["TTL-8"].status is Status.UNTESTED
        assert "apt-get install libfaketime" in found["TTL-8"].reason
        assert found["EVICT-2"].status is Status.NA


def test_stores_in_virtual_time_have_no_need_of_it() -> None:
    """The check is for stores that have a clock of their own; the others have cases."""
    names = {
        virtual: {check.name for check in checks_for("crash", Capabilities(virtual_clock=virtual))}
        for virtual in (True, False)
    }
    assert "clock-steps" in names[False] - names[True]
    assert "clock_set_back_keeps_what_is_held" in names[True] - names[False]


def tell_times(send: Any, receive: Any) -> None:
    """Tell both clocks each time that it is asked to, until it is told None."""
    while receive() is not None:
        sleep(0.001)
        send((monotonic_ns(), wall_ns()))


class TestClock:
    @needs_library
    def test_it_moves_the_wall_clock_alone(self, tmp_path: Path) -> None:
        """In a child the wall clock is ahead or behind, and the monotonic clock is the kit's."""
        library = faketime.library()
        assert library is not None
        with (
            faketime.SteppedClock(library, tmp_path) as clock,
            Child(
                tell_times, (), name="child", takes_orders=True, environment=clock.environment
            ) as child,
        ):
            clock.given_to([child.pid])
            for by_ms, ahead in ((0, 0), (7_200_000, 2), (-10_800_000, -1)):
                clock.step(by_ms)
                before, wall = monotonic_ns(), wall_ns()
                child.tell(True)
                (monotonic, moved) = _said(child)
                after = monotonic_ns()
                assert before < monotonic < after
                assert 0 <= moved - wall - ahead * HOUR_NS <= after - before + 10_000_000
            assert faketime.follows(child.pid)
            assert not faketime.follows(os.getpid())
            child.tell(None)
        assert list(Path("/dev/shm").glob(f"*faketime*_{child.pid}")) == []
        assert "FAKETIME_TIMESTAMP_FILE" not in os.environ

    def test_what_was_there_before_is_loaded_too(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another library that is to be loaded first is kept, and so is the environment."""
        monkeypatch.setenv("LD_PRELOAD", "other.so")
        clock = faketime.SteppedClock(Path("lib.so"), tmp_path)
        assert clock.environment["LD_PRELOAD"] == "lib.so:other.so"
        with process._variables(clock.environment):
            assert os.environ["LD_PRELOAD"] == "lib.so:other.so"
        assert os.environ["LD_PRELOAD"] == "other.so"

    @needs_library
    def test_a_kit_that_is_killed_leaves_nothing_of_it(self, tmp_path: Path) -> None:
        """What the library keeps in shared memory is removed also where the kit is killed -9."""
        program = (
            "import sys, pathlib, test_clock_steps as t\n"
            "from onewinner.runner import Child, faketime\n"
            "clock = faketime.SteppedClock(faketime.library(), pathlib.Path(sys.argv[1]))\n"
            "child = Child(t.tell_times, (), name='c', takes_orders=True, "
            "environment=clock.environment)\n"
            "child.tell(True)\n"
            "t._said(child)\n"
            "clock.given_to([child.pid])\n"
            "print(child.pid, flush=True)\n"
            "sys.stdin.read()\n"
        )
        kit = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parent,
            text=True,
        )
        with kit:
            assert kit.stdout is not None
            child = int(kit.stdout.readline())
            kit.send_signal(signal.SIGKILL)
        left = [Path(f"/dev/shm/{name}_{child}") for name in ("faketime_shm", "sem.faketime_sem")]
        until_ns = monotonic_ns() + 20 * 10**9
        while any(each.exists() for each in left) and monotonic_ns() < until_ns:
            sleep(0.01)
        assert [each for each in left if each.exists()] == []


def _said(child: Child) -> tuple[int, int]:
    """Wait for what a child says next."""
    while True:
        process.wait_readable([child], 0.1)
        for kind, item in child.receive():
            assert kind != RETURNED
            if kind == process.child.MESSAGE:
                times: tuple[int, int] = item
                return times


def test_the_clause_applies_in_real_time() -> None:
    """TTL-8 applies to a store that has its own clock, and asks for a TTL."""
    assert CLAUSES["TTL-8"].missing(Capabilities()) is None
    assert CLAUSES["TTL-8"].missing(replace(Capabilities(), ttl_unit_ms=None)) is not None
