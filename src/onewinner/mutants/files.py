"""What goes wrong with files, processes and what outlives them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from onewinner.contract import BASE, Profile, StoreError
from onewinner.mutants.registry import mutant
from onewinner.stores import sqlite_file
from onewinner.stores.memory import MemoryBackend
from onewinner.stores.sqlite import SqliteBackend
from onewinner.stores.sqlite_file import SqliteFile

if TYPE_CHECKING:
    import sqlite3

    from onewinner.clock import Clock


@mutant(
    *("DUR-2", "ERR-3"),
    shows="processes",
    seen="openclaw 2026.4.29 to 2026.5.28: 114 of 150 first calls fail; russellromney/honker#102, "
    "artalis-io/hull#530, crawshaw/sqlite#113, OpenCoven/coven#200",
)
class FirstOpenRace(SqliteFile):
    """The busy timeout comes after the switch to WAL: services that start together do not start."""

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA busy_timeout = 0")
        sqlite_file.migrate(connection)
        connection.execute("PRAGMA busy_timeout = 5000")


@mutant(
    *("ERR-3", "ERR-2", "DUR-2", "CLAIM-6"),
    shows="threads",
    seen="openclaw#113139, #118022, #100623: locks without a busy timeout become exceptions",
)
class NoBusyTimeout(SqliteFile):
    """Whoever finds the database locked gets an exception instead of an answer."""

    busy_timeout_s: ClassVar[float] = 0.0


@mutant("DUR-1", "REG-3", "CLAIM-9", "CLAIM-10")
class NotDurable(SqliteBackend):
    """The store tidies up behind itself: after a restart every event is new again."""

    def close(self) -> None:
        """Remove what is there, then close."""
        with suppress(StoreError), self.file.transaction("close") as connection:
            connection.execute("DELETE FROM rows")
        super().close()


@mutant("DUR-1", "TTL-1", "TTL-4", "READ-4", "TTL-6")
class TimesStartAnewAtOpen(SqliteBackend):
    """Every restart makes all rows new: leases that should be over are held once more."""

    SHIFT: ClassVar[str] = (
        "UPDATE rows SET expires_at = :now + expires_at - created_at, created_at = :now"
    )

    def __init__(self, location: str, *, clock: Clock, profile: Profile = BASE) -> None:
        super().__init__(location, clock=clock, profile=profile)
        with self.file.transaction("open") as connection:
            connection.execute(self.SHIFT, {"now": clock.now_ms()})


@mutant(
    *("CLAIM-6", "CLAIM-8", "CLAIM-10", "REG-3", "DEL-4", "DUR-2"),
    shows="processes",
    seen="Django's default cache LocMemCache: 4 of 4 processes win every key",
)
class HeapPerProcess(MemoryBackend):
    """Every worker has a store of its own: all claims are exclusive, and all workers win."""

    def __init__(self, location: str, *, clock: Clock, profile: Profile = BASE) -> None:
        super().__init__(location, clock=clock, profile=profile)
        self.capabilities = replace(self.capabilities, scope="process")
