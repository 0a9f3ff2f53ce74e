"""Commands in any language are held at their system calls: races found, nothing left behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

import commands
import store_commands
from onewinner.adapters.targets import Target
from onewinner.clock import SystemClock, monotonic_ns, sleep
from onewinner.contract.clauses import CLAUSES
from onewinner.generator import Call
from onewinner.history import Info, Ok
from onewinner.schedule import announcing, outside, ptrace, syscalls
from onewinner.schedule.claimant import Blocked, Died, Held, Point, Returned
from onewinner.schedule.crew import Crew
from onewinner.schedule.ending import end_group
from onewinner.schedule.play import Stop
from onewinner.schedule.scenarios import scenarios
from onewinner.schedule.tracer import Thread, Tracer, turn_all
from onewinner.suite.again import replayed
from onewinner.suite.engine import probe
from onewinner.suite.orders import Judge
from onewinner.suite.replay import Segment, Token
from onewinner.suite.schedules import Sweeps, swept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onewinner.schedule.claimant import Settled
    from onewinner.schedule.served import ServedClaimant
    from onewinner.suite.schedules import Swept

HERE = Path(__file__).parent
RACY = ["racy.c", "racy.mjs", "racy_async.mjs"]
GOOD = ["good.c", "good.mjs"]
BETWEEN = Point("openat KEY", 1)
EFFECTS = """
open openat openat2 creat write pwrite64 link linkat rename renameat2 unlink mkdir symlink flock
fcntl ftruncate fsync fdatasync close stat access read sendto recvfrom sendmsg connect msync
io_uring_enter io_submit copy_file_range splice execve
"""


def claim(key: str) -> Call:
    """Answer a claim."""
    return Call("register_if_absent", "p", "n", key, {"a": [1, "b c"]})


def settled(claimant: ServedClaimant) -> Settled:
    """Settle a claimant that has nobody to wait for."""
    while isinstance(found := claimant.settle(), Blocked):
        pass
    return found


def outcome(claimant: ServedClaimant) -> object:
    """Answer how a call came out that nobody holds."""
    ended = settled(claimant)
    assert isinstance(ended, Returned)
    return ended.outcome


def become(what: Callable[[], bool]) -> bool:
    """Wait until something is so; False where it does not become so in a long time."""
    until = monotonic_ns() + 30 * 10**9
    while not what():
        if monotonic_ns() > until:
            return False
        sleep(0.005)
    return True


def state(pid: int, tid: int | None = None) -> str:
    """Answer the scheduler's letter for a process or thread, Z where it is gone."""
    try:
        stat = Path(f"/proc/{pid}/task/{tid or pid}/stat").read_text("ascii")
    except OSError:
        return "Z"
    return stat.rpartition(")")[2].split()[0]


def gone(pid: int) -> bool:
    """Wait until a process is gone; a zombie counts as gone."""
    return become(lambda: state(pid) == "Z")


@pytest.fixture(autouse=True)
def _traceable(request: pytest.FixtureRequest) -> None:
    if "place" in request.fixturenames and (refusal := ptrace.ptrace_refusal()) is not None:
        pytest.skip(refusal)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of compiled claimants."""
    return tmp_path_factory.mktemp("programs")


class Place:
    """Starts claimants on one directory, and ends them all."""

    def __init__(self, stack: ExitStack, programs: Path, directory: Path) -> None:
        self.directory = directory
        self._stack = stack
        self._programs = programs

    def command(self, name: str) -> list[str]:
        """Answer a claimant's command, or skip where it cannot be had."""
        if (what := commands.missing(name)) is not None:
            pytest.skip(what)
        return [*commands.built(name, self._programs), str(self.directory)]

    def target(self, name: str) -> Target:
        """Answer a claimant as a target, or skip where it cannot be had."""
        if (what := commands.missing(name)) is not None:
            pytest.skip(what)
        words = [str(self.directory)] if name == "threaded.c" else []
        return Target(commands.target(name, self._programs, *words))

    def claimant(self, name: str) -> ServedClaimant:
        """Start a claimant whose copy of the command is traced, and has served a call."""
        crew = Crew(
            self.target(name),
            location=str(self.directory),
            clock=SystemClock(),
            claimants=1,
            processes=True,
        )
        self._stack.enter_context(crew)
        crew.trace()
        found = cast("ServedClaimant", crew.claimants[0])
        found.boundary = "syscall"
        found.begin(claim("warm"))
        assert outcome(found) == Ok(True)
        return found

    def swept(self, name: str, times: int) -> list[Swept]:
        """Sweep claims of a vacant key so many times, with one crew."""
        target = self.target(name)
        capabilities = probe(target, str(self.directory))
        sweeps = Sweeps(target, capabilities, self.directory, True, frozenset(CLAUSES))
        crew, clock = sweeps.crew(self._stack, "crew")
        fresh = next(each for each in scenarios(capabilities) if each.name == "fresh")
        found = []
        for _ in range(times):
            stage = sweeps.stage(crew, clock, fresh, "syscall")
            stage.unheld()  # the first calls of a process differ from all that follow
            found.append(swept(stage, Judge(capabilities), 1, lambda: False))
        return found

    def close(self) -> None:
        """End all claimants."""
        self._stack.close()


