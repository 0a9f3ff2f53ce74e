"""Cases of the newer, optional operations and options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.suite.cases.case import case
from onewinner.suite.session import LONG_MS

if TYPE_CHECKING:
    from onewinner.suite.session import Session

_VALUES = (0, 1, 1.5, True, False, None, "", "1", "text")
_ALIKE = ("Mine", "mine", "mine ", "m\u00efne", "mi\u0308ne")


@case("READ-8")
def count_is_the_number_of_rows(s: Session) -> None:
    """`count` goes with what is inserted, refused, replaced and removed, here and nowhere else."""
    space, other = s.open(max_entries=3), s.open(namespace="other")
    s.judge()
    space.count()
    for key in "abca":
        space.claim(key, key)
        space.count()
        s.tick()
    other.claim("x", 1)
    other.count()
    space.claim("d", "d")
    space.count()
    if "delete" in s.capabilities.operations:
        space.delete("d")
        space.delete("d")
        space.count()
    if "clear" in s.capabilities.operations:
        space.clear()
        space.count()
    other.count()


@case("READ-8", "ttl", "register")
def count_leaves_out_expired_rows(s: Session) -> None:
    """A row that has expired is not counted, whether or not it was removed."""
    space = s.open()
    space.claim("live", 1)
    s.plant(space, "x", "y")
    s.judge()
    space.count()
    space.claim("x", 2)
    space.count()


@case("READ-9")
def each_key_is_answered_at_its_place(s: Session) -> None:
    """Live, absent and null, in the order of the keys, also where one is asked for twice."""
    space, other = s.open(), s.open(namespace="other")
    for key, value in (("a", 1), ("b", None), ("c", {"n": [1]})):
        space.claim(key, value)
    other.claim("d", 4)
    s.judge()
    space.lookup_many("c", "never", "a", "b", "a", "d")
    space.lookup_many()
    space.lookup_many("never")
    space.observe("a", "b", "c")


@case("READ-9", "ttl", "register")
def many_lookups_leave_out_expired_rows(s: Session) -> None:
    """An expired row is absent, beside live ones."""
    space = s.open()
    space.claim("live", 1)
    s.plant(space, "x", "y")
    s.judge()
    space.lookup_many("x", "live", "y")


@case("READ-11", "register")
def every_row_is_younger_than_those_before(s: Session) -> None:
    """Rows written within a millisecond, new and renewed, tell their order by their age."""
    space, other = s.open(), s.open(namespace="other")
    s.judge()
    for key in ("z", "y", "a", "m"):
        space.claim(key, key)
    space.entries()
    for key in ("m", "z", "y"):
        space.register(key, "again")
        other.register(key, "there")
    if "update" in s.capabilities.operations:
        space.update("a", {"replace": "updated"})
    if s.capabilities.operations.issuperset({"observe", "compare_and_apply"}):
        space.compare("z", space.observation("z"), {"set": "compared"})
    space.entries()
    other.entries()
    s.tick()
    space.register("b", 1)
    space.entries()


@case("READ-11", "register", time="virtual")
def rows_are_younger_though_the_clock_stepped_back(s: Session) -> None:
    """After the clock was set back a new row is younger than those that are there, all the same."""
    space = s.open(max_entries=3)
    space.claim("a", 1)
    space.claim("b", 2)
    s.advance(-LONG_MS)
    s.judge()
    space.claim("c", 3)
    space.entries()
    space.register("a", 4)
    space.entries()


@case("DEL-7")
def a_row_of_another_value_stays(s: Session) -> None:
    """`deleteIfEqual` removes the row of its scalar alone; `1` is not `true` and not `"1"`."""
    space = s.open()
    for value in _VALUES:
        space.claim(f"k{value!r}", value)
    s.tick()
    s.judge()
    for value in _VALUES:
        for expected in _VALUES:
            if expected != value or isinstance(expected, bool) != isinstance(value, bool):
                space.delete_if_equal(f"k{value!r}", expected)
        space.observe(f"k{value!r}")
        space.delete_if_equal(f"k{value!r}", value)
        space.delete_if_equal(f"k{value!r}", value)
    space.delete_if_equal("never", None)
    space.observe("never")


@case("DEL-7")
def a_number_is_equal_however_it_is_spelt(s: Session) -> None:
    """`1` and `1.0` are one number."""
    space = s.open()
    for key, value in (("whole", 1), ("fraction", 2.0)):
        space.claim(key, value)
    s.judge()
    space.delete_if_equal("whole", 1.0)
    space.delete_if_equal("fraction", 2)
    space.observe("whole", "fraction")


@case("DEL-7")
def text_is_compared_sign_by_sign(s: Session) -> None:
    """Text that a person takes for the same, or a database, is not equal."""
    space = s.open()
    for text in _ALIKE:
        space.claim(f"of {text!r}", text)
    s.tick()
    s.judge()
    for text in _ALIKE:
        for expected in _ALIKE:
            if expected != text:
                space.delete_if_equal(f"of {text!r}", expected)
        space.observe(f"of {text!r}")


@case("DEL-7")
def no_scalar_is_equal_to_a_structure(s: Session) -> None:
    """A row that holds an array or an object stays, whatever scalar it is compared with."""
    space = s.open()
    space.claim("list", [1])
    space.claim("object", {"a": 1})
    s.judge()
    for expected in (1, "[1]", None, True):
        space.delete_if_equal("list", expected)
        space.delete_if_equal("object", expected)
    space.observe("list", "object")


@case("DEL-7", "ttl", "register")
def an_expired_row_is_equal_to_nothing(s: Session) -> None:
    """`deleteIfEqual` answers false of a row that has expired."""
    space = s.open()
    s.plant(space, "k", value="mine")
    s.judge()
    space.delete_if_equal("k", "mine")
    space.claim("k", "next")
    space.delete_if_equal("k", "mine")
    space.observe("k")


@case("DEL-8")
def the_condition_decides(s: Session) -> None:
    """`deleteIf` removes the row of which its condition holds, and no other."""
    space = s.open()
    for key, value in (("a", 1), ("b", 5), ("c", [1, {"x": None}]), ("d", None)):
        space.claim(key, value)
    s.tick()
    s.judge()
    for key in "abcd":
        space.delete_if(key, {"above": 4})
        space.observe(*"abcd")
    space.delete_if("c", {"equals": [1]})
    space.delete_if("d", {"equals": False})
    space.observe(*"abcd")
    space.delete_if("c", {"equals": [1, {"x": None}]})
    space.delete_if("d", {"equals": None})
    space.delete_if("never", {"equals": None})
    space.observe(*"abcd")


@case("DEL-8", "ttl", "register")
def no_condition_holds_of_an_expired_row(s: Session) -> None:
    """`deleteIf` answers false of a row that has expired."""
    space = s.open()
    s.plant(space, "k", value=5)
    s.judge()
    space.delete_if("k", {"above": 4})
    space.observe("k")


@case("UPD-1")
def update_stores_what_the_function_makes(s: Session) -> None:
    """A live value is given to the function, and its answer is stored."""
    space, other = s.open(), s.open(namespace="other")
    space.claim("n", 1)
    space.claim("list", [])
    other.claim("n", 50)
    s.judge()
    for amount in (1, 10, -5):
        space.update("n", {"increment": amount})
        space.observe("n")
    space.update("list", {"append": {"a": None}})
    space.update("list", {"append": 2})
    space.update("n", {"replace": "text"})
    space.observe("n", "list")
    other.observe("n")


@case("UPD-1")
def update_of_no_row_is_given_its_absence(s: Session) -> None:
    """Where there is no row the function is told so: null is a value, and is not absent."""
    space = s.open()
    space.claim("null", None)
    s.judge()
    space.update("new", {"increment": 7})
    space.update("list", {"append": 1})
    space.update("never", {"replace": 1})
    space.update("null", {"increment": 1})
    space.update("null", {"replace": 3})
    space.observe("new", "list", "never", "null")


@case("UPD-1")
def a_function_that_leaves_the_value_changes_nothing(s: Session) -> None:
    """Where the function leaves it the answer is false, and value, age and expiry are as before."""
    space = s.open()
    ttl = LONG_MS if s.capabilities.ttl_unit_ms else None
    space.claim("k", "text", ttl_ms=ttl)
    s.tick()
    s.judge()
    space.update("k", {"increment": 1})
    space.update("k", {"append": 1})
    space.observe("k")


@case("UPD-1", "ttl")
def update_renews_age_and_expiry(s: Session) -> None:
    """As with `register`, the row's age and its TTL are new: without one it never expires."""
    space = s.open()
    space.claim("k", 1, ttl_ms=LONG_MS)
    space.claim("j", 1)
    s.tick()
    s.judge()
    space.update("j", {"increment": 1}, ttl_ms=2 * LONG_MS)
    s.tick()
    space.update("k", {"increment": 1})
    space.observe("k", "j")


