"""Child processes that never hang the kit and never outlive it.

A target is untrusted: it may hang, call `os._exit`, crash the interpreter or print on standard
output. So it runs in children only, and whoever started them always learns how they ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import multiprocess
import multiprocess.process
import multiprocess.resource_tracker
from multiprocess.reduction import ForkingPickler

from onewinner.clock import monotonic_ns
from onewinner.runner import guardian, printed
from onewinner.worker import child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType

STARTUP_S: Final = 60.0
"""How long a child may take to begin: an interpreter start and the imports of its function."""

HELD_UP_FACTOR: Final = 15
"""How many times its patience a child is given while it is held up."""

_STARVED: Final = 10
_WATCHED_NS: Final = 1_000_000_000

_CAN_LOOK: Final = hasattr(os, "waitid")  # macOS has it from Python 3.13 on
_LOOK: Final = os.WEXITED | os.WNOHANG | os.WNOWAIT if _CAN_LOOK else 0
_ENDS: Final = (
    frozenset({os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED}) if _CAN_LOOK else frozenset()
)
_STACKS_S: Final = 0.5
_TAIL_BYTES: Final = 16_384
_TAIL_LINES: Final = 40


class ChildError(Exception):
    """A child could not be started: what was given, why it cannot be, what to do instead."""


class Child:
    """One child process: its messages, what it prints, and its certain end.

    Use it as a context manager; leaving the context kills whatever is left of the child's process
    group. Where the kit itself is killed, its guard does that (`guardian`). On Linux a child also
    dies when the *thread* that started it ends. With `takes_orders`
    the function is called as `function(send, receive, *args)`, and gets what `tell` is given.
    `environment` are variables that it has besides the kit's, and so has whatever it starts.

    Raises ChildError where `function` or an argument cannot be carried to another process.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        *,
        name: str,
        takes_orders: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.hello = False
        self.open = True
        self._reaped = False
        self._frames = child.FrameBuffer()
        self._tail = bytearray()
        self._outbox = bytearray()
        work = _carry(name, function, args)
        context = multiprocess.get_context("spawn")
        self._replies, replies = context.Pipe(duplex=False)
        self._noise, noise = context.Pipe(duplex=False)
        orders: Any
        self._orders: Any
        orders, self._orders = context.Pipe(duplex=False) if takes_orders else (None, None)
        self._process = context.Process(
            target=child.main, args=(replies, noise, orders, os.getpid(), work), name=name
        )
        try:
            with _variables(environment or {}):
                self._process.start()
            guardian.entrust_group(self._process.pid)
        except BaseException:
            self._close_pipes()  # a child that did start ends when it cannot say so
            raise
        finally:
            for theirs in (replies, noise, orders):
                if theirs is not None:
                    theirs.close()
        self.pid: int = self._process.pid
        self._watched: tuple[int, dict[str, int]] | None = None
        for ours in (self._replies, self._noise, self._orders):
            if ours is not None:
                os.set_blocking(ours.fileno(), False)

    def watch(self, poll: select.poll) -> None:
        """Add to `poll` what becomes ready when there is something to receive or to send on."""
        poll.register(self._noise.fileno(), select.POLLIN)
        if self.open:
            poll.register(self._replies.fileno(), select.POLLIN)
        if self._outbox:
            poll.register(self._orders.fileno(), select.POLLOUT)

    def receive(self) -> list[tuple[str, Any]]:
        """Answer the frames that have arrived; `open` turns False at the end of the stream."""
        self._tail += b"".join(_chunks(self._noise.fileno()))
        del self._tail[:-_TAIL_BYTES]
        frames: list[tuple[str, Any]] = []
        if not self.open:
            return frames
        for chunk in _chunks(self._replies.fileno()):
            frames += self._frames.feed(chunk)
            self.open = bool(chunk)
        self.hello = self.hello or any(kind == child.HELLO for kind, _ in frames)
        return frames

    def tell(self, order: object) -> None:
        """Hand an order to a child that takes them; what it does not take yet is sent later.

        Nothing here waits for the child: `wait_readable` goes on sending. To a child that is gone
        nothing is sent; `dead` tells.
        """
        self._outbox += child.frame(order)
        self.send_on()

    def send_on(self) -> None:
        """Send as much of what is still to be sent as the child's pipe has room for."""
        with contextlib.suppress(BlockingIOError):
            try:
                while self._outbox:
                    del self._outbox[: os.write(self._orders.fileno(), self._outbox)]
            except BrokenPipeError:
                self._outbox.clear()

    @property
    def sends(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._outbox)

    def tail(self) -> tuple[str, ...]:
        """Answer the last lines that the child printed."""
        text = self._tail.decode(errors="backslashreplace")
        return tuple(text.splitlines()[-_TAIL_LINES:])

    def dead(self) -> bool:
        """Tell whether the process has ended, without taking its id out of use.

        Where a system cannot look without reaping, what is left of the group is killed at once.
        """
        if _CAN_LOOK:
            try:
                found = os.waitid(os.P_PID, self.pid, _LOOK)
            except ChildProcessError:  # reaped already
                return True
            # What is traced tells of its stops too.
            return found is not None and found.si_code in _ENDS
        if self._process.is_alive():
            return False
        if not self._reaped:
            self._reaped = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        return True

    def overdue(self, idle_ns: int, patience_s: float) -> bool:
        """Tell whether a child that said nothing for so long has hung, as far as can be known.

        One that is held up has `HELD_UP_FACTOR` times as much patience.
        """
        idle_s = idle_ns / 1e9
        if idle_s <= patience_s:
            self._watched = None
            return False
        return idle_s > patience_s * HELD_UP_FACTOR or not self.held_up()

    def held_up(self) -> bool:
        """Tell whether a thread of the child waits for what the machine does not give it.

        It is stuck in the kernel, as on a disk that stalls; or it is ready to run, and in the
        second or more that it was watched since it became overdue it had a processor for less than
        a tenth of the time: kernels leave one without for a minute. Such a child is slow, not hung.
        On systems that cannot tell the answer is no.
        """
        tasks = list(Path(f"/proc/{self.pid}/task").glob("*"))
        now_ns = monotonic_ns()
        if self._watched is None:
            self._watched = now_ns, {task.name: ran_ns(task) for task in tasks}
        since_ns, ran = self._watched
        watched_ns = now_ns - since_ns
        if tasks and watched_ns < _WATCHED_NS:
            return True  # nobody can tell yet
        return any(waits_for_machine(task, ran.get(task.name, 0), watched_ns) for task in tasks)

    def dump_stacks(self) -> None:
        """Ask the child to print the stacks of its threads, and wait a moment for them."""
        if not self.hello:
            return
        before = len(self._tail)
        self._signal(child.STACKS_SIGNAL, group=False)
        until = monotonic_ns() + int(_STACKS_S * 1e9)
        while monotonic_ns() < until and not self.dead():
            wait_readable([self], 0.05)
            self.receive()
            if len(self._tail) > before and not wait_readable([self], 0.05):
                return

    def kill(self) -> int | None:
        """Kill the child's process group; answer the exit code, negative for a signal.

        The group is killed before the child is reaped: until then its id cannot belong to others.
        """
        self._signal(signal.SIGKILL, group=True)
        if not self.dead():
            self._signal(signal.SIGKILL, group=False)
        self._process.join()
        code: int | None = self._process.exitcode
        return code

    def hand_over(self) -> None:
        """Let nobody wait for this process but the one who traces it from now on.

        The multiprocess package polls all of its children whenever it starts another, and would
        take a stop for an end.
        """
        multiprocess.process._children.discard(self._process)  # noqa: SLF001 - there is no other way

    def reaped(self, status: int) -> None:
        """Take the wait status of a process that somebody else has reaped: whoever traced it."""
        self._process._popen.returncode = os.waitstatus_to_exitcode(status)  # noqa: SLF001 - the only place where it can be put

    def links(self) -> set[str]:
        """Answer the pipes between kit and child, as /proc/PID/fd names them."""
        ours = [each for each in (self._replies, self._noise, self._orders) if each is not None]
        return {os.readlink(f"/proc/self/fd/{each.fileno()}") for each in ours}  # noqa: PTH115 - no path

    def close(self) -> None:
        """Kill what is left, and give back every descriptor."""
        try:
            self.kill()
        finally:
            guardian.release_group(self.pid)
            self._tail += b"".join(_chunks(self._noise.fileno()))
            printed.note(self.tail())
            self._close_pipes()
            self._process.close()

    def _signal(self, number: signal.Signals, *, group: bool) -> None:
        if self._out_of_use():  # reaped: the id may belong to somebody else by now
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if group else os.kill)(self.pid, number)

    def _out_of_use(self) -> bool:
        if not _CAN_LOOK:
            return self.dead()
        try:
            os.waitid(os.P_PID, self.pid, _LOOK)
        except ChildProcessError:
            return True
        return False

    def _close_pipes(self) -> None:
        for ours in (self._replies, self._noise, self._orders):
            if ours is not None:
                ours.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@contextlib.contextmanager
