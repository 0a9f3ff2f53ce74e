"""The reference store in memory: threads of one process, nothing durable.

One lock makes every operation one step, and the clock is read inside it. Values are kept as JSON
text, so that no caller holds a part of what is stored. A write that does not fit is refused before
anything is changed: first it is worked out who would have to go, then it is done.
"""

from __future__ import annotations

import heapq
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Final

from onewinner.contract import (
    ABSENT,
    BASE,
    Absent,
    Capabilities,
    Entry,
    LimitExceeded,
    StoreError,
)
from onewinner.stores import input as rules
from onewinner.stores.locations import Locations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from onewinner.clock import Clock
    from onewinner.contract import Backend, Json, Profile, Store
    from onewinner.stores.input import Opening


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is kept; `text` is the value's JSON."""

    key: str
    text: str
    created_at: int
    expires_at: int | None

    def live(self, now: int) -> bool:
        """Tell whether the row is live: at `now == expires_at` it is not (TTL-1)."""
        return self.expires_at is None or self.expires_at > now

    @property
    def age(self) -> tuple[int, str]:
        """What rows are ordered by: ties of age go by key (EVICT-3)."""
        return self.created_at, self.key


@dataclass(slots=True)
class Space:
    """The rows of one namespace by key, with those that expired and were not yet removed."""

    opening: Opening
    rows: dict[str, Row] = field(default_factory=dict)
    stamped: int = 0

    def put(self, row: Row) -> None:
        """Keep a row, stamped no earlier than the newest, though the clock is behind (EVICT-12)."""
        if row.created_at < self.stamped:
            newest = max((other.created_at for other in self.rows.values()), default=0)
            row = replace(row, created_at=max(row.created_at, newest))
        self.stamped = row.created_at
        self.rows[row.key] = row

    def drop_expired(self, now: int) -> int:
        """Remove what has expired and answer how many rows that were."""
        before = len(self.rows)
        self.rows = {key: row for key, row in self.rows.items() if row.live(now)}
        return before - len(self.rows)


