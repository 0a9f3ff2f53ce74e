"""The semantics: what each operation may answer, and what the state is then."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from onewinner.contract import ABSENT
from onewinner.contract.values import canonical, has_unkeepable_text
from onewinner.model.refusals import key_refusal, open_refusal, write_refusals
from onewinner.model.state import (
    WHITE_SPACE,
    Answer,
    Call,
    Count,
    Listing,
    Outcome,
    Refused,
    Row,
    Rules,
    Space,
    State,
    Value,
)


@dataclass(frozen=True, slots=True)
class _Moment:
    """One call at one instant: what every step looks at."""

    rules: Rules
    state: State
    call: Call
    now: int

    @property
    def space(self) -> Space:
        """The namespace that the call is made on."""
        space = self.state.space(self.call.plugin, self.call.namespace)
        if space is None:
            raise ValueError(
                f"{self.call.f} on namespace {self.call.namespace!r} of plugin "
                f"{self.call.plugin!r}, which was never opened; open it first"
            )
        return space

    @property
    def key(self) -> str:
        """The key as the store keeps it: trimmed (INPUT-4)."""
        key: str = self.call.key
        return key.strip(WHITE_SPACE) if self.rules.validates else key

    @property
    def held(self) -> Row | None:
        """The row of the key, where it is live."""
        row = self.space.find(self.key)
        return row if row is not None and row.live(self.now) else None

    @property
    def expires_at(self) -> int | None:
        """When a row written now expires (TTL-1, TTL-2)."""
        ttl = self.call.ttl_ms if self.call.ttl_ms is not None else self.space.default_ttl_ms
        return None if ttl is None else self.now + ttl


def outcomes(rules: Rules, state: State, call: Call, now: int) -> tuple[Outcome, ...]:
    """Answer all that the contract allows `call` to do at `now`, the usual outcome first.

    There is more than one only where the contract leaves a choice: delete of an expired row, text
    that a store cannot keep, an expiry too large to represent, nesting that can be counted in two
    ways, ties of age across namespaces, a clock that was set back. Raises ValueError for an
    operation that the contract does not know and for a namespace that was never opened: mistakes of
    the caller, not of a store.
    """
    if call.f not in _STEPS:
        raise ValueError(f"the model knows no operation {call.f!r}; it knows {sorted(_STEPS)}")
    steps = _STEPS[call.f](_Moment(rules, state, call, now))
    return tuple((answer, dataclasses.replace(after, last_ms=now)) for answer, after in steps)


def _open(at: _Moment) -> Iterator[Outcome]:
    existing = None
    if isinstance(at.call.namespace, str):
        existing = at.state.space(at.call.plugin, at.call.namespace)
    refusal = open_refusal(at.rules, at.call, existing) if at.rules.validates else None
    if refusal is not None:
        yield refusal, at.state
    elif existing is not None:
        yield None, at.state
    else:
        name = at.call.namespace.strip(WHITE_SPACE)
        space = Space(at.call.plugin, name, at.call.max_entries, at.call.default_ttl_ms)
        spaces = sorted((*at.state.spaces, space), key=lambda s: (s.plugin, s.name))
        yield None, dataclasses.replace(at.state, spaces=tuple(spaces))


def _register(at: _Moment) -> Iterator[Outcome]:
    for refusal in write_refusals(at.rules, at.space, at.call, at.now):
        if refusal is not None:
            yield refusal, at.state
        else:
            yield from _insert(at, answer=None)


def _claim(at: _Moment) -> Iterator[Outcome]:
    for refusal in write_refusals(at.rules, at.space, at.call, at.now):
        if refusal is not None:
            yield refusal, at.state
        elif at.held is not None:
            yield False, at.state
        else:
            yield from _insert(at, answer=True)


def _insert(at: _Moment, *, answer: Answer) -> Iterator[Outcome]:
    row = Row(at.key, canonical(at.call.value), at.now, at.expires_at)
    for dated in _dated(row, at.space):
        yield from _put(at, dated, answer)


def _dated(row: Row, space: Space) -> Iterator[Row]:
    """Answer the row with the times that it may be given in a namespace.

    They differ where the clock was set back behind the newest row: `createdAt` may follow the
    clock, or be kept from going back. Either way the row is no older than those that are there.
    """
    newest = space.rows[-1].age[0] if space.rows else row.created_at
    if newest <= row.created_at:
        yield row
    else:
        yield dataclasses.replace(row, behind_ms=newest - row.created_at)
        yield dataclasses.replace(row, created_at=newest)
        yield dataclasses.replace(row, created_at=newest + 1)


def _put(at: _Moment, row: Row, answer: Answer) -> Iterator[Outcome]:
    """Write the row, evict within the namespace, then hold the plugin against its cap."""
    space, held = at.space, at.space.find(at.key)
    others = space.rows if held is None else tuple(r for r in space.rows if r is not held)
    if at.rules.evicts and len(others) >= space.max_entries:
        live = [other for other in others if other.live(at.now)]
        full = len(live) >= space.max_entries
        if full and at.rules.limits.overflow_policy == "reject-new":
            yield Refused("LIMIT_EXCEEDED", "EVICT-8"), at.state
            return
        oldest = live[: max(len(live) + 1 - space.max_entries, 0)]
        others = tuple(other for other in others if other not in oldest)
    after = _with(at.state, space.adding(others, row))
    cap = at.rules.limits.plugin_row_cap
    if cap is None or after.plugin_rows(at.space.plugin, at.now) <= cap:
        yield answer, after
    elif at.rules.limits.cap_policy == "reject":
        yield Refused("LIMIT_EXCEEDED", "CAP-1"), at.state
    else:
        yield from ((answer, thinner) for thinner in _evict_from_plugin(at, after, row))


def _evict_from_plugin(at: _Moment, state: State, fresh: Row) -> Iterator[State]:
    """Answer the states in which one of the plugin's oldest rows is gone, but not the fresh one."""
    candidates = [
        (other, row)
        for other in state.spaces
        if other.plugin == at.space.plugin
        for row in other.live(at.now)
        if not (row is fresh and other.name == at.space.name)
    ]
    oldest_ms = min(row.age[0] for _, row in candidates)
    for other, row in candidates:
        if row.age[0] == oldest_ms:
            yield _with(state, other.having(tuple(r for r in other.rows if r is not row)))


