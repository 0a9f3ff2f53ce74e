"""What goes wrong when a namespace is full."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, ClassVar, Final

from onewinner.contract import BASE, LimitExceeded
from onewinner.mutants.registry import changed, mutant
from onewinner.stores.memory import MemoryStore
from onewinner.stores.sqlite import LIVE, ROW, SPACE, STAMP, SqliteBackend, SqliteStore

if TYPE_CHECKING:
    from onewinner.clock import Clock
    from onewinner.contract import Absent, Entry, Json, Profile
    from onewinner.stores.memory import Data, Row, Space
    from onewinner.stores.sqlite import Run

REJECT_NEW: Final = dataclasses.replace(BASE, overflow_policy="reject-new")

# The eviction of a store that makes room before it inserts: as if the row were there already.
MAKE_ROOM: Final = changed(SqliteStore.EVICT, "SELECT held FROM", "SELECT total(held) + 1 FROM")
OLDEST_FIRST: Final = "ORDER BY created_at, key"


@mutant(
    *("EVICT-2", "CLAIM-1", "EVICT-1", "EVICT-3", "REG-1", "EVICT-6"),
    seen="openclaw 2026.4.29 to 2026.5.3 (219 of 300 fresh rows gone); diskcache Cache.add at its "
    "size limit (8 of 60)",
)
class EvictsRowJustWritten(SqliteStore):
    """Success is reported for a row that is gone: ages tie, and the new row sorts first."""

    EVICT: ClassVar[str] = changed(SqliteStore.EVICT, " AND key <> :key", "")


@mutant("CLAIM-4", "EVICT-1")
class RefusedClaimEvicts(SqliteStore):
    """Every duplicate of an event drives out another row, until the store remembers nothing."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Make room before it is known whether any is needed."""
        with self._write("register", key, value, ttl_ms) as run:
            run(MAKE_ROOM)
            return self._insert(run)


@mutant("EVICT-4", "EVICT-1", "REG-2")
class RegisterOnFullEvictsOther(SqliteStore):
    """Updating a row costs another one, so a busy namespace shrinks without any insert."""

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Make room for a row that is there already."""
        with self._write("register", key, value, ttl_ms) as run:
            run(MAKE_ROOM)
            if run(self.REPLACE).rowcount == 0:
                self._insert(run)


@mutant("ISO-3", "EVICT-1", "ISO-4")
class EvictionReachesSiblingNamespace(SqliteStore):
    """A chatty namespace drives out the rows of a quiet one, which loses its claims."""

    EVICT: ClassVar[str] = (
        "DELETE FROM rows WHERE plugin = :plugin AND (namespace, key) IN ("
        f"SELECT namespace, key FROM rows WHERE plugin = :plugin AND NOT ({ROW}) {OLDEST_FIRST} "
        f"LIMIT max(0, (SELECT held FROM sizes WHERE {SPACE}) - :max_entries))"
    )


@mutant("ISO-3", "EVICT-1", "ISO-4")
class EvictionReachesOtherPlugin(SqliteStore):
    """Two plugins chose the same name for a namespace, and one of them evicts the other's rows."""

    EVICT: ClassVar[str] = (
        "DELETE FROM rows WHERE namespace = :namespace AND (plugin, key) IN ("
        f"SELECT plugin, key FROM rows WHERE namespace = :namespace AND NOT ({ROW}) {OLDEST_FIRST} "
        f"LIMIT max(0, (SELECT held FROM sizes WHERE {SPACE}) - :max_entries))"
    )


@mutant("ISO-4", "EVICT-1", "ISO-3", "EVICT-4")
class SiblingsCountTowardsMaxEntries(SqliteStore):
    """A namespace is full because its siblings are: rows go while there is room."""

    EVICT: ClassVar[str] = changed(
        SqliteStore.EVICT,
        f"SELECT held FROM sizes WHERE {SPACE}",
        "SELECT sum(held) FROM sizes WHERE plugin = :plugin",
    )


