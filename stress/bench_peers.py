"""Other tools and onewinner on the same bugs, in one run: found or not, how fast, replayed or not.

The tools are installed, at the versions below, into a virtual environment that is thrown away; one
that cannot be installed is shown with the reason. Each gets the same stores (`peers/bugs.py`), and
is used as its documentation says (`peers/*.py`). Repeats go round all tools and bugs, so that what
else the machine does hurts all alike.

    python stress/bench_peers.py [--repeats 3] [--limit 4] [-k BUG] [--write FILE] [--smoke]

A tool that could go on for ever gives up after `--limit` seconds. Exit 1 where a tool broke, or
where onewinner misses a bug or accuses a correct store.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
PEERS: Final = HERE / "peers"
sys.path.insert(0, str(PEERS))

from bugs import BUGS, Bug  # noqa: E402 - lies beside the tools that use it
from environment import Environment, machine, write  # noqa: E402

GRACE_S: Final = 180.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool: its package and version, the program that uses it, and what it was given.

    `how`: `both`, `threads`, or `instead` (threads, and only where claimants are processes). A bug
    that takes processes is given to a tool that has threads only where threads show it too.
    """

    name: str
    program: str
    given: str
    package: str = ""
    how: str = "both"
    words: tuple[str, ...] = ()
    launcher: tuple[str, ...] = ("python",)

    def mode(self, bug: Bug) -> str | None:
        """Answer how this tool goes at a bug, None where it does not."""
        if bug.processes and self.how == "both":
            return "processes"
        if bug.processes and not bug.threads_too:
            return None
        return None if self.how == "instead" and not bug.processes else "threads"


FRONTRUN: Final = {"package": "frontrun[process]==0.7.0", "launcher": ("frontrun", "python")}
PEERS_IN_ORDER: Final = (
    Peer("barrier and count", "barrier.py", "4 claimants at a `Barrier`, which stay; fresh keys"),
    Peer(
        "pytest-run-parallel",
        "run_parallel.py",
        "`--parallel-threads=4 --iterations=500`, sessions until the limit",
        package="pytest-run-parallel==0.10.0",
        how="threads",
    ),
    Peer(
        "hegeltest",
        "with_hegel.py",
        "a `StateMachine` with `max_concurrency = 4`, 100 cases at a time until the limit",
        package="hegeltest==0.2.1",
        how="threads",
    ),
    Peer(
        "frontrun, DPOR",
        "with_frontrun.py",
        '`explore`, 2 workers, its defaults; `execution="process"` where claimants are processes',
        words=("dpor",),
        **FRONTRUN,
    ),
    Peer(
        "frontrun, DPOR on threads",
        "with_frontrun.py",
        "the same on threads, where claimants are processes otherwise",
        how="instead",
        words=("dpor",),
        **FRONTRUN,
    ),
    Peer(
        "frontrun, random",
        "with_frontrun.py",
        '`explore(strategy="random")`, 2 threads, its defaults',
        how="threads",
        words=("random",),
        **FRONTRUN,
    ),
    Peer(
        "onewinner, sweep",
        "with_onewinner.py",
        "the controlled schedules about one claim, swept to their end",
        words=("sweep",),
    ),
    Peer(
        "onewinner, verify -x",
        "with_onewinner.py",
        "the whole contract up to the first violation; it is told nothing of the bug",
        words=("verify",),
    ),
)


@dataclass(slots=True)
class Cell:
    """What one tool did about one bug."""

    attempts: list[dict[str, Any]] = field(default_factory=list)
    broken: str = ""

    @property
    def found(self) -> int:
        """How often it found it."""
        return sum(each["found"] for each in self.attempts)

    def row(self) -> tuple[str, str, str, str]:
        """Answer found, median and worst seconds of those that found it, replays."""
        if self.broken:
            return self.broken, "", "", ""
        found = f"{self.found} of {len(self.attempts)}"
        seconds = sorted(each["seconds"] for each in self.attempts if each["found"])
        if not seconds:
            return f"{found}: {self.attempts[-1]['note']}", "", "", ""
        replays = [each["replayed"] for each in self.attempts if each["replayed"]]
        again = "no"
        if replays:
            again = f"{sum(each[0] for each in replays)} of {sum(each[1] for each in replays)}"
        return found, f"{statistics.median(seconds):.2f}", f"{seconds[-1]:.2f}", again


