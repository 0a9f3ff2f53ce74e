"""The child's side of claimants in Python: one thread for each, and the orders that they get.

The main thread reads orders and hands them on; a claimant that is held waits for its next one. All
that is said goes up one pipe, a frame at a time.
"""

from __future__ import annotations

import queue
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from onewinner.clock import monotonic_ns
from onewinner.schedule.gate import Gate, Tracer, watch_statements
from onewinner.worker.handles import Handles
from onewinner.worker.journal import OK
from onewinner.worker.recorder import failure, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.generator import Call
    from onewinner.schedule.claimant import Point
    from onewinner.schedule.gate import Boundary, Hold

Send: TypeAlias = "Callable[[object], None]"


class Do(NamedTuple):
    """An order: make a call, held at `hold`.

    `fresh` is a location of its own to be at, None for the crew's; a claimant that moves connects
    anew there.
    """

    call: Call
    hold: Hold
    boundary: Boundary | None
    fresh: str | None = None


class Go(NamedTuple):
    """An order to a claimant that is held: go on to the next hold."""

    hold: Hold


class Ready(NamedTuple):
    """A claimant is there; `thread` is the number that the system knows it by."""

    thread: int


class Took(NamedTuple):
    """A claimant has taken an order: from now on it sleeps only where it waits for somebody."""


class Holding(NamedTuple):
    """A claimant is held at a point, the `number`-th of its call."""

    point: Point
    number: int


class Done(NamedTuple):
    """A call returned: how (as in a `Record`), when, and the points that it passed."""

    kind: int
    answer: Any
    invoked_ns: int
    completed_ns: int
    points: tuple[Point, ...]


END: Final = None


def reside(
    send: Send,
    receive: Callable[[], Any],
    target: Target,
    location: str,
    clock: Clock,
    claimants: int,
    shared: bool,
) -> None:
    """Serve the orders of `claimants` threads until the last, which is `END`.

    Each order is a pair of a claimant's number and what it shall do. With `shared` all use one
    connection.
    """
    watch_statements()
    handles = Handles(target, location, clock)
    residents = [
        Resident(
            partial(_say, send, number),
            handles if shared else Handles(target, location, clock),
            location,
        )
        for number in range(claimants)
    ]
    for resident in residents:
        threading.Thread(target=resident.live, daemon=True).start()
    while (order := receive()) is not END:
        number, what = order
        residents[number].orders.put(what)


def _say(send: Send, number: int, what: object) -> None:
    send((number, what))


class Resident:
    """One claimant; it lives in a thread of its own."""

    def __init__(self, say: Send, handles: Handles, home: str) -> None:
        self.orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._say = say
        self._handles = handles
        self._home = self._place = home
        self._gate = Gate(lambda point, number: say(Holding(point, number)), self._released)

    def live(self) -> None:
        """Carry out orders for ever; the process ends it."""
        self._say(Ready(threading.get_native_id()))
        while True:
            order: Do = self.orders.get()
            self._say(Took())
            self._say(self._done(order))

    def carry_out(self, order: Do) -> Done:
        """Carry out one order, here and now."""
        return self._done(order)

    def _released(self) -> Hold:
        order: Go = self.orders.get()
        self._say(Took())
        return order.hold

    def _done(self, order: Do) -> Done:
        place = order.fresh or self._home
        if place != self._place:
            self._handles.close(place)
            self._place = place
        try:
            act = self._act(order.call)
        except Exception as error:
            act = partial(_raise, error)
        tracer = None
        if order.boundary in {"line", "opcode"}:
            tracer = Tracer(self._gate, opcodes=order.boundary == "opcode")
        self._gate.enter(order.hold if order.boundary else None)
        kind, answer = OK, None
        invoked_ns = monotonic_ns()
        try:
            if tracer is not None:
                tracer.start()
            answer = act()
        except BaseException as error:
            completed_ns = monotonic_ns()
            Tracer.stop()
            kind, answer = failure(error)
        else:
            completed_ns = monotonic_ns()
            Tracer.stop()
            kind, answer = (OK, None) if order.call.f == "open" else plain(order.call.f, answer)
        return Done(kind, answer, invoked_ns, completed_ns, self._gate.leave())

    def _act(self, call: Call) -> Callable[[], Any]:
        """Answer the call without arguments. Its namespace is opened before, unless it is `open`.

        An `open` connects, where nothing is connected, and opens the namespace.
        """
        if call.f == "open":
            return partial(self._handles.store, call)
        if call.f == "sweep_expired":
            backend: Any = self._handles.connect()
            return backend.sweep_expired  # type: ignore[no-any-return]
        method = getattr(self._handles.store(call), call.f)
        if call.f in {"register", "register_if_absent"}:
            options = {} if call.ttl_ms is None else {"ttl_ms": call.ttl_ms}
            return partial(method, call.key, call.value, **options)
        return method if call.key is None else partial(method, call.key)


def _raise(error: Exception) -> Any:
    raise error