@pytest.fixture
def place(programs: Path, tmp_path: Path) -> Iterator[Place]:
    """Claimants that end with the test."""
    with ExitStack() as stack:
        yield Place(stack, programs, tmp_path)


def held(found: Swept) -> dict[int, tuple[int, ...]]:
    """Answer the numbers of the points at which the victim was held, with who had to wait."""
    return {ran.stops[0].number: ran.waited for ran in found.rans if ran.stops}


class TestSweep:
    @pytest.mark.parametrize("name", RACY)
    def test_a_race_is_found_in_every_sweep(self, place: Place, name: str) -> None:
        """Look before write loses at one point, the same each time: before the file is made."""
        for found in place.swept(name, 3):
            assert found.bad is not None
            assert found.bad.summary == "2 claims of the key 'k' won"
            assert [ran.stops for ran in found.bad.vulnerable] == [(Stop(0, BETWEEN, 2),)]
            assert sorted(held(found)) == [1, 2, 3, 4]

    @pytest.mark.parametrize("name", RACY)
    def test_a_race_is_replayed_by_name(self, place: Place, name: str) -> None:
        """Name and ordinal of the point show the same violation again, each time."""
        target = place.target(name)
        token = Token(
            target=target.name,
            scenario="fresh",
            boundary="syscall",
            processes=True,
            segments=(Segment(0, BETWEEN), Segment(1), Segment(0)),
        )
        assert replayed(target, token, 10).wrong == 10

    @pytest.mark.parametrize("name", GOOD)
    def test_a_right_store_is_not_accused(self, place: Place, name: str) -> None:
        """A claim that the kernel decides passes, with points to show for it."""
        for found in place.swept(name, 3):
            assert (found.bad, found.ended) == (None, True)
            assert held(found) == {1: (), 2: (), 3: ()}
            assert found.rans[0].points[0] == (
                BETWEEN,
                Point("write KEY", 1),
                Point("close KEY", 1),
            )

    def test_a_rival_that_waits_is_let_wait(self, place: Place) -> None:
        """Held inside a lock, the victim goes on first; the lock it gives back late is had too."""
        (found,) = place.swept("locked.c", 1)
        assert (found.bad, found.ended) == (None, True)
        assert held(found) == {1: (), 2: (), 3: (1,), 4: (1,), 5: (1,), 6: (1,)}
        assert [point.name for point in found.rans[0].points[0][:3]] == [
            "openat PLUGIN.n.lock",
            "flock PLUGIN.n.lock",
            "access KEY",
        ]


