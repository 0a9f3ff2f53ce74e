"""How long the gate takes for a release of OpenClaw, a store behind a command of its own.

The command runs as a user runs it; the release is downloaded before, and that is not counted.
Prints a row (name, target, measured, cores) and exits 1 where the target is missed or the run did
not end with a verdict. With `--smoke` the run gets a budget of 5 s, and no speed is judged.

    python stress/bench_openclaw.py [--smoke]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from onewinner.adapters.targets import TargetError, command_of
from onewinner.clock import monotonic_ns
from onewinner.suite.tree import ExitCode

RELEASE = "openclaw@2026.5.7"
MOST_S = 90.0


def main() -> int:
    """Verify the release once, print the row, and answer the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="a budget of 5 s, no speed is judged")
    smoke = parser.parse_args().smoke
    try:
        command_of(RELEASE)
    except TargetError as error:
        print(error)
        return 1
    program = str(Path(sys.executable).with_name("onewinner"))
    words = ["verify", RELEASE, "--level", "process"]
    since_ns = monotonic_ns()
    done = subprocess.run(
        [program, *words, *(("--budget", "5s") if smoke else ())],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    took_s = (monotonic_ns() - since_ns) / 1e9
    judged = done.returncode == ExitCode.VIOLATION  # what is known to be wrong with it
    if not judged:
        print(done.stdout)
    good = judged and (smoke or took_s < MOST_S)
    name = f"onewinner {' '.join(words)}"
    verdict = "ok" if good else "MISSED"
    print(f"{name:<56} < {MOST_S:g} s  {took_s:6.1f} s  {verdict:<7} {os.cpu_count()} cores")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
