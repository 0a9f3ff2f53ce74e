"""Claimants in any language are held at their system calls: races found, nothing left behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import commands
import store_commands
from onewinner.clock import monotonic_ns, sleep
from onewinner.generator import Call
from onewinner.history import Info, Ok
from onewinner.schedule import announcing, ptrace, syscalls
from onewinner.schedule.claimant import Blocked, Died, Held, Point, Returned
from onewinner.schedule.command import CommandClaimant, outcome_of, request_line
from onewinner.schedule.command_process import CommandProcess
from onewinner.schedule.command_sweep import Schedule, run, sweep
from onewinner.schedule.tracer import Thread, Tracer, turn_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onewinner.schedule.claimant import Settled

HERE = Path(__file__).parent
FOR_EVER_S = 60.0
RACY = ["racy.c", "racy.mjs", "racy_async.mjs"]
GOOD = ["good.c", "good.mjs"]
EFFECTS = """
open openat openat2 creat write pwrite64 link linkat rename renameat2 unlink mkdir symlink flock
fcntl ftruncate fsync fdatasync close stat access read sendto recvfrom sendmsg connect msync
io_uring_enter io_submit copy_file_range splice execve
"""


def claim(key: str) -> Call:
    """Answer a claim."""
    return Call("register_if_absent", "p", "n", key, {"a": [1, "b c"]})


def settled(claimant: CommandClaimant) -> Settled:
    """Settle a claimant that has nobody to wait for."""
    while isinstance(found := claimant.settle(), Blocked):
        pass
    return found


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
    if "crew" in request.fixturenames and (refusal := ptrace.ptrace_refusal()) is not None:
        pytest.skip(refusal)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of compiled claimants."""
    return tmp_path_factory.mktemp("programs")


class Crew:
    """Starts claimants on one directory, and closes them all."""

    def __init__(self, stack: ExitStack, programs: Path, directory: Path) -> None:
        self.directory = directory
        self._stack = stack
        self._programs = programs

    def command(self, name: str) -> list[str]:
        """Answer a claimant's command, or skip where it cannot be had."""
        if (what := commands.missing(name)) is not None:
            pytest.skip(what)
        return [*commands.built(name, self._programs), str(self.directory)]

    def claimant(self, name: str, **options: Any) -> CommandClaimant:
        """Start a claimant."""
        found = CommandClaimant(self.command(name), **options)
        self._stack.callback(found.close)
        return found

    def pair(self, name: str) -> tuple[CommandClaimant, CommandClaimant]:
        """Start a victim and a free rival."""
        return self.claimant(name), self.claimant(name, trace=False)


@pytest.fixture
def crew(programs: Path, tmp_path: Path) -> Iterator[Crew]:
    """Claimants that end with the test."""
    with ExitStack() as stack:
        yield Crew(stack, programs, tmp_path)


class Scripted:
    """A claimant whose calls show the points that are written down for them, the last for ever."""

    boundary = "scripted"

    def __init__(self, calls: list[list[str]], *, wins: bool = True) -> None:
        self._calls = calls
        self._wins = wins
        self._points: tuple[Point, ...] = ()
        self._hold: int | Point | None = None

    def begin(self, call: Call, hold: int | Point | None = None) -> None:
        names = self._calls.pop(0) if len(self._calls) > 1 else self._calls[0]
        self._points = tuple(Point(name, 1) for name in names)
        self._hold = hold

    def settle(self) -> Settled:
        for number, point in enumerate(self._points, 1):
            if self._hold in {number, point}:
                return Held(point, number)
        return Returned(Ok(self._wins), self._points, 1, 2)

    def resume(self, hold: int | Point | None = None) -> None:
        self._hold = hold

    def close(self) -> None:
        pass


