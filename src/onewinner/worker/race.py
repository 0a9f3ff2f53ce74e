"""A race worker: one process of a pool, with the clients that live in it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onewinner.clock import SharedClock, monotonic_ns, sleep, wall_ns
from onewinner.worker.board import Board
from onewinner.worker.noise import Noise
from onewinner.worker.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.contract import Backend, Store
    from onewinner.generator import Call, Pass, Step
    from onewinner.worker.recorder import Record

_SWITCH_INTERVAL_S: Final = 1e-6
_WAIT_STEP_S: Final = 0.05


class Part(NamedTuple):
    """One client's share of a round; `place` is the location where it is not the block's."""

    prepare: tuple[Step, ...]
    volley: tuple[Call, ...]
    inspect: tuple[Call, ...]
    cold: bool
    place: str | None


class Segment(NamedTuple):
    """What one client did in one phase of a round (`round` counts from 0 in the block).

    `epoch` grows whenever time was made to pass: rows of an earlier epoch are strictly older.
    """

    round: int
    phase: str
    epoch: int
    records: list[Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One block for one worker: what each of its clients has to do.

    `serial` is the number of the first round, counted over all blocks of the pool; `crowd` the
    number of clients over all workers; after `stop_ns` no further round is begun.
    """

    serial: int
    location: str
    crowd: int
    clients: tuple[tuple[int, tuple[Part, ...]], ...]
    shared_handle: bool
    spin: bool
    noise: str | None
    stop_ns: int


@dataclass(slots=True)
class Reply:
    """What the clients of one worker did; `drifts_ms` says how far the two clocks came apart."""

    segments: dict[int, list[Segment]]
    drifts_ms: list[int]
    handles: int


def serve(
    send: Callable[[object], None],
    receive: Callable[[], Any],
    target: Target,
    clock: Clock,
    board_path: str,
    crowd_max: int,
) -> None:
    """Carry out orders until there are no more."""
    board = Board(board_path, crowd_max)
    with contextlib.suppress(EOFError):
        while (order := receive()) is not None:
            send(_carry_out(order, target, clock, board))


def _carry_out(order: Order, target: Target, clock: Clock, board: Board) -> Reply:
    shared = Handles(target, order.location, clock) if order.shared_handle else None
    clients = [
        Client(number, parts, order, shared or Handles(target, order.location, clock), board, clock)
        for number, parts in order.clients
    ]
    if len(clients) == 1:
        clients[0].run()
    else:
        _in_threads(clients)
    for handles in {id(client.handles): client.handles for client in clients}.values():
        handles.close()
    return Reply(
        {client.number: client.segments for client in clients},
        [drift for client in clients for drift in client.drifts_ms],
        1 if shared else len(clients),
    )


