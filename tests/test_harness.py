"""A kit that is killed leaves nothing behind, and no run takes more than its share."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import store_commands
import unruly
from kits import descendants, descriptors, gone, until
from onewinner import generator
from onewinner.adapters.targets import Target
from onewinner.clock import SystemClock
from onewinner.runner import Block, WorkerLost, WorkerPool, call_in_child
from onewinner.runner.guardian import Guardian
from onewinner.schedule.crew import Crew
from onewinner.schedule.ptrace import ptrace_refusal
from onewinner.suite.engine import Options, verify
from onewinner.suite.scratch import scratch_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.worker.order import Part

HERE = Path(__file__).parent
pytestmark = pytest.mark.xdist_group("onewinner-stress")  # one race at a time
FAR = 1_100
"""More descriptors than select(2) can name."""


@contextmanager
def kit(*words: str, tmp: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a kit in a process of its own, with its temporary files in `tmp`.

    Tests that ran in this process before may have told Hypothesis where its files shall be.
    """
    told = {name: value for name, value in os.environ.items() if not name.startswith("HYPOTHESIS")}
    with subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**told, "TMPDIR": str(tmp)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def scratches(tmp: Path) -> list[Path]:
    """Answer the directories of runs."""
    return list(tmp.glob("onewinner-*"))


def nothing(_: object) -> None:
    """Ignore a message."""


class TestKilledKit:
    @pytest.mark.parametrize(
        ("clause", "sign", "children"),
        [
            ("CLAIM-6", "schedules-on-processes/store/*", 3),
            ("CLAIM-8", "**/board", 2),
            ("READ-4", "at-*", 1),
        ],
        ids=["sweep", "race", "program"],
    )
    def test_nothing_is_left(self, tmp_path: Path, clause: str, sign: str, children: int) -> None:
        """A kit that is killed -9 takes all that it started with it, wherever it was."""
        words = ("-m", "onewinner", "verify", "sqlite", "-k", clause, "--quiet")
        with kit(*words, tmp=tmp_path) as process:
            assert until(lambda: list(tmp_path.glob(f"onewinner-*/{sign}")))
            # Beside the children: the guard, and the resource tracker of multiprocess.
            assert until(lambda: len(descendants(process.pid)) >= 2 + children)
            started = descendants(process.pid)
            process.kill()
        assert gone(started) == []
        assert until(lambda: not scratches(tmp_path))

    @pytest.mark.parametrize("what", ["held", "copies", "grandchild"])
    def test_nobody_is_left_who_cannot_notice(self, tmp_path: Path, what: str) -> None:
        """What is held or waits ends with the kit, and so does what a child started."""
        if what == "copies" and (refusal := ptrace_refusal()) is not None:
            pytest.skip(f"n/a: {refusal}")
        with kit(str(HERE / "kits.py"), what, tmp=tmp_path) as process:
            assert process.stdout is not None
            pids = list(map(int, process.stdout.readline().split()))
            assert pids
            started = descendants(process.pid)
            assert set(pids) <= set(started)
            process.kill()
        assert gone(started) == []

    def test_a_fork_of_the_kit_does_not_keep_the_guard_waiting(self, tmp_path: Path) -> None:
        """What belongs to a killed kit goes though a forked process holds its descriptors."""
        with kit(str(HERE / "kits.py"), "forked", tmp=tmp_path) as process:
            assert process.stdout is not None
            copy, path = process.stdout.readline().split()
            process.kill()
            try:
                assert until(lambda: not Path(path).exists())
            finally:
                os.kill(int(copy), signal.SIGKILL)

    def test_a_killed_guard_is_replaced(self, tmp_path: Path) -> None:
        """A guard that dies is replaced by one that knows all that the first was told."""
        guardian = Guardian()
        directories = [tmp_path / name for name in ("first", "second")]
        for directory in directories:
            directory.mkdir()
            guardian.entrust(f"d{os.fsencode(directory).hex()}")
            before = guardian.pid
            assert before is not None
            if directory is directories[0]:
                os.kill(before, signal.SIGKILL)
                assert gone([before]) == []
        assert guardian.pid is not None
        os.close(guardian._input)
        os.waitpid(guardian.pid, 0)
        assert [directory.exists() for directory in directories] == [False, False]


