"""The adapter for Django's cache backends: a claim is `cache.add`, in five places to keep it.

Every namespace is a cache with a `KEY_PREFIX` of its own, as an entry of `CACHES` would have it,
and each is told to keep any number of rows (`MAX_ENTRIES`): with Django's default of 300 a cache
throws claims away. A TTL is handed on in seconds, which may be fractions; the database, Redis and
memcached keep whole ones. What is left undeclared:

* `consume`: there is no operation that reads and removes;
* `entries`, `sweep_expired`: keys cannot be listed; `clear` is for all prefixes at once;
* `max_entries` and the plugin's cap: what is culled is chosen at random or by Django's own rule;
* virtual time: Django reads the clock of the machine.

Each thread needs a handle of its own, which is how `django.core.cache.caches` hands caches out.
"""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from onewinner.adapters.servers import address, unreachable
from onewinner.contract import ABSENT, Absent, Capabilities, InvalidInput, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onewinner.clock import Clock
    from onewinner.contract import Backend, Json, Store

OF_FILES: Final = Capabilities(
    eviction=None, plugin_row_cap=None, handle_scope="thread", validates_input=False
).without("consume", "entries", "clear", "sweep_expired")
OF_LOCMEM: Final = dataclasses.replace(OF_FILES, scope="thread", durable=False)
OF_DATABASE: Final = dataclasses.replace(OF_FILES, ttl_unit_ms=1_000)
OF_REDIS: Final = OF_DATABASE
OF_MEMCACHED: Final = dataclasses.replace(OF_DATABASE, durable=False)

_ROOMY: Final = {"MAX_ENTRIES": 2**31}
_TABLE: Final = "onewinner_cache"


class DjangoStore:
    """One namespace: a cache."""

    def __init__(self, cache: Any, default_ttl_ms: int | None) -> None:
        self._cache = cache
        self._default_ttl_ms = default_ttl_ms

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Upsert with `set`."""
        with _as_store_errors("register"):
            self._cache.set(key, value, timeout=self._seconds(ttl_ms))

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim with `add`, whose answer is handed on as it is."""
        with _as_store_errors("register"):
            won: bool = self._cache.add(key, value, timeout=self._seconds(ttl_ms))
        return won

    def lookup(self, key: str) -> Json | Absent:
        """Read with `get`."""
        with _as_store_errors("lookup"):
            found: Json | Absent = self._cache.get(key, ABSENT)
        return found

    def delete(self, key: str) -> bool:
        """Remove with `delete`."""
        with _as_store_errors("delete"):
            removed: bool = self._cache.delete(key)
        return removed

    def _seconds(self, ttl_ms: int | None) -> float | None:
        """Answer what Django calls `timeout`; None is never."""
        life = self._default_ttl_ms if ttl_ms is None else ttl_ms
        return None if life is None else life / 1_000


class DjangoBackend:
    """The caches of one location; `make` makes one with the parameters of `CACHES`."""

    def __init__(self, capabilities: Capabilities, make: Callable[[dict[str, Any]], Any]) -> None:
        self.capabilities = capabilities
        self._make = make
        self._caches: list[Any] = []

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open the namespace's cache; `max_entries` is not declared and has no effect."""
        del max_entries
        with _as_store_errors("open"):
            prefix = f"{quote(plugin_id, safe='')}:{quote(namespace, safe='')}"
            cache = self._make({"KEY_PREFIX": prefix, "TIMEOUT": None, "OPTIONS": dict(_ROOMY)})
        self._caches.append(cache)
        return cast("Store", DjangoStore(cache, default_ttl_ms))

    def close(self) -> None:
        """Close every cache that was opened here; what they store stays."""
        while self._caches:
            self._caches.pop().close()


def connect_locmem(location: str, *, clock: Clock) -> Backend:
    """Connect to caches in the memory of this process, Django's default.

    Raises ModuleNotFoundError where Django is not installed, as its brothers do.
    """
    del clock
    _configured()
    from django.core.cache.backends.locmem import LocMemCache

    def make(params: dict[str, Any]) -> Any:
        return LocMemCache(f"{location}:{params['KEY_PREFIX']}", params)

    return cast("Backend", DjangoBackend(OF_LOCMEM, make))


