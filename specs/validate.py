"""A second opinion on `onewinner.checker`: TLC says which histories the contract admits.

    python specs/validate.py [--histories 200] [--recorded 40] [--seed 0]

Short histories are drawn from the kit's model, some in which rows expire and clients crash, some in
which namespaces and the plugin are full; every second one has an answer replaced by another. More
are recorded from processes and threads that race on the reference store, key by key, every second
one broken likewise. All are written as TLA+ sequences, and TLC searches Contract for an order of
steps that explains each. Where TLC and the checker disagree, the history is printed.

Exit 0 where they agree on all, 1 where not, or where too few were wrong for that to mean much; 4
where Java or TLC cannot be had.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from formal import tlc
from formal.histories import CALLS_MOST, LIMITS, LIVES, broken, drawn
from formal.recordings import admitted, events, module
from onewinner.adapters.targets import Target
from onewinner.checker import check
from onewinner.checker.claims import ClaimModel
from onewinner.clock import SystemClock, monotonic_ns
from onewinner.generator import Call, Round
from onewinner.runner import Block, WorkerPool
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from formal.histories import Family
    from formal.tlc import Output, Toolbox
    from onewinner.history import Operation

CREW = (0, 0, 1, 1)  # clients by the process that they live in
_CALLS_EACH = 2
_KEYS_A_ROUND = 10
_WRONG_SHARE = 0.25  # of all histories at least so many must be wrong, or nothing was tried
_RACED = ("register_if_absent", "register_if_absent", "lookup", "consume", "delete", "register")

RACED = dataclasses.replace(LIVES, name="recorded", judge=ClaimModel())


@dataclass(frozen=True, slots=True)
class Judged:
    """A family of histories with what TLC and the checker say, by their places."""

    family: Family
    histories: list[list[Operation]]
    admits: list[bool]
    valid: list[bool]
    output: Output

    @property
    def differ(self) -> list[int]:
        """The places of the histories on which they disagree."""
        return [
            n
            for n, pair in enumerate(zip(self.admits, self.valid, strict=True))
            if len({*pair}) > 1
        ]


def spoilt(histories: Iterator[list[Operation]] | list[list[Operation]]) -> list[list[Operation]]:
    """Break an answer of every second history."""
    return [broken(each, n) if n % 2 else each for n, each in enumerate(histories)]


def recorded(keys: int, seed: int) -> Iterator[list[Operation]]:
    """Race on the reference store, and yield what happened on each key."""
    rounds = tuple(_round(Random(f"{seed}/{n}"), n) for n in range(-(-keys // _KEYS_A_ROUND)))
    with tempfile.TemporaryDirectory() as home:
        pool = WorkerPool(
            Target("sqlite"), processes=2, threads=2, run_dir=Path(home), clock=SystemClock()
        )
        with pool:
            played = pool.play(Block(rounds=rounds, crew=CREW))
    operations = [each for each in played.operations if each.extra["phase"] == "volley"]
    yield from list(ClaimModel().partition(operations).values())[:keys]


def _round(rng: Random, number: int) -> Round:
    """Every client makes so many calls on each key, key by key, so that they meet there."""
    volley = []
    for client in range(len(CREW)):
        calls = []
        for key in range(_KEYS_A_ROUND):
            for turn in range(_CALLS_EACH):
                f = rng.choice(_RACED)
                value = f"{client}.{turn}" if f.startswith("register") else None
                calls.append(Call(f, f"raced-{number}", f"n{key}", "k1", value))
        volley.append(tuple(calls))
    return Round(volley=tuple(volley))


def config(family: Family) -> str:
    """Answer the configuration of the module Recorded for a family."""
    keys, *siblings = (
        ", ".join(name.removeprefix("k") for name in names) for names in family.spaces.values()
    )
    callers = ", ".join(map(str, range(1, CALLS_MOST + 1)))
    lines = ["SPECIFICATION Spec", "CONSTANTS"]
    constants = {
        "Callers": f"{{{callers}}}",
        "Keys": f"{{{keys}}}",
        "Siblings": f"{{{', '.join(siblings)}}}",
        "MaxEntries": family.max_entries,
        "Cap": family.cap,
        "Asks": "{}",
        "TTL": 1,
        "Horizon": 0,
    }
    return "\n".join([*lines, *(f"    {name} = {value}" for name, value in constants.items())])


def judged(tools: Toolbox, home: Path, family: Family, histories: list[list[Operation]]) -> Judged:
    """Ask TLC and the checker about these histories."""
    texts = {"Recordings": module(histories)}
    output = tlc.run(tools, home / family.name, "Recorded", config(family), texts)
    found = admitted(output.text)
    return Judged(
        family=family,
        histories=histories,
        admits=[n + 1 in found for n in range(len(histories))],
        valid=[check(each, family.judge).valid is True for each in histories],
        output=output,
    )


def told(seen: Judged) -> Iterator[str]:
    """Yield the lines about a family."""
    wrong = seen.valid.count(False)
    fine = seen.output.result == "holds" and not seen.differ
    yield (
        f"{'ok' if fine else 'FAILED':<7} {seen.family.name:<9} "
        f"{len(seen.histories):>4} histories, {wrong:>3} not admitted, "
        f"{len(seen.differ)} disagreements, {seen.output.states:,} states, "
        f"{seen.output.seconds:.1f} s"
    )
    if seen.output.result != "holds":
        yield from seen.output.text.strip().splitlines()[-15:]
    for place in seen.differ[:3]:
        yield f"  history {place}: TLC {seen.admits[place]}, the checker {seen.valid[place]}"
        yield from (f"    {event}" for event in events(seen.histories[place]))


def main() -> int:
    """Ask both about all, print what they say, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--recorded", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun, seeds = monotonic_ns(), range(options.seed, options.seed + options.histories // 2)
    try:
        tools = tlc.toolbox()
    except tlc.NoToolbox as missing:
        print(missing, file=sys.stderr)
        return int(ExitCode.USAGE)
    asked = [(each, spoilt([drawn(each, seed) for seed in seeds])) for each in (LIVES, LIMITS)]
    asked.append((RACED, spoilt(recorded(options.recorded, options.seed))))
    with tempfile.TemporaryDirectory() as home, ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda each: judged(tools, Path(home), *each), asked))
    for seen in found:
        print("\n".join(told(seen)), flush=True)
    total = sum(len(seen.histories) for seen in found)
    differ = sum(len(seen.differ) for seen in found)
    wrong = sum(seen.valid.count(False) for seen in found)
    good = not differ and all(seen.output.result == "holds" for seen in found)
    print(f"{(monotonic_ns() - begun) / 1e9:.0f} s; {wrong} of {total} histories are wrong")
    print(f"{total - differ} passed, {differ} failed")
    return int(ExitCode.CONFORMS if good and wrong >= total * _WRONG_SHARE else ExitCode.VIOLATION)


if __name__ == "__main__":
    sys.exit(main())
