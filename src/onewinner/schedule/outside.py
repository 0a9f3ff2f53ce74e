"""Claimants that are held from outside: whoever traces a process sees where its call is.

A process stands still as a whole while its call is held. Everything about a traced process is done
by the thread that began to trace it, and whoever waits for one claimant looks after all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from onewinner.clock import monotonic_ns, sleep
from onewinner.schedule import resident
from onewinner.schedule.claimant import Blocked
from onewinner.schedule.crew import PATIENCE_S, PythonClaimant
from onewinner.schedule.tracer import Tracer, turn_all
from onewinner.schedule.tracer_sleep import Sleep

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onewinner.generator import Call
    from onewinner.schedule.claimant import Died, Returned
    from onewinner.schedule.gate import Hold
    from onewinner.schedule.syscall_gate import SyscallGate

_TURNS: Final = 64
_EAGER: Final = 100
_MOMENT_S: Final = 0.00002
_WHILE_S: Final = 0.0005


class OutsideClaimant(PythonClaimant, ABC):
    """A claimant some of whose calls are watched by a tracer; see `PythonClaimant` for the rest.

    `_watched`: the call that is under way is one of them; `_held`: it is held by the tracer.
    """

    _gate: SyscallGate | None = None
    _tracer: Tracer | None = None
    _watched = False
    _held = False
    _turns = 0

    def make_all(self, calls: Sequence[tuple[Call, str | None]]) -> tuple[Returned, ...] | Died:
        """Make calls that nobody shall hold, each at its location, and wait for the last."""
        self._watched = False
        return super().make_all(calls)

    def let_go(self) -> None:
        """Hold this call no more: should it still come to a hold, it goes on at once."""
        super().let_go()
        if self._gate is not None:
            self._gate.aim(None)
        if self._stopped() is not None and not self._held:  # it came there, and nobody has asked
            self._release()

    def resume(self, hold: Hold = None) -> None:
        """Let a held call go on."""
        if not self._held or self._gate is None:
            super().resume(hold)
            return
        self._crew.held.discard(self._number)
        self._gate.aim(hold)
        self._release()

    def _release(self) -> None:
        self._held = False
        if self._tracer is not None:
            self._tracer.release()

    def _stopped(self) -> Tracer | None:
        """Answer who holds the call, None where it goes on."""
        return None if self._tracer is None or self._tracer.held is None else self._tracer

    def _message(self) -> Any:
        """Answer what is to be told of the claimant next: see `PythonClaimant`."""
        if self._tracer is not None:
            self._tracer.check_thread()
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
            busy = self._hear(busy=busy) or busy
            if (message := self._arrived()) is not None:
                return message
            if monotonic_ns() > until_ns:
                if self._crew.held:  # it may look again and again for what that one has
                    return Blocked()
                self._gone = self._hung()
            elif busy:
                idle = 0
                busy_ns = monotonic_ns()
                sleeping.forget()
            elif self._is_dead() and not self._crew.hear(0.0):
                self._gone = self._died()
            elif self._waits(sleeping, busy_ns):
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
        if (tracer := self._stopped()) is not None and self._gate is not None:
            if not tracer.still():
                return None
            self._held = True
            if self._released:
                self.resume()
                return None
            return resident.Holding(self._gate.points[-1], len(self._gate.points))
        if not self.inbox:
            return None
        message = self.inbox.popleft()
        if self._watched and self._gate is not None and isinstance(message, resident.Done):
            self._gate.end()
            return message._replace(points=tuple(self._gate.points))
        return message

    def _is_dead(self) -> bool:
        return self._child.dead()

    def _waits(self, sleeping: Sleep, busy_ns: int) -> bool:
        """Tell whether all that makes the call sleeps, so that it waits for somebody.

        A claimant that has not taken its last order may not be woken yet.
        """
        if self._stopped() is not None or self._crew.cells.count(self._number) != self._ordered:
            return False
        if monotonic_ns() - busy_ns < self._crew.silence_ns:  # it may wait for a server
            return False
        return sleeping.found(self._threads())

    def _threads(self) -> Iterable[tuple[int, int]]:
        """Answer the threads that make the call, by process and thread id."""
        return () if self._tracer is None else self._tracer.running()

    def _inside(self) -> str:
        """Answer the system calls that a call is in which does not return, to be told."""
        doing = "" if self._tracer is None else self._tracer.doing()
        return f", in {doing}" if doing else ""

    def close(self) -> None:
        """End the process that the claimant lives in, and what was traced."""
        self.end()
        super().close()

    @abstractmethod
    def end(self) -> None:
        """End what was traced; more than once does no harm."""
