"""How soon calibrated stress finds what is there, and whether it ever finds what is not.

    python stress/bench_stress.py [--smoke] [--full]

Prints a row per target (name, target, measured, cores) and exits 1 where one is missed. Times are
counted from when the first block of a race is handed to workers that are there already, to when a
judge has the violation; the store is as new as the pool in the first go, and warm in the others.
Each row is measured twice: as quiet as the machine is, and with a process that keeps each core
busy; times of a busy machine, which has half of its cores to give, are told and not judged. A round
is one contested key: one at which claims of different clients overlapped, in different processes
where the race is one over processes. `--full` races the correct stores for a million rounds, which
takes an hour where 2 cores are shared; else it is fifty thousand, some minutes. With `--smoke`
there are few goes and no speed is judged.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import multiprocessing
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from onewinner import generator
from onewinner.adapters.targets import Target
from onewinner.clock import SharedClock, SystemClock, monotonic_ns, virtual_start_ms
from onewinner.generator.vacancies import MANY_AT, MANY_EVERY
from onewinner.runner import Block, WorkerPool, in_children
from onewinner.suite.heat import Heat
from onewinner.suite.processors import processors
from onewinner.suite.races import RACES
from onewinner.suite.rulings import RULINGS, sound_rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onewinner.contract import Capabilities
    from onewinner.generator import Round

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
os.environ["PYTHONPATH"] = os.pathsep.join([sys.path[0], os.environ.get("PYTHONPATH", "")])

RACE = {race.name: race for race in RACES}

WITH_SYSTEM_CALLS = (
    ("python:racy_stores:RacySqliteBackend", "claims-on-processes"),
    ("python:racy_stores:FileBackend", "claims-on-processes"),
    ("mutant:lookup-then-register", "claims-on-processes"),
    ("mutant:thread-lock-only", "claims-on-processes"),
    ("mutant:stale-row-removed-before-claim", "reclaims-on-processes"),
)
IN_MEMORY = (
    ("python:racy_stores:RacyDictBackend", "claims-on-threads"),
    ("mutant:dict-check-then-set", "claims-on-threads"),
)
CORRECT = (
    ("sqlite", "claims", (0, 1, 2, 3), 30),
    ("memory", "claims", (0, 0, 0, 0), 35),
    ("sqlite", "reclaims", (0, 1, 2, 3), 25),
    ("memory", "reclaims", (0, 0, 0, 0), 10),
)
"""Store, kind of race, crew, and the per cent of all rounds, by how long one takes."""

FULL, USUAL, SMOKE = 1_000_000, 50_000, 400
ROUNDS = 120
ROUNDS_OF_A_STORE = 20_000
COLD_EVERY = 8
AHEAD = 2
SIDE_BY_SIDE = 2
SILENT_S = 3_600.0
"""Longer than the rounds of one store take where 2 cores are shared with much else."""


class Row(NamedTuple):
    """One line of the table; `good` is False where the target is missed."""

    name: str
    target: str
    measured: str
    good: bool

    def text(self) -> str:
        """Answer the line."""
        word = "ok" if self.good else "MISSED"
        cores = f"{processors()} cores"
        return f"{self.name:<72} {self.target:>20} {self.measured:>26}  {word:<7} {cores}"


@dataclass(frozen=True)
class Stand:
    """A pool of workers for one target."""

    target: Target
    capabilities: Capabilities
    pool: WorkerPool


@contextlib.contextmanager
def stand(name: str, processes: int) -> Iterator[Stand]:
    """Start a pool for a target on a new store."""
    target = Target(name)
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        (home / "probe").mkdir()
        (home / "run").mkdir()
        capabilities = target.connect(str(home / "probe"), SystemClock()).capabilities
        clock = SharedClock(home / "clock", start_ms=virtual_start_ms(1))
        with WorkerPool(
            target,
            processes=processes,
            threads=4,
            run_dir=home / "run",
            clock=clock if capabilities.virtual_clock else SystemClock(),
        ) as pool:
            yield Stand(target, capabilities, pool)


def _burn() -> None:
    while True:
        pass


@contextlib.contextmanager
def busy(cores: int) -> Iterator[None]:
    """Keep so many cores busy meanwhile."""
    burning = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(cores)]
    for each in burning:
        each.start()
    try:
        yield
    finally:
        for each in burning:
            each.kill()
            each.join()


def found_after_ms(name: str, race_name: str, goes: int) -> list[float | None]:
    """Race a wrong store so often; answer how long each went until it was found, None if not."""
    race = RACE[race_name]
    found = []
    with stand(name, race.processes) as at:
        for go in range(goes):
            heat = Heat(
                race,
                at.target,
                at.capabilities,
                prefix=f"go{go}",
                budget_s=2.0,
                seed=go,
                on_progress=lambda _: None,
            )
            heat.play(at.pool)
            found.append(heat.found_ms)
    return found


def detection(goes: int, how: str, *, judged: bool) -> Iterator[Row]:
    """Yield the rows of the wrong stores; of those in memory the median alone has a target."""
    for name, race in (*WITH_SYSTEM_CALLS, *IN_MEMORY):
        median_ms, worst_ms = (50, math.inf) if (name, race) in IN_MEMORY else (20, 100)
        times = found_after_ms(name, race, goes)
        seen = [each for each in times if each is not None]
        if not seen:
            yield Row(f"{name}, {how}: found", f"{goes} of {goes}", f"0 of {goes}", good=False)
            continue
        median, worst = statistics.median(seen), max(seen)
        good = len(seen) == goes and (not judged or (median <= median_ms and worst <= worst_ms))
        asked = f"<= {median_ms} ms" if worst_ms == math.inf else f"<= {median_ms}, {worst_ms} ms"
        yield Row(
            f"{name}, {race}, N=4, {how}",
            asked if judged else "",
            f"{median:.1f}, {worst:.1f} ms; {len(seen)} of {goes}",
            good,
        )


def warm(one: Round) -> Round:
    """Answer the round without what takes long and is not the race: most blocks are made of it."""
    return dataclasses.replace(one, cold=False, fresh=False)


def rounds_without(
    send: Callable[[object], None], name: str, kind: str, crew: tuple[int, ...], wanted: int
) -> tuple[int, int, float]:
    """Race a correct store for so many rounds; answer those, accusations, and seconds.

    A store gets slower with what is in it, so each has but a part of the rounds. The body of a
    child process.
    """
    begun = monotonic_ns()
    rounds = accused = number = 0
    while rounds < wanted:
        here = min(ROUNDS_OF_A_STORE, wanted - rounds)
        met, said, number = _rounds_of_a_store(name, kind, crew, here, number)
        rounds, accused = rounds + met, accused + said
        send(rounds)
    return rounds, accused, (monotonic_ns() - begun) / 1e9


def _rounds_of_a_store(
    name: str, kind: str, crew: tuple[int, ...], wanted: int, number: int
) -> tuple[int, int, int]:
    """Answer rounds and accusations on one store, and the number of the next block."""
    ruling = RULINGS[kind]
    rounds = accused = 0
    with stand(name, 1 + max(crew)) as at:
        while rounds < wanted or at.pool.under_way:
            while rounds < wanted and at.pool.under_way < AHEAD:
                at.pool.start(_block(at, kind, crew, number))
                number += 1
                if kind == "claims" and number % MANY_EVERY == MANY_AT % MANY_EVERY:
                    number += 1  # with many keys a round clients drift apart, and few are contested
            judged = sound_rounds(at.pool.finish(), real_time=False)
            accused += sum(1 for _ in ruling.judge(judged))
            met = ruling.meter([each for one in judged for each in one.operations])
            rounds += met.across if max(crew) else met.contested
    return rounds, accused, number


def _block(at: Stand, kind: str, crew: tuple[int, ...], number: int) -> Block:
    shape = generator.Shape(
        prefix="bench",
        seed=number,
        clients=len(crew),
        operations=at.capabilities.operations,
    )
    written = generator.block(kind, shape, number, ROUNDS)
    return Block(
        rounds=written if number % COLD_EVERY == 0 else tuple(map(warm, written)),
        crew=crew,
        noise=f"{number}" if not max(crew) and number % 8 == 0 else None,
        keep_open=True,
    )


def acquittals(wanted: int) -> Iterator[Row]:
    """Yield the rows of the correct stores, which share the rounds, and race side by side.

    Threads of one process take one core, so processes race beside them.
    """
    total = accusations = 0
    calls = [(name, kind, crew, wanted * share // 100) for name, kind, crew, share in CORRECT]
    ends = in_children(rounds_without, calls, jobs=SIDE_BY_SIDE, silence_s=SILENT_S)
    for (name, kind, crew, _), ended in zip(calls, ends, strict=True):
        if not ended.ok:
            yield Row(f"{name}, {kind}: accusations", "0", ended.describe(), good=False)
            continue
        rounds, accused, seconds = ended.value
        total += rounds
        accusations += accused
        where = "processes" if max(crew) else "threads"
        measured = f"{accused} in {rounds:,}, {seconds:.0f} s"
        yield Row(f"{name}, {kind} on {where}: accusations", "0", measured, accused == 0)
    good = accusations == 0 and total >= wanted
    yield Row(
        "accusations of correct stores", f"0 in {wanted:,}", f"{accusations} in {total:,}", good
    )


def rows(*, goes: int = 40, rounds: int = USUAL, judged: bool = True) -> Iterator[Row]:
    """Measure, and yield a row for each target as soon as it is known."""
    yield from detection(goes, "quiet", judged=judged)
    with busy(processors()):
        yield from detection(goes, "all cores busy", judged=False)
    yield from acquittals(rounds)


def main() -> int:
    """Measure, print the rows, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="few goes, no speed judged")
    parser.add_argument("--full", action="store_true", help=f"{FULL:,} rounds of correct stores")
    options = parser.parse_args()
    goes = 3 if options.smoke else 40
    rounds = SMOKE if options.smoke else FULL if options.full else USUAL
    good = True
    for row in rows(goes=goes, rounds=rounds, judged=not options.smoke):
        print(row.text(), flush=True)
        good = good and row.good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
