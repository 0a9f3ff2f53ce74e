"""What goes wrong for those who read, consume, delete and clear."""

from __future__ import annotations

import functools
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from onewinner.contract import ABSENT, Entry
from onewinner.mutants.atomicity import HELD
from onewinner.mutants.registry import changed, mutant
from onewinner.stores import input as rules
from onewinner.stores.memory import MemoryStore
from onewinner.stores.sqlite import LIVE, SPACE, SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Absent, Json
    from onewinner.stores.input import Opening
    from onewinner.stores.memory import Data, Row, Space
    from onewinner.stores.sqlite import SqliteBackend


@mutant("READ-4")
class EntriesUnordered(SqliteStore):
    """Whoever takes the first entry for the oldest works on the wrong one."""

    ENTRIES: ClassVar[str] = changed(
        SqliteStore.ENTRIES, "ORDER BY created_at, key", "ORDER BY key"
    )


@mutant("TTL-4", "READ-4", "TTL-1")
class EntriesShowExpired(SqliteStore):
    """A listing shows leases that are over, and somebody waits for a holder who is gone."""

    ENTRIES: ClassVar[str] = changed(SqliteStore.ENTRIES, f" AND {LIVE}", "")


@mutant("READ-5", "READ-4", shows="threads")
class EntriesNotASnapshot(SqliteStore):
    """A listing that reads row by row shows rows together that were never there together."""

    KEYS: ClassVar[str] = f"SELECT key, created_at, expires_at FROM rows WHERE {SPACE} AND {LIVE}"

    def entries(self) -> list[Entry]:
        """Read the keys first and every value then."""
        with self._file.statement("entries") as connection:
            row = {**self._fixed, "now": self._clock.now_ms()}
            found = connection.execute(f"{self.KEYS} ORDER BY created_at, key", row).fetchall()
        pairs = [(times, self.lookup(times[0])) for times in found]
        return [
            Entry(key, value, created_at, expires_at)
            for (key, created_at, expires_at), value in pairs
            if value is not ABSENT
        ]


@mutant("READ-2")
class NullIsAbsent(SqliteStore):
    """A claim that stores no payload is won and then not found, so its owner gives up."""

    def lookup(self, key: str) -> Json | Absent:
        """Take null for nothing."""
        value = super().lookup(key)
        return ABSENT if value is None else value


@mutant("READ-6")
class ValueAliasing(MemoryStore):
    """The caller goes on using its object, and changes what is stored without a write."""

    @contextmanager
    def _write(
        self, operation: str, key: str, value: Any, ttl_ms: int | None
    ) -> Iterator[tuple[Data, Space, Row]]:
        """Keep the object itself."""
        with super()._write(operation, key, value, ttl_ms) as (data, space, row):
            yield data, space, replace(row, text=value)

    def _value(self, row: Row) -> Json:
        return row.text


@mutant("READ-6")
class ParsedValuesShared(SqliteStore):
    """To save parsing, one object is handed to every reader; the first who changes it wins."""

    parsed = staticmethod(functools.lru_cache(256)(rules.value_of))

    def lookup(self, key: str) -> Json | Absent:
        """Answer the object that the last reader of the same text got."""
        name = self._key(key, "lookup")
        with self._file.statement("lookup") as connection:
            row = {**self._fixed, "key": name, "now": self._clock.now_ms()}
            found = connection.execute(self.LOOKUP, row).fetchall()
        return self.parsed(found[0][0], "lookup", name) if found else ABSENT


@mutant(
    *("CLAIM-7", "CLAIM-8", "CLAIM-9", "CLAIM-10", "REG-3", "READ-3", "READ-5"),
    shows="threads",
)
class LookupRemovesExpiredByKey(SqliteStore):
    """A reader sees a stale row and removes the key, which by now a new owner holds."""

    def lookup(self, key: str) -> Json | Absent:
        """Look, and tidy up by nothing but the key."""
        value = super().lookup(key)
        if value is ABSENT:
            row = {**self._fixed, "key": self._key(key, "lookup"), "now": self._clock.now_ms()}
            with self._file.statement("lookup") as connection:
                stale = connection.execute(f"{HELD} AND NOT {LIVE}", row).fetchall()
            if stale:
                with self._file.transaction("lookup") as connection:
                    connection.execute(self.DELETE, row)
        return value


