"""What goes wrong when storage fails: what the caller is told, and what is left behind."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from onewinner.contract import ABSENT, StoreError
from onewinner.mutants.registry import mutant
from onewinner.stores import input as rules
from onewinner.stores.newer_sqlite import NewerSqliteStore
from onewinner.stores.sqlite import ROW, SPACE, SqliteStore
from onewinner.stores.sqlite_file import SqliteFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.contract import Absent, Json
    from onewinner.stores.sqlite import Run


@mutant(
    "ERR-5",
    shows="faults",
    seen="diskcache FanoutCache, cachelib DynamoDbCache: a storage error is answered with False",
)
class ErrorIsFalse(SqliteStore):
    """The disk is full, and every worker is told that another has it: nobody does the work."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim, and take a failure for a refusal."""
        try:
            return super().register_if_absent(key, value, ttl_ms=ttl_ms)
        except StoreError as error:
            if error.code != "WRITE_FAILED":
                raise
            return False


@mutant(
    "ERR-5", "ERR-6", shows="faults", seen="write-behind caches that log a failed write and go on"
)
class ErrorIsTrue(SqliteStore):
    """The disk is full, and every worker is told that it has won: all do the work."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim, and take a failure for a win."""
        try:
            return super().register_if_absent(key, value, ttl_ms=ttl_ms)
        except StoreError as error:
            if error.code != "WRITE_FAILED":
                raise
            return True


@mutant(
    "ERR-6", shows="faults", seen="retries that begin anew after a failed commit, and are given up"
)
class TransactionLeftOpen(SqliteFile):
    """A commit that failed leaves a transaction open, and with it the lock that all wait for."""

    @contextmanager
    def transaction(
        self, operation: str, code: str = "WRITE_FAILED"
    ) -> Iterator[sqlite3.Connection]:
        """Where the commit fails, begin anew for the next try, which never comes."""
        with self._taken(operation, code) as connection:
            connection.execute(self.begin)
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            try:
                connection.execute("COMMIT")
            except sqlite3.Error:
                if not connection.in_transaction:
                    connection.execute(self.begin)
                raise


@mutant(
    "ERR-6",
    shows="faults",
    seen="retries after an error that no longer hold what the first try had taken",
)
class LosesItsLockOnAnError(SqliteStore):
    """After an error it tries once more, without the lock that it had: two callers win."""

    TAKE: ClassVar[str] = (
        "INSERT OR REPLACE INTO rows (plugin, namespace, key, value, created_at) "
        "VALUES (:plugin, :namespace, :key, '\"taken\"', :now)"
    )

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim; where that fails look and write, with nothing held in between."""
        try:
            return super().register_if_absent(key, value, ttl_ms=ttl_ms)
        except StoreError as error:
            if error.code != "WRITE_FAILED":
                raise
        if self.lookup(key) is not ABSENT:
            return False
        row = {**self._fixed, "key": self._key(key, "register"), "now": self._clock.now_ms()}
        with self._file.statement("register") as connection:
            connection.execute(self.TAKE, row)
        return True


@mutant("ERR-7", shows="faults", seen="stores that read a namespace whole to answer for one key")
class DamagedRowPoisonsItsNeighbours(SqliteStore):
    """One damaged row, and no key of its namespace can be read any more."""

    def lookup(self, key: str) -> Json | Absent:
        """Look through everything that is there."""
        name = self._key(key, "lookup")
        return next((row.value for row in self.entries() if row.key == name), ABSENT)


@mutant("ERR-4", "CAP-2", "INPUT-11")
class RefusalLeavesTransactionOpen(SqliteFile):
    """A refused claim leaves its transaction open: the handle serves nobody any more."""

    @contextmanager
    def transaction(
        self, operation: str, code: str = "WRITE_FAILED"
    ) -> Iterator[sqlite3.Connection]:
        """Commit where all went well, and do nothing otherwise."""
        with self._taken(operation, code) as connection:
            connection.execute(self.begin)
            yield connection
            connection.execute("COMMIT")


@mutant("ERR-4")
class RefusalPoisonsTheHandle(SqliteStore):
    """After one refusal the handle gives the same error to whoever comes next."""

    refused: StoreError | None = None

    def _key(self, key: str, operation: str) -> str:
        earlier, self.refused = self.refused, None
        if earlier is not None:
            raise earlier
        try:
            return super()._key(key, operation)
        except StoreError as error:
            self.refused = error
            raise


@mutant("ERR-7", shows="faults")
class DamagedRowIsAbsent(SqliteStore):
    """A damaged row is taken for none: readers find nobody, and claimants are refused."""

    def lookup(self, key: str) -> Json | Absent:
        """Answer ABSENT for what cannot be read."""
        try:
            return super().lookup(key)
        except StoreError as error:
            if error.code != "CORRUPT":
                raise
            return ABSENT


@mutant("ERR-7", shows="faults")
class DamagedRowCannotBeDeleted(SqliteStore):
    """The row is read before it is removed, so that a damaged one stays for ever."""

    def delete(self, key: str) -> bool:
        """Consume, and say whether something was there."""
        return self.consume(self._key(key, "delete")) is not ABSENT


@mutant("ERR-7", shows="faults")
class DamagedRowIsConsumed(SqliteStore):
    """Whoever consumes a damaged row is told so, and the row is gone: nobody can mend it."""

    def consume(self, key: str) -> Json | Absent:
        """Remove the row for good, and then look what it holds."""
        name = self._key(key, "consume")
        with self._transaction("consume", key=name) as run:
            found = run(self.CONSUME).fetchall()
        return rules.value_of(found[0][0], "consume", name) if found else ABSENT


@mutant("ERR-7", shows="faults")
class DamagedRowPoisonsManyLookups(NewerSqliteStore):
    """Keys are picked out of a listing, so that one damaged row fails whoever asks for others."""

    def lookup_many(self, keys: Sequence[str]) -> list[Json | Absent]:
        """Read all that is there."""
        names = [self._key(key, "lookup_many") for key in keys]
        with self._file.transaction("lookup_many", "READ_FAILED") as connection:
            bound = {**self._fixed, "now": self._clock.now_ms()}
            rows = connection.execute(self.ENTRIES, bound).fetchall()
        held = {name: rules.value_of(text, "lookup_many", name) for name, text, *_ in rows}
        return [held.get(name, ABSENT) for name in names]


@mutant("ERR-7", shows="faults")
class DamagedRowsAreNotCounted(NewerSqliteStore):
    """What cannot be read is passed over, and a namespace that takes no more seems to have room."""

    def count(self) -> int:
        """Count the rows that can be read."""
        with self._file.transaction("count", "READ_FAILED") as connection:
            bound = {**self._fixed, "now": self._clock.now_ms()}
            rows = connection.execute(self.ENTRIES, bound).fetchall()
        return sum(self._is_whole(text) for _, text, *_ in rows)

    def _is_whole(self, text: bytes) -> bool:
        try:
            rules.value_of(text, "count", "")
        except StoreError:
            return False
        return True


@mutant("ERR-7", shows="faults")
class DamagedRowIsUpdatedAnew(NewerSqliteStore):
    """A counter that cannot be read begins again at nought, and nobody is told what was lost."""

    def _held(self, run: Run, operation: str, name: str) -> Json | Absent:
        try:
            return super()._held(run, operation, name)
        except StoreError as error:
            if error.code != "CORRUPT" or operation != "update":
                raise
            return ABSENT


@mutant("ERR-1", shows="faults")
class StorageErrorsGoBare(SqliteStore):
    """The driver's own exception comes through, which no caller of the contract catches."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim, and let through what went wrong inside."""
        try:
            return super().register_if_absent(key, value, ttl_ms=ttl_ms)
        except StoreError as error:
            raise error.__cause__ or error from None


