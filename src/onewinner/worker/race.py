"""A race worker: one process of a pool, with the clients that live in it."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner.clock import SharedClock, monotonic_ns, sleep, wall_ns
from onewinner.contract import ABSENT
from onewinner.generator import Pass
from onewinner.schedule.gate import watch_statements
from onewinner.worker.acts import Acts
from onewinner.worker.batches import batch_of, pin_copy
from onewinner.worker.board import Board
from onewinner.worker.handles import Handles
from onewinner.worker.journal import OK, Journal
from onewinner.worker.noise import Noise, Pauses
from onewinner.worker.order import CONNECT, Reply, Segment, board_path, journal_path
from onewinner.worker.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onewinner.adapters.stdio.backend import Fired
    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.generator import Call
    from onewinner.worker.order import Order, Part
    from onewinner.worker.recorder import Prepared, Record

_SWITCH_INTERVAL_S: Final = 1e-6
_WAIT_STEP_S: Final = 0.05
_WALL_PATIENCE_NS: Final = 5_000_000_000
_WON_BY_TRUE: Final = frozenset({"register_if_absent", "delete_if_equal", "delete_if"})


def serve(
    send: Callable[[object], None],
    receive: Callable[[], Any],
    target: Target,
    clock: Clock,
    run_dir: str,
    crowd_max: int,
    number: int,
) -> None:
    """Say that worker `number` is there (by sending None), then carry out orders until the last.

    In `run_dir` lie the board of the pool and the journals of its clients.
    """
    bench = Bench(target, clock, Path(run_dir), crowd_max, number)
    send(None)
    with contextlib.suppress(EOFError):
        while (order := receive()) is not None:
            send(bench.carry_out(order))


class Bench:
    """What a worker keeps from order to order."""

    def __init__(
        self, target: Target, clock: Clock, run_dir: Path, crowd_max: int, number: int
    ) -> None:
        self.clock = clock
        self.board = Board(board_path(run_dir), crowd_max)
        self.number = number
        self._run_dir = run_dir
        self._journals: dict[int, Journal] = {}
        self._target = target
        self.processors = _processors()
        self._keeper: Handles | None = None
        self._sitting: str | None = None
        self._seated: dict[int, Handles] = {}
        self._watched = False
        watch_statements(lambda: self._watched)
        target.load()

    def carry_out(self, order: Order) -> Reply:
        """Let this worker's clients do their part of a block, each on a thread of its own."""
        self.board.await_block(order.serial)
        started = monotonic_ns()
        self._watched = order.noise is not None and order.spin
        shared = self._handles(order) if order.shared_handle else None
        self._sit_down(order)
        clients = [
            Client(number, parts, order, shared or self._handles_of(number, order), self)
            for number, parts in order.clients
        ]
        if len(clients) == 1:
            clients[0].run()
        else:
            _in_threads(clients)
        if clients[0].number == 0:
            self.board.finish_block(order.serial + len(order.clients[0][1]) - 1)
        for handles in {id(client.handles): client.handles for client in clients}.values():
            if handles not in self._seated.values():
                handles.close()
        return Reply(
            {client.number: client.segments for client in clients},
            [drift for client in clients for drift in client.drifts_ms],
            1 if shared else len(clients),
            (monotonic_ns() - started) / 1e9,
        )

    def journal(self, client: int) -> Journal:
        """Answer a client's journal, empty: what an earlier block left there has been reported."""
        if client not in self._journals:
            self._journals[client] = Journal(journal_path(self._run_dir, client), client)
        self._journals[client].clear()
        return self._journals[client]

    def _handles(self, order: Order) -> Handles:
        return Handles(self._target, order.location, self.clock)

    def _sit_down(self, order: Order) -> None:
        """Close the connections of another sitting."""
        if order.sitting != self._sitting:
            self._sitting = order.sitting
            for handles in self._seated.values():
                handles.close()
            self._seated.clear()

    def _handles_of(self, client: int, order: Order) -> Handles:
        if order.sitting is None:
            return self._handles(order)
        return self._seated.setdefault(client, self._handles(order))

    def keep_open(self, order: Order) -> None:
        """Hold a connection that nobody uses, so that the store is never closed from now on.

        The leader has it made as soon as it is connected itself: clients that all begin anew at
        once would else close the store between two rounds, and what is in memory might go.
        """
        if order.keep_open and self._keeper is None:
            self._keeper = self._handles(order)
            with contextlib.suppress(Exception):
                self._keeper.connect()

    def pin(self, client: int) -> None:
        """Give the calling thread a processor of its own as far as there are any.

        Else the scheduler tends to wake all clients on one, where they hardly ever meet.
        """
        if self.processors:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, {self.processors[client % len(self.processors)]})


