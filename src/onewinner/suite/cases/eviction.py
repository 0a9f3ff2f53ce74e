"""Cases of the family EVICT: who goes when a namespace is full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.suite.cases.case import case
from onewinner.suite.session import LONG_MS

if TYPE_CHECKING:
    from onewinner.suite.session import Session


@case("EVICT-1", "register")
def oldest_row_is_evicted(s: Session) -> None:
    """Each insert into a full namespace evicts the oldest row, whatever its key."""
    space = s.open(max_entries=3)
    s.judge()
    keys = ("m", "z", "a", "k", "b", "y", "c")
    for number, key in enumerate(keys):
        write = space.register if number % 2 else space.claim
        write(key, number)
        space.observe(*keys)
        s.tick()


@case("EVICT-1")
def exactly_the_excess_is_evicted(s: Session) -> None:
    """A namespace of ten holds ten rows after the eleventh insert, not nine and not eleven."""
    space = s.open(max_entries=10)
    keys = [f"k{number:02}" for number in range(14)]
    for key in keys[:10]:
        space.claim(key, key)
        s.tick()
    s.judge()
    space.observe(*keys)
    for key in keys[10:]:
        space.claim(key, key)
        space.observe(*keys)
        s.tick()


@case("EVICT-1", "ttl")
def eviction_goes_by_age_not_by_expiry(s: Session) -> None:
    """The oldest row goes, also where a younger one expires sooner or the oldest never does."""
    space = s.open(max_entries=3)
    space.claim("oldest", 1)
    s.tick()
    space.claim("soonest", 2, ttl_ms=LONG_MS)
    s.tick()
    space.claim("latest", 3, ttl_ms=9 * LONG_MS)
    s.tick()
    s.judge()
    space.claim("new", 4)
    space.observe("oldest", "soonest", "latest", "new")


@case("EVICT-2")
def fresh_row_survives_in_a_namespace_of_one(s: Session) -> None:
    """The row just written stays, also where it is as old as the other and its key sorts first."""
    s.judge()
    for number in range(1 if s.virtual else 40):  # in real time not every pair is of one age
        for first, second in (("z", "a"), ("a", "z"), ("m", "m0")):
            space = s.open(namespace=f"{first}{second}{number}", max_entries=1)
            space.claim(first, 1)
            space.claim(second, 2)
            space.observe(first, second)


@case("EVICT-2", "register", time="virtual")
def fresh_row_survives_ties(s: Session) -> None:
    """Where all rows are of one age, the row just written is not the one to go."""
    s.judge()
    space = s.open(max_entries=2)
    for key in ("z", "y", "x", "a", "b"):
        space.register(key, key)
        space.observe("z", "y", "x", "a", "b")


@case("EVICT-2", "register", time="virtual")
def fresh_row_survives_a_clock_that_stepped_back(s: Session) -> None:
    """After the clock stepped back the row just written is the oldest by its stamp, and stays."""
    space = s.open(max_entries=2)
    space.claim("a", 1)
    s.tick()
    space.claim("b", 2)
    s.advance(-LONG_MS)
    s.judge()
    space.claim("c", 3)
    space.observe("a", "b", "c")


@case("EVICT-12", time="virtual")
def rows_written_while_the_clock_is_behind_stay(s: Session) -> None:
    """After the clock stepped back, rows go as they were written, and new claims go last."""
    space = s.open(max_entries=3)
    for key in "abc":
        space.claim(key, 1)
        s.tick()
    s.advance(-LONG_MS)
    s.judge()
    for key in "defg":
        space.claim(key, 2)
        space.observe(*"abcdefg")
        s.tick()


@case("EVICT-12", "register", time="virtual")
def rows_renewed_while_the_clock_is_behind_stay(s: Session) -> None:
    """A row that is renewed after the clock stepped back is no older than those that are there."""
    space = s.open(max_entries=3)
    for key in "abc":
        space.register(key, 1)
        s.tick()
    s.advance(-LONG_MS)
    s.judge()
    space.register("a", 2)
    space.observe(*"abcd")
    s.tick()
    space.claim("d", 1)
    space.observe(*"abcd")


@case("EVICT-3", time="virtual")
def ties_are_broken_by_key(s: Session) -> None:
    """Among rows of one age the one whose key sorts first goes."""
    space = s.open(max_entries=4)
    for key in ("c", "a", "D", "b"):  # capitals come first
        space.claim(key, key)
    s.tick()
    s.judge()
    for key in ("0", "1", "2"):
        space.claim(key, key)
        space.observe("a", "b", "c", "D", "0", "1", "2")


@case("EVICT-4")
def update_makes_a_row_the_newest(s: Session) -> None:
    """`register` on a live key of a full namespace evicts nobody, and that row is then youngest."""
    space = s.open(max_entries=3)
    for key in "abc":
        space.register(key, 1)
        s.tick()
    s.judge()
    space.register("a", 2)
    space.observe("a", "b", "c")
    s.tick()
    space.register("d", 1)
    space.observe("a", "b", "c", "d")
    s.tick()
    space.register("e", 1)
    space.observe("a", "b", "c", "d", "e")


@case("EVICT-5")
def expired_rows_take_no_place(s: Session) -> None:
    """Expired rows leave their places to new ones before any live row is evicted."""
    space = s.open(max_entries=3)
    space.claim("live", 1)
    s.tick()
    s.plant(space, "x", "y")
    s.judge()
    space.claim("a", 1)
    s.tick()
    space.observe("live", "a")
    space.claim("b", 1)
    s.tick()
    space.observe("live", "a", "b")
    space.claim("c", 1)
    space.observe("live", "a", "b", "c")


@case("EVICT-5", "register")
def reclaim_in_a_full_namespace_evicts_nobody(s: Session) -> None:
    """Claiming an expired key takes the expired row's own place."""
    space = s.open(max_entries=3)
    s.plant(space, "k")
    space.claim("a", 1)
    s.tick()
    space.claim("b", 1)
    s.tick()
    s.judge()
    space.claim("k", 2)
    space.observe("a", "b", "k")