def _variables(environment: Mapping[str, str]) -> Iterator[None]:
    """Have these variables in the environment meanwhile, for the children that are started.

    The multiprocess package starts a process of its own with the first child; it must not have
    them.
    """
    if environment:
        multiprocess.resource_tracker.ensure_running()
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _carry(name: str, function: Callable[..., Any], args: tuple[Any, ...]) -> bytes:
    """Pickle with dill, which carries functions of `__main__` and local ones by value."""
    try:
        return bytes(ForkingPickler.dumps((function, args)))
    except Exception as error:
        raise ChildError(
            f"{name}: {function!r} with {args!r:.200} cannot be carried to another process: "
            f"{type(error).__name__}: {error}; give a function that can be imported, and a target "
            f"by its name"
        ) from error


def _chunks(descriptor: int) -> list[bytes]:
    """Read all that is there without waiting; a last empty chunk means the end of the stream."""
    chunks = []
    with contextlib.suppress(BlockingIOError):
        for _ in range(64):  # a child that never stops printing must not keep the kit here
            chunks.append(os.read(descriptor, 1 << 16))
            if not chunks[-1]:
                break
    return chunks


class Listener:
    """Waits for the same children again and again; what to wait for is told anew when it changes.

    A crew looks tens of thousands of times in a second.
    """

    def __init__(self, children: Iterable[Child]) -> None:
        self._children = tuple(children)
        self._poll = select.poll()
        self._known: list[tuple[bool, bool]] = []

    def wait(self, timeout_s: float) -> bool:
        """Wait until one of them has something to receive; answer whether one has.

        Meanwhile what is still to be sent to them is sent on.
        """
        state = [(each.open, each.sends) for each in self._children]
        if state != self._known:
            self._poll, self._known = select.poll(), state
            for each in self._children:
                each.watch(self._poll)
        events = self._poll.poll(max(0, int(timeout_s * 1000)))
        for each in self._children:
            if each.sends:
                each.send_on()
        return any(flags & select.POLLIN for _, flags in events)


def wait_readable(children: Iterable[Child], timeout_s: float) -> bool:
    """Wait once until one of the children has something to receive; see `Listener`."""
    return Listener(children).wait(timeout_s)


def signal_name(number: int) -> str:
    """Answer the name of a signal, its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def waits_for_machine(thread: Path, ran_before_ns: int, watched_ns: int) -> bool:
    """Tell whether a thread, given by its directory in `/proc`, waits for a disk or a processor.

    It had run for `ran_before_ns` in all when it began to be watched, `watched_ns` ago.
    """
    with contextlib.suppress(OSError, IndexError):
        stat = (thread / "stat").read_text("ascii", "replace")
        state = stat.rpartition(")")[2].split()[0]
        if state != "R":
            return state == "D"
        ran = ran_ns(thread)
        return ran > 0 and ran - ran_before_ns < watched_ns / _STARVED
    return False


def ran_ns(thread: Path) -> int:
    """Answer how long a thread has had a processor; 0 where the kernel does not tell."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        return int((thread / "schedstat").read_text("ascii").split()[0])
    return 0
