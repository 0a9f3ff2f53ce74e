"""Small stores for the tests of races: wrong ones, and right ones that differ only where it counts.

They keep no limits and no TTL unless they say so; what they lack they do not declare.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from onewinner.clock import sleep
from onewinner.contract import ABSENT, Capabilities, Entry
from onewinner.stores.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.clock import Clock

OPERATIONS = frozenset({"register", "register_if_absent", "lookup", "delete", "clear"})
BARE = Capabilities(
    scope="thread",
    durable=False,
    operations=OPERATIONS,
    ttl_unit_ms=None,
    eviction=None,
    plugin_row_cap=None,
    validates_input=False,
)
SHARED = Capabilities(
    operations=OPERATIONS,
    ttl_unit_ms=None,
    eviction=None,
    plugin_row_cap=None,
    validates_input=False,
    handle_scope="thread",
)


class DictStore:
    """Rows in a dictionary; a claim looks first and writes then, with or without a lock."""

    def __init__(self, rows: dict[str, Any], lock: Any) -> None:
        self.rows = rows
        self.lock = lock

    def register(self, key: str, value: Any, *, ttl_ms: int | None = None) -> None:
        self.rows[key] = value

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        with self.lock:
            if self.lookup(key) is not ABSENT:
                return False
            self.register(key, value)
            return True

    def lookup(self, key: str) -> Any:
        return self.rows.get(key, ABSENT)

    def delete(self, key: str) -> bool:
        with self.lock:
            return self.rows.pop(key, ABSENT) is not ABSENT

    def clear(self) -> None:
        with self.lock:
            self.rows.clear()


class _NoLock:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class DictBackend:
    """All connections of a process to one location share their rows."""

    capabilities = BARE
    shared: ClassVar[dict[tuple[str, ...], dict[str, Any]]] = {}
    locks: ClassVar[dict[str, Any]] = {}
    new_lock: Callable[[], Any] = threading.Lock

    def __init__(self, location: str, *, clock: Clock) -> None:
        self.location = location

    def open(self, plugin_id: str, namespace: str, **_: Any) -> DictStore:
        where = (type(self).__name__, self.location, plugin_id, namespace)
        lock = self.locks.setdefault("/".join(where), self.new_lock())
        return DictStore(self.shared.setdefault(where, {}), lock)

    def close(self) -> None: ...


class RacyDictBackend(DictBackend):
    new_lock = _NoLock


class NumberedBackend(DictBackend):
    """Whatever is looked up, it answers which connection of its process it is."""

    made: ClassVar[list[object]] = []

    def __init__(self, location: str, *, clock: Clock) -> None:
        super().__init__(location, clock=clock)
        self.made.append(self)
        self.number = len(self.made)

    def open(self, plugin_id: str, namespace: str, **_: Any) -> Any:
        return self

    def lookup(self, key: str) -> int:
        return self.number


class LastHandleBackend(MemoryBackend):
    """Data go with the last handle, and whoever connects waits a moment for that to happen."""

    open_handles = 0
    _counting = threading.Lock()

    def __init__(self, location: str, *, clock: Clock) -> None:
        looks = 40
        while self._count(0) and looks:
            sleep(0.005)
            looks -= 1
        super().__init__(location, clock=clock)
        self._count(1)

    def close(self) -> None:
        super().close()
        self._count(-1)

    @classmethod
    def _count(cls, more: int) -> int:
        with cls._counting:
            cls.open_handles += more
            return cls.open_handles


class SqliteStore:
    """Rows in SQLite; one statement a claim."""

    def __init__(self, connection: sqlite3.Connection, space: str) -> None:
        self.connection = connection
        self.space = space

    def register(self, key: str, value: Any, *, ttl_ms: int | None = None) -> None:
        row = (self.space, key, json.dumps(value))
        self.connection.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", row)

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        row = (self.space, key, json.dumps(value))
        done = self.connection.execute("INSERT OR IGNORE INTO rows VALUES (?, ?, ?)", row)
        return done.rowcount == 1

    def lookup(self, key: str) -> Any:
        sql = "SELECT value FROM rows WHERE space = ? AND key = ?"
        found = self.connection.execute(sql, (self.space, key)).fetchone()
        return ABSENT if found is None else json.loads(found[0])

    def delete(self, key: str) -> bool:
        sql = "DELETE FROM rows WHERE space = ? AND key = ?"
        return self.connection.execute(sql, (self.space, key)).rowcount == 1

    def clear(self) -> None:
        self.connection.execute("DELETE FROM rows WHERE space = ?", (self.space,))


class RacySqliteStore(SqliteStore):
    """A claim looks first and writes then."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        if self.lookup(key) is not ABSENT:
            return False
        self.register(key, value)
        return True


class SqliteBackend:
    capabilities = SHARED
    store = SqliteStore

    def __init__(self, location: str, *, clock: Clock) -> None:
        path = Path(location) / "rows.db"
        self.connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=30
        )
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS rows (space, key, value, PRIMARY KEY (space, key))"
        )

    def open(self, plugin_id: str, namespace: str, **_: Any) -> SqliteStore:
        return self.store(self.connection, f"{plugin_id}/{namespace}")

    def close(self) -> None:
        self.connection.close()