@case("EVICT-8", "register")
def full_namespace_rejects_new_keys(s: Session) -> None:
    """At `maxEntries` a new key is refused; updates, refused claims and removals go on as ever."""
    space = s.open(max_entries=2)
    space.claim("a", 1)
    space.claim("b", 1)
    s.judge()
    space.claim("c", 1)
    space.register("c", 1)
    space.observe("a", "b", "c")
    space.claim("a", "late")
    space.register("b", "updated")
    space.observe("a", "b", "c")
    if "delete" in s.capabilities.operations:
        space.delete("a")
        space.claim("c", 1)
        space.observe("a", "b", "c")


@case("EVICT-8", "register", "ttl")
def expired_rows_leave_room_where_new_keys_are_rejected(s: Session) -> None:
    """A namespace is full of live rows only: a new key takes the place of one that expired."""
    space = s.open(max_entries=3)
    space.claim("live", 1)
    s.plant(space, "gone", "gone too")
    s.judge()
    space.claim("new", 1)
    space.register("newer", 1)
    space.claim("one too many", 1)
    space.observe("live", "gone", "gone too", "new", "newer", "one too many")
    again = s.open(namespace="again", max_entries=2)
    again.claim("live", 1)
    s.plant(again, "gone")
    again.claim("gone", 2)
    again.observe("live", "gone")


@case("EVICT-5", "consume", "delete")
def removed_rows_take_no_place(s: Session) -> None:
    """Rows that were consumed or deleted leave room."""
    space = s.open(max_entries=2)
    space.claim("a", 1)
    s.tick()
    space.claim("b", 1)
    s.tick()
    s.judge()
    space.consume("a")
    space.claim("c", 1)
    space.observe("a", "b", "c")
    s.tick()
    space.delete("b")
    space.claim("d", 1)
    space.observe("a", "b", "c", "d")


@case("EVICT-1")
def a_large_limit_is_no_small_one(s: Session) -> None:
    """A limit that says "as good as none", beyond 31, 32 or 53 bits, evicts nobody."""
    s.judge()
    for number, most in enumerate((2**31, 2**32 + 1, 2**53 - 1)):
        space = s.open(namespace=f"n{number}", max_entries=most)
        for key in "abc":
            space.claim(key, most)
            s.tick()
        space.observe("a", "b", "c")


@case("EVICT-1")
def a_key_that_looks_like_the_new_one_is_evicted(s: Session) -> None:
    """Only the row just written is spared, not one whose key a careless comparison takes for it."""
    s.judge()
    for number, (old, new) in enumerate((("a", "A"), ("kx", "k_"), ("kx", "k%"), ("é", "e"))):
        space = s.open(namespace=f"n{number}", max_entries=1)
        space.claim(old, 1)
        s.tick()
        space.claim(new, 2)
        space.observe(old, new)


@case("EVICT-12", time="virtual")
def rows_written_by_another_handle_while_the_clock_is_behind_stay(s: Session) -> None:
    """How far the clock is behind is told by the rows that are there, not by what a handle saw."""
    space = s.open(max_entries=3)
    for key in "abc":
        space.claim(key, 1)
        s.tick()
    s.advance(-LONG_MS)
    there = s.open(max_entries=3, backend=s.connect())
    s.judge()
    for key in "defg":
        there.claim(key, 2)
        space.observe(*"abcdefg")
        s.tick()


@case("EVICT-1", "durable")
def all_that_are_too_many_go_at_once(s: Session) -> None:
    """Where a namespace is opened again with a lower limit, an insert evicts all the excess."""
    keys = "fedcba"
    space = s.open(max_entries=6)
    for key in keys:
        space.claim(key, 1)
        s.tick()
    s.reopen()
    lower = s.try_open(max_entries=2)
    if lower is None:
        return  # it goes on to hold the namespace to the options that it had
    s.judge()
    lower.claim("new", 1)
    lower.observe(*keys, "new")