@mutant("ERR-1", shows="faults")
class WriteErrorsNameNoOperation(SqliteFile):
    """Whatever could not be written, the error says `transaction`: nobody knows what failed."""

    @contextmanager
    def transaction(
        self, operation: str, code: str = "WRITE_FAILED"
    ) -> Iterator[sqlite3.Connection]:
        """Name the step inside, and not the operation."""
        with super().transaction(f"{operation} transaction", code) as connection:
            yield connection


@mutant("ERR-1", shows="faults")
class CorruptNamesNoOperation(SqliteStore):
    """The error of a damaged row says `decode`: alarms by operation never go off."""

    def lookup(self, key: str) -> Json | Absent:
        """Look, and name what failed inside instead of what was called."""
        try:
            return super().lookup(key)
        except StoreError as error:
            if error.code != "CORRUPT":
                raise
            raise StoreError(code="CORRUPT", operation="decode", message=error.message) from error


@mutant("ERR-7", shows="faults")
class DamagedRowsAreNotEvicted(SqliteStore):
    """Who has to go is chosen among rows that were read: beside a damaged one nothing fits."""

    def _insert(self, run: Run) -> bool:
        """Read all rows where one of them has to go."""
        rows = run(f"SELECT key, CAST(value AS BLOB) FROM rows WHERE {SPACE}").fetchall()
        if len(rows) >= self._most:
            for key, text in rows:
                rules.value_of(text, "register", key)
        return super()._insert(run)


@mutant("ERR-7", shows="faults")
class DamagedRowsNeverExpire(SqliteStore):
    """The old row is read before it is replaced, so a damaged one holds its key for ever."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Read what is stored, expired or not, and claim then."""
        row = {**self._fixed, "key": self._key(key, "register")}
        with self._file.statement("register") as connection:
            found = connection.execute(
                f"SELECT CAST(value AS BLOB) FROM rows WHERE {ROW} AND expires_at IS NOT NULL", row
            ).fetchone()
        if found is not None:
            rules.value_of(found[0], "register", key)
        return super().register_if_absent(key, value, ttl_ms=ttl_ms)
