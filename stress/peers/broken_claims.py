"""The claims on which test suites are compared: mutants of onewinner, and the correct stores.

`needs` is what an interface must have for anybody to come upon the defect. Where a suite's
interface lacks one of them, the comparison says so and does not run it; a suite that has them all
and stays green has missed the defect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bugs import Bug

from onewinner.adapters.targets import resolve
from onewinner.clock import SystemClock

if TYPE_CHECKING:
    from pathlib import Path

    from onewinner.contract import Backend

LACKS: Final = {
    "claim": "no claim",
    "answer": "a claim answers nothing",
    "ttl": "no TTL",
    "limit": "no limit",
    "plugins": "no names in pairs",
}
"""What an interface may have, and how it is said that it has it not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Bug):
    """A store on which suites are compared; `needs` are keys of `LACKS`."""

    needs: frozenset[str] = frozenset()
    level: str = ""

    def lacking(self, offers: frozenset[str]) -> str:
        """Say what an interface that has `offers` lacks, empty where it lacks nothing."""
        lacking = self.needs - offers
        if "claim" in lacking:
            lacking -= {"answer"}  # goes without saying
        return ", ".join(LACKS[need] for need in LACKS if need in lacking)

    def connect(self, location: str | Path, **more: Any) -> Backend:
        """Open a handle on this store; `more` may be a `profile`."""
        return resolve(self.target)(str(location), clock=SystemClock(), **more)

    def beside(self, location: str | Path) -> Backend:
        """Open a handle of the correct store on the same rows, past the one that is tested."""
        name = "sqlite" if self.processes else "memory"
        return resolve(name)(str(location), clock=SystemClock())


def _broken(name: str, what: str, needs: str, **more: Any) -> Claim:
    more.setdefault("processes", True)
    return Claim(
        name=name, target=f"mutant:{name}", what=what, needs=frozenset(needs.split()), **more
    )


CLAIMS: Final = {
    claim.name: claim
    for claim in (
        Claim(name="correct-memory", target="memory", what="the reference store", correct=True),
        Claim(
            name="correct-sqlite",
            target="sqlite",
            what="the reference store",
            processes=True,
            correct=True,
        ),
        _broken("claim-overwrites-live", "SQLite: a claim of a live key replaces it", "claim"),
        _broken("claim-always-true", "SQLite: a refused claim answers true", "claim answer"),
        _broken(
            "lookup-then-register", "SQLite: looks in one transaction, writes in the next", "claim"
        ),
        _broken(
            "dict-check-then-set",
            "memory: a check and a set, each under the lock",
            "claim",
            processes=False,
        ),
        _broken(
            "thread-lock-only",
            "SQLite: looks, then writes, under a lock of one process",
            "claim",
        ),
        _broken(
            "stale-row-removed-before-claim",
            "SQLite: an expired row is removed in a step of its own",
            "claim ttl",
            expired=True,
        ),
        _broken(
            "refused-claim-refreshes-ttl",
            "SQLite: a refused claim renews the holder's TTL",
            "claim ttl",
            expired=True,
        ),
        _broken("ttl-in-seconds", "SQLite: milliseconds are read as seconds", "ttl", expired=True),
        _broken("case-folded-keys", "SQLite: `A` and `a` are one key", ""),
        _broken(
            "joined-key-collision",
            "SQLite: plugin `a.b`, namespace `c` is plugin `a`, namespace `b.c`",
            "plugins",
        ),
        _broken(
            "evicts-row-just-written",
            "SQLite: a full namespace evicts the new row where ages tie",
            "limit",
        ),
        _broken(
            "error-swallowed-as-false",
            "SQLite: a claim that the cap refuses answers false",
            "claim answer limit",
        ),
        _broken(
            "commits-late",
            "SQLite: a claim is answered before it is committed",
            "claim",
            level="crash",
        ),
    )
}
