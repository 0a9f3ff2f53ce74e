"""What reports cost: writing all of a default run, and opening the page of a long history.

    python stress/bench_reports.py [--opens 7] [--smoke]

For the first row `onewinner verify` judges the store `mutant:lookup-then-register` with the default
budget, so that there are violations to tell; then all its reports are written, in this process. For
the second a history of 10,000 operations with an error is judged, and its page is opened in
headless Chromium; the browser's own marks say when it was ready for the first key.

Prints a row per target (name, target, measured, cores) and exits 1 where one is missed. With
`--smoke` the run is short, the page is opened twice, and no speed is judged.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from onewinner import history
from onewinner.adapters.targets import Target
from onewinner.checker import Budgets
from onewinner.clock import monotonic_ns
from onewinner.history import Ok
from onewinner.report import console, github, html, json, junit
from onewinner.suite import engine, offline

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import chromium
import pages

if TYPE_CHECKING:
    from onewinner.suite.tree import RunResult

TARGET = "mutant:lookup-then-register"
WRITING_S_MAX = 2.0
READY_MS_MAX = 1_000.0
PAGE_BYTES_MAX = 1_000_000
OPERATIONS = 10_000
WRONG = 7_001
SMOKE_BUDGET_S = 5.0
READY = "performance.getEntriesByName('onewinner:ready')[0].startTime"
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"


class Rows:
    """Prints a row per target and remembers whether one was missed."""

    def __init__(self, *, judged: bool) -> None:
        self.missed = False
        self._judged = judged

    def show(self, name: str, target: str, measured: str, *, good: bool) -> None:
        """Print a row."""
        self.missed |= self._judged and not good
        word = "ok" if good or not self._judged else "MISSED"
        print(f"{name:<52} {target:>14} {measured:>14}  {word:<7} {os.cpu_count()} cores")


def writing_s(result: RunResult, directory: Path) -> float:
    """Answer how long it takes to write every report of a run."""
    writers = {
        "console.txt": console.render,
        "report.json": json.dumps,
        "report.xml": junit.dumps,
        "report.html": html.dumps,
        "annotations.txt": lambda found: github.commands([found], str(directory)),
    }
    started = monotonic_ns()
    for name, write in writers.items():
        (directory / name).write_text(write(result), "utf-8")
    github.append_summary(result, str(directory / "summary.md"))
    return (monotonic_ns() - started) / 1e9


def page_of_a_history(directory: Path) -> Path:
    """Answer the page of a long history in which one claim is wrong."""
    operations = pages.long_history(OPERATIONS)
    operations[WRONG] = replace(operations[WRONG], outcome=Ok(True))
    path = directory / "long.jsonl"
    history.write(path, operations)
    judged = offline.judge_file(
        str(path), model=None, budgets=Budgets(timeout_s=60), eps_ms=None, grace_ms=0
    )
    page = directory / "long.html"
    page.write_text(html.dumps_history(judged, operations), "utf-8")
    return page


def ready_ms(page: Path, opens: int) -> list[float]:
    """Answer when the page was loaded and ready, from the start of each navigation."""
    found = []
    with chromium.browser() as browser:
        for _ in range(opens):
            window = browser.new_page()
            window.goto(page.as_uri())
            found.append(max(window.evaluate(READY), window.evaluate(LOADED)))
            window.close()
    return found


def main() -> int:
    """Measure, print the rows, and answer the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--opens", type=int, default=7, help="how often the page is opened")
    parser.add_argument("--smoke", action="store_true", help="a short run, and no speed is judged")
    args = parser.parse_args()
    rows = Rows(judged=not args.smoke)
    if (what := chromium.lacking()) is not None:
        print(what)
        return 1
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        options = engine.Options(budget_s=SMOKE_BUDGET_S) if args.smoke else engine.Options()
        took_s = writing_s(engine.verify(Target(TARGET), options), directory)
        rows.show(
            "writing all reports of a default run",
            f"< {WRITING_S_MAX:g} s",
            f"{took_s:.2f} s",
            good=took_s < WRITING_S_MAX,
        )
        page = page_of_a_history(directory)
        ready = statistics.median(ready_ms(page, 2 if args.smoke else args.opens))
        size = page.stat().st_size
    rows.show(
        f"page of {OPERATIONS:,} operations, size",
        f"< {PAGE_BYTES_MAX / 1e3:g} kB",
        f"{size / 1e3:.0f} kB",
        good=size < PAGE_BYTES_MAX,
    )
    rows.show(
        f"page of {OPERATIONS:,} operations, ready in Chromium",
        f"< {READY_MS_MAX:g} ms",
        f"{ready:.0f} ms",
        good=ready < READY_MS_MAX,
    )
    return int(rows.missed)


if __name__ == "__main__":
    sys.exit(main())
