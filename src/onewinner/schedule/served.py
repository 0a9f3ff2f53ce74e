"""Claimants whose store lives behind a command: the copy of the command is what is held.

The claimant itself is the kit's client, in a process of its own; what it waits for is its copy. A
held copy stands still as a whole, whatever language it is written in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onewinner.schedule import resident
from onewinner.schedule.choice import TRACED
from onewinner.schedule.claimant import Died
from onewinner.schedule.ending import end_traced
from onewinner.schedule.outside import OutsideClaimant
from onewinner.schedule.served_gate import ServedGate
from onewinner.schedule.tracer import Tracer
from onewinner.schedule.tracer_sleep import threads_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.generator import Call
    from onewinner.schedule.failing import Failing
    from onewinner.schedule.gate import Hold


class ServedClaimant(OutsideClaimant):
    """A claimant whose calls are served by a copy of the command.

    It can be held once it is traced (`trace`), at boundary `syscall`, and nowhere else.
    """

    traced = False
    _tracers: tuple[Tracer, ...] = ()
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

    def watch(self, failing: Failing | None) -> None:
        """Have the next call looked at for system calls that could fail, and one of them fail."""
        self._failing = failing
        if self._gate is not None:
            self._gate.failing = failing

    def let_go(self) -> None:
        """Hold this call no more: should it still come to a hold, it goes on at once."""
        self._hold = None
        super().let_go()

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

    def _threads(self) -> Iterator[tuple[int, int]]:
        """Yield the threads of the claimant and of its copies; found out only when looked at.

        A request that was sent has woken the copy, and an answer the claimant; so where all sleep
        neither is on its way.
        """
        yield from threads_of(self._child.pid)

    def _hung(self) -> Died:
        where = self._inside()
        hung = super()._hung()
        return Died(f"{hung.how}{where}", hung.tail)

    def end(self) -> None:
        """End the copies that were traced; more than once does no harm."""
        end_traced([each for tracer in self._tracers for each in tracer.forget()])