def _processors() -> tuple[int, ...]:
    """Answer the processors this process may use, none where threads cannot be placed."""
    if not hasattr(os, "sched_setaffinity"):
        return ()
    return tuple(sorted(os.sched_getaffinity(0)))


def _in_threads(clients: list[Client]) -> None:
    """Run clients on threads; raises what one of them raises at once, for others wait for it."""
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def guarded(client: Client) -> None:
        try:
            client.run()
        except BaseException as error:
            ended.put(error)
        else:
            ended.put(None)

    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    for client in clients:
        threading.Thread(target=guarded, args=(client,), daemon=True).start()
    for _ in clients:
        if (error := ended.get()) is not None:
            raise error
    sys.setswitchinterval(before)


class Client:
    """One logical client of a race. Client 0 leads: it prepares, gives the word, and inspects."""

    def __init__(
        self,
        number: int,
        parts: tuple[Part, ...],
        order: Order,
        handles: Handles,
        bench: Bench,
    ) -> None:
        self.number = number
        self.handles = handles
        self._acts = Acts(handles)
        self.segments: list[Segment] = []
        self.drifts_ms: list[int] = []
        self._parts = parts
        self._order = order
        self._bench = bench
        self._board = bench.board
        self._recorder = Recorder(
            bench.board.cells, bench.board.beat_cell(number), bench.journal(number)
        )
        noise = Pauses if order.spin else Noise
        self._noise = noise(f"{order.noise}/{number}") if order.noise is not None else None
        self._epoch = 0
        self._returned = (0, 0)
        self._idle_since_ns = 0
        self._enough = False
        self._batch: Callable[[], Sequence[Fired]] | None = None

    def run(self) -> None:
        """Take part in every round of the block, until the leader ends it."""
        self._bench.pin(self.number)
        home = self._order.location
        self._connect(0)
        if self.number == 0:
            self._bench.keep_open(self._order)
        for index, part in enumerate(self._parts):
            cold = part.cold and not self._order.shared_handle
            if cold and (index or part.place is not None):  # a block begins on new connections
                self.handles.close(part.place)
                if not part.opens:
                    self._connect_anew(index, part)
            if not (self._lead(index, part) if self.number == 0 else self._follow(index, part)):
                return
            if cold and part.place is not None:
                self.handles.close(home)

    def _connect_anew(self, index: int, part: Part) -> None:
        """Connect; a place that does not exist yet is made by the leader, and by nobody beside it.

        Stores that cannot be made by several at once are judged where that is what it is about.
        """
        serial = self._order.serial + index
        if part.place is not None and self.number:
            self._board.await_made(serial, spin=self._order.spin)
        self._connect(index)
        if part.place is not None and self.number == 0:
            self._board.made(serial)

    def _connect(self, index: int) -> None:
        self._enter(index, "connect")
        self._recorder.make(self._recorder.prepare(CONNECT, self.handles.connect))
        if self._order.spin:
            pin_copy(self.number, self._bench.processors, self.handles)
        self._close_segment(index, "connect")

    def _enter(self, index: int, phase: str) -> None:
        """Tell the journal what the next calls belong to, in the words of `operations_of`."""
        self._recorder.journal.enter(
            round=self._order.serial + index,
            phase=phase,
            worker=self._bench.number,
            epoch=self._epoch,
        )

    def _follow(self, index: int, part: Part) -> bool:
        serial = self._order.serial + index
        acts = self._bind(part)
        self._board.cells[self._board.ready_cell(self.number)] = serial
        if not self._board.await_go(serial, spin=self._order.spin):
            return False
        self._epoch = self._board.epoch
        self._fire(index, part, acts)
        self._board.cells[self._board.done_cell(self.number)] = serial
        return True

    def _lead(self, index: int, part: Part) -> bool:
        serial, spin = self._order.serial + index, self._order.spin
        others = range(1, self._order.crowd)
        if self._enough or monotonic_ns() > self._order.stop_ns:
            self._board.end(serial)
            return False
        offset_ns = _clocks_apart_ns()
        self._prepare(index, part)
        acts = self._bind(part)
        self._board.await_cells(map(self._board.ready_cell, others), serial, spin=spin)
        self._board.release(serial, self._epoch, self._idle_since_ns, spin=spin)
        self._fire(index, part, acts)
        self._idle_since_ns = monotonic_ns()
        self._board.await_cells(map(self._board.done_cell, others), serial, spin=spin)
        self._enough = part.due is not None and part.due != self._board.won(self._order.crowd)
        self._enter(index, "inspect")
        for call in part.inspect:
            self._recorder.make(self._recorder.prepare(call, self._act(call)))
        self._close_segment(index, "inspect")
        self.drifts_ms.append(abs(_clocks_apart_ns() - offset_ns) // 1_000_000)
        return True

    def _prepare(self, index: int, part: Part) -> None:
        first = 0
        self._enter(index, "prepare")
        for step in part.prepare:
            if isinstance(step, Pass):
                first += self._close_segment(index, "prepare", first)
                self._let_pass(step)
                self._epoch += 1
                self._enter(index, "prepare")
            else:
                self._recorder.make(self._recorder.prepare(step, self._act(step)))
                self._returned = (monotonic_ns(), wall_ns())
        self._close_segment(index, "prepare", first)

    def _let_pass(self, step: Pass) -> None:
        """Move virtual time; or wait until both real clocks agree that it has passed.

        A wall clock that was set back is not waited for longer than a few seconds: the round is
        then known by its drift.
        """
        clock = self._bench.clock
        if isinstance(clock, SharedClock):
            clock.advance(step.ms)
            return
        wait_ns = (step.ms + step.margin_ms) * 1_000_000
        monotonic_until, wall_until = (stamp + wait_ns for stamp in self._returned)
        alive = self._board.ready_cell(self.number)  # nobody waits for the leader to be ready
        while True:
            left = monotonic_until - monotonic_ns()
            if left > -_WALL_PATIENCE_NS:
                left = max(left, wall_until - wall_ns())
            if left <= 0:
                return
            self._board.cells[alive] += 1
            sleep(min(_WAIT_STEP_S, left / 1e9))

    def _bind(self, part: Part) -> list[Prepared]:
        prepare = self._recorder.prepare
        alone = self._order.spin and self._noise is None
        self._batch = batch_of(part.volley, self.handles, self._board) if alone else None
        if part.opens:  # nothing is open before the volley opens it
            return [prepare(call, partial(self._open_and_act, call)) for call in part.volley]
        return [prepare(call, self._act(call)) for call in part.volley]

    def _open_and_act(self, call: Call) -> Any:
        if call.f == "open":
            self.handles.store(call)
            return None
        return self._act(call)()

    def _act(self, call: Call) -> Callable[[], Any]:
        """Answer the call without arguments; an error of opening becomes the call's own."""
        try:
            return self._acts.act(call)
        except BaseException as error:
            return partial(_raise, error)

    def _fire(self, index: int, part: Part, acts: list[Prepared]) -> None:
        self._enter(index, "volley")
        make = self._recorder.make
        if self._batch is not None:
            self._recorder.make_all(acts, self._batch)
        elif self._noise is None:
            self._board.await_start(spin=self._order.spin)
            for act in acts:
                make(act)
        else:
            self._board.await_start(spin=self._order.spin)
            self._noise.start()
            for act in acts:
                self._noise.refill()
                make(act)
            self._noise.stop()
        if part.due is not None:
            self._board.cells[self._board.won_cell(self.number)] = sum(
                map(_won, part.volley, self._recorder.records)
            )
        self._close_segment(index, "volley")

    def _close_segment(self, index: int, phase: str, first: int = 0) -> int:
        self._recorder.journal.flush()
        if records := self._recorder.take():
            self.segments.append(Segment(index, phase, first, self._epoch, records))
        return len(records)


def _won(call: Call, record: Record) -> bool:
    """Whether a call got what only one can have."""
    if record.kind != OK:
        return False
    if call.f == "consume":
        return record.answer is not ABSENT
    return call.f in _WON_BY_TRUE and record.answer is True


def _raise(error: BaseException) -> None:
    raise error


def _clocks_apart_ns() -> int:
    """Answer how far the wall clock is ahead of the monotonic one, read close together."""
    for _ in range(10):
        before, wall, after = monotonic_ns(), wall_ns(), monotonic_ns()
        if after - before < 500_000:
            break
    return wall - before
