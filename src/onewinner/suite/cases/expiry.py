"""Cases of the family TTL: when a row's life ends, to the millisecond where time is virtual."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.suite.cases.case import case
from onewinner.suite.session import LONG_MS

if TYPE_CHECKING:
    from onewinner.suite.session import Session

_DAY_MS = 86_400_000


@case("TTL-1", "register", time="virtual")
def life_ends_exactly_at_expiry(s: Session) -> None:
    """A row is live one unit before its expiry and expired at it, for every reader."""
    space = s.open()
    s.judge()
    for number, units in enumerate((1, 2, 3, 10, 999, 1000, 1001, 60_000)):
        key = f"k{number}"
        space.register(key, units, ttl_ms=units * s.unit_ms)
        s.advance((units - 1) * s.unit_ms)
        space.observe(key)
        s.advance(s.unit_ms)
        space.observe(key)


@case("TTL-1", "register_if_absent", time="virtual")
def claims_end_exactly_at_expiry(s: Session) -> None:
    """A claim is refused one unit before the row's expiry and wins at it."""
    space = s.open()
    s.judge()
    for number, units in enumerate((1, 2, 10, 1000, 3600)):
        key = f"k{number}"
        space.claim(key, "first", ttl_ms=units * s.unit_ms)
        s.advance((units - 1) * s.unit_ms)
        space.claim(key, "early")
        s.advance(s.unit_ms)
        space.claim(key, "due", ttl_ms=units * s.unit_ms)
        space.observe(key)


@case("TTL-1", "register", "consume", time="virtual")
def consume_and_delete_see_the_boundary(s: Session) -> None:
    """`consume` and `delete` find a row one unit before its expiry, and `consume` not at it."""
    space = s.open()
    unit = s.unit_ms
    for key in "abc":
        space.register(key, key, ttl_ms=10 * unit)
    s.advance(9 * unit)
    s.judge()
    space.consume("a")
    if "delete" in s.capabilities.operations:
        space.delete("b")
    s.advance(unit)
    space.consume("c")
    space.observe("a", "b", "c")


@case("TTL-1", "register", time="virtual")
def long_ttls_are_kept(s: Session) -> None:
    """TTLs of 31 days, of a year and of a century run their full length."""
    space = s.open()
    s.judge()
    days = (31, 365, 36_525)
    for number in days:
        space.register(f"{number} days", number, ttl_ms=number * _DAY_MS)
    gone = 0
    for number in days:
        s.advance((number - gone) * _DAY_MS - s.unit_ms)
        space.observe(*(f"{n} days" for n in days))
        s.advance(s.unit_ms)
        space.observe(*(f"{n} days" for n in days))
        gone = number


@case("TTL-2", "register", time="virtual")
def default_ttl_applies_where_none_is_given(s: Session) -> None:
    """The namespace's default ends rows that name no TTL; one that is named overrides it."""
    unit = s.unit_ms
    space = s.open(default_ttl_ms=10 * unit)
    s.judge()
    space.register("default", 1)
    space.claim("claimed", 1)
    space.register("longer", 1, ttl_ms=20 * unit)
    space.claim("shorter", 1, ttl_ms=5 * unit)
    space.observe()
    for _ in range(4):
        s.advance(5 * unit - 1)
        space.observe("default", "claimed", "longer", "shorter")
        s.advance(1)
        space.observe("default", "claimed", "longer", "shorter")


@case("TTL-2", "register", "entries")
def default_ttl_stands_in_the_listing(s: Session) -> None:
    """Rows written without TTL in a namespace with a default are listed with its expiry."""
    space = s.open(default_ttl_ms=LONG_MS)
    s.judge()
    space.register("a", 1)
    space.claim("b", 1)
    space.register("c", 1, ttl_ms=2 * LONG_MS)
    space.entries()


@case("TTL-2")
def default_ttl_lapses(s: Session) -> None:
    """A claim without TTL in a namespace with a default can be claimed again after it."""
    space = s.open(default_ttl_ms=s.short_ms)
    s.judge()
    space.claim("k", 1)
    s.lapse(s.short_ms)
    space.claim("k", 2, ttl_ms=LONG_MS)
    space.observe("k")


@case("TTL-3", "register", time="virtual")
def rows_without_ttl_never_expire(s: Session) -> None:
    """A row without TTL is there after a thousand years."""
    space = s.open()
    space.register("a", 1)
    space.claim("b", 1)
    s.judge()
    for days in (1, 30, 365, 365_250):
        s.advance(days * _DAY_MS)
        space.observe("a", "b")
        space.claim("b", 2)


