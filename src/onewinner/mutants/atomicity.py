"""What goes wrong when one step is made of two."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final

from onewinner.contract import ABSENT, LimitExceeded
from onewinner.mutants.registry import mutant
from onewinner.stores import input as rules
from onewinner.stores.memory import MemoryStore
from onewinner.stores.sqlite import LIVE, ROW, SPACE, SqliteStore
from onewinner.stores.sqlite_file import SqliteFile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from onewinner.contract import Absent, Json
    from onewinner.stores.sqlite import Run

HELD: Final = f"SELECT 1 FROM rows WHERE {ROW}"

_PROCESS_WIDE = threading.Lock()


class _LookupAndRegister(SqliteStore):
    """A claim in two transactions: one that looks, one that writes."""

    def _claim(self, key: str, value: Json, ttl_ms: int | None) -> bool:
        with self._write("register", key, value, ttl_ms) as run:
            held = run(HELD).fetchone() is not None
        if held:
            return False
        self.register(key, value, ttl_ms=ttl_ms)
        return True


@mutant(
    *("CLAIM-5", "CLAIM-6", "CLAIM-7", "CLAIM-8", "CLAIM-9", "CLAIM-10", "EVICT-6", "EVICT-7"),
    shows="threads",
    seen="Django FileBasedCache.add, cachelib FileSystemCache.add, earth-mover/icechunk#138, "
    "triggerdotdev/trigger.dev#2794; the reason for openclaw#77135",
)
class LookupThenRegister(_LookupAndRegister):
    """Two callers look, both see nothing, both write, and both go on as the owner."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look, then write, each atomic and together not."""
        return self._claim(key, value, ttl_ms)


@mutant(
    *("CLAIM-6", "CLAIM-8", "CLAIM-10", "EVICT-7"),
    shows="processes",
    seen="rustfs/rustfs#1659: atomic through one node, broken through two",
)
class ThreadLockOnly(_LookupAndRegister):
    """The lock lives in one process and the data do not: all is well until the second worker."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look and write under a lock that other processes do not know."""
        with _PROCESS_WIDE:
            return self._claim(key, value, ttl_ms)


@mutant("CLAIM-5", "CLAIM-7", "CLAIM-9", "EVICT-6", shows="threads")
class DictCheckThenSet(MemoryStore):
    """The interpreter may switch threads between a check and the assignment that follows it."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Check under the lock, and set under the lock again."""
        with self._write("register", key, value, ttl_ms) as (_, space, row):
            held = self._held(space, row.key, row.created_at)
        if held is not None:
            return False
        self.register(key, value, ttl_ms=ttl_ms)
        return True


@mutant(
    *("CLAIM-7", "CLAIM-8", "CLAIM-9", "CLAIM-10"),
    shows="threads",
    seen="lock files that are unlinked when they look stale; wp-update-server#22",
)
class StaleRowRemovedBeforeClaim(SqliteStore):
    """Two callers see one stale row; the slower one removes the row that the faster one won."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Remove a stale row in a step of its own, by nothing but its key."""
        row = {**self._fixed, "key": self._key(key, "register"), "now": self._clock.now_ms()}
        with self._file.statement("register") as connection:
            stale = connection.execute(f"{HELD} AND NOT {LIVE}", row).fetchall()
        if stale:
            with self._file.transaction("register") as connection:
                connection.execute(self.DELETE, row)
        return super().register_if_absent(key, value, ttl_ms=ttl_ms)


@mutant("DEL-3", "DEL-4", shows="threads")
class ConsumeReadsThenDeletes(SqliteStore):
    """Two workers read the same job before either of them deletes it, and both do it."""

    def consume(self, key: str) -> Json | Absent:
        """Read in one transaction and delete in the next."""
        name = self._key(key, "consume")
        with self._transaction("consume", key=name) as run:
            found = run(self.LOOKUP).fetchall()
        self.delete(key)
        return rules.value_of(found[0][0], "consume", name) if found else ABSENT


@mutant(
    *("CAP-5",),
    shows="processes",
)
class CapOutsideTransaction(SqliteStore):
    """Everybody counts 999 rows, everybody inserts one, and the cap holds for nobody."""

    ROOM: ClassVar[str] = f"SELECT coalesce(sum(held), 0) FROM sizes WHERE {SPACE}"

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Count in one transaction and insert in the next."""
        cap = self._profile.plugin_row_cap
        with self._write("register", key, value, ttl_ms) as run:
            held = run(HELD).fetchone()
            evicts = run(self.ROOM).fetchone()[0] >= self._fixed["max_entries"]
            total = run(self.COUNT).fetchone()[0] or 0
        if held is None and cap is not None and total >= cap and not evicts:
            raise LimitExceeded(operation="register", message=f"{cap} live rows")
        with self._write("register", key, value, ttl_ms) as run:
            won = run(self.INSERT).rowcount == 1
            if won:
                run(self.EVICT)
        return won


@mutant(
    *("ERR-3", "ERR-2", "TTL-6", "CLAIM-6", "CLAIM-5"),
    shows="threads",
    seen="SQLITE_BUSY_SNAPSHOT ignores the busy timeout: 9 to 29 exceptions in 3,200 claims",
)
class DeferredTransaction(SqliteFile):
    """A transaction that read before it writes cannot always write: "database is locked"."""

    begin: ClassVar[str] = "BEGIN"

    @contextmanager
    def transaction(
        self, operation: str, code: str = "WRITE_FAILED"
    ) -> Iterator[sqlite3.Connection]:
        """Begin without the write lock and look at the file before the first write."""
        with super().transaction(operation, code) as connection:
            connection.execute("SELECT count(*) FROM sizes").fetchall()
            yield connection


@mutant(
    *("TTL-6", "CLAIM-1", "READ-4"),
    shows="threads",
    seen="diskcache 5.6.3 Cache.add: true for a row that had expired while it waited for the lock",
)
class EarlyClock(SqliteStore):
    """The TTL starts before the wait for the lock, so a claim can be won that is already over."""

    @contextmanager
    def _transaction(
        self, operation: str, *, key: str = "", value: str = "", ttl_ms: int | None = None
    ) -> Iterator[Run]:
        """Read the clock first and wait for the write lock then."""
        now = self._clock.now_ms()
        with self._file.transaction(operation) as connection:
            row = {"key": key, "value": value, "expires_at": rules.expiry(now, ttl_ms, operation)}
            bound = {**self._fixed, **row, "now": now}
            connection.execute(self.PRUNE, bound)
            yield lambda sql: connection.execute(sql, bound)


@mutant(
    *("INPUT-11", "CLAIM-5", "CLAIM-6", "READ-1", "READ-5", "INPUT-7"),
    seen="PostHog/posthog#102218: the claim and its holder are written one after the other",
)
class RefusedInputHalfWritten(SqliteStore):
    """The key is taken before the value is looked at, so a bad value leaves a claim without one."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Take the key with a marker, then write the value."""
        if not super().register_if_absent(key, None, ttl_ms=ttl_ms):
            return False
        self.register(key, value, ttl_ms=ttl_ms)
        return True


