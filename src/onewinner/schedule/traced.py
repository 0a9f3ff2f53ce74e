"""Claimants in Python that are traced: held at system calls, or at client calls, from outside.

The whole process stands still while its call is held. Everything about a traced process is done by
the thread that began to trace it, and whoever waits for one claimant looks after all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.clock import monotonic_ns, sleep
from onewinner.runner.process import signal_name
from onewinner.schedule import resident
from onewinner.schedule.choice import TRACED
from onewinner.schedule.claimant import Blocked, Died
from onewinner.schedule.crew import PATIENCE_S, PythonClaimant
from onewinner.schedule.ending import end_group
from onewinner.schedule.resident_gate import ResidentGate
from onewinner.schedule.tracer import Tracer, turn_all
from onewinner.schedule.tracer_sleep import Sleep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.generator import Call
    from onewinner.schedule.claimant import Returned
    from onewinner.schedule.failing import Failing
    from onewinner.schedule.gate import Hold

_TURNS: Final = 64
_EAGER: Final = 100
_MOMENT_S: Final = 0.00002
_WHILE_S: Final = 0.0005


class TracedClaimant(PythonClaimant):
    """A claimant that lives alone in its process, traced from now on.

    At boundaries that it shows by itself it behaves as before, only slower. Raises OSError where
    the kernel refuses to trace it.
    """

    def __init__(self, claimant: PythonClaimant) -> None:
        self.__dict__.update(claimant.__dict__)  # the same claimant, with the same inbox
        self._gate = ResidentGate(self._child.pid, self._child.links())
        self._sleep = Sleep()
        self._held = False
        self._watched = False
        self._turns = 0
        self._child.hand_over()
        self._tracer = Tracer(self._child.pid, self._gate)

    def begin(
        self, call: Call, hold: Hold = None, *, fresh: str | None = None, free: bool = False
    ) -> None:
        """Start a call; see `PythonClaimant`."""
        self._watched = self.boundary in TRACED and not free
        if not self._watched:
            super().begin(call, hold, fresh=fresh, free=free)
            return
        self._released = False
        self._gate.begin(call, hold, self.boundary)
        self._tell(resident.Do(call, None, None, fresh, traced=True))

    def make_all(self, calls: Sequence[tuple[Call, str | None]]) -> tuple[Returned, ...] | Died:
        """Make calls that nobody shall hold, each at its location, and wait for the last."""
        self._watched = False
        return super().make_all(calls)

    def watch(self, failing: Failing | None) -> None:
        """Have the next call looked at for system calls that could fail, and one of them fail.

        That takes the boundary of system calls.
        """
        self._gate.failing = failing

    def let_go(self) -> None:
        """Hold this call no more: should it still come to a hold, it goes on at once."""
        super().let_go()
        self._gate.aim(None)
        if self._tracer.held is not None and not self._held:  # it came there, and nobody has asked
            self._tracer.release()

    def resume(self, hold: Hold = None) -> None:
        """Let a held call go on."""
        if not self._held:
            super().resume(hold)
            return
        self._held = False
        self._crew.held.discard(self._number)
        self._gate.aim(hold)
        self._tracer.release()

    def _message(self) -> Any:
        """Answer what is to be told of the claimant next: see `PythonClaimant`."""
        try:
            return self._next()
        except BaseException:  # leave nothing behind that is stopped for ever
            self.end()
            raise

    def _next(self) -> Any:
        idle = 0
        self._sleep.forget()
        busy_ns = monotonic_ns()
        until_ns = busy_ns + int(3 * PATIENCE_S * 1e9)
        while self._gone is None:
            busy = turn_all()
            busy = self._hear(busy=busy) or busy
            if (message := self._arrived()) is not None:
                return message
            if monotonic_ns() > until_ns:
                self._gone = self._hung()
            elif busy:
                idle = 0
                busy_ns = monotonic_ns()
                self._sleep.forget()
            elif self._gate.status is not None or self._child.dead():
                self._gone = self._died()
            elif self._is_asleep(busy_ns):
                return Blocked()
            else:
                idle += 1
                sleep(_MOMENT_S if idle < _EAGER else _WHILE_S)
        return self._gone

    def _hear(self, *, busy: bool) -> bool:
        """Take in what was said, but not after each system call: who is at work says nothing."""
        self._turns += 1
        return (not busy or self._turns % _TURNS == 0) and self._crew.hear(0.0)

    def _arrived(self) -> Any:
        """Answer what the claimant came to, None where it is on its way."""
        if self._tracer.held is not None:
            if not self._tracer.still():
                return None
            self._held = True
            if self._released:
                self.resume()
                return None
            return resident.Holding(self._gate.points[-1], len(self._gate.points))
        if not self.inbox:
            return None
        message = self.inbox.popleft()
        if self._watched and isinstance(message, resident.Done):
            return message._replace(points=tuple(self._gate.points))
        return message

    def _is_asleep(self, busy_ns: int) -> bool:
        if self._tracer.held is not None or monotonic_ns() - busy_ns < self._crew.silence_ns:
            return False
        taken = self._crew.cells.count(self._number)
        return taken == self._ordered and self._sleep.found(self._tracer.running())

    def close(self) -> None:
        """End the process that the claimant lives in."""
        self.end()
        super().close()

    def end(self) -> int:
        """Kill and reap the process; answer its exit code. More than once does no harm."""
        self._gate.status = end_group(self._child.pid, self._gate.status, self._tracer.forget())
        status = self._gate.status or 0
        self._child.reaped(status)
        return -(status & 0x7F) if status & 0x7F else status >> 8

    def _died(self) -> Died:
        code = self.end()
        self._child.receive()
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        return Died(f"its process {how}", self._child.tail())

    def _hung(self) -> Died:
        doing = self._tracer.doing()
        self.end()
        self._child.receive()
        where = f", in {doing}" if doing else ""
        return Died(f"its call did not return within {PATIENCE_S:.0f} s{where}", self._child.tail())
