"""Processes that are killed at a system call: traced by the nursery that forks them.

A victim connects, and opens its namespace, before it is traced. Then it makes its one call, is held
at the system call that was chosen, and is killed there, with that system call not made.
"""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING, Any, Final

from onewinner.clock import monotonic_ns, sleep
from onewinner.generator import Call
from onewinner.schedule.ending import end_group, end_traced
from onewinner.schedule.failing import Failing
from onewinner.schedule.resident import Do, Done, Holding, Resident
from onewinner.schedule.resident_gate import ResidentGate
from onewinner.schedule.served_gate import ServedGate
from onewinner.schedule.tracer import Tracer, turn_all
from onewinner.schedule.victims import VICTIM_S, Fell, Hurt, die, forked
from onewinner.worker.child import FrameBuffer, write_frame
from onewinner.worker.handles import Handles

if TYPE_CHECKING:
    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock

_READY: Final = "ready"
_MOMENT_S: Final = 0.00002


def hurt_traced(target: Target, clock: Clock, hurt: Hurt) -> Fell:
    """Make a call in a new process, which is killed at a system call or after its answer."""
    waiting, release = os.pipe()

    def live(pipe: int) -> None:
        os.close(release)
        handles = Handles(target, hurt.place, clock)
        resident = Resident(lambda _: None, handles, hurt.place, lambda: None)
        call = hurt.order.call
        opening = Call("open", call.plugin, call.namespace, max_entries=call.max_entries)
        resident.carry_out(Do(opening, None, None))
        write_frame(pipe, handles.copy() if target.served else _READY)
        os.read(waiting, 1)
        write_frame(pipe, resident.carry_out(hurt.order._replace(traced=not target.served)))
        die()

    pid, reading = forked(live)
    os.close(waiting)
    try:
        return _Watch(pid, reading, hurt).fall(release)
    finally:
        os.close(release)
        os.close(reading)


class _Watch:
    """One victim, from its birth to its end."""

    def __init__(self, pid: int, reading: int, hurt: Hurt) -> None:
        self._pid = pid
        self._reading = reading
        self._hurt = hurt
        self._own = {os.readlink(f"/proc/self/fd/{reading}")}  # noqa: PTH115 - no path
        self._failing = Failing(hurt.place)
        self._gate: ResidentGate | ServedGate
        self._buffer = FrameBuffer()
        self._poll = select.poll()
        self._poll.register(reading, select.POLLIN)
        self._until_ns = monotonic_ns() + int(VICTIM_S * 1e9)
        self._tracer: Tracer | None = None

    def fall(self, release: int) -> Fell:
        """Trace the victim once it is ready, let it go on, and answer how it fell."""
        try:
            ready = self._said(wait_ms=int(VICTIM_S * 1e3))
            if ready is None:
                return Fell(None, None, "it did not come to its call")
            tracer = self._traced(ready)
            os.write(release, b"\0")
            return self._fall(tracer)
        except OSError as error:
            return Fell(None, None, f"it could not be traced: {error.strerror}")
        finally:
            self._end()

    def _traced(self, ready: Any) -> Tracer:
        """Trace the victim, or the copy of the command that serves it."""
        call, hold = self._hurt.order.call, self._hurt.order.hold
        if ready == _READY:
            gate = self._gate = ResidentGate(self._pid, self._own)
            gate.begin(call, hold, "syscall")
            self._tracer = Tracer(self._pid, gate)
        else:
            pid, links = ready
            served = self._gate = ServedGate(pid, links)
            served.begin(call, hold)
            self._tracer = Tracer(pid, served, family=True)
            self._tracer.await_all()  # else the copy might read the request unseen
        self._gate.failing = self._failing
        return self._tracer

    def _end(self) -> None:
        """Kill the victim; of a copy that serves it, first the copy, where it is held."""
        traced = [] if self._tracer is None else self._tracer.forget()
        status = None
        if self._tracer is not None and isinstance(self._gate, ServedGate):
            end_traced(traced)
            traced = []
        elif self._tracer is not None:
            status = self._gate.status
        end_group(self._pid, status, traced)

    def _fall(self, tracer: Tracer) -> Fell:
        while monotonic_ns() < self._until_ns:
            busy = turn_all()
            if tracer.held is not None:
                points = self._gate.points
                return Fell(Holding(points[-1], len(points)), None)
            ended = self._gate.status is not None
            said = self._said() if ended or not busy else None
            if isinstance(said, Done):
                done = said._replace(points=tuple(self._gate.points))
                return Fell(None, done, changes=tuple(at for at, _ in self._failing.changes))
            if ended:
                code = os.waitstatus_to_exitcode(self._gate.status or 0)
                return Fell(None, None, f"it ended with exit code {code}")
            if not busy:
                sleep(_MOMENT_S)
        return Fell(None, None, "it hung")

    def _said(self, wait_ms: int = 0) -> Any:
        """Answer what the victim says next, None where it says nothing."""
        while self._poll.poll(wait_ms):
            chunk = os.read(self._reading, 1 << 16)
            said = self._buffer.feed(chunk)
            if said or not chunk:
                return said[0] if said else None
        return None
