"""What goes wrong with `register`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from onewinner.contract import ABSENT
from onewinner.mutants.registry import changed, mutant
from onewinner.stores.sqlite import STAMP, SqliteStore

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from onewinner.contract import Absent, Json
    from onewinner.stores.input import Opening
    from onewinner.stores.sqlite import Run, SqliteBackend


@mutant("REG-2", "EVICT-4", "READ-4", "TTL-1")
class RegisterKeepsCreatedAt(SqliteStore):
    """A row that is refreshed every minute is still the oldest, and the first to be evicted."""

    REPLACE: ClassVar[str] = changed(SqliteStore.REPLACE, f"created_at = {STAMP}, ", "")


@mutant("REG-2", "TTL-3", "TTL-2")
class RegisterKeepsExpiry(SqliteStore):
    """A lease that was made permanent is gone when the TTL of its first write runs out."""

    REPLACE: ClassVar[str] = changed(
        SqliteStore.REPLACE, "= :expires_at", "= coalesce(:expires_at, expires_at)"
    )


@mutant("REG-1", "REG-2", "READ-1")
class RegisterKeepsOldValue(SqliteStore):
    """An upsert that is an insert: the caller believes that its value is stored."""

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Write as a claim does, and do not look whether it won."""
        self.register_if_absent(key, value, ttl_ms=ttl_ms)


@mutant("REG-2", "REG-1", "READ-4")
class RegisterReplacesValueOnly(SqliteStore):
    """The value is new and its time is old: it expires with the row that it replaced."""

    REPLACE: ClassVar[str] = changed(
        SqliteStore.REPLACE,
        f"value = :value, created_at = {STAMP}, expires_at = :expires_at",
        "value = :value",
    )


@mutant("REG-1", "READ-1")
class RegisterOnlyUpdates(SqliteStore):
    """UPDATE without a look at its count: a row that was never there is written nowhere."""

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Replace the row where there is one."""
        with self._write("register", key, value, ttl_ms) as run:
            run(self.REPLACE)


@mutant("REG-3", "READ-1", "CLAIM-1")
class AbsenceRemembered(SqliteStore):
    """A handle remembers what was not there, and misses what another handle has written since."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._absent: set[str] = set()

    def lookup(self, key: str) -> Json | Absent:
        """Do not ask twice for what was not there."""
        name = self._key(key, "lookup")
        value = ABSENT if name in self._absent else super().lookup(key)
        if value is ABSENT:
            self._absent.add(name)
        return value

    def _write(
        self, operation: str, key: str, value: Json, ttl_ms: int | None
    ) -> AbstractContextManager[Run]:
        """Forget what this handle is about to write."""
        self._absent.discard(self._key(key, operation))
        return super()._write(operation, key, value, ttl_ms)
