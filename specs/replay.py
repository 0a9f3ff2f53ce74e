"""Replay the traces of TLC on a real SQLite file, with the code of real stores.

    python specs/replay.py [-k TEXT] [--verbose]

For each broken design TLC finds the shortest schedule that breaks a property of the model. The same
schedule is then played twice: by the mutant with the same defect, which must come to the answers
and the rows of the model and so break that property on a real file, and by the reference store,
which must keep all of them. What TLC reaches with the honest design is played by the reference
store, which must come to the same answers and rows.

Callers are threads with a connection each; a caller is held before BEGIN, before it is told the
time, before a snapshot, and before COMMIT.

Exit 0 where all came out so, 1 where not, 4 where Java or TLC cannot be had.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from formal import manifest, tlc
from formal.judgement import BROKEN, unlike
from formal.stage import Limits, Stage
from formal.traces import ending, schedule, told
from onewinner.mutants import MUTANTS
from onewinner.schedule.gate import watch_statements
from onewinner.stores.sqlite import connect as reference
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from formal.manifest import Expectation, Manifest
    from formal.stage import Picture
    from onewinner.contract import Connect


_JOBS_MOST = 4


@dataclass(frozen=True, slots=True)
class Played:
    """What a store made of a schedule.

    `broken` is what was broken at its end, by property, `later` the same when all callers had gone
    on to their ends; `unlike` is what differs from the model at the end of the schedule.
    """

    broken: dict[str, list[str]]
    later: dict[str, list[str]]
    unlike: list[str]
    answers: str


@contextmanager
def staged(connect: Connect, limits: Limits) -> Iterator[Stage]:
    """Set the stage on a new file."""
    with tempfile.TemporaryDirectory() as home, Stage(connect, Path(home), limits) as stage:
        yield stage


def played(connect: Connect, trace: str, limits: Limits) -> Played:
    """Play the schedule of a trace with a store on a new file."""
    with staged(connect, limits) as stage:
        end, last = stage.play(schedule(trace))
    said = (f"{who} {answer.word} {answer.value}".strip() for who, answer in last.answers.items())
    return Played(
        broken=_broken(end, limits),
        later=_broken(last, limits),
        unlike=list(unlike(end, ending(trace))),
        answers=", ".join(said),
    )


def _broken(seen: Picture, limits: Limits) -> dict[str, list[str]]:
    found = {name: list(broken(seen, limits)) for name, broken in BROKEN.items()}
    return {name: what for name, what in found.items() if what}


def traces(told_of: Manifest, runs: list[Expectation]) -> list[str]:
    """Let TLC find the traces of these runs; answer what it said, in their order."""
    tools = tlc.toolbox()
    with (
        tempfile.TemporaryDirectory() as scratch,
        ThreadPoolExecutor(min(os.cpu_count() or 1, _JOBS_MOST)) as pool,
    ):

        def find(run: Expectation) -> str:
            home = Path(scratch) / run.name
            return tlc.run(tools, home, run.module, told_of.config(run), {}).text

        return list(pool.map(find, runs))


def judged(run: Expectation, trace: str, told_of: Manifest) -> tuple[bool, list[str]]:
    """Play a trace with the stores that it is about; tell whether all is well, and what it was."""
    limits = Limits.of(told_of.instances[run.instance]["constants"])
    good = played(reference, trace, limits)
    wrong = [each for what in (good.broken, good.later) for v in what.values() for each in v]
    mutant = told_of.mutants().get(run.design)
    if mutant is None:
        wrong += good.unlike
        return not wrong, [_line("sqlite", good, wrong, "as in the model")]
    bad = played(MUTANTS[mutant].connect, trace, limits)
    shown = bad.broken.get(run.violates, [])
    seen = [
        _line(f"mutant:{mutant}", bad, [*shown, *bad.unlike], "nothing was broken"),
        _line("sqlite", good, wrong, "nothing is broken"),
    ]
    return bool(shown) and not bad.unlike and not wrong, seen


def _line(store: str, played_by: Played, what: list[str], nothing: str) -> str:
    return f"{store}: {played_by.answers}: {'; '.join(what) or nothing}"


def main() -> int:
    """Replay all, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-k", metavar="TEXT", default="", help="only runs with this in their names")
    parser.add_argument("--verbose", action="store_true", help="show the schedules")
    options = parser.parse_args()
    watch_statements()
    told_of = manifest.load()
    runs = [run for run in told_of.replays() if options.k in run.name]
    try:
        found = traces(told_of, runs)
    except tlc.NoToolbox as missing:
        print(missing, file=sys.stderr)
        return int(ExitCode.USAGE)
    passed = 0
    for run, trace in zip(runs, found, strict=True):
        well, seen = judged(run, trace, told_of)
        passed += well
        moves = schedule(trace)
        print(f"{'ok' if well else 'FAILED':<7} {run.name}: {run.violates}, {len(moves)} moves")
        if options.verbose:
            seen.insert(0, "; ".join(map(told, moves)))
        print("\n".join(f"          {each}" for each in seen), flush=True)
    print(f"{passed} passed, {len(runs) - passed} failed")
    return int(ExitCode.CONFORMS if passed == len(runs) > 0 else ExitCode.VIOLATION)


if __name__ == "__main__":
    sys.exit(main())
