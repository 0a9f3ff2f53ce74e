"""Cases of the family DEL: removers remove what they name, and say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.suite.cases.case import case
from onewinner.suite.session import LONG_MS

if TYPE_CHECKING:
    from onewinner.suite.session import Session

_MANY = 300


@case("DEL-1")
def delete_tells_whether_it_removed(s: Session) -> None:
    """`delete` answers true for a live row, false where there is none, and removes only its key."""
    space = s.open()
    for key in ("a", "ab", "b"):
        space.claim(key, key)
    s.judge()
    space.delete("a")
    space.observe("a", "ab", "b")
    space.delete("a")
    space.delete("never")
    space.observe("a", "ab", "b")


@case("DEL-1", "ttl")
def delete_of_an_expired_row_leaves_nothing(s: Session) -> None:
    """Whatever `delete` says of an expired row, the key is gone afterwards."""
    space = s.open()
    space.claim("live", 1)
    s.plant(space, "k")
    s.judge()
    space.delete("k")
    space.delete("k")
    space.observe("k", "live")
    space.claim("k", 2)
    space.observe("k", "live")


@case("DEL-2")
def consume_reads_and_removes(s: Session) -> None:
    """`consume` answers the value once; afterwards the key is absent."""
    space = s.open()
    space.claim("a", {"n": [1]})
    space.claim("b", 2)
    s.judge()
    space.consume("a")
    space.consume("a")
    space.observe("a", "b")
    space.consume("never")
    space.observe("a", "b")


@case("DEL-2", "ttl")
def consume_leaves_expired_rows_alone(s: Session) -> None:
    """`consume` of an expired row answers absent, and the key can be claimed."""
    space = s.open()
    space.claim("live", 1)
    s.plant(space, "k")
    s.judge()
    space.consume("k")
    space.claim("k", 2)
    space.consume("k")
    space.observe("k", "live")


@case("DEL-5")
def clear_empties_its_namespace(s: Session) -> None:
    """`clear` removes rows with and without TTL, and the namespace goes on to work."""
    space = s.open()
    ttl = LONG_MS if s.capabilities.ttl_unit_ms else None
    for number in range(5):
        space.claim(f"k{number}", number, ttl_ms=ttl if number % 2 else None)
    s.judge()
    space.clear()
    space.observe("k0", "k1", "k4")
    space.clear()
    space.claim("k0", "again")
    space.observe("k0", "k1")


@case("DEL-6")
def sweep_removes_expired_rows_of_all_plugins(s: Session) -> None:
    """`sweepExpired` counts what expired since the last operation and spares what is live."""
    one, two = s.open("p1", "n"), s.open("p2", "n")
    one.claim("live", 1)
    two.claim("long", 1, ttl_ms=LONG_MS)
    one.claim("a", 1, ttl_ms=s.short_ms)
    one.claim("b", 1, ttl_ms=s.short_ms)
    two.claim("c", 1, ttl_ms=s.short_ms)
    s.lapse(s.short_ms)
    s.judge()
    s.sweep()
    s.sweep()
    one.observe("live", "a", "b")
    two.observe("long", "c")
    one.claim("a", 2)
    one.observe("live", "a")


@case("DEL-6", time="virtual")
def sweep_spares_rows_until_they_expire(s: Session) -> None:
    """One unit before its expiry a row survives the sweep, at its expiry it goes."""
    space = s.open()
    space.claim("k", 1, ttl_ms=10 * s.unit_ms)
    s.advance(9 * s.unit_ms)
    s.judge()
    s.sweep()
    space.lookup("k")
    s.advance(s.unit_ms)
    s.sweep()
    space.lookup("k")


@case("DEL-5", "register")
def clear_empties_a_large_namespace(s: Session) -> None:
    """`clear` removes every row, also where there are more than fit into one batch."""
    space = s.open(max_entries=2 * _MANY)
    s.fill(space, _MANY)
    s.judge()
    space.clear()
    space.observe("fill000000", f"fill{_MANY - 1:06}")


@case("DEL-6")
def sweep_reaches_what_this_handle_never_opened(s: Session) -> None:
    """`sweepExpired` is for the rows of all plugins, also those that other connections wrote."""
    there = s.connect()
    one, two = s.open("p1", "n", backend=there), s.open("p2", "m", backend=there)
    one.claim("live", 1)
    two.claim("long", 1, ttl_ms=LONG_MS)
    one.claim("a", 1, ttl_ms=s.short_ms)
    two.claim("b", 1, ttl_ms=s.short_ms)
    s.lapse(s.short_ms)
    s.judge()
    s.sweep()
    one.observe("live", "a")
    two.observe("long", "b")


@case("DEL-6", time="virtual")
def sweep_takes_all_that_has_expired(s: Session) -> None:
    """One sweep removes and counts every expired row, also where they are more than one batch."""
    for plugin in ("p1", "p2"):
        space = s.open(plugin, "n", max_entries=2 * _MANY)
        for number in range(_MANY // 2):
            space.claim(f"k{number:03}", number, ttl_ms=s.short_ms)
    s.lapse(s.short_ms)
    s.judge()
    s.sweep()
    s.sweep()
