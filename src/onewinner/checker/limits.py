"""The judges of parallel claims at a limit: a full namespace, and a plugin at its row cap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onewinner.checker.invariants import CLAIM, Broken, address, result, same, unknown, won
from onewinner.contract import ABSENT
from onewinner.history import Fail, Ok

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from onewinner.history import Operation


def full_namespace(operations: Sequence[Operation], *, max_entries: int) -> Iterator[Broken]:
    """Judge one round of claims in a namespace that is full, or that the claims overfill.

    Bounds that hold for every order the claims can have taken: a row is evicted only while
    `max_entries` others at least as young are live, and rows of an earlier epoch are older. So a
    key can be won twice, or its row be gone at the end, only if that many other keys were won in
    the same epoch or later.
    """
    if any(map(unknown, operations)):
        return
    wins: dict[str, list[Operation]] = {}
    for operation in operations:
        if won(operation):
            wins.setdefault(operation.value["key"], []).append(operation)
    rows, reads = _rows(operations)
    for key, group in wins.items():
        epoch = min(each.extra["epoch"] for each in group)
        younger = sum(
            other != key and max(each.extra["epoch"] for each in others) >= epoch
            for other, others in wins.items()
        )
        if younger < max_entries:
            yield from _kept(key, group, rows, reads, younger, max_entries)
    if reads:
        yield from _count(rows, reads, len(wins), max_entries)


def _kept(
    key: str,
    group: list[Operation],
    rows: dict[str, Any],
    reads: tuple[Operation, ...],
    younger: int,
    max_entries: int,
) -> Iterator[Broken]:
    why = (
        f"the namespace holds {max_entries} rows and at most {younger} others are as young: "
        f"nothing can have evicted it"
    )
    if len(group) > 1:
        yield Broken(
            kind="two-winners",
            summary=f"{len(group)} claims of {key!r} answered true in a full namespace",
            why=why,
            operations=tuple(group),
        )
        return
    asked = [read for read in reads if read.f == "entries" or read.value["key"] == key]
    if not asked:
        return
    if key not in rows:
        yield Broken(
            kind="lost-row",
            summary=f"the claim of {key!r} answered true, and its row was evicted",
            why=why,
            operations=(*group, *asked),
        )
    elif not same(rows[key], group[0].value["value"]):
        yield Broken(
            kind="foreign-row",
            summary=f"the row of {key!r} holds {rows[key]!r}, which is not the winner's",
            why="the stored row must be the winner's",
            operations=(*group, *asked),
        )


def _rows(operations: Iterable[Operation]) -> tuple[dict[str, Any], tuple[Operation, ...]]:
    """Answer what was live after the volley, and the calls that read it."""
    rows: dict[str, Any] = {}
    reads = []
    for operation in operations:
        if operation.extra["phase"] != "inspect" or not isinstance(operation.outcome, Ok):
            continue
        if operation.f == "entries":
            rows |= {row.key: row.value for row in result(operation)}
            reads.append(operation)
        elif operation.f == "lookup":
            reads.append(operation)
            if result(operation) is not ABSENT:
                rows[operation.value["key"]] = result(operation)
    return rows, tuple(reads)


def _count(
    rows: dict[str, Any], reads: tuple[Operation, ...], won_keys: int, max_entries: int
) -> Iterator[Broken]:
    if len(rows) > max_entries:
        yield Broken(
            kind="over-full",
            summary=f"after the volley the namespace holds {len(rows)} live rows",
            why=f"it was opened with maxEntries {max_entries}",
            operations=reads,
        )
    elif len(rows) < min(won_keys, max_entries):
        yield Broken(
            kind="under-full",
            summary=f"after the volley the namespace holds {len(rows)} live rows, though "
            f"{won_keys} keys were claimed and nobody removed any",
            why=f"eviction takes only the excess over maxEntries {max_entries}",
            operations=reads,
        )


def row_cap(operations: Sequence[Operation], *, free: int, cap: int) -> Iterator[Broken]:
    """Judge one round of inserts into a plugin that had room for `free` rows, and rejects more."""
    claims = [each for each in operations if each.f == CLAIM and each.extra["phase"] == "volley"]
    wins = [each for each in claims if won(each)]
    if len(wins) > free:
        yield Broken(
            kind="over-cap",
            summary=f"{len(wins)} inserts answered true where the plugin had room for {free}",
            why=f"a plugin holds at most {cap} live rows over all its namespaces",
            operations=tuple(sorted(wins, key=_returned)[: free + 1]),
        )
    refused = [each for each in claims if isinstance(each.outcome, Fail)]
    if refused and len(wins) + sum(map(unknown, claims)) < free:
        yield Broken(
            kind="refused-with-room",
            summary=f"{len(refused)} inserts were refused, and only {len(wins)} of {free} free "
            f"rows were taken",
            why="an insert fails at the cap, and the cap was never reached",
            operations=(*refused[:4], *wins),
        )


def _returned(operation: Operation) -> int:
    return operation.completed_ns or operation.invoked_ns


def within_cap(operations: Sequence[Operation], *, cap: int) -> Iterator[Broken]:
    """Judge a plugin that evicts at its cap, by a listing of all its namespaces."""
    listings = [
        each
        for each in operations
        if each.f == "entries" and each.extra["phase"] == "inspect" and isinstance(each.outcome, Ok)
    ]
    rows = sum(len(result(each)) for each in {address(each): each for each in listings}.values())
    if rows > cap:
        yield Broken(
            kind="over-cap",
            summary=f"the plugin holds {rows} live rows over its namespaces",
            why=f"a plugin holds at most {cap} live rows",
            operations=tuple(listings),
        )
