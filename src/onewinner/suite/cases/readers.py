"""Cases of the family READ: readers answer what is there and change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.strategies.nasty import VALUES
from onewinner.suite.cases.case import case
from onewinner.suite.session import LONG_MS

if TYPE_CHECKING:
    from onewinner.suite.session import Session


@case("READ-1")
def lookup_finds_live_rows_only(s: Session) -> None:
    """`lookup` answers the value of its key, and absent for a key that nobody wrote."""
    space = s.open()
    s.judge()
    space.lookup("a")
    space.claim("a", {"n": 1})
    space.claim("b", "two")
    space.lookup("a")
    space.lookup("b")
    space.lookup("c")


@case("READ-2")
def null_is_a_value(s: Session) -> None:
    """A row that holds `null` is found, refuses claims, and is removed like any other."""
    space = s.open()
    space.claim("k", None)
    s.judge()
    space.observe("k")
    space.claim("k", 1)
    space.observe("k")
    if "consume" in s.capabilities.operations:
        space.consume("k")
        space.consume("k")
    elif "delete" in s.capabilities.operations:
        space.delete("k")
    space.observe("k")


@case("READ-3", "register_if_absent")
def readers_change_nothing(s: Session) -> None:
    """Looking at rows neither removes them nor renews their age."""
    space = s.open(max_entries=3)
    for key in "abc":
        space.claim(key, key, ttl_ms=LONG_MS if s.capabilities.ttl_unit_ms else None)
        s.tick()
    s.judge()
    for _ in range(3):
        space.observe("a")
        space.observe("a", "b", "c")
    space.observe("a")
    s.tick()
    if s.capabilities.eviction:
        space.claim("d", "d")  # the oldest goes, however often it was read
    space.observe("a", "b", "c", "d")


@case("READ-3", "ttl", time="virtual")
def readers_do_not_renew(s: Session) -> None:
    """A row that is read again and again expires when it must."""
    space = s.open()
    unit = s.unit_ms
    space.register("k", 1, ttl_ms=10 * unit)
    s.judge()
    for _ in range(9):
        s.advance(unit)
        space.observe("k")
    s.advance(unit)
    space.observe("k")


@case("READ-4", "entries", "register")
def entries_are_ordered_by_age_then_key(s: Session) -> None:
    """The listing is ordered by age, not by key, nor by how the rows came to be there."""
    space = s.open()
    s.judge()
    space.entries()
    for key in ("m", "z", "a", "k", "b"):
        s.tick()
        space.register(key, key)
    space.entries()
    s.tick()
    space.register("z", "again")
    space.entries()


@case("READ-4", "entries", "register", time="virtual")
def entries_of_one_age_are_ordered_by_key(s: Session) -> None:
    """Rows of one instant are listed by key."""
    space = s.open()
    s.judge()
    for key in ("m", "z", "a", "B", "b", "é", "aa", "\uffee"):
        space.register(key, key)
    space.entries()
    s.tick()
    space.register("a", "again")
    space.register("0", "new")
    space.entries()


@case("READ-4", "entries", "register")
def entries_list_every_row(s: Session) -> None:
    """A listing is complete, also where it is longer than a page."""
    space = s.open(max_entries=400)
    s.fill(space, 300)
    s.judge()
    space.entries()


@case("READ-4", "entries", "register", "ttl")
def entries_tell_the_times(s: Session) -> None:
    """Each listed row carries its creation, and its expiry where it has one."""
    space = s.open()
    s.judge()
    space.register("a", 1, ttl_ms=LONG_MS)
    s.tick()
    space.register("b", 2)
    s.tick()
    space.register("c", 3, ttl_ms=2 * LONG_MS)
    space.entries()
    other = s.open(namespace="other")
    other.entries()


@case("READ-6", "register_if_absent")
def changing_the_passed_object_changes_nothing(s: Session) -> None:
    """A value is what it was when it was stored, whatever the caller does to its object later."""
    space = s.open()
    s.judge()
    space.claim("a", {"list": [1]}, spoil=True)
    space.lookup("a")
    if "register" in s.capabilities.operations:
        space.register("b", [1, 2], spoil=True)
    space.observe("a", "b")


@case("READ-6", "register_if_absent")
def changing_the_answered_object_changes_nothing(s: Session) -> None:
    """A value is not changed through the object that a reader answered."""
    space = s.open()
    space.claim("a", {"list": [1]})
    space.claim("b", [1, 2])
    s.judge()
    space.lookup("a", spoil=True)
    space.lookup("b", spoil=True)
    space.observe("a", "b")
    if "entries" in s.capabilities.operations:
        space.entries(spoil=True)
        space.observe("a", "b")
    if "consume" in s.capabilities.operations:
        space.consume("b")


@case("READ-7", "register")
def every_value_comes_back_equal(s: Session) -> None:
    """JSON values of every kind come back equal as JSON."""
    space = s.open()
    s.judge()
    for number, value in enumerate(VALUES):
        space.register(f"k{number:02}", value)
        if "lookup" in s.capabilities.operations:
            space.lookup(f"k{number:02}")
    space.observe()


@case("READ-7")
def claimed_values_come_back_equal(s: Session) -> None:
    """The same holds for what a claim stored, and through another connection."""
    space = s.open()
    there = s.open(backend=s.connect())
    s.judge()
    for number, value in enumerate(VALUES):
        space.claim(f"k{number:02}", value)
        if "lookup" in s.capabilities.operations:
            there.lookup(f"k{number:02}")
    there.observe()


@case("READ-4", "entries", "register", many=True)
def entries_list_every_row_of_a_large_namespace(s: Session) -> None:
    """A listing is complete, also where it is longer than several pages."""
    space = s.open(max_entries=2_000)
    s.fill(space, 950)
    s.judge()
    space.entries()


@case("READ-4", "entries")
def entries_list_large_values(s: Session) -> None:
    """A listing is complete, also where its values have more than a megabyte together."""
    space = s.open()
    text = "x" * (min(s.capabilities.limits.max_value_bytes, 65_536) - 2)
    for number in range(20):
        space.claim(f"k{number:02}", text)
        s.tick()
    s.judge()
    space.entries()
