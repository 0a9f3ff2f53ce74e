"""The reference store in SQLite: threads and processes, durable. Copy it; it is meant for that.

Every write is one `BEGIN IMMEDIATE` transaction: it waits for the write lock first, reads the clock
then, removes what has expired, and does one statement an effect. So whatever it sees stays true
until it commits, and a refusal rolls back to exactly what was there.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from onewinner.contract import ABSENT, BASE, Absent, Capabilities, Entry, LimitExceeded
from onewinner.stores import input as rules
from onewinner.stores.locations import Locations
from onewinner.stores.sqlite_file import SqliteFile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from onewinner.clock import Clock
    from onewinner.contract import Backend, Json, Profile, Store
    from onewinner.stores.input import Opening

Run: TypeAlias = "Callable[..., sqlite3.Cursor]"
"""Runs a statement in a transaction; what is given by name comes in place of what it has bound."""

SPACE: Final = "plugin = :plugin AND namespace = :namespace"
ROW: Final = f"{SPACE} AND key = :key"
LIVE: Final = "(expires_at IS NULL OR expires_at > :now)"  # at `now == expires_at` it is not
STAMP: Final = (  # never before the newest row, also where the clock was set back (EVICT-12)
    f"max(:now, (SELECT coalesce(max(created_at), :now) FROM rows WHERE {SPACE}))"
)
_INT64_MAX: Final = 2**63 - 1


class SqliteStore:
    """A handle on one namespace of one plugin.

    Each SQL text below is one effect. Those that run in a write transaction come after `PRUNE`, so
    the rows they see are the live ones.
    """

    PRUNE: ClassVar[str] = "DELETE FROM rows WHERE plugin = :plugin AND expires_at <= :now"
    REPLACE: ClassVar[str] = (
        f"UPDATE rows SET value = :value, created_at = {STAMP}, expires_at = :expires_at "
        f"WHERE {ROW}"
    )
    INSERT: ClassVar[str] = (
        "INSERT INTO rows (plugin, namespace, key, value, created_at, expires_at) "
        f"VALUES (:plugin, :namespace, :key, :value, {STAMP}, :expires_at) "
        "ON CONFLICT (plugin, namespace, key) DO NOTHING"
    )
    EVICT: ClassVar[str] = (
        f"DELETE FROM rows WHERE {SPACE} AND key IN ("
        f"SELECT key FROM rows WHERE {SPACE} AND key <> :key ORDER BY created_at, key "
        f"LIMIT max(0, (SELECT held FROM sizes WHERE {SPACE}) - :max_entries))"
    )
    COUNT: ClassVar[str] = "SELECT sum(held) FROM sizes WHERE plugin = :plugin"
    EVICT_FROM_PLUGIN: ClassVar[str] = (
        "DELETE FROM rows WHERE plugin = :plugin AND (namespace, key) IN ("
        f"SELECT namespace, key FROM rows WHERE plugin = :plugin AND NOT ({ROW}) "
        f"ORDER BY created_at, key, namespace LIMIT max(0, ({COUNT}) - :cap))"
    )
    LOOKUP: ClassVar[str] = f"SELECT CAST(value AS BLOB) FROM rows WHERE {ROW} AND {LIVE}"
    CONSUME: ClassVar[str] = f"DELETE FROM rows WHERE {ROW} RETURNING CAST(value AS BLOB)"
    DELETE: ClassVar[str] = f"DELETE FROM rows WHERE {ROW}"
    ENTRIES: ClassVar[str] = (
        "SELECT key, CAST(value AS BLOB), created_at, expires_at FROM rows "
        f"WHERE {SPACE} AND {LIVE} ORDER BY created_at, key"
    )
    CLEAR: ClassVar[str] = f"DELETE FROM rows WHERE {SPACE}"

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        self._file = backend.file
        self._clock = backend.clock
        self._profile = backend.profile
        self._default_ttl_ms = opening.default_ttl_ms
        self._rejects = opening.overflow_policy == "reject-new"
        self._most = min(opening.max_entries, _INT64_MAX)
        self._fixed = {
            "plugin": opening.plugin,
            "namespace": opening.namespace,
            "max_entries": self._most,
            "cap": backend.profile.plugin_row_cap,
        }

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Upsert: value, `created_at` and `expires_at` are replaced together."""
        with self._write("register", key, value, ttl_ms) as run:
            if run(self.REPLACE).rowcount == 0:
                self._insert(run)

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim: answer True only where no live row held the key."""
        with self._write("register", key, value, ttl_ms) as run:
            return self._insert(run)

    def lookup(self, key: str) -> Json | Absent:
        """Answer the live value, or ABSENT.

        The clock is read before the snapshot: a row that is there in the snapshot and was not
        expired before it was live at some instant between the two. The other way round, a row that
        was replaced and would have expired between the two would seem absent, and never was.
        """
        name = self._key(key, "lookup")
        with self._file.statement("lookup") as connection:
            row = {**self._fixed, "key": name, "now": self._clock.now_ms()}
            found = connection.execute(self.LOOKUP, row).fetchall()
        return rules.value_of(found[0][0], "lookup", name) if found else ABSENT

    def consume(self, key: str) -> Json | Absent:
        """Read and remove in one step; a row whose value is damaged stays where it is."""
        name = self._key(key, "consume")
        with self._transaction("consume", key=name) as run:
            found = run(self.CONSUME).fetchall()
            return rules.value_of(found[0][0], "consume", name) if found else ABSENT

    def delete(self, key: str) -> bool:
        """Remove the row; True iff it was live."""
        name = self._key(key, "delete")
        with self._transaction("delete", key=name) as run:
            return run(self.DELETE).rowcount > 0

    def entries(self) -> list[Entry]:
        """List the live rows, the oldest first; CORRUPT where the value of one is damaged.

        The write lock is what makes snapshot and clock one instant: while it is held nobody can
        replace a row of the snapshot before the clock is read. (A damaged row spoils this list
        alone: every other operation on other keys goes on, and `delete` mends the namespace.)
        """
        with self._file.transaction("entries", "READ_FAILED") as connection:
            row = {**self._fixed, "now": self._clock.now_ms()}
            found = connection.execute(self.ENTRIES, row).fetchall()
        return [
            Entry(key, rules.value_of(text, "entries", key), created_at, expires_at)
            for key, text, created_at, expires_at in found
        ]

    def clear(self) -> None:
        """Remove every row of this namespace."""
        with self._transaction("clear") as run:
            run(self.CLEAR)

    def _insert(self, run: Run) -> bool:
        """Insert a row where none is, and make room for it; answer whether it was inserted."""
        if run(self.INSERT).rowcount == 0:
            return False
        if run(self.EVICT).rowcount > 0 and self._rejects:
            raise LimitExceeded(  # the transaction is rolled back: nobody was evicted
                operation="register", message="the namespace is full; remove a row first"
            )
        self._hold_cap(run)
        return True

    def _hold_cap(self, run: Run) -> None:
        """Hold the plugin against its cap, after the namespace's own eviction (CAP-1)."""
        cap = self._profile.plugin_row_cap
        if cap is None:
            return
        if self._profile.cap_policy == "evict-oldest":
            run(self.EVICT_FROM_PLUGIN)
        elif run(self.COUNT).fetchone()[0] > cap:
            raise LimitExceeded(
                operation="register",
                message=f"plugin {self._fixed['plugin']!r:.80} holds {cap} live rows; "
                f"remove some first",
            )

    def _write(
        self, operation: str, key: str, value: Json, ttl_ms: int | None
    ) -> AbstractContextManager[Run]:
        """Check the input of a write and answer its transaction."""
        name = self._key(key, operation)
        text = rules.value_text(value, operation, self._profile)
        life = rules.ttl(ttl_ms, operation) or self._default_ttl_ms
        return self._transaction(operation, key=name, value=text, ttl_ms=life)

    def _key(self, key: str, operation: str) -> str:
        return rules.key_text(key, operation, self._profile)

    @contextmanager
    def _transaction(
        self, operation: str, *, key: str = "", value: str = "", ttl_ms: int | None = None
    ) -> Iterator[Run]:
        """Wait for the write lock, read the clock, remove what has expired; undo it on a raise."""
        with self._file.transaction(operation) as connection:
            now = self._clock.now_ms()
            row = {"key": key, "value": value, "expires_at": rules.expiry(now, ttl_ms, operation)}
            bound = {**self._fixed, **row, "now": now}
            connection.execute(self.PRUNE, bound)
            yield lambda sql, **given: connection.execute(sql, {**bound, **given})


