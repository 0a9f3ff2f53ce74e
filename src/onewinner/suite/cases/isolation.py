"""Cases of the family ISO: nothing that is done to one row touches another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.strategies.nasty import DISTINCT_KEYS, TRIPLES
from onewinner.suite.cases.case import case

if TYPE_CHECKING:
    from onewinner.suite.session import Session


@case("ISO-1")
def near_equal_keys_are_rows_of_their_own(s: Session) -> None:
    """Keys that look alike to a careless store are claimed, read and listed on their own."""
    keys = tuple(dict.fromkeys(key for group in DISTINCT_KEYS for key in group))
    space = s.open(max_entries=2 * len(keys))
    s.judge()
    for number, key in enumerate(keys):
        space.claim(key, number)
    space.observe(*keys)
    for key in keys:
        space.claim(key, "late")
    if "delete" in s.capabilities.operations:
        for key in keys[::2]:
            space.delete(key)
    space.observe(*keys)


@case("ISO-1")
def near_equal_places_are_rows_of_their_own(s: Session) -> None:
    """The same key in other namespaces and plugins is another row, also where the parts join up."""
    handles = [(s.open(plugin, name), key) for plugin, name, key in TRIPLES]
    s.judge()
    for number, (space, key) in enumerate(handles):
        space.claim(key, number)
    for space, key in handles:
        space.claim(key, "late")
        space.observe(key)
    if "delete" in s.capabilities.operations:
        for space, key in handles[::2]:
            space.delete(key)
        for space, key in handles:
            space.observe(key)


@case("ISO-2", "lookup")
def clear_spares_every_other_place(s: Session) -> None:
    """`clear` empties its own namespace, and no namespace whose name or plugin is like it."""
    handles = [s.open(plugin, name) for plugin, name in dict.fromkeys(t[:2] for t in TRIPLES)]
    for space in handles:
        space.claim("k", 1)
        space.claim("other", 2)
    s.judge()
    for cleared in handles:
        cleared.clear()
        for space in handles:
            space.observe("k", "other")
        cleared.claim("k", "again")


@case("ISO-3", "lookup")
def eviction_spares_every_other_place(s: Session) -> None:
    """Eviction takes rows of its own namespace, though those of others are older."""
    places = tuple(dict.fromkeys(t[:2] for t in TRIPLES))
    handles = [s.open(plugin, name, max_entries=2) for plugin, name in places]
    for space in handles:
        space.claim("old", 1)
        s.tick()
    s.judge()
    for space in handles[::3]:
        for key in ("a", "b", "c"):
            space.claim(key, key)
            s.tick()
        for other in handles:
            other.observe("old", "a", "b", "c")


@case("ISO-3", "register", "ttl")
def reclaim_spares_every_other_place(s: Session) -> None:
    """Reclaiming an expired key, which may prune, touches no live row anywhere."""
    one, two = s.open("p", "n"), s.open("p2", "n")
    sibling = s.open("p", "n2")
    for space in (one, two, sibling):
        space.claim("live", 1)
    for space in (one, two, sibling):
        space.register("k", 0, ttl_ms=s.short_ms)
    s.lapse(s.short_ms)
    s.judge()
    one.claim("k", 1)
    for space in (one, two, sibling):
        space.observe("live", "k")
    two.claim("k", 2)
    sibling.claim("k", 3)
    for space in (one, two, sibling):
        space.observe("live", "k")
