"""The correct stores on a loaded machine, with TTLs as short as the calls are long: no `invalid`.

    python stress/short_ttl.py [--histories 1000] [--seed 0] [--smoke]

Four clients claim, register, look up, consume and delete two keys with lives of 1 to 40 ms, in real
time, while every core is kept busy by something else. Each round is a history of its own, judged as
`onewinner verify` judges: a single `invalid` is a false alarm. So that this could be seen at all,
stores that lose rows, let them live on or answer from a look before are judged beside them, and
must be found. Prints a row for each and exits 1 where one misses its target.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from random import Random

from bench_detection import busy
from onewinner.adapters.targets import Target
from onewinner.checker.claims import grey_zone
from onewinner.clock import SystemClock
from onewinner.contract import Capabilities
from onewinner.generator import Call, Round
from onewinner.runner import Block, WorkerPool
from onewinner.suite.linearity import history_of, judged, model_for
from onewinner.suite.rulings import DRIFT_MAX_MS

CLIENTS = 4
CALLS = 30
ROUNDS = 10
LIVES_MS = (1, 1, 2, 3, 5, 10, 20, 40, None)
FS = ("register_if_absent", "register", "lookup", "consume", "delete")
WEIGHTS = (8, 1, 5, 1, 1)
REAL_TIME = Capabilities(virtual_clock=False)
RIGHT = (("memory", (0, 0, 0, 0)), ("sqlite", (0, 1, 2, 3)), ("sqlite", (0, 0, 1, 1)))
WRONG = ("lookup-then-register", "refused-claim-refreshes-ttl", "consume-reads-then-deletes")
PATIENCE_S = 300.0
"""Nothing here is about hanging, and a machine kept busy on purpose may starve a worker."""
HISTORIES_OF_WRONG = 3_000
"""At most: a wrong store is judged until it is found, for some are wrong in one of a hundred."""


def rounds(random: Random, name: str) -> tuple[Round, ...]:
    """Answer a few rounds, each in a plugin of its own."""

    def call(client: int, number: int, plugin: str) -> Call:
        f, key = random.choices(FS, WEIGHTS)[0], random.choice(("a", "b"))
        if not f.startswith("register"):
            return Call(f, plugin, "n", key)
        return Call(f, plugin, "n", key, [client, number], random.choice(LIVES_MS))

    return tuple(
        Round(
            volley=tuple(
                tuple(call(client, number, f"{name}-{index}") for number in range(CALLS))
                for client in range(CLIENTS)
            ),
            inspect=tuple(Call("lookup", f"{name}-{index}", "n", key) for key in ("a", "b")),
        )
        for index in range(ROUNDS)
    )


def judge(
    target: str, crew: tuple[int, ...], histories: int, seed: int, *, wrong: bool = False
) -> tuple[int, ...]:
    """Answer how many histories were judged, invalid and undecided, and the answers by grey.

    A `wrong` store is judged until one is invalid.
    """
    random = Random(f"{seed}/{target}/{crew}")
    model = model_for(REAL_TIME, DRIFT_MAX_MS)
    done = invalid = undecided = crisp = grey = 0
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pool = stack.enter_context(
            WorkerPool(
                Target(target),
                processes=max(crew) + 1,
                threads=crew.count(0),
                run_dir=home,
                clock=SystemClock(),
                patience_s=PATIENCE_S,
            )
        )
        while done < histories and not (wrong and invalid):
            block = pool.play(Block(rounds=rounds(random, f"p{done}"), crew=crew))
            for played in block.played:
                if played.drift_ms > DRIFT_MAX_MS:
                    continue
                history = list(history_of([played], virtual=False, server=False))
                found = judged(history, model)
                done += 1
                invalid += found.broken is not None
                undecided += found.undecided > 0
                zone = grey_zone(history, model)
                crisp, grey = crisp + zone.crisp, grey + zone.grey
    return done, invalid, undecided, crisp, grey


def main() -> int:
    """Judge the right stores and the wrong ones, print a row for each, answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--histories", type=int, default=1_000, help="for each correct store")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="30 histories for each")
    options = parser.parse_args()
    histories = 30 if options.smoke else options.histories
    cores = os.cpu_count()
    missed = False
    with busy():
        for target, crew in RIGHT:
            done, invalid, undecided, crisp, grey = judge(target, crew, histories, options.seed)
            missed |= invalid > 0 or undecided > 0
            where = "threads" if len(set(crew)) == 1 else f"{len(set(crew))} processes"
            print(
                f"{f'{target}, {CLIENTS} clients in {where}':<44} invalid = 0      {invalid:>4} of "
                f"{done}, {undecided} undecided; {crisp:,} answers certain, {grey:,} grey  "
                f"{'MISSED' if invalid or undecided else 'ok'}  {cores} cores",
                flush=True,
            )
        for name in WRONG:
            mutant = f"mutant:{name}"
            done, invalid, *_ = judge(mutant, (0, 0, 0, 0), HISTORIES_OF_WRONG, 1, wrong=True)
            missed |= not invalid
            print(
                f"{mutant:<44} invalid > 0      {invalid:>4} of {done}  "
                f"{'ok' if invalid else 'MISSED'}  {cores} cores",
                flush=True,
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
