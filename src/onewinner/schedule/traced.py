"""Claimants in Python that are traced: held at system calls, or at client calls, from outside."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from onewinner.runner.process import signal_name
from onewinner.schedule import resident
from onewinner.schedule.choice import TRACED
from onewinner.schedule.claimant import Died
from onewinner.schedule.crew import PATIENCE_S
from onewinner.schedule.ending import end_group
from onewinner.schedule.outside import OutsideClaimant
from onewinner.schedule.resident_gate import ResidentGate
from onewinner.schedule.tracer import Tracer

if TYPE_CHECKING:
    from onewinner.generator import Call
    from onewinner.schedule.crew import PythonClaimant
    from onewinner.schedule.failing import Failing
    from onewinner.schedule.gate import Hold


class TracedClaimant(OutsideClaimant):
    """A claimant that lives alone in its process, traced from now on.

    At boundaries that it shows by itself it behaves as before, only slower. Raises OSError where
    the kernel refuses to trace it.
    """

    _gate: ResidentGate
    _tracer: Tracer

    def __init__(self, claimant: PythonClaimant) -> None:
        self.__dict__.update(claimant.__dict__)  # the same claimant, with the same inbox
        self._gate = ResidentGate(self._child.pid, self._child.links())
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

    def watch(self, failing: Failing | None) -> None:
        """Have the next call looked at for system calls that could fail, and one of them fail.

        That takes the boundary of system calls.
        """
        self._gate.failing = failing

    def _is_dead(self) -> bool:
        return self._gate.status is not None or self._child.dead()

    def end(self) -> None:
        """Kill and reap the process; more than once does no harm."""
        self._gate.status = end_group(self._child.pid, self._gate.status, self._tracer.forget())
        self._child.reaped(self._gate.status or 0)

    def _died(self) -> Died:
        self.end()
        code = os.waitstatus_to_exitcode(self._gate.status or 0)
        self._child.receive()
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        return Died(f"its process {how}", self._child.tail())

    def _hung(self) -> Died:
        where = self._inside()
        self.end()
        self._child.receive()
        return Died(f"its call did not return within {PATIENCE_S:.0f} s{where}", self._child.tail())