class TestSweep:
    @pytest.mark.parametrize("name", RACY)
    def test_a_race_is_found_in_every_sweep(self, crew: Crew, name: str) -> None:
        """Look before write loses at one point, the same each time: before the file is made."""
        victim, rival = crew.pair(name)
        for number in range(3):
            swept = sweep(victim, rival, prefix=f"s{number}")
            assert swept.verdict == "failed"
            assert [(each.held, each.wrong, each.winners) for each in swept.wrong] == [
                (Held(Point("openat KEY", 1), 2), "two winners", ("victim", "rival"))
            ]
            assert swept.describe() == (
                "all schedules with at most 1 preemption at boundary syscall: 5 run, 1 bad"
            )

    @pytest.mark.parametrize("name", RACY)
    def test_a_race_is_replayed_by_name(self, crew: Crew, name: str) -> None:
        """Name and ordinal of the point show the same violation again, each time."""
        victim, rival = crew.pair(name)
        point = Point("openat KEY", 1)
        for number in range(10):
            found = run(victim, rival, f"r{number}", point)
            assert (found.wrong, found.held) == ("two winners", Held(point, 2))

    @pytest.mark.parametrize("name", GOOD)
    def test_a_right_store_is_not_accused(self, crew: Crew, name: str) -> None:
        """A claim that the kernel decides passes, with points to show for it."""
        victim, rival = crew.pair(name)
        for number in range(3):
            swept = sweep(victim, rival, prefix=f"s{number}")
            assert swept.verdict == "passed"
            assert swept.points == (
                Point("openat KEY", 1),
                Point("write KEY", 1),
                Point("close KEY", 1),
            )
            assert [each.winners for each in swept.schedules] == [
                ("rival",),
                ("victim",),
                ("victim",),
                ("victim",),
            ]

    def test_a_rival_that_waits_is_let_wait(self, crew: Crew) -> None:
        """Held inside a lock, the victim goes on first; the lock it gives back late is had too."""
        victim, rival = crew.pair("locked.c")
        swept = sweep(victim, rival, prefix="s")
        assert swept.verdict == "passed"
        assert [each.waited for each in swept.schedules] == [False, False, *[True] * 4, False]
        assert [point.name for point in swept.points[:3]] == [
            "openat lock",
            "flock lock",
            "access KEY",
        ]

    def test_both_may_be_traced(self, crew: Crew) -> None:
        """A rival that is traced as well changes nothing: whoever waits, both are looked after."""
        swept = sweep(crew.claimant("locked.c"), crew.claimant("locked.c"), prefix="s")
        assert swept.verdict == "passed"
        assert [each.waited for each in swept.schedules] == [False, False, *[True] * 4, False]

    def test_no_point_is_no_pass(self, crew: Crew) -> None:
        """A victim that shows no point was not tried, and that is said."""
        swept = sweep(Scripted([[]]), Scripted([[]], wins=False), prefix="s")
        assert (swept.verdict, len(swept.wrong)) == ("untested", 0)
        assert swept.describe() == (
            "untested at boundary scripted, 1 schedules run, 0 bad; not all there are: "
            "the victim's call showed no point"
        )
        swept = sweep(*crew.pair("unruly.c"), prefix="s")
        assert (swept.points, [each.wrong for each in swept.schedules]) == ((), ["two winners"])

    def test_one_disturbance_is_made_good(self) -> None:
        """Where a runtime made a system call of its own in one call, all is run again."""
        calls = [["a", "b"], ["a", "b"], ["a", "gc", "b"], ["a", "b"]]
        swept = sweep(Scripted(calls), Scripted([[]], wins=False), prefix="s")
        assert swept.verdict == "passed"
        assert [each.held and each.held.point.name for each in swept.schedules] == [
            *("a", "gc", None),
            *("a", "b", None),
        ]

    def test_points_that_always_differ_are_no_pass(self) -> None:
        """A victim whose calls never show the same points was not covered, and that is said."""
        calls = [["a", str(number)] for number in range(20)]
        swept = sweep(Scripted(calls), Scripted([[]], wins=False), prefix="s")
        assert (swept.verdict, len(swept.schedules)) == ("untested", 9)
        assert swept.describe().endswith("the victim's points differ from call to call")

    def test_a_limit_is_no_pass(self, crew: Crew) -> None:
        """A sweep that was cut short does not claim to have covered all."""
        swept = sweep(*crew.pair("good.c"), prefix="s", points_max=2)
        assert (swept.verdict, len(swept.schedules)) == ("untested", 2)

    def test_a_dead_claimant_ends_the_sweep(self, crew: Crew, tmp_path: Path) -> None:
        """A victim that dies in its call is an error of the schedule, with how it died."""
        victim, rival = crew.pair("unruly.c")
        found = run(victim, rival, "exit", 1)
        assert found.wrong == (
            "error: the victim is gone: it ended with exit code 7 before it answered"
        )

    @pytest.mark.parametrize(
        ("victim", "rival", "wrong"),
        [
            (Ok(True), Ok(False), None),
            (Ok(False), Ok(True), None),
            (Ok(True), Ok(True), "two winners"),
            (Ok(False), Ok(False), "no winner"),
            (Ok(True), Info("locked"), "error: the rival got Info(reason='locked')"),
            (Died("hung", ()), Ok(True), "error: the victim is gone: hung"),
        ],
    )
    def test_what_is_wrong_is_named(self, victim: Any, rival: Any, wrong: str | None) -> None:
        """One winner and one loser is right; anything else is named."""
        found = Schedule(key="k", held=None, waited=False, victim=victim, rival=rival, points=())
        assert found.wrong == wrong


