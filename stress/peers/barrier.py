"""A plain test: claimants wait at a barrier, claim, and the winners are counted."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from typing import TYPE_CHECKING, Any

from attempt import CLAIMANTS, Found, Limit, attempt
from bugs import Bug, Field

if TYPE_CHECKING:
    from pathlib import Path


def claims(field: Field, who: int, barrier: Any, won: Any, over: Any, rounds: Any) -> None:
    """Take part in rounds until it is over; claimant 0 prepares and counts."""
    while not over.is_set():
        number = rounds[0]
        if who == 0:
            field.vacate(number)
        barrier.wait()
        claim = field.claim(number, who)
        barrier.wait()
        won[who] = claim()
        barrier.wait()
        if who == 0:
            rounds[0] += 1
            if sum(won) != 1:
                rounds[1] = 1
            if rounds[1] or over.limit.over:
                over.set()
        barrier.wait()


class Over:
    """An event with a limit."""

    def __init__(self, event: Any, limit: Limit) -> None:
        self.event = event
        self.limit = limit
        self.set, self.is_set = event.set, event.is_set


def in_process(
    bug: Bug, home: str, who: int, barrier: Any, won: Any, event: Any, limit: Limit, rounds: Any
) -> None:
    """Be a claimant that is a process."""
    claims(Field(bug, home), who, barrier, won, Over(event, limit), rounds)


def on_threads(bug: Bug, limit: Limit, home: Path) -> Found:
    """Race threads that share one handle."""
    field, barrier, over = Field(bug, home), threading.Barrier(CLAIMANTS), threading.Event()
    won, rounds = [0] * CLAIMANTS, [0, 0]
    threads = [
        threading.Thread(target=claims, args=(field, who, barrier, won, Over(over, limit), rounds))
        for who in range(CLAIMANTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Found(bool(rounds[1]), f"{rounds[0]} rounds")


def on_processes(bug: Bug, limit: Limit, home: Path) -> Found:
    """Race processes with a handle each, which stay for all rounds."""
    Field(bug, home).vacate(0)  # the first open is not what is raced for
    context = multiprocessing.get_context("spawn")
    barrier, event = context.Barrier(CLAIMANTS), context.Event()
    won, rounds = context.RawArray("i", CLAIMANTS), context.RawArray("i", [1, 0])
    processes = [
        context.Process(
            target=in_process, args=(bug, str(home), who, barrier, won, event, limit, rounds)
        )
        for who in range(CLAIMANTS)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return Found(bool(rounds[1]), f"{rounds[0] - 1} rounds")


if __name__ == "__main__":
    attempt(on_processes if sys.argv[3] == "processes" else on_threads)
