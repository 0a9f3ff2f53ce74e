"""The reference store in SQLite with the newer, optional operations.

Whatever looks and then writes does both in one write transaction, as a claim does. A comparison is
a digest of the row as it is stored, with its place; a row that is written anew and is all the same
is the same row to it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from onewinner.contract import ABSENT, BASE, OPTIONAL_OPERATIONS, Absent, Compared, Observation
from onewinner.stores import input as rules
from onewinner.stores.sqlite import LIVE, ROW, SPACE, STAMP, SqliteBackend, SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onewinner.clock import Clock
    from onewinner.contract import Backend, Intent, Json, Profile, Store
    from onewinner.stores.sqlite import Run


class NewerSqliteStore(SqliteStore):
    """A handle on one namespace of one plugin, with the newer operations."""

    SIZE: ClassVar[str] = f"SELECT count(*) FROM rows WHERE {SPACE} AND {LIVE}"
    IMAGE: ClassVar[str] = (
        f"SELECT CAST(value AS BLOB), created_at, expires_at FROM rows WHERE {ROW} AND {LIVE}"
    )

    def count(self) -> int:
        """Count the live rows, at an instant at which nobody writes."""
        with self._file.transaction("count", "READ_FAILED") as connection:
            bound = {**self._fixed, "now": self._clock.now_ms()}
            return int(connection.execute(self.SIZE, bound).fetchone()[0])

    def lookup_many(self, keys: Sequence[str]) -> list[Json | Absent]:
        """Answer what each key holds; while the write lock is held that is one instant."""
        names = [self._key(key, "lookup_many") for key in keys]
        with self._file.transaction("lookup_many", "READ_FAILED") as connection:
            now = self._clock.now_ms()
            found = [
                connection.execute(self.LOOKUP, {**self._fixed, "key": name, "now": now}).fetchall()
                for name in names
            ]
        return [
            rules.value_of(rows[0][0], "lookup_many", name) if rows else ABSENT
            for name, rows in zip(names, found, strict=True)
        ]

    def delete_if_equal(self, key: str, expected: Json) -> bool:
        """Remove the live row whose value is this scalar."""
        wanted = rules.scalar(expected, "delete_if_equal")
        return self._delete_where(key, "delete_if_equal", lambda v: rules.is_scalar(v, wanted))

    def delete_if(self, key: str, condition: Callable[[Json], bool]) -> bool:
        """Remove the live row of whose value the condition holds."""
        return self._delete_where(key, "delete_if", condition)

    def _delete_where(self, key: str, operation: str, holds: Callable[[Json], bool]) -> bool:
        name = self._key(key, operation)
        with self._transaction(operation, key=name) as run:
            held = self._held(run, operation, name)
            return held is not ABSENT and holds(held) and run(self.DELETE).rowcount > 0

    def update(
        self,
        key: str,
        change: Callable[[Json | Absent], Json | Absent],
        *,
        ttl_ms: int | None = None,
    ) -> bool:
        """Store what the change makes of the live value; False where it leaves it."""
        name = self._key(key, "update")
        life = rules.ttl(ttl_ms, "update") or self._default_ttl_ms
        with self._transaction("update", key=name, ttl_ms=life) as run:
            changed = change(self._held(run, "update", name))
            if changed is ABSENT:
                return False
            self._put(run, rules.value_text(changed, "update", self._profile))
            return True

    def observe(self, key: str) -> Observation:
        """Answer the live value, and a comparison; the clock is read first, as in `lookup`."""
        name = self._key(key, "observe")
        with self._file.statement("observe") as connection:
            row = {**self._fixed, "key": name, "now": self._clock.now_ms()}
            return self._observation(partial(connection.execute, self.IMAGE, row), name)

    def compare_and_apply(
        self, key: str, comparison: str, intent: Intent, *, ttl_ms: int | None = None
    ) -> Compared:
        """Set, delete or keep the row where it is still the one observed."""
        f = "compare_and_apply"
        name = self._key(key, f)
        sets = intent.name == "set"
        text = rules.value_text(intent.argument, f, self._profile) if sets else ""
        life = rules.ttl(ttl_ms, f) or self._default_ttl_ms
        with self._transaction(f, key=name, ttl_ms=life) as run:
            current = self._observation(partial(run, self.IMAGE), name)
            if current.comparison != comparison:
                return Compared("conflict", current)
            if sets:
                self._put(run, text)
            elif intent.name != "delete" or run(self.DELETE).rowcount == 0:
                return Compared("unchanged")
            return Compared("applied")

    def _held(self, run: Run, operation: str, name: str) -> Json | Absent:
        found = run(self.LOOKUP).fetchall()
        return rules.value_of(found[0][0], operation, name) if found else ABSENT

    def _put(self, run: Run, text: str) -> None:
        """Write the value, as `register` does."""
        run = partial(run, value=text)
        if run(self.REPLACE).rowcount == 0:
            self._insert(run)

    def _observation(self, look: Run, name: str) -> Observation:
        found = look().fetchall()
        stored = [found[0][0].decode("utf-8", "surrogateescape"), *found[0][1:]] if found else None
        place = [self._fixed["plugin"], self._fixed["namespace"], name]
        digest = hashlib.sha256(json.dumps([*place, stored]).encode()).hexdigest()
        value = rules.value_of(found[0][0], "observe", name) if found else ABSENT
        return Observation(value, digest)


class NewerSqliteBackend(SqliteBackend):
    """One handle on a store, with the newer operations and the overflow policy of an opening."""

    store: ClassVar[type[SqliteStore]] = NewerSqliteStore
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


BORN: Final = f"max(:now, coalesce((SELECT max(created_at) + 1 FROM rows WHERE {SPACE}), 0))"
"""When a row is said to be written where ages are strict: later than all that are there."""


class StrictSqliteStore(NewerSqliteStore):
    """The same, with no two rows of a namespace of one age (READ-11)."""

    REPLACE: ClassVar[str] = SqliteStore.REPLACE.replace(STAMP, BORN)
    INSERT: ClassVar[str] = SqliteStore.INSERT.replace(STAMP, BORN)


class StrictSqliteBackend(NewerSqliteBackend):
    """One handle on a store whose rows have strict ages."""

    store: ClassVar[type[SqliteStore]] = StrictSqliteStore
    strict_ages: ClassVar[bool] = True


def connect(location: str, *, clock: Clock, profile: Profile = BASE) -> Backend:
    """Connect to the store in the directory `location`; `profile` holds the limits."""
    return NewerSqliteBackend(location, clock=clock, profile=profile)


def connect_strict(location: str, *, clock: Clock, profile: Profile = BASE) -> Backend:
    """Connect to the same with strict ages."""
    return StrictSqliteBackend(location, clock=clock, profile=profile)