def connect_file(location: str, *, clock: Clock) -> Backend:
    """Connect to caches in the directory `location`."""
    del clock
    _configured()
    from django.core.cache.backends.filebased import FileBasedCache

    return cast("Backend", DjangoBackend(OF_FILES, lambda p: FileBasedCache(location, p)))


def connect_redis(location: str, *, clock: Clock) -> Backend:
    """Connect to caches in the server at `redis://HOST:PORT/DB`; TargetError where none answers."""
    del clock
    _configured()
    address("django-redis", "redis", location)
    from django.core.cache.backends.redis import RedisCache

    def make(params: dict[str, Any]) -> Any:
        return RedisCache(location, {**params, "OPTIONS": {}})

    return _answering("django-redis", location, DjangoBackend(OF_REDIS, make))


def connect_memcached(location: str, *, clock: Clock) -> Backend:
    """Connect to caches in the server at `memcached://HOST:PORT`; TargetError as for Redis."""
    del clock
    _configured()
    host, port = address("django-memcached", "memcached", location)
    from django.core.cache.backends.memcached import PyMemcacheCache

    def make(params: dict[str, Any]) -> Any:
        return PyMemcacheCache(f"{host}:{port}", {**params, "OPTIONS": {}})

    return _answering("django-memcached", location, DjangoBackend(OF_MEMCACHED, make))


def connect_database(location: str, *, clock: Clock) -> Backend:
    """Connect to caches in a table of the SQLite database in the directory `location`."""
    del clock
    _configured()
    alias = _database(location)
    from django.core.cache.backends.db import DatabaseCache

    def make(params: dict[str, Any]) -> Any:
        cache = DatabaseCache(_TABLE, params)
        cache.cache_model_class._meta.onewinner_database = alias  # noqa: SLF001 - Django's own name
        return cache

    return cast("Backend", DjangoBackend(OF_DATABASE, make))


class Router:
    """Sends each cache to the database of its location, for one process may use several."""

    def db_for_read(self, model: Any, **_: Any) -> str | None:
        """Answer the database that a cache reads from."""
        return getattr(model._meta, "onewinner_database", None)  # noqa: SLF001 - Django's own name

    db_for_write = db_for_read


def _database(location: str) -> str:
    """Answer the alias of a location's database, whose table is made where it is missing."""
    from django.core.management import call_command
    from django.db import connections

    alias = location
    if alias not in connections.settings:
        connections.settings[alias] = connections.configure_settings(
            {
                "default": {},
                alias: {
                    "ENGINE": "django.db.backends.sqlite3",
                    "NAME": str(Path(location) / "cache.sqlite3"),
                },
            }
        )[alias]
    call_command("createcachetable", _TABLE, database=alias, verbosity=0)
    return alias


def _configured() -> None:
    """Give Django settings, where whoever runs this has given none."""
    try:
        from django.conf import settings
    except ImportError as error:
        raise ModuleNotFoundError(
            "Django is not installed; run: pip install 'onewinner[django]'"
        ) from error
    if not settings.configured:
        import django

        settings.configure(DATABASE_ROUTERS=[f"{__name__}.Router"], USE_TZ=True)
        django.setup()


def _answering(target: str, location: str, backend: DjangoBackend) -> Backend:
    try:
        cast("Any", backend.open("onewinner", "probe", max_entries=1)).lookup("key")
    except StoreError as error:
        raise unreachable(target, location, error) from error
    return cast("Backend", backend)


@contextmanager
def _as_store_errors(operation: str) -> Iterator[None]:
    """Turn what Django and the drivers behind it raise into the contract's errors.

    A `ValueError` is Python's word for a key or a date that cannot be written.
    """
    from django.core.cache.backends.base import InvalidCacheKey

    try:
        yield
    except (InvalidCacheKey, ValueError, OverflowError) as error:
        raise InvalidInput(operation=operation, message=str(error)) from error
    except Exception as error:
        if "invalid expire time" in str(error):  # Redis has refused the one command that it was
            raise InvalidInput(operation=operation, message=str(error)) from error
        code = "READ_FAILED" if operation == "lookup" else "WRITE_FAILED"
        raise StoreError(
            code=code, operation=operation, message=f"{type(error).__name__}: {error}"
        ) from error
