"""The contract as numbered clauses: the one registry from which `specs/contract.md` is written.

An id never changes its meaning; a clause that is withdrawn keeps its number. A clause says at which
level it is judged, how bad a violation is, and what a store must declare for it to apply.
"""

from __future__ import annotations

from typing import Final

from onewinner.contract.clause import Clause, Level, Severity, missing_need
from onewinner.contract.clauses_of_faults import FAULTS
from onewinner.contract.clauses_of_limits import LIMITS
from onewinner.contract.clauses_of_newer import NEWER
from onewinner.contract.clauses_of_operations import OPERATIONS

__all__ = (
    "CLAUSES",
    "FAMILIES",
    "LEVELS",
    "Clause",
    "Level",
    "Severity",
    "by_level",
    "missing_need",
    "select",
)

LEVELS: Final[tuple[Level, ...]] = ("thread", "process", "crash")

FAMILIES: Final[dict[str, str]] = {
    "CLAIM": "Claims: `registerIfAbsent`",
    "REG": "Upserts: `register`",
    "READ": "Readers: `lookup` and `entries`",
    "DEL": "Removers: `delete`, `consume`, `clear`, `sweepExpired`",
    "UPD": "Updates: `update`",
    "CAS": "Comparisons: `observe` and `compareAndApply`",
    "TTL": "Time to live",
    "EVICT": "Eviction at `maxEntries`",
    "CAP": "The plugin's row cap",
    "ISO": "Isolation",
    "INPUT": "Input",
    "DUR": "Durability and opening",
    "ERR": "Errors",
}

CLAUSES: Final[dict[str, Clause]] = {
    clause.id: clause
    for family in FAMILIES
    for clause in (*OPERATIONS, *LIMITS, *NEWER, *FAULTS)
    if clause.family == family
}


def by_level(level: Level) -> tuple[Clause, ...]:
    """Answer the clauses that a store must hold at `level`: its own and those of lower levels."""
    reach = LEVELS[: LEVELS.index(level) + 1]
    return tuple(clause for clause in CLAUSES.values() if clause.level in reach)


def select(pattern: str) -> tuple[Clause, ...]:
    """Answer the clauses named by an id (`CLAIM-3`) or a family (`CLAIM`), in any case.

    Raises ValueError where nothing matches, with the nearest ids.
    """
    wanted = pattern.upper().replace("_", "-")
    found = tuple(c for c in CLAUSES.values() if wanted in (c.id, c.family))
    if not found:
        import difflib

        near = difflib.get_close_matches(wanted, [*CLAUSES, *FAMILIES], n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "`onewinner list` shows them"
        raise ValueError(f"no clause or family is called {pattern!r}; {hint}")
    return found
