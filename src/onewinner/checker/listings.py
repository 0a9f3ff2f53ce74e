"""The snapshot test of listings: what `entries` answered must have been there at one instant.

Judging a listing key by key misses one that mixes two instants. From what else happened on a key
follows when a value can have been there at all, and when it certainly was; a listing needs one
instant of its call at which all that it lists can have been there, and nothing that it leaves out
certainly was. That is necessary, not sufficient: `spaces` is exact, for small histories.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onewinner.checker.claims import address, name_of
from onewinner.checker.search import NEVER
from onewinner.contract import ABSENT
from onewinner.history import Info, Ok

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.history import Operation

_KEYED = frozenset({"register_if_absent", "register", "lookup", "consume", "delete"})


@dataclass(slots=True)
class Presence:
    """When the value of one write can have been there, and when it certainly was.

    It can have been there from `first` to `last`; it certainly was between `since` and `until`,
    where `since` is before `until`. Each bound comes with the operation that it follows from.
    """

    write: Operation
    first: int
    last: int
    since: int
    until: int
    ender: Operation | None
    witness: Operation | None


def mixed_listings(history: Sequence[Operation]) -> Iterator[tuple[Operation, ...]]:
    """Yield each listing that no instant explains, with operations that show it.

    Looks only at values that were written once and without a TTL.
    """
    keys: dict[Any, list[Operation]] = defaultdict(list)
    listings: dict[Any, list[Operation]] = defaultdict(list)
    clears: dict[Any, list[Operation]] = defaultdict(list)
    for each in history:
        space = (each.value.get("plugin"), each.value.get("namespace")) if each.value else None
        if each.f in _KEYED:
            keys[address(each)].append(each)
        elif each.f == "entries" and isinstance(each.outcome, Ok):
            listings[space].append(each)
        elif each.f == "clear" and not isinstance(each.outcome, Info):
            clears[space].append(each)
    spaces: dict[Any, dict[Any, dict[str, Presence]]] = defaultdict(dict)
    for (plugin, namespace, key), operations in keys.items():
        space = (plugin, namespace)
        if space in listings:
            spaces[space][key] = presences([*operations, *clears[space]])
    for space, group in listings.items():
        for listing in group:
            if shown := _mixed(listing, spaces[space]):
                yield shown


def presences(operations: Sequence[Operation]) -> dict[str, Presence]:
    """Answer, for the values on one key that were written once, when they were there."""
    writes: dict[str, list[Operation]] = defaultdict(list)
    for each in operations:
        if each.f in {"register_if_absent", "register"} and _may_write(each):
            writes[name_of(each.value["value"])].append(each)
    return {
        name: _presence(name, group[0], operations)
        for name, group in writes.items()
        if len(group) == 1 and group[0].value.get("ttl_ms") is None
    }


def _presence(name: str, write: Operation, operations: Sequence[Operation]) -> Presence:
    sure = isinstance(write.outcome, Ok) and write.completed_ns is not None
    since = write.completed_ns if sure and write.completed_ns is not None else NEVER
    found = Presence(write, write.invoked_ns, NEVER, since, -1, None, None)
    for each in operations:
        returned = each.completed_ns
        if each is write or returned is None or not isinstance(each.outcome, Ok):
            continue
        if _shows(each, name):
            found.since = min(found.since, returned)
            if each.invoked_ns > found.until:
                found.until, found.witness = each.invoked_ns, each
            if each.f == "consume" and returned < found.last:
                found.last, found.ender = returned, each
        elif sure and each.invoked_ns > since and returned < found.last and _denies(each):
            found.last, found.ender = returned, each
    return found


def _shows(operation: Operation, name: str) -> bool:
    """Tell whether a call answered this very value."""
    if operation.f not in {"lookup", "consume"}:
        return False
    result = operation.outcome.result if isinstance(operation.outcome, Ok) else ABSENT
    return result is not ABSENT and name_of(result) == name


def _denies(operation: Operation) -> bool:
    """Tell whether at an instant of this call some other value was there, or none.

    A refused claim and a delete that answered false leave it open: the first may have met the very
    value, and the second an expired row.
    """
    result = operation.outcome.result if isinstance(operation.outcome, Ok) else None
    if operation.f in {"register", "clear", "lookup", "consume"}:
        return True
    return bool(result)


def _may_write(operation: Operation) -> bool:
    if isinstance(operation.outcome, Ok):
        return operation.f == "register" or operation.outcome.result is True
    return isinstance(operation.outcome, Info)


def _mixed(listing: Operation, space: dict[Any, dict[str, Presence]]) -> tuple[Operation, ...]:
    assert isinstance(listing.outcome, Ok)
    assert listing.completed_ns is not None
    rows = {row.key: name_of(row.value) for row in listing.outcome.result}
    first, last = listing.invoked_ns, listing.completed_ns
    begun: Operation | None = None
    ended: Operation | None = None
    for key, name in rows.items():
        presence = space.get(key, {}).get(name)
        if presence is None:
            continue
        if presence.first > first:
            first, begun = presence.first, presence.write
        if presence.last < last:
            last, ended = presence.last, presence.ender
    if first > last:
        return tuple(each for each in (listing, begun, ended) if each is not None)
    left_out = [
        presence
        for key, values in space.items()
        for name, presence in values.items()
        if rows.get(key) != name and presence.since < presence.until
    ]
    return _covered(listing, first, last, left_out)


def _covered(
    listing: Operation, first: int, last: int, left_out: Sequence[Presence]
) -> tuple[Operation, ...]:
    """Tell whether what the listing leaves out was there at each instant that is left."""
    reached, shown = first, [listing]
    for presence in sorted(left_out, key=lambda each: each.since):
        if presence.since >= reached:
            return ()
        if presence.until > reached:
            assert presence.witness is not None
            reached = presence.until
            shown += [presence.write, presence.witness]
        if reached > last:
            return tuple(shown)
    return ()
