"""Cases of the newer writers: they keep the rules of `register`, and store what it would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.suite.cases.case import case
from onewinner.suite.session import LONG_MS

if TYPE_CHECKING:
    from onewinner.contract import Json
    from onewinner.suite.session import Session

_COMPARES = ("observe", "compare_and_apply")


@case("UPD-1")
def an_update_stores_what_is_falsy(s: Session) -> None:
    """Nought, null, false and what is empty are values, and not "leave it"."""
    space = s.open()
    space.claim("n", 1)
    space.claim("k", "text")
    s.judge()
    space.update("n", {"increment": -1})
    values: tuple[Json, ...] = (None, False, "", [], {}, 0)
    for value in values:
        space.update("k", {"replace": value})
        space.observe("n", "k")


@case("UPD-1", "ttl")
def an_update_to_the_same_value_is_a_write(s: Session) -> None:
    """Where the function makes what was there, age and expiry are new all the same."""
    space = s.open()
    space.claim("n", 1, ttl_ms=LONG_MS)
    space.claim("k", "text")
    s.judge()
    s.tick()
    space.update("n", {"increment": 0})
    space.update("k", {"replace": "text"}, ttl_ms=LONG_MS)
    space.observe("n", "k")


@case("CAS-2")
def what_is_set_may_be_what_was_there(s: Session) -> None:
    """An intent that sets the value that the row has is applied, and makes the row new."""
    space = s.open()
    space.claim("k", 1)
    s.judge()
    s.tick()
    space.compare("k", space.observation("k"), {"set": 1})
    space.observe("k")


@case("TTL-2", "update")
def default_ttl_applies_to_updates(s: Session) -> None:
    """What an update writes without TTL has the namespace's default, a new row and an old one."""
    space = s.open(default_ttl_ms=LONG_MS)
    s.judge()
    for _ in range(2):
        space.update("a", {"increment": 1})
        space.update("b", {"increment": 1}, ttl_ms=2 * LONG_MS)
        space.observe("a", "b")
        s.tick()


@case("TTL-2", *_COMPARES)
def default_ttl_applies_to_what_is_set(s: Session) -> None:
    """So has what a comparison sets."""
    space = s.open(default_ttl_ms=LONG_MS)
    s.judge()
    for _ in range(2):
        space.compare("a", space.observation("a"), {"set": 1})
        space.compare("b", space.observation("b"), {"set": 1}, ttl_ms=2 * LONG_MS)
        space.observe("a", "b")
        s.tick()


@case("EVICT-1", "update")
def an_update_that_inserts_makes_room(s: Session) -> None:
    """In a full namespace a row that an update makes drives out the oldest, as any other does."""
    space = s.open(max_entries=2)
    s.judge()
    for key in "abc":
        space.update(key, {"increment": 1})
        space.observe("a", "b", "c")
        s.tick()


@case("EVICT-1", *_COMPARES)
def a_comparison_that_inserts_makes_room(s: Session) -> None:
    """So does a row that a comparison sets."""
    space = s.open(max_entries=2)
    s.judge()
    for key in "abc":
        space.compare(key, space.observation(key), {"set": 1})
        space.observe("a", "b", "c")
        s.tick()


@case("CAP-1", "update", "register", many=True)
def an_update_that_inserts_counts_towards_the_cap(s: Session) -> None:
    """At the cap a row that an update would make is treated as any other; an old one is updated."""
    cap = s.capabilities.limits.plugin_row_cap
    assert cap is not None
    s.fill(s.open(namespace="bulk", max_entries=2 * cap), cap - 1)
    s.tick()
    space = s.open(namespace="small")
    space.claim("n", 1)
    s.tick()
    s.judge()
    space.update("n", {"increment": 1})
    s.tick()
    space.update("new", {"increment": 1})
    if s.capabilities.operations.issuperset(_COMPARES):
        space.compare("newer", space.observation("newer"), {"set": 1})
    space.observe("n", "new", "newer")


@case("INPUT-9", "update")
def what_is_made_of_a_value_has_its_limit(s: Session) -> None:
    """A function or an intent that makes a value too large is refused, and the old value stays."""
    space = s.open()
    limit = s.capabilities.limits.max_value_bytes
    space.claim("list", ["x" * (limit // 2)])
    space.claim("text", "old")
    s.judge()
    space.update("list", {"append": "x" * (limit // 2)})
    space.update("text", {"replace": "x" * (limit - 1)})
    if s.capabilities.operations.issuperset(_COMPARES):
        space.compare("text", space.observation("text"), {"set": "x" * (limit - 1)})
    space.observe("list", "text")


@case("READ-8", "register")
def a_large_namespace_is_counted_to_its_end(s: Session) -> None:
    """`count` does not end with the first page."""
    space = s.open(max_entries=1_000)
    s.fill(space, 300)
    s.judge()
    space.count()


@case("READ-9", "register")
def many_keys_are_answered_to_the_last(s: Session) -> None:
    """More keys than fit into one batch, some of them not there, are answered in their places."""
    space = s.open(max_entries=1_000)
    s.fill(space, 150)
    s.judge()
    space.lookup_many(*(f"fill{number:06}" for number in range(160, 9, -1)))


@case("READ-11", "ttl", time="virtual")
def a_row_lives_by_the_clock_though_its_age_is_ahead(s: Session) -> None:
    """Rows of one millisecond are given later ages, and all expire at one time."""
    space = s.open()
    unit = s.unit_ms
    s.judge()
    for key in "abc":
        space.claim(key, 1, ttl_ms=10 * unit)
    space.observe("a", "b", "c")
    s.advance(10 * unit)
    space.observe("a", "b", "c")