@case("TTL-3", "ttl", "delete", time="virtual")
def rows_without_ttl_inherit_none(s: Session) -> None:
    """A row without TTL stays, also where the row that was deleted before it had a TTL."""
    space = s.open()
    space.claim("k", 1, ttl_ms=LONG_MS)
    space.delete("k")
    s.judge()
    space.claim("k", 2)
    space.observe("k")
    s.advance(LONG_MS)
    space.observe("k")
    space.claim("k", 3)


@case("TTL-3")
def rows_without_ttl_outlive_their_neighbours(s: Session) -> None:
    """Rows without TTL stay when their neighbours expire and are reclaimed."""
    space = s.open()
    space.claim("stays", 1)
    if s.capabilities.ttl_unit_ms:
        s.plant(space, "goes")
    s.judge()
    space.claim("goes", 2)
    space.claim("stays", 2)
    space.observe("stays", "goes")


@case("TTL-4")
def expired_rows_are_invisible(s: Session) -> None:
    """No reader shows an expired row, before and after something else was written."""
    space = s.open()
    space.claim("live", 1)
    s.plant(space, "a", "b", "c")
    s.judge()
    space.observe("a", "live")
    if "consume" in s.capabilities.operations:
        space.consume("b")
    space.claim("new", 1)
    space.observe("a", "b", "c", "live", "new")


@case("TTL-5")
def expired_key_is_won_again(s: Session) -> None:
    """Each expired key can be claimed once, and then carries the new claim's value and times."""
    space = s.open()
    s.plant(space, "a", "b", "c")
    s.judge()
    for key in "bac":
        space.claim(key, f"new {key}")
        space.claim(key, "late")
    space.observe("a", "b", "c")


@case("TTL-5")
def reclaimed_row_has_its_own_life(s: Session) -> None:
    """A reclaimed row does not inherit its predecessor's expiry, and can expire in its turn."""
    space = s.open()
    s.plant(space, "k")
    s.judge()
    space.claim("k", 2, ttl_ms=LONG_MS)
    space.observe("k")
    if s.virtual:
        s.advance(LONG_MS - s.unit_ms)
        space.claim("k", 3)
        s.advance(s.unit_ms)
        space.claim("k", 4)
        space.observe("k")


@case("TTL-5", many=True)
def claim_reclaims_among_many_expired(s: Session) -> None:
    """However many other rows have expired, the key that is asked for can be claimed."""
    space = s.open(max_entries=3_000)
    keys = [f"k{number:04}" for number in range(900)]
    for key in keys:
        space.register(key, 0, ttl_ms=s.short_ms)
    s.lapse(s.short_ms)
    s.judge()
    for key in (keys[-1], keys[0], keys[500]):
        space.claim(key, "new")
        space.claim(key, "late")
    space.observe(keys[-1], keys[0], keys[1])


@case("TTL-5", time="virtual")
def reclaim_after_reclaim(s: Session) -> None:
    """Life after life, every expiry makes one vacancy."""
    space = s.open()
    s.judge()
    for life in range(5):
        space.claim("k", life, ttl_ms=3 * s.unit_ms)
        space.claim("k", "late", ttl_ms=9 * s.unit_ms)
        s.advance(2 * s.unit_ms)
        space.claim("k", "late")
        s.advance(s.unit_ms)


@case("TTL-7", "lookup")
def huge_ttl_is_refused_or_works(s: Session) -> None:
    """A TTL near 2^53 or 2^63 is refused or works, and harms no other row of the namespace."""
    space = s.open()
    space.claim("before", 1)
    s.judge()
    for number, ttl in enumerate((2**53 - 1, 2**53, 2**62, 2**63 - 1, 2**63, 2**31, 2**32)):
        space.claim(f"k{number}", number, ttl_ms=ttl)
        space.observe("before", f"k{number}")
    space.claim("after", 1)
    space.observe("before", "after")
    for number in range(7):
        space.claim(f"k{number}", "late")
    if "consume" in s.capabilities.operations:
        space.consume("k0")
    space.observe("before", "after", "k0")


@case("TTL-2", time="virtual")
def long_defaults_run_their_full_length(s: Session) -> None:
    """A default TTL of 31 days, or of a year, ends no sooner than one that is given."""
    days = (31, 365)
    spaces = [s.open(namespace=f"n{n}", default_ttl_ms=n * _DAY_MS) for n in days]
    s.judge()
    for space in spaces:
        space.claim("k", 1)
    gone = 0
    for number in days:
        s.advance((number - gone) * _DAY_MS - s.unit_ms)
        for space in spaces:
            space.observe("k")
        s.advance(s.unit_ms)
        for space in spaces:
            space.observe("k")
        gone = number
