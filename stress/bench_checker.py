"""What the checker costs: CPU seconds and memory on histories of known shapes.

    python stress/bench_checker.py [--smoke]

Prints a row per target (name, target, measured, cores) and exits 1 where one is missed or a
verdict is wrong. All histories are generated here, and legal but for the register logs, half of
which are spoilt. CPU seconds are those of the check alone, the least of several runs; the memory is
what the check itself allocates at most, measured in a run of its own; for the file it is how much
more the process holds. With `--smoke` the histories are short and no speed is judged.
"""

from __future__ import annotations

import argparse
import heapq
import os
import random
import resource
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onewinner import history
from onewinner.checker import Budgets, RegisterModel, check
from onewinner.checker.claims import ClaimModel
from onewinner.contract import ABSENT
from onewinner.history import Info, Ok, Operation
from onewinner.suite.offline import judge_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FS = ("register_if_absent", "register", "lookup", "consume", "delete")
WEIGHTS = (5, 1, 3, 1, 1)
MICROSECOND = 1_000
FAULTS = (0.0, 0.32, 0.32, 0.12, 0.37)
BUDGETS = Budgets(timeout_s=300, configurations=None)


def claims(
    count: int,
    processes: int,
    *,
    keys: int = 1,
    mean_us: int = 10,
    ttl_ms: int | None = None,
    crashed: float = 0.0,
    seed: int = 1,
) -> list[Operation]:
    """Answer what a right store showed: each call took effect at some instant of its interval."""
    rng = random.Random(seed)
    waiting = [(rng.randint(0, mean_us), process) for process in range(processes)]
    heapq.heapify(waiting)
    calls = []
    spare = processes
    for number in range(count):
        begun, process = heapq.heappop(waiting)
        ended = begun + rng.randint(1, 2 * mean_us)
        dies = rng.random() < crashed
        calls.append((rng.randint(begun, ended), begun, ended, process, dies, number))
        if dies:  # its process number is never used again
            process, spare = spare, spare + 1
        heapq.heappush(waiting, (ended + 1 + rng.randint(0, mean_us), process))
    rows: dict[str, tuple[str, int | None]] = {}
    found = [_played(rng, rows, call, keys, ttl_ms) for call in sorted(calls)]
    return sorted(found, key=lambda each: each.invoked_ns)


def _played(
    rng: random.Random,
    rows: dict[str, tuple[str, int | None]],
    call: tuple[int, int, int, int, bool, int],
    keys: int,
    ttl_ms: int | None,
) -> Operation:
    at, begun, ended, process, dies, number = call
    key, f = f"k{rng.randrange(keys)}", rng.choices(FS, WEIGHTS)[0]
    held = rows.get(key)
    if held is not None and held[1] is not None and held[1] <= at:
        held = None
        del rows[key]
    writes = f in {"register_if_absent", "register"}
    if not dies or rng.random() < 0.5:
        if f == "register" or (f == "register_if_absent" and held is None):
            rows[key] = (f"v{number}", None if ttl_ms is None else at + 1_000 * ttl_ms)
        elif f in {"consume", "delete"}:
            rows.pop(key, None)
    seen: Any = ABSENT if held is None else held[0]
    answers = {"register_if_absent": held is None, "register": None, "delete": held is not None}
    return Operation(
        process=process,
        f=f,
        value={
            "plugin": "p", "namespace": "n", "key": key,
            "value": f"v{number}" if writes else None, "ttl_ms": ttl_ms if writes else None,
        },
        outcome=Info("killed") if dies else Ok(answers.get(f, seen)),
        invoked_ns=begun * MICROSECOND,
        completed_ns=ended * MICROSECOND,
    )  # fmt: skip


