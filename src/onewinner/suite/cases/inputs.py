"""Cases of the families INPUT and ERR: what is refused, how, and that it changes nothing."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from onewinner.strategies.nasty import (
    KEYS_WITH_NUL,
    KEYS_WITH_SURROGATES,
    NAMESPACES_ACCEPTED,
    NAMESPACES_REFUSED,
    PLUGINS_WITH_NUL,
    TRIMMED_PAIRS,
)
from onewinner.suite.cases.case import case
from onewinner.suite.session import LONG_MS

if TYPE_CHECKING:
    from onewinner.suite.handle import Handle
    from onewinner.suite.session import Session

_BAD_COUNTS: tuple[Any, ...] = (0, -1, 1.5, "1", True, float("nan"), float("inf"))


def _nested(depth: int, inside: Any = 0) -> Any:
    return reduce(lambda value, _: [value], range(depth), inside)


def _cycle() -> list[Any]:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


@case("INPUT-1")
def namespaces_are_checked(s: Session) -> None:
    """Names outside the pattern or over the limit are refused; all others open and work."""
    limit = s.capabilities.limits.max_namespace_bytes
    accepted = (*NAMESPACES_ACCEPTED, "n" * limit)
    s.judge()
    for name in (*NAMESPACES_REFUSED, "n" * (limit + 1)):
        s.try_open(namespace=name)
    for name in accepted:
        space = s.open(namespace=name)
        space.claim("k", name)
    for name in accepted:
        s.open(namespace=name).observe("k")


@case("INPUT-1")
def namespaces_are_trimmed(s: Session) -> None:
    """White space around a namespace's name does not make another namespace."""
    s.judge()
    s.open(namespace="name").claim("k", 1)
    s.open(namespace=" name\t").claim("k", 2)


@case("INPUT-2")
def core_plugins_are_refused(s: Session) -> None:
    """A plugin id that begins with `core:` is refused; one that only looks like it is not."""
    s.judge()
    s.try_open("core:state")
    s.try_open("core:")
    for plugin in ("core", "corex:a", "my-core:a"):
        s.open(plugin).claim("k", plugin)


@case("INPUT-3")
def max_entries_is_checked(s: Session) -> None:
    """`maxEntries` is an integer of at least one, and cannot change while the process runs."""
    s.judge()
    for number in _BAD_COUNTS:
        s.try_open(max_entries=number)
    s.open(max_entries=5).claim("k", 1)
    s.try_open(max_entries=6)
    s.try_open(max_entries=5, default_ttl_ms=LONG_MS)
    s.open(max_entries=5).observe("k")


@case("INPUT-3")
def options_are_those_of_all_connections(s: Session) -> None:
    """Another connection of the process cannot open a namespace with other options either."""
    s.judge()
    s.open(max_entries=5).claim("k", 1)
    other = s.connect()
    s.try_open(max_entries=6, backend=other)
    s.try_open(max_entries=5, default_ttl_ms=LONG_MS, backend=other)
    s.open(max_entries=5, backend=other).observe("k")