@mutant("EVICT-1", "EVICT-3")
class EvictsYoungest(SqliteStore):
    """A full namespace keeps what is old and forgets what just happened."""

    EVICT: ClassVar[str] = changed(SqliteStore.EVICT, OLDEST_FIRST, "ORDER BY created_at DESC, key")


@mutant("EVICT-1", "EVICT-4")
class EvictsByKey(SqliteStore):
    """Rows go in the order of their names: the key that sorts first never lasts."""

    EVICT: ClassVar[str] = changed(SqliteStore.EVICT, OLDEST_FIRST, "ORDER BY key")


@mutant("EVICT-3", "EVICT-1")
class TiesGoTheOtherWay(SqliteStore):
    """Rows of one millisecond go in no agreed order, so two replicas keep different rows."""

    EVICT: ClassVar[str] = changed(SqliteStore.EVICT, OLDEST_FIRST, "ORDER BY created_at, key DESC")


@mutant("EVICT-1", "EVICT-6", "EVICT-7", seen="cachelib SimpleCache keeps threshold + 1 entries")
class MaxEntriesOffByOne(SqliteStore):
    """`>` for `>=`: one row more than was allowed, which is double where one was allowed."""

    EVICT: ClassVar[str] = changed(SqliteStore.EVICT, ":max_entries)", ":max_entries - 1)")


@mutant("EVICT-1", seen="grantjenks/python-diskcache#284: ten rows go where one is too many")
class EvictsInBatches(SqliteStore):
    """To evict less often, more goes than must: rows that fitted are lost."""

    EVICT: ClassVar[str] = changed(SqliteStore.EVICT, ":max_entries))", ":max_entries) * 10)")


@mutant("EVICT-5", "EVICT-1")
class ExpiredRowsFillNamespace(SqliteStore):
    """Rows that expired still count, and live ones are evicted to make room for the dead."""

    PRUNE: ClassVar[str] = changed(SqliteStore.PRUNE, "plugin = :plugin", ROW)
    COUNT: ClassVar[str] = f"SELECT count(*) FROM rows WHERE plugin = :plugin AND {LIVE}"


@mutant("EVICT-1", "EVICT-6", "EVICT-7")
class ClaimsNeverEvict(SqliteStore):
    """Only `register` holds the limit; a namespace that is used for claims grows without end."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Insert, and leave the room to others."""
        with self._write("register", key, value, ttl_ms) as run:
            won = run(self.INSERT).rowcount == 1
            if won:
                self._hold_cap(run)
        return won


@mutant("EVICT-6", "EVICT-7", shows="threads")
class EvictsAfterCommit(SqliteStore):
    """Who looks between the insert and its eviction sees more rows than the namespace may hold."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Insert in one transaction, and evict in the next."""
        with self._write("register", key, value, ttl_ms) as run:
            if run(self.INSERT).rowcount == 0:
                return False
            run("SAVEPOINT inserted")
            run(self.EVICT)
            self._hold_cap(run)
            run("ROLLBACK TO inserted")
        with self._write("register", key, value, ttl_ms) as run:
            run(self.EVICT)
        return True


