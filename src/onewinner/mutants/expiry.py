"""What goes wrong with time to live."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from onewinner.contract import StoreError
from onewinner.mutants.registry import changed, mutant
from onewinner.stores import input as rules
from onewinner.stores.memory import MemoryStore
from onewinner.stores.sqlite import LIVE, STAMP, SqliteBackend, SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from onewinner.contract import Absent, Entry, Json
    from onewinner.stores.input import Opening
    from onewinner.stores.memory import Data, Row, Space
    from onewinner.stores.sqlite import Run

INT64_MAX: Final = 2**63 - 1


@mutant("TTL-1", "TTL-4", "TTL-5", "CLAIM-7", "CLAIM-8")
class ExpiryOffByOneMs(SqliteStore):
    """`<` for `<=`: a lease and its successor overlap by a millisecond, or nobody can take it."""

    PRUNE: ClassVar[str] = changed(SqliteStore.PRUNE, "expires_at <= :now", "expires_at < :now")
    LOOKUP: ClassVar[str] = changed(SqliteStore.LOOKUP, "expires_at > :now", "expires_at >= :now")
    ENTRIES: ClassVar[str] = changed(SqliteStore.ENTRIES, "expires_at > :now", "expires_at >= :now")


@mutant(
    *("TTL-5", "CLAIM-7", "CLAIM-8", "EVICT-5", "CAP-3", "CLAIM-1", "EVICT-1", "DEL-1"),
    seen="cachelib FileSystemCache and Flask-Caching: the key is gone for readers and taken for "
    "claimants, for ever",
)
class ExpiredRowBlocksClaim(SqliteStore):
    """Readers see nothing and claimants get nothing: the key is dead until somebody sweeps."""

    PRUNE: ClassVar[str] = "SELECT 1"
    CONSUME: ClassVar[str] = changed(SqliteStore.CONSUME, " RETURNING", f" AND {LIVE} RETURNING")


@mutant(
    *("TTL-2",),
    seen="openclaw#87332: rows without an expiry were never swept and filled the cap",
)
class DefaultTtlIgnored(SqliteStore):
    """Rows that were meant to be forgotten stay for ever, and fill the namespace months later."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._default_ttl_ms = None


@mutant("TTL-2")
class DefaultTtlOverridesGiven(SqliteStore):
    """A caller who asks for a short lease gets the namespace's long one."""

    def _write(
        self, operation: str, key: str, value: Json, ttl_ms: int | None
    ) -> AbstractContextManager[Run]:
        """Prefer the default, after the check of what was given."""
        rules.ttl(ttl_ms, operation)
        return super()._write(operation, key, value, self._default_ttl_ms or ttl_ms)


@mutant("TTL-1", "TTL-4", "TTL-5", "READ-4")
class TtlInSeconds(SqliteStore):
    """Milliseconds read as seconds: a lease of half a minute lasts eight hours."""

    @contextmanager
    def _transaction(
        self, operation: str, *, key: str = "", value: str = "", ttl_ms: int | None = None
    ) -> Iterator[Run]:
        """Multiply once too often, as far as the result is still a time."""
        seconds = ttl_ms if ttl_ms is None or ttl_ms * 1000 > 2**52 else ttl_ms * 1000
        with super()._transaction(operation, key=key, value=value, ttl_ms=seconds) as run:
            yield run


@mutant(
    *("TTL-1", "TTL-4", "TTL-5", "TTL-6", "READ-4"),
    seen="memcached's clock of one second; cachelib SimpleCache's int(time())",
)
class ExpiryRoundedToSeconds(SqliteStore):
    """The expiry is cut to a whole second: a lease of one second may last one millisecond."""

    INSERT: ClassVar[str] = changed(
        SqliteStore.INSERT, ":expires_at)", ":expires_at / 1000 * 1000)"
    )
    REPLACE: ClassVar[str] = changed(
        SqliteStore.REPLACE, "= :expires_at", "= :expires_at / 1000 * 1000"
    )


@mutant(
    *("TTL-7", "READ-4"),
    seen="openclaw 2026.5.7: lookup, consume and the entries of the whole namespace raise",
)
class HugeTtlPoison(SqliteStore):
    """One row with an absurd TTL is stored, and no listing of its namespace works any more."""

    @contextmanager
    def _transaction(
        self, operation: str, *, key: str = "", value: str = "", ttl_ms: int | None = None
    ) -> Iterator[Run]:
        """Keep whatever sixty-four bits can hold."""
        with self._file.transaction(operation) as connection:
            now = self._clock.now_ms()
            expires_at = None if ttl_ms is None else min(now + ttl_ms, INT64_MAX)
            row = {"key": key, "value": value, "expires_at": expires_at}
            bound = {**self._fixed, **row, "now": now}
            connection.execute(self.PRUNE, bound)
            yield lambda sql: connection.execute(sql, bound)

    def entries(self) -> list[Entry]:
        """Fail on the first time that a double cannot hold."""
        found = super().entries()
        if any((entry.expires_at or 0) > rules.EXACT_MS_MAX for entry in found):
            raise StoreError(
                code="READ_FAILED", operation="entries", message="value is too large for a number"
            )
        return found


