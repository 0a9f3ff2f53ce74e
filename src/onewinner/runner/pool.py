"""A pool of race workers: processes that stay, and play block after block of rounds."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from onewinner.clock import monotonic_ns
from onewinner.generator import Call
from onewinner.runner.outcomes import operations_of
from onewinner.runner.process import STARTUP_S, Child, signal_name, wait_readable
from onewinner.worker import child, race
from onewinner.worker.board import Board

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.generator import Round
    from onewinner.history import Operation

PATIENCE_S: Final = 20.0
"""How long nobody may get anything done before the pool gives the target up for hung."""

_TICK_S: Final = 0.2


class WorkerLost(Exception):  # noqa: N818 - named for what happened
    """A worker hung, died or raised; the pool is of no use any more.

    `hung` tells the first from the others, `calls` names what its clients were doing, `tail` holds
    the last lines that it printed (the stacks of its threads, where it hung).
    """

    def __init__(
        self, what: str, *, hung: bool, calls: tuple[str, ...], tail: tuple[str, ...]
    ) -> None:
        self.hung = hung
        self.calls = calls
        self.tail = tail
        super().__init__(what + (f" in {'; '.join(calls)}" if calls else ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rounds to be played in one go.

    `crew[client]` is the worker that a client lives in; clients that share a worker are threads.
    `shared_handle`: one connection for a worker instead of one for each client. `noise`: a seed for
    short sleeps between a Python store's lines. After `stop_after_s` no further round is begun.
    """

    rounds: tuple[Round, ...]
    crew: tuple[int, ...]
    shared_handle: bool = False
    noise: str | None = None
    stop_after_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One round as it was played; `drift_ms` is how far the two real clocks came apart in it.

    `serial` numbers the rounds of a pool.
    """

    round: Round
    serial: int
    operations: tuple[Operation, ...]
    drift_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedBlock:
    """What came of a block: its rounds as far as they were begun, handles and processes used."""

    played: tuple[Played, ...]
    handles: int
    processes: int
    seconds: float

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All operations of the block, by round."""
        return tuple(operation for played in self.played for operation in played.operations)


