"""The adapter for cachelib: `SimpleCache`, `FileSystemCache` and `RedisCache`, by their `add`.

Every namespace is a cache of its own: by name in memory, by directory on disk, by prefix in Redis.
A TTL is handed on in seconds, rounded up, as cachelib has it, and 0 is never. Neither cache is
given a threshold, so none throws rows away. What is left undeclared:

* `consume`: there is no operation that reads and removes;
* `entries`, `clear`, `sweep_expired`: keys cannot be listed, and clearing goes key by key;
* `max_entries` and the plugin's cap; virtual time.

`get` answers None where there is nothing; what it answers is handed on so.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from onewinner.adapters.servers import address, unreachable
from onewinner.contract import ABSENT, Absent, Capabilities, InvalidInput, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onewinner.clock import Clock
    from onewinner.contract import Backend, Json, Store

OF_FILES: Final = Capabilities(
    ttl_unit_ms=1_000, eviction=None, plugin_row_cap=None, validates_input=False
).without("consume", "entries", "clear", "sweep_expired")
OF_REDIS: Final = OF_FILES
OF_SIMPLE: Final = dataclasses.replace(OF_FILES, scope="thread", durable=False)

_HEAPS: Final[dict[tuple[str, str, str], Any]] = {}


class CachelibStore:
    """One namespace: a cache."""

    def __init__(self, cache: Any, default_ttl_ms: int | None) -> None:
        self._cache = cache
        self._default_ttl_ms = default_ttl_ms

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Upsert with `set`; an answer of False is its way to say that it could not."""
        with _as_store_errors("register"):
            stored = self._cache.set(key, value, timeout=self._seconds(ttl_ms))
        if not stored:
            raise StoreError(code="WRITE_FAILED", operation="register", message="set said False")

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim with `add`, whose answer is handed on as it is."""
        with _as_store_errors("register"):
            won: bool = self._cache.add(key, value, timeout=self._seconds(ttl_ms))
        return won

    def lookup(self, key: str) -> Json | Absent:
        """Read with `get`."""
        with _as_store_errors("lookup"):
            found: Json = self._cache.get(key)
        return ABSENT if found is None else found

    def delete(self, key: str) -> bool:
        """Remove with `delete`."""
        with _as_store_errors("delete"):
            removed: bool = self._cache.delete(key)
        return removed

    def _seconds(self, ttl_ms: int | None) -> int:
        """Answer what cachelib calls `timeout`; 0 is never."""
        life = self._default_ttl_ms if ttl_ms is None else ttl_ms
        return 0 if life is None else -(-life // 1_000)


class CachelibBackend:
    """The caches of one location; `make` makes that of a plugin's namespace."""

    def __init__(
        self, capabilities: Capabilities, make: Callable[[str, str], Any], close: Callable[[], None]
    ) -> None:
        self.capabilities = capabilities
        self._make = make
        self._close = close

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open the namespace's cache; `max_entries` is not declared and has no effect."""
        del max_entries
        with _as_store_errors("open"):
            cache = self._make(plugin_id, namespace)
        return cast("Store", CachelibStore(cache, default_ttl_ms))

    def close(self) -> None:
        """Close what the caches hold open; what they store stays."""
        self._close()


def connect_simple(location: str, *, clock: Clock) -> Backend:
    """Connect to caches in the memory of this process; the clock is the machine's own.

    Raises ModuleNotFoundError where cachelib is not installed.
    """
    del clock
    cachelib = _cachelib()

    def make(plugin: str, namespace: str) -> Any:
        cache = cachelib.SimpleCache(threshold=2**31, default_timeout=0)
        return _HEAPS.setdefault((location, plugin, namespace), cache)

    return cast("Backend", CachelibBackend(OF_SIMPLE, make, _nothing))


def connect_file(location: str, *, clock: Clock) -> Backend:
    """Connect to caches in the directory `location`; the clock is the machine's own.

    Raises ModuleNotFoundError where cachelib is not installed.
    """
    del clock
    cachelib = _cachelib()

    def make(plugin: str, namespace: str) -> Any:
        folder = hashlib.sha256(json.dumps([plugin, namespace]).encode()).hexdigest()
        return cachelib.FileSystemCache(str(Path(location) / folder), threshold=0)

    return cast("Backend", CachelibBackend(OF_FILES, make, _nothing))


def connect_redis(location: str, *, clock: Clock) -> Backend:
    """Connect to caches in the server at `redis://HOST:PORT/DB`; the clock is the server's own.

    Raises ModuleNotFoundError where cachelib is not installed, TargetError where no server answers.
    """
    del clock
    cachelib = _cachelib()
    host, port = address("cachelib-redis", "redis", location)
    made: list[Any] = []

    def make(plugin: str, namespace: str) -> Any:
        prefix = f"{json.dumps([plugin, namespace])}:"
        cache = cachelib.RedisCache(host=host, port=port, default_timeout=0, key_prefix=prefix)
        made.append(cache)
        return cache

    try:
        make("onewinner", "probe").has("key")
    except Exception as error:
        raise unreachable("cachelib-redis", location, error) from error

    def close() -> None:
        while made:
            made.pop()._read_client.close()  # noqa: SLF001 - it has no public way

    return cast("Backend", CachelibBackend(OF_REDIS, make, close))


def _cachelib() -> Any:
    try:
        import cachelib
    except ImportError as error:
        raise ModuleNotFoundError(
            "cachelib is not installed; run: pip install 'onewinner[cachelib]'"
        ) from error
    return cachelib


def _nothing() -> None:
    """Close nothing: these caches hold nothing open."""


@contextmanager
def _as_store_errors(operation: str) -> Iterator[None]:
    """Turn what cachelib and the drivers behind it raise into the contract's errors.

    The first three are what Python raises for a key or a time that cannot be written.
    """
    try:
        yield
    except (ValueError, OverflowError, struct.error) as error:
        raise InvalidInput(operation=operation, message=str(error)) from error
    except Exception as error:
        code = "READ_FAILED" if operation == "lookup" else "WRITE_FAILED"
        raise StoreError(
            code=code, operation=operation, message=f"{type(error).__name__}: {error}"
        ) from error