class TestScratch:
    def test_a_later_run_removes_what_nobody_could(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the guard was killed with its kit, the next run removes the directory."""
        with kit(str(HERE / "kits.py"), "forked", tmp=tmp_path) as process:
            assert process.stdout is not None
            copy, path = process.stdout.readline().split()
            killed = {*descendants(process.pid), int(copy)}
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            process.kill()
        assert gone(killed) == []
        assert Path(path).exists()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        with scratch_directory() as mine:
            assert scratches(tmp_path) == [Path(mine)]
        assert scratches(tmp_path) == []

    def test_what_others_use_is_left_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No run removes the directory of one that is under way, nor one that is not a run's."""
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        stranger = tmp_path / "onewinner-notes"
        stranger.mkdir()
        with scratch_directory() as first, scratch_directory() as second:
            assert {*scratches(tmp_path)} == {stranger, Path(first), Path(second)}
        assert scratches(tmp_path) == [stranger]


class TestDescriptors:
    def test_a_long_run_takes_no_more_than_a_short_one(self) -> None:
        """A whole run has a bounded number of descriptors open, and gives all of them back."""
        call_in_child(unruly.count, 1, on_message=nothing, silence_s=60)  # starts what stays
        before, seen = descriptors(), [0]
        options = Options(select=("CLAIM-5",), budget_s=1)
        verify(Target("sqlite"), options, on_progress=lambda _: seen.append(descriptors()))
        assert max(seen) - before <= 32
        assert descriptors() == before

    def test_high_numbers_are_as_good_as_low_ones(self, tmp_path: Path) -> None:
        """Children, pools, crews and commands work where descriptors are above 1024."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 2 * FAR:
            pytest.skip(f"n/a: the limit of descriptors is {hard}, {2 * FAR} are needed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * FAR), hard))
        taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(FAR)]
        try:
            assert max(taken) > 1024
            _use_everything(tmp_path)
        finally:
            for descriptor in taken:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _use_everything(home: Path) -> None:
    heard: list[Any] = []
    call_in_child(unruly.count, 3, on_message=heard.append, silence_s=60)
    assert heard == [0, 1, 2]
    claim = generator.Call("register_if_absent", "p", "n", "k", 1)
    clock, target = SystemClock(), Target("sqlite")
    with WorkerPool(target, processes=2, threads=1, run_dir=home, clock=clock) as pool:
        rounds = (generator.Round(volley=((claim,), (claim,))),)
        assert len(pool.play(Block(rounds=rounds, crew=(0, 1))).operations) >= 2
    for name in ("sqlite", store_commands.target("python", home)):
        place = home / name.partition(":")[0]
        place.mkdir()
        with Crew(
            Target(name), location=str(place), clock=clock, claimants=2, processes=True
        ) as crew:
            answers = [str(claimant.make(claim)) for claimant in crew.claimants]
            assert ["Ok(result=True)" in each for each in answers] == [True, False]


def raise_in_one_client(location: str, *, clock: Any) -> Any:
    """Be a target in whose presence the harness itself fails for one client of two."""
    from onewinner.stores.memory import connect
    from onewinner.worker.race import Client

    whole = Client._fire

    def fire(self: Client, index: int, part: Part, acts: Any) -> None:
        if self.number == 1:
            raise LookupError("nothing there")
        whole(self, index, part, acts)

    Client._fire = fire  # type: ignore[method-assign]
    return connect(location, clock=clock)


class TestWatch:
    def test_what_one_client_raises_ends_the_block(self, tmp_path: Path) -> None:
        """A client on a thread that fails ends the block at once: the others wait for it."""
        claim = generator.Call("register_if_absent", "p", "n", "k", 1)
        target = Target("python:test_harness:raise_in_one_client")
        rounds = (generator.Round(volley=((claim,), (claim,))),)
        with (
            pytest.raises(WorkerLost, match="raised LookupError: nothing there") as lost,
            WorkerPool(
                target, processes=1, threads=2, run_dir=tmp_path, clock=SystemClock(), patience_s=60
            ) as pool,
        ):
            pool.play(Block(rounds=rounds, crew=(0, 0)))
        assert not lost.value.hung
