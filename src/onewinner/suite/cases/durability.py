"""Cases of the family DUR: what is there after closing and reopening."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.suite.cases.case import case
from onewinner.suite.session import LONG_MS

if TYPE_CHECKING:
    from onewinner.suite.session import Session


@case("DUR-1")
def rows_survive_reopening(s: Session) -> None:
    """Rows, with their values and times, are there after every handle was closed."""
    space = s.open()
    ttl = LONG_MS if s.capabilities.ttl_unit_ms else None
    space.claim("a", {"n": [1, None]}, ttl_ms=ttl)
    s.tick()
    space.claim("b", None)
    space.observe("a", "b")
    s.judge()
    for _ in range(2):
        s.reopen()
        space = s.open()
        space.observe("a", "b")
        space.claim("a", "late")
        space.claim("b", "late")


@case("DUR-1", "ttl")
def expiry_survives_reopening(s: Session) -> None:
    """A TTL runs on while the store is closed."""
    space = s.open()
    space.claim("short", 1, ttl_ms=s.short_ms)
    space.claim("long", 1, ttl_ms=LONG_MS)
    s.judge()
    s.reopen()
    s.lapse(s.short_ms)
    space = s.open()
    space.claim("long", "late")
    space.claim("short", 2)
    space.observe("short", "long")


@case("DUR-1", "delete")
def removals_survive_reopening(s: Session) -> None:
    """A row that was deleted does not come back."""
    space = s.open()
    space.claim("a", 1)
    space.claim("b", 1)
    space.delete("a")
    s.judge()
    s.reopen()
    space = s.open()
    space.observe("a", "b")
    space.claim("a", 2)
    s.reopen()
    space = s.open()
    space.observe("a", "b")