@case("UPD-1", "ttl", "register")
def update_of_an_expired_row_begins_anew(s: Session) -> None:
    """The function is told of no row where the row has expired."""
    space = s.open()
    s.plant(space, "k", value=100)
    s.judge()
    space.update("k", {"increment": 1})
    space.observe("k")


@case("EVICT-9", "register")
def an_opening_that_rejects_takes_no_new_key(s: Session) -> None:
    """At `maxEntries` a new key is refused; updates, refused claims and removals go on as ever."""
    space = s.open(max_entries=2, overflow_policy="reject-new")
    evicts = s.open(namespace="evicts", max_entries=2, overflow_policy="evict-oldest")
    for key in "ab":
        space.claim(key, 1)
        evicts.claim(key, 1)
        s.tick()
    s.judge()
    space.claim("c", 1)
    space.register("c", 1)
    space.observe("a", "b", "c")
    evicts.claim("c", 1)
    evicts.observe("a", "b", "c")
    space.claim("a", "late")
    space.register("b", "updated")
    space.observe("a", "b", "c")
    if "delete" in s.capabilities.operations:
        space.delete("a")
        space.claim("c", 1)
        space.observe("a", "b", "c")


@case("EVICT-9", "register", "ttl")
def an_opening_that_rejects_counts_live_rows_alone(s: Session) -> None:
    """A namespace is full of live rows only: a new key takes the place of one that expired."""
    space = s.open(max_entries=3, overflow_policy="reject-new")
    space.claim("live", 1)
    s.plant(space, "gone", "gone too")
    s.judge()
    space.claim("new", 1)
    space.register("newer", 1)
    space.claim("one too many", 1)
    space.observe("live", "gone", "gone too", "new", "newer", "one too many")
    again = s.open(namespace="again", max_entries=2, overflow_policy="reject-new")
    again.claim("live", 1)
    s.plant(again, "gone")
    again.claim("gone", 2)
    again.observe("live", "gone")


@case("EVICT-9", "update")
def an_update_of_no_row_is_a_new_key(s: Session) -> None:
    """What inserts is refused where the namespace is full, by whatever name; the rest works."""
    space = s.open(max_entries=1, overflow_policy="reject-new")
    space.claim("n", 1)
    s.judge()
    space.update("new", {"increment": 1})
    space.update("n", {"increment": 1})
    space.observe("n", "new")


@case("INPUT-12")
def overflow_policies_are_two(s: Session) -> None:
    """Another policy is refused, and so is another one than the namespace is open with."""
    s.judge()
    for wrong in ("", "reject", "REJECT-NEW", "evict_oldest", 1, False):
        s.try_open(namespace="n", max_entries=2, overflow_policy=wrong)
    s.open(namespace="n", max_entries=2, overflow_policy="reject-new")
    s.try_open(namespace="n", max_entries=2, overflow_policy="evict-oldest")
    s.try_open(namespace="n", max_entries=2)
    s.open(namespace="m", max_entries=2)
    s.try_open(namespace="m", max_entries=2, overflow_policy="reject-new")
    s.open(namespace="n", max_entries=2, overflow_policy="reject-new").observe("a")