class Bench:
    """An environment with the tools, and what they did."""

    def __init__(self, home: Path) -> None:
        self.environment = Environment(home)
        for package in sorted({each.package for each in PEERS_IN_ORDER} - {""}):
            self.environment.install(package)

    def versions(self) -> str:
        """Answer what was installed, as pip names it."""
        names = {each.package.partition("==")[0].partition("[")[0] for each in PEERS_IN_ORDER}
        return self.environment.versions({*names, "pytest"})

    def attempt(self, peer: Peer, bug: Bug, limit_s: float, cell: Cell) -> None:
        """Let a tool try once."""
        mode = peer.mode(bug)
        if mode is None:
            cell.broken = "n/a: threads only" if bug.processes else "n/a: as above"
        elif refused := self.environment.refused.get(peer.package):
            cell.broken = f"not installed: {refused}"
        if cell.broken:
            return
        program = [str(PEERS / peer.program), bug.name, str(limit_s)]
        words = program + (list(peer.words) if "onewinner" in peer.name else [mode, *peer.words])
        launcher = [str(self.environment.bin / peer.launcher[0]), *peer.launcher[1:]]
        try:
            done = subprocess.run(
                [*launcher, *map(str, words)],
                env=self.environment.variables(),
                capture_output=True,
                text=True,
                timeout=limit_s + GRACE_S,
                check=False,
                cwd=self.environment.home,
            )
            cell.attempts.append(json.loads(done.stdout.splitlines()[-1]))
        except subprocess.TimeoutExpired:
            cell.broken = f"did not come back within {limit_s + GRACE_S:.0f} s"
        except (IndexError, ValueError):
            cell.broken = f"broke: {' '.join(done.stderr.split())[-200:]}"


def table(cells: dict[tuple[str, str], Cell]) -> str:
    """Write what was found as a table in Markdown, bug by bug."""
    lines = ["| Bug | Tool | Found | Median s | Worst s | Replayed |", "|---|---|---|---|---|---|"]
    for (bug, peer), cell in cells.items():
        lines.append(f"| {bug} | {peer} | {' | '.join(part or '-' for part in cell.row())} |")
    return "\n".join(lines)


def described(bench: Bench, repeats: int, limit_s: float) -> str:
    """Say what was run, on what, and what each tool was given."""
    command = f"python stress/bench_peers.py --repeats {repeats} --limit {limit_s:g}"
    lines = [
        f"Measured with `{command}` on {machine()}; a correct store was tried once.",
        f"Versions: {bench.versions()}.",
        "",
        "| Tool | What it was given |",
        "|---|---|",
        *(f"| {peer.name} | {peer.given} |" for peer in PEERS_IN_ORDER),
        "",
        "| Bug | What it is |",
        "|---|---|",
        *(f"| {bug.name} | {bug.what} |" for bug in BUGS.values()),
    ]
    return "\n".join(lines)


def wrong(cells: dict[tuple[str, str], Cell]) -> list[str]:
    """Name what must not be: a tool that broke, onewinner missing a bug or accusing a store."""
    named = []
    for (bug, peer), cell in cells.items():
        if cell.broken.startswith(("broke", "did not")):
            named.append(f"{peer} on {bug}: {cell.broken}")
        if "onewinner" in peer and cell.attempts:
            right = 0 if BUGS[bug].correct else len(cell.attempts)
            if cell.found != right:
                named.append(f"{peer} on {bug}: {cell.row()[0]}")
    return named


def parsed() -> argparse.Namespace:
    """Answer the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=4.0, help="seconds until a tool gives up")
    parser.add_argument("-k", dest="select", default="", help="only bugs with this in the name")
    parser.add_argument("--write", type=Path, help="put the table between the marks of a document")
    parser.add_argument("--smoke", action="store_true", help="one bug, once, without verify -x")
    options = parser.parse_args()
    if options.smoke:
        options.repeats, options.limit, options.select = 1, 1.0, "dict-in-one-line"
    return options


def main() -> int:
    """Let every tool at every bug, print the table, and answer the exit code."""
    options = parsed()
    bugs = [bug for bug in BUGS.values() if options.select in bug.name]
    peers = [each for each in PEERS_IN_ORDER if not (options.smoke and "verify" in each.name)]
    cells: dict[tuple[str, str], Cell] = defaultdict(Cell)
    with tempfile.TemporaryDirectory(prefix="peers-") as home:
        bench = Bench(Path(home))
        for repeat in range(options.repeats):
            for bug in bugs:
                for peer in peers:
                    cell = cells[bug.name, peer.name]
                    if not repeat or not (bug.correct or cell.broken):
                        bench.attempt(peer, bug, options.limit, cell)
                    print(f"{bug.name}, {peer.name}: {cell.row()}", file=sys.stderr, flush=True)
            text = f"{described(bench, repeat + 1, options.limit)}\n\n{table(cells)}"
            if options.write is not None:  # whoever has to stop it keeps the repeats that are done
                write(options.write, text)
    print(text)
    named = wrong(cells)
    print("\n".join(named))
    return 1 if named else 0


if __name__ == "__main__":
    sys.exit(main())