def _in_threads(clients: list[Client]) -> None:
    errors: list[BaseException] = []

    def guarded(client: Client) -> None:
        try:
            client.run()
        except BaseException as error:  # noqa: BLE001 - handed on below
            errors.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    threads = [threading.Thread(target=guarded, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(before)
    if errors:
        raise errors[0]


class Handles:
    """One connection, and the namespaces opened on it; clients of one process may share it."""

    def __init__(self, target: Target, location: str, clock: Clock) -> None:
        self._target = target
        self._location = location
        self._clock = clock
        self._lock = threading.Lock()
        self._backend: Backend | None = None
        self._stores: dict[tuple[str, str], Store] = {}

    def connect(self) -> Backend:
        """Answer the connection, made by whoever needs it first."""
        with self._lock:
            if self._backend is None:
                self._backend = self._target.connect(self._location, self._clock)
            return self._backend

    def store(self, call: Call) -> Store:
        """Answer the namespace that a call is about."""
        where = (call.plugin, call.namespace)
        found = self._stores.get(where)
        if found is None:
            opened = self.connect().open(*where, max_entries=call.max_entries)
            found = self._stores.setdefault(where, opened)
        return found

    def close(self, location: str | None = None) -> None:
        """Close the connection; the next one goes to `location`, where given.

        What a target raises here is swallowed: closing is not what a race is about.
        """
        backend, self._backend = self._backend, None
        self._stores.clear()
        self._location = location or self._location
        if backend is not None:
            with contextlib.suppress(Exception):
                backend.close()


class Client:
    """One logical client of a race. Client 0 leads: it prepares, gives the word, and inspects."""

    def __init__(
        self,
        number: int,
        parts: tuple[Part, ...],
        order: Order,
        handles: Handles,
        board: Board,
        clock: Clock,
    ) -> None:
        self.number = number
        self.handles = handles
        self.segments: list[Segment] = []
        self.drifts_ms: list[int] = []
        self._parts = parts
        self._order = order
        self._board = board
        self._clock = clock
        self._recorder = Recorder(board.cells, board.beat_cell(number))
        self._noise = Noise(f"{order.noise}/{number}") if order.noise is not None else None
        self._epoch = 0
        self._returned = (0, 0)

    def run(self) -> None:
        """Take part in every round of the block, until the leader ends it."""
        _pin(self.number)
        home = self._order.location
        self._recorder.make("open", self.handles.connect)
        self._close_segment(0, "connect")
        for index, part in enumerate(self._parts):
            if part.place is not None:
                self.handles.close(part.place)
            elif part.cold and not self._order.shared_handle:
                self.handles.close()
                self._recorder.make("open", self.handles.connect)
                self._close_segment(index, "connect")
            if not (self._lead(index, part) if self.number == 0 else self._follow(index, part)):
                return
            if part.place is not None:
                self.handles.close(home)

    def _follow(self, index: int, part: Part) -> bool:
        serial = self._order.serial + index
        acts = self._bind(part)
        self._board.cells[self._board.ready_cell(self.number)] = serial
        if not self._board.await_go(serial, spin=self._order.spin):
            return False
        self._fire(index, acts)
        self._board.cells[self._board.done_cell(self.number)] = serial
        return True

    def _lead(self, index: int, part: Part) -> bool:
        serial, spin = self._order.serial + index, self._order.spin
        others = range(1, self._order.crowd)
        began = monotonic_ns()
        if began > self._order.stop_ns:
            self._board.end(serial)
            return False
        offset_ns = wall_ns() - began
        self._prepare(index, part)
        acts = self._bind(part)
        self._board.await_cells(map(self._board.ready_cell, others), serial, spin=spin)
        self._board.release(serial, began, spin=spin)
        self._fire(index, acts)
        self._board.await_cells(map(self._board.done_cell, others), serial, spin=spin)
        for call in part.inspect:
            self._recorder.make(call.f, self._act(call))
        self._close_segment(index, "inspect")
        self.drifts_ms.append(abs(wall_ns() - monotonic_ns() - offset_ns) // 1_000_000)
        return True

    def _prepare(self, index: int, part: Part) -> None:
        for step in part.prepare:
            if hasattr(step, "margin_ms"):
                self._close_segment(index, "prepare")
                self._let_pass(step)
                self._epoch += 1
            else:
                self._recorder.make(step.f, self._act(step))
                self._returned = (monotonic_ns(), wall_ns())
        self._close_segment(index, "prepare")

    def _let_pass(self, step: Pass) -> None:
        """Move virtual time; or wait until both real clocks agree that it has passed."""
        if isinstance(self._clock, SharedClock):
            self._clock.advance(step.ms)
            return
        wait_ns = (step.ms + step.margin_ms) * 1_000_000
        monotonic_until, wall_until = (stamp + wait_ns for stamp in self._returned)
        beat = self._board.beat_cell(self.number)
        while (left := max(monotonic_until - monotonic_ns(), wall_until - wall_ns())) > 0:
            self._board.cells[beat] += 2  # still alive, and in no call
            sleep(min(_WAIT_STEP_S, left / 1e9))

    def _bind(self, part: Part) -> list[tuple[str, Callable[[], Any]]]:
        if part.place is not None:  # nothing is open before the volley opens it
            return [(call.f, partial(self._open_and_act, call)) for call in part.volley]
        return [(call.f, self._act(call)) for call in part.volley]

    def _open_and_act(self, call: Call) -> Any:
        if call.f == "open":
            self.handles.store(call)
            return None
        return self._act(call)()

    def _act(self, call: Call) -> Callable[[], Any]:
        """Answer the call without arguments; an error of opening becomes the call's own."""
        try:
            if call.f == "sweep_expired":
                return self.handles.connect().sweep_expired
            if call.f == "open":
                return partial(self.handles.store, call)
            method = getattr(self.handles.store(call), call.f)
        except BaseException as error:  # noqa: BLE001 - foreign code, SystemExit included
            return partial(_raise, error)
        if call.f in {"register", "register_if_absent"}:
            if call.ttl_ms is None:
                return partial(method, call.key, call.value)
            return partial(method, call.key, call.value, ttl_ms=call.ttl_ms)
        return method if call.key is None else partial(method, call.key)

    def _fire(self, index: int, acts: list[tuple[str, Callable[[], Any]]]) -> None:
        self._board.await_start(spin=self._order.spin)
        make = self._recorder.make
        if self._noise is None:
            for f, act in acts:
                make(f, act)
        else:
            self._noise.start()
            for f, act in acts:
                self._noise.refill()
                make(f, act)
            self._noise.stop()
        self._close_segment(index, "volley")

    def _close_segment(self, index: int, phase: str) -> None:
        if records := self._recorder.take():
            self.segments.append(Segment(index, phase, self._epoch, records))


def _raise(error: BaseException) -> None:
    raise error


def _pin(client: int) -> None:
    """Give each client a processor of its own as far as there are any.

    Else the scheduler tends to wake them all on one, where they hardly ever meet.
    """
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(os.getpid()))
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {processors[client % len(processors)]})
