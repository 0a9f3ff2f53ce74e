"""The situations in which a process is hurt inside a call: what is there, and what it calls.

They are data. Plugins are left empty: each time it is another one, at a location of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onewinner.generator import Call, Pass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Capabilities, Json
    from onewinner.generator import Step

KEY: Final = "k"
_SHORT_MS: Final = 2_000
_SOON_MS: Final = 40
_UNIT_MOST_MS: Final = 100
_HOUR_MS: Final = 3_600_000
_MARGIN_MS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is prepared, and the call in which a process is hurt.

    All rows of the key have a TTL of `ttl_ms` at most (None where there is no TTL), so that each is
    over once that much time has passed. `others` are the keys of rows that are there and outlive
    it. `full`: a row more evicts one of them.
    """

    name: str
    call: Call
    ttl_ms: int | None
    prepare: tuple[Step, ...] = ()
    others: tuple[str, ...] = ()
    full: bool = False


def situations(capabilities: Capabilities) -> tuple[Situation, ...]:
    """Answer the situations that apply to a store with these capabilities."""
    return tuple(each for each in _all(capabilities) if each.call.f in capabilities.operations)


def ttl_of(capabilities: Capabilities) -> int | None:
    """Answer a TTL that no call outlasts, and that can be waited for."""
    unit = capabilities.ttl_unit_ms
    return None if unit is None else -(-_SHORT_MS // unit) * unit


def lapse(ttl_ms: int, capabilities: Capabilities) -> Pass:
    """Answer the step that lets a TTL pass."""
    return Pass(ttl_ms, (capabilities.ttl_unit_ms or 1) + _MARGIN_MS)


def write(f: str, key: str, value: Json, ttl_ms: int | None, max_entries: int = 100) -> Call:
    """Answer a call that writes a row."""
    return Call(f, "", "n", key, value, ttl_ms, max_entries)


def _all(capabilities: Capabilities) -> Iterator[Situation]:
    ttl = ttl_of(capabilities)
    claim = write("register_if_absent", KEY, "v", ttl)
    old = write("register_if_absent", KEY, "old", ttl)
    yield Situation(name="claim of a vacant key", call=claim, ttl_ms=ttl)
    if capabilities.virtual_clock and ttl is not None:
        yield Situation(
            name="claim of a key that has just expired",
            prepare=(old, lapse(ttl, capabilities)),
            call=claim,
            ttl_ms=ttl,
        )
    yield Situation(
        name="register over a live row",
        prepare=(old,),
        call=write("register", KEY, "v", ttl),
        ttl_ms=ttl,
    )
    yield Situation(
        name="consume of a live row",
        prepare=(old,),
        call=Call("consume", "", "n", KEY, max_entries=100),
        ttl_ms=ttl,
    )
    permanent = tuple(write("register_if_absent", key, "row", None) for key in "ab")
    yield Situation(
        name="clear of several rows",
        prepare=(permanent[0], old, permanent[1]),
        call=Call("clear", "", "n", max_entries=100),
        ttl_ms=ttl,
        others=("a", "b"),
    )
    yield from _sweeps(capabilities)
    yield Situation(
        name="update of a live row",
        prepare=(write("register_if_absent", KEY, 10, ttl),),
        call=write("update", KEY, {"increment": 1}, ttl),
        ttl_ms=ttl,
    )
    if capabilities.eviction is not None and capabilities.limits.overflow_policy == "evict-oldest":
        yield Situation(
            name="claim in a full namespace",
            prepare=tuple(
                write("register_if_absent", key, "row", None, 3) for key in ("a", "b", "c")
            ),
            call=write("register_if_absent", KEY, "v", ttl, 3),
            ttl_ms=ttl,
            others=("a", "b", "c"),
            full=True,
        )


def _sweeps(capabilities: Capabilities) -> Iterator[Situation]:
    """Yield a sweep of a row that has expired; none where waiting for that takes long."""
    unit, ttl = capabilities.ttl_unit_ms, ttl_of(capabilities)
    virtual = capabilities.virtual_clock
    if unit is None or ttl is None or (unit > _UNIT_MOST_MS and not virtual):
        return
    soon = ttl if virtual else -(-_SOON_MS // unit) * unit
    yield Situation(
        name="sweep beside live rows",
        prepare=(
            write("register_if_absent", "a", "row", None),
            write("register_if_absent", "b", "row", _HOUR_MS),
            write("register_if_absent", KEY, "old", soon),
            lapse(soon, capabilities),
        ),
        call=Call("sweep_expired", "", "n", max_entries=100),
        ttl_ms=ttl,
        others=("a", "b"),
    )