class TestClaimant:
    def test_a_call_is_held_again_and_again(self, place: Place) -> None:
        """Numbers count from the beginning of the call, names too, and all points are told."""
        victim = place.claimant("racy.c")
        victim.begin(claim("k"), 1)
        assert settled(victim) == Held(Point("access KEY", 1), 1)
        victim.resume(Point("write KEY", 1))
        assert settled(victim) == Held(Point("write KEY", 1), 3)
        victim.resume(4)
        assert settled(victim) == Held(Point("close KEY", 1), 4)
        victim.resume()
        returned = settled(victim)
        assert isinstance(returned, Returned)
        assert returned.outcome == Ok(True)
        assert [point.name for point in returned.points] == [
            "access KEY",
            "openat KEY",
            "write KEY",
            "close KEY",
        ]
        assert returned.invoked_ns < returned.completed_ns

    def test_a_point_that_is_not_there_is_not_reached(self, place: Place) -> None:
        """A call that never comes to the point returns."""
        victim = place.claimant("good.c")
        victim.begin(claim("k"), Point("openat KEY", 2))
        assert outcome(victim) == Ok(True)

    def test_held_the_whole_process_stands_still(self, place: Place) -> None:
        """Held, no thread gets on, whether it computes, sleeps, or makes system calls."""
        victim = place.claimant("threaded.c")
        counter = place.directory / "counter"

        def counts() -> list[int]:
            data = counter.read_bytes()
            return [int.from_bytes(data[at : at + 8], sys.byteorder) for at in (0, 8, 16)]

        for number in range(5):
            victim.begin(claim(f"k{number}"), BETWEEN)
            assert isinstance(settled(victim), Held)
            before = counts()
            sleep(0.03)
            assert counts() == before
            victim.resume()
            assert outcome(victim) == Ok(True)
            assert become(lambda before=before: turn_all() and counts()[0] > before[0])

    def test_a_signal_reaches_the_program(self, place: Place) -> None:
        """A signal that a traced program handles is delivered to it."""
        victim = place.claimant("unruly.c")
        victim.begin(claim("signal"))
        returned = settled(victim)
        assert isinstance(returned, Returned)
        assert returned.outcome == Ok(True)
        assert Point("kill", 1) in returned.points

    def test_a_stopped_program_stays_stopped_until_it_is_continued(self, place: Place) -> None:
        """SIGSTOP stops a traced program as it stops any other, SIGCONT lets it go on."""
        victim = place.claimant("unruly.c")
        pid = victim.pid
        continuer = threading.Thread(
            target=lambda: (
                become(lambda: state(pid) in "tT" and _sleeps_in_stop(pid))
                and os.kill(pid, signal.SIGCONT)
            )
        )
        victim.begin(claim("stop"))
        continuer.start()
        answer = outcome(victim)
        continuer.join()
        assert answer == Ok(True)

    def test_what_the_program_starts_is_held_too(self, place: Place) -> None:
        """Children of the victim have points of their own, and the call ends when they are done."""
        victim = place.claimant("unruly.c")
        victim.begin(claim("shell"), Point("execve sh", 1))
        assert isinstance(settled(victim), Held)
        victim.resume()
        assert outcome(victim) == Ok(True)

    def test_a_program_that_becomes_another_is_traced_on(self, place: Place) -> None:
        """A thread that calls execve ends the others and takes their place, in its tracer too."""
        victim = place.claimant("unruly.c")
        victim.begin(claim("exec"), Point("execve unruly", 1))
        assert isinstance(settled(victim), Held)
        assert victim._tracer is not None
        assert len(victim._tracer.threads) == 2
        victim.resume()
        assert outcome(victim) == Ok(True)
        assert len(victim._tracer.threads) == 1
        victim.begin(claim("signal"), Point("kill", 1))
        assert isinstance(settled(victim), Held)

    def test_what_a_victim_left_running_ends_with_it(self, place: Place) -> None:
        """A child that made a session of its own is killed with the victim."""
        victim = place.claimant("unruly.c")
        victim.begin(claim("daemon"))
        assert outcome(victim) == Ok(True)
        assert victim._tracer is not None
        (child,) = {each.pid for each in victim._tracer.threads.values()} - {victim.pid}
        assert state(child) != "Z"
        place.close()
        assert gone(child)

    def test_a_busy_hang_ends(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """A call that computes for ever is ended, with the copy that serves it."""
        victim = place.claimant("unruly.c")
        monkeypatch.setattr(outside, "PATIENCE_S", 0.05)
        victim.begin(claim("spin"))
        died = settled(victim)
        assert isinstance(died, Died)
        assert died.how.startswith("its call did not return within ")
        assert victim.settle() == died
        assert gone(victim.pid)

    def test_a_sleeping_hang_is_blocked_and_then_ends(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A call that sleeps for ever is seen to sleep, and ended when its time is over."""
        victim = place.claimant("unruly.c")
        victim.begin(claim("sleep"))
        assert victim.settle() == Blocked()
        assert victim.settle() == Blocked()
        monkeypatch.setattr(outside, "PATIENCE_S", 0)
        died = victim.settle()
        assert isinstance(died, Died)
        assert died.how == "its call did not return within 20 s, in pause"

    @pytest.mark.parametrize(
        ("key", "how"),
        [
            ("exit", "ended with exit code 7 before it answered"),
            ("abort", "was killed by SIGABRT before it answered"),
        ],
    )
    def test_a_death_is_told(self, place: Place, key: str, how: str) -> None:
        """A command that dies in its call says how, with its last words; a new one is held too."""
        victim = place.claimant("unruly.c")
        dead = victim.pid
        victim.begin(claim(key))
        told = outcome(victim)
        assert isinstance(told, Info)
        assert how in str(told.reason)
        assert f"asked for {key}" in str(told.reason)
        victim.begin(claim("signal"), Point("kill", 1), fresh=str(place.directory / "new"))
        assert isinstance(settled(victim), Held)
        assert victim.pid != dead

    def test_a_held_victim_that_is_killed_is_noticed(self, place: Place) -> None:
        """Somebody else's SIGKILL does not leave the kit waiting."""
        victim = place.claimant("good.c")
        victim.begin(claim("k"), 1)
        assert isinstance(settled(victim), Held)
        os.kill(victim.pid, signal.SIGKILL)
        victim.resume()
        told = outcome(victim)
        assert isinstance(told, Info)
        assert "was killed by SIGKILL before it answered" in str(told.reason)

    def test_another_thread_cannot_trace(self, place: Place) -> None:
        """To the kernel a tracer is a thread; a claimant used in another one says so."""
        victim = place.claimant("good.c")
        victim.begin(claim("k"))
        errors: list[BaseException] = []

        def use() -> None:
            try:
                victim.settle()
            except RuntimeError as error:
                errors.append(error)

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        assert "did not make it" in str(errors[0])
        assert outcome(victim) == Ok(True)


def _sleeps_in_stop(pid: int) -> bool:
    """Tell whether a process is in the stop of SIGSTOP, not in one that its tracer ends soon."""
    fields = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    first = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text("ascii")
    sleep(0.02)
    second = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text("ascii")
    return "State:\tt" in fields and first == second


class TestTracer:
    def test_threads_that_are_there_already_are_traced(self, place: Place) -> None:
        """A process that has run for a while is seized with all its threads, and stands still."""
        with started(place.command("threaded.c")) as process:
            tracer = Tracer(process.pid, seen := Recording())
            assert become(lambda: turn_all() is None or tracer.held is not None)
            assert become(lambda: turn_all() is None or tracer.still())
            assert {thread.pid for thread in tracer.threads.values()} == {process.pid}
            assert len(tracer.threads) == 4
            assert seen.names[-1] == "access"
            assert {state(process.pid, tid) for tid in tracer.threads} <= {"t", "S"}
            tracer.release()
            assert become(lambda: turn_all() is None or tracer.held is not None)
            assert end_group(process.pid, None, tracer.forget()) == signal.SIGKILL

    def test_a_thread_that_ends_takes_what_it_traces_along(self, place: Place) -> None:
        """A tracing thread that ends without closing leaves no stopped process behind."""

        def trace() -> None:
            tracer = Tracer(process.pid, Recording())
            assert become(lambda: turn_all() is None or tracer.held is not None)

        with started(place.command("threaded.c")) as process:
            thread = threading.Thread(target=trace)
            thread.start()
            thread.join()
            assert process.wait(60) == -signal.SIGKILL

    def test_both_tables_know_what_matters(self) -> None:
        """The numbers of system calls are those of the kernel's tables, on either machine."""
        x86_64, aarch64 = syscalls.AUDIT_ARCH_X86_64, syscalls.AUDIT_ARCH_AARCH64
        known = {
            "lseek": (8, 62),
            "connect": (42, 203),
            "sendto": (44, 206),
            "recvfrom": (45, 207),
            "recvmsg": (47, 212),
            "openat": (257, 56),
            "write": (1, 64),
            "futex": (202, 98),
            "flock": (73, 32),
            "fdatasync": (75, 83),
            "wait4": (61, 260),
            "statx": (332, 291),
            "rseq": (334, 293),
            "openat2": (437, 437),
            "futex_wait": (455, 455),
        }
        for name, numbers in known.items():
            found = [syscalls.name_of(x86_64, numbers[0]), syscalls.name_of(aarch64, numbers[1])]
            assert found == [name, name]
        assert syscalls.name_of(aarch64, 244) == "syscall 244"
        assert syscalls.name_of(0x40000003, 5) == "syscall 5"

    def test_what_goes_to_a_server_is_in_both_tables(self) -> None:
        """By whatever name a client sends and receives, either machine has a number for it."""
        names = {announcing.NAME, "connect"} | syscalls.SENDS | syscalls.RECEIVES
        for arch in (syscalls.AUDIT_ARCH_X86_64, syscalls.AUDIT_ARCH_AARCH64):
            assert names - {syscalls.name_of(arch, number) for number in range(500)} == set()

    def test_no_claim_is_made_without_a_point(self) -> None:
        """What makes, locks, changes or removes a file, or talks to a server, is a point."""
        assert [name for name in EFFECTS.split() if not syscalls.is_point(name)] == []


@contextmanager
def started(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program of four threads that nobody asks for anything, until all are there."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert become(lambda: len(list(Path(f"/proc/{process.pid}/task").iterdir())) == 4)
            yield process
        finally:
            process.kill()


class Recording:
    """A watcher that holds at the second access of any thread."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def enters(self, thread: Thread, entry: ptrace.Entry) -> bool:
        self.names.append(syscalls.name_of(entry.arch, entry.number))
        thread.matters = syscalls.is_point(self.names[-1])
        return self.names[-1] == "access"

    def leaves(self, thread: Thread, entry: ptrace.Entry, value: int) -> bool:
        return False

    def swallows(self, thread: Thread, number: int) -> bool:
        return False

    def ended(self, tid: int, status: int) -> None:
        pass


class TestRefusal:
    @pytest.mark.parametrize(
        ("code", "told"),
        [
            (errno.EPERM, "(EPERM); "),
            (errno.ENOSYS, "(ENOSYS); this kernel, or the sandbox"),
            (errno.EIO, "(EIO); PTRACE_GET_SYSCALL_INFO takes Linux 5.3"),
            (errno.ENOMEM, "(ENOMEM): "),
        ],
    )
    def test_a_refusal_is_put_into_words(
        self, monkeypatch: pytest.MonkeyPatch, code: int, told: str
    ) -> None:
        """Whoever forbids it, the note says what was refused and what can be done."""

        def refuse(*_: object) -> int:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(ptrace, "_call", refuse)
        ptrace.ptrace_refusal.cache_clear()
        try:
            refusal = ptrace.ptrace_refusal()
            assert refusal is not None
            assert refusal.startswith("system calls cannot be traced here: ptrace was refused ")
            assert told in refusal
        finally:
            ptrace.ptrace_refusal.cache_clear()

    def test_another_machine_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A machine whose system calls are not known is refused without a try."""
        monkeypatch.setattr(ptrace.platform, "machine", lambda: "riscv64")
        ptrace.ptrace_refusal.cache_clear()
        refusal = ptrace.ptrace_refusal()
        ptrace.ptrace_refusal.cache_clear()
        assert refusal is not None
        assert "linux riscv64" in refusal

    @pytest.mark.skipif(sys.platform != "linux", reason="n/a: seccomp is a part of Linux")
    def test_a_sandbox_that_forbids_it_is_named(self) -> None:
        """Under a seccomp filter that refuses ptrace the note tells who forbids it."""
        done = subprocess.run(
            [sys.executable, str(HERE / "sandboxed.py"), store_commands.target("python", HERE)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "CLAIM-6 untested" in done.stdout, done.stderr
        assert "not held at all: " in done.stdout
        assert "a seccomp profile forbids it" in done.stdout


class TestNothingIsLeft:
    def test_an_error_of_the_kit_ends_the_victim(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the tracer itself fails, or is interrupted, the victim is killed and not left."""
        victim = place.claimant("good.c")

        def interrupted(_: int) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(ptrace, "syscall_info", interrupted)
        victim.begin(claim("k"), 1)
        with pytest.raises(KeyboardInterrupt):
            victim.settle()
        assert gone(victim.pid)

    def test_descriptors_and_children_are_given_back(self, place: Place) -> None:
        """After a crew has gone no descriptor is open and no child there that was not before."""

        def kept() -> tuple[int, str]:
            children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
            return len(list(Path("/proc/self/fd").iterdir())), children.read_text("ascii")

        def hold(key: str) -> None:
            victim = place.claimant("good.c")
            victim.begin(claim(key), 1)
            assert isinstance(settled(victim), Held)
            (place.directory / "p.n" / "warm").unlink()
            place.close()

        hold("first")  # starts what stays
        before = kept()
        hold("second")
        assert kept() == before
