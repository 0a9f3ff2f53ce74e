"""Exercise: what a step of a program made a store do, told from the model's states.

A program that hardly ever evicts or expires proves nothing about eviction or expiry; these marks
are counted, shown, and decide whether a clause was exercised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.contract.values import has_unkeepable_text
from onewinner.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.model import Call, State
    from onewinner.suite.answers import Observed

MARKS: Final[dict[str, tuple[str, ...]]] = {
    "claim won": ("CLAIM-1",),
    "claim refused": ("CLAIM-2", "CLAIM-3", "CLAIM-4"),
    "update": ("REG-1", "REG-2"),
    "reclaim": ("TTL-5",),
    "expired row met": ("TTL-1", "TTL-4"),
    "eviction": ("EVICT-1", "EVICT-2"),
    "eviction among ties": ("EVICT-3",),
    "insert beside expired rows": ("EVICT-5",),
    "cap reached": ("CAP-1", "CAP-2"),
    "overflow rejected": ("EVICT-8",),
    "input refused": ("INPUT-11", "ERR-4"),
    "live row found": ("READ-1", "READ-7"),
    "null stored": ("READ-2",),
    "listing of several": ("READ-3", "READ-4"),
    "consumed": ("DEL-2",),
    "deleted": ("DEL-1",),
    "cleared": ("DEL-5", "ISO-2"),
    "swept": ("DEL-6",),
    "same key in two places": ("ISO-1",),
    "rows in other places": ("ISO-3", "ISO-4"),
    "unkeepable text": ("INPUT-10",),
    "rows counted": ("READ-8",),
    "many looked up": ("READ-9",),
    "deleted if equal": ("DEL-7",),
    "deleted on a condition": ("DEL-8",),
    "updated": ("UPD-1",),
    "observed": ("CAS-1",),
    "comparison held": ("CAS-2",),
    "comparison failed": ("CAS-3",),
    "overflow rejected by option": ("EVICT-9",),
}
"""Each mark with the clauses that it exercises."""

_NEWER: Final = {
    "count": "rows counted",
    "lookup_many": "many looked up",
    "observe": "observed",
    "delete_if_equal": "deleted if equal",
    "delete_if": "deleted on a condition",
    "update": "updated",
}


def marks(before: State, after: State, call: Call, seen: Observed, now: int) -> Iterator[str]:
    """Answer the marks of one step."""
    from onewinner.suite.answers import Raised

    if isinstance(seen, Raised):
        yield _refusal(before, call, seen.code, now)
        return
    if call.f == "open":
        return
    if isinstance(call.key, str) and has_unkeepable_text(call.key):
        yield "unkeepable text"
    yield from _marks_of_rows(before, after, call, now)
    match call.f, seen:
        case "register_if_absent", True:
            yield "claim won"
        case "register_if_absent", False:
            yield "claim refused"
        case "compare_and_apply", Status(word):
            yield "comparison failed" if word == "conflict" else "comparison held"
        case ("count" | "lookup_many" | "observe") as f, _:
            yield _NEWER[f]
        case ("delete_if_equal" | "delete_if" | "update") as f, True:
            yield _NEWER[f]
        case ("consume" | "delete" | "clear" | "sweep_expired") as f, _ if before != after:
            yield {"consume": "consumed", "delete": "deleted", "clear": "cleared"}.get(f, "swept")


def _marks_of_rows(before: State, after: State, call: Call, now: int) -> Iterator[str]:
    space = before.space(call.plugin, call.namespace)
    if space is None:
        return
    key = call.key.strip() if isinstance(call.key, str) else None
    row = space.find(key) if key is not None else None
    writes = call.f in ("register", "register_if_absent")
    if row is not None:
        if not row.live(now):
            yield "reclaim" if call.f == "register_if_absent" else "expired row met"
        elif call.f == "register":
            yield "update"
        elif call.f == "lookup":
            yield "live row found"
    if writes:
        if call.value is None:
            yield "null stored"
        if any(not other.live(now) for other in space.rows if other.key != key):
            yield "insert beside expired rows"
        yield from _marks_of_insert(before, after, call, now)
        others = [s for s in before.spaces if s is not space and s.live(now)]
        if others:
            yield "rows in other places"
        if key is not None and any(s.find(key) for s in others):
            yield "same key in two places"
    if call.f == "entries" and len(space.live(now)) > 1:
        yield "listing of several"


def _marks_of_insert(before: State, after: State, call: Call, now: int) -> Iterator[str]:
    old = before.space(call.plugin, call.namespace)
    new = after.space(call.plugin, call.namespace)
    assert old is not None
    assert new is not None
    kept = {row.key for row in new.rows}
    gone = [row for row in old.rows if row.live(now) and row.key not in kept]
    if gone:
        yield "eviction"
    if any(row.created_at == other.created_at for row in gone for other in new.rows):
        yield "eviction among ties"


def _refusal(before: State, call: Call, code: str, now: int) -> str:
    space = before.space(call.plugin, str(call.namespace))
    if code != "LIMIT_EXCEEDED" or call.f == "open" or space is None:
        return "input refused"
    if space.count(now) >= space.max_entries:
        by_option = space.overflow_policy == "reject-new"
        return "overflow rejected by option" if by_option else "overflow rejected"
    return "cap reached" if before.plugin_rows(call.plugin, now) > 0 else "input refused"