def _lookup(at: _Moment) -> Iterator[Outcome]:
    yield from _read(at, remove=False)


def _consume(at: _Moment) -> Iterator[Outcome]:
    yield from _read(at, remove=True)


def _read(at: _Moment, *, remove: bool) -> Iterator[Outcome]:
    refusal = key_refusal(at.rules, at.call.key) if at.rules.validates else None
    if refusal is not None:
        yield refusal, at.state
    elif at.held is not None:
        yield Value(at.held.value), _without(at) if remove else at.state
    else:
        yield ABSENT, at.state
        yield from _unkeepable(at)


def _delete(at: _Moment) -> Iterator[Outcome]:
    refusal = key_refusal(at.rules, at.call.key) if at.rules.validates else None
    if refusal is not None:
        yield refusal, at.state
        return
    if at.space.find(at.key) is None:
        yield False, at.state
    else:
        yield True, _without(at)
        if at.held is None:
            yield False, _without(at)
    if at.held is None:
        yield from _unkeepable(at)


def _unkeepable(at: _Moment) -> Iterator[Outcome]:
    if has_unkeepable_text(at.key):
        yield Refused("INVALID_INPUT", "INPUT-10"), at.state


def _entries(at: _Moment) -> Iterator[Outcome]:
    rows = at.space.live(at.now)
    if any(row.behind_ms for row in rows):
        shown = (dataclasses.replace(row, behind_ms=0) for row in rows)
        rows = tuple(sorted(shown, key=lambda row: row.age))
    yield Listing(rows), at.state


def _clear(at: _Moment) -> Iterator[Outcome]:
    yield None, _with(at.state, at.space.having(()))


def _sweep(at: _Moment) -> Iterator[Outcome]:
    """Rows that expired since the last operation must be counted; older ones may be gone."""
    expired = [row for space in at.state.spaces for row in space.rows if not row.live(at.now)]
    certain = sum(row.live(at.state.last_ms) for row in expired)
    swept = tuple(space.having(space.live(at.now)) for space in at.state.spaces)
    yield Count(certain, len(expired)), dataclasses.replace(at.state, spaces=swept)


def _with(state: State, space: Space) -> State:
    spaces = tuple(
        space if (s.plugin, s.name) == (space.plugin, space.name) else s for s in state.spaces
    )
    return dataclasses.replace(state, spaces=spaces)


def _without(at: _Moment) -> State:
    return _with(at.state, at.space.having(tuple(r for r in at.space.rows if r.key != at.key)))


_Step: TypeAlias = Callable[[_Moment], Iterator[Outcome]]

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
}
