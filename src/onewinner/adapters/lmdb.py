"""The adapter for LMDB: a row for each key, and an expiry that is looked at in the transaction.

A claim is one write transaction, of which LMDB lets one go on at a time, on threads and processes:
`get`, and `put` where there is nothing, or nothing that lives. LMDB knows no TTL; the row holds its
times, and the time is read inside the transaction. A key in LMDB has 511 bytes at most: 32 are for
plugin and namespace, and what does not fit is refused. What is left undeclared: `max_entries` and
the plugin's cap. Threads share an environment, which a process must not open twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from onewinner.contract import ABSENT, Absent, Capabilities, Entry, InvalidInput, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.clock import Clock
    from onewinner.contract import Backend, Json, Store

CAPABILITIES: Final = Capabilities(
    virtual_clock=True, eviction=None, plugin_row_cap=None, validates_input=False
)
_MAP_BYTES: Final = 1 << 28
_PREFIX_BYTES: Final = 32
_READS: Final = frozenset({"lookup", "entries"})


class LmdbStore:
    """One namespace: an environment, and the beginning of its keys."""

    def __init__(
        self, environment: Any, clock: Clock, prefix: bytes, default_ttl_ms: int | None
    ) -> None:
        self._environment = environment
        self._clock = clock
        self._prefix = prefix
        self._default_ttl_ms = default_ttl_ms

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Upsert with `put`."""
        with self._transaction("register", write=True) as (transaction, now):
            transaction.put(self._name(key), self._row(value, ttl_ms, now))

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim: `put` where no live row is."""
        with self._transaction("register", write=True) as (transaction, now):
            name = self._name(key)
            if _live(transaction.get(name), now) is not None:
                return False
            transaction.put(name, self._row(value, ttl_ms, now))
        return True

    def lookup(self, key: str) -> Json | Absent:
        """Read the live row."""
        with self._transaction("lookup") as (transaction, now):
            row = _live(transaction.get(self._name(key)), now)
        return ABSENT if row is None else cast("Json", row[0])

    def consume(self, key: str) -> Json | Absent:
        """Read the live row and remove it."""
        with self._transaction("consume", write=True) as (transaction, now):
            row = _live(transaction.pop(self._name(key)), now)
        return ABSENT if row is None else cast("Json", row[0])

    def delete(self, key: str) -> bool:
        """Remove the row; True where it lived."""
        with self._transaction("delete", write=True) as (transaction, now):
            return _live(transaction.pop(self._name(key)), now) is not None

    def entries(self) -> list[Entry]:
        """List the live rows of one snapshot."""
        with self._transaction("entries") as (transaction, now):
            rows = [(name, _live(body, now)) for name, body in self._all(transaction)]
        found = [Entry(name.decode(), *row) for name, row in rows if row is not None]
        return sorted(found, key=lambda row: (row.created_at, row.key))

    def clear(self) -> None:
        """Remove all rows of the namespace in one transaction."""
        with self._transaction("clear", write=True) as (transaction, _):
            for name in [name for name, _ in self._all(transaction)]:
                transaction.delete(self._prefix + name)

    def _all(self, transaction: Any) -> Iterator[tuple[bytes, bytes]]:
        cursor = transaction.cursor()
        found = cursor.set_range(self._prefix)
        while found and cursor.key().startswith(self._prefix):
            yield cursor.key()[_PREFIX_BYTES:], cursor.value()
            found = cursor.next()

    def _name(self, key: str) -> bytes:
        return self._prefix + key.encode()

    def _row(self, value: Json, ttl_ms: int | None, now: int) -> bytes:
        life = self._default_ttl_ms if ttl_ms is None else ttl_ms
        return json.dumps([value, now, None if life is None else now + life]).encode()

    @contextmanager
    def _transaction(self, operation: str, *, write: bool = False) -> Iterator[tuple[Any, int]]:
        with _as_store_errors(operation), self._environment.begin(write=write) as transaction:
            yield transaction, self._clock.now_ms()


class LmdbBackend:
    """A share in the environment of a directory."""

    capabilities = CAPABILITIES

    def __init__(self, location: str, clock: Clock) -> None:
        self._location = location
        self._clock = clock
        self._environment: Any = _ENVIRONMENTS.enter(location)

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open a namespace; `max_entries` is not declared and has no effect."""
        del max_entries
        prefix = hashlib.sha256(json.dumps([plugin_id, namespace]).encode()).digest()
        return LmdbStore(self._environment, self._clock, prefix, default_ttl_ms)

    def sweep_expired(self) -> int:
        """Remove all expired rows in one transaction and answer how many."""
        with (
            _as_store_errors("sweep_expired"),
            self._environment.begin(write=True) as transaction,
        ):
            now = self._clock.now_ms()
            over = [name for name, body in transaction.cursor() if _live(body, now) is None]
            for name in over:
                transaction.delete(name)
        return len(over)

    def close(self) -> None:
        """Give the share back; the last one closes the environment."""
        environment, self._environment = self._environment, None
        if environment is not None:
            _ENVIRONMENTS.leave(self._location)


class _Environments:
    """The environments that this process has open, with how many share each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Any, int]] = {}

    def enter(self, location: str) -> Any:
        with self._lock:
            environment, shares = self._open.get(location, (None, 0))
            environment = environment or _lmdb().open(location, map_size=_MAP_BYTES)
            self._open[location] = environment, shares + 1
            return environment

    def leave(self, location: str) -> None:
        with self._lock:
            environment, shares = self._open.pop(location, (None, 0))
            if shares > 1:
                self._open[location] = environment, shares - 1
            elif environment is not None:
                environment.close()

    def forget(self) -> None:
        """Begin anew in a process that was forked: LMDB forbids it the environments of before."""
        self._lock = threading.Lock()
        self._open = {}


_ENVIRONMENTS: Final = _Environments()
os.register_at_fork(after_in_child=_ENVIRONMENTS.forget)


def connect(location: str, *, clock: Clock) -> Backend:
    """Connect to the environment in the directory `location`.

    Raises ModuleNotFoundError where the Python package lmdb is not installed.
    """
    return cast("Backend", LmdbBackend(location, clock))


def _lmdb() -> Any:
    try:
        import lmdb
    except ImportError as error:
        raise ModuleNotFoundError(
            "lmdb is not installed; run: pip install 'onewinner[lmdb]'"
        ) from error
    return lmdb


def _live(body: bytes | None, now: int) -> list[Any] | None:
    """Answer value, createdAt and expiresAt of a row that lives, else None."""
    if body is None:
        return None
    row: list[Any] = json.loads(body)
    return row if row[2] is None or row[2] > now else None


@contextmanager
def _as_store_errors(operation: str) -> Iterator[None]:
    """Turn what LMDB raises into the contract's errors."""
    lmdb = _lmdb()
    try:
        yield
    except (lmdb.BadValsizeError, UnicodeEncodeError) as error:
        raise InvalidInput(
            operation=operation, message=f"LMDB cannot keep this key: {error}"
        ) from error
    except lmdb.Error as error:
        code = "READ_FAILED" if operation in _READS else "WRITE_FAILED"
        raise StoreError(
            code=code, operation=operation, message=f"{type(error).__name__}: {error}"
        ) from error
