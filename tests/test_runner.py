"""Children never hang the kit, never outlive it, and say how they ended."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import unruly
from onewinner import generator
from onewinner.adapters.targets import Target
from onewinner.clock import SystemClock, monotonic_ns, sleep
from onewinner.generator import Call, Round
from onewinner.history import Ok
from onewinner.runner import Block, ChildError, WorkerLost, WorkerPool, call_in_child
from onewinner.runner.process import HELD_UP_FACTOR, waits_for_machine

LONG_S = 60.0
HERE = Path(__file__).parent


def nothing(_: object) -> None:
    """Ignore a message."""


def gone(pid: int) -> bool:
    """Wait until a process is gone; a zombie that nobody reaped counts as gone."""
    until = monotonic_ns() + 30 * 10**9
    while monotonic_ns() < until:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("ascii")
        except OSError:
            return True
        if stat.rpartition(")")[2].split()[0] == "Z":
            return True
        sleep(0.01)
    return False


def descriptors() -> int:
    """Count the open descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


class TestCallInChild:
    def test_messages_arrive_in_order(self) -> None:
        """What the child sends is heard in order, and its answer comes with its end."""
        heard: list[object] = []
        ended = call_in_child(unruly.count, 2_000, on_message=heard.append, silence_s=LONG_S)
        assert list(range(2_000)) == heard
        assert (ended.how, ended.value, ended.last_message) == ("returned", 2_000, 1_999)

    def test_silence_is_ended(self) -> None:
        """A child that hangs is killed, and the stacks of its threads tell where it hung."""
        heard: list[int] = []
        ended = call_in_child(unruly.hang, on_message=heard.append, silence_s=0.3)
        assert ended.how == "silent"
        assert heard == [ended.last_message]
        assert any("in hang" in line for line in ended.stderr_tail)
        assert gone(heard[0])

    def test_sudden_exit_is_told(self) -> None:
        """A child that leaves in mid-work is told from one that returned, with its last lines."""
        ended = call_in_child(unruly.leave, on_message=nothing, silence_s=LONG_S)
        assert (ended.how, ended.exit_code, ended.last_message) == ("exited", 7, "here")
        assert "last words" in ended.stderr_tail
        assert "exit code 7" in ended.describe()

    def test_signal_is_named(self) -> None:
        """A child that dies of a signal is reported with the signal's name."""
        ended = call_in_child(unruly.crash, on_message=nothing, silence_s=LONG_S)
        assert (ended.how, ended.signal_name) == ("signalled", "SIGSEGV")
        assert "SIGSEGV" in ended.describe()

    @pytest.mark.parametrize(
        ("function", "last_line"),
        [
            (unruly.fail, "LookupError: nothing there"),
            (unruly.quit_politely, "SystemExit: 3"),
            (unruly.answer_a_lock, "TypeError: cannot pickle '_thread.lock' object"),
        ],
    )
    def test_exception_is_carried(self, function: object, last_line: str) -> None:
        """What the function raises, or cannot answer, comes back as text and not as a crash."""
        ended = call_in_child(function, on_message=nothing, silence_s=LONG_S)  # type: ignore[arg-type]
        assert ended.how == "raised"
        assert ended.error.strip().splitlines()[-1] == last_line
        assert last_line in ended.describe()

    def test_prints_stay_away(self, capfd: pytest.CaptureFixture[str]) -> None:
        """What a child and its own children print never reaches the kit's standard output."""
        ended = call_in_child(unruly.make_noise, 3_000, on_message=nothing, silence_s=LONG_S)
        assert ended.ok
        assert {"noise 2999 " + "." * 100, "grandchild", "on standard error"} <= {
            *ended.stderr_tail
        }
        assert len(ended.stderr_tail) < 100
        assert capfd.readouterr() == ("", "")

    def test_caller_can_stop_it(self) -> None:
        """A caller that has heard enough ends the child."""
        heard: list[int] = []
        ended = call_in_child(
            unruly.hang, on_message=heard.append, silence_s=LONG_S, stop=lambda: bool(heard)
        )
        assert ended.how == "stopped"
        assert gone(heard[0])

    def test_exception_of_the_listener_leaves_nothing(self) -> None:
        """An interrupt in the middle of listening kills the child and is passed on."""
        heard: list[int] = []

        def interrupt(pid: int) -> None:
            heard.append(pid)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            call_in_child(unruly.hang, on_message=interrupt, silence_s=LONG_S)
        assert gone(heard[0])

    def test_grandchildren_are_killed_too(self) -> None:
        """The whole process group ends with the child."""
        heard: list[int] = []
        call_in_child(unruly.leave_a_grandchild, on_message=heard.append, silence_s=0.3)
        assert gone(heard[0])

    def test_threads_left_behind_do_not_matter(self) -> None:
        """A thread that is still running does not keep a child alive that returned."""
        ended = call_in_child(unruly.leave_a_thread, on_message=nothing, silence_s=LONG_S)
        assert ended.value == "returned"

    def test_local_function_is_carried(self) -> None:
        """A function that no module can name works too."""
        word = "hello"
        heard: list[object] = []
        call_in_child(lambda send: send(word), on_message=heard.append, silence_s=LONG_S)
        assert heard == ["hello"]

    def test_what_cannot_be_carried_is_refused(self) -> None:
        """An argument that cannot cross is refused with what to do instead, before any start."""
        with pytest.raises(ChildError, match=r"cannot be carried.*give a function"):
            call_in_child(unruly.count, sys._getframe(), on_message=nothing, silence_s=LONG_S)

    def test_no_descriptor_is_left(self) -> None:
        """Every way to end gives all descriptors back."""
        call_in_child(unruly.count, 1, on_message=nothing, silence_s=LONG_S)
        before = descriptors()
        for function in (unruly.leave, unruly.crash, unruly.fail):
            call_in_child(function, on_message=nothing, silence_s=LONG_S)
        assert before == descriptors()

    def test_child_dies_with_a_killed_parent(self) -> None:
        """A kit that is killed without warning leaves no child behind."""
        script = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "import unruly\n"
            "from onewinner.runner import call_in_child\n"
            "def tell(pid): print(pid, flush=True)\n"
            "call_in_child(unruly.hang, on_message=tell, silence_s=1000)\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script, str(HERE)], stdout=subprocess.PIPE, text=True
        ) as parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            parent.kill()
        assert gone(pid)