class RacySqliteBackend(SqliteBackend):
    store = RacySqliteStore


class FileStore:
    """A row is a file; it is there or not, and that is looked up before it is written."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        path = self.home / key
        if path.exists():
            return False
        path.write_text(json.dumps(value), "utf-8")
        return True

    def lookup(self, key: str) -> Any:
        path = self.home / key
        return json.loads(path.read_text("utf-8")) if path.exists() else ABSENT


class FileBackend:
    capabilities = Capabilities(
        operations=frozenset({"register_if_absent", "lookup"}),
        ttl_unit_ms=None,
        eviction=None,
        plugin_row_cap=None,
        validates_input=False,
    )

    def __init__(self, location: str, *, clock: Clock) -> None:
        self.location = Path(location)

    def open(self, plugin_id: str, namespace: str, **_: Any) -> FileStore:
        home = self.location / plugin_id / namespace
        home.mkdir(parents=True, exist_ok=True)
        return FileStore(home)

    def close(self) -> None: ...


class HangingStore(DictStore):
    """It waits for ever, or dies, as soon as two clients are at work."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        if value["by"] == 1:
            sleep(1_000)
        return super().register_if_absent(key, value)


class DyingStore(DictStore):
    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        if value["by"] == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().register_if_absent(key, value)


class HangingBackend(DictBackend):
    store: type[DictStore] = HangingStore

    def open(self, plugin_id: str, namespace: str, **_: Any) -> DictStore:
        found = super().open(plugin_id, namespace)
        return self.store(found.rows, found.lock)


class DyingBackend(HangingBackend):
    store = DyingStore


class _DyingSqliteStore(SqliteStore):
    """Its process dies in its fifth claim."""

    made = 0
    always = False

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        won = super().register_if_absent(key, value, ttl_ms=ttl_ms) or self.always
        type(self).made += 1
        if self.made == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return won


class _GenerousStore(_DyingSqliteStore):
    always = True


class SharedThenDeath(SqliteBackend):
    """Right until its process dies."""

    store = _DyingSqliteStore


class DoubleWinThenDeath(SqliteBackend):
    """Everybody wins, until the process dies."""

    store = _GenerousStore


class BrokenBackend(DictBackend):
    """No claim ever works, in a race or out of it."""

    def open(self, plugin_id: str, namespace: str, **_: Any) -> Any:
        raise RuntimeError("out of order")


class TimedStore:
    """Rows with an expiry; the clock is read before the lock is taken, or after."""

    def __init__(self, backend: TimedBackend, space: str) -> None:
        self.backend = backend
        self.space = space

    def _early(self) -> int | None:
        return self.backend.clock.now_ms() if self.backend.early else None

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        early = self._early()
        with self.backend.lock:
            now = self.backend.clock.now_ms() if early is None else early
            if key in self._live(now):
                return False
            expires = None if ttl_ms is None else now + ttl_ms
            self.backend.rows[self.space, key] = Entry(key, value, now, expires)
            return True

    def _live(self, now: int) -> dict[str, Entry]:
        return {
            key: row
            for (space, key), row in self.backend.rows.items()
            if space == self.space and (row.expires_at is None or row.expires_at > now)
        }

    def lookup(self, key: str) -> Any:
        with self.backend.lock:
            row = self._live(self.backend.clock.now_ms()).get(key)
        return ABSENT if row is None else row.value

    def delete(self, key: str) -> bool:
        with self.backend.lock:
            return self.backend.rows.pop((self.space, key), None) is not None

    def entries(self) -> list[Entry]:
        early = self._early()
        with self.backend.lock:
            now = self.backend.clock.now_ms() if early is None else early
            return sorted(self._live(now).values(), key=lambda row: (row.created_at, row.key))


class TimedBackend:
    capabilities = Capabilities(
        scope="thread",
        durable=False,
        virtual_clock=True,
        operations=frozenset({"register_if_absent", "lookup", "delete", "entries"}),
        eviction=None,
        plugin_row_cap=None,
        validates_input=False,
    )
    early = False
    lock = threading.Lock()
    rows: ClassVar[dict[tuple[str, str], Entry]] = {}

    def __init__(self, location: str, *, clock: Clock) -> None:
        self.clock = clock

    def open(self, plugin_id: str, namespace: str, **_: Any) -> TimedStore:
        return TimedStore(self, f"{plugin_id}/{namespace}")

    def close(self) -> None: ...


class EarlyBackend(TimedBackend):
    early = True


REAL = Capabilities(
    scope="thread",
    durable=False,
    operations=TimedBackend.capabilities.operations,
    eviction=None,
    plugin_row_cap=None,
    validates_input=False,
)


class RealTimedBackend(TimedBackend):
    capabilities = REAL


class RealEarlyBackend(EarlyBackend):
    capabilities = REAL
