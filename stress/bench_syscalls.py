"""What control at system calls finds in commands of any language, and how fast.

    python stress/bench_syscalls.py [--smoke]

Prints a row per target (name, target, measured, cores) and exits 1 where one is missed. The
claimants are those of tests/claimants, in C and for Node.js. Times are counted from when both
commands have answered a first call to when a violation is known. With `--smoke` there are few goes
and no speed is judged.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

from onewinner.generator import Call
from onewinner.schedule.claimant import Blocked, Point, Returned
from onewinner.schedule.command import CommandClaimant
from onewinner.schedule.command_sweep import run, sweep
from onewinner.schedule.ptrace import ptrace_refusal

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import commands

RACY = ("racy.c", "racy.mjs", "racy_async.mjs")
GOOD = ("good.c", "locked.c", "good.mjs")
POINTS = 50


class Goes(NamedTuple):
    """How often everything is done."""

    finds: int
    replays: int
    sweeps: int


class Rows:
    """Prints a row per target and remembers whether one was missed."""

    def __init__(self, *, judged: bool) -> None:
        self.missed = False
        self._judged = judged

    def count(self, name: str, target: int, measured: int) -> None:
        """Print how often something was so; it has to be exactly that often."""
        self._print(name, f"{target}", f"{measured}", good=measured == target)

    def time(self, name: str, target_ms: float | None, measured_ms: float) -> None:
        """Print a time, judged where there is a target."""
        good = target_ms is None or measured_ms <= target_ms or not self._judged
        target = "" if target_ms is None else f"<= {target_ms:g} ms"
        self._print(name, target, f"{measured_ms:.1f} ms", good=good)

    def missing(self, name: str, what: str) -> None:
        """Print that something could not be tried, which is a miss."""
        self._print(name, "", what, good=False)

    def _print(self, name: str, target: str, measured: str, *, good: bool) -> None:
        self.missed |= not good
        word = "ok" if good else "MISSED"
        print(f"{name:<44} {target:>10} {measured:>12}  {word:<7} {os.cpu_count()} cores")


class Pool:
    """A victim and a free rival that have each answered a call; use it as a context manager."""

    def __init__(self, name: str, directory: Path) -> None:
        self._stack = ExitStack()
        data = self._stack.enter_context(tempfile.TemporaryDirectory(dir=directory))
        command = [*commands.built(name, directory), data]
        with ExitStack() as stack:
            self.victim = CommandClaimant(command)
            stack.callback(self.victim.close)
            self.rival = CommandClaimant(command, trace=False)
            stack.callback(self.rival.close)
            for claimant in (self.victim, self.rival):
                claimant.begin(Call("register_if_absent", "p", "n", f"w-{claimant.boundary}", 1))
                while isinstance(settled := claimant.settle(), Blocked):
                    pass
                if not isinstance(settled, Returned):
                    raise TypeError(f"{name} did not answer its first call: {settled}")
            self._stack.push(stack.pop_all())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def first_violation(self, key: str) -> tuple[int, Point | None, float]:
        """Hold the victim at one point after the other until a violation shows.

        Answers the number of the run, the point, and the milliseconds; 0 where none shows.
        """
        begun = time.perf_counter()
        for number in range(1, POINTS):
            found = run(self.victim, self.rival, f"{key}-{number}", number)
            if found.wrong is not None:
                point = found.held.point if found.held else None
                return number, point, (time.perf_counter() - begun) * 1_000
            if found.held is None:
                break
        return 0, None, 0.0


def find(rows: Rows, name: str, goes: Goes, directory: Path) -> None:
    """Find the race with a new pool each time, then replay it."""
    found = []
    for number in range(goes.finds):
        with Pool(name, directory) as pool:
            found.append(pool.first_violation(f"f{number}"))
    runs = [number for number, _, _ in found]
    same = statistics.mode(runs)
    rows.count(f"{name}: found in run {same}", goes.finds, runs.count(same) if same else 0)
    rows.time(f"{name}: found after, median", None, statistics.median(ms for _, _, ms in found))
    rows.time(f"{name}: found after, worst", 50, max(ms for _, _, ms in found))
    point = found[0][1]
    if point is None:
        rows.missing(f"{name}: replayed", "no point")
        return
    with Pool(name, directory) as pool:
        again = [run(pool.victim, pool.rival, f"r{n}", point) for n in range(goes.replays)]
    shown = sum(each.wrong == "two winners" and each.held is not None for each in again)
    rows.count(f"{name}: replayed at `{point.name}`", goes.replays, shown)


def acquit(rows: Rows, name: str, goes: Goes, directory: Path) -> None:
    """Sweep over a right claimant again and again."""
    times = []
    passed = accused = 0
    with Pool(name, directory) as pool:
        for number in range(goes.sweeps):
            begun = time.perf_counter()
            swept = sweep(pool.victim, pool.rival, prefix=f"s{number}")
            times.append((time.perf_counter() - begun) * 1_000)
            passed += swept.verdict == "passed"
            accused += swept.verdict == "failed"
    rows.count(f"{name}: accusations in {goes.sweeps} sweeps", 0, accused)
    rows.count(f"{name}: sweeps that covered all", goes.sweeps, passed)
    rows.time(f"{name}: a whole sweep, median", None, statistics.median(times))


def main() -> int:
    """Measure, print the rows, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="few goes, no speed judged")
    options = parser.parse_args()
    goes = Goes(3, 10, 5) if options.smoke else Goes(20, 100, 200)
    rows = Rows(judged=not options.smoke)
    if (refusal := ptrace_refusal()) is not None:
        rows.missing("control at system calls", refusal)
        return 1
    with tempfile.TemporaryDirectory() as directory:
        for work, names in ((find, RACY), (acquit, GOOD)):
            for name in names:
                if (what := commands.missing(name)) is not None:
                    rows.missing(name, what)
                else:
                    work(rows, name, goes, Path(directory))
    return 1 if rows.missed else 0


if __name__ == "__main__":
    sys.exit(main())
