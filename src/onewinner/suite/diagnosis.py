"""Diagnosis: which clause a divergence breaks, told from the call and what went before."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from onewinner.contract import Absent
from onewinner.model import Listing, Refused, Value, describe_state
from onewinner.suite.answers import Broken, Raised
from onewinner.suite.session import START_MS
from onewinner.suite.tree import Violation

if TYPE_CHECKING:
    from onewinner.model import Row, Space
    from onewinner.suite.answers import Observed
    from onewinner.suite.divergence import Divergence
    from onewinner.suite.session import Session

_ROWS_MOST = 30
_OF_INPUT = ("INVALID_INPUT", "LIMIT_EXCEEDED")


def violation(session: Session, divergence: Divergence, clause: str) -> Violation:
    """Answer the divergence as a violation of `clause`, with its timeline and its script."""
    at_ms = divergence.now - START_MS
    return Violation(
        clause=clause,
        summary=f"at {at_ms:+} ms, {divergence}",
        happened=tuple(session.timeline()),
        why=f"the rows before that call were: {_rows(divergence)}",
        script=session.script(divergence),
    )


def _rows(divergence: Divergence) -> str:
    """Answer the model's rows, only those of the namespace that the call was made on if many."""
    state = divergence.before
    here = state.space(divergence.call.plugin, str(divergence.call.namespace))
    if here is not None and sum(len(space.rows) for space in state.spaces) > _ROWS_MOST:
        state = dataclasses.replace(state, spaces=(here.having(here.rows[:_ROWS_MOST]),))
    return describe_state(state, divergence.now)


def blame(session: Session, divergence: Divergence) -> str:
    """Answer the clause that a divergence of an undirected program most likely breaks."""
    seen, expected, f = divergence.observed, divergence.expected, divergence.call.f
    refusals = [answer for answer in expected if isinstance(answer, Refused)]
    if isinstance(seen, Broken) and not seen.text.startswith("answered"):
        return "ERR-4"
    if len(refusals) == len(expected):
        return _wrongly_not_refused(session, seen, refusals[0].rule)
    if isinstance(seen, Raised):
        return _wrongly_refused(session, divergence)
    if f == "open":
        return "INPUT-1"
    if f == "sweep_expired":
        return "CAP-2" if session.was_at_cap else "DEL-6"
    if f == "register_if_absent":
        return _wrong_claim(session, divergence)
    if f == "delete":
        return "DEL-1"
    if f in ("register", "clear"):
        return "REG-1" if f == "register" else "DEL-5"
    return _wrong_read(session, divergence)


def _wrongly_not_refused(session: Session, seen: Observed, rule: str) -> str:
    """Something else where the contract refuses: a refusal before this one may be the cause."""
    refused_before = any("raised" in step.seen for step in session.steps[:-1])
    if isinstance(seen, Raised) and refused_before and seen.code not in _OF_INPUT:
        return "ERR-4"
    return "CAP-2" if rule == "CAP-1" and session.was_at_cap else rule


def _wrongly_refused(session: Session, divergence: Divergence) -> str:
    """An error where the contract has an answer."""
    seen, call, now = divergence.observed, divergence.call, divergence.now
    assert isinstance(seen, Raised)
    if call.f == "open":
        return "INPUT-1"
    if seen.code != "LIMIT_EXCEEDED":
        return "INPUT-4" if seen.code == "INVALID_INPUT" else "ERR-4"
    row = _row(divergence.before.space(call.plugin, call.namespace), call.key)
    if row is not None and row.live(now):
        return "CAP-4"
    return _wrongly_at_cap(session, divergence)


def _wrongly_at_cap(session: Session, divergence: Divergence) -> str:
    """An insert refused below the cap: which rows must have been counted that do not count."""
    before, call, now = divergence.before, divergence.call, divergence.now
    space = before.space(call.plugin, call.namespace)
    cap = session.capabilities.limits.plugin_row_cap or 0
    live = before.plugin_rows(call.plugin, now)
    own = sum(len(s.rows) for s in before.spaces if s.plugin == call.plugin)
    if space and live >= cap and len(space.live(now)) >= space.max_entries:
        return "CAP-4"
    if own > live and own >= cap:
        return "CAP-3"
    if session.was_at_cap:
        return "CAP-2"  # what that refusal left behind explains this one
    everywhere = sum(len(s.live(now)) for s in before.spaces)
    return "ISO-4" if everywhere >= cap > live + 1 else "CAP-1"


