"""Cases of the families CLAIM and REG: who wins, and what a refused claim leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.suite.cases.case import case
from onewinner.suite.session import LONG_MS

if TYPE_CHECKING:
    from onewinner.contract import Json
    from onewinner.suite.session import Session


@case("CLAIM-1")
def fresh_key_is_won(s: Session) -> None:
    """The first claim of a key wins, and its value is there."""
    space = s.open()
    s.judge()
    space.claim("k", {"by": 1})
    space.observe("k")
    space.claim("other", None, ttl_ms=LONG_MS if s.capabilities.ttl_unit_ms else None)
    space.observe("k", "other")


@case("CLAIM-1", "delete")
def deleted_key_is_won_again(s: Session) -> None:
    """A key that was deleted is vacant."""
    space = s.open()
    space.claim("k", 1)
    space.delete("k")
    s.judge()
    space.claim("k", 2)
    space.observe("k")


@case("CLAIM-1", "consume")
def consumed_key_is_won_again(s: Session) -> None:
    """A key that was consumed is vacant."""
    space = s.open()
    space.claim("k", 1)
    space.consume("k")
    s.judge()
    space.claim("k", 2)
    space.observe("k")


@case("CLAIM-1", "clear")
def cleared_keys_are_won_again(s: Session) -> None:
    """Keys of a namespace that was cleared are vacant."""
    space = s.open()
    space.claim("a", 1)
    space.claim("b", 1)
    space.clear()
    s.judge()
    space.claim("b", 2)
    space.claim("a", 2)
    space.observe("a", "b")


@case("CLAIM-1")
def every_kind_of_value_can_be_claimed_with(s: Session) -> None:
    """A claim wins whatever falsy or odd value it carries."""
    space = s.open()
    s.judge()
    values: tuple[Json, ...] = ("plain", None, False, 0, "", [], {}, "null", [None])
    for number, value in enumerate(values):
        space.claim(f"k{number}", value)
        space.claim(f"k{number}", "second")
    space.observe()


@case("CLAIM-2")
def live_key_is_refused(s: Session) -> None:
    """A second claim loses, with an equal value as with another one, again and again."""
    space = s.open()
    space.claim("k", {"by": 1})
    s.judge()
    space.claim("k", {"by": 1})
    space.claim("k", {"by": 2})
    space.claim("k", None)
    s.tick()
    space.claim("k", 3)
    space.observe("k")


@case("CLAIM-2")
def live_key_is_refused_through_another_handle(s: Session) -> None:
    """A claim through a second handle or connection of the same location loses too."""
    first = s.open()
    first.claim("k", 1)
    s.judge()
    again = s.open()
    again.claim("k", 2)
    other = s.open(backend=s.connect())
    other.claim("k", 3)
    other.observe("k")
    first.observe("k")


@case("CLAIM-2", "register")
def registered_key_is_refused(s: Session) -> None:
    """A row that `register` wrote refuses a claim like any other."""
    space = s.open()
    space.register("k", 1)
    space.observe("k")
    s.judge()
    space.claim("k", 2)
    space.register("k", 3)
    space.claim("k", 4)
    space.observe("k")


@case("CLAIM-2", "ttl")
def live_key_with_ttl_is_refused(s: Session) -> None:
    """A row with a TTL that has not run out refuses claims with and without TTL."""
    space = s.open()
    space.claim("k", 1, ttl_ms=LONG_MS)
    s.judge()
    s.tick()
    space.claim("k", 2, ttl_ms=LONG_MS)
    space.claim("k", 2, ttl_ms=s.unit_ms)
    space.claim("k", 2)
    space.observe("k")


@case("CLAIM-3")
def refused_claim_keeps_value_and_times(s: Session) -> None:
    """After a refused claim value, creation and expiry are what they were."""
    space = s.open()
    ttl = LONG_MS if s.capabilities.ttl_unit_ms else None
    space.claim("a", {"by": 1}, ttl_ms=ttl)
    space.claim("b", 1)
    space.observe("a", "b")
    s.judge()
    s.tick()
    space.claim("a", {"by": 2}, ttl_ms=None if ttl is None else 2 * LONG_MS)
    space.claim("a", 3)
    space.claim("b", 2, ttl_ms=ttl)
    space.observe("a", "b")


@case("CLAIM-3", "ttl", time="virtual")
def refused_claim_does_not_renew(s: Session) -> None:
    """A refused claim neither lengthens nor shortens the life of the row it met."""
    space = s.open()
    unit = s.unit_ms
    space.claim("nobody's", 1, ttl_ms=10 * unit)  # so is a life that no claim has met
    s.advance(5 * unit)
    space.observe("nobody's")
    s.advance(5 * unit)
    space.observe("nobody's")
    space.claim("nobody's", 2, ttl_ms=unit)
    space.observe("nobody's")
    s.advance(unit)
    space.claim("a", 1, ttl_ms=10 * unit)
    space.claim("b", 1, ttl_ms=10 * unit)
    space.claim("c", 1)
    s.advance(5 * unit)
    s.judge()
    space.claim("a", 2, ttl_ms=100 * unit)
    space.claim("b", 2, ttl_ms=unit)
    space.claim("c", 2, ttl_ms=unit)
    s.advance(2 * unit)
    for key in "abc":
        space.claim(key, 3)
    s.advance(3 * unit)
    space.observe("a", "b", "c")
    space.claim("a", 4)
    space.observe("a", "b", "c")


@case("CLAIM-4")
def refused_claim_evicts_nobody(s: Session) -> None:
    """In a full namespace a refused claim costs no row; where nothing is ever full, neither."""
    space = s.open(max_entries=3)
    for key in "abc":
        space.claim(key, key)
        s.tick()
    s.judge()
    for key in "cab":
        space.claim(key, "late")
        space.observe("a", "b", "c")


@case("CLAIM-4", "eviction")
def refused_claim_in_a_namespace_of_one(s: Session) -> None:
    """With `maxEntries` 1 a refused claim keeps the only row, and a new key replaces it."""
    space = s.open(max_entries=1)
    space.claim("a", 1)
    s.judge()
    space.claim("a", 2)
    space.observe("a")
    s.tick()
    space.claim("b", 3)
    space.observe("a", "b")


@case("REG-1", "register")
def register_writes_over_absent_and_live(s: Session) -> None:
    """`register` stores its value over nothing and over a live row."""
    space = s.open()
    s.judge()
    space.register("k", 1)
    space.observe("k")
    s.tick()
    space.register("k", [2])
    space.observe("k")
    space.register("k", None)
    space.observe("k")


@case("REG-1", "register", "ttl")
def register_writes_over_expired(s: Session) -> None:
    """`register` stores its value over an expired row."""
    space = s.open()
    s.plant(space, "k")
    s.judge()
    space.register("k", "fresh")
    space.observe("k")


@case("REG-2", "register", "ttl")
def register_replaces_the_whole_row(s: Session) -> None:
    """`register` on a live key replaces value and both times together."""
    space = s.open()
    space.register("a", 1, ttl_ms=LONG_MS)
    space.register("b", 1)
    s.judge()
    s.tick()
    space.register("a", 2)
    space.register("b", 2, ttl_ms=2 * LONG_MS)
    space.observe("a", "b")
    s.tick()
    space.register("b", 3, ttl_ms=LONG_MS)
    space.observe("a", "b")


@case("REG-2", "register", "ttl", time="virtual")
def register_starts_a_new_life(s: Session) -> None:
    """A row that was registered anew lives by its new TTL, longer or shorter, or for ever."""
    space = s.open()
    unit = s.unit_ms
    for key in "abc":
        space.register(key, 1, ttl_ms=10 * unit)
    s.advance(5 * unit)
    s.judge()
    space.register("a", 2, ttl_ms=10 * unit)
    space.register("b", 2, ttl_ms=unit)
    space.register("c", 2)
    s.advance(unit)
    space.observe("a", "b", "c")
    s.advance(8 * unit)
    space.observe("a", "b", "c")
    s.advance(unit)
    space.observe("a", "b", "c")


@case("REG-3")
def writes_are_seen_through_every_connection(s: Session) -> None:
    """What one connection wrote or removed, every other sees at once."""
    here = s.open()
    there = s.open(backend=s.connect())
    s.judge()
    there.observe("k")
    here.claim("k", 1)
    there.observe("k")
    there.claim("k", 2)
    if "register" in s.capabilities.operations:
        there.register("k", 3)
        here.observe("k")
    if "delete" in s.capabilities.operations:
        there.delete("k")
        here.observe("k")
        there.observe("k")
        here.claim("k", 4)
        there.observe("k")


@case("REG-2", "register", "ttl")
def register_of_the_same_value_is_a_write(s: Session) -> None:
    """A value that is there already is written all the same: age and expiry are new."""
    space = s.open()
    space.register("a", 1, ttl_ms=LONG_MS)
    space.register("b", [1])
    s.judge()
    s.tick()
    space.register("a", 1)
    space.register("b", [1], ttl_ms=LONG_MS)
    space.observe("a", "b")


@case("READ-1")
def closing_a_connection_harms_no_other(s: Session) -> None:
    """Rows that were written through a connection, or beside it, stay when it is closed."""
    here = s.open()
    here.claim("a", 1)
    number = s.connect()
    there = s.open(backend=number)
    there.claim("b", 2)
    s.judge()
    s.disconnect(number)
    here.observe("a", "b")
    here.claim("b", "late")
    here.claim("c", 3)
    s.open(backend=s.connect()).observe("a", "b", "c")


@case("CLAIM-1", "delete")
def key_that_was_refused_is_won_once_it_is_free(s: Session) -> None:
    """Whoever lost a key wins it when another connection has ended its row before its time."""
    here = s.open()
    there = s.open(backend=s.connect())
    ttls = (None, LONG_MS) if s.capabilities.ttl_unit_ms else (None,)
    for number, ttl in enumerate(ttls):
        here.claim(f"k{number}", 1, ttl_ms=ttl)
        there.claim(f"k{number}", "late")
        here.delete(f"k{number}")
    s.judge()
    for number in range(len(ttls)):
        there.claim(f"k{number}", 2)
        here.observe(f"k{number}")
