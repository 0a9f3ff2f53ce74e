"""The child's side of claimants in Python: one thread for each, and the orders that they get.

A claimant that is alone in its process lives in the main thread and reads its orders itself; of
several each has a thread, and the main thread hands the orders on. A claimant that is held waits
for its next order. All that is said goes up one pipe, a frame at a time.
"""

from __future__ import annotations

import queue
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from onewinner.clock import monotonic_ns
from onewinner.schedule.announcing import announced
from onewinner.schedule.gate import Gate, watch_statements
from onewinner.schedule.sockets import watch_sockets
from onewinner.schedule.tracing import tracing
from onewinner.worker.acts import Acts
from onewinner.worker.handles import Handles
from onewinner.worker.journal import OK
from onewinner.worker.recorder import failure, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.generator import Call
    from onewinner.schedule.cells import Cells
    from onewinner.schedule.claimant import Point
    from onewinner.schedule.gate import Boundary, Hold
    from onewinner.schedule.tracing import Tracing

Send: TypeAlias = "Callable[[object], None]"


class Do(NamedTuple):
    """An order: make a call, held at `hold`.

    Where it is `traced` the kit sees from outside where the call is, and holds it; if a command
    serves it, the claimant says so before and waits for a `Go`.
    `fresh` is a location of its own to be at, None for the crew's; a claimant that moves connects
    anew there.
    """

    call: Call
    hold: Hold
    boundary: Boundary | None
    fresh: str | None = None
    traced: bool = False


class Go(NamedTuple):
    """An order to a claimant that is held: go on to the next hold."""

    hold: Hold


class Make(NamedTuple):
    """An order: make calls one after the other, which nobody shall hold, each at its location."""

    calls: tuple[tuple[Call, str | None], ...]


class Learn(NamedTuple):
    """An order: compare from now on with what another claimant observed by these calls.

    Nothing is said to it.
    """

    observed: tuple[tuple[Call, str], ...]


class Ready(NamedTuple):
    """A claimant is there; `thread` is the number that the system knows it by."""

    thread: int


class Poised(NamedTuple):
    """A claimant is about to ask a copy of its command, by process id and streams, and waits."""

    pid: int
    links: tuple[str, ...]


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


class Made(NamedTuple):
    """The calls of a `Make` returned, in their order."""

    done: tuple[Done, ...]


END: Final = None


def reside(
    send: Send,
    receive: Callable[[], Any],
    target: Target,
    location: str,
    clock: Clock,
    cells: Cells,
    places: tuple[int, ...],
    shared: bool,
) -> None:
    """Serve the orders of some claimants until the last, which is `END`.

    Each order is a pair of a claimant's place in `places` and what it shall do; `places` are where
    each counts its orders in `cells`. With `shared` all use one connection.
    """
    watch_statements()
    if target.served:
        target.load()
    common = Handles(target, location, clock)
    residents = [
        Resident(
            partial(_say, send, place),
            common if shared else Handles(target, location, clock),
            location,
            partial(cells.add, cell),
        )
        for place, cell in enumerate(places)
    ]
    if len(residents) == 1:
        residents[0].live(lambda: _what(receive()))
        return
    queues: list[queue.SimpleQueue[Any]] = [queue.SimpleQueue() for _ in residents]
    for resident, orders in zip(residents, queues, strict=True):
        threading.Thread(target=resident.live, args=(orders.get,), daemon=True).start()
    while (order := receive()) is not END:
        place, what = order
        queues[place].put(what)


def _say(send: Send, place: int, what: object) -> None:
    send((place, what))


def _what(order: Any) -> Any:
    return END if order is END else order[1]


class Resident:
    """One claimant; it lives in a thread of its own. `took` is called for each order it takes."""

    def __init__(self, say: Send, handles: Handles, home: str, took: Callable[[], None]) -> None:
        self._say = say
        self._handles = handles
        self._acts = Acts(handles)
        self._home = home
        self._took = took
        self._take: Callable[[], Any] = lambda: END
        self._gate = Gate(lambda point, number: say(Holding(point, number)), self._released)

    def live(self, take: Callable[[], Any]) -> None:
        """Carry out orders until the last."""
        self._take = take
        self._say(Ready(threading.get_native_id()))
        while (order := take()) is not END:
            self._took()
            if isinstance(order, Make):
                calls = (Do(call, None, None, fresh) for call, fresh in order.calls)
                self._say(Made(tuple(self._done(each) for each in calls)))
            elif isinstance(order, Learn):
                for call, comparison in order.observed:
                    self._acts.learn(call, comparison)
            else:
                self._say(self._done(order))

    def carry_out(self, order: Do) -> Done:
        """Carry out one order, here and now."""
        return self._done(order)

    def _released(self) -> Hold:
        order: Go = self._take()
        self._took()
        return order.hold

    def _done(self, order: Do) -> Done:
        self._handles.move(order.fresh or self._home)
        try:
            act = self._acts.act(order.call)
        except Exception as error:
            act = partial(_raise, error)
        if order.traced and self._handles.served:
            self._say(Poised(*self._handles.copy()))
            self._released()
        elif order.traced:
            act = partial(announced, act)
        elif order.boundary == "client":
            watch_sockets()
        self._gate.enter(order.hold if order.boundary else None, order.boundary)
        watch = None
        if order.boundary in {"line", "tail", "opcode"}:
            watch = tracing(self._gate, opcodes=order.boundary == "opcode")
        invoked_ns = monotonic_ns()
        ended = _ended(act, watch)
        completed_ns = monotonic_ns()
        points = self._gate.leave()
        kind, answer = ended()
        if kind == OK:
            kind, answer = (OK, None) if order.call.f == "open" else plain(order.call.f, answer)
        return Done(kind, answer, invoked_ns, completed_ns, points)


def _raise(error: Exception) -> Any:
    raise error


def _ended(act: Callable[[], Any], watch: Tracing | None) -> Callable[[], tuple[int, Any]]:
    """Make a call and answer how it ended, to be looked at when the time has been taken."""
    try:
        if watch is not None:
            watch.start()
        answer = act()
    except BaseException as error:
        return partial(failure, error)
    else:
        return lambda: (OK, answer)
    finally:
        if watch is not None:
            watch.stop()
