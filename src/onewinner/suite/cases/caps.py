"""Cases of the family CAP: what a plugin may hold over all its namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.suite.cases.case import case

if TYPE_CHECKING:
    from onewinner.suite.handle import Handle
    from onewinner.suite.session import Session


def _cap(s: Session) -> int:
    cap = s.capabilities.limits.plugin_row_cap
    assert cap is not None
    return cap


def _filled(s: Session, spare: int = 0, plugin: str = "plugin") -> tuple[Handle, Handle]:
    """Fill two namespaces of a plugin up to `spare` rows below its cap, and answer the second."""
    cap = _cap(s)
    bulk = s.open(plugin, "bulk", max_entries=2 * cap)
    s.fill(bulk, cap - 2 - spare)
    s.tick()
    rest = s.open(plugin, "rest", max_entries=2 * cap)
    s.fill(rest, 2, "rest")
    s.tick()
    return bulk, rest


@case("CAP-1", "register", many=True)
def insert_over_the_cap(s: Session) -> None:
    """The last row below the cap goes in; the next insert does as the profile says."""
    _, rest = _filled(s, spare=1)
    s.judge()
    rest.claim("last", 1)
    s.tick()
    rest.claim("over", 1)
    rest.observe("last", "over")
    s.tick()
    rest.register("over2", 1)
    rest.observe("last", "over2")
    third = s.open(namespace="third", max_entries=10)
    third.claim("over3", 1)
    third.observe("over3")


@case("CAP-1", "register", "lookup", many=True)
def oldest_rows_of_the_plugin_are_at_stake_at_the_cap(s: Session) -> None:
    """At the cap an insert is refused, or the plugin's oldest row goes, whatever its namespace."""
    cap = _cap(s)
    first = s.open(namespace="first", max_entries=2 * cap)
    second = s.open(namespace="second", max_entries=2 * cap)
    for space, key in ((second, "a"), (first, "z"), (second, "m")):
        space.claim(key, 1)
        s.tick()
    s.fill(s.open(namespace="bulk", max_entries=2 * cap), cap - 3)
    s.tick()
    s.judge()
    for number in range(3):
        first.claim(f"over{number}", 1)
        first.observe("z", "over0", "over1", "over2")
        second.observe("a", "m")
        s.tick()


@case("CAP-2", "register", "lookup", many=True)
def refusal_at_the_cap_changes_nothing(s: Session) -> None:
    """An insert that fails at the cap leaves every namespace of the plugin as it was."""
    bulk, rest = _filled(s)
    small = s.open(namespace="small", max_entries=1)
    s.judge()
    for _ in range(2):
        rest.claim("over", 1)
        rest.register("over", 1)
        small.claim("over", 1)
        rest.observe("over", "rest000000", "rest000001")
        small.observe("over")
    bulk.observe("fill000000", "fill000001")


@case("CAP-2", "register", "delete", many=True)
def store_serves_after_a_refusal_at_the_cap(s: Session) -> None:
    """After a refusal at the cap a removal makes room for one row again."""
    _, rest = _filled(s)
    rest.claim("over", 1)
    s.judge()
    rest.delete("rest000000")
    rest.claim("over", 2)
    s.tick()
    rest.claim("over2", 2)
    rest.observe("over", "over2", "rest000000")


@case("CAP-3", "register", many=True)
def expired_rows_do_not_count_towards_the_cap(s: Session) -> None:
    """Rows that have expired make room under the cap, also in namespaces nobody touches."""
    _, rest = _filled(s, spare=3)
    idle = s.open(namespace="idle", max_entries=10)
    s.plant(idle, "x", "y", "z")
    s.judge()
    for key in "abc":
        rest.claim(key, key)
        s.tick()
    rest.claim("over", 1)
    rest.observe("a", "b", "c", "over")


@case("CAP-4", "register", "lookup", many=True)
def updates_and_refusals_at_the_cap(s: Session) -> None:
    """At the cap a live key can be updated, and a claim of it is refused as ever."""
    _, rest = _filled(s)
    s.judge()
    rest.register("rest000000", "updated")
    rest.claim("rest000001", "late")
    rest.observe("rest000000", "rest000001")


@case("CAP-4", "register", "eviction", many=True)
def own_eviction_comes_before_the_cap(s: Session) -> None:
    """At the cap an insert works for which its own namespace evicts a row."""
    cap = _cap(s)
    bulk = s.open(namespace="bulk", max_entries=2 * cap)
    s.fill(bulk, cap - 2)
    s.tick()
    small = s.open(namespace="small", max_entries=2)
    small.claim("a", 1)
    s.tick()
    small.claim("b", 1)
    s.tick()
    s.judge()
    small.claim("c", 1)
    small.observe("a", "b", "c")
    s.tick()
    small.register("d", 1)
    small.observe("a", "b", "c", "d")


@case("ISO-4", "register", "row-cap", many=True)
def other_plugins_have_their_own_cap(s: Session) -> None:
    """A plugin at its cap leaves every other plugin all its room."""
    _filled(s)
    other = s.open("plugin2", "bulk", max_entries=10)
    s.judge()
    other.claim("a", 1)
    other.register("b", 1)
    other.observe("a", "b")


@case("ISO-4")
def other_namespaces_have_their_own_limit(s: Session) -> None:
    """Rows of one namespace take no place in another, whether there is a limit or not."""
    crowded = s.open(namespace="crowded", max_entries=50)
    for number in range(5):
        crowded.claim(f"k{number}", number)
        s.tick()
    small = s.open(namespace="small", max_entries=2)
    s.judge()
    small.claim("k0", 1)
    s.tick()
    small.claim("k1", 1)
    small.observe("k0", "k1")
    crowded.observe("k0", "k4")
