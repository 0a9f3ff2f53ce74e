"""What goes wrong in the newer operations when one step is made of two.

All else about them is right: what is checked of arguments and told of errors is what the reference
store checks and tells, so that nothing but the two steps can be found.
"""

from __future__ import annotations

import functools
import os
import threading
from typing import TYPE_CHECKING, ClassVar, Final, ParamSpec, TypeVar

from onewinner.contract import ABSENT, Compared, LimitExceeded, Observation, StoreError
from onewinner.mutants.registry import mutant
from onewinner.stores import input as rules
from onewinner.stores.newer_memory import NewerMemoryStore
from onewinner.stores.newer_sqlite import (
    BORN,
    NewerSqliteStore,
    StrictSqliteBackend,
    StrictSqliteStore,
)
from onewinner.stores.sqlite import SPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onewinner.contract import Absent, Intent, Json
    from onewinner.stores.sqlite import Run, SqliteStore

P = ParamSpec("P")
R = TypeVar("R")

_PROCESS_WIDE: Final = threading.Lock()


def made_of_others(method: Callable[P, R]) -> Callable[P, R]:
    """Let errors name the operation that was called, and not the one that it is made of."""

    @functools.wraps(method)
    def called(*args: P.args, **options: P.kwargs) -> R:
        try:
            return method(*args, **options)
        except StoreError as error:
            error.operation = method.__name__
            raise

    return called


@mutant("UPD-2", "UPD-3", shows="threads")
class UpdateReadsThenWrites(NewerSqliteStore):
    """Two workers read 7, both write 8, and one of the two is lost."""

    @made_of_others
    def update(
        self,
        key: str,
        change: Callable[[Json | Absent], Json | Absent],
        *,
        ttl_ms: int | None = None,
    ) -> bool:
        """Read in one transaction and write in the next."""
        rules.ttl(ttl_ms, "update")
        changed = change(self.lookup(key))
        if changed is ABSENT:
            return False
        self.register(key, changed, ttl_ms=ttl_ms)
        return True


@mutant("UPD-3", shows="processes")
class UpdateUnderAThreadLock(NewerSqliteStore):
    """The lock that guards the update is one process's own: the next worker has another."""

    @made_of_others
    def update(
        self,
        key: str,
        change: Callable[[Json | Absent], Json | Absent],
        *,
        ttl_ms: int | None = None,
    ) -> bool:
        """Read and write under a lock that other processes do not know."""
        rules.ttl(ttl_ms, "update")
        with _PROCESS_WIDE:
            changed = change(self.lookup(key))
            if changed is ABSENT:
                return False
            self.register(key, changed, ttl_ms=ttl_ms)
            return True


@mutant("UPD-2", shows="threads")
class UpdateOutsideTheLock(NewerMemoryStore):
    """The function runs while nobody holds the lock, for it might take long."""

    @made_of_others
    def update(
        self,
        key: str,
        change: Callable[[Json | Absent], Json | Absent],
        *,
        ttl_ms: int | None = None,
    ) -> bool:
        """Read under the lock, and write under the lock again."""
        rules.ttl(ttl_ms, "update")
        changed = change(self.lookup(key))
        if changed is ABSENT:
            return False
        self.register(key, changed, ttl_ms=ttl_ms)
        return True


@mutant("DEL-9", "DEL-10", shows="threads")
class EqualChecksThenDeletes(NewerSqliteStore):
    """The row that was checked is gone, and the delete takes the one that came after it."""

    @made_of_others
    def delete_if_equal(self, key: str, expected: Json) -> bool:
        """Check in one transaction, delete in the next."""
        wanted = rules.scalar(expected, "delete_if_equal")
        held = self.lookup(key)
        if held is ABSENT or not rules.is_scalar(held, wanted):
            return False
        self.delete(key)
        return True


@mutant("DEL-10", "DEL-9", shows="threads")
class EqualDeletesWhatIsThere(NewerSqliteStore):
    """One of two deletes answers true, but the row that it took may be the next owner's."""

    @made_of_others
    def delete_if_equal(self, key: str, expected: Json) -> bool:
        """Check in one transaction; delete, and tell whether that did, in the next."""
        wanted = rules.scalar(expected, "delete_if_equal")
        held = self.lookup(key)
        return held is not ABSENT and rules.is_scalar(held, wanted) and self.delete(key)


@mutant("DEL-11", "DEL-12", shows="threads")
class DeleteIfChecksThenDeletes(NewerSqliteStore):
    """Two workers find the condition true, and both go on as the one who released the row."""

    @made_of_others
    def delete_if(self, key: str, condition: Callable[[Json], bool]) -> bool:
        """Ask in one transaction, delete in the next."""
        held = self.lookup(key)
        if held is ABSENT or not condition(held):
            return False
        self.delete(key)
        return True


@mutant("DEL-11", shows="threads")
class DeleteIfOutsideTheLock(NewerMemoryStore):
    """The condition is asked while nobody holds the lock; what is deleted is another row."""

    @made_of_others
    def delete_if(self, key: str, condition: Callable[[Json], bool]) -> bool:
        """Ask of what was there a moment ago."""
        held = self.lookup(key)
        return held is not ABSENT and condition(held) and self.delete(key)


