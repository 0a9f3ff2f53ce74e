"""Test suites that projects run on their stores, and onewinner: which broken claims they flag.

The suites are installed into a virtual environment that is thrown away, and run as their authors
made them; what ties each to a store with a claim is in `peers/*_suite.py`. First every suite gets
the correct stores: where it does not pass them, its column means nothing and the exit code is 1.

    python stress/bench_suites.py [--repeats 3] [-k CLAIM] [--smoke]
        [--py-key-value CHECKOUT] [--write docs/explanation/counting.md] [--details docs/suites.md]

Seconds are those of the whole command, with the start of the interpreter, up to the first failure.
A run that does not end within `--bound` seconds counts as flagged. Exit 1 also where a run broke,
or where onewinner misses a broken claim or accuses a correct store.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE / "peers"))

import key_value_kit  # noqa: E402 - lies beside the suites
from broken_claims import CLAIMS, Claim  # noqa: E402
from environment import Environment, machine, write  # noqa: E402
from suites import SUITES, Suite  # noqa: E402
from trial import Broke, Seen, Terms, tried  # noqa: E402


@dataclass(slots=True)
class Cell:
    """What one suite said of one store."""

    seen: list[Seen] = field(default_factory=list)
    absent: str = ""
    broke: str = ""

    @property
    def flagged(self) -> int:
        """How often it flagged it."""
        return sum(each.flagged for each in self.seen)

    @property
    def every_time(self) -> bool:
        """Whether it flagged it each time."""
        return bool(self.seen) and self.flagged == len(self.seen)

    @property
    def telling(self) -> list[Seen]:
        """The runs that flagged it, all of them where none did."""
        return [each for each in self.seen if each.flagged] or self.seen

    def text(self, correct: bool = False) -> str:
        """Answer what stands in the table."""
        if self.absent or self.broke:
            return f"n/a: {self.absent}" if self.absent else f"broke: {self.broke}"
        seconds = f"{median(each.seconds for each in self.telling):.1f} s"
        word = {0: "passes" if correct else "no", len(self.seen): "**yes**"}.get(self.flagged)
        return f"{word or f'{self.flagged} of {len(self.seen)}'}, {seconds}"


Cells = dict[tuple[str, str], Cell]


class Bench:
    """An environment with the suites, and what keeps one of them away."""

    def __init__(self, home: Path, suites: list[Suite], terms: Terms) -> None:
        self.environment = Environment(home)
        self.terms = terms
        self.absent: dict[str, str] = {}
        self.names = {"pytest", "hypothesis"}
        for suite in suites:
            mine = suite.packages
            if suite.file == "py_key_value_suite.py":
                mine = key_value_kit.packages(terms.checkout)
            if mine and not self.environment.install(*mine):
                self.absent[suite.name] = f"not installed ({self.environment.refused[mine[0]]})"
            elif suite.file == "py_key_value_suite.py":
                self.absent[suite.name] = key_value_kit.missing(self.environment, terms.checkout)
            self.names |= {re.split(r"[\[=<>]", each)[0] for each in mine}

    def judge(self, suite: Suite, claim: Claim, cell: Cell) -> None:
        """Let a suite judge a store once."""
        cell.absent = self.absent.get(suite.name, "") or claim.lacking(suite.offers)
        if self.terms.brief and claim.correct and not suite.file:
            cell.absent = "left out"
        if cell.absent or cell.broke:
            return
        try:
            cell.seen.append(tried(self.environment, suite, claim, self.terms))
        except Broke as error:
            cell.broke = str(error)


def table(cells: Cells, claims: list[Claim], suites: list[Suite]) -> str:
    """Write what was flagged as a table in Markdown, claim by claim."""
    lines = [
        f"| Store | {' | '.join(suite.name for suite in suites)} |",
        f"|---|{'---|' * len(suites)}",
    ]
    for claim in claims:
        row = [cells[claim.name, suite.name].text(claim.correct) for suite in suites]
        lines.append(f"| {claim.name} | {' | '.join(row)} |")
    broken = [claim for claim in claims if not claim.correct]
    score = [sum(cells[c.name, suite.name].every_time for c in broken) for suite in suites]
    row = [f"{number} of {len(broken)}" for number in score]
    return "\n".join([*lines, f"| **flagged each time** | {' | '.join(row)} |"])


def details(cells: Cells) -> str:
    """Write for each claim and suite how often it was flagged, how fast, and by what."""
    lines = [
        "| Store | Suite | Flagged | Median s | Worst s | What it said |",
        "|---|---|---|---|---|---|",
    ]
    for (claim, suite), cell in cells.items():
        if not cell.seen:
            lines.append(f"| {claim} | {suite} | {cell.text()} | - | - | - |")
            continue
        seconds = [each.seconds for each in cell.telling]
        said = ", ".join(sorted({f"{each.note}" for each in cell.telling}))
        lines.append(
            f"| {claim} | {suite} | {cell.flagged} of {len(cell.seen)} "
            f"| {median(seconds):.1f} | {max(seconds):.1f} | {said} |"
        )
    return "\n".join(lines)


def measured(bench: Bench, command: str) -> str:
    """Say what was run, and on what."""
    versions = bench.environment.versions(bench.names)
    return f"Measured with `{command}` on {machine()}.\nVersions: {versions}."


def described(claims: list[Claim], suites: list[Suite]) -> str:
    """Say what each suite was given, and what each store is."""
    lines = [
        "| Suite | What it was given |",
        "|---|---|",
        *(f"| {suite.name} | {suite.given} |" for suite in suites),
        "",
        "| Store | What it is |",
        "|---|---|",
        *(f"| {claim.name} | {claim.what} |" for claim in claims),
    ]
    return "\n".join(lines)


def wrong(cells: Cells) -> list[str]:
    """Name what must not be: a run that broke, a correct store flagged, a miss of onewinner."""
    named = []
    for (claim, suite), cell in cells.items():
        accused = CLAIMS[claim].correct and cell.flagged
        missed = not CLAIMS[claim].correct and "onewinner" in suite and not cell.every_time
        if cell.broke or accused or missed:
            named.append(f"{suite} on {claim}: {cell.text()}")
    return named


def parsed() -> argparse.Namespace:
    """Answer the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bound", type=float, default=240.0, help="seconds for one run")
    parser.add_argument("-k", dest="select", default="", help="only stores with this in the name")
    parser.add_argument("--py-key-value", type=Path, help="a checkout of it, which has its tests")
    parser.add_argument("--write", type=Path, help="put the table between the marks of a document")
    parser.add_argument("--details", type=Path, help="put all that was seen between the marks")
    parser.add_argument("--smoke", action="store_true", help="two stores, parts of suites")
    options = parser.parse_args()
    if options.py_key_value is not None:
        options.py_key_value = options.py_key_value.resolve()
    if options.smoke:
        options.repeats, options.bound = 1, 20.0
    return options


