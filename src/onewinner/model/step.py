"""The semantics: what each operation may answer, and what the state is then."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from onewinner.contract import ABSENT
from onewinner.model import newer
from onewinner.model.moment import (
    Moment,
    insert,
    unkeepable,
    unkeepable_plugin,
    with_space,
    without,
)
from onewinner.model.refusals import key_refusal, open_refusal, write_refusals
from onewinner.model.state import (
    WHITE_SPACE,
    Call,
    Count,
    Listing,
    Outcome,
    Rules,
    Space,
    State,
    Value,
)


def outcomes(rules: Rules, state: State, call: Call, now: int) -> tuple[Outcome, ...]:
    """Answer all that the contract allows `call` to do at `now`, the usual outcome first.

    There is more than one only where the contract leaves a choice: delete of an expired row, text
    that a store cannot keep, an expiry too large to represent, nesting that can be counted in two
    ways, ties of age across namespaces, a clock that was set back, rows that were written in
    between and are the same again. Raises ValueError for an operation that the contract does not
    know and for a namespace that was never opened: mistakes of the caller, not of a store.
    """
    if call.f not in _STEPS:
        raise ValueError(f"the model knows no operation {call.f!r}; it knows {sorted(_STEPS)}")
    at = Moment(rules, state, call, now)
    steps = (*_STEPS[call.f](at), *unkeepable_plugin(at))
    found = ((answer, dataclasses.replace(after, last_ms=now)) for answer, after in steps)
    if not state.noted:
        return tuple(found)
    return tuple((answer, newer.touched(state, after, now)) for answer, after in found)


def _open(at: Moment) -> Iterator[Outcome]:
    existing = None
    if isinstance(at.call.namespace, str):
        existing = at.state.space(at.call.plugin, at.call.namespace)
    known = None if existing is not None and existing.closed else existing
    refusal = open_refusal(at.rules, at.call, known) if at.rules.validates else None
    if refusal is not None:
        yield refusal, at.state
    elif known is not None:
        yield None, at.state
    elif existing is not None:
        yield from _open_again(at, existing)
    else:
        name = at.call.namespace.strip(WHITE_SPACE)
        call = at.call
        policy = call.overflow_policy
        space = Space(call.plugin, name, call.max_entries, call.default_ttl_ms, policy)
        spaces = sorted((*at.state.spaces, space), key=lambda s: (s.plugin, s.name))
        yield None, dataclasses.replace(at.state, spaces=tuple(spaces))


def _open_again(at: Moment, closed: Space) -> Iterator[Outcome]:
    """Open a namespace that was closed; other options than before may be refused (INPUT-3).

    The rows that are there stay until something is inserted, also where they are too many.
    """
    call = at.call
    again = dataclasses.replace(
        closed,
        max_entries=call.max_entries,
        default_ttl_ms=call.default_ttl_ms,
        overflow_policy=call.overflow_policy,
        closed=False,
    )
    yield None, with_space(at.state, again)
    refusal = open_refusal(at.rules, call, closed) if at.rules.validates else None
    if refusal is not None:
        yield refusal, at.state


def _register(at: Moment) -> Iterator[Outcome]:
    for refusal in write_refusals(at.rules, at.space, at.call, at.now):
        if refusal is not None:
            yield refusal, at.state
        else:
            yield from insert(at, answer=None)


def _claim(at: Moment) -> Iterator[Outcome]:
    for refusal in write_refusals(at.rules, at.space, at.call, at.now):
        if refusal is not None:
            yield refusal, at.state
        elif at.held is not None:
            yield False, at.state
        else:
            yield from insert(at, answer=True)


def _lookup(at: Moment) -> Iterator[Outcome]:
    yield from _read(at, remove=False)


def _consume(at: Moment) -> Iterator[Outcome]:
    yield from _read(at, remove=True)


def _read(at: Moment, *, remove: bool) -> Iterator[Outcome]:
    refusal = key_refusal(at.rules, at.call.key) if at.rules.validates else None
    if refusal is not None:
        yield refusal, at.state
    elif at.held is not None:
        yield Value(at.held.value), without(at) if remove else at.state
    else:
        yield ABSENT, at.state
        yield from unkeepable(at)


def _delete(at: Moment) -> Iterator[Outcome]:
    refusal = key_refusal(at.rules, at.call.key) if at.rules.validates else None
    if refusal is not None:
        yield refusal, at.state
        return
    if at.space.find(at.key) is None:
        yield False, at.state
    else:
        yield True, without(at)
        if at.held is None:
            yield False, without(at)
    if at.held is None:
        yield from unkeepable(at)


def _entries(at: Moment) -> Iterator[Outcome]:
    rows = at.space.live(at.now)
    if any(row.behind_ms for row in rows):
        shown = (dataclasses.replace(row, behind_ms=0) for row in rows)
        rows = tuple(sorted(shown, key=lambda row: row.age))
    yield Listing(rows), at.state


def _clear(at: Moment) -> Iterator[Outcome]:
    yield None, with_space(at.state, at.space.having(()))


def _sweep(at: Moment) -> Iterator[Outcome]:
    """Rows that expired since the last operation must be counted; older ones may be gone."""
    expired = [row for space in at.state.spaces for row in space.rows if not row.live(at.now)]
    certain = sum(row.live(at.state.last_ms) for row in expired)
    swept = tuple(space.having(space.live(at.now)) for space in at.state.spaces)
    yield Count(certain, len(expired)), dataclasses.replace(at.state, spaces=swept)


_Step: TypeAlias = Callable[[Moment], Iterator[Outcome]]

_STEPS: Final[dict[str, _Step]] = {
    "open": _open,
    "register": _register,
    "register_if_absent": _claim,
    "lookup": _lookup,
    "consume": _consume,
    "delete": _delete,
    "entries": _entries,
    "clear": _clear,
    "sweep_expired": _sweep,
    **newer.STEPS,
}
