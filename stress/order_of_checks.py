"""What each kind of check tells for its time: the figures behind the order in which checks run.

    python stress/order_of_checks.py [--doctor FILE] [--jobs 2] [--write ARCHITECTURE.md] [--smoke]

Prints a table, in the order of `onewinner verify -x`: the seconds that each group of checks takes
on the reference SQLite store, at level `crash`, and how many mutants it is the first to tell. The
second is read from FILE, as `onewinner doctor --json FILE` wrote it, or a doctor is run for it. The
table has no targets; it is what the order of `onewinner.suite.registry` rests on. With `--smoke`
one family of mutants is looked at, and nothing is judged.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onewinner.suite.registry import all_checks, stresses, under_control

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from onewinner.suite.registry import Check

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from environment import machine, write

SMOKE_FAMILY: Final = "locks"
BUDGET: Final = "10s"
Told = dict[str, Any]


class Group(NamedTuple):
    """Checks that run one after the other, under one name."""

    name: str
    checks: frozenset[str]


def groups() -> Iterator[Group]:
    """Yield the groups in the order in which a run with virtual time comes to them."""
    checks = all_checks()
    cases = [check for check in checks if check.kind == "case"]
    controls = under_control(checks, virtual=True)
    quick = list(takewhile(lambda check: check.kind != "sweep", controls))
    yield _group(
        "cases that write few rows", (c for c in checks if c.kind == "case" and not c.many)
    )
    yield from map(_alone, quick)
    yield _group("cases that write many rows", (c for c in cases if c.many))
    yield from map(_alone, controls[len(quick) :])
    yield _group("random programs", (c for c in checks if c.kind == "program"))
    yield _group("races that live on luck", (c for c in checks if stresses(c)))


def _alone(check: Check) -> Group:
    return _group(f"`{check.name}`", iter([check]))


def _group(name: str, checks: Iterator[Check]) -> Group:
    return Group(name, frozenset(check.name for check in checks))


def first_told(doctor: Told, order: list[Group]) -> Counter[str]:
    """Count the mutants of which each group is the first to tell; those of servers are as others.

    A run stops at its first violation, and what a group tells together is told by the group.
    """
    counted: Counter[str] = Counter()
    for target in doctor["targets"]:
        told = {check for trial in target["trials"] for check in trial["checks"]}
        counted.update(group.name for group in order if told & group.checks and target["named"])
    return counted


def seconds(verified: Told) -> Mapping[str, float]:
    """Answer how long each check that ran took; one that judges several clauses tells it once."""
    took: Counter[str] = Counter()
    for clause in verified["clauses"]:
        for check in clause["checks"]:
            took[check["check"]] = max(took[check["check"]], check["seconds"])
    return +took


def table(doctor: Told, verified: Told) -> str:
    """Answer the table in Markdown; a group that neither ran nor told is left out."""
    order, took = list(groups()), seconds(verified)
    counted = first_told(doctor, order)
    lines = ["| Check, in order | Takes | Mutants that it tells first |", "| --- | --- | --- |"]
    for group in order:
        times = [took[name] for name in group.checks if name in took]
        if times or counted[group.name]:
            spent = f"{sum(times):.1f} s" if times else "not in this run"
            lines.append(f"| {group.name} | {spent} | {counted[group.name]} |")
    return "\n".join(lines)


def told(words: list[str]) -> Told:
    """Run a command of the kit; answer what it writes as JSON."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "told.json"
        command = [sys.executable, "-m", "onewinner", *words, "--quiet", "--json", str(file)]
        subprocess.run(command, cwd=home, stdout=subprocess.DEVNULL, check=False)
        found: Told = json.loads(file.read_text("utf-8"))
    return found


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--doctor", type=Path, metavar="FILE", help="what a doctor has written")
    parser.add_argument("--jobs", default="2", help="trials of the doctor at once (default: 2)")
    parser.add_argument("--write", type=Path, help="put the table between the marks of a document")
    parser.add_argument("--smoke", action="store_true", help="one family, a small budget")
    options = parser.parse_args()
    words = ["--family", SMOKE_FAMILY, "--budget", BUDGET] if options.smoke else []
    if options.doctor is None:
        doctor = told(["doctor", "--jobs", options.jobs, *words])
    else:
        doctor = json.loads(options.doctor.read_text("utf-8"))
    brief = ["--budget", "3s"] if options.smoke else []
    verified = told(["verify", "sqlite", "--level", "crash", "-x", *brief])
    text = (
        f"Measured with `python stress/order_of_checks.py` on {machine()}: the times are those of "
        f"`onewinner verify sqlite --level crash -x`, the mutants those of "
        f"`onewinner doctor --jobs {doctor['jobs']}` "
        f"({doctor['caught']} of {doctor['mutants']} caught).\n\n" + table(doctor, verified)
    )
    print(text)
    if options.write is not None:
        write(options.write, text, "order")
    return 0


if __name__ == "__main__":
    sys.exit(main())
