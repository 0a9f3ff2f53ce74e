"""What goes wrong with `register`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from onewinner.mutants.registry import changed, mutant
from onewinner.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from onewinner.contract import Json


@mutant("REG-2", "EVICT-4", "READ-4", "TTL-1")
class RegisterKeepsCreatedAt(SqliteStore):
    """A row that is refreshed every minute is still the oldest, and the first to be evicted."""

    REPLACE: ClassVar[str] = changed(SqliteStore.REPLACE, "created_at = :now, ", "")


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
        "value = :value, created_at = :now, expires_at = :expires_at",
        "value = :value",
    )
