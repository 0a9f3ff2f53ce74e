"""How soon a race is found under control, what a whole sweep costs, and that replays repeat.

    python stress/bench_detection.py [--smoke] [--full]

Prints a row per target (name, target, measured, cores), once quiet and once with every core kept
busy, and exits 1 where one is missed. Times are counted from when the claimants have answered and
the scenario is prepared; those of a busy machine, which has half of its cores to give, are told and
not judged. Where one of twenty goes took too long all twenty are taken again, twice at most, and
the row says so: on a virtual machine a pause may come from outside.

With `--smoke` there are few goes, of every third mutant, and no speed is judged. A whole run, half
an hour, ends with the rows of system calls (`bench_syscalls.py`) and of calibrated stress
(`bench_stress.py`, with `--full` a million rounds of it, which is an hour more); CI runs these by
themselves.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from onewinner.adapters.targets import Target
from onewinner.contract.clauses import CLAUSES
from onewinner.mutants import MUTANTS
from onewinner.schedule.scenarios import scenarios
from onewinner.suite.again import replayed
from onewinner.suite.engine import probe
from onewinner.suite.held import Bad, bad_of
from onewinner.suite.orders import Judge
from onewinner.suite.replay import token_of
from onewinner.suite.schedules import Sweeps, swept
from onewinner.suite.scratch import scratch_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onewinner.clock import Clock
    from onewinner.contract import Capabilities
    from onewinner.schedule.crew import Crew
    from onewinner.schedule.gate import Boundary
    from onewinner.schedule.scenario import Scenario
    from onewinner.schedule.sweep import Stage

CORES = len(os.sched_getaffinity(0))
# Defects of one step made of two; the others that show in parallel are about time, not schedules.
# Clients of servers wait for answers, which is a matter of its own.
RACY = tuple(
    name
    for name, mutant in sorted(MUTANTS.items())
    if mutant.shows in {"threads", "processes"}
    and not mutant.server
    and not name.startswith("early-clock")
)
MEDIAN_MS, WORST_MS = 20, 50
TRIES = 3
FINDS_OF_A_CREW = 4
SPIN = "import os; kit = os.getppid()\nwhile os.getppid() == kit: sum(range(1_000_000))"
"""A program that keeps a core busy for as long as whoever started it is there."""


class Row(NamedTuple):
    """One line of the table; `good` None where nothing is judged."""

    name: str
    target: str
    measured: str
    good: bool | None

    def text(self) -> str:
        """Answer the line."""
        word = {True: "ok", False: "MISSED", None: ""}[self.good]
        return f"{self.name:<66} {self.target:>20} {self.measured:>28}  {word:<7} {CORES} cores"


class Grain(NamedTuple):
    """Where a mutant's claimants live and are held; no boundary: where its target shows points.

    `shared` as a `Crew` has it: threads on one handle, or two threads of one process and another.
    """

    processes: bool
    boundary: Boundary | None = None
    shared: bool = False

    def shows(self, scenario: Scenario) -> bool:
        """Tell whether it is a scenario for such claimants."""
        return scenario.beside is (self.processes and self.shared)


class Goes(NamedTuple):
    """How often everything is done: each defect found, its schedule replayed, and so on."""

    finds: int
    replays: int
    exhausts: int
    sweeps: int
    judged: bool


class Found(NamedTuple):
    """When a defect was found: in which schedule, after how long, and where."""

    run: int
    ms: float
    bad: Bad


CORRECT = (
    ("sqlite", Grain(True), 40),
    ("sqlite", Grain(True, shared=True), 5),
    ("sqlite", Grain(False), 25),
    ("sqlite", Grain(False, "tail", shared=True), 20),
    ("memory", Grain(False), 10),
)
"""Store, grain, and the per cent of the sweeps: one of memory is of many runs."""


@contextmanager
def stages(name: str, grain: Grain) -> Iterator[tuple[Capabilities, Stages]]:
    """Start a crew for a target, and answer what makes stages of it."""
    target = Target(name)
    with scratch_directory() as run_dir, ExitStack() as stack:
        capabilities = probe(target, run_dir)
        home = Path(tempfile.mkdtemp(dir=run_dir))
        sweeps = Sweeps(target, capabilities, home, grain.processes, frozenset(CLAUSES))
        crew, clock = sweeps.crew(stack, "crew", shared=grain.shared)
        yield capabilities, Stages(sweeps, crew, clock, grain.boundary)


class Stages:
    """Makes stages for scenarios, at the boundary that the target shows."""

    def __init__(self, sweeps: Sweeps, crew: Crew, clock: Clock, boundary: Boundary | None) -> None:
        self.sweeps, self.crew, self.clock = sweeps, crew, clock
        self.boundary = boundary

    def of(self, scenario: Scenario, judge: Judge) -> Stage:
        """Answer a stage that is prepared, and whose claimants have made their first calls."""
        if self.boundary is None:
            self.boundary = self.sweeps._boundary(self.crew, self.clock, scenario)  # noqa: SLF001 - as a run does
        stage = self.sweeps.stage(self.crew, self.clock, scenario, self.boundary)
        judge.prepared(stage.unheld())
        return stage


def about(name: str, capabilities: Capabilities, *, grain: Grain) -> list[Scenario]:
    """Answer the scenarios of the clauses that a mutant names, the one that must flag it first.

    Where it only makes calls fail, it can do so in each.
    """
    order = MUTANTS[name].clauses
    everything = list(filter(grain.shows, scenarios(capabilities)))
    told = [
        (order.index(clause), scenario)
        for scenario in everything
        if (clause := scenario.clause(processes=grain.processes)) in order
    ]
    return [scenario for _, scenario in sorted(told, key=lambda each: each[0])] or everything


def first_bad(made: Stages, capabilities: Capabilities, around: list[Scenario]) -> Found | None:
    """Answer the first schedule that goes wrong, in the first scenario that has one.

    As in a run one is preferred in which nobody had to wait.
    """
    judge, waiting = Judge(capabilities), None
    for scenario in around:
        stage = made.of(scenario, judge)
        begun, run = time.perf_counter(), 0
        for count in (0, 1):
            for ran in stage.schedules(count, lambda: False):
                run += 1
                if (bad := bad_of(ran, judge)) is not None:
                    found = Found(run, (time.perf_counter() - begun) * 1_000, bad)
                    if not ran.waited:
                        return found
                    waiting = waiting or found
        if waiting is not None:
            return waiting
    return None


def find(name: str, goes: Goes, how: str) -> Iterator[Row]:
    """Find a mutant again and again, with a new crew after a few times, and replay what was found.

    Where every core is busy with something else the times are told and not judged.
    """

    def again(grain: Grain) -> list[Found]:
        return list(finds(f"mutant:{name}", goes.finds, grain, partial(about, name, grain=grain)))

    grain, found = Grain(False), []
    for grain in grains(name):
        if found := again(grain):
            break
    judged = goes.judged and not how
    tries = 1
    while judged and tries < TRIES and found and not in_time(found):
        found = again(grain)
        tries += 1
    if len(found) < goes.finds:
        told = f"{len(found)} of {goes.finds}"
        yield Row(f"{how}{name}: found", f"{goes.finds} of {goes.finds}", told, False)
        return
    runs = [each.run for each in found]
    most = statistics.mode(runs)
    yield Row(
        f"{how}{name}: found in run {most} ({found[0].bad.ran.scenario.name})",
        f"{goes.finds} of {goes.finds}",
        f"{runs.count(most)} of {goes.finds}",
        runs.count(most) == goes.finds,
    )
    middle, worst = statistics.median(each.ms for each in found), max(each.ms for each in found)
    good = in_time(found) if judged else None
    how_often = f" (try {tries})" if tries > 1 else ""
    yield Row(
        f"{how}{name}: median, worst",
        "" if good is None else f"<= {MEDIAN_MS}, <= {WORST_MS} ms",
        f"{middle:.1f}, {worst:.1f} ms{how_often}",
        good,
    )
    yield replay(name, found[0].bad, goes, how, processes=grain.processes)


def in_time(found: list[Found]) -> bool:
    """Tell whether a mutant was found as soon as it should be, mostly and each time."""
    times = [each.ms for each in found]
    return statistics.median(times) <= MEDIAN_MS and max(times) <= WORST_MS


def grains(name: str) -> Iterator[Grain]:
    """Yield where to look for a mutant, in the order of a run: what is seen first is measured."""
    with scratch_directory() as run_dir:
        scope = probe(Target(f"mutant:{name}"), run_dir).scope
    processes = MUTANTS[name].shows == "processes" or MUTANTS[name].clauses[0] != "CLAIM-5"
    yield Grain(processes and scope == "process")
    yield Grain(False, "tail", shared=True)
    yield Grain(False, shared=True)
    if scope == "process":
        yield Grain(True, shared=True)
        yield Grain(True, "syscall")


def finds(
    target: str, most: int, grain: Grain, around: Callable[[Capabilities], list[Scenario]]
) -> Iterator[Found]:
    """Yield how a defect was found each time, until it is not, with a new crew after a few."""
    made_so_far = 0
    while made_so_far < most:
        with stages(target, grain) as (capabilities, made):
            for _ in range(min(FINDS_OF_A_CREW, most - made_so_far)):
                one = first_bad(made, capabilities, around(capabilities))
                if one is None:
                    return
                made_so_far += 1
                yield one
                if one.bad.ran.died:
                    break


def replay(name: str, bad: Bad, goes: Goes, how: str, *, processes: bool) -> Row:
    """Replay a schedule on fresh stores."""
    token = token_of(bad.ran, f"mutant:{name}", processes=processes)
    wrong = replayed(Target(token.target), token, goes.replays).wrong
    asked = f"{goes.replays} of {goes.replays}"
    return Row(f"{how}{name}: replayed", asked, f"{wrong} of {goes.replays}", wrong == goes.replays)


def exhaust(goes: Goes, how: str) -> Iterator[Row]:
    """Sweep the reference store over each scenario to its end, with one preemption and with two.

    The work is the same each time, so the least time of some goes is what it costs.
    """
    for grain in (Grain(True), Grain(True, shared=True)):
        with stages("sqlite", grain) as (capabilities, made):
            judge = Judge(capabilities)
            for scenario in filter(grain.shows, scenarios(capabilities)):
                if not scenario.long:  # its rows take longer than its schedules
                    yield from _exhaust(made, judge, scenario, goes, how)


def _exhaust(made: Stages, judge: Judge, scenario: Scenario, goes: Goes, how: str) -> Iterator[Row]:
    for preemptions, most_ms in ((1, 100), (2, 500)):
        if preemptions > 1 and len(scenario.calls) > 2:
            continue
        times, found = [], []
        for _ in range(goes.exhausts):
            stage = made.of(scenario, judge)
            begun = time.perf_counter()
            found.append(swept(stage, judge, preemptions, lambda: False))
            times.append((time.perf_counter() - begun) * 1_000)
        right = all(each.bad is None and each.ended for each in found)
        ms = min(times)
        good = ms <= most_ms if goes.judged and not how else None
        yield Row(
            f"{how}sqlite, {scenario.name}: bound {preemptions}, {len(found[-1].rans)} runs",
            "" if good is None else f"<= {most_ms} ms",
            f"{ms:.0f} ms, median {statistics.median(times):.0f} ms",
            good if right else False,
        )


def acquit(goes: Goes) -> Iterator[Row]:
    """Sweep the correct stores with one preemption, and count what is said against them."""
    swept_all = accused_all = 0
    for name, grain, per_cent in CORRECT:
        sweeps = runs = accused = 0
        with stages(name, grain) as (capabilities, made):
            judge = Judge(capabilities)
            around = [
                each
                for each in filter(grain.shows, scenarios(capabilities))
                if each.clause(processes=grain.processes) and not each.once and not each.long
            ]
            for scenario in islice(cycle(around), goes.sweeps * per_cent // 100):
                found = swept(made.of(scenario, judge), judge, 1, lambda: False)
                sweeps += 1
                runs += len(found.rans)
                accused += found.bad is not None or not found.ended
        where = "processes" if grain.processes else "threads"
        if grain.shared:
            where = "two threads and a process" if grain.processes else "threads on one handle"
        said = f"{accused} in {sweeps:,} of {runs:,} runs"
        yield Row(f"{name} on {where}: accusations", "0", said, accused == 0)
        swept_all, accused_all = swept_all + sweeps, accused_all + accused
    asked, said = f"0 in {goes.sweeps:,} sweeps", f"{accused_all} in {swept_all:,}"
    yield Row("accusations of correct stores", asked, said, accused_all == 0)


@contextmanager
def busy() -> Iterator[None]:
    """Keep every core busy."""
    spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(CORES)]
    try:
        yield
    finally:
        for each in spinning:
            each.kill()
            each.wait()


def elsewhere(*, full: bool) -> bool:
    """Run the other benchmarks about detection; answer whether one missed a target."""
    here = Path(__file__).parent
    stress = ["bench_stress.py", "--full"] if full else ["bench_stress.py"]
    done = [
        subprocess.run([sys.executable, str(here / name), *words], check=False)
        for name, *words in (["bench_syscalls.py"], stress)
    ]
    return any(each.returncode for each in done)


def main() -> int:
    """Measure, print the rows, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="few goes, no speed judged")
    parser.add_argument("--full", action="store_true", help="a million rounds of calibrated stress")
    parser.add_argument("-k", dest="select", default="", help="only mutants with this in the name")
    options = parser.parse_args()
    goes = Goes(1, 1, 1, 60, False) if options.smoke else Goes(20, 100, 5, 10_000, True)
    missed = False

    def show(rows: Iterator[Row]) -> None:
        nonlocal missed
        for row in rows:
            print(row.text(), flush=True)
            missed |= row.good is False

    def measured(how: str) -> None:
        for name in RACY[::3] if options.smoke else RACY:
            if options.select in name:
                show(find(name, goes, how))
        if not options.select:
            show(exhaust(goes, how))

    measured("")
    if not options.select:
        show(acquit(goes))
    if not options.smoke:
        with busy():
            measured("busy: ")
        if not options.select:
            missed |= elsewhere(full=options.full)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
