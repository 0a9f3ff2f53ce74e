"""The adapter for diskcache (`Cache.add`): a cache on disk that threads and processes share.

Every namespace is a `Cache` in a directory of its own, which is how diskcache keeps caches apart.
The adapter adds no lock and no retry, so what is judged is diskcache. What it leaves undeclared:

* `entries`: iteration is no snapshot, and diskcache does not tell when an item was stored;
* `clear` and `sweep_expired`: `Cache.clear` and `Cache.expire` go in steps of a hundred items, and
  their documentation says that others may write in between;
* `max_entries` and the plugin's cap: diskcache limits bytes, not items;
* virtual time: diskcache reads the clock of the machine.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from onewinner.contract import ABSENT, Absent, Capabilities, InvalidInput, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.clock import Clock
    from onewinner.contract import Backend, Json, Store

CAPABILITIES: Final = Capabilities(
    eviction=None, plugin_row_cap=None, validates_input=False
).without("entries", "clear", "sweep_expired")


class DiskcacheStore:
    """One namespace: a handle on one `diskcache.Cache`."""

    def __init__(self, cache: Any, default_ttl_ms: int | None) -> None:
        self._cache = cache
        self._default_ttl_ms = default_ttl_ms

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Upsert with `Cache.set`."""
        with _as_store_errors("register"):
            self._cache.set(key, value, expire=self._seconds(ttl_ms))

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim with `Cache.add`, whose answer is handed on as it is."""
        with _as_store_errors("register"):
            won: bool = self._cache.add(key, value, expire=self._seconds(ttl_ms))
        return won

    def lookup(self, key: str) -> Json | Absent:
        """Read with `Cache.get`."""
        with _as_store_errors("lookup"):
            found: Json | Absent = self._cache.get(key, default=ABSENT)
        return found

    def consume(self, key: str) -> Json | Absent:
        """Read and remove with `Cache.pop`."""
        with _as_store_errors("consume"):
            found: Json | Absent = self._cache.pop(key, default=ABSENT)
        return found

    def delete(self, key: str) -> bool:
        """Remove with `Cache.delete`."""
        with _as_store_errors("delete"):
            removed: bool = self._cache.delete(key)
        return removed

    def _seconds(self, ttl_ms: int | None) -> float | None:
        """Answer what diskcache calls `expire`."""
        life = self._default_ttl_ms if ttl_ms is None else ttl_ms
        return None if life is None else life / 1000


class DiskcacheBackend:
    """The caches below one directory."""

    capabilities = CAPABILITIES

    def __init__(self, directory: str, diskcache: Any) -> None:
        self._directory = Path(directory)
        self._diskcache = diskcache
        self._caches: list[Any] = []

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open the namespace's cache; `max_entries` is not declared and has no effect."""
        del max_entries
        address = json.dumps([plugin_id, namespace]).encode()
        with _as_store_errors("open"):
            cache = self._diskcache.Cache(self._directory / hashlib.sha256(address).hexdigest())
        self._caches.append(cache)
        return cast("Store", DiskcacheStore(cache, default_ttl_ms))  # it lacks what is undeclared

    def close(self) -> None:
        """Close every cache that was opened here; the items stay on disk."""
        while self._caches:
            self._caches.pop().close()


def connect(location: str, *, clock: Clock) -> Backend:
    """Connect to the caches in the directory `location`; the clock is the machine's own.

    Raises ModuleNotFoundError where diskcache is not installed.
    """
    del clock
    try:
        import diskcache
    except ImportError as error:
        raise ModuleNotFoundError(
            "diskcache is not installed; run: pip install 'onewinner[diskcache]'"
        ) from error
    return cast("Backend", DiskcacheBackend(location, diskcache))


@contextmanager
def _as_store_errors(operation: str) -> Iterator[None]:
    """Turn what diskcache raises into the contract's errors.

    A time-out is raised where the write lock was not had, so nothing was written.
    """
    import diskcache

    try:
        yield
    except UnicodeEncodeError as error:
        raise InvalidInput(
            operation=operation, message=f"diskcache keeps UTF-8: {error}"
        ) from error
    except diskcache.Timeout as error:
        code = "READ_FAILED" if operation == "lookup" else "WRITE_FAILED"
        raise StoreError(
            code=code, operation=operation, message="the database stayed locked"
        ) from error