class TestClaimant:
    def test_a_call_is_held_again_and_again(self, crew: Crew) -> None:
        """Numbers count from the beginning of the call, names too, and all points are told."""
        victim = crew.claimant("racy.c")
        victim.begin(claim("k"), 1)
        assert settled(victim) == Held(Point("access KEY", 1), 1)
        assert victim.settle() == Held(Point("access KEY", 1), 1)
        victim.resume(Point("write KEY", 1))
        assert settled(victim) == Held(Point("write KEY", 1), 3)
        with pytest.raises(ValueError, match="hold=3 has gone by"):
            victim.resume(3)
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

    def test_a_point_that_is_not_there_is_not_reached(self, crew: Crew) -> None:
        """A call that never comes to the point returns."""
        victim = crew.claimant("good.c")
        victim.begin(claim("k"), Point("openat KEY", 2))
        assert isinstance(settled(victim), Returned)

    def test_held_the_whole_process_stands_still(self, crew: Crew) -> None:
        """Held, no thread gets on, whether it computes, sleeps, or makes system calls."""
        victim = crew.claimant("threaded.c")
        counter = crew.directory / "counter"

        def counts() -> list[int]:
            data = counter.read_bytes()
            return [int.from_bytes(data[at : at + 8], sys.byteorder) for at in (0, 8, 16)]

        for number in range(5):
            victim.begin(claim(f"k{number}"), Point("openat KEY", 1))
            held = settled(victim)
            assert isinstance(held, Held)
            before = counts()
            sleep(0.03)
            assert counts() == before
            victim.resume()
            assert isinstance(settled(victim), Returned)
            assert become(lambda before=before: turn_all() and counts()[0] > before[0])

    def test_a_signal_reaches_the_program(self, crew: Crew) -> None:
        """A signal that a traced program handles is delivered to it."""
        victim = crew.claimant("unruly.c")
        victim.begin(claim("signal"))
        returned = settled(victim)
        assert isinstance(returned, Returned)
        assert returned.outcome == Ok(True)
        assert Point("kill", 1) in returned.points

    def test_a_stopped_program_stays_stopped_until_it_is_continued(self, crew: Crew) -> None:
        """SIGSTOP stops a traced program as it stops any other, SIGCONT lets it go on."""
        victim = crew.claimant("unruly.c")
        victim.begin(claim("stop"))
        pid = victim._process.pid
        answers: list[Settled] = []
        continuer = threading.Thread(
            target=lambda: (
                become(lambda: state(pid) in "tT" and _sleeps_in_stop(pid))
                and os.kill(pid, signal.SIGCONT)
            )
        )
        continuer.start()
        answers.append(settled(victim))
        continuer.join()
        assert [type(each) for each in answers] == [Returned]

    def test_what_the_program_starts_is_held_too(self, crew: Crew) -> None:
        """Children of the victim have points of their own, and the call ends when they are done."""
        victim = crew.claimant("unruly.c")
        victim.begin(claim("shell"), Point("execve sh", 1))
        held = settled(victim)
        assert isinstance(held, Held)
        victim.resume()
        returned = settled(victim)
        assert isinstance(returned, Returned)
        assert returned.outcome == Ok(True)

    def test_a_program_that_becomes_another_is_traced_on(self, crew: Crew) -> None:
        """A thread that calls execve ends the others and takes their place, in its tracer too."""
        victim = crew.claimant("unruly.c")
        victim.begin(claim("exec"), Point("execve unruly", 1))
        assert isinstance(settled(victim), Held)
        assert victim._tracer is not None
        assert len(victim._tracer.threads) == 2
        victim.resume()
        returned = settled(victim)
        assert isinstance(returned, Returned)
        assert returned.outcome == Ok(True)
        assert len(victim._tracer.threads) == 1
        victim.begin(claim("signal"), Point("kill", 1))
        assert isinstance(settled(victim), Held)

    def test_a_closed_claimant_says_so(self, crew: Crew) -> None:
        """After its end a claimant answers that it is gone, whatever it was doing."""
        victim = crew.claimant("good.c")
        victim.begin(claim("k"), 1)
        assert isinstance(settled(victim), Held)
        victim.close()
        victim.resume()
        assert victim.settle() == Died("it was closed", ())
        victim.begin(claim("k"))
        assert victim.settle() == Died("it was closed", ())

    def test_what_a_victim_left_running_ends_with_it(self, crew: Crew) -> None:
        """A child that made a session of its own is killed with the victim."""
        victim = crew.claimant("unruly.c")
        victim.begin(claim("daemon"))
        assert isinstance(settled(victim), Returned)
        child = int(victim._process.tail()[-1].split()[1])
        assert state(child) != "Z"
        victim.close()
        assert gone(child)

    @pytest.mark.parametrize("trace", [True, False])
    def test_a_busy_hang_ends(self, crew: Crew, trace: bool) -> None:
        """A call that computes for ever is ended, and its last words are told."""
        victim = crew.claimant("unruly.c", trace=trace, patience_s=0.05)
        victim.begin(claim("warm"))
        assert isinstance(settled(victim), Returned)
        victim.begin(claim("spin"))
        assert become(lambda: turn_all() is None or len(victim._process.tail()) == 2)
        died = settled(victim)
        assert isinstance(died, Died)
        assert died.how.startswith("hung: no answer for ")
        assert died.tail == ("asked for warm", "asked for spin")
        assert gone(victim._process.pid)
        victim.begin(claim("again"))
        assert victim.settle() == died

    @pytest.mark.parametrize("trace", [True, False])
    def test_a_sleeping_hang_is_blocked_and_then_ends(self, crew: Crew, trace: bool) -> None:
        """A call that sleeps for ever is seen to sleep, and ended when its time is over."""
        victim = crew.claimant("unruly.c", trace=trace)
        victim.begin(claim("warm"))
        assert isinstance(settled(victim), Returned)
        victim.begin(claim("sleep"))
        assert victim.settle() == Blocked()
        assert victim.settle() == Blocked()
        victim._patience_ns = 0
        died = victim.settle()
        assert isinstance(died, Died)
        assert died.how.endswith("(thread states S); killed")
        assert ("in pause" in died.how) is trace

    @pytest.mark.parametrize("trace", [True, False])
    @pytest.mark.parametrize(
        ("key", "how"),
        [
            ("exit", "it ended with exit code 7 before it answered"),
            ("abort", "it was killed by SIGABRT before it answered"),
        ],
    )
    def test_a_death_is_told(self, crew: Crew, trace: bool, key: str, how: str) -> None:
        """A command that dies in its call says how, with its last words."""
        victim = crew.claimant("unruly.c", trace=trace)
        victim.begin(claim(key))
        assert victim.settle() == Died(how, (f"asked for {key}",))

    def test_a_held_victim_that_is_killed_is_noticed(self, crew: Crew) -> None:
        """Somebody else's SIGKILL does not leave the kit waiting."""
        victim = crew.claimant("good.c")
        victim.begin(claim("k"), 1)
        assert isinstance(settled(victim), Held)
        os.kill(victim._process.pid, signal.SIGKILL)
        victim.resume()
        assert settled(victim) == Died("it was killed by SIGKILL before it answered", ())

    def test_a_command_that_cannot_start_says_why(self, crew: Crew) -> None:
        """What the system said about a program that is none is told."""
        with pytest.raises(FileNotFoundError, match=r"no-such-program.*not on PATH"):
            CommandClaimant(["no-such-program"])
        with pytest.raises(FileNotFoundError, match=r"directory.*does not exist"):
            CommandClaimant(["true"], cwd=crew.directory / "none")
        with pytest.raises(ValueError, match="is no command"):
            CommandClaimant([])
        (crew.directory / "text").write_text("no program")
        victim = CommandClaimant(["./text"], cwd=crew.directory)
        victim.begin(claim("k"))
        died = settled(victim)
        victim.close()
        assert isinstance(died, Died)
        assert died.tail[-1].endswith(": Permission denied")

    def test_an_answer_nobody_asked_for_ends_it(self, crew: Crew) -> None:
        """Two lines for one request would shift every later answer: nobody is accused by that."""
        victim = crew.claimant("unruly.c")
        victim.begin(claim("twice"))
        died = settled(victim)
        assert isinstance(died, Died)
        assert died.how == "it answered 'true', then 'true\\n', to one request"

    def test_calls_come_in_their_order(self, crew: Crew) -> None:
        """What cannot be done now is refused with what can."""
        victim, rival = crew.pair("good.c")
        with pytest.raises(RuntimeError, match="begin one first"):
            victim.settle()
        with pytest.raises(RuntimeError, match="while the call is held; the claimant is idle"):
            victim.resume()
        with pytest.raises(ValueError, match="counted from 1"):
            victim.begin(claim("k"), 0)
        with pytest.raises(ValueError, match="not traced cannot be held"):
            rival.begin(claim("k"), 1)
        victim.begin(claim("k"))
        with pytest.raises(RuntimeError, match="while no call is under way"):
            victim.begin(claim("k"))

    def test_another_thread_cannot_trace(self, crew: Crew) -> None:
        """To the kernel a tracer is a thread; a claimant used in another one says so."""
        victim = crew.claimant("good.c")
        errors: list[BaseException] = []

        def use() -> None:
            try:
                victim.begin(claim("k"))
            except RuntimeError as error:
                errors.append(error)

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        assert "did not make it" in str(errors[0])