def one_round(clients: int) -> tuple[generator.Round, ...]:
    """All clients claim four keys."""
    call = generator.Call("register_if_absent", "p", "n")
    volley = tuple(
        tuple(call._replace(key=f"k{key}", value={"by": client}) for key in range(4))
        for client in range(clients)
    )
    return (generator.Round(volley=volley),)


class TestWorkerPool:
    def test_every_call_is_recorded(self, tmp_path: Path) -> None:
        """Each client's calls come back in order, with its worker and an interval that fits."""
        target = Target("python:racy_stores:SqliteBackend")
        rounds = one_round(4) * 3
        with WorkerPool(
            target, processes=2, threads=2, run_dir=tmp_path, clock=SystemClock()
        ) as pool:
            played = pool.play(Block(rounds=rounds, crew=(0, 0, 1, 1)))
        volleys = [each for each in played.operations if each.extra["phase"] == "volley"]
        assert len(volleys) == 3 * 4 * 4
        assert {(0, 0), (1, 0), (2, 1), (3, 1)} == {(o.process, o.extra["worker"]) for o in volleys}
        assert all(o.completed_ns and o.invoked_ns <= o.completed_ns for o in volleys)
        assert sum(o.outcome == Ok(True) for o in volleys) == 4
        assert (played.handles, played.processes) == (4, 2)

    @pytest.mark.parametrize("crew", [(0, 0, 1, 1), (0, 1, 2, 3)])
    def test_a_block_ends_where_more_or_fewer_win_than_must(
        self, tmp_path: Path, crew: tuple[int, ...]
    ) -> None:
        """The round in which the number is wrong is the last; its inspection is made all the same.

        Rounds that do not say how many must win are all played.
        """
        target = Target("python:racy_stores:SqliteBackend")
        (unsaid,) = one_round(4)
        look = Call("lookup", "p", "n", "k0")
        said = dataclasses.replace(unsaid, due=4, inspect=(look,))
        none = dataclasses.replace(said, due=0)
        with WorkerPool(
            target, processes=1 + max(crew), threads=2, run_dir=tmp_path, clock=SystemClock()
        ) as pool:
            blocks = [(said, none, said, said), (unsaid, said), (none, none)]
            played = [pool.play(Block(rounds=each, crew=crew)).played for each in blocks]
        assert [len(each) for each in played] == [3, 2, 2]
        assert all(any(o.f == "lookup" for o in each[-1].operations) for each in played)

    def test_blocks_can_be_started_ahead(self, tmp_path: Path) -> None:
        """Blocks with different crews are played one after the other, each with its own answers."""
        target = Target("python:racy_stores:SqliteBackend")
        crews = [(0, 1), (0, 0), (0, 1), (0,)]
        with WorkerPool(
            target, processes=2, threads=2, run_dir=tmp_path, clock=SystemClock()
        ) as pool:
            for crew in crews:
                pool.start(Block(rounds=one_round(len(crew)), crew=crew))
            sizes = []
            while pool.under_way:
                sizes.append(sum(o.f != "open" for o in pool.finish().operations))
        assert [4 * len(crew) for crew in crews] == sizes

    def test_a_fresh_round_has_a_store_of_its_own(self, tmp_path: Path) -> None:
        """Its keys are vacant again, and the rounds around it share the pool's own store."""
        target = Target("python:racy_stores:SqliteBackend")
        (usual,) = one_round(4)
        fresh = dataclasses.replace(usual, cold=True, fresh=True)
        with WorkerPool(
            target, processes=2, threads=2, run_dir=tmp_path, clock=SystemClock()
        ) as pool:
            played = pool.play(Block(rounds=(usual, fresh, usual, fresh), crew=(0, 0, 1, 1))).played
            assert [*tmp_path.glob("fresh-*")] == []
        won = [sum(o.outcome == Ok(True) for o in each.operations) for each in played]
        assert won == [4, 4, 0, 4]
        connected = [sum(o.f == "open" for o in each.operations) for each in played]
        assert connected == [4, 4, 0, 4]

    def test_clients_that_all_begin_anew_do_not_close_the_store(self, tmp_path: Path) -> None:
        """What was claimed before a cold round is there after it, in the first block too."""
        target = Target("python:racy_stores:LastHandleBackend")
        (usual,) = one_round(4)
        look = Call("lookup", "p", "n", "k0")
        cold = Round(volley=((look,),) * 4, cold=True)
        with WorkerPool(
            target, processes=1, threads=4, run_dir=tmp_path, clock=SystemClock()
        ) as pool:
            played = pool.play(Block(rounds=(usual, cold), crew=(0,) * 4, keep_open=True))
        found = [each.outcome for each in played.operations if each.f == "lookup"]
        assert [isinstance(each, Ok) and type(each.result) for each in found] == [dict] * 4

    def test_a_sitting_keeps_its_connections(self, tmp_path: Path) -> None:
        """Blocks of one sitting go on with their connections; any other block makes new ones."""
        target = Target("python:racy_stores:NumberedBackend")
        call = Call("lookup", "p", "n", "k")
        found = []
        with WorkerPool(
            target, processes=1, threads=2, run_dir=tmp_path, clock=SystemClock()
        ) as pool:
            for sitting in ("a", "a", "b", None, None, "a"):
                rounds = (Round(volley=((call,), (call,))),)
                played = pool.play(Block(rounds=rounds, crew=(0, 0), sitting=sitting))
                looked = [each.outcome for each in played.operations if each.f == "lookup"]
                found.append({each.result for each in looked if isinstance(each, Ok)})
        assert [len(each) for each in found] == [2] * 6
        assert found[0] == found[1]
        assert len(set.union(*found)) == 10

    def test_hang_is_found_and_named(self, tmp_path: Path) -> None:
        """A client that hangs ends the block, and the call it hangs in is named."""
        target = Target("python:racy_stores:HangingBackend")
        with (
            pytest.raises(WorkerLost, match=r"register_if_absent\('k0'\) \(client 1\)") as lost,
            WorkerPool(
                target,
                processes=1,
                threads=2,
                run_dir=tmp_path,
                clock=SystemClock(),
                patience_s=0.5,
            ) as pool,
        ):
            pool.play(Block(rounds=one_round(2), crew=(0, 0)))
        assert lost.value.hung
        assert any("in register_if_absent" in line for line in lost.value.tail)

    def test_being_held_up_is_no_hang(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While the machine holds a worker up, there is much more patience."""
        monkeypatch.setattr("onewinner.runner.process.Child.held_up", lambda _: True)
        target = Target("python:racy_stores:HangingBackend")
        began = monotonic_ns()
        with (
            pytest.raises(WorkerLost, match="client 1"),
            WorkerPool(
                target,
                processes=1,
                threads=2,
                run_dir=tmp_path,
                clock=SystemClock(),
                patience_s=0.1,
            ) as pool,
        ):
            pool.play(Block(rounds=one_round(2), crew=(0, 0)))
        assert monotonic_ns() - began >= HELD_UP_FACTOR * 0.1e9

    @pytest.mark.parametrize(
        ("state", "ran", "held_up"),
        [
            ("D", 900, True),  # on a disk
            ("R", 910, True),  # starved, though it had run for long before
            ("R", 1_900, False),  # at work, in an endless loop maybe
            ("S", 900, False),  # asleep: nobody will wake it
        ],
    )
    def test_who_is_held_up(self, tmp_path: Path, state: str, ran: int, held_up: bool) -> None:
        """Who waits for a disk or a processor is held up; who sleeps or runs is not."""
        (tmp_path / "stat").write_text(f"1 (a) b) {state} 1 1")
        (tmp_path / "schedstat").write_text(f"{ran} 2000 7\n")
        assert waits_for_machine(tmp_path, 900, 1_000) is held_up
        assert not waits_for_machine(tmp_path / "gone", 900, 1_000)
        (tmp_path / "schedstat").unlink()  # a kernel need not have it
        assert waits_for_machine(tmp_path, 900, 1_000) is (state == "D")

    def test_death_is_found_and_named(self, tmp_path: Path) -> None:
        """A worker that dies ends the block at once, with the signal and the call."""
        target = Target("python:racy_stores:DyingBackend")
        with (
            pytest.raises(WorkerLost, match=r"worker 1 was killed by SIGKILL in register_if"),
            WorkerPool(
                target, processes=2, threads=1, run_dir=tmp_path, clock=SystemClock()
            ) as pool,
        ):
            pool.play(Block(rounds=one_round(2), crew=(0, 1)))

    @pytest.mark.parametrize("interrupt", [False, True])
    def test_nothing_is_left(self, tmp_path: Path, *, interrupt: bool) -> None:
        """A pool gives back its processes, descriptors and files, also when it is interrupted."""
        target = Target("python:racy_stores:SqliteBackend")

        def use() -> list[int]:
            with WorkerPool(
                target, processes=2, threads=1, run_dir=tmp_path, clock=SystemClock()
            ) as pool:
                pids = [worker.pid for worker in pool._workers]
                fresh = generator.Round(volley=((), ()), fresh=True)
                pool.start(Block(rounds=(fresh,) * 3, crew=(0, 1)))
                if interrupt:
                    signal.raise_signal(signal.SIGINT)
                pool.finish()
            return pids

        call_in_child(unruly.count, 1, on_message=nothing, silence_s=LONG_S)  # starts what stays
        before, threads = descriptors(), threading.active_count()
        if interrupt:
            with pytest.raises(KeyboardInterrupt):
                use()
        else:
            assert all(map(gone, use()))
        assert (before, threads) == (descriptors(), threading.active_count())
        assert [path.name for path in tmp_path.iterdir()] == ["store"]

    def test_workers_import_little(self) -> None:
        """A race worker does without the heavy packages, for every worker pays for them."""
        script = (
            "import sys; from onewinner.worker import child, race, preemption\n"
            "print(sorted({'hypothesis', 'pytest', 'rich', 'asyncio'} & {*sys.modules}))"
        )
        said = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert said.stdout == "[]\n"
        assert os.getpid() > 0
