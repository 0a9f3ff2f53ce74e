"""Check the formal model with TLC, all of it, against what `tla/manifest.json` expects.

    python specs/check.py [-k TEXT] [--jobs 2] [--write] [--keep DIR]

Each run must come out as told: what holds, what is violated and by how long a counterexample, and
how many distinct states there are. So a mutant that survives fails it, and so does any change that
nobody meant. `--write` writes the counts of this run into the manifest, never a result. `--keep`
leaves configurations and output in a directory, for use by hand.

Exit 0 where all is as expected, 1 where it is not, 4 where Java or TLC cannot be had.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from formal import manifest, tlc
from onewinner.clock import monotonic_ns
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from formal.manifest import Expectation, Manifest
    from formal.tlc import Output

_LINES_SHOWN = 15
_JOBS_MOST = 4  # each takes a quarter of the memory, as Java is wont to


def measured(run: Expectation, output: Output) -> Expectation:
    """Answer the run as it came out."""
    result = output.result
    if result == "violated" and run.violates.startswith(manifest.REACH):
        result = "reached"
    return dataclasses.replace(run, result=result, states=output.states, trace=output.trace)


def complaints(run: Expectation, output: Output) -> list[str]:
    """Answer what is not as it was expected."""
    found = measured(run, output)
    if found.result != run.result:
        said = f"{found.result} {output.violated}".strip()
        return [f"expected {run.result} {run.violates}".strip() + f", found {said}"]
    wrong = []
    if output.violated and output.violated != run.violates:
        wrong.append(f"expected {run.violates} to be violated, not {output.violated}")
    for name in ("states", "trace"):
        expected, counted = getattr(run, name), getattr(found, name)
        if expected != counted:
            wrong.append(f"{name}: expected {expected}, found {counted}")
    return wrong


def told(run: Expectation, output: Output, wrong: list[str]) -> str:
    """Put a run into a line, and what is wrong with it below."""
    what = f"{run.result} {run.violates}".strip()
    trace = f"{output.trace:>2} steps" if output.trace else ""
    line = (
        f"{'ok' if not wrong else 'FAILED':<7} {run.name:<42} {what:<32} "
        f"{output.states:>7,} states  {trace:<9} {output.seconds:5.1f} s"
    )
    if wrong and output.result == "broken":
        wrong = [*wrong, *output.text.strip().splitlines()[-_LINES_SHOWN:]]
    return "\n".join([line, *(f"          {each}" for each in wrong)])


def checked(told_of: Manifest, runs: list[Expectation], jobs: int, home: Path) -> list[Expectation]:
    """Check the runs, the largest first, printing a line for each; answer those that failed.

    With the measured counts in place of the expected ones.
    """
    tools = tlc.toolbox()

    def check(run: Expectation) -> Output:
        return tlc.run(tools, home / run.name, run.module, told_of.config(run), {})

    failed = []
    largest_first = sorted(runs, key=lambda run: -run.states)
    with ThreadPoolExecutor(jobs) as pool:
        for run, output in zip(largest_first, pool.map(check, largest_first), strict=True):
            wrong = complaints(run, output)
            if wrong:
                failed.append(measured(run, output))
            print(told(run, output, wrong), flush=True)
    return failed


def written(told_of: Manifest, failed: list[Expectation]) -> None:
    """Write what was counted, where the result is the expected one."""
    now = {run.name: run for run in failed}
    same = [
        now[run.name] if run.name in now and now[run.name].result == run.result else run
        for run in told_of.runs
    ]
    manifest.save(told_of, same)


def main() -> int:
    """Check, print, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-k", metavar="TEXT", default="", help="only runs with this in their names")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, _JOBS_MOST))
    parser.add_argument("--write", action="store_true", help="write the counts of this run")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave what TLC read and wrote")
    options = parser.parse_args()
    if options.keep is not None and options.keep.exists():
        parser.error(f"--keep {options.keep}: it is there already; name a new directory")
    told_of, begun = manifest.load(), monotonic_ns()
    runs = [run for run in told_of.runs if options.k in run.name]
    try:
        with tempfile.TemporaryDirectory() as scratch:
            failed = checked(told_of, runs, options.jobs, options.keep or Path(scratch))
    except tlc.NoToolbox as missing:
        print(missing, file=sys.stderr)
        return int(ExitCode.USAGE)
    if options.write:
        written(told_of, failed)
    seconds = (monotonic_ns() - begun) / 1e9
    print(f"{seconds:.0f} s, {options.jobs} at a time")
    print(f"{len(runs) - len(failed)} passed, {len(failed)} failed")
    return int(ExitCode.VIOLATION if failed or not runs else ExitCode.CONFORMS)


if __name__ == "__main__":
    sys.exit(main())