@mutant("EVICT-6", "EVICT-7", shows="threads")
class VictimChosenBeforeLock(SqliteStore):
    """The row that was oldest goes, though its owner has renewed it since it was looked up."""

    OLDEST: ClassVar[str] = (
        f"SELECT hex(key) FROM rows WHERE {SPACE} AND key <> :key {OLDEST_FIRST} "
        f"LIMIT max(0, (SELECT total(held) + 1 FROM sizes WHERE {SPACE}) - :max_entries)"
    )
    EVICT_CHOSEN: ClassVar[str] = (
        f"DELETE FROM rows WHERE {SPACE} AND hex(key) IN ({{}}) "
        f"AND (SELECT held FROM sizes WHERE {SPACE}) > :max_entries"
    )

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look up who has to go, then wait for the right to write."""
        row = {**self._fixed, "key": self._key(key, "register")}
        with self._file.statement("register") as connection:
            chosen = [f"'{victim}'" for (victim,) in connection.execute(self.OLDEST, row)]
        with self._write("register", key, value, ttl_ms) as run:
            if run(self.INSERT).rowcount == 0:
                return False
            run(self.EVICT_CHOSEN.format(", ".join(chosen)))
            run(self.EVICT)
            self._hold_cap(run)
        return True


class _EvictingAnyway(SqliteStore):
    def _insert(self, run: Run) -> bool:
        if run(self.INSERT).rowcount == 0:
            return False
        run(self.EVICT)
        self._hold_cap(run)
        return True


@mutant("EVICT-8")
class RejectNewEvictsAnyway(SqliteBackend):
    """A namespace that was promised to keep what it holds loses its oldest claim all the same."""

    store: ClassVar[type[SqliteStore]] = _EvictingAnyway

    def __init__(self, location: str, *, clock: Clock, profile: Profile = REJECT_NEW) -> None:
        super().__init__(location, clock=clock, profile=profile)


class _FullForEverybody(SqliteStore):
    def _insert(self, run: Run) -> bool:
        held = f"SELECT held FROM sizes WHERE {SPACE} AND held >= :max_entries"
        if run(held).fetchone() is not None:
            raise LimitExceeded(operation="register", message="the namespace is full")
        return super()._insert(run)


@mutant("EVICT-8")
class RejectNewRefusesDuplicates(SqliteBackend):
    """At capacity a duplicate of a known event is an error instead of "already claimed"."""

    store: ClassVar[type[SqliteStore]] = _FullForEverybody

    def __init__(self, location: str, *, clock: Clock, profile: Profile = REJECT_NEW) -> None:
        super().__init__(location, clock=clock, profile=profile)


class _FullForUpdates(SqliteStore):
    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        with self._write("register", key, value, ttl_ms) as run:
            held = f"SELECT held FROM sizes WHERE {SPACE} AND held >= :max_entries"
            if run(held).fetchone() is not None:
                raise LimitExceeded(operation="register", message="the namespace is full")
            if run(self.REPLACE).rowcount == 0:
                self._insert(run)


@mutant("EVICT-8")
class RejectNewRefusesUpdates(SqliteBackend):
    """At capacity a claim that is held cannot be renewed, and is lost when its time has come."""

    store: ClassVar[type[SqliteStore]] = _FullForUpdates

    def __init__(self, location: str, *, clock: Clock, profile: Profile = REJECT_NEW) -> None:
        super().__init__(location, clock=clock, profile=profile)


class _CountsTheDead(SqliteStore):
    PRUNE: ClassVar[str] = f"DELETE FROM rows WHERE {ROW} AND expires_at <= :now"


@mutant("EVICT-8", "CAP-3")
class RejectNewCountsExpiredRows(SqliteBackend):
    """A namespace that once was full stays so: rows that are long over keep every new key out."""

    store: ClassVar[type[SqliteStore]] = _CountsTheDead

    def __init__(self, location: str, *, clock: Clock, profile: Profile = REJECT_NEW) -> None:
        super().__init__(location, clock=clock, profile=profile)


class _ChoosesVictim(MemoryStore):
    def _doomed(self, data: Data, space: Space, row: Row) -> list[tuple[Space, Row]]:
        return [
            (where, self._victim(where) if where is space else old)
            for where, old in super()._doomed(data, space, row)
        ]

    def _victim(self, space: Space) -> Row:
        raise NotImplementedError


@mutant("EVICT-1", "READ-3", "EVICT-3")
class EvictsLeastRecentlyRead(_ChoosesVictim):
    """A cache's rule in a store of claims: a claim that nobody looks at goes too early."""

    def lookup(self, key: str) -> Json | Absent:
        """Answer the value, and note when it was read."""
        now = self._backend.clock.now_ms()
        vars(self._backend.data("lookup")).setdefault("read", {})[self._key(key, "lookup")] = now
        return super().lookup(key)

    def _victim(self, space: Space) -> Row:
        read = vars(self._backend.data("register")).get("read", {})
        return min(
            space.rows.values(), key=lambda row: (read.get(row.key, row.created_at), row.key)
        )


