"""Claimants whose store lives behind a command: the copy of the command is what is held.

The claimant itself is the kit's client, in a process of its own; what it waits for is its copy. A
held copy stands still as a whole, whatever language it is written in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onewinner.clock import monotonic_ns, sleep
from onewinner.schedule import resident
from onewinner.schedule.choice import TRACED
from onewinner.schedule.claimant import Blocked
from onewinner.schedule.crew import PATIENCE_S, PythonClaimant
from onewinner.schedule.ending import end_traced
from onewinner.schedule.served_gate import ServedGate
from onewinner.schedule.tracer import Tracer, turn_all
from onewinner.schedule.tracer_sleep import Sleep, threads_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.generator import Call
    from onewinner.schedule.claimant import Died, Returned
    from onewinner.schedule.failing import Failing
    from onewinner.schedule.gate import Hold

_EAGER = 100
_MOMENT_S = 0.00002
_WHILE_S = 0.0005


class ServedClaimant(PythonClaimant):
    """A claimant whose calls are served by a copy of the command.

    It can be held once it is traced (`trace`), at boundary `syscall`, and nowhere else.
    """

    traced = False
    _gate: ServedGate | None = None
    _tracer: Tracer | None = None
    _tracers: tuple[Tracer, ...] = ()
    _held = False
    _watched = False
    _hold: Hold = None
    _call: Call | None = None
    _failing: Failing | None = None

    def trace(self) -> None:
        """Trace from now on whichever copy serves a call that may be held."""
        self.traced = True

    def begin(
        self, call: Call, hold: Hold = None, *, fresh: str | None = None, free: bool = False
    ) -> None:
        """Start a call; see `PythonClaimant`."""
        self._watched = self.traced and self.boundary in TRACED and not free
        self._released = not self._watched
        self._call, self._hold = call, hold
        self._tell(resident.Do(call, None, None, fresh, traced=self._watched))

    def make_all(self, calls: Sequence[tuple[Call, str | None]]) -> tuple[Returned, ...] | Died:
        """Make calls that nobody shall hold, each at its location, and wait for the last."""
        self._watched = False
        return super().make_all(calls)

    def watch(self, failing: Failing | None) -> None:
        """Have the next call looked at for system calls that could fail, and one of them fail."""
        self._failing = failing
        if self._gate is not None:
            self._gate.failing = failing

    def let_go(self) -> None:
        """Hold this call no more: should it still come to a hold, it goes on at once."""
        self._released, self._hold = True, None
        if self._gate is not None:
            self._gate.aim(None)
        if self._is_stopped() and not self._held:  # it came there, and nobody has asked
            self._release()

    def resume(self, hold: Hold = None) -> None:
        """Let a held call go on."""
        self._held = False
        self._crew.held.discard(self._number)
        if self._gate is not None:
            self._gate.aim(hold)
        self._release()

    @property
    def pid(self) -> int:
        """The process that makes the calls: the copy of the command that was traced last."""
        return self._child.pid if self._gate is None else self._gate.pid

    def heard(self, message: Any) -> None:
        """Take in what the claimant says; before a call that may be held it waits for its word."""
        if isinstance(message, resident.Poised):
            self._poised(message)
        else:
            self.inbox.append(message)

    def _poised(self, message: resident.Poised) -> None:
        if self._gate is None or self._gate.pid != message.pid:
            self._gate = ServedGate(message.pid, message.links)
            try:
                self._tracer = Tracer(message.pid, self._gate, family=True)
                self._tracers += (self._tracer,)
                self._tracer.await_all()  # else the copy might read the request unseen
            except OSError as error:
                raise RuntimeError(f"a command cannot be traced: {error.strerror}") from error
        assert self._call is not None
        self._gate.failing = self._failing
        self._gate.begin(self._call, self._hold)
        self._tell(resident.Go(None))

    def _is_stopped(self) -> bool:
        return self._tracer is not None and self._tracer.held is not None

    def _release(self) -> None:
        if self._tracer is not None:
            self._tracer.release()

    def _message(self) -> Any:
        """Answer what is to be told of the claimant next: see `PythonClaimant`."""
        try:
            return self._next()
        except BaseException:  # leave nothing behind that is stopped for ever
            self.end()
            raise

    def _next(self) -> Any:
        idle, sleeping = 0, Sleep()
        busy_ns = monotonic_ns()
        until_ns = busy_ns + int(3 * PATIENCE_S * 1e9)
        while self._gone is None:
            busy = turn_all()
            busy = self._crew.hear(0.0) or busy
            if (message := self._arrived()) is not None:
                return message
            if monotonic_ns() > until_ns:
                self._gone = self._hung()
            elif busy:
                idle = 0
                busy_ns = monotonic_ns()
                sleeping.forget()
            elif self._child.dead() and not self._crew.hear(0.0):
                self._gone = self._died()
            elif self._waits(sleeping, busy_ns):
                return Blocked()
            else:
                idle += 1
                sleep(_MOMENT_S if idle < _EAGER else _WHILE_S)
        return self._gone

    def _arrived(self) -> Any:
        """Answer what the claimant came to, None where it is on its way."""
        if self._is_stopped():
            assert self._tracer is not None
            assert self._gate is not None
            if not self._tracer.still():
                return None
            if self._released:
                self._release()
                return None
            self._held = True
            return resident.Holding(self._gate.points[-1], len(self._gate.points))
        if not self.inbox:
            return None
        message = self.inbox.popleft()
        if isinstance(message, resident.Done) and self._watched and self._gate is not None:
            self._gate.end()
            return message._replace(points=tuple(self._gate.points))
        return message

    def _waits(self, sleeping: Sleep, busy_ns: int) -> bool:
        """Tell whether the claimant and its copy sleep, so that they wait for somebody.

        A request that was sent has woken the copy, and an answer the claimant; so where all sleep
        neither is on its way. A claimant that has not taken its last order may not be woken yet.
        """
        if self._is_stopped() or self._crew.cells.count(self._number) != self._ordered:
            return False
        if monotonic_ns() - busy_ns < self._crew.silence_ns:  # it may wait for a server
            return False
        return sleeping.found(self._threads())

    def _threads(self) -> Iterator[tuple[int, int]]:
        """Yield the threads of the claimant and of its copies; found out only when looked at."""
        yield from threads_of(self._child.pid)

    def close(self) -> None:
        """End the process that the claimant lives in, and its copy."""
        self.end()
        super().close()

    def end(self) -> None:
        """End the copies that were traced; more than once does no harm."""
        end_traced([each for tracer in self._tracers for each in tracer.forget()])
