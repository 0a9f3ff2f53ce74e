"""A pool of race workers: processes that stay, and play block after block of rounds."""

from __future__ import annotations

from collections import defaultdict, deque
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from onewinner.clock import monotonic_ns
from onewinner.runner.plan import Block, Plan, PlayedBlock
from onewinner.runner.process import STARTUP_S, Child, signal_name, wait_readable
from onewinner.worker import child, race
from onewinner.worker.board import Board
from onewinner.worker.child import MESSAGE
from onewinner.worker.journal import recovered
from onewinner.worker.order import board_path, journal_path

if TYPE_CHECKING:
    from types import TracebackType

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.history import Operation
    from onewinner.worker.order import Reply

PATIENCE_S: Final = 20.0
"""How long nobody may get anything done before the pool gives the target up for hung."""

_TICK_S: Final = 0.2


class WorkerLost(Exception):  # noqa: N818 - named for what happened
    """A worker hung, died or raised; the pool is of no use any more.

    `hung` tells the first from the others, `calls` names what its clients were doing, `tail` holds
    the last lines that it printed (the stacks of its threads, where it hung). `played` is the block
    that was under way, as the journals of its clients tell it, None where there was none.
    """

    def __init__(
        self,
        what: str,
        *,
        hung: bool,
        calls: tuple[str, ...],
        tail: tuple[str, ...],
        played: PlayedBlock | None = None,
    ) -> None:
        self.hung = hung
        self.calls = calls
        self.tail = tail
        self.played = played
        super().__init__(what + (f" in {'; '.join(calls)}" if calls else ""))


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
        patience_s: float | None = None,
    ) -> None:
        self.location = target.location or str(run_dir / "store")
        self._target = target
        self._processes = processes
        self._crowd = processes * threads
        self._run_dir = run_dir
        self._clock = clock
        self._patience_s = PATIENCE_S if patience_s is None else patience_s
        self._serial = 1
        self._stack = ExitStack()
        self._workers: list[Child] = []
        self._plans: deque[Plan] = deque()
        self._replies: defaultdict[int, deque[Any]] = defaultdict(deque)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._target.location is None:
                Path(self.location).mkdir(parents=True, exist_ok=True)
            path = board_path(self._run_dir)
            stack.callback(path.unlink, missing_ok=True)
            self._board = Board(path, self._crowd, create=True)
            stack.callback(self._board.close)
            for client in range(self._crowd):
                stack.callback(journal_path(self._run_dir, client).unlink, missing_ok=True)
            for number in range(self._processes):
                worker = Child(
                    race.serve,
                    (self._target, self._clock, str(self._run_dir), self._crowd, number),
                    name=f"race worker {number}",
                    takes_orders=True,
                )
                stack.callback(worker.close)
                self._workers.append(worker)
            everybody = tuple(range(self._processes))
            self._listen(everybody, STARTUP_S)  # each says that it is there
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
        while self._plans:
            self._plans.popleft().clean()

    def play(self, block: Block) -> PlayedBlock:
        """Play the rounds of a block and answer what happened; see `start` and `finish`."""
        self.start(block)
        return self.finish()

    @property
    def under_way(self) -> int:
        """How many blocks have been started and not finished."""
        return len(self._plans)

    def start(self, block: Block) -> None:
        """Hand a block to the workers, who begin it when they are done with the one before."""
        plan = Plan(block, self._serial, self.location, self._run_dir, self._target.location)
        self._serial += len(block.rounds)
        self._plans.append(plan)
        for number in plan.workers:
            self._workers[number].tell(plan.order(number))

    def finish(self) -> PlayedBlock:
        """Wait for the oldest block that was started, and answer what happened.

        Raises WorkerLost where a worker dies, or where no client gets anything done for the pool's
        patience.
        """
        plan = self._plans[0]
        with plan:
            replies = self._listen(plan.workers, self._patience_s)
            self._plans.popleft()
        return plan.played(replies)

    def _listen(self, numbers: tuple[int, ...], patience_s: float) -> dict[int, Any]:
        """Wait for one message from each; whoever dies, or lets all wait too long, is lost."""
        seen, since = self._board.snapshot(), monotonic_ns()
        while left := [number for number in numbers if not self._replies[number]]:
            wait_readable(self._workers, _TICK_S)
            dead = {number for number in left if self._workers[number].dead()}
            for number in range(self._processes):
                self._receive(number)
            for number in dead:
                if not self._replies[number]:
                    raise self._dead(number)
            now = self._board.snapshot()
            if now != seen:
                seen, since = now, monotonic_ns()
            elif self._are_hung(left, monotonic_ns() - since, patience_s):
                raise self._hung(left, patience_s)
        return {number: self._replies[number].popleft() for number in numbers}

    def _are_hung(self, numbers: list[int], idle_ns: int, patience_s: float) -> bool:
        return all(self._workers[number].overdue(idle_ns, patience_s) for number in numbers)

    def _receive(self, number: int) -> None:
        for kind, item in self._workers[number].receive():
            if kind == MESSAGE:
                self._replies[number].append(item)
            elif kind in {child.RAISED, child.RETURNED}:
                lines = tuple(str(item).strip().splitlines()) or ("and said nothing",)
                what = f"race worker {number} raised {lines[-1]}"
                raise WorkerLost(what, hung=False, calls=(), tail=lines)

    def _dead(self, number: int) -> WorkerLost:
        worker = self._workers[number]
        code = worker.kill() or 0
        worker.receive()
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        what = f"race worker {number} {how}"
        calls, tail = self._stuck([number]), worker.tail()
        return WorkerLost(what, hung=False, calls=calls, tail=tail, played=self._recovered())

    def _hung(self, numbers: list[int], patience_s: float) -> WorkerLost:
        calls = self._stuck(numbers)
        tail: tuple[str, ...] = ()
        for number in numbers:
            self._workers[number].dump_stacks()
            tail += self._workers[number].tail()
        names = ", ".join(map(str, numbers))
        what = f"race worker {names} got nothing done for {patience_s:.0f} s and was killed"
        return WorkerLost(what, hung=True, calls=calls, tail=tail, played=self._recovered())

    def _recovered(self) -> PlayedBlock | None:
        """End all workers, and answer what the journals tell of the block that was under way.

        A call of a process on this machine ends with it; at a server it may act later still.
        """
        if not self._plans:
            return None
        plan = self._plans[0]
        replies: dict[int, Reply] = {}
        journals: list[Operation] = []
        for number in plan.workers:
            self._workers[number].kill()
            alone = self._target.location is None and not self._target.served
            died_ns = monotonic_ns() if alone else None
            frames = self._workers[number].receive()
            arrived = [*self._replies[number], *(item for kind, item in frames if kind == MESSAGE)]
            if arrived:
                replies[number] = arrived[0]
                continue
            for client in plan.clients_of([number]):
                journals += recovered(journal_path(self._run_dir, client), died_ns)
        return plan.recovered(replies, journals)

    def _stuck(self, numbers: list[int]) -> tuple[str, ...]:
        """Name the calls that clients of these workers have begun and not finished."""
        if not self._plans:
            return ()
        plan = self._plans[0]
        cells = self._board.cells
        made = {client: cells[self._board.beat_cell(client)] for client in plan.clients_of(numbers)}
        return tuple(
            f"{plan.call_at(client, beats // 2)} (client {client})"
            for client, beats in made.items()
            if beats % 2
        )
