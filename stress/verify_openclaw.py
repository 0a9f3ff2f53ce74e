"""Releases of OpenClaw, verified: what each is seen to violate, as a table for `docs/openclaw.md`.

Each release is downloaded once (see `onewinner.adapters.openclaw`) and judged at level `crash`.
Exit 1 where a clause is violated that is not known to be (`KNOWN`), or one that is known is not.

    python stress/verify_openclaw.py                            # all, printed
    python stress/verify_openclaw.py --write docs/openclaw.md   # and put into the document
    python stress/verify_openclaw.py --smoke                    # some clauses of one, for CI
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from onewinner.adapters.targets import Target, TargetError
from onewinner.report.text import printable, shorten
from onewinner.suite import engine
from onewinner.suite.tree import REPLAY, Status

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from environment import machine, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.suite.tree import ClauseResult, RunResult

LEVEL = "crash"
SEED = 1
SMOKE_RELEASE = "2026.5.7"
SMOKE_CLAUSES = ("CLAIM-2", "INPUT-10", "DUR-2")
SEEN_BYTES = 220


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a release: the clauses that it violates each time, and those it may."""

    always: frozenset[str]
    sometimes: frozenset[str] = frozenset()


def known(always: str, sometimes: str = "") -> Known:
    """Answer what is known, with clauses as words."""
    return Known(frozenset(always.split()), frozenset(sometimes.split()))


KNOWN: dict[str, Known] = {
    "2026.5.3": known("DUR-2 ERR-1 EVICT-2 INPUT-10 TTL-7"),
    "2026.5.4": known("DUR-2 ERR-1 EVICT-12 INPUT-10 TTL-7", "ERR-3 ERR-6"),
    "2026.5.7": known("DUR-2 ERR-1 EVICT-12 INPUT-10 TTL-7", "ERR-3 ERR-6"),
    "2026.6.11": known("ERR-1 EVICT-12 INPUT-10", "DUR-2 ERR-3 ERR-6"),
    "2026.9.6": known("ERR-1 EVICT-12 INPUT-10"),
}


def judged(release: str, options: argparse.Namespace) -> RunResult:
    """Verify one release."""
    select = SMOKE_CLAUSES if options.smoke else ()
    budget_s = 5.0 if options.smoke else options.budget
    asked = engine.Options(level=LEVEL, budget_s=budget_s, seed=SEED, select=select)
    return engine.verify(Target(f"openclaw@{release}"), asked)


def violated(result: RunResult) -> list[ClauseResult]:
    """Answer the clauses that were seen broken."""
    return [each for each in result.clauses if each.status >= Status.FAIL]


def wrong(release: str, result: RunResult, *, whole: bool) -> Iterator[str]:
    """Yield what is not as it is known, for people."""
    seen = frozenset(each.clause.id for each in violated(result))
    asked = seen | {each.clause.id for each in result.clauses}
    if news := seen - KNOWN[release].always - KNOWN[release].sometimes:
        yield f"not known to be violated: {', '.join(sorted(news))}"
    due = KNOWN[release].always if whole else KNOWN[release].always & asked
    if missed := due - seen:
        yield f"not seen violated this time: {', '.join(sorted(missed))}"


def engine_of(release: str) -> str:
    """Answer the Node.js that a release is run on."""
    told = engine.smoke(Target(f"openclaw@{release}")).lines[0]
    found = re.search(r"Node\.js [0-9.]+", told)
    return found[0] if found else "unknown"


def summary(release: str, result: RunResult) -> str:
    """Answer the row of a release in the table of all."""
    found = ", ".join(each.clause.id for each in violated(result)) or "none"
    counts = [result.count(each) for each in (Status.PASS, Status.UNTESTED, Status.NA)]
    cells = (
        release,
        engine_of(release),
        result.reached or "none",
        found,
        *map(str, counts),
        f"{result.seconds:.0f} s",
    )
    return f"| {' | '.join(cells)} |"


def details(release: str, result: RunResult) -> Iterator[str]:
    """Yield what was seen of a release, a row for each check that found something."""
    yield from ("", f"### {release}", "", "| Clause | By | What was seen |", "|---|---|---|")
    again = []
    for clause in violated(result):
        for check in clause.checks:
            if check.status >= Status.FAIL:
                seen = cell(check.reason)
                yield f"| {clause.clause.id} | `{check.check}` | {seen} |"
        if clause.violation and clause.violation.reproduce.startswith(REPLAY):
            again.append((clause.clause.id, clause.violation.reproduce))
    yield ""
    yield f"Reproduce: `onewinner verify openclaw@{release} --level {LEVEL} -k CLAUSE`."
    for name, command in again:
        yield f"One schedule that breaks {name}, exactly: `{command}`."
    if open_ := [each for each in result.clauses if each.status is Status.UNTESTED]:
        told = "; ".join(f"{each.clause.id} ({each.reason})" for each in open_)
        yield f"Not judged: {told}."


def cell(text: str) -> str:
    """Answer text that fits into a cell of a table."""
    shown = printable(shorten(" ".join(text.split()), at_most=SEEN_BYTES), keep="")
    return shown.replace("|", "\\|").replace("<", "&lt;")


def document(results: dict[str, RunResult], options: argparse.Namespace) -> str:
    """Answer the generated part of the document."""
    budget = "" if options.budget is None else f" --budget {options.budget:g}"
    command = f"python stress/verify_openclaw.py{budget}"
    lines = [
        f"Measured with `{command}` on {machine()}, at level `{LEVEL}`, seed {SEED}.",
        "",
        "| Release | Runs on | Level reached | Clauses violated | Pass | Untested | n/a | Took |",
        "|---|---|---|---|---|---|---|---|",
        *(summary(release, result) for release, result in results.items()),
        *(line for release, result in results.items() for line in details(release, result)),
    ]
    return "\n".join(lines)


def parsed() -> argparse.Namespace:
    """Answer the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-k", dest="select", default="", help="only releases with this in the name")
    parser.add_argument("--budget", type=float, help="seconds for what can be repeated for ever")
    parser.add_argument("--write", type=Path, help="put the table between the marks of a document")
    parser.add_argument("--smoke", action="store_true", help="some clauses of one release")
    options = parser.parse_args()
    if options.smoke:
        options.select = SMOKE_RELEASE
    return options


def main() -> int:
    """Verify what was asked for, print the tables, and answer the exit code."""
    options = parsed()
    results: dict[str, RunResult] = {}
    right = True
    for release in KNOWN:
        if options.select not in release:
            continue
        try:
            results[release] = judged(release, options)
        except TargetError as error:
            print(f"{release} could not be had: {error}")
            right = False
            continue
        bad = list(wrong(release, results[release], whole=not options.smoke))
        found = ", ".join(each.clause.id for each in violated(results[release])) or "nothing"
        told = "; ".join([f"violates {found}", *bad])
        print(f"{release:<10} {results[release].seconds:6.1f} s  {told}", flush=True)
        right = right and not bad
    text = document(results, options)
    if options.write is not None:
        write(options.write, text)
    print(text)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