@mutant("EVICT-1", "EVICT-4", "CLAIM-9")
class EvictsSoonestToExpire(SqliteStore):
    """Short leases go first, however young they are: the one that was just won is lost next."""

    EVICT: ClassVar[str] = changed(
        SqliteStore.EVICT, OLDEST_FIRST, "ORDER BY coalesce(expires_at, 1 << 62), created_at, key"
    )


@mutant("EVICT-4", "EVICT-3", "EVICT-1")
class EvictsInOrderOfInsertion(_ChoosesVictim):
    """A queue of keys that an update leaves alone: the row that is renewed every minute goes."""

    def _victim(self, space: Space) -> Row:
        return next(iter(space.rows.values()))


@mutant("EVICT-3")
class TiesGoByInsertion(_ChoosesVictim):
    """Rows of one millisecond go in the order in which one process happened to see them."""

    def _victim(self, space: Space) -> Row:
        return min(space.rows.values(), key=lambda row: row.created_at)


@mutant("EVICT-2", "EVICT-1", "EVICT-3", "CLAIM-1", "EVICT-6")
class NewestByAgeIsProtected(SqliteStore):
    """The row that looks newest is kept and not the one just written: with a tie, that one goes."""

    EVICT: ClassVar[str] = changed(
        SqliteStore.EVICT,
        "key <> :key",
        f"key <> (SELECT key FROM rows WHERE {SPACE} ORDER BY created_at DESC, key DESC LIMIT 1)",
    )


@mutant("EVICT-2", "CLAIM-1")
class ClockSetBackEvictsNewRow(SqliteStore):
    """After the clock was set back what is new looks oldest: every claim is won and gone."""

    EVICT: ClassVar[str] = changed(
        changed(SqliteStore.EVICT, " AND key <> :key", ""),
        OLDEST_FIRST,
        "ORDER BY created_at, key = :key, key",
    )
    INSERT: ClassVar[str] = changed(SqliteStore.INSERT, STAMP, ":now")


@mutant("EVICT-12", seen="openclaw 2026.5.7: a claim is gone with the next one, older rows stay")
class ClockSetBackAgesNewRows(SqliteStore):
    """While the clock is behind, what is new looks oldest: each claim goes with the next one."""

    INSERT: ClassVar[str] = changed(SqliteStore.INSERT, STAMP, ":now")
    REPLACE: ClassVar[str] = changed(SqliteStore.REPLACE, STAMP, ":now")


@mutant("EVICT-12")
class ClockSetBackAgesRenewedRows(SqliteStore):
    """While the clock is behind, whoever renews a row makes it the oldest, and loses it."""

    REPLACE: ClassVar[str] = changed(SqliteStore.REPLACE, STAMP, ":now")


@mutant("EVICT-5", "CAP-3", "EVICT-1")
class ExpiredRowsLinger(SqliteStore):
    """Expired rows are kept a minute to be looked into, and live ones are evicted for them."""

    PRUNE: ClassVar[str] = f"{SqliteStore.PRUNE} - 60000 OR {ROW} AND expires_at <= :now"


_EVICTING: Final = threading.Lock()


@mutant("EVICT-7", shows="processes")
class EvictionLockedInProcess(EvictsAfterCommit):
    """The second worker process sees more rows than the namespace may hold."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Insert and evict under a lock that other processes do not know."""
        with _EVICTING:
            return super().register_if_absent(key, value, ttl_ms=ttl_ms)

    def entries(self) -> list[Entry]:
        """List under the same lock."""
        with _EVICTING:
            return super().entries()