@mutant("CLAIM-3", seen="routecraftjs/routecraft#463: a losing claim refreshes the winner's lease")
class RefusedClaimRefreshesTtl(SqliteStore):
    """As long as others ask for the key it never expires: a dead owner blocks it for ever."""

    EXTEND: ClassVar[str] = changed(
        SqliteStore.REPLACE, f"value = :value, created_at = {STAMP}, expires_at", "expires_at"
    )

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Extend the row that refuses the claim."""
        with self._write("register", key, value, ttl_ms) as run:
            won = self._insert(run)
            if not won:
                run(self.EXTEND)
        return won


@mutant("READ-3", "TTL-1", "READ-1", "TTL-4")
class LookupExtendsLife(SqliteStore):
    """Sliding expiry that nobody asked for: a monitor that looks at a lease keeps it alive."""

    SLIDE: ClassVar[str] = (
        "UPDATE rows SET expires_at = :now + (expires_at - created_at) "
        "WHERE plugin = :plugin AND namespace = :namespace AND key = :key"
    )

    def lookup(self, key: str) -> Json | Absent:
        """Answer the value, and let its TTL begin anew."""
        with self._transaction("lookup", key=self._key(key, "lookup")) as run:
            run(self.SLIDE)
        return super().lookup(key)


@mutant("DEL-6", "TTL-3")
class SweepTakesLiveRows(SqliteBackend):
    """The sweeper takes every row that has an expiry, and so every lease that is still held."""

    SWEEP: ClassVar[str] = "DELETE FROM rows WHERE expires_at IS NOT NULL AND :now > 0"


@mutant("DEL-6")
class SweepAnswersZero(SqliteBackend):
    """The sweeper says that it removed nothing, so the job that sweeps until zero stops at once."""

    def sweep_expired(self) -> int:
        """Sweep, and forget how many rows it were."""
        super().sweep_expired()
        return 0


@mutant("TTL-3", "READ-4", "REG-2", "READ-1")
class HiddenDefaultTtl(SqliteStore):
    """A default that nobody set: rows that were meant to stay are gone after a minute."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._default_ttl_ms = opening.default_ttl_ms or 60_000


@mutant(
    "TTL-2", seen="openclaw#87332: default TTL not applied, rows without an expiry fill the cap"
)
class ClaimsIgnoreDefaultTtl(SqliteStore):
    """Only `register` knows the default: a claim whose owner died is held for ever."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim as if the namespace had no default."""
        default, self._default_ttl_ms = self._default_ttl_ms, None
        try:
            return super().register_if_absent(key, value, ttl_ms=ttl_ms)
        finally:
            self._default_ttl_ms = default


class _TtlChanged(SqliteStore):
    @contextmanager
    def _transaction(
        self, operation: str, *, key: str = "", value: str = "", ttl_ms: int | None = None
    ) -> Iterator[Run]:
        life = None if ttl_ms is None else self._life(ttl_ms)
        with super()._transaction(operation, key=key, value=value, ttl_ms=life) as run:
            yield run

    def _life(self, ttl_ms: int) -> int:
        raise NotImplementedError


@mutant("TTL-7", "TTL-1", "CLAIM-1")
class TtlWrapsAtThirtyTwoBits(_TtlChanged):
    """A timer of 32 bits turns a TTL of a month into no time at all: the claim is free at once."""

    def _life(self, ttl_ms: int) -> int:
        return ttl_ms if ttl_ms < 2**31 else 1


@mutant("TTL-3", "READ-4")
class ForeverIsAYear(SqliteStore):
    """A TTL that stands for "never" comes to its end, and all old claims are free on one day."""

    def _write(
        self, operation: str, key: str, value: Json, ttl_ms: int | None
    ) -> AbstractContextManager[Run]:
        """Store a year where no time was asked for."""
        year = None if self._default_ttl_ms else 365 * 86_400_000
        return super()._write(operation, key, value, year if ttl_ms is None else ttl_ms)


@mutant("TTL-4", "READ-1", "TTL-1")
class LookupAnswersExpired(SqliteStore):
    """A reader trusts a lease that is over, while a claimant has every right to take it."""

    LOOKUP: ClassVar[str] = changed(SqliteStore.LOOKUP, f" AND {LIVE}", "")


