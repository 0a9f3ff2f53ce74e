"""Cases of the family CAS: what was observed is still so, or nothing is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.suite.cases.case import case
from onewinner.suite.session import LONG_MS

if TYPE_CHECKING:
    from onewinner.suite.session import Session


@case("CAS-1")
def observing_changes_nothing(s: Session) -> None:
    """`observe` answers what `lookup` does, and leaves all rows as they are."""
    space = s.open(max_entries=3)
    for key, value in (("a", 1), ("b", None), ("c", {"n": [1]})):
        space.claim(key, value)
        s.tick()
    s.judge()
    for key in ("a", "b", "c", "never"):
        space.observation(key)
    space.observe("a", "b", "c", "never")


@case("CAS-1", "ttl", "register")
def an_expired_row_is_observed_as_absent(s: Session) -> None:
    """`observe` answers absent for a row that has expired."""
    space = s.open()
    s.plant(space, "k")
    s.judge()
    space.observation("k")


@case("CAS-2")
def a_comparison_that_holds_is_applied(s: Session) -> None:
    """What was observed is set, kept and deleted, and what is set is seen."""
    space = s.open()
    space.claim("k", 1)
    s.judge()
    space.compare("k", space.observation("k"), {"set": 2})
    space.observe("k")
    s.tick()
    space.compare("k", space.observation("k"), {"keep": None})
    space.observe("k")
    space.compare("k", space.observation("k"), {"delete": None})
    space.observe("k")
    space.compare("k", space.observation("k"), {"delete": None})
    space.compare("k", space.observation("k"), {"set": None})
    space.observe("k")


@case("CAS-2", "ttl", "register")
def what_is_set_has_a_ttl_of_its_own(s: Session) -> None:
    """A comparison that sets gives the row the TTL that it is given, or none; expired is absent."""
    space = s.open()
    s.plant(space, "k")
    s.judge()
    space.compare("k", space.observation("k"), {"set": 1}, ttl_ms=LONG_MS)
    space.observe("k")
    s.tick()
    space.compare("k", space.observation("k"), {"set": 2})
    space.observe("k")


@case("CAS-2")
def a_comparison_holds_on_every_handle(s: Session) -> None:
    """What one handle observed another one compares with."""
    space, there = s.open(), s.open(backend=s.connect())
    space.claim("k", 1)
    s.judge()
    there.compare("k", space.observation("k"), {"set": 2})
    space.compare("k", there.observation("k"), {"delete": None})
    there.observe("k")


@case("CAS-3", "register")
def a_row_that_was_written_is_a_conflict(s: Session) -> None:
    """After another value was written nothing is applied, and the conflict tells what is there."""
    space = s.open()
    space.claim("k", 1)
    s.judge()
    for intent in ({"set": "mine"}, {"delete": None}, {"keep": None}):
        seen = space.observation("k")
        s.tick()
        space.register("k", f"before {intent}")
        space.compare("k", seen, intent)
        space.observe("k")
    seen = space.observation("k")
    space.compare("k", seen, {"set": "first"})
    space.compare("k", seen, {"set": "second"})
    space.observe("k")


@case("CAS-3", "register")
def a_row_of_the_same_value_and_another_age_is_a_conflict(s: Session) -> None:
    """A row that was written again with the value that it had is another row."""
    space = s.open()
    space.claim("k", 1)
    s.judge()
    seen = space.observation("k")
    s.tick()
    space.register("k", 1)
    space.compare("k", seen, {"set": "mine"})
    space.observe("k")


@case("CAS-3", "register", "ttl", time="virtual")
def a_row_of_another_expiry_is_a_conflict(s: Session) -> None:
    """A row with the value and the age that it had, and another expiry, is another row."""
    space = s.open()
    space.claim("k", 1, ttl_ms=LONG_MS)
    s.judge()
    seen = space.observation("k")
    space.register("k", 1, ttl_ms=2 * LONG_MS)
    space.compare("k", seen, {"set": "mine"})
    space.observe("k")


@case("CAS-3", "delete")
def a_row_that_came_or_went_is_a_conflict(s: Session) -> None:
    """A row is not its absence, and its absence is no row."""
    space = s.open()
    s.judge()
    nothing = space.observation("k")
    space.claim("k", None)
    space.compare("k", nothing, {"set": "mine"})
    space.observe("k")
    row = space.observation("k")
    space.delete("k")
    space.compare("k", row, {"set": "mine"})
    space.observe("k")


@case("CAS-3", "ttl")
def a_row_that_expired_is_a_conflict(s: Session) -> None:
    """What was observed while it lived is not there any more when it has expired."""
    space = s.open()
    s.judge()
    space.claim("k", 1, ttl_ms=s.short_ms)
    seen = space.observation("k") if s.virtual else ""
    s.lapse(s.short_ms)
    if s.virtual:
        space.compare("k", seen, {"set": "mine"})
    space.compare("k", space.observation("k"), {"set": "next"})
    space.observe("k")


@case("CAS-6")
def a_comparison_of_another_key_is_none(s: Session) -> None:
    """Neither another key's comparison nor made-up text lets anything be changed."""
    space, other = s.open(), s.open(namespace="other")
    for key in "ab":
        space.claim(key, 1)
    other.claim("a", 1)
    s.judge()
    for comparison in (space.observation("b"), other.observation("a"), "made up", ""):
        space.compare("a", comparison, {"set": "mine"})
        space.compare("a", comparison, {"delete": None})
        space.observe("a", "b")
    space.compare("never", space.observation("gone"), {"set": "mine"})
    space.observe("never")