class WorkerPool:
    """Race workers for one target at one location; use it as a context manager.

    `processes` workers can host up to `threads` clients each. The store lives in `run_dir`, unless
    the target has a location of its own. Leaving the context closes the pool.
    """

    def __init__(
        self,
        target: Target,
        *,
        processes: int,
        threads: int,
        run_dir: Path,
        clock: Clock,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.location = target.location or str(run_dir / "store")
        self._target = target
        self._processes = processes
        self._crowd = processes * threads
        self._run_dir = run_dir
        self._clock = clock
        self._patience_s = patience_s
        self._serial = 1
        self._stack = ExitStack()
        self._workers: list[Child] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._target.location is None:
                Path(self.location).mkdir(parents=True, exist_ok=True)
            path = self._run_dir / "board"
            stack.callback(path.unlink, missing_ok=True)
            self._board = Board(path, self._crowd, create=True)
            stack.callback(self._board.close)
            for number in range(self._processes):
                worker = Child(
                    race.serve,
                    (self._target, self._clock, str(path), self._crowd),
                    name=f"race worker {number}",
                    takes_orders=True,
                )
                stack.callback(worker.close)
                self._workers.append(worker)
            self._listen(dict(enumerate(self._workers)), STARTUP_S, None)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill every worker and give everything back; more than once does no harm."""
        self._stack.close()

    def play(self, block: Block) -> PlayedBlock:
        """Play the rounds of a block and answer what happened.

        Raises WorkerLost where a worker dies, or where no client gets anything done for the pool's
        patience.
        """
        started = monotonic_ns()
        first, self._serial = self._serial, self._serial + len(block.rounds)
        with ExitStack() as stack:
            plan = _Plan(block, first, self._places(block, first, stack), self.location)
            beats = self._beats()
            waiting = {}
            for number in sorted(set(block.crew)):
                waiting[number] = self._workers[number]
                self._tell(number, plan.order(number))
            replies = self._listen(waiting, self._patience_s, (plan, beats))
        played = tuple(plan.played(replies))
        return PlayedBlock(
            played=played,
            handles=sum(reply.handles for reply in replies.values()),
            processes=len(waiting),
            seconds=(monotonic_ns() - started) / 1e9,
        )

    def _tell(self, number: int, order: race.Order) -> None:
        try:
            self._workers[number].tell(order)
        except BrokenPipeError as error:
            raise self._dead(number, None) from error

    def _places(self, block: Block, first: int, stack: ExitStack) -> dict[int, str]:
        """Make a directory for each fresh round; a server has none, only fresh connections."""
        places = {}
        for serial, each in enumerate(block.rounds, first):
            if each.fresh and self._target.location is not None:
                places[serial] = self._target.location
            elif each.fresh:
                path = self._run_dir / f"fresh-{serial}"
                path.mkdir()
                stack.callback(shutil.rmtree, path, ignore_errors=True)
                places[serial] = str(path)
        return places

    def _beats(self) -> list[int]:
        cells = self._board.cells
        return [cells[self._board.beat_cell(client)] for client in range(self._crowd)]

    def _listen(
        self, waiting: dict[int, Child], patience_s: float, at_work: tuple[_Plan, list[int]] | None
    ) -> dict[int, race.Reply]:
        """Wait for one message from each; whoever dies, or lets all wait too long, is lost."""
        replies: dict[int, race.Reply] = {}
        seen, since = self._board.snapshot(), monotonic_ns()
        while left := [number for number in waiting if number not in replies]:
            wait_readable([waiting[number] for number in left], _TICK_S)
            for number in left:
                died = waiting[number].dead()
                for kind, item in waiting[number].receive():
                    if kind == child.MESSAGE:
                        replies[number] = item
                    elif kind in {child.RAISED, child.RETURNED}:
                        raise self._raised(number, item)
                if died and number not in replies:
                    raise self._dead(number, at_work)
            now = self._board.snapshot()
            if now != seen:
                seen, since = now, monotonic_ns()
            elif monotonic_ns() - since > patience_s * 1e9:
                raise self._hung(left, patience_s, at_work)
        return replies

    def _raised(self, number: int, text: str) -> WorkerLost:
        last = str(text).strip().splitlines()[-1]
        tail = tuple(str(text).splitlines())
        return WorkerLost(f"race worker {number} raised {last}", hung=False, calls=(), tail=tail)

    def _dead(self, number: int, at_work: tuple[_Plan, list[int]] | None) -> WorkerLost:
        worker = self._workers[number]
        code = worker.kill() or 0
        worker.receive()
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        calls = self._stuck([number], at_work)
        what = f"race worker {number} {how}"
        return WorkerLost(what, hung=False, calls=calls, tail=worker.tail())

    def _hung(
        self, numbers: list[int], patience_s: float, at_work: tuple[_Plan, list[int]] | None
    ) -> WorkerLost:
        calls = self._stuck(numbers, at_work)
        tail: tuple[str, ...] = ()
        for number in numbers:
            self._workers[number].dump_stacks()
            tail += self._workers[number].tail()
        names = ", ".join(map(str, numbers))
        what = f"race worker {names} got nothing done for {patience_s:.0f} s and was killed"
        return WorkerLost(what, hung=True, calls=calls, tail=tail)

    def _stuck(
        self, numbers: list[int], at_work: tuple[_Plan, list[int]] | None
    ) -> tuple[str, ...]:
        """Name the calls that clients of these workers have begun and not finished."""
        if at_work is None:
            return ()
        plan, before = at_work
        made = [now - then for now, then in zip(self._beats(), before, strict=True)]
        return tuple(
            f"{plan.call_at(client, made[client] // 2)} (client {client})"
            for client, worker in enumerate(plan.block.crew)
            if worker in numbers and made[client] % 2
        )


class _Plan:
    """A block on its way to the workers and back."""

    def __init__(self, block: Block, first: int, places: dict[int, str], location: str) -> None:
        self.block = block
        self._first = first
        self._places = places
        self._location = location
        self._stop_ns = monotonic_ns() + int(block.stop_after_s * 1e9)

    def order(self, worker: int) -> race.Order:
        """Answer what one worker has to do."""
        crew = self.block.crew
        clients = [client for client, home in enumerate(crew) if home == worker]
        return race.Order(
            serial=self._first,
            location=self._location,
            crowd=len(crew),
            clients=tuple((client, self._parts(client)) for client in clients),
            shared_handle=self.block.shared_handle,
            spin=len(set(crew)) == len(crew),
            noise=self.block.noise,
            stop_ns=self._stop_ns,
        )

    def _parts(self, client: int) -> tuple[race.Part, ...]:
        leads = client == 0
        return tuple(
            race.Part(
                each.prepare if leads else (),
                each.volley[client],
                each.inspect if leads else (),
                each.cold,
                self._places.get(serial),
            )
            for serial, each in enumerate(self.block.rounds, self._first)
        )

    def call_at(self, client: int, index: int) -> str:
        """Name the call that a client makes as its `index`-th of the block."""
        for position, call in enumerate(self._calls(client)):
            if position == index:
                return f"{call.f}({'' if call.key is None else repr(call.key)})"
        return "a call"

    def _calls(self, client: int) -> Iterator[Call]:
        connect = Call("open", "", "")
        yield connect
        for part in self._parts(client):
            if part.cold and part.place is None and not self.block.shared_handle:
                yield connect
            yield from (step for step in part.prepare if isinstance(step, Call))
            yield from part.volley
            yield from part.inspect

    def played(self, replies: dict[int, Any]) -> Iterator[Played]:
        """Put the workers' records together by round; a round that was not begun is left out."""
        leader = replies[self.block.crew[0]]
        drifts = leader.drifts_ms
        by_round: list[list[Operation]] = [[] for _ in drifts]
        for reply in replies.values():
            for client, segments in reply.segments.items():
                worker = self.block.crew[client]
                for segment in segments:
                    if segment.round < len(by_round):
                        each = self.block.rounds[segment.round]
                        serial = self._first + segment.round
                        by_round[segment.round] += operations_of(
                            segment, each, serial, client, worker
                        )
        for index, drift_ms in enumerate(drifts):
            yield Played(
                round=self.block.rounds[index],
                serial=self._first + index,
                operations=tuple(by_round[index]),
                drift_ms=drift_ms,
            )