def _sleeps_in_stop(pid: int) -> bool:
    """Tell whether a process is in the stop of SIGSTOP, not in one that its tracer ends soon."""
    fields = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    first = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text("ascii")
    sleep(0.02)
    second = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text("ascii")
    return "State:\tt" in fields and first == second


class TestLines:
    def test_a_claim_is_a_line(self) -> None:
        """Key and value as JSON stand in one line, whatever the value holds."""
        assert request_line(claim("k-1")) == 'claim k-1 {"a":[1,"b c"]}'
        call = Call("register_if_absent", "p", "n", "k", "two\nlines")
        assert request_line(call) == 'claim k "two\\nlines"'

    @pytest.mark.parametrize(
        ("call", "told"),
        [
            (Call("lookup", "p", "n", "k"), "asked for lookup"),
            (Call("register_if_absent", "p", "n", "k", 1, 500), "ttl_ms=500"),
            (Call("register_if_absent", "p", "n", "a b", 1), "'a b' cannot stand in a line"),
            (Call("register_if_absent", "p", "n", None, 1), "None cannot stand in a line"),
        ],
    )
    def test_what_no_line_can_say_is_refused(self, call: Call, told: str) -> None:
        """A call that the protocol does not know is refused before anything is sent."""
        with pytest.raises(ValueError, match=told):
            request_line(call)

    @pytest.mark.parametrize(
        ("line", "outcome"),
        [
            ("true", Ok(True)),
            ("false", Ok(False)),
            ("error the disk is full", Info("the disk is full")),
            ("error", Info("error, without a text")),
            ("perhaps", Info("it answered 'perhaps', which is none of: true, false, error TEXT")),
        ],
    )
    def test_an_answer_is_an_outcome(self, line: str, outcome: object) -> None:
        """After an error nobody knows whether the claim was made."""
        assert outcome_of(line) == outcome


