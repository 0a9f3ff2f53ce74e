"""The reference store in memory with the newer, optional operations.

Each is one step under the lock, as all the others are. A comparison names the write that made the
row: a number that no other write ever had, or none where there is no row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, ClassVar, Final

from onewinner.contract import ABSENT, BASE, OPTIONAL_OPERATIONS, Absent, Compared, Observation
from onewinner.stores import input as rules
from onewinner.stores.memory import MemoryBackend, MemoryStore, Row, Space

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onewinner.clock import Clock
    from onewinner.contract import Backend, Intent, Json, Profile, Store

_WRITES: Final = count(1)


@dataclass(frozen=True, slots=True)
class Version(Row):
    """A row with the number of the write that made it."""

    write: int = 0


class NewerMemoryStore(MemoryStore):
    """A handle on one namespace of one plugin, with the newer operations."""

    def count(self) -> int:
        """Count the live rows."""
        with self._step("count") as (_, space, now):
            return sum(row.live(now) for row in space.rows.values())

    def lookup_many(self, keys: Sequence[str]) -> list[Json | Absent]:
        """Answer what each key holds, all at one instant."""
        names = [self._key(key, "lookup_many") for key in keys]
        with self._step("lookup_many") as (_, space, now):
            rows = [self._held(space, name, now) for name in names]
        return [self._sought(row) for row in rows]

    def delete_if_equal(self, key: str, expected: Json) -> bool:
        """Remove the live row whose value is this scalar."""
        wanted = rules.scalar(expected, "delete_if_equal")
        return self._delete_where(key, "delete_if_equal", lambda v: rules.is_scalar(v, wanted))

    def delete_if(self, key: str, condition: Callable[[Json], bool]) -> bool:
        """Remove the live row of whose value the condition holds."""
        return self._delete_where(key, "delete_if", condition)

    def _delete_where(self, key: str, operation: str, holds: Callable[[Json], bool]) -> bool:
        name = self._key(key, operation)
        with self._step(operation) as (_, space, now):
            row = self._held(space, name, now)
            if row is None or not holds(self._value(row)):
                return False
            del space.rows[name]
            return True

    def update(
        self,
        key: str,
        change: Callable[[Json | Absent], Json | Absent],
        *,
        ttl_ms: int | None = None,
    ) -> bool:
        """Store what the change makes of the live value; False where it leaves it."""
        name = self._key(key, "update")
        life = rules.ttl(ttl_ms, "update") or self._opening.default_ttl_ms
        with self._step("update") as (data, space, now):
            changed = change(self._sought(self._held(space, name, now)))
            if changed is ABSENT:
                return False
            text = rules.value_text(changed, "update", self._profile)
            self._put(data, space, Row(name, text, now, rules.expiry(now, life, "update")))
            return True

    def observe(self, key: str) -> Observation:
        """Answer the live value, and a comparison that stands for its row."""
        name = self._key(key, "observe")
        with self._step("observe") as (_, space, now):
            row = self._held(space, name, now)
        return self._observation(name, row)

    def compare_and_apply(
        self, key: str, comparison: str, intent: Intent, *, ttl_ms: int | None = None
    ) -> Compared:
        """Set, delete or keep the row where it is still the one observed."""
        f = "compare_and_apply"
        name = self._key(key, f)
        sets = intent.name == "set"
        text = rules.value_text(intent.argument, f, self._profile) if sets else ""
        life = rules.ttl(ttl_ms, f) or self._opening.default_ttl_ms
        with self._step(f) as (data, space, now):
            row = self._held(space, name, now)
            current = self._observation(name, row)
            if current.comparison != comparison:
                return Compared("conflict", current)
            if sets:
                self._put(data, space, Row(name, text, now, rules.expiry(now, life, f)))
            elif intent.name == "delete" and row is not None:
                del space.rows[name]
            else:
                return Compared("unchanged")
            return Compared("applied")

    def _sought(self, row: Row | None) -> Json | Absent:
        return ABSENT if row is None else self._value(row)

    def _observation(self, name: str, row: Row | None) -> Observation:
        write = row.write if isinstance(row, Version) else None
        place = [self._opening.plugin, self._opening.namespace, name]
        return Observation(self._sought(row), json.dumps([*place, write]))

    def _kept(self, _space: Space, row: Row) -> Row:
        """Answer the row with the number of its write."""
        return Version(row.key, row.text, row.created_at, row.expires_at, next(_WRITES))


class NewerMemoryBackend(MemoryBackend):
    """One handle on a location, with the newer operations and the overflow policy of an opening."""

    store: ClassVar[type[MemoryStore]] = NewerMemoryStore
    strict_ages: ClassVar[bool] = False

    def __init__(self, location: str, *, clock: Clock, profile: Profile = BASE) -> None:
        super().__init__(location, clock=clock, profile=profile)
        self.capabilities = replace(
            self.capabilities.having(*OPTIONAL_OPERATIONS),
            overflow_option=True,
            strict_ages=self.strict_ages,
        )

    def open(
        self,
        plugin_id: str,
        namespace: str,
        *,
        max_entries: int,
        default_ttl_ms: int | None = None,
        overflow_policy: str | None = None,
    ) -> Store:
        """Open a namespace; raises InvalidInput for what section 5 refuses."""
        options = (max_entries, default_ttl_ms, self.profile, overflow_policy)
        return self._opened(rules.opening(plugin_id, namespace, *options))


class StrictMemoryStore(NewerMemoryStore):
    """The same, with no two rows of a namespace of one age (READ-11)."""

    def _kept(self, space: Space, row: Row) -> Row:
        newest = max((other.created_at for other in space.rows.values()), default=-1)
        created_at = max(row.created_at, newest + 1)
        return super()._kept(space, replace(row, created_at=created_at))


class StrictMemoryBackend(NewerMemoryBackend):
    """One handle on a location whose rows have strict ages."""

    store: ClassVar[type[MemoryStore]] = StrictMemoryStore
    strict_ages: ClassVar[bool] = True


def connect(location: str, *, clock: Clock, profile: Profile = BASE) -> Backend:
    """Connect to the data of `location` in this process; `profile` holds the limits."""
    return NewerMemoryBackend(location, clock=clock, profile=profile)


def connect_strict(location: str, *, clock: Clock, profile: Profile = BASE) -> Backend:
    """Connect to the same with strict ages."""
    return StrictMemoryBackend(location, clock=clock, profile=profile)
