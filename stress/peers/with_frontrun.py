"""frontrun: two claims and the invariant that exactly one wins, explored by `frontrun.explore`."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import frontrun
from attempt import Found, Limit, attempt
from bugs import Bug, Field

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass
class State:
    """Two claims of one vacancy, and who won; each worker has a slot of its own."""

    claims: tuple[Callable[[], bool], Callable[[], bool]]
    first: bool = False
    second: bool = False


def claim_first(state: State) -> None:
    """Be one worker."""
    state.first = state.claims[0]()


def claim_second(state: State) -> None:
    """Be the other worker."""
    state.second = state.claims[1]()


def on_threads(strategy: Any, bug: Bug, limit: Limit, home: Path) -> Found:
    """Explore two threads that share a handle; the store is made in `setup`, with its locks."""
    numbers = itertools.count()

    def setup() -> State:
        place = home / str(next(numbers))
        place.mkdir()
        field = Field(bug, place)
        field.vacate(0)
        return State((field.claim(0, 1), field.claim(0, 2)))

    result = frontrun.explore(
        setup=setup,
        workers=[claim_first, claim_second],
        invariant=lambda state: state.first + state.second == 1,
        strategy=strategy,
        trace_packages=["onewinner.*"],
        total_timeout=limit.left_s,
    )
    return told(result)


def claim_in_process(who: int, bug: Bug, made: tuple[str, int]) -> None:
    """Claim and write the answer down."""
    from pathlib import Path as RealPath

    location, number = made
    won = Field(bug, location).claim(number, who)()
    RealPath(location, f"answer-{who}").write_text(str(int(won)))


def on_processes(bug: Bug, limit: Limit, home: Path) -> Found:
    """Explore two processes with a handle each."""
    numbers = itertools.count()

    def setup() -> tuple[str, int]:
        place = home / str(next(numbers))
        place.mkdir()
        Field(bug, place).vacate(0)
        return str(place), 0

    def one_won(made: tuple[str, int]) -> bool:
        from pathlib import Path as RealPath

        place = RealPath(made[0])
        return sum(int((place / f"answer-{who}").read_text()) for who in (1, 2)) == 1

    result = frontrun.explore(
        setup=setup,
        workers=[partial(claim_in_process, 1, bug), partial(claim_in_process, 2, bug)],
        invariant=one_won,
        execution="process",
        reuse_workers=True,
        total_timeout=limit.left_s,
    )
    return told(result)


def told(result: Any) -> Found:
    """Put frontrun's answer into ours."""
    verdict = {True: "holds", False: "violated", None: "inconclusive"}[result.property_holds]
    note = f"{verdict} after {result.num_explored} executions"
    if result.property_holds is None:
        note += f" ({str(result.inconclusive_reason).partition('.')[0]})"
    elif result.exhausted is False:
        note += ", not exhausted"
    kind = result.failure_kind
    if result.property_holds is False and kind not in {None, "invariant"}:
        return Found(False, f"{note}, {kind}: no verdict on the invariant")
    replays = (result.reproduction_successes, result.reproduction_attempts)
    found = result.property_holds is False
    return Found(found, note, replays if found and replays[1] else None)


def hunt(bug: Bug, limit: Limit, home: Path) -> Found:
    """Explore in the way that the command line asks for."""
    if sys.argv[3] == "processes":
        return on_processes(bug, limit, home)
    return on_threads(sys.argv[4], bug, limit, home)


if __name__ == "__main__":
    attempt(hunt)
