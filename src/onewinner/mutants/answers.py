"""What goes wrong with what a claim answers and leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from onewinner.contract import LimitExceeded
from onewinner.mutants.registry import changed, mutant
from onewinner.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from onewinner.contract import Json
    from onewinner.stores.sqlite import Run


@mutant("CLAIM-2", "CLAIM-3", "CLAIM-5", "CLAIM-6", "CLAIM-7", "CLAIM-8", "CLAIM-9", "CLAIM-10")
class ClaimOverwritesLive(SqliteStore):
    """INSERT OR REPLACE for INSERT OR IGNORE: everybody wins, and the last one is the owner."""

    INSERT: ClassVar[str] = changed(
        SqliteStore.INSERT,
        "DO NOTHING",
        "DO UPDATE SET value = :value, created_at = :now, expires_at = :expires_at",
    )


@mutant("CLAIM-3")
class RefusedClaimOverwritesValue(SqliteStore):
    """The answer is right and the row is the loser's: the winner reads a stranger's payload."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Write whether the claim was won or not."""
        with self._write("register", key, value, ttl_ms) as run:
            won = self._insert(run)
            if not won:
                run(
                    "UPDATE rows SET value = :value WHERE plugin = :plugin "
                    "AND namespace = :namespace AND key = :key"
                )
        return won


@mutant("CLAIM-3", "EVICT-1")
class RefusedClaimMakesRowNewest(SqliteStore):
    """A key that many ask for is never evicted, however long ago it was won."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Count a refused claim as a use of the row."""
        with self._write("register", key, value, ttl_ms) as run:
            won = self._insert(run)
            if not won:
                run(
                    "UPDATE rows SET created_at = :now WHERE plugin = :plugin "
                    "AND namespace = :namespace AND key = :key"
                )
        return won


@mutant(
    *("CLAIM-2", "CLAIM-5", "CLAIM-6", "CLAIM-7", "CLAIM-8", "CLAIM-9", "CLAIM-10"),
    seen="pymemcache Client.add with its default noreply=True: true for all of 400 live keys",
)
class ClaimAlwaysTrue(SqliteStore):
    """The request is sent, nobody waits for the answer, and every claimant is told that it won."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim, and do not look."""
        super().register_if_absent(key, value, ttl_ms=ttl_ms)
        return True


@mutant(
    *("CLAIM-1", "CLAIM-2", "CLAIM-5", "CLAIM-6"),
    seen="cacheout's add() returns None; werkzeug#150, flask-cache#158, django-redis#406",
)
class ClaimAnswersNone(SqliteStore):
    """The answer is lost on its way up: nobody ever learns that it won, and no work is done."""

    def register_if_absent(  # type: ignore[override]  # the defect is the type
        self, key: str, value: Json, *, ttl_ms: int | None = None
    ) -> None:
        """Claim, and answer nothing."""
        super().register_if_absent(key, value, ttl_ms=ttl_ms)


@mutant("CLAIM-1", "CLAIM-2")
class ClaimAnswersCount(SqliteStore):
    """The count of rows is handed on: callers that test `is True` or send it as JSON go wrong."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Answer one or nought."""
        with self._write("register", key, value, ttl_ms) as run:
            won: bool = run(self.INSERT).rowcount  # type: ignore[assignment]  # the defect
            if won:
                run(self.EVICT)
                self._hold_cap(run)
        return won


@mutant(
    *("CAP-1", "ERR-1", "INPUT-8", "INPUT-9"),
    seen="diskcache FanoutCache.add answers False where the database timed out; cachelib's "
    "DynamoDB backend",
)
class ErrorSwallowedAsFalse(SqliteStore):
    """A failure looks like a lost claim: all leave the work to a winner who does not exist."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Answer false where the claim could not be carried out."""
        try:
            return super().register_if_absent(key, value, ttl_ms=ttl_ms)
        except LimitExceeded:
            return False


@mutant("ERR-1")
class ErrorNamesNoOperation(SqliteStore):
    """A log full of errors does not say which call failed."""

    def _write(
        self, operation: str, key: str, value: Json, ttl_ms: int | None
    ) -> AbstractContextManager[Run]:
        """Lose the name of the operation."""
        del operation
        return super()._write("unknown", key, value, ttl_ms)


@mutant("CLAIM-2", "CLAIM-4", "CLAIM-3", "CLAIM-9")
class LoserReleases(SqliteStore):
    """The clean-up of a claim that failed releases the key, which is the winner's."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim, and tidy up where that did not work."""
        with self._write("register", key, value, ttl_ms) as run:
            won = self._insert(run)
            if not won:
                run(self.DELETE)
        return won


@mutant("CLAIM-2", "CLAIM-5", "CLAIM-6", "CLAIM-7", "CLAIM-8", "CLAIM-9", "CLAIM-10")
class WonIfValueIsMine(SqliteStore):
    """The row is read back to see who won: of two that wrote the same value, both did."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim, and compare what is there with what was to be written."""
        super().register_if_absent(key, value, ttl_ms=ttl_ms)
        return self.lookup(key) == value


@mutant("CLAIM-4", "EVICT-1")
class RefusedClaimShedsOldest(SqliteStore):
    """A duplicate finds the namespace full and makes room for itself, though it needs none."""

    SHED: ClassVar[str] = (
        "DELETE FROM rows WHERE plugin = :plugin AND namespace = :namespace AND key = ("
        "SELECT key FROM rows WHERE plugin = :plugin AND namespace = :namespace AND key <> :key "
        "ORDER BY created_at, key LIMIT 1) AND :max_entries <= (SELECT held FROM sizes "
        "WHERE plugin = :plugin AND namespace = :namespace)"
    )

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Make room where the claim was refused."""
        with self._write("register", key, value, ttl_ms) as run:
            won = self._insert(run)
            if not won:
                run(self.SHED)
        return won