class SqliteBackend:
    """One handle on the store in the directory `location`, which is made where it is missing.

    Raises StoreError OPEN_FAILED where the file cannot be had, SCHEMA_UNSUPPORTED where a newer
    release wrote it.
    """

    SWEEP: ClassVar[str] = "DELETE FROM rows WHERE expires_at <= :now"
    DAMAGE: ClassVar[str] = f"UPDATE rows SET value = '{{\"torn' WHERE {ROW}"
    store: ClassVar[type[SqliteStore]] = SqliteStore
    file_type: ClassVar[type[SqliteFile]] = SqliteFile

    def __init__(self, location: str, *, clock: Clock, profile: Profile = BASE) -> None:
        self.clock = clock
        self.profile = profile
        self.capabilities = Capabilities(
            virtual_clock=True,
            plugin_row_cap=profile.plugin_row_cap,
            profile=profile,
            private_files=True,
            damage=True,
        )
        self.file = self.file_type(location)
        self._openings = _OPENINGS.enter(str(self.file.path))
        self._closed = False

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open a namespace; raises InvalidInput for what section 5 refuses."""
        return self._opened(
            rules.opening(plugin_id, namespace, max_entries, default_ttl_ms, self.profile)
        )

    def _opened(self, wanted: Opening) -> Store:
        known = self._openings.setdefault((wanted.plugin, wanted.namespace), wanted)
        return self.store(self, rules.agreed(known, wanted))

    def sweep_expired(self) -> int:
        """Remove the expired rows of all plugins and answer how many they were."""
        with self.file.transaction("sweep_expired") as connection:
            return connection.execute(self.SWEEP, {"now": self.clock.now_ms()}).rowcount

    def damage(self, plugin_id: str, namespace: str, key: str) -> None:
        """Cut the stored value of a row in two, so that tests can see what becomes of it."""
        with self.file.transaction("damage") as connection:
            connection.execute(
                self.DAMAGE, {"plugin": plugin_id, "namespace": namespace, "key": key}
            )

    def close(self) -> None:
        """Close the handle; the rows stay in the file. A second call does nothing."""
        self.file.close()
        if not self._closed:
            self._closed = True
            _OPENINGS.leave(str(self.file.path))


_OPENINGS: Final[Locations[dict[tuple[str, str], Opening]]] = Locations(dict)


def connect(location: str, *, clock: Clock, profile: Profile = BASE) -> Backend:
    """Connect to the store in the directory `location`; `profile` holds the limits."""
    return SqliteBackend(location, clock=clock, profile=profile)