@mutant("CAS-4", "CAS-5", shows="threads")
class CompareThenApply(NewerSqliteStore):
    """Both find the row as they had seen it, and both apply what they made of it."""

    @made_of_others
    def compare_and_apply(
        self, key: str, comparison: str, intent: Intent, *, ttl_ms: int | None = None
    ) -> Compared:
        """Compare in one transaction, apply in the next."""
        rules.ttl(ttl_ms, "compare_and_apply")
        if intent.name == "set":
            rules.value_text(intent.argument, "compare_and_apply", self._profile)
        seen = self.observe(key)
        if seen.comparison != comparison:
            return Compared("conflict", seen)
        if intent.name == "set":
            self.register(key, intent.argument, ttl_ms=ttl_ms)
        elif intent.name != "delete" or not self.delete(key):
            return Compared("unchanged")
        return Compared("applied")


@mutant("CAS-4", shows="threads")
class CompareOutsideTheLock(NewerMemoryStore):
    """The comparison is made before the lock is taken, and is old when it is acted upon."""

    @made_of_others
    def compare_and_apply(
        self, key: str, comparison: str, intent: Intent, *, ttl_ms: int | None = None
    ) -> Compared:
        """Compare, then apply to whatever is there."""
        if self.observe(key).comparison == comparison:
            comparison = self.observe(key).comparison
        return super().compare_and_apply(key, comparison, intent, ttl_ms=ttl_ms)


@mutant("CAS-5", shows="processes")
class CompareInItsOwnProcess(NewerSqliteStore):
    """The digest is salted anew in each process: what one has observed no other can act upon."""

    def _observation(self, look: Run, name: str) -> Observation:
        value, comparison = super()._observation(look, name)
        return Observation(value, f"{comparison}/{os.getpid()}")


@mutant("READ-10", shows="threads")
class ManyOneByOne(NewerSqliteStore):
    """A thing that moves from key to key is seen at two places, or at none."""

    def lookup_many(self, keys: Sequence[str]) -> list[Json | Absent]:
        """Look up one key after the other."""
        return [self.lookup(key) for key in keys]


@mutant("READ-10", shows="threads")
class ManyOneByOneInMemory(NewerMemoryStore):
    """The lock is let go between two keys, and what is answered was never there together."""

    def lookup_many(self, keys: Sequence[str]) -> list[Json | Absent]:
        """Look up one key after the other."""
        return [self.lookup(key) for key in keys]


@mutant("READ-8", shows="threads")
class CountInTwoParts(NewerSqliteStore):
    """Large namespaces are counted in two parts, and a row that moves meanwhile counts twice."""

    PART: ClassVar[str] = f"SELECT count(*) FROM rows WHERE {SPACE}"

    def count(self) -> int:
        """Count the keys before and from `b` on, one after the other."""
        total = 0
        for half in ("key < 'b'", "key >= 'b'"):
            with self._transaction("count") as run:
                total += int(run(f"{self.PART} AND {half}").fetchone()[0])
        return total


class _AgeInAnotherTransaction(StrictSqliteStore):
    """A store that asks for the newest age before it waits for the right to write."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look for the age in one transaction and insert in the next."""
        with self._transaction("register") as run:
            born = int(run(f"SELECT {BORN}").fetchone()[0])
        with self._write("register", key, value, ttl_ms) as run:
            won = super()._insert(run)
            if won:
                run(f"UPDATE rows SET created_at = :born WHERE {SPACE} AND key = :key", born=born)
            return won


@mutant("READ-11", "READ-12", "EVICT-7", "CLAIM-6", shows="threads")
class AgeTakenBeforeTheLock(StrictSqliteBackend):
    """Two writers are told the same newest age, and their rows tie."""

    store: ClassVar[type[SqliteStore]] = _AgeInAnotherTransaction


@mutant("EVICT-10", "EVICT-11", shows="threads")
class RejectNewChecksOutsideTransaction(NewerSqliteStore):
    """Everybody sees one place left and everybody takes it: the last ones cost live rows."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look whether there is room in one transaction and insert in the next."""
        self._refuse_where_full(key)
        with self._write("register", key, value, ttl_ms) as run:
            return self._insert_anyhow(run)

    def _refuse_where_full(self, key: str) -> None:
        full = self._rejects and self.count() >= self._most
        if full and self.lookup(key) is ABSENT:
            raise LimitExceeded(operation="register", message="the namespace is full")

    def _insert_anyhow(self, run: Run) -> bool:
        won = run(self.INSERT).rowcount == 1
        if won:
            run(self.EVICT)
            self._hold_cap(run)
        return won


@mutant("EVICT-10", "EVICT-11", shows="threads")
class RejectNewOverfills(RejectNewChecksOutsideTransaction):
    """The same without eviction: the namespace holds more than it was opened for."""

    def _insert_anyhow(self, run: Run) -> bool:
        if not self._rejects:
            return super()._insert_anyhow(run)
        won = run(self.INSERT).rowcount == 1
        self._hold_cap(run)
        return won
