"""One call at one instant, and what the steps of several operations are made of."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onewinner.contract.values import canonical, has_unkeepable_text, utf16
from onewinner.model.state import WHITE_SPACE, Refused, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.model.state import Answer, Call, Outcome, Rules, Space, State


@dataclass(frozen=True, slots=True)
class Moment:
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


def insert(at: Moment, *, answer: Answer) -> Iterator[Outcome]:
    """Write the row, evict within the namespace, then hold the plugin against its cap."""
    row = Row(at.key, canonical(at.call.value), at.now, at.expires_at)
    for dated in _strictly_dated(at, row) if at.rules.strict_ages else _dated(row, at.space):
        yield from _insert(at, dated, answer)


def _dated(row: Row, space: Space) -> Iterator[Row]:
    """Yield the row with the times that it may be given in a namespace.

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


def _strictly_dated(at: Moment, row: Row) -> Iterator[Row]:
    """Yield the row with a time later than those of all other rows of the namespace (READ-11).

    Whether rows that are gone count, is left to the store: those that expired or were removed, and
    also those that this very write replaces or drives out, for a store may make room first.
    """
    space = at.space
    staying = max((other.created_at for other in _staying(at)), default=at.now - 1)
    there = (space.live(at.now), space.rows)
    known = ([r for r in rows if own or r.key != at.key] for rows in there for own in (False, True))
    newest = [max((r.created_at for r in rows), default=staying) for rows in known]
    ever = staying if space.newest_ms is None else space.newest_ms
    for created_at in dict.fromkeys(max(at.now, t + 1) for t in (staying, *newest, ever)):
        yield dataclasses.replace(row, created_at=created_at)


def _staying(at: Moment) -> tuple[Row, ...]:
    """Answer the live rows of the namespace that a write of this key certainly leaves there."""
    space, limits = at.space, at.rules.limits
    others = tuple(other for other in space.live(at.now) if other.key != at.key)
    if at.held is not None:
        return others
    excess = max(len(others) + 1 - space.max_entries, 0) if at.rules.evicts else 0
    cap = limits.plugin_row_cap
    if cap is not None and limits.cap_policy == "evict-oldest":
        excess += at.state.plugin_rows(space.plugin, at.now) - excess >= cap
    return others[excess:]


def _insert(at: Moment, row: Row, answer: Answer) -> Iterator[Outcome]:
    space, held = at.space, at.space.find(at.key)
    others = space.rows if held is None else tuple(r for r in space.rows if r is not held)
    if not at.rules.evicts or at.held is not None or len(others) < space.max_entries:
        yield from _put(at, others, row, answer)
        return
    live = [other for other in others if other.live(at.now)]
    full = len(live) >= space.max_entries
    if full and (rule := _rejected_by(at)) is not None:
        yield Refused("LIMIT_EXCEEDED", rule), at.state
        return
    for oldest in _oldest(live, max(len(live) + 1 - space.max_entries, 0)):
        left = tuple(other for other in others if other not in oldest)
        yield from _put(at, left, row, answer)


def _oldest(live: list[Row], count: int) -> Iterator[list[Row]]:
    """Yield the first rows, which are in order, and those of the other order of keys (EVICT-3)."""
    yield (first := live[:count])
    if first and not all(row.key.isascii() for row in live):
        other = sorted(live, key=lambda row: (row.age[0], utf16(row.key)))[:count]
        if set(other) != set(first):
            yield other


def _put(at: Moment, others: tuple[Row, ...], row: Row, answer: Answer) -> Iterator[Outcome]:
    """Write the row beside the others, and hold the plugin against its cap."""
    after = with_space(at.state, _aged(at, at.space.adding(others, row), row))
    cap = at.rules.limits.plugin_row_cap
    if cap is None or after.plugin_rows(at.space.plugin, at.now) <= cap:
        yield answer, after
    elif at.rules.limits.cap_policy == "reject":
        yield Refused("LIMIT_EXCEEDED", "CAP-1"), at.state
    else:
        yield from ((answer, thinner) for thinner in _evict_from_plugin(at, after, row))


def _rejected_by(at: Moment) -> str | None:
    """Answer by which rule a full namespace takes no new key, None where its oldest row goes."""
    if at.space.overflow_policy is not None:
        return "EVICT-9" if at.space.overflow_policy == "reject-new" else None
    return "EVICT-8" if at.rules.limits.overflow_policy == "reject-new" else None


def _aged(at: Moment, space: Space, row: Row) -> Space:
    if not at.rules.strict_ages:
        return space
    newest_ms = max(row.created_at, space.newest_ms or row.created_at)
    return dataclasses.replace(space, newest_ms=newest_ms)


def _evict_from_plugin(at: Moment, state: State, fresh: Row) -> Iterator[State]:
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
            yield with_space(state, other.having(tuple(r for r in other.rows if r is not row)))


def unkeepable(at: Moment) -> Iterator[Outcome]:
    """Yield the refusal of a key that not every store can keep (INPUT-10)."""
    if has_unkeepable_text(at.key):
        yield Refused("INVALID_INPUT", "INPUT-10"), at.state


def unkeepable_plugin(at: Moment) -> Iterator[Outcome]:
    """Yield the refusal of a plugin whose id not every store can keep (INPUT-10).

    A store may refuse to open its namespaces, or whatever is asked of them then; once it holds a
    row of the plugin it has kept the id.
    """
    plugin = at.call.plugin
    if has_unkeepable_text(plugin) and not at.state.plugin_rows(plugin, at.now):
        yield Refused("INVALID_INPUT", "INPUT-10"), at.state


def with_space(state: State, space: Space) -> State:
    """Answer the state with a namespace in place of the one of its name."""
    spaces = tuple(
        space if (s.plugin, s.name) == (space.plugin, space.name) else s for s in state.spaces
    )
    return dataclasses.replace(state, spaces=spaces)


def without(at: Moment) -> State:
    """Answer the state without the row of the key."""
    return with_space(at.state, at.space.having(tuple(r for r in at.space.rows if r.key != at.key)))