@case("INPUT-4", "lookup")
def keys_are_checked(s: Session) -> None:
    """An empty key and one over 512 bytes are refused by every operation; 512 bytes are not."""
    space = s.open()
    limit = s.capabilities.limits.max_key_bytes
    s.judge()
    for key in ("", " ", "\t\r\n", "k" * (limit + 1), "é" * (limit // 2 + 1), 5, None):
        space.claim(key, 1)
        space.lookup(key)
        for f in ("register", "consume", "delete"):
            if f in s.capabilities.operations:
                getattr(space, f)(*((key, 1) if f == "register" else (key,)))
        _newer_calls(s, space, key)
    for key in ("k" * limit, "é" * (limit // 2), " " + "l" * limit + " "):
        space.claim(key, 1)
        space.observe(key)


def _newer_calls(s: Session, space: Handle, key: Any) -> None:
    """Make each newer operation that the store has, with this key; the row is there in the end."""
    has = s.capabilities.operations.__contains__
    if has("lookup_many"):
        space.lookup_many("a", key)
    if has("delete_if_equal"):
        space.delete_if_equal(key, 1)
    if has("delete_if"):
        space.delete_if(key, {"equals": 1})
    if has("update"):
        space.update(key, {"increment": 1})
    space.observe()
    if has("observe"):
        seen = space.observation(key)
        if has("compare_and_apply"):
            space.compare(key, seen, {"set": 2})


@case("INPUT-4", "lookup")
def long_keys_are_not_cut(s: Session) -> None:
    """Keys that differ only in their last byte are rows of their own."""
    space = s.open()
    stem = "é" * (s.capabilities.limits.max_key_bytes // 2 - 1)
    s.judge()
    for end in ("aa", "ab", "ba", "a"):
        space.claim(stem + end, end)
    space.observe(*(stem + end for end in ("aa", "ab", "ba", "a")))


@case("INPUT-5", "lookup")
def trimmed_keys_are_one_key(s: Session) -> None:
    """Keys that differ in surrounding white space are one key for every operation."""
    s.judge()
    for number, (spelt, plain) in enumerate(TRIMMED_PAIRS):
        space = s.open(namespace=f"n{number}")
        space.claim(spelt, 1)
        space.claim(plain, 2)
        space.observe(spelt, plain)
        if "register" in s.capabilities.operations:
            space.register(spelt, 3)
            space.observe(plain)
        if "consume" in s.capabilities.operations:
            space.consume(spelt)
            space.observe(plain, spelt)
            space.claim(plain, 4)
            space.observe(plain)
        if "delete" in s.capabilities.operations:
            space.delete(spelt)
            space.observe(plain)
        space.claim(plain, 1)
        space.observe(plain)
        _newer_calls(s, space, spelt)
        space.observe(plain)


@case("INPUT-6")
def ttls_are_checked(s: Session) -> None:
    """A TTL that is no integer of at least one is refused by both writers and by `open`."""
    space = s.open()
    s.judge()
    for ttl in _BAD_COUNTS:
        space.claim("k", 1, ttl_ms=ttl)
        if "register" in s.capabilities.operations:
            space.register("k", 1, ttl_ms=ttl)
        if "update" in s.capabilities.operations:
            space.update("k", {"increment": 1}, ttl_ms=ttl)
        if s.capabilities.operations.issuperset({"observe", "compare_and_apply"}):
            space.compare("k", space.observation("k"), {"set": 1}, ttl_ms=ttl)
        s.try_open(namespace="other", default_ttl_ms=ttl)
    space.observe("k")


@case("INPUT-7")
def values_must_be_json(s: Session) -> None:
    """What is not JSON is refused: not finite, cyclic, of another type, also deep inside."""
    space = s.open()
    s.judge()
    for value in (float("nan"), float("inf"), -float("inf"), object(), {1, 2}, b"x", _cycle()):
        space.claim("k", value)
        space.claim("k", [{"in": value}])
    space.claim("k", {1: "a"})
    space.observe("k")


@case("INPUT-7")
def shared_parts_are_no_cycle(s: Session) -> None:
    """A value that holds one part twice is a tree like any other, and is kept."""
    space = s.open()
    part = ["part"]
    s.judge()
    space.claim("k", [part, part])
    space.observe("k")


@case("INPUT-8")
def nesting_is_limited(s: Session) -> None:
    """A value nested within the limit is kept; one that every count finds too deep is refused."""
    space = s.open()
    limit = s.capabilities.limits.max_value_depth
    s.judge()
    space.claim("within", _nested(limit - 1))
    space.claim("empty", _nested(limit - 1, []))
    space.claim("over", _nested(limit + 1))
    space.claim("over", {"a": _nested(limit)})
    space.claim("over", _nested(limit + 2, []))
    space.claim("over", _nested(5_000))
    space.claim("over", [0, _nested(limit)])
    space.claim("over", {"a": 0, "b": {"c": _nested(limit - 1)}})
    space.observe("within", "empty", "over")


@case("INPUT-8")
def what_is_wide_is_not_deep(s: Session) -> None:
    """Many containers side by side, and brackets in text, are no levels of nesting."""
    space = s.open()
    wide = 4 * s.capabilities.limits.max_value_depth
    s.judge()
    values: tuple[Any, ...] = ([[]] * wide, [{"a": []}] * wide, "[{" * wide, {"[" * wide: "]"})
    for number, value in enumerate(values):
        space.claim(f"k{number}", value)
        space.observe(f"k{number}")


@case("INPUT-9")
def size_is_limited(s: Session) -> None:
    """A value of just the limit is kept, one byte more is refused; bytes count, not characters."""
    space = s.open()
    limit = s.capabilities.limits.max_value_bytes
    s.judge()
    space.claim("at", "x" * (limit - 2))
    space.claim("over", "x" * (limit - 1))
    space.claim("wide at", "é" * ((limit - 2) // 2))
    space.claim("wide over", "é" * ((limit - 2) // 2 + 1))
    space.claim("list over", ["x" * (limit - 3)])
    space.claim("escaped at", '"' * ((limit - 2) // 2))
    space.claim("escaped over", '"' * ((limit - 2) // 2 + 1))
    space.claim("name over", {"x" * (limit - 5): 0})
    space.claim("over", "small")
    names = ("at", "over", "wide at", "wide over", "list over", "escaped at", "escaped over")
    space.observe(*names, "name over")


@case("INPUT-10")
def unkeepable_text_is_refused_or_distinct(s: Session) -> None:
    """Keys with lone surrogates are refused or kept, but never folded into another key."""
    _apart(s, ("a", "a\ufffd", "\ufffd", "x", "x\ufffd", "ab"), KEYS_WITH_SURROGATES)


@case("INPUT-10")
def keys_with_nul_are_refused_or_distinct(s: Session) -> None:
    """Keys with NUL are refused or kept, and are listed whole: none ends at its NUL."""
    _apart(s, ("a", "ab", "b"), KEYS_WITH_NUL)


def _apart(s: Session, plain: tuple[str, ...], unkeepable: tuple[str, ...]) -> None:
    space = s.open()
    for key in plain:
        space.claim(key, key)
    s.judge()
    for number, key in enumerate(unkeepable):
        space.claim(key, number)
        space.claim(key, "late")
        if "lookup" in s.capabilities.operations:
            space.lookup(key)
    space.observe(*plain)
    if "delete" in s.capabilities.operations:
        for key in unkeepable:
            space.delete(key)
    space.observe(*plain)


@case("INPUT-10")
def plugins_with_nul_are_refused_or_distinct(s: Session) -> None:
    """Plugins with NUL in their ids are refused, or have rows of their own: no id ends there."""
    plain = [s.open(plugin) for plugin in ("a", "ab")]
    for number, space in enumerate(plain):
        space.claim("k", number)
    s.judge()
    opened = [s.try_open(plugin) for plugin in PLUGINS_WITH_NUL]
    apart = [space for space in opened if space is not None]
    for number, space in enumerate(apart):
        space.claim("k", f"apart {number}")
        space.claim("k", "late")
        if "lookup" in s.capabilities.operations:
            space.lookup("k")
    for space in plain:
        space.observe("k")
    if "delete" in s.capabilities.operations:
        for space in apart:
            space.delete("k")
    for space in plain:
        space.observe("k")


@case("INPUT-10", "lookup|entries")
def unkeepable_text_in_values(s: Session) -> None:
    """Values with NUL or lone surrogates are refused or come back as they were."""
    space = s.open()
    s.judge()
    for number, value in enumerate(("a\0b", "\ud800", ["x\udfff"], {"\ud83d": 1, "a\0": 2})):
        space.claim(f"k{number}", value)
        space.observe(f"k{number}")


@case("INPUT-11", "register", "lookup")
def refused_calls_change_nothing(s: Session) -> None:
    """Calls that are refused leave every row as it was, also the one whose key they named."""
    space = s.open(max_entries=2)
    space.claim("a", 1)
    s.tick()
    space.claim("b", 2)
    s.tick()
    too_long = "k" * (s.capabilities.limits.max_key_bytes + 1)
    too_big = "x" * s.capabilities.limits.max_value_bytes
    s.judge()
    for key, value, ttl in (
        ("a", object(), None),
        ("a", too_big, None),
        ("new", too_big, None),
        ("new", _nested(200), None),
        ("a", 3, 0),
        ("new", 3, -5),
        (too_long, 3, None),
        ("", 3, None),
    ):
        if ttl is not None and s.capabilities.ttl_unit_ms is None:
            continue
        space.register(key, value, ttl_ms=ttl)
        space.observe("a", "b", "new")
        space.claim(key, value, ttl_ms=ttl)
        space.observe("a", "b", "new")


@case("ERR-1", "input-rules", "lookup")
def errors_name_code_and_operation(s: Session) -> None:
    """Every error carries a code of the contract and the operation that was called."""
    space = s.open()
    s.judge()
    space.lookup("")
    space.claim("", 1)
    space.claim("k", "x" * s.capabilities.limits.max_value_bytes)
    for f in ("register", "consume", "delete"):
        if f in s.capabilities.operations:
            getattr(space, f)(*(("", 1) if f == "register" else ("",)))
    s.try_open(namespace="/")


@case("ERR-4", "input-rules", "lookup")
def store_serves_after_refusals(s: Session) -> None:
    """After refusals of every kind the next operations work, on this and on other handles."""
    space = s.open()
    other = s.open(namespace="other", backend=s.connect())
    s.judge()
    for key, value in (
        ("", 1),
        ("k", object()),
        ("k", "x" * s.capabilities.limits.max_value_bytes),
    ):
        space.claim(key, value)
        other.claim(f"after {key}", 1)
        space.claim(f"after {key}", 1)
        other.lookup("never")
        space.observe("k")


@case("ERR-4")
def store_serves_after_lost_claims(s: Session) -> None:
    """Lost claims wedge nothing: every handle goes on to read and write."""
    space = s.open()
    other = s.open(backend=s.connect())
    space.claim("k", 1)
    s.judge()
    for number in range(3):
        space.claim("k", 2)
        other.claim("k", 3)
        other.claim(f"o{number}", 1)
        space.claim(f"s{number}", 1)
    space.observe("k", "o0", "s2")