def chosen(options: argparse.Namespace) -> tuple[list[Claim], list[Suite]]:
    """Answer what is compared, the correct stores first."""
    if options.smoke:
        names = {"correct-memory", "claim-always-true"}
        return [CLAIMS[name] for name in CLAIMS if name in names], [s for s in SUITES if s.smoke]
    claims = [c for c in CLAIMS.values() if c.correct or options.select in c.name]
    return claims, list(SUITES)


def command_of(options: argparse.Namespace, repeats: int) -> str:
    """Answer the command that measures the same again."""
    words = [f"python stress/bench_suites.py --repeats {repeats}"]
    if options.select:
        words.append(f"-k {options.select}")
    if options.py_key_value is not None:
        words.append("--py-key-value CHECKOUT")
    return " ".join(words)


def compare(bench: Bench, claims: list[Claim], suites: list[Suite], cells: Cells) -> None:
    """Let every suite judge every store once more; a correct store is judged once."""
    for claim in claims:
        for suite in suites:
            cell = cells[claim.name, suite.name]
            if not (claim.correct and cell.seen):
                bench.judge(suite, claim, cell)
            told = f"{claim.name}, {suite.name}: {cell.text(claim.correct)}"
            print(told, file=sys.stderr, flush=True)


def main() -> int:
    """Let every suite judge every store, print the tables, and answer the exit code."""
    options = parsed()
    claims, suites = chosen(options)
    cells: Cells = defaultdict(Cell)
    with tempfile.TemporaryDirectory(prefix="suites-") as home:
        terms = Terms(options.bound, options.py_key_value, options.smoke)
        bench = Bench(Path(home), suites, terms)
        for repeat in range(options.repeats):
            compare(bench, claims, suites, cells)
            head = measured(bench, command_of(options, repeat + 1))
            short = f"{head}\n\n{table(cells, claims, suites)}"
            if options.write is not None:  # whoever has to stop it keeps the repeats that are done
                write(options.write, short, "suites")
            if options.details is not None:
                whole = f"{head}\n\n{described(claims, suites)}\n\n{details(cells)}"
                write(options.details, whole)
    print(f"{short}\n\n{details(cells)}")
    named = wrong(cells)
    print("\n".join(named))
    return 1 if named else 0


if __name__ == "__main__":
    sys.exit(main())
