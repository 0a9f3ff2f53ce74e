"""One run of one suite against one store: flagged or not, after how many seconds, by what."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from attempt import place
from environment import PEERS

from onewinner.clock import monotonic_ns

if TYPE_CHECKING:
    from pathlib import Path

    from broken_claims import Claim
    from environment import Environment
    from suites import Suite

BARRIER_S: Final = 4
FAILED: Final = re.compile(r"^(?:FAILED|ERROR) \S*?::(\S+)", re.MULTILINE)
PASSED: Final = re.compile(r"^(\d+ passed.*) in ", re.MULTILINE)


class Broke(Exception):
    """The run says nothing about the store: it did not come to a verdict."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run came to."""

    flagged: bool
    seconds: float
    note: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What all runs have in common: their bound, a checkout of py-key-value, whether in brief."""

    bound_s: float
    checkout: Path | None
    brief: bool


def tried(environment: Environment, suite: Suite, claim: Claim, terms: Terms) -> Seen:
    """Run a suite against a store, in a process group of its own that ends with it."""
    with place() as home:
        words = command(suite, claim, home, brief=terms.brief)
        more = {"PEERS_CLAIM": claim.name, "PEERS_HOME": str(home)}
        if terms.checkout is not None:
            more["PYTHONPATH"] = f"{PEERS}{os.pathsep}{terms.checkout}"
        started = monotonic_ns()
        process = subprocess.Popen(
            [str(environment.bin / "python"), *words],
            env=environment.variables(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=home,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=terms.bound_s)
        except subprocess.TimeoutExpired:
            return Seen(True, terms.bound_s, f"did not end within {terms.bound_s:g} s")
        finally:
            _end(process)
        seconds = (monotonic_ns() - started) / 1e9
        flagged, note = verdict(suite, process.returncode, said, home)
        return Seen(flagged, seconds, note)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill a run that goes on, whatever made us leave it; nobody else is in its process group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def command(suite: Suite, claim: Claim, home: Path, *, brief: bool = False) -> list[str]:
    """Answer the words after `python` that run a suite, or a brief part, against a store."""
    if not suite.file:
        level = ["--level", claim.level] if claim.level else []
        report = ["--quiet", "--json", str(home / "report.json")]
        first = [] if claim.correct else ["-x"]
        return ["-m", "onewinner", "verify", claim.target, *first, *level, *report]
    if suite.file == "barrier.py":
        mode = "processes" if claim.processes else "threads"
        return [str(PEERS / suite.file), claim.name, str(1 if brief else BARRIER_S), mode]
    plain = ["-q", "-x", "-rfE", "--tb=no", "-W", "ignore", "-c", os.devnull]
    plain += ["-p", "no:cacheprovider", f"--rootdir={PEERS}", f"--basetemp={home / 'tests'}"]
    if suite.file != "dogpile_suite.py":
        plain += ["-o", "asyncio_mode=auto"]
    if brief:
        plain += ["-k", "Mutex"]
    return ["-m", "pytest", *plain, str(PEERS / suite.file)]


def verdict(suite: Suite, code: int, said: str, home: Path) -> tuple[bool, str]:
    """Answer whether a run that ended flagged the store, and what it said; raises Broke."""
    if not suite.file:
        return _of_onewinner(code, said, home / "report.json")
    if suite.file == "barrier.py":
        return _of_barrier(code, said)
    return _of_pytest(code, said)


def _of_pytest(code: int, said: str) -> tuple[bool, str]:
    failed, passed = FAILED.search(said), PASSED.search(said)
    if code == 1 and failed:
        return True, f"`{failed[1].rpartition('::')[2]}`"
    if code == 0 and passed:
        return False, passed[1]
    raise Broke(_last(said))


def _of_barrier(code: int, said: str) -> tuple[bool, str]:
    if code:
        raise Broke(_last(said))
    found = json.loads(said.splitlines()[-1])
    note = f"{found['note']}, the last without one winner" if found["found"] else found["note"]
    return bool(found["found"]), note


def _of_onewinner(code: int, said: str, report: Path) -> tuple[bool, str]:
    if code not in {0, 1}:
        raise Broke(_last(said))
    clauses = json.loads(report.read_text("utf-8"))["clauses"]
    failed = [
        clause["id"]
        for clause in clauses
        if any(check["status"] == "fail" for check in clause["checks"])
    ]
    if bool(failed) != bool(code):
        raise Broke(_last(said))
    return bool(code), ", ".join(failed) or "conforms"


def _last(said: str) -> str:
    return " ".join(said.split())[-200:].replace("|", "/")