class Data:
    """What all handles of one location share."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.spaces: dict[tuple[str, str], Space] = {}


_LOCATIONS: Final = Locations(Data)


class MemoryStore:
    """A handle on one namespace of one plugin."""

    def __init__(self, backend: MemoryBackend, opening: Opening) -> None:
        self._backend = backend
        self._opening = opening
        self._profile = backend.profile

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Upsert: value, `created_at` and `expires_at` are replaced together."""
        with self._write("register", key, value, ttl_ms) as (data, space, row):
            self._put(data, space, row)

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim: answer True only where no live row held the key."""
        with self._write("register", key, value, ttl_ms) as (data, space, row):
            if self._held(space, row.key, row.created_at) is not None:
                return False
            self._put(data, space, row)
            return True

    def lookup(self, key: str) -> Json | Absent:
        """Answer the live value, or ABSENT."""
        name = self._key(key, "lookup")
        with self._step("lookup") as (_, space, now):
            row = self._held(space, name, now)
        return ABSENT if row is None else self._value(row)

    def consume(self, key: str) -> Json | Absent:
        """Read and remove in one step."""
        name = self._key(key, "consume")
        with self._step("consume") as (_, space, now):
            row = self._held(space, name, now)
            space.rows.pop(name, None)
        return ABSENT if row is None else self._value(row)

    def delete(self, key: str) -> bool:
        """Remove the row; True iff it was live."""
        name = self._key(key, "delete")
        with self._step("delete") as (_, space, now):
            row = self._held(space, name, now)
            space.rows.pop(name, None)
        return row is not None

    def entries(self) -> list[Entry]:
        """List the live rows, the oldest first."""
        with self._step("entries") as (_, space, now):
            rows = [row for row in space.rows.values() if row.live(now)]
        return [
            Entry(row.key, self._value(row), row.created_at, row.expires_at)
            for row in sorted(rows, key=lambda row: row.age)
        ]

    def clear(self) -> None:
        """Remove every row of this namespace."""
        with self._step("clear") as (_, space, _):
            space.rows.clear()

    def _held(self, space: Space, key: str, now: int) -> Row | None:
        """Answer the live row of the key."""
        row = space.rows.get(key)
        return row if row is not None and row.live(now) else None

    def _put(self, data: Data, space: Space, row: Row) -> None:
        """Write the row; where it is new, make room for it, or refuse it and change nothing."""
        if self._held(space, row.key, row.created_at) is None:
            for where, gone in self._doomed(data, space, row):
                del where.rows[gone.key]
        space.put(self._kept(space, row))

    def _kept(self, _space: Space, row: Row) -> Row:
        """Answer the row as it is to be kept: as it was written."""
        return row

    def _doomed(self, data: Data, space: Space, row: Row) -> list[tuple[Space, Row]]:
        """Answer the live rows that a new row drives out: of its namespace, then of its plugin.

        The new row is not among the candidates, so it is never evicted, whatever its age.
        """
        plugin, cap = self._opening.plugin, self._profile.plugin_row_cap
        mine = [other for other in data.spaces.values() if other.opening.plugin == plugin]
        if self._fits(space, mine):
            return []
        for other in mine:
            other.drop_expired(row.created_at)
        excess = len(space.rows) + 1 - self._opening.max_entries
        if excess > 0 and self._opening.overflow_policy == "reject-new":
            raise LimitExceeded(
                operation="register",
                message=f"the namespace holds {len(space.rows)} live rows; remove some first",
            )
        doomed = [(space, old) for old in _oldest(excess, space.rows.values())]
        excess = 0 if cap is None else _total(mine) + 1 - len(doomed) - cap
        if excess > 0 and self._profile.cap_policy == "reject":
            raise LimitExceeded(
                operation="register",
                message=f"plugin {plugin!r:.80} holds {cap} live rows; remove some first",
            )
        going = {id(old) for _, old in doomed}
        others = [(s, old) for s in mine for old in s.rows.values() if id(old) not in going]
        return doomed + heapq.nsmallest(max(excess, 0), others, key=lambda pair: pair[1].age)

    def _fits(self, space: Space, mine: list[Space]) -> bool:
        """Tell whether there is room for a row even if none has expired."""
        cap = self._profile.plugin_row_cap
        return len(space.rows) < self._opening.max_entries and (cap is None or _total(mine) < cap)

    def _key(self, key: str, operation: str) -> str:
        return rules.key_text(key, operation, self._profile)

    def _value(self, row: Row) -> Json:
        return rules.value_of(row.text, "lookup", row.key)

    @contextmanager
    def _write(
        self, operation: str, key: str, value: Json, ttl_ms: int | None
    ) -> Iterator[tuple[Data, Space, Row]]:
        """Check the input, then take the step that writes; answers the row to write."""
        name = self._key(key, operation)
        text = rules.value_text(value, operation, self._profile)
        life = rules.ttl(ttl_ms, operation) or self._opening.default_ttl_ms
        with self._step(operation) as (data, space, now):
            yield data, space, Row(name, text, now, rules.expiry(now, life, operation))

    @contextmanager
    def _step(self, operation: str) -> Iterator[tuple[Data, Space, int]]:
        """Hold the lock; answers the data, this namespace, and the time, read under the lock."""
        data = self._backend.data(operation)
        with data.lock:
            yield data, self._space(data), self._backend.clock.now_ms()

    def _space(self, data: Data) -> Space:
        return data.spaces[self._opening.plugin, self._opening.namespace]


class MemoryBackend:
    """One handle on a location; `location` is any text, and its data go with the last handle."""

    store: ClassVar[type[MemoryStore]] = MemoryStore

    def __init__(self, location: str, *, clock: Clock, profile: Profile = BASE) -> None:
        self.clock = clock
        self.profile = profile
        self.capabilities = Capabilities(
            scope="thread",
            durable=False,
            virtual_clock=True,
            plugin_row_cap=profile.plugin_row_cap,
            profile=profile,
        )
        self._location = location
        self._data: Data | None = _LOCATIONS.enter(location)

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open a namespace; raises InvalidInput for what section 5 refuses."""
        return self._opened(
            rules.opening(plugin_id, namespace, max_entries, default_ttl_ms, self.profile)
        )

    def _opened(self, wanted: Opening) -> Store:
        place = (wanted.plugin, wanted.namespace)
        data = self.data("open")
        with data.lock:
            space = data.spaces.setdefault(place, Space(wanted))
        return self.store(self, rules.agreed(space.opening, wanted))

    def sweep_expired(self) -> int:
        """Remove the expired rows of all plugins and answer how many they were."""
        data = self.data("sweep_expired")
        with data.lock:
            now = self.clock.now_ms()
            return sum(space.drop_expired(now) for space in data.spaces.values())

    def close(self) -> None:
        """Let go of the data; a second call does nothing."""
        if self._data is not None:
            self._data = None
            _LOCATIONS.leave(self._location)

    def data(self, operation: str) -> Data:
        """Answer what the handles of this location share; raises StoreError once closed."""
        if self._data is None:
            raise StoreError(
                code="OPEN_FAILED",
                operation=operation,
                message="this handle was closed; connect again",
            )
        return self._data


def connect(location: str, *, clock: Clock, profile: Profile = BASE) -> Backend:
    """Connect to the data of `location` in this process; `profile` holds the limits."""
    return MemoryBackend(location, clock=clock, profile=profile)


def _total(spaces: Iterable[Space]) -> int:
    return sum(len(space.rows) for space in spaces)


def _oldest(count: int, rows: Iterable[Row]) -> list[Row]:
    return heapq.nsmallest(max(count, 0), rows, key=lambda row: row.age)
