"""What control at system calls finds in commands of any language, and how fast.

    python stress/bench_syscalls.py [--smoke]

Prints a row per target (name, target, measured, cores) and exits 1 where one is missed. The
claimants are those of tests/claimants, in C and for Node.js, as targets `exec:COMMAND`. Times are
counted from when the claimants have answered and the scenario is prepared to when a violation is
known. As in `bench_detection.py` all goes are taken again, twice at most, where one took too long,
and the row says so. With `--smoke` there are few goes and no speed is judged.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from onewinner.adapters.targets import Target
from onewinner.schedule.ptrace import ptrace_refusal
from onewinner.schedule.scenarios import scenarios
from onewinner.suite.again import replayed
from onewinner.suite.orders import Judge
from onewinner.suite.replay import token_of
from onewinner.suite.schedules import swept

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import commands
from bench_detection import (
    TRIES,
    WORST_MS,
    Found,
    Grain,
    Row,
    finds,
    stages,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Capabilities
    from onewinner.schedule.scenarios import Scenario

RACY = ("racy.c", "racy.mjs", "racy_async.mjs")
GOOD = ("good.c", "locked.c", "good.mjs")
GRAIN = Grain(processes=True, boundary="syscall")


class Goes(NamedTuple):
    """How often everything is done, and whether speed is judged."""

    finds: int
    replays: int
    sweeps: int
    judged: bool


def fresh(capabilities: Capabilities) -> list[Scenario]:
    """Answer the scenario of two claims of one vacant key."""
    return [each for each in scenarios(capabilities) if each.name == "fresh"]


def count(name: str, target: int, measured: int) -> Row:
    """Answer the row of how often something was so; it has to be exactly that often."""
    return Row(name, f"{target}", f"{measured}", measured == target)


def duration(name: str, target_ms: float | None, measured_ms: float) -> Row:
    """Answer the row of a time, judged where there is a target."""
    good = None if target_ms is None else measured_ms <= target_ms
    return Row(name, "" if good is None else f"<= {target_ms:g} ms", f"{measured_ms:.1f} ms", good)


def find(name: str, goes: Goes, directory: Path) -> Iterator[Row]:
    """Find the race again and again, with a new crew after a few times, then replay it."""
    target = commands.target(name, directory)
    found = list(finds(target, goes.finds, GRAIN, fresh))
    tries = 1
    while goes.judged and tries < TRIES and slowest(found) > WORST_MS:
        found = list(finds(target, goes.finds, GRAIN, fresh))
        tries += 1
    if len(found) < goes.finds:
        yield Row(f"{name}: found", f"{goes.finds}", f"{len(found)}, then not", False)
        return
    again = f" (try {tries})" if tries > 1 else ""
    runs = [each.run for each in found]
    same = statistics.mode(runs)
    yield count(f"{name}: found in run {same}", goes.finds, runs.count(same))
    times = [each.ms for each in found]
    most = WORST_MS if goes.judged else None
    yield duration(f"{name}: found after, median", None, statistics.median(times))
    yield duration(f"{name}: found after, worst{again}", most, max(times))
    ran = found[0].bad.ran
    wrong = replayed(Target(target), token_of(ran, target, processes=True), goes.replays).wrong
    yield count(f"{name}: replayed at `{ran.stops[0].point.name}`", goes.replays, wrong)


def slowest(found: list[Found]) -> float:
    """Answer how long it took at most, in milliseconds."""
    return max((each.ms for each in found), default=0.0)


def acquit(name: str, goes: Goes, directory: Path) -> Iterator[Row]:
    """Sweep over a right claimant again and again."""
    times = []
    covered = accused = 0
    with stages(commands.target(name, directory), GRAIN) as (capabilities, made):
        judge = Judge(capabilities)
        for _ in range(goes.sweeps):
            stage = made.of(*fresh(capabilities), judge)
            begun = time.perf_counter()
            found = swept(stage, judge, 1, lambda: False)
            times.append((time.perf_counter() - begun) * 1_000)
            accused += found.bad is not None
            covered += found.ended and found.points > 0
    yield count(f"{name}: accusations in {goes.sweeps} sweeps", 0, accused)
    yield count(f"{name}: sweeps that covered all", goes.sweeps, covered)
    yield duration(f"{name}: a whole sweep, median", None, statistics.median(times))


def rows(goes: Goes, directory: Path) -> Iterator[Row]:
    """Yield the rows of all claimants; what could not be tried is a miss."""
    if (refusal := ptrace_refusal()) is not None:
        yield Row("control at system calls", "", refusal, False)
        return
    for work, names in ((find, RACY), (acquit, GOOD)):
        for name in names:
            if (what := commands.missing(name)) is not None:
                yield Row(name, "", what, False)
            else:
                yield from work(name, goes, directory)


def main() -> int:
    """Measure, print the rows, and answer the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="few goes, no speed judged")
    options = parser.parse_args()
    goes = Goes(3, 10, 5, False) if options.smoke else Goes(20, 100, 200, True)
    missed = False
    with tempfile.TemporaryDirectory() as directory:
        for row in rows(goes, Path(directory)):
            print(row.text(), flush=True)
            missed |= row.good is False
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
