"""The adapter for memcached, by pymemcache: a claim is `add`, with an answer (`noreply=False`).

Keys of memcached are short and have no spaces, so each is the SHA-256 of plugin, namespace and
key, as is usual. A TTL is handed on in seconds, rounded up, as memcached's protocol has it. What
is left undeclared:

* `consume`: there is no command that reads and removes;
* `entries`, `clear`, `sweep_expired`: keys cannot be listed, and `flush_all` is for all of them;
* `max_entries` and the plugin's cap: memcached limits bytes;
* durability: all of it is in the server's memory;
* virtual time: the server's clock ticks once a second.

Each thread needs a handle of its own, for a pymemcache client is one socket without a lock.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from onewinner.adapters.servers import address, unreachable
from onewinner.contract import ABSENT, Absent, Capabilities, InvalidInput, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.clock import Clock
    from onewinner.contract import Backend, Json, Store

CAPABILITIES: Final = Capabilities(
    durable=False,
    ttl_unit_ms=1_000,
    eviction=None,
    plugin_row_cap=None,
    handle_scope="thread",
    validates_input=False,
).without("consume", "entries", "clear", "sweep_expired")

_TIMEOUT_S: Final = 10.0


class MemcachedStore:
    """One namespace: a client, and what its keys are made of."""

    def __init__(self, client: Any, where: tuple[str, str], default_ttl_ms: int | None) -> None:
        self._client = client
        self._where = where
        self._default_ttl_ms = default_ttl_ms

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Upsert with `set`."""
        with _as_store_errors("register"):
            self._client.set(
                self._name(key), json.dumps(value), expire=self._seconds(ttl_ms), noreply=False
            )

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim with `add`, whose answer is handed on as it is."""
        with _as_store_errors("register"):
            won: bool = self._client.add(
                self._name(key), json.dumps(value), expire=self._seconds(ttl_ms), noreply=False
            )
        return won

    def lookup(self, key: str) -> Json | Absent:
        """Read with `get`."""
        with _as_store_errors("lookup"):
            found = self._client.get(self._name(key))
        if found is None:
            return ABSENT
        value: Json = json.loads(found)
        return value

    def delete(self, key: str) -> bool:
        """Remove with `delete`."""
        with _as_store_errors("delete"):
            removed: bool = self._client.delete(self._name(key), noreply=False)
        return removed

    def _name(self, key: str) -> str:
        return hashlib.sha256(json.dumps([*self._where, key]).encode()).hexdigest()

    def _seconds(self, ttl_ms: int | None) -> int:
        """Answer what memcached calls `exptime`; 0 is never."""
        life = self._default_ttl_ms if ttl_ms is None else ttl_ms
        return 0 if life is None else -(-life // 1_000)


class MemcachedBackend:
    """One client, which is one socket."""

    capabilities = CAPABILITIES
    store: type[MemcachedStore] = MemcachedStore

    def __init__(self, location: str, *, clock: Clock) -> None:
        del clock
        self._client = _client(location)

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open a namespace; `max_entries` is not declared and has no effect."""
        del max_entries
        return cast("Store", self.store(self._client, (plugin_id, namespace), default_ttl_ms))

    def close(self) -> None:
        """Close the socket; the rows stay for as long as the server runs."""
        self._client.close()


def connect(location: str, *, clock: Clock) -> Backend:
    """Connect to the server at `memcached://HOST:PORT`; the clock is the server's own.

    Raises ModuleNotFoundError where pymemcache is not installed, TargetError where no server
    answers there.
    """
    return cast("Backend", MemcachedBackend(location, clock=clock))


def _client(location: str) -> Any:
    try:
        import pymemcache
    except ImportError as error:
        raise ModuleNotFoundError(
            "pymemcache is not installed; run: pip install 'onewinner[memcached]'"
        ) from error
    server = address("memcached", "memcached", location)
    made = pymemcache.Client(server, connect_timeout=_TIMEOUT_S, timeout=_TIMEOUT_S)
    try:
        made.version()
    except (pymemcache.MemcacheError, OSError) as error:
        raise unreachable("memcached", location, error) from error
    return made


@contextmanager
def _as_store_errors(operation: str) -> Iterator[None]:
    """Turn what pymemcache raises into the contract's errors."""
    import pymemcache

    try:
        yield
    except (pymemcache.MemcacheIllegalInputError, UnicodeEncodeError) as error:
        raise InvalidInput(operation=operation, message=str(error)) from error
    except (pymemcache.MemcacheError, OSError) as error:
        code = "READ_FAILED" if operation == "lookup" else "WRITE_FAILED"
        raise StoreError(
            code=code, operation=operation, message=f"{type(error).__name__}: {error}"
        ) from error