@mutant("CLAIM-5", "CLAIM-7", "CLAIM-9", "EVICT-6", shows="threads")
class LockTableMadeRacily(DictCheckThenSet):
    """Two claimants find no lock for the key, each makes one, and each holds a lock of its own."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look for the lock of the key, and make it where it is missing."""
        locks = vars(self._backend.data("register")).setdefault("locks", {})
        name = self._key(key, "register"), self._opening.plugin, self._opening.namespace
        if name not in locks:
            locks[name] = threading.Lock()
        with locks[name]:
            return super().register_if_absent(key, value, ttl_ms=ttl_ms)


@mutant("CLAIM-9", "CLAIM-7", "CLAIM-5", "EVICT-6", shows="threads")
class LockTableDropsLocks(DictCheckThenSet):
    """A lock is dropped while others wait for it, and whoever comes next makes a second one."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim under the lock of the key."""
        with self._alone(key, "register"):
            return super().register_if_absent(key, value, ttl_ms=ttl_ms)

    def delete(self, key: str) -> bool:
        """Delete under the lock of the key."""
        with self._alone(key, "delete"):
            return super().delete(key)

    @contextmanager
    def _alone(self, key: str, operation: str) -> Iterator[None]:
        locks = vars(self._backend.data(operation)).setdefault("locks", {})
        name = self._key(key, operation), self._opening.plugin, self._opening.namespace
        with locks.setdefault(name, threading.Lock()):
            try:
                yield
            finally:
                locks.pop(name, None)


@mutant("CLAIM-5", "CLAIM-7", "CLAIM-9", "CLAIM-2", "EVICT-6", shows="threads")
class AnswerReadAfterRelease(MemoryStore):
    """The answer lies where all threads keep theirs, and is fetched when the lock is free again."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Note under the lock whether it was won, and read the note after it."""
        with self._write("register", key, value, ttl_ms) as (data, space, row):
            won = self._held(space, row.key, row.created_at) is None
            if won:
                self._put(data, space, row)
            vars(data)["won"] = won
        return bool(vars(data)["won"])


class _ReclaimsByUpdate(SqliteStore):
    def _reclaim(self, key: str, value: Json, ttl_ms: int | None) -> bool:
        row = {**self._fixed, "key": self._key(key, "register"), "now": self._clock.now_ms()}
        with self._file.statement("register") as connection:
            stale = connection.execute(f"{HELD} AND NOT {LIVE}", row).fetchall()
        if not stale:
            return super().register_if_absent(key, value, ttl_ms=ttl_ms)
        self.register(key, value, ttl_ms=ttl_ms)
        return True


@mutant("CLAIM-7", "CLAIM-8", "CLAIM-9", "CLAIM-10", shows="threads")
class ReclaimWithoutGuard(_ReclaimsByUpdate):
    """The UPDATE that takes over a stale row does not ask whether it still is: two take it over."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look whether the row is stale, and write over it then."""
        return self._reclaim(key, value, ttl_ms)


@mutant("CLAIM-8", "CLAIM-10", shows="processes")
class ReclaimLockedInProcess(_ReclaimsByUpdate):
    """After a quiet night every worker process takes over the same stale lease."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look and write over it under a lock that other processes do not know."""
        with _PROCESS_WIDE:
            return self._reclaim(key, value, ttl_ms)


@mutant("CLAIM-9", "CLAIM-10", "DEL-1", "REG-3", shows="threads")
class DeleteAgainIfFound(SqliteStore):
    """To be sure, what is still found is deleted once more, and it is the next owner's row."""

    def delete(self, key: str) -> bool:
        """Delete, look, and delete again."""
        gone = super().delete(key)
        if gone and self.lookup(key) is not ABSENT:
            super().delete(key)
        return gone


@mutant("CLAIM-10", "CLAIM-9", "DEL-4", "DEL-3", shows="threads")
class ConsumeAgainIfFound(SqliteStore):
    """A consumer that tries again for good measure ends the claim that came after it."""

    def consume(self, key: str) -> Json | Absent:
        """Consume, look, and delete what is found."""
        value = super().consume(key)
        if value is not ABSENT and self.lookup(key) is not ABSENT:
            self.delete(key)
        return value