@mutant("REG-3", "READ-1", "TTL-4", "DEL-1", "TTL-1", "DEL-2")
class StaleReadCache(SqliteStore):
    """A handle remembers what it read: a lease that another process released is still seen."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._read: dict[str, Any] = {}

    def lookup(self, key: str) -> Json | Absent:
        """Answer what this handle saw first."""
        name = self._key(key, "lookup")
        if name not in self._read:
            value = super().lookup(key)
            if value is ABSENT:
                return ABSENT
            self._read[name] = value
        return rules.value_of(rules.value_text(self._read[name], "lookup", self._profile), "", name)

    @contextmanager
    def _transaction(self, operation: str, *, key: str = "", **row: Any) -> Iterator[Any]:
        """Forget what this handle is about to change."""
        self._read.pop(key, None) if key else self._read.clear()
        with super()._transaction(operation, key=key, **row) as run:
            yield run


@mutant("DEL-1")
class DeleteAlwaysTrue(SqliteStore):
    """Two callers both believe that they ended a lease, and both act on it."""

    def delete(self, key: str) -> bool:
        """Delete, and report success."""
        super().delete(key)
        return True


@mutant("DEL-2", "DEL-3", "DEL-4")
class ConsumeLeavesRow(SqliteStore):
    """A token that is good for one use is good for any number."""

    CONSUME: ClassVar[str] = SqliteStore.LOOKUP


@mutant("DEL-5")
class ClearSparesPermanentRows(SqliteStore):
    """Clear removes what would have gone by itself and leaves the rest."""

    CLEAR: ClassVar[str] = f"{SqliteStore.CLEAR} AND expires_at IS NOT NULL"


@mutant("DEL-5", shows="threads")
class ClearGoesRowByRow(SqliteStore):
    """A row is seen after another was written that could only be written once all were removed."""

    def clear(self) -> None:
        """List the rows, and delete one after the other."""
        with self._transaction("clear") as run:
            keys = [key for (key,) in run(f"SELECT key FROM rows WHERE {SPACE}")]
        for key in keys:
            self.delete(key)


@mutant("READ-2", "DEL-2", "READ-1")
class FalsyValueIsAbsent(SqliteStore):
    """`value or absent`: a counter that stands at nought is not found, and is made once more."""

    def lookup(self, key: str) -> Json | Absent:
        """Take nought, false and what is empty for nothing."""
        return super().lookup(key) or ABSENT


@mutant("READ-2", "DEL-2")
class ConsumedNullIsAbsent(SqliteStore):
    """A job without a payload is taken from the queue and done by nobody."""

    def consume(self, key: str) -> Json | Absent:
        """Remove the row, and take its null for nothing."""
        value = super().consume(key)
        return ABSENT if value is None else value


@mutant("READ-1", "READ-2", "TTL-4", "DEL-1")
class AbsentIsNull(SqliteStore):
    """Who asks for a key that nobody holds is told that somebody stored null there."""

    def lookup(self, key: str) -> Json | Absent:
        """Answer null where no row is."""
        value = super().lookup(key)
        return None if value is ABSENT else value


@mutant("READ-3", "READ-1", "DEL-2")
class LookupRemoves(SqliteStore):
    """A monitor that looks at a lease ends it, and the next claimant becomes a second owner."""

    def lookup(self, key: str) -> Json | Absent:
        """Answer the value, once."""
        return self.consume(key)


@mutant("READ-4", "READ-5")
class EntriesStopAtFifty(SqliteStore):
    """A listing ends after its first page, and whoever works it off never sees the rest."""

    ENTRIES: ClassVar[str] = f"{SqliteStore.ENTRIES} LIMIT 50"


@mutant("READ-4", "TTL-1", "TTL-5")
class EntriesTellRestOfLife(SqliteStore):
    """A duration where a time was promised: every row of a listing seems long expired."""

    ENTRIES: ClassVar[str] = changed(
        SqliteStore.ENTRIES, "created_at, expires_at FROM", "created_at, expires_at - :now FROM"
    )


@mutant("READ-5", "READ-4", shows="threads")
class EntriesPagedByOffset(SqliteStore):
    """A row that is removed between two pages moves up the next one, which is on neither page."""

    PAGE: ClassVar[str] = f"{SqliteStore.ENTRIES} LIMIT 1 OFFSET "

    def entries(self) -> list[Entry]:
        """Read one row a page, each in a transaction of its own."""
        found: list[Entry] = []
        while True:
            with self._transaction("entries") as run:
                page = run(f"{self.PAGE}{len(found)}").fetchall()
            if not page:
                return found
            found += [Entry(k, rules.value_of(text, "entries", k), *t) for k, text, *t in page]


class ValueChanged(SqliteStore):
    """Stores another value than it was given."""

    def _write(self, operation: str, key: str, value: Any, ttl_ms: int | None) -> Any:
        rules.value_text(value, operation, self._profile)
        return super()._write(operation, key, self._stored(value), ttl_ms)

    def _stored(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._stored(item) for item in value]
        if isinstance(value, dict):
            return {key: self._stored(item) for key, item in value.items()}
        return value


@mutant("READ-7", "READ-1", "REG-1")
class TrueBecomesOne(ValueChanged):
    """A database without booleans: a flag comes back as a number, and `is True` never holds."""

    def _stored(self, value: Any) -> Any:
        return int(value) if isinstance(value, bool) else super()._stored(value)


@mutant("READ-7", "READ-1", "REG-1")
class NullMembersDropped(ValueChanged):
    """A serialiser leaves out what is null, and "was cleared" reads as "was never set"."""

    def _stored(self, value: Any) -> Any:
        if isinstance(value, dict):
            value = {key: item for key, item in value.items() if item is not None}
        return super()._stored(value)


@mutant("READ-7", "READ-1", "REG-1")
class FractionsCut(ValueChanged):
    """A column of whole numbers: a price of 0.5 comes back as nought."""

    def _stored(self, value: Any) -> Any:
        return int(value) if isinstance(value, float) else super()._stored(value)


@mutant("DEL-1")
class DeleteAnswersNone(SqliteStore):
    """Nobody learns whether the lease was still held when it was ended."""

    def delete(self, key: str) -> bool:
        """Delete, and answer nothing."""
        super().delete(key)
        return None  # type: ignore[return-value]  # the defect is the type


@mutant("DEL-1", "REG-3", "CLAIM-9")
class DeleteLeavesTombstone(SqliteStore):
    """The value goes and the row stays: a released key can never be claimed again."""

    DELETE: ClassVar[str] = f"UPDATE rows SET value = 'null' WHERE {SPACE} AND key = :key"


@mutant("DEL-2", "TTL-4")
class ConsumedAbsentIsNull(SqliteStore):
    """A queue that is empty hands out null, and a worker starts on a job that does not exist."""

    def consume(self, key: str) -> Json | Absent:
        """Answer null where no row is."""
        value = super().consume(key)
        return None if value is ABSENT else value


@mutant("TTL-4", "DEL-2")
class ConsumeAnswersExpired(MemoryStore):
    """A token that is no longer valid is accepted by the one call that spends it."""

    def consume(self, key: str) -> Json | Absent:
        """Remove the row, and do not ask whether it was live."""
        name = self._key(key, "consume")
        with self._step("consume") as (_, space, _):
            row = space.rows.pop(name, None)
        return ABSENT if row is None else self._value(row)


@mutant("DEL-3", shows="threads")
class DictGetThenPop(MemoryStore):
    """Between a look and a pop that forgives, another thread takes the same job."""

    def consume(self, key: str) -> Json | Absent:
        """Look under the lock, and remove under the lock again."""
        name = self._key(key, "consume")
        value = self.lookup(name)
        self.delete(name)
        return value


_CONSUMING: Final = threading.Lock()


@mutant("DEL-4", shows="processes")
class ConsumeLockedInProcess(SqliteStore):
    """One worker process hands out each job once; with the second one, jobs are done twice."""

    def consume(self, key: str) -> Json | Absent:
        """Read and delete under a lock that other processes do not know."""
        name = self._key(key, "consume")
        with _CONSUMING:
            value = self.lookup(name)
            self.delete(name)
            return value
