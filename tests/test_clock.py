"""Clocks: real time, virtual time, and virtual time that processes share."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from onewinner.clock import (
    Clock,
    ManualClock,
    SharedClock,
    SystemClock,
    cpu_ns,
    monotonic_ns,
    virtual_start_ms,
    wall_ns,
)

if TYPE_CHECKING:
    from pathlib import Path

READER = """
import sys
from onewinner.clock import SharedClock
clock = SharedClock(sys.argv[1])
for line in sys.stdin:
    print(clock.now_ms(), flush=True)
"""


@pytest.mark.parametrize("kind", ["system", "manual", "shared"])
def test_every_clock_is_a_clock(kind: str, tmp_path: Path) -> None:
    """All three answer integer milliseconds and are what a store may be given."""
    clocks = {
        "system": SystemClock,
        "manual": ManualClock,
        "shared": lambda: SharedClock(tmp_path / "clock", start_ms=0),
    }
    clock = clocks[kind]()
    assert isinstance(clock, Clock)
    assert type(clock.now_ms()) is int


def test_the_system_clock_tells_unix_time() -> None:
    """The system clock lies between two readings of the wall clock, in milliseconds."""
    before = wall_ns() // 1_000_000
    now = SystemClock().now_ms()
    assert before <= now <= wall_ns() // 1_000_000


def test_the_kits_clock_never_goes_back() -> None:
    """Stamps of one process are in order."""
    stamps = [monotonic_ns() for _ in range(1_000)]
    assert stamps == sorted(stamps)
    assert cpu_ns() > 0


def test_virtual_time_stands_still_until_it_is_moved() -> None:
    """A manual clock moves by what it is told, backwards too."""
    clock = ManualClock(50)
    assert [clock.now_ms(), clock.now_ms()] == [50, 50]
    assert [clock.advance(7), clock.now_ms(), clock.advance(-10)] == [57, 57, 47]


def test_no_step_of_parallel_movers_is_lost() -> None:
    """A manual clock that threads move together has made every step."""
    clock = ManualClock(0)
    movers = [
        threading.Thread(target=lambda: [clock.advance(1) for _ in range(500)]) for _ in range(4)
    ]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join()
    assert clock.now_ms() == 2_000


class TestSharedClock:
    def test_a_pickled_clock_is_the_same_clock(self, tmp_path: Path) -> None:
        """What arrives in another process reads the same cell, and does not reset it."""
        clock = SharedClock(tmp_path / "clock", start_ms=10)
        clock.advance(5)
        other = pickle.loads(pickle.dumps(clock))
        assert other.now_ms() == 15
        clock.advance(-20)
        assert other.now_ms() == -5

    def test_another_process_sees_every_step(self, tmp_path: Path) -> None:
        """A step is seen by a process that mapped the file before the step was made."""
        path = tmp_path / "clock"
        clock = SharedClock(path, start_ms=1_000)
        with subprocess.Popen(
            [sys.executable, "-c", READER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as reader:
            seen = []
            for step in (0, 1, 250, -3, 2**40):
                expected = clock.advance(step)
                print("?", file=reader.stdin, flush=True)
                seen.append((int(reader.stdout.readline()), expected))
            reader.stdin.close()
            assert reader.wait(30) == 0
        assert [now for now, _ in seen] == [expected for _, expected in seen]

    def test_a_clock_that_was_not_made_is_an_error(self, tmp_path: Path) -> None:
        """A worker that is given a wrong path fails at once instead of telling its own time."""
        with pytest.raises(FileNotFoundError):
            SharedClock(tmp_path / "nowhere")


@pytest.mark.parametrize("unit_ms", [None, 1, 10, 1_000, 60_000, 3_600_000])
def test_virtual_time_begins_at_a_whole_unit(unit_ms: int | None) -> None:
    """A store that rounds to whole units of the clock rounds nothing away there."""
    assert virtual_start_ms(unit_ms) % (unit_ms or 1) == 0
    assert 0 <= 1_700_000_000_000 - virtual_start_ms(unit_ms) < (unit_ms or 1)
