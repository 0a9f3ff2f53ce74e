"""Known bugs of claims in servers: what a client does in two steps, or does not wait for.

Each is a changed adapter, and is judged on a server that is started for it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from onewinner.adapters.memcached import MemcachedStore
from onewinner.adapters.postgres import NOW, WRITE, PostgresStore
from onewinner.adapters.redis import RedisBackend, RedisStore, as_store_errors
from onewinner.clock import wall_ns
from onewinner.contract import ABSENT, InvalidInput
from onewinner.mutants.registry import changed, mutant

if TYPE_CHECKING:
    from onewinner.clock import Clock
    from onewinner.contract import Absent, Json

_ROW: Final = "plugin = %s AND namespace = %s AND key = %s"
_MONTH_S: Final = 30 * 24 * 3_600
_LAST_DATE: Final = 2**31 - 1


@mutant("CLAIM-6", "CLAIM-5", "CLAIM-8", "CLAIM-7", shows="threads", seen="sidekiq-grouping#23")
class RedisGetThenSet(RedisStore):
    """A claim asks with GET whether the key is there and then stores with SET, without NX."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look, then write."""
        if self.lookup(key) is not ABSENT:
            return False
        self.register(key, value, ttl_ms=ttl_ms)
        return True


@mutant("DUR-5", "DUR-4", "TTL-7", shows="faults", seen="cachelib 0.17.0, getsentry/sentry#1509")
class RedisSetnxThenExpire(RedisStore):
    """A claim is SETNX and its expiry comes after it: whoever dies in between holds it for ever."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim, and set the expiry in a second command."""
        with as_store_errors("register"):
            won = bool(self._client.setnx(self._name(key), json.dumps(value)))
            life = self._life_ms(ttl_ms)
            if won and life is not None:
                self._client.pexpire(self._name(key), life)
        return won


@mutant("DEL-2", "DEL-3", "DEL-4", shows="threads")
class RedisGetThenDelete(RedisStore):
    """Consuming is GET and then DEL, so that several consumers get one row."""

    def consume(self, key: str) -> Json | Absent:
        """Read, then remove."""
        found = self.lookup(key)
        self.delete(key)
        return found


@mutant("DUR-3", shows="faults", seen="redis-server with appendonly no, its default")
class RedisWithoutAppendOnlyFile(RedisBackend):
    """The server keeps nothing on disk: a claim that was answered is gone when it is restarted."""

    def __init__(self, location: str, *, clock: Clock) -> None:
        super().__init__(location, clock=clock)
        self._client.config_set("appendonly", "no")


@mutant("CLAIM-8", "CLAIM-7", shows="threads")
class PostgresUpdateWithoutGuard(PostgresStore):
    """A claim looks with SELECT whether the row has expired and takes it with a plain UPDATE."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Take an expired row in two statements, of which the second asks nothing."""
        text = f"SELECT expires_at <= {NOW} FROM onewinner WHERE {_ROW}"
        found = self._run("register", text, (*self._where, key)).fetchone()
        if found is not None and not found[0]:
            return False
        if found is not None:
            self.register(key, value, ttl_ms=ttl_ms)
            return True
        return super().register_if_absent(key, value, ttl_ms=ttl_ms)


@mutant("CLAIM-6", "CLAIM-5", shows="threads")
class PostgresLocksRowThatIsMissing(PostgresStore):
    """A claim asks with SELECT FOR UPDATE, which locks no row that is not there, and upserts."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look with a lock on nothing, then write."""
        text = f"SELECT expires_at <= {NOW} FROM onewinner WHERE {_ROW} FOR UPDATE"
        connection: Any = self._backend.connection()
        with connection.transaction():
            found = self._run("register", text, (*self._where, key)).fetchone()
            if found is not None and not found[0]:
                return False
            self._run("register", WRITE, self._row(key, value, ttl_ms))
        return True


@mutant("REG-2", "CLAIM-1", shows="alone")
class PostgresKeepsOldExpiry(PostgresStore):
    """The upsert forgets the expiry: what is stored over an expired row is born expired."""

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Upsert all columns but one."""
        text = changed(WRITE, f", expires_at = {NOW} + %s", "")
        self._run("register", text, self._row(key, value, ttl_ms)[:-1])


class _Dated(MemcachedStore):
    """Without the adapter's own defect, so that a mutant is told by what was changed in it.

    memcached takes more than 30 days for a date, so longer lives are given as dates; what is no
    date of 31 bits is refused.
    """

    def _seconds(self, ttl_ms: int | None) -> int:
        seconds = super()._seconds(ttl_ms)
        if seconds > _MONTH_S:
            seconds += wall_ns() // 10**9
        if seconds > _LAST_DATE:
            raise InvalidInput(operation="register", message=f"{seconds} s is no date of 31 bits")
        return seconds


@mutant("CLAIM-2", shows="alone", seen="pinterest/pymemcache#253")
class MemcachedAddWithoutReply(_Dated):
    """A claim does not wait for the answer of `add`, as is pymemcache's default: all have won."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim with the arguments that pymemcache has by default."""
        won: bool = self._client.add(
            self._name(key), json.dumps(value), expire=self._seconds(ttl_ms)
        )
        return won


@mutant("CLAIM-6", "CLAIM-5", "CLAIM-8", "CLAIM-7", shows="threads")
class MemcachedGetThenSet(_Dated):
    """A claim asks with `get` whether the key is there and then stores with `set`."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look, then write."""
        if self.lookup(key) is not ABSENT:
            return False
        self.register(key, value, ttl_ms=ttl_ms)
        return True