class TestTracer:
    def test_threads_that_are_there_already_are_traced(self, crew: Crew) -> None:
        """A process that has run for a while is seized with all its threads, and stands still."""
        process = CommandProcess(crew.command("threaded.c"))
        assert become(lambda: len(list(Path(f"/proc/{process.pid}/task").iterdir())) == 4)
        try:
            tracer = Tracer(process.pid, seen := Recording())
            assert become(lambda: turn_all() is None or tracer.held is not None)
            assert become(lambda: turn_all() is None or tracer.still())
            assert {thread.pid for thread in tracer.threads.values()} == {process.pid}
            assert len(tracer.threads) == 4
            assert seen.names[-1] == "access"
            assert {state(process.pid, tid) for tid in tracer.threads} <= {"t", "S"}
            tracer.release()
            assert become(lambda: turn_all() is None or tracer.held is not None)
        finally:
            process.end(tracer.forget())
            process.close()
        assert process.status == signal.SIGKILL

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
            with pytest.raises(ptrace.PtraceRefused, match=errno.errorcode[code]):
                CommandClaimant(["true"])
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

    def test_the_modules_can_be_imported_elsewhere(self) -> None:
        """On a system without ptrace everything imports, and a note says what is lost."""
        text = (
            "import sys, os\n"
            "import onewinner.clock, ctypes, subprocess, multiprocess, signal\n"
            "sys.platform = 'darwin'\n"
            "for name in ('posix_spawn', 'waitid', 'WNOWAIT', 'CLD_DUMPED', 'P_PID'):\n"
            "    delattr(os, name)\n"
            "import onewinner.schedule.command_sweep, onewinner.schedule.command\n"
            "from onewinner.schedule.ptrace import ptrace_refusal\n"
            "print(ptrace_refusal())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, check=False
        )
        assert done.stdout.startswith("system calls cannot be traced on darwin "), done.stderr

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


