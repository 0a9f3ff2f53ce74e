"""The kit's side of claimants in Python: a crew of processes, or of threads in one process."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from onewinner.clock import monotonic_ns, sleep
from onewinner.history import Fail, Info, Ok
from onewinner.runner.process import STARTUP_S, Child, signal_name, wait_readable
from onewinner.schedule import resident
from onewinner.schedule.claimant import Blocked, Died, Held, Returned
from onewinner.worker.child import MESSAGE
from onewinner.worker.journal import FAIL, OK

if TYPE_CHECKING:
    from types import TracebackType

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.generator import Call
    from onewinner.history import Outcome
    from onewinner.schedule.claimant import Settled
    from onewinner.schedule.gate import Boundary, Hold

PATIENCE_S: Final = 20.0
"""How long a call may sleep while nobody else is at work on the store."""

_SAMPLE_S: Final = 0.0002
_LOOK_S: Final = 0.001
_ASLEEP: Final = 6
"""So many looks in a row must find it asleep; one that waits for a processor is not."""


class PythonClaimant:
    """One claimant of a crew; see the protocol `Claimant`."""

    def __init__(self, crew: Crew, number: int, child: Child, place: int) -> None:
        self.boundary: Boundary = "line"
        self.inbox: deque[Any] = deque()
        self._crew = crew
        self._number = number
        self._child = child
        self._place = place
        self._thread = 0
        self._gone: Died | None = None
        self._took = False

    def started(self) -> None:
        """Wait until the claimant is there; raises RuntimeError where it is not."""
        until_ns = monotonic_ns() + int(STARTUP_S * 1e9)
        while not self.inbox:
            if self._child.dead() or monotonic_ns() > until_ns:
                raise RuntimeError(f"a claimant did not start: {self._died().how}")
            self._crew.hear(0.05)
        self._thread = self.inbox.popleft().thread

    def begin(self, call: Call, hold: Hold = None, *, fresh: str | None = None) -> None:
        """Start a call, with `fresh` at that location."""
        self._tell(resident.Do(call, hold, self.boundary, fresh))

    def make(self, call: Call, *, fresh: str | None = None) -> Returned | Died:
        """Make a call that nobody shall hold, with no points, and wait for its end."""
        self._tell(resident.Do(call, None, None, fresh))
        return self.finish()

    def resume(self, hold: Hold = None) -> None:
        """Let a held call go on."""
        self._tell(resident.Go(hold))

    def _tell(self, order: object) -> None:
        self._took = False
        self._child.tell((self._place, order))

    def settle(self) -> Settled:
        """Wait until the call is held, has returned, or sleeps; see the protocol."""
        asleep = 0
        until_ns = monotonic_ns() + int(3 * PATIENCE_S * 1e9)
        while self._gone is None:
            while self.inbox:
                message = self.inbox.popleft()
                if not isinstance(message, resident.Took):
                    return _settled(message)
                self._took = True
            if self._crew.hear(0.0):
                asleep = 0
                continue
            if self._child.dead() and not self._crew.hear(0.0):
                self._gone = self._died()
            elif monotonic_ns() > until_ns:
                self._gone = self._hung()
            asleep = asleep + 1 if self._took and self._state() == "S" else 0
            if asleep >= _ASLEEP:
                return Blocked()
            if asleep:
                sleep(_SAMPLE_S)
            else:
                self._crew.hear(_LOOK_S)
        return self._gone

    def finish(self) -> Returned | Died:
        """Wait for the end of a call that nobody holds; one that sleeps for too long has hung."""
        until_ns = monotonic_ns() + int(PATIENCE_S * 1e9)
        while True:
            settled = self.settle()
            if isinstance(settled, Returned | Died):
                return settled
            if isinstance(settled, Held):
                self.resume()
            elif monotonic_ns() > until_ns:
                self._gone = self._hung()

    @property
    def pid(self) -> int:
        """The process that the claimant lives in."""
        return self._child.pid

    def close(self) -> None:
        """End the process that the claimant lives in."""
        self._child.close()

    def _state(self) -> str:
        """Answer the scheduler's letter for the claimant's thread; nothing where there is none."""
        try:
            stat = Path(f"/proc/{self._child.pid}/task/{self._thread}/stat").read_bytes()
        except OSError:
            return ""
        return stat.rpartition(b")")[2].split()[0].decode("ascii")

    def _died(self) -> Died:
        code = self._child.kill() or 0
        self._child.receive()
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        return Died(f"its process {how}", self._child.tail())

    def _hung(self) -> Died:
        self._child.dump_stacks()
        tail = self._child.tail()
        self._child.kill()
        return Died(f"its call did not return within {PATIENCE_S:.0f} s", tail)


class Crew:
    """Claimants on one location: each in a process of its own, or all threads of one process.

    Use it as a context manager. With `shared` threads use one connection.
    """

    def __init__(
        self,
        target: Target,
        *,
        location: str,
        clock: Clock,
        claimants: int,
        processes: bool,
        shared: bool = False,
    ) -> None:
        self.processes = processes
        self.shared = shared
        self.location = location
        self.claimants: list[PythonClaimant] = []
        self._children: list[tuple[Child, list[PythonClaimant]]] = []
        self._stack = ExitStack()
        sizes = [1] * claimants if processes else [claimants]
        with ExitStack() as stack:
            for number, size in enumerate(sizes):
                args = (target, location, clock, size, shared)
                name = f"claimant {number}"
                child = Child(resident.reside, args, name=name, takes_orders=True)
                stack.callback(child.close)
                mine = [PythonClaimant(self, number + place, child, place) for place in range(size)]
                self._children.append((child, mine))
                self.claimants += mine
            for claimant in self.claimants:
                claimant.started()
            self._stack = stack.pop_all()

    def hear(self, timeout_s: float) -> bool:
        """Take in what has been said; answer whether anything has."""
        heard = False
        wait_readable([child for child, _ in self._children], timeout_s)
        for child, mine in self._children:
            for kind, item in child.receive():
                if kind == MESSAGE:
                    place, what = item
                    mine[place].inbox.append(what)
                    heard = True
        return heard

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every claimant."""
        self._stack.close()


def _settled(message: Any) -> Held | Returned:
    if isinstance(message, resident.Holding):
        return Held(message.point, message.number)
    done: resident.Done = message
    return Returned(_outcome(done), done.points, done.invoked_ns, done.completed_ns)


def _outcome(done: resident.Done) -> Outcome:
    if done.kind == OK:
        return Ok(done.answer)
    if done.kind == FAIL:
        code, operation, message = done.answer
        return Fail({"code": code, "operation": operation, "message": message})
    return Info(done.answer)
