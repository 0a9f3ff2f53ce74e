"""Speed and memory of the gate, against what the project promises. Exit 1 where a target is missed.

Each command runs as a user runs it, in a process of its own; the peak memory is that of the run's
largest process, workers included. With `--smoke` the runs get a budget of 5 s, not the default, and
only a run that does not do its work fails: how fast a shared machine was then is no finding.

    python stress/bench_gate.py
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from onewinner.clock import monotonic_ns
from onewinner.suite.tree import ExitCode

SMOKE_BUDGET = ("--budget", "5s")
INCONCLUSIVE = int(ExitCode.INCONCLUSIVE)
LINES_SHOWN = 20  # of the output of a command that failed


@dataclass(frozen=True, slots=True)
class Target:
    """A promise: the median of `runs` takes less than `seconds`, in processes below `megabytes`."""

    arguments: tuple[str, ...]
    seconds: float
    runs: int = 1
    megabytes: float | None = None

    @property
    def name(self) -> str:
        """The command as a user types it."""
        return " ".join(("onewinner", *self.arguments))


TARGETS = (
    Target(("--help",), seconds=0.3, runs=7),
    Target(("smoke", "sqlite"), seconds=5),
    Target(("verify", "memory"), seconds=20, megabytes=300),
    Target(("verify", "sqlite"), seconds=60, megabytes=300),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was promised, and what was measured."""

    name: str
    limit: float
    measured: float
    unit: str
    wrong_code: int = 0

    @property
    def worked(self) -> bool:
        """Whether the run did its work."""
        return not self.wrong_code

    @property
    def held(self) -> bool:
        """Whether the promise was kept, by a run that did its work."""
        return self.worked and self.measured < self.limit

    def __str__(self) -> str:
        verdict = "ok" if self.held else "MISSED"
        if self.wrong_code:
            verdict = f"exit code {self.wrong_code}"
        return (
            f"{self.name:<28} < {self.limit:>6g} {self.unit:<2} "
            f"{self.measured:>8.2f} {self.unit:<2}  {verdict}"
        )


def run(arguments: tuple[str, ...], directory: str) -> tuple[float, float, int]:
    """Run the command; answer seconds, megabytes of its largest process, and the exit code."""
    command = [str(Path(sys.executable).with_name("onewinner")), *arguments]
    with (Path(directory) / "output").open("w+b") as output:
        start = monotonic_ns()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = (monotonic_ns() - start) / 1e9
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            lines = output.read().decode(errors="replace").splitlines()
            print(*lines[-LINES_SHOWN:], sep="\n")
    return seconds, used.ru_maxrss / 1024, process.returncode


def measure(target: Target, *, smoke: bool, directory: str) -> list[Row]:
    """Answer the rows of one target."""
    arguments = target.arguments
    if smoke and arguments[0] == "verify":
        arguments += SMOKE_BUDGET
    runs = [run(arguments, directory) for _ in range(target.runs)]
    seconds = statistics.median(seconds for seconds, _, _ in runs)
    fine = {0, INCONCLUSIVE} if smoke else {0}  # what is cut short may prove too little
    code = next((code for _, _, code in runs if code not in fine), 0)
    rows = [Row(target.name, target.seconds, seconds, "s", code)]
    if target.megabytes is not None:
        rows.append(
            Row(
                "  its largest process",
                target.megabytes,
                max(megabytes for _, megabytes, _ in runs),
                "MB",
                code,
            )
        )
    return rows


def main() -> int:
    """Measure every target and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="give each run a budget of 5 s")
    smoke = parser.parse_args().smoke
    if not Path(sys.executable).with_name("onewinner").exists():
        print(f"no onewinner beside {sys.executable}: install the project into this environment")
        return 1
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    print(f"{cores} cores, load {load:.1f}, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as directory:
        rows = []
        for target in TARGETS:
            for row in measure(target, smoke=smoke, directory=directory):
                print(row, flush=True)
                rows.append(row)
    return 0 if all(row.worked if smoke else row.held for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
