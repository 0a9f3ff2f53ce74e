"""Programs for vectors alone, where a case of the kit is too long to read, or made for Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.strategies.nasty import DISTINCT_KEYS
from onewinner.suite.cases.case import Case
from recorder.expected import START_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.suite.cases.case import Program, Time
    from onewinner.suite.handle import Handle
    from onewinner.suite.session import Session
    from recorder.session import Recorder

INSTEAD: Final[dict[str, str]] = {
    "near_equal_keys_are_rows_of_their_own": "a vector for each group of keys that look alike",
    "clear_spares_every_other_place": "clear_spares_places_that_look_alike",
    "eviction_spares_every_other_place": "eviction_spares_places_that_look_alike",
    "sweep_takes_all_that_has_expired": "sweep_takes_more_than_a_batch",
    "claim_reclaims_among_many_expired": "each_of_many_expired_keys_is_won_again",
    "huge_ttl_is_refused_or_works": "a_ttl_beyond_all_exact_times",
    "entries_list_every_row": "entries_list_every_row_of_a_large_namespace",
}
"""Cases of the kit of which no vector is made, and what there is instead."""

TIED: Final = frozenset({"fresh_row_survives_in_a_namespace_of_one"})
"""Cases for any time that are about rows of one age where time is virtual."""

PROGRAMS: Final[list[Case]] = []

_ALIKE: Final = (
    "prefixes of one another and white space inside",
    "the usual separators of joined keys",
    "separators and parts of paths",
    "what LIKE and glob take for any sign",
    "upper and lower case",
    "signs whose other case is longer",
    "one sign in two forms of Unicode",
    "three spellings of one sign",
    "a ligature and its letters",
    "signs of no width",
    "numbers and words that a loose type takes for others",
    "quotes and comments",
    "escapes that nobody may decode",
    "signs beyond the basic plane",
    "control characters",
    "names that each object of JavaScript has",
    "white space inside that is not the same white space",
    "what file systems and addresses make one of",
    "one CRC-32",
    "one hash of Java, or of Bernstein",
    "one FNV-1a, or one FNV-1",
)
_PLACES: Final = (
    ("p", "n"),
    ("p", "nn"),
    ("p", "N"),
    ("p", "n_k"),
    ("p", "nxk"),
    ("pn", "n"),
    ("P", "n"),
    ("p.n", "k"),
    ("p", "n.k"),
    ("x/../p", "n"),
)


def program(clause: str, *needs: str) -> Callable[[Program], Program]:
    """Register the decorated program of a clause under its own name."""

    def register(body: Program) -> Program:
        name: str = body.__name__  # type: ignore[attr-defined]
        time: Time = "virtual" if "virtual-clock" in needs else "any"
        PROGRAMS.append(Case(name, clause, body, needs, time))
        return body

    return register


def _keys_alike(keys: tuple[str, ...], what: str) -> Program:
    def body(s: Session) -> None:
        space = s.open()
        for number, key in enumerate(keys):
            space.claim(key, number)
        space.observe(*keys)
        for key in keys:
            space.claim(key, "late")
        for key in keys[::2]:
            space.delete(key)
        space.observe(*keys)

    body.__doc__ = f"Keys that differ in little are rows of their own: {what}."
    return body


for _number, (_keys, _what) in enumerate(zip(DISTINCT_KEYS, _ALIKE, strict=True), 1):
    PROGRAMS.append(
        Case(f"keys_alike_{_number:02}", "ISO-1", _keys_alike(_keys, _what), ("delete",))
    )


def _opened(s: Session, max_entries: int) -> list[Handle]:
    return [s.open(plugin, name, max_entries=max_entries) for plugin, name in _PLACES]


@program("ISO-2", "lookup")
def clear_spares_places_that_look_alike(s: Session) -> None:
    """`clear` empties its own namespace, and none whose name or plugin is like it."""
    handles = _opened(s, 100)
    for space in handles:
        space.claim("k", 1)
    for cleared in (handles[0], handles[3], handles[7]):
        cleared.clear()
        for space in handles:
            space.lookup("k")
        cleared.claim("k", "again")


@program("ISO-2", "lookup")
def clear_by_another_case_spares_both(s: Session) -> None:
    """Namespaces and plugins that differ in case alone are cleared one at a time."""
    handles = _opened(s, 100)
    for space in handles:
        space.claim("k", 1)
    for cleared in (handles[2], handles[6], handles[9]):
        cleared.clear()
        for space in handles:
            space.lookup("k")
        cleared.claim("k", "again")


@program("ISO-3", "lookup", "eviction")
def eviction_spares_places_that_look_alike(s: Session) -> None:
    """Eviction takes rows of its own namespace, though those of others are older."""
    handles = _opened(s, 2)
    for space in handles:
        space.claim("old", 1)
        s.tick()
    for space in (handles[0], handles[3], handles[7], handles[9]):
        for key in ("a", "b"):
            space.claim(key, key)
            s.tick()
        for other in handles:
            other.lookup("old")
        space.observe("a", "b")


@program("DEL-6", "register", "virtual-clock")
def sweep_takes_more_than_a_batch(s: Recorder) -> None:
    """One sweep removes and counts every expired row, also where they are more than one batch."""
    for plugin in ("p1", "p2"):
        space = s.open(plugin, "n", max_entries=1_000)
        s.fill(space, 150, "k", s.short_ms)
        space.claim("live", 1)
    s.lapse(s.short_ms)
    s.sweep()
    s.sweep()
    space.observe("live", "k000149")


@program("TTL-5", "register", "virtual-clock")
def each_of_many_expired_keys_is_won_again(s: Recorder) -> None:
    """However many other rows have expired, the key that is asked for can be claimed, once."""
    space = s.open(max_entries=1_000)
    s.fill(space, 300, "k", s.short_ms)
    s.lapse(s.short_ms)
    for key in ("k000299", "k000000", "k000150"):
        space.claim(key, "new")
        space.claim(key, "late")
    space.observe("k000299", "k000000", "k000001")


@program("TTL-7", "lookup", "virtual-clock")
def a_ttl_up_to_the_last_exact_time(s: Session) -> None:
    """A TTL works up to the last millisecond that each reader of JSON holds exactly, 2^53-1."""
    space = s.open()
    space.claim("before", 1)
    longest = 2**53 - 1 - START_MS
    for number, ttl in enumerate((2**31 - 1, 2**31, 2**32, longest)):
        space.claim(f"k{number}", number, ttl_ms=ttl)
        space.claim(f"k{number}", "late")
        space.observe("before", f"k{number}")
    s.advance(2**31 - 1)
    space.observe("before", "k0", "k1")
    s.advance(1)
    space.observe("k0", "k1", "k2", "k3")


@program("TTL-7", "lookup", "virtual-clock")
def a_ttl_beyond_all_exact_times(s: Session) -> None:
    """A TTL beyond that is refused or works, and harms no other row of the namespace."""
    space = s.open()
    space.claim("before", 1)
    space.claim("k", 1, ttl_ms=2**53 - START_MS)
    space.observe("before", "k")
    space.claim("k2", 2, ttl_ms=2**53 - 1)
    space.observe("before", "k2")
    space.claim("after", 1)
    space.claim("before", "late")
    space.observe("before", "after")
