"""The board: a few integers in shared memory on which the clients of a race agree.

A barrier of the operating system wakes its waiters one after the other, far apart; clients that
look at a board and then wait for one common instant start together. Each integer has a cache line
of its own, is written by one client only and only ever grows, so no lock is needed.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns, sleep

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE: Final = 8  # integers of eight bytes in a cache line of 64
_GO, _START, _QUIT, _EPOCH, _FINISHED, _MADE = (number * _LINE for number in range(6))
_SHARED: Final = 6
_PER_CLIENT: Final = 4

_SPIN_NS: Final = 1_000_000
_NAP_S: Final = 100e-6
_LEAD_SPINNING_NS: Final = 150_000
_LEAD_NAPPING_NS: Final = 500_000

_BLINK_S: Final = 5e-6


class Board:
    """One process's view of the board at `path`.

    Waiting is done in very short sleeps, never with `sched_yield`: since Linux 6.18 each yield
    gives up a whole time slice, so two clients that yield to each other on one processor run up a
    debt of seconds, in which whatever else is busy there runs alone.
    """

    def __init__(self, path: str | Path, clients: int, *, create: bool = False) -> None:
        self.clients = clients
        size = (_SHARED + _PER_CLIENT * clients) * _LINE * 8
        if create:
            Path(path).write_bytes(bytes(size))
        with Path(path).open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), size)
        self.cells = memoryview(self._map).cast("q")

    def close(self) -> None:
        """Give the memory back."""
        self.cells.release()
        self._map.close()

    @staticmethod
    def ready_cell(client: int) -> int:
        """Where a client writes the round that it is ready for."""
        return (_SHARED + _PER_CLIENT * client) * _LINE

    @staticmethod
    def done_cell(client: int) -> int:
        """Where a client writes the round whose volley it has finished."""
        return (_SHARED + 1 + _PER_CLIENT * client) * _LINE

    @staticmethod
    def beat_cell(client: int) -> int:
        """Where a client counts: odd while it is inside a call, even while it is not."""
        return (_SHARED + 2 + _PER_CLIENT * client) * _LINE

    @staticmethod
    def won_cell(client: int) -> int:
        """Where a client writes how many calls of its last volley won."""
        return (_SHARED + 3 + _PER_CLIENT * client) * _LINE

    def won(self, crowd: int) -> int:
        """Answer how many calls of the last volley won, over all clients of the block."""
        return sum(self.cells[self.won_cell(client)] for client in range(crowd))

    def snapshot(self) -> tuple[int, ...]:
        """Answer all that is on the board; two equal snapshots mean that nobody did anything."""
        return tuple(self.cells[::_LINE].tolist())

    def await_cells(self, cells: Iterable[int], serial: int, *, spin: bool) -> None:
        """Wait until each of the cells has reached `serial`."""
        until = monotonic_ns() + _SPIN_NS if spin else 0
        for cell in cells:
            while self.cells[cell] < serial:
                sleep(_BLINK_S if monotonic_ns() < until else _NAP_S)

    def await_go(self, serial: int, *, spin: bool) -> bool:
        """Wait for the leader's word on round `serial`; False where the block ends instead."""
        self.await_cells((_GO,), serial, spin=spin)
        return self.cells[_QUIT] != serial

    @property
    def epoch(self) -> int:
        """How often the leader has let time pass in this block."""
        return self.cells[_EPOCH]

    @property
    def start_ns(self) -> int:
        """The agreed instant of the round that was released last, on the monotonic clock."""
        return self.cells[_START]

    def release(self, serial: int, epoch: int, waited_since_ns: int, *, spin: bool) -> None:
        """Let the volley of round `serial` start, so far ahead that those who nap wake up too."""
        self.cells[_EPOCH] = epoch
        now = monotonic_ns()
        napping = not spin or now - waited_since_ns > _SPIN_NS // 2
        self.cells[_START] = now + (_LEAD_NAPPING_NS if napping else _LEAD_SPINNING_NS)
        self.cells[_GO] = serial

    def finish_block(self, last: int) -> None:
        """Tell all workers that the block whose last round was to be `last` is over."""
        self.cells[_FINISHED] = last

    def await_block(self, first: int) -> None:
        """Wait until the block before the one that begins with round `first` is over.

        A worker may have no client in that block; its own would else write over those of others.
        """
        self.await_cells((_FINISHED,), first - 1, spin=False)

    def made(self, serial: int) -> None:
        """Tell the others that the location of round `serial` is there."""
        self.cells[_MADE] = serial

    def await_made(self, serial: int, *, spin: bool) -> None:
        """Wait until the leader has made the location of round `serial`."""
        self.await_cells((_MADE,), serial, spin=spin)

    def end(self, serial: int) -> None:
        """Tell the others that round `serial` and all after it will not be."""
        self.cells[_QUIT] = serial
        self.cells[_GO] = serial

    def await_start(self, *, spin: bool) -> None:
        """Wait for the agreed instant; threads of one process let each other run meanwhile."""
        start = self.cells[_START]
        while monotonic_ns() < start:
            if not spin:
                sleep(_BLINK_S)
