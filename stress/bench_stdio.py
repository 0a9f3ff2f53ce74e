"""What the stdio protocol costs: processor time a call on the kit's side, and batched claims.

    python stress/bench_stdio.py [--turns 9] [--smoke]

The command is the reference adapter for Node.js with its log store. For the first row one copy is
called again and again, and runs on the processor that its client runs on, as in races; the kit's
own processor time is counted, system calls included. For the second row four processes have a copy
each and claim the same keys of one namespace, in batches that begin at one instant.

Prints a row per target (name, target, measured, cores) and exits 1 where one is missed. With
`--smoke` there are few turns and no speed is judged.
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

from onewinner.adapters.targets import Target
from onewinner.clock import ManualClock, cpu_ns, monotonic_ns
from onewinner.generator import Call
from onewinner.runner import Child
from onewinner.runner.process import wait_readable
from onewinner.worker.child import MESSAGE

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import store_commands

if TYPE_CHECKING:
    from collections.abc import Callable

CALL_US_MAX = 60.0
CLAIMS_PER_S_MIN = 15_000
PROCESSES = 4
CALLS = 2_000
BATCH = 250
BATCHES = 12
LEAD_NS = 5_000_000


def calls(send: Callable[[object], None], target: Target, location: str, turns: int) -> None:
    """Claim again and again, and send the processor time of a call in microseconds, a turn each."""
    backend: Any = target.connect(location, ManualClock())
    store = backend.open("bench", "calls", max_entries=100)
    if hasattr(os, "sched_setaffinity"):
        here = {min(os.sched_getaffinity(0))}
        os.sched_setaffinity(0, here)
        os.sched_setaffinity(target.copy(location)[0], here)
    for turn in range(turns):
        keys = [f"k{turn}-{number}" for number in range(CALLS)]
        started = cpu_ns()
        for key in keys:
            store.register_if_absent(key, {"by": 1, "n": 2}, ttl_ms=3_600_000)
        send((cpu_ns() - started) / CALLS / 1e3)


def claims(
    send: Callable[[object], None], receive: Callable[[], Any], target: Target, location: str
) -> None:
    """Claim in batches as often as told, and send when the first began and the last was done."""
    backend: Any = target.connect(location, ManualClock())
    send(None)
    while (order := receive()) is not None:
        turn, at_ns = order
        store = backend.open("bench", f"claims-{turn}", max_entries=100)
        for part in range(BATCHES):
            batch = [
                (store, Call("register_if_absent", "", "", f"k{part}-{number}", {"by": 1}))
                for number in range(BATCH)
            ]
            backend.batch(at_ns, batch)
        send(monotonic_ns())


class Rows:
    """Prints a row per target and remembers whether one was missed."""

    def __init__(self, *, judged: bool) -> None:
        self.missed = False
        self._judged = judged

    def show(self, name: str, target: str, measured: str, *, good: bool) -> None:
        """Print a row."""
        self.missed |= self._judged and not good
        word = "ok" if good or not self._judged else "MISSED"
        print(f"{name:<48} {target:>14} {measured:>14}  {word:<7} {os.cpu_count()} cores")


def call_us(target: Target, location: str, turns: int) -> list[float]:
    """Answer the processor time of a call, a figure for each turn."""
    found: list[float] = []
    with Child(calls, (target, location, turns), name="caller") as child:
        while len(found) < turns:
            found += _heard([child])
    return found


def claims_per_s(target: Target, location: str, turns: int) -> list[float]:
    """Answer the claims a second over all processes, a figure for each turn."""
    found: list[float] = []
    with ExitStack() as stack:
        children = [
            stack.enter_context(
                Child(claims, (target, location), name=f"claimant {each}", takes_orders=True)
            )
            for each in range(PROCESSES)
        ]
        _all_heard(children)
        for turn in range(turns):
            at_ns = monotonic_ns() + LEAD_NS
            for child in children:
                child.tell((turn, at_ns))
            ended_ns = max(_all_heard(children))
            found.append(PROCESSES * BATCHES * BATCH / ((ended_ns - at_ns) / 1e9))
    return found


def _all_heard(children: list[Child]) -> list[Any]:
    found: list[Any] = []
    while len(found) < len(children):
        found += _heard(children)
    return found


def _heard(children: list[Child]) -> list[Any]:
    wait_readable(children, 1.0)
    found = []
    for child in children:
        if child.dead():
            raise SystemExit("\n".join(child.tail()))
        found += [item for kind, item in child.receive() if kind == MESSAGE]
    return found


def main() -> int:
    """Measure, print the rows, and answer the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--turns", type=int, default=9, help="how often each is measured")
    parser.add_argument("--smoke", action="store_true", help="two turns, and no speed is judged")
    args = parser.parse_args()
    turns = 2 if args.smoke else args.turns
    rows = Rows(judged=not args.smoke)
    if (what := store_commands.missing("node")) is not None:
        print(what)
        return 1
    with tempfile.TemporaryDirectory(dir=_memory()) as directory:
        target = Target(store_commands.target("node", Path(directory)))
        took_us = statistics.median(call_us(target, directory, turns))
        rate = statistics.median(claims_per_s(target, directory, turns))
    rows.show(
        "processor time a call, kit's side",
        f"<= {CALL_US_MAX:g} us",
        f"{took_us:.1f} us",
        good=took_us <= CALL_US_MAX,
    )
    rows.show(
        f"batched claims a second, {PROCESSES} Node.js processes",
        f">= {CLAIMS_PER_S_MIN:,}",
        f"{rate:,.0f}",
        good=rate >= CLAIMS_PER_S_MIN,
    )
    return int(rows.missed)


def _memory() -> str | None:
    """Answer a place in memory where there is one: it is not the disk that is measured."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


if __name__ == "__main__":
    sys.exit(main())
