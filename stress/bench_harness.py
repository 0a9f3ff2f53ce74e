"""What the race harness costs: claims a second through it, against a bare loop of the same store.

Both run four processes on one SQLite store, in turns within one run, so that whatever else the
machine does hurts both alike. The harness's figure includes all that a race does besides claiming:
writing the rounds, agreeing on each start, recording every call, carrying the records to the kit,
building the history and judging it. Its blocks are those with many keys a round; in the others all
clients meet at every key, and it is the store that makes them wait.

    python stress/bench_harness.py [--turns 10] [--seconds 1.0] [--target sqlite] [--smoke]

Prints one row and exits 1 where the target is missed; with `--smoke` it is short and only shows
that it can be measured.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onewinner import generator
from onewinner.adapters.targets import Target
from onewinner.clock import SystemClock, monotonic_ns
from onewinner.generator import vacancies
from onewinner.runner import Block, Child, PlayedBlock, WorkerPool
from onewinner.runner.process import wait_readable
from onewinner.suite.rulings import RULINGS, sound_rounds
from onewinner.worker.child import MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.contract import Capabilities

PROCESSES = 4
SHARE_MIN = 0.70


def bare(
    send: Callable[[object], None], receive: Callable[[], Any], target: Target, location: str
) -> None:
    """Claim in a loop, without anything around it, as often as told to."""
    backend = target.connect(location, SystemClock())
    send(None)
    while (order := receive()) is not None:
        turn, first, keys = order
        store = backend.open(f"bare-{turn}", "n", max_entries=1_000)
        names = [f"k{first + number}" for number in range(keys)]
        value = {"by": os.getpid(), "n": 1}
        started = monotonic_ns()
        for name in names:
            store.register_if_absent(name, value, ttl_ms=3_600_000)
        ended = monotonic_ns()
        if first:
            store.clear()
        send((started, ended))


class BareLoops:
    """Four processes that claim the same keys, each as fast as it can."""

    def __init__(self, stack: ExitStack, target: Target, location: str) -> None:
        self._children = [
            stack.enter_context(
                Child(bare, (target, location), name=f"bare {number}", takes_orders=True)
            )
            for number in range(PROCESSES)
        ]
        self._answers()

    def claims_per_s(self, turn: int, seconds: float) -> float:
        """Run for about so long and answer the rate."""
        claims = busy_ns = 0
        part = 0
        while busy_ns < seconds * 1e9:
            for child in self._children:
                child.tell((f"{turn}-{part}", 0, 300))
            spans = self._answers()
            busy_ns += max(end for _, end in spans) - min(start for start, _ in spans)
            claims += 300 * PROCESSES
            part += 1
        return claims / (busy_ns / 1e9)

    def _answers(self) -> list[Any]:
        answers: list[Any] = []
        while len(answers) < PROCESSES:
            wait_readable(self._children, 1.0)
            for child in self._children:
                if child.dead():
                    raise SystemExit("\n".join(child.tail()))
                answers += [item for kind, item in child.receive() if kind == MESSAGE]
        return answers


class Harness:
    """The race for vacant keys, as `onewinner verify` runs it."""

    def __init__(self, pool: WorkerPool, capabilities: Capabilities) -> None:
        self._pool = pool
        self._capabilities = capabilities
        self._number = vacancies.MANY_AT
        self._rounds = 6

    def claims_per_s(self, seconds: float) -> float:
        """Run for about so long and answer the rate; the kit's own work is in it."""
        claims = 0
        started = monotonic_ns()
        self._pool.start(self._block())
        while self._pool.under_way:
            if monotonic_ns() - started < seconds * 1e9:
                self._pool.start(self._block())
            claims += self._judge(self._pool.finish())
        return claims / ((monotonic_ns() - started) / 1e9)

    def _block(self) -> Block:
        shape = generator.Shape(
            prefix="bench",
            seed=1,
            clients=PROCESSES,
            operations=self._capabilities.operations,
            virtual=False,
        )
        rounds = generator.block("claims", shape, self._number, self._rounds)
        self._number += vacancies.MANY_EVERY
        return Block(rounds=rounds, crew=tuple(range(PROCESSES)), keep_open=True)

    def _judge(self, block: PlayedBlock) -> int:
        ruling = RULINGS["claims"]
        broken = list(ruling.judge(sound_rounds(block, real_time=False)))
        if broken:
            raise SystemExit(f"the store breaks the contract: {broken[0].summary}")
        ruling.meter(block.operations)
        self._rounds = max(1, min(200, int(len(block.played) * 0.3 / block.seconds)))
        return sum(
            each.f == "register_if_absent" and each.extra["phase"] == "volley"
            for each in block.operations
        )


def main() -> int:
    """Measure, print one row, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--target", default="sqlite")
    parser.add_argument("--smoke", action="store_true", help="two short turns, not judged")
    options = parser.parse_args()
    if options.smoke:
        options.turns, options.seconds = 2, 0.3
    target = Target(options.target)
    bares, harnessed = [], []
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (home / "bare").mkdir()
        (home / "race").mkdir()
        capabilities = target.connect(str(home / "bare"), SystemClock()).capabilities
        loops = BareLoops(stack, target, str(home / "bare"))
        pool = stack.enter_context(
            WorkerPool(
                target,
                processes=PROCESSES,
                threads=1,
                run_dir=home / "race",
                clock=SystemClock(),
            )
        )
        harness = Harness(pool, capabilities)
        harness.claims_per_s(0.3)
        for turn in range(options.turns):
            bares.append(loops.claims_per_s(turn, options.seconds))
            harnessed.append(harness.claims_per_s(options.seconds))
    shares = [with_ / without for with_, without in zip(harnessed, bares, strict=True)]
    share = statistics.median(shares)
    print(
        f"claims/s through the harness, {PROCESSES} processes on {options.target}: "
        f"{statistics.median(harnessed):.0f}, bare loop {statistics.median(bares):.0f}, "
        f"share {share:.0%} (turns {', '.join(f'{each:.0%}' for each in shares)}), "
        f"target >= {SHARE_MIN:.0%}, {os.cpu_count()} cores"
    )
    return 0 if options.smoke or share >= SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