KIT = """
import sys
from onewinner.schedule.command import CommandClaimant
from onewinner.generator import Call
command = sys.argv[1:]
victim, rival = CommandClaimant(command), CommandClaimant(command, trace=False)
rival.begin(Call("register_if_absent", "p", "n", "r", 1))
rival.settle()
victim.begin(Call("register_if_absent", "p", "n", "v", 1), 1)
print(type(victim.settle()).__name__, victim._process.pid, rival._process.pid, flush=True)
sys.stdin.read()
"""


class TestNothingIsLeft:
    def test_a_kit_that_is_killed_takes_its_claimants_along(self, crew: Crew) -> None:
        """After kill -9 of the kit, neither the held victim nor the free rival is there."""
        kit = subprocess.Popen(
            [sys.executable, "-c", KIT, *crew.command("good.c")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert kit.stdout is not None
        assert kit.stdin is not None
        with kit.stdout, kit.stdin:
            how, victim, rival = kit.stdout.readline().split()
            assert how == "Held"
            assert state(int(victim)) == "t"
            kit.kill()
            kit.wait()
            assert gone(int(victim))
            assert gone(int(rival))

    def test_a_thread_that_ends_takes_its_claimants_along(self, crew: Crew) -> None:
        """A tracing thread that ends without closing leaves no stopped process behind."""
        claimants: list[CommandClaimant] = []

        def trace() -> None:
            claimants.append(crew.claimant("good.c"))
            claimants[0].begin(claim("k"), 1)
            claimants[0].settle()

        thread = threading.Thread(target=trace)
        thread.start()
        thread.join()
        assert gone(claimants[0]._process.pid)

    def test_an_error_of_the_kit_ends_the_victim(
        self, crew: Crew, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the tracer itself fails, or is interrupted, the victim is killed and not left."""
        victim = crew.claimant("good.c")
        victim.begin(claim("warm"))
        assert isinstance(settled(victim), Returned)

        def interrupted(_: int) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(ptrace, "syscall_info", interrupted)
        victim.begin(claim("k"), 1)
        with pytest.raises(KeyboardInterrupt):
            victim.settle()
        assert not Path(f"/proc/{victim._process.pid}").exists()

    def test_descriptors_and_children_are_given_back(self, crew: Crew) -> None:
        """After many claimants no descriptor is open and no child is there that was not before."""
        command = crew.command("good.c")

        def kept() -> tuple[int, str]:
            children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
            return len(list(Path("/proc/self/fd").iterdir())), children.read_text("ascii")

        before = kept()
        for number in range(5):
            victim = CommandClaimant(command)
            victim.begin(claim(f"k{number}"), number or None)
            victim.settle()
            victim.close()
            victim.close()
        assert kept() == before