def _wrong_claim(session: Session, divergence: Divergence) -> str:
    call, before, now = divergence.call, divergence.before, divergence.now
    space = before.space(call.plugin, call.namespace)
    row = _row(space, call.key)
    if isinstance(divergence.observed, Broken):
        return "CLAIM-1"
    if row is not None and row.live(now):
        return "READ-2" if row.value == "null" else "CLAIM-2"
    if row is not None:
        return "TTL-5"
    if _was_evicted(session, divergence):
        return "EVICT-1"
    return "ISO-1" if _held_elsewhere(divergence) else "CLAIM-1"


def _wrong_read(session: Session, divergence: Divergence) -> str:
    """A reader that shows another state than the model's: what was done last explains it."""
    if session.was_at_cap and _last_change(session, "") == "CAP-2":
        return "CAP-2"
    expected, seen = divergence.expected[0], divergence.observed
    if isinstance(expected, Listing) and isinstance(seen, Listing):
        return _wrong_listing(session, divergence, expected, seen)
    space = divergence.before.space(divergence.call.plugin, divergence.call.namespace)
    row = _row(space, divergence.call.key)
    if isinstance(seen, Broken):
        return "READ-1"
    if isinstance(expected, Absent):
        if row is not None:
            return "TTL-1" if row.expires_at == divergence.now else "TTL-4"
        if _was_evicted(session, divergence):
            return "EVICT-1"
        if _held_elsewhere(divergence):
            return "ISO-1"
        touched = any(repr(divergence.call.key) in step.code for step in session.steps[:-1])
        return _last_change(session, "READ-1") if touched else "READ-1"
    if isinstance(seen, Absent) and isinstance(expected, Value):
        return "READ-2" if expected.text == "null" else _last_change(session, "READ-1")
    return _last_change(session, "READ-7")


def _wrong_listing(
    session: Session, divergence: Divergence, expected: Listing, seen: Listing
) -> str:
    wanted, found = {r.key: r for r in expected.rows}, {r.key: r for r in seen.rows}
    if wanted == found:
        return "READ-4"
    space = divergence.before.space(divergence.call.plugin, divergence.call.namespace)
    extra = [_row(space, key) for key in found.keys() - wanted.keys()]
    if any(row is not None for row in extra):
        return "TTL-4"
    return _last_change(session, "READ-4")


_CHANGES = (
    (".register_if_absent(", "CLAIM-3"),
    (".register(", "REG-2"),
    (".clear(", "ISO-2"),
    (".sweep_expired(", "DEL-6"),
    (".delete(", "DEL-1"),
    (".consume(", "DEL-2"),
    (".close()", "DUR-1"),
    ("clock.advance(", "TTL-3"),
)


def _last_change(session: Session, otherwise: str) -> str:
    """Answer the clause about whatever the program did just before it looked."""
    for step in reversed(session.steps[:-1]):
        if "raised" in step.seen:
            return "CAP-2" if "LIMIT_EXCEEDED" in step.seen else "INPUT-11"
        if ".lookup(" in step.code or ".entries(" in step.code or "= backend" in step.code:
            continue
        for mark, clause in _CHANGES:
            if mark in step.code:
                return _of_insert(session, step.seen, clause)
    return otherwise


def _of_insert(session: Session, seen: str, clause: str) -> str:
    """An insert that was accepted changes what it writes and what it evicts."""
    if clause == "CLAIM-3" and "True" in seen:
        clause = "CLAIM-1"
    full = any(len(s.live(session.now)) >= s.max_entries for s in session.state.spaces)
    if clause in ("CLAIM-1", "REG-2") and full and session.capabilities.eviction:
        return "EVICT-1"
    if clause == "TTL-3" and any(r.expires_at for s in session.state.spaces for r in s.rows):
        return "TTL-1"
    return clause


def _row(space: Space | None, key: object) -> Row | None:
    return space.find(key.strip()) if space is not None and isinstance(key, str) else None


def _was_evicted(session: Session, divergence: Divergence) -> bool:
    space = divergence.before.space(divergence.call.plugin, divergence.call.namespace)
    key = str(divergence.call.key).strip()
    return space is not None and (space.plugin, space.name, key) in session.evicted


def _held_elsewhere(divergence: Divergence) -> bool:
    """Whether the wrong answer could come from another row: by its value, or by a like key."""
    seen, key = divergence.observed, str(divergence.call.key)
    rows = [row for space in divergence.before.spaces for row in space.live(divergence.now)]
    if isinstance(seen, Value):
        return any(row.value == seen.text for row in rows)
    return any(row.key.casefold() in key.casefold() for row in rows)