def registers(logs: int) -> Iterator[tuple[bool, list[Operation]]]:
    """Answer logs like those of etcd in Porcupine's test data: some 84 calls, some 12 in doubt.

    As there, faults come in spells, none in the first fifth and most at the end, and at an event
    0.8 calls are under way on average, those in doubt not counted. Half of them are spoilt by a
    read of a value that nobody wrote; the flag tells which are right.
    """
    for seed in range(logs):
        right = seed % 2 == 0
        log = _register(random.Random(seed))
        if not right:
            middle = sorted(each.invoked_ns for each in log)[len(log) // 2]
            log.append(_call(99, "read", None, Ok(77), middle, middle + 1))
        yield right, log


def _register(rng: random.Random) -> list[Operation]:
    calls = []
    free = {process: rng.randint(0, 9) for process in range(5)}
    spare = 5
    for number in range(84):
        process = min(free, key=lambda each: free[each])
        begun = free.pop(process)
        ended = begun + rng.randint(1, 20)
        dies = rng.random() < FAULTS[5 * number // 84]
        calls.append((rng.randint(begun, ended), begun, ended, process, dies))
        if dies:
            process, spare = spare, spare + 1
        free[process] = ended + rng.randint(1, 160)
    value: int | None = None
    log = []
    for _, begun, ended, process, dies in sorted(calls):
        f = rng.choice(("read", "write", "cas"))
        if f == "read":
            log.append(_call(process, f, None, Ok(value), begun, ended))
            continue
        given: Any = rng.randrange(5) if f == "write" else (rng.randrange(5), rng.randrange(5))
        fits = f == "write" or value == given[0]
        outcome = Info("timed out") if dies else Ok(None if f == "write" else fits)
        if fits and (not dies or rng.random() < 0.5):
            value = given if f == "write" else given[1]
        log.append(_call(process, f, given, outcome, begun, None if dies else ended))
    return log


def _call(
    process: int, f: str, value: Any, outcome: Ok | Info, begun: int, ended: int | None
) -> Operation:
    return Operation(
        process=process, f=f, value=value, outcome=outcome, invoked_ns=begun, completed_ns=ended
    )


class Rows:
    """Prints a row per target and remembers whether one was missed."""

    def __init__(self, *, judged: bool) -> None:
        self.missed = False
        self._judged = judged

    def row(self, name: str, target: float, measured: float, unit: str, *, right: bool) -> None:
        """Print one row."""
        good = right and (measured < target or not self._judged)
        self.missed |= not good
        word = "ok" if good else "MISSED" if right else "WRONG VERDICT"
        print(
            f"{name:<62} < {target:>5g} {unit:<2} {measured:>8.2f} {unit:<2}  {word:<7} "
            f"{os.cpu_count()} cores",
            flush=True,
        )

    def check(
        self, name: str, operations: list[Operation], seconds: float, megabytes: float | None
    ) -> None:
        """Measure the check of one claim history."""
        model = ClaimModel(eps_ms=0)
        right = True

        def judge() -> None:
            nonlocal right
            right = right and check(operations, model, budgets=BUDGETS).valid is True

        self.row(name, seconds, least_cpu(judge), "s", right=right)
        if megabytes is not None:
            self.row("  its memory", megabytes, peak_mb(judge), "MB", right=right)


def least_cpu(work: Callable[[], None], runs: int = 3) -> float:
    """Answer the least CPU seconds of several runs."""
    seconds = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return min(seconds)


def peak_mb(work: Callable[[], None]) -> float:
    """Answer how much the work allocates at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def resident_mb() -> float:
    """Answer the largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def from_file(rows: Rows, directory: Path, count: int, keys: int) -> None:
    """Measure a history that is judged while it is read, after one of a quarter its length.

    It runs in a child of its own, whose largest size is known when it has ended.
    """
    found = {}
    for each in (count // 4, count):
        path = directory / f"{each}.jsonl"
        child = os.fork()
        if not child:
            history.write(path, claims(each, 8, keys=keys))
            os._exit(0)
        os.waitpid(child, 0)
        found[each] = _in_child(path)
        path.unlink()
    (small_right, _, small_mb), (right, seconds, mb) = found[count // 4], found[count]
    name = f"{count:,} operations over {keys:,} keys, from the file"
    rows.row(name, 20, seconds, "s", right=right and small_right)
    rows.row("  its process, against one for a quarter of it", 1.5, mb / small_mb, "x", right=True)
    rows.row("  its process", 300, mb, "MB", right=True)


def _in_child(path: Path) -> tuple[bool, float, float]:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        begun = time.process_time()
        judged = judge_file(str(path), model="claim", budgets=BUDGETS, eps_ms=0, grace_ms=0)
        seconds = time.process_time() - begun
        os.write(writing, f"{judged.verdict.valid is True} {seconds} {resident_mb()}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answers:
        right, taken, size = answers.read().split()
    os.waitpid(child, 0)
    return right == "True", float(taken), float(size)


def main() -> int:
    """Measure, print the rows, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="short histories, no speed judged")
    options = parser.parse_args()
    part = 50 if options.smoke else 1
    rows = Rows(judged=not options.smoke)
    with tempfile.TemporaryDirectory() as directory:  # first: forks copy what is held then
        from_file(rows, Path(directory), 1_000_000 // part, 1_000)
    many, few = 100_000 // part, 10_000 // part
    rows.check(f"{many:,} operations on one key, 8 processes", claims(many, 8), 1, 100)
    rows.check(f"{few:,} operations on one key, 32 processes", claims(few, 32), 2, None)
    timed = claims(many, 8, mean_us=100, ttl_ms=1, crashed=0.01)
    rows.check(f"{many:,} operations, 1 % crashed, with TTL, 8 processes", timed, 3, None)
    logs = list(registers(102))
    right = True

    def judge() -> None:
        nonlocal right
        for expected, log in logs:
            right = right and check(log, RegisterModel(), budgets=BUDGETS).valid is expected

    rows.row("102 register logs with crashes", 0.3, least_cpu(judge), "s", right=right)
    return 1 if rows.missed else 0


if __name__ == "__main__":
    sys.exit(main())