@mutant("TTL-5", "READ-4", "EVICT-1")
class ReclaimKeepsCreatedAt(SqliteStore):
    """A reclaimed row is as old as the one before it, and the first to be evicted."""

    PRUNE: ClassVar[str] = f"{SqliteStore.PRUNE} AND NOT (namespace = :namespace AND key = :key)"
    INSERT: ClassVar[str] = changed(
        SqliteStore.INSERT,
        "DO NOTHING",
        "DO UPDATE SET value = :value, expires_at = :expires_at WHERE expires_at <= :now",
    )
    CONSUME: ClassVar[str] = changed(SqliteStore.CONSUME, " RETURNING", f" AND {LIVE} RETURNING")


@mutant("TTL-5", "CLAIM-7", "CLAIM-8", "EVICT-5", "CAP-3", "DEL-1")
class CleanUpInBatches(SqliteStore):
    """The clean-up takes a few rows a call, and not the one that was asked for: it stays taken."""

    PRUNE: ClassVar[str] = (
        "DELETE FROM rows WHERE (plugin, namespace, key) IN (SELECT plugin, namespace, key "
        "FROM rows WHERE expires_at <= :now ORDER BY expires_at, key LIMIT 3)"
    )
    CONSUME: ClassVar[str] = changed(SqliteStore.CONSUME, " RETURNING", f" AND {LIVE} RETURNING")


@mutant("TTL-6", "CLAIM-1", "READ-4", shows="threads")
class EarlyClockInMemory(MemoryStore):
    """A thread that waited long for the lock wins a lease that has already run out."""

    @contextmanager
    def _step(self, operation: str) -> Iterator[tuple[Data, Space, int]]:
        """Read the clock, and wait for the lock then."""
        now = self._backend.clock.now_ms()
        with super()._step(operation) as (data, space, _):
            yield data, space, now


@mutant("TTL-3", "READ-4", "TTL-5")
class InheritedExpiry(MemoryStore):
    """Expiries are kept apart and outlive their row: the next owner's claim ends with the last."""

    def _put(self, data: Data, space: Space, row: Row) -> None:
        kept = vars(data).setdefault("expiries", {})
        left = kept.get((id(space), row.key), 0)
        if row.expires_at is None and left > row.created_at and row.key not in space.rows:
            row = replace(row, expires_at=left)
        kept[id(space), row.key] = row.expires_at or left
        super()._put(data, space, row)


@mutant("REG-2", "TTL-3", "TTL-1", "READ-4")
class TimersNotCancelled(MemoryStore):
    """A timer for each write, and none is stopped: the first one removes what came after it."""

    def _put(self, data: Data, space: Space, row: Row) -> None:
        super()._put(data, space, row)
        if row.expires_at is not None:
            timers = vars(data).setdefault("timers", [])
            timers.append((row.expires_at, space, row.key))

    @contextmanager
    def _step(self, operation: str) -> Iterator[tuple[Data, Space, int]]:
        """Let the timers go off that are due."""
        with super()._step(operation) as (data, space, now):
            timers = vars(data).setdefault("timers", [])
            for timer in [timer for timer in timers if timer[0] <= now]:
                timers.remove(timer)
                timer[1].rows.pop(timer[2], None)
            yield data, space, now


@mutant(
    *("TTL-1", "CLAIM-1", "TTL-7"),
    seen="memcached: a TTL of more than 30 days is read as an absolute time, and aiocache hands it "
    "on as it is",
)
class LongTtlIsAbsoluteTime(_TtlChanged):
    """A TTL of more than thirty days is taken for a date long past: every claimant wins."""

    def _life(self, ttl_ms: int) -> int:
        return ttl_ms if ttl_ms <= 30 * 86_400_000 else 0


@mutant(
    *("TTL-5", "CLAIM-7", "CLAIM-8", "CLAIM-9", "CLAIM-10"),
    seen="agentscope-ai/agentscope-java#3175: after the expiry every claim wins",
)
class ReclaimKeepsExpiry(ReclaimKeepsCreatedAt):
    """A reclaimed row keeps the expiry that it was reclaimed for, so the next claimant wins too."""

    INSERT: ClassVar[str] = changed(
        ReclaimKeepsCreatedAt.INSERT, "expires_at = :expires_at", "created_at = :now"
    )


@mutant("READ-1", "TTL-3", "REG-1")
class LookupWantsExpiry(SqliteStore):
    """NULL is not greater than now: a claim without a TTL is held, and nobody can read it."""

    LOOKUP: ClassVar[str] = changed(SqliteStore.LOOKUP, LIVE, "expires_at > :now")
