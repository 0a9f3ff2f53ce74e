"""A block of rounds: what is asked of a pool, its way to the workers, and what came of it."""

from __future__ import annotations

import shutil
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from onewinner.clock import monotonic_ns
from onewinner.generator import Call
from onewinner.runner.outcomes import operations_of
from onewinner.worker import order as orders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from onewinner.generator import Round
    from onewinner.history import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rounds to be played in one go.

    `crew[client]` is the worker that a client lives in, 0 for the leader (client 0); clients that
    share a worker are threads. `shared_handle`: one connection for a worker instead of one for each
    client. `noise`: a seed for short sleeps between a Python store's lines. `keep_open`: from this
    block on one connection stays, so that the store is not closed between blocks. In blocks of one
    `sitting` clients go on with the connections that they had; without one each block begins on new
    ones. After `stop_after_s` no further round is begun.
    """

    rounds: tuple[Round, ...]
    crew: tuple[int, ...]
    shared_handle: bool = False
    noise: str | None = None
    keep_open: bool = False
    sitting: str | None = None
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
    """What came of a block: its rounds as far as they were begun, handles and processes used.

    `seconds` is how long the leader's worker was at it.
    """

    played: tuple[Played, ...]
    handles: int
    processes: int
    seconds: float

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All operations of the block, by round."""
        return tuple(operation for played in self.played for operation in played.operations)


class Plan:
    """A block on its way; as a context manager it removes the directories of its fresh rounds."""

    def __init__(
        self, block: Block, first: int, location: str, run_dir: Path, server: str | None
    ) -> None:
        if block.crew[0] != 0:
            raise ValueError(f"Block(crew={block.crew}): the leader lives in worker 0")
        self.block = block
        self.workers = tuple(sorted(set(block.crew)))
        self._first = first
        self._location = location
        self._stop_ns = monotonic_ns() + int(block.stop_after_s * 1e9)
        self._stack = ExitStack()
        self._places = {
            serial: server or self._new_place(run_dir / f"fresh-{serial}")
            for serial, each in enumerate(block.rounds, first)
            if each.fresh
        }

    def _new_place(self, path: Path) -> str:
        """Make a directory for one fresh round; a server has none, only fresh connections."""
        path.mkdir()
        self._stack.callback(shutil.rmtree, path, ignore_errors=True)
        return str(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clean()

    def clean(self) -> None:
        """Remove the directories of the fresh rounds."""
        self._stack.close()

    def clients_of(self, workers: Iterable[int]) -> list[int]:
        """Answer the clients that live in these workers."""
        homes = set(workers)
        return [client for client, home in enumerate(self.block.crew) if home in homes]

    def order(self, worker: int) -> orders.Order:
        """Answer what one worker has to do."""
        crew = self.block.crew
        return orders.Order(
            serial=self._first,
            location=self._location,
            crowd=len(crew),
            clients=tuple((client, self._parts(client)) for client in self.clients_of([worker])),
            shared_handle=self.block.shared_handle,
            spin=len(set(crew)) == len(crew),
            noise=self.block.noise,
            keep_open=self.block.keep_open and worker == 0,
            sitting=self.block.sitting,
            stop_ns=self._stop_ns,
        )

    def _parts(self, client: int) -> tuple[orders.Part, ...]:
        leads = client == 0
        return tuple(
            orders.Part(
                each.prepare if leads else (),
                each.volley[client],
                each.inspect if leads else (),
                each.cold,
                self._places.get(serial),
                each.due,
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
        yield orders.CONNECT
        for index, part in enumerate(self._parts(client)):
            anew = part.cold and (index > 0 or part.place is not None) and not part.opens
            if anew and not self.block.shared_handle:
                yield orders.CONNECT
            yield from (step for step in part.prepare if isinstance(step, Call))
            yield from part.volley
            yield from part.inspect

    def played(self, replies: dict[int, orders.Reply]) -> PlayedBlock:
        """Put the workers' records together by round; a round that was not begun is left out."""
        drifts = replies[0].drifts_ms
        by_round = self._by_round(replies)
        return self._block(
            {index: (by_round[index], drift_ms) for index, drift_ms in enumerate(drifts)},
            handles=sum(reply.handles for reply in replies.values()),
            processes=len(replies),
            seconds=replies[0].seconds,
        )

    def recovered(
        self, replies: dict[int, orders.Reply], journals: Iterable[Operation]
    ) -> PlayedBlock:
        """Put together what is known of a block whose workers are gone.

        That is what some may have reported, and what the journals of the others tell. Nobody told
        how far the clocks came apart: as far as is known, not at all.
        """
        by_round = self._by_round(replies)
        for operation in sorted(journals, key=lambda each: each.invoked_ns):
            index = operation.extra["round"] - self._first
            if 0 <= index < len(self.block.rounds):  # else it is left from an earlier block
                by_round[index].append(operation)
        return self._block({index: (by_round[index], 0) for index in sorted(by_round)}, 0, 0, 0)

    def _by_round(self, replies: dict[int, orders.Reply]) -> defaultdict[int, list[Operation]]:
        by_round: defaultdict[int, list[Operation]] = defaultdict(list)
        for worker, reply in replies.items():
            for client, segments in reply.segments.items():
                for segment in segments:
                    by_round[segment.round] += operations_of(
                        segment,
                        self.block.rounds[segment.round],
                        self._first + segment.round,
                        client,
                        worker,
                    )
        return by_round

    def _block(
        self,
        rounds: dict[int, tuple[list[Operation], int]],
        handles: int,
        processes: int,
        seconds: float,
    ) -> PlayedBlock:
        return PlayedBlock(
            played=tuple(
                Played(
                    round=self.block.rounds[index],
                    serial=self._first + index,
                    operations=tuple(operations),
                    drift_ms=drift_ms,
                )
                for index, (operations, drift_ms) in rounds.items()
            ),
            handles=handles,
            processes=processes,
            seconds=seconds,
        )
