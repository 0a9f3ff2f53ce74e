"""The adapter for Redis, and for servers that speak its protocol, such as Valkey.

A row is one string, `onewinner:PLUGIN:NAMESPACE:KEY`, with its value as JSON. A claim is `SET` with
`NX` and `PX`, the recipe of Redis's own documentation, and what it answers is handed on. What is
left undeclared:

* `entries`: a string does not tell when it was set, and `SCAN` is no snapshot;
* `sweep_expired`: Redis does that by itself;
* `max_entries` and the plugin's cap: Redis limits bytes (`maxmemory`), not rows;
* virtual time: Redis reads the clock of its machine.

A server that is started for a run keeps its rows in an append-only file, so they survive its kill.
One that is given with `--location` keeps what it is configured to keep.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from onewinner.adapters.servers import address, too_old, unreachable
from onewinner.contract import ABSENT, Absent, Capabilities, InvalidInput, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.clock import Clock
    from onewinner.contract import Backend, Json, Store

CAPABILITIES: Final = Capabilities(
    eviction=None, plugin_row_cap=None, validates_input=False
).without("entries", "sweep_expired")

OLDEST: Final = (6, 2)
"""The oldest server that can be used: it is the first with `GETDEL`."""

CLEAR: Final = """
local names = redis.call('KEYS', ARGV[1])
for first = 1, #names, 1000 do
  redis.call('DEL', unpack(names, first, math.min(first + 999, #names)))
end
"""

_TIMEOUT_S: Final = 10.0
_READS: Final = frozenset({"lookup"})


class RedisStore:
    """One namespace: a client, and the beginning of the names of its strings."""

    def __init__(self, client: Any, prefix: str, default_ttl_ms: int | None) -> None:
        self._client = client
        self._prefix = prefix
        self._default_ttl_ms = default_ttl_ms

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Upsert with `SET`, which replaces the expiry too."""
        with as_store_errors("register"):
            self._client.set(self._name(key), json.dumps(value), px=self._life_ms(ttl_ms))

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim with `SET NX PX`."""
        with as_store_errors("register"):
            won = self._client.set(
                self._name(key), json.dumps(value), nx=True, px=self._life_ms(ttl_ms)
            )
        return bool(won)

    def lookup(self, key: str) -> Json | Absent:
        """Read with `GET`."""
        with as_store_errors("lookup"):
            found = self._client.get(self._name(key))
        return _value(found)

    def consume(self, key: str) -> Json | Absent:
        """Read and remove with `GETDEL`."""
        with as_store_errors("consume"):
            found = self._client.getdel(self._name(key))
        return _value(found)

    def delete(self, key: str) -> bool:
        """Remove with `DEL`, which counts what it removed."""
        with as_store_errors("delete"):
            removed: int = self._client.delete(self._name(key))
        return removed == 1

    def clear(self) -> None:
        """Remove the namespace's strings in a script, which Redis runs without a break."""
        with as_store_errors("clear"):
            self._client.eval(CLEAR, 0, f"{self._prefix}*")

    def _name(self, key: str) -> str:
        return f"{self._prefix}{key}"

    def _life_ms(self, ttl_ms: int | None) -> int | None:
        return self._default_ttl_ms if ttl_ms is None else ttl_ms


class RedisBackend:
    """One client, with its pool of connections; threads may share it."""

    capabilities = CAPABILITIES
    store: type[RedisStore] = RedisStore

    def __init__(self, location: str, *, clock: Clock) -> None:
        del clock
        self._client = client(location)

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open a namespace; `max_entries` is not declared and has no effect."""
        del max_entries
        with as_store_errors("open"):
            prefix = f"onewinner:{quoted(plugin_id)}:{quoted(namespace)}:"
        return cast("Store", self.store(self._client, prefix, default_ttl_ms))

    def close(self) -> None:
        """Close the connections; the strings stay."""
        self._client.close()


def connect(location: str, *, clock: Clock) -> Backend:
    """Connect to the server at `redis://HOST:PORT/DB`; the clock is the server's own.

    Raises ModuleNotFoundError where redis-py is not installed, TargetError where no server that can
    be used answers there.
    """
    return cast("Backend", RedisBackend(location, clock=clock))


def client(location: str) -> Any:
    """Answer a redis-py client whose server has answered, and is new enough."""
    try:
        import redis
    except ImportError as error:
        raise ModuleNotFoundError(
            "redis is not installed; run: pip install 'onewinner[redis]'"
        ) from error
    address("redis", "redis", location)
    made = redis.Redis.from_url(
        location, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
    )
    try:
        version = str(made.info("server")["redis_version"])
    except (redis.RedisError, OSError) as error:
        raise unreachable("redis", location, error) from error
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise too_old("redis", location, f"Redis {version}", "6.2 or newer, for GETDEL")
    return made


def quoted(name: str) -> str:
    """Answer a name without colons, and without what means something in a pattern of Redis."""
    return quote(name, safe="")


def _value(found: bytes | None) -> Json | Absent:
    if found is None:
        return ABSENT
    value: Json = json.loads(found)
    return value


@contextmanager
def as_store_errors(operation: str) -> Iterator[None]:
    """Turn what redis-py raises into the contract's errors."""
    import redis

    try:
        yield
    except UnicodeEncodeError as error:
        raise InvalidInput(operation=operation, message=f"Redis keeps UTF-8: {error}") from error
    except redis.ResponseError as error:
        if "invalid expire" in str(error) or "out of range" in str(error):
            raise InvalidInput(operation=operation, message=str(error)) from error
        raise _failed(operation, error) from error
    except redis.RedisError as error:
        raise _failed(operation, error) from error


def _failed(operation: str, error: Exception) -> StoreError:
    code = "READ_FAILED" if operation in _READS else "WRITE_FAILED"
    return StoreError(code=code, operation=operation, message=f"{type(error).__name__}: {error}")
