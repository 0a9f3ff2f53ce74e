"""Whether the zoo is caught each time, how soon, and whether a correct store is ever accused.

    python stress/bench_doctor.py [--doctors 20] [--verifies 500] [--jobs 2] [--keep FILE] [--smoke]

Runs `onewinner doctor` and `onewinner verify` as users do, prints a row per target (name, target,
measured, cores), and exits 1 where one is missed. The correct stores are verified with a small
budget, half of the times while every core is kept busy. A whole run takes hours: with `--keep` what
is done is kept in FILE, a JSON line a run, and the next start goes on from there; a file of another
version of the kit's source is refused. With `--smoke` there is one doctor of one family, a few
verifies, and no speed is judged.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import onewinner
from bench_detection import CORES, Row, busy
from onewinner.clock import monotonic_ns
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

STORES: Final = "python:onewinner.stores"
CORRECT: Final = (
    ("sqlite", "--level", "crash"),
    ("memory",),
    (f"{STORES}.newer_sqlite:connect",),
    (f"{STORES}.newer_memory:connect",),
    ("sqlite",),
    (f"{STORES}.newer_sqlite:connect_strict",),
)
"""What is verified in turns: the target, and the options where the level is not the usual one."""
BUDGET: Final = "3s"
MEDIAN_S, MOST_S, WORST_S = 2, 10, 45
DOCTOR_S, SHARE_S = 15 * 60, 6 * 60
STARTS: Final = 7
LONGEST_S: Final = 3_600

Kept = dict[str, Any]


class Goes(NamedTuple):
    """How often everything is done."""

    doctors: int
    verifies: int
    jobs: int
    family: str | None
    judged: bool


def source() -> str:
    """Answer what tells this version of the kit's source from others."""
    home = Path(onewinner.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(home.rglob("*.py")):
        digest.update(path.relative_to(home).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


class Notebook:
    """What was done so far, in a file where one is given; of one version of the source only."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._source = source()
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        self.runs: list[Kept] = [json.loads(line) for line in lines]
        if others := {each["source"] for each in self.runs} - {self._source}:
            sys.exit(
                f"{path} is about another version of the source ({', '.join(sorted(others))}, this "
                f"is {self._source}): give another file, or go on with that version"
            )

    def add(self, **told: Any) -> None:
        """Keep a run."""
        run = {"source": self._source, **told}
        self.runs.append(run)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(run) + "\n")

    def of(self, what: str) -> list[Kept]:
        """Answer the runs of one kind."""
        return [each for each in self.runs if each["what"] == what]


def command(*words: str) -> tuple[int, float, str]:
    """Run the kit; answer the exit code, the seconds it took, and the end of what it said."""
    with tempfile.TemporaryDirectory() as home:
        start = monotonic_ns()
        done = subprocess.run(
            [sys.executable, "-m", "onewinner", *words],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
    return done.returncode, (monotonic_ns() - start) / 1e9, done.stdout[-2_000:]


def doctors(goes: Goes, notes: Notebook) -> None:
    """Run as many doctors as are lacking."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "doctor.json"
        words = ["doctor", "--jobs", str(goes.jobs), "--quiet", "--json", str(report)]
        words += ["--family", goes.family] if goes.family else []
        while len(notes.of("doctor")) < goes.doctors:
            code, seconds, said = command(*words)
            if code not in {ExitCode.CONFORMS, ExitCode.VIOLATION, ExitCode.INCONCLUSIVE}:
                sys.exit(f"the doctor ended with exit code {code}: {said}")
            told = json.loads(report.read_text())
            zoo = {each["target"]: each for each in told["targets"] if each["named"]}
            notes.add(
                what="doctor",
                seconds=round(seconds, 1),
                accused=told["false_alarms"],
                not_run=[each["target"] for each in told["not_run"]],
                wrong=told["wrong"],
                unnamed=[name for name, each in zoo.items() if each["outcome"] == "unnamed"],
                times={name: each["worst_s"] for name, each in zoo.items() if each["worst_s"]},
                mutants=len(zoo),
            )


def verifies(notes: Notebook, how: str, wanted: int) -> None:
    """Verify correct stores so often, one after the other, in turns."""
    done = len(notes.of(how))
    for target, *options in islice(cycle(CORRECT), done, wanted):
        code, seconds, said = command("verify", target, *options, "--budget", BUDGET, "--quiet")
        wrong = code not in {ExitCode.CONFORMS, ExitCode.INCONCLUSIVE}
        notes.add(
            what=how,
            target=target,
            code=code,
            seconds=round(seconds, 1),
            said=said if wrong else "",
        )
        if wrong:
            print(said, flush=True)


def start_s() -> float:
    """Answer the seconds until an interpreter has the kit, which a doctor's trial does not see."""
    load = [sys.executable, "-c", "import onewinner.cli, onewinner.suite.engine"]
    times = []
    for _ in range(STARTS):
        start = monotonic_ns()
        subprocess.run(load, check=True)
        times.append((monotonic_ns() - start) / 1e9)
    return statistics.median(times)


def rows_of_doctors(goes: Goes, notes: Notebook) -> Iterator[Row]:
    """Yield the rows about the zoo."""
    done = notes.of("doctor")
    zoo = done[0]["mutants"]
    all_right = sum(not (each["wrong"] or each["unnamed"] or each["not_run"]) for each in done)
    asked = f"{len(done)} of {len(done)}"
    told = f"{all_right} of {len(done)}"
    yield Row(f"all {zoo} mutants caught by a clause that they name", asked, told, told == asked)
    for each in done:
        for name in (*each["wrong"], *each["unnamed"], *each["not_run"]):
            yield Row(f"  {name}", "", "missed, unnamed, or not run", False)
    accused = sum(each["accused"] for each in done)
    yield Row("accusations by doctors", "0", f"{accused}", accused == 0)
    start = start_s()
    times = sorted(start + second for each in done for second in each["times"].values())
    most = times[min(len(times) * 95 // 100, len(times) - 1)]
    measured = (("median", MEDIAN_S, statistics.median(times)), ("95 %", MOST_S, most))
    for name, limit, seconds in (*measured, ("worst", WORST_S, times[-1])):
        good = seconds < limit if goes.judged else None
        yield Row(f"time to detection, {name}", f"< {limit} s", f"{seconds:.1f} s", good)
    longest = max(each["seconds"] for each in done)
    good = longest < DOCTOR_S if goes.judged else None
    yield Row(f"whole doctor, {goes.jobs} at once", f"< {DOCTOR_S} s", f"{longest:.0f} s", good)


def share() -> Row:
    """Answer the row of what CI does for each mutant."""
    start = monotonic_ns()
    gate = [sys.executable, str(Path(__file__).with_name("mutant_gate.py"))]
    done = subprocess.run(gate, stdout=subprocess.DEVNULL, check=False)
    seconds = (monotonic_ns() - start) / 1e9
    good = not done.returncode and seconds < SHARE_S
    return Row("the share of CI", f"< {SHARE_S} s", f"{seconds:.0f} s", good)


def row_of_verifies(notes: Notebook, how: str) -> Row:
    """Answer the row about correct stores."""
    done = notes.of(how)
    accused = sum(each["code"] == ExitCode.VIOLATION for each in done)
    broken = sum(each["code"] not in {0, 1, ExitCode.INCONCLUSIVE} for each in done)
    told = f"{accused} in {len(done)}" + (f", {broken} broke" if broken else "")
    return Row(
        f"accusations by verify, {how}", f"0 in {len(done)}", told, accused == 0 and broken == 0
    )


def rows(goes: Goes, notes: Notebook) -> Iterator[Row]:
    """Measure, and yield a row for each target as soon as it is known."""
    doctors(goes, notes)
    yield from rows_of_doctors(goes, notes)
    if goes.judged:
        yield share()
    verifies(notes, "quiet", goes.verifies - goes.verifies // 2)
    yield row_of_verifies(notes, "quiet")
    with busy():
        verifies(notes, "all cores busy", goes.verifies // 2)
    yield row_of_verifies(notes, "all cores busy")


def main() -> int:
    """Measure, print the rows, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--doctors", type=int, default=20, help="so many whole doctors")
    parser.add_argument("--verifies", type=int, default=500, help="so many verifies")
    parser.add_argument("--jobs", type=int, default=CORES, help="trials of a doctor at once")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="go on from what FILE holds")
    parser.add_argument("--smoke", action="store_true", help="one family, no speed judged")
    options = parser.parse_args()
    if options.smoke and options.keep:
        parser.error("--smoke measures another thing than --keep goes on with: give one of them")
    if options.doctors < 1 or options.verifies < 2:
        parser.error("it takes 1 doctor and 2 verifies, one quiet and one busy, at the least")
    goes = Goes(options.doctors, options.verifies, options.jobs, None, True)
    if options.smoke:
        goes = Goes(1, 2, options.jobs, "isolation", False)
    missed = False
    for row in rows(goes, Notebook(options.keep)):
        print(row.text(), flush=True)
        missed |= row.good is False
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
