"""What goes wrong when a store is opened: who makes it, and what is made of what was there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from onewinner.contract import BASE, Profile
from onewinner.mutants.file_rows import FileRows, FileRowsBackend
from onewinner.mutants.registry import mutant
from onewinner.stores.sqlite import SqliteBackend
from onewinner.stores.sqlite_file import SqliteFile

if TYPE_CHECKING:
    import sqlite3

    from onewinner.clock import Clock


@mutant(
    *("DUR-2", "ERR-3"),
    shows="processes",
    seen="sqlalchemy/sqlalchemy#4936, dagster-io/dagster#10809, rtk-ai/icm#401",
)
class SchemaMadeTwice(SqliteFile):
    """Two find no table and make it, and the one that comes second does not start."""

    def _prepare(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        if found == [(0,)]:
            connection.execute("CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT)")
        super()._prepare(connection)


@mutant(
    *("DUR-2", "ERR-3", "ERR-2"),
    shows="processes",
    seen="boto/botocore#2721, tsroten/fcache#41, httplib2/httplib2#224",
)
class DirectoryMadeTwice(FileRowsBackend):
    """Two find no directory and make it, and one of them is told that it is there already."""

    def open(
        self, plugin_id: str, namespace: str, *, default_ttl_ms: int | None = None, **_: Any
    ) -> FileRows:
        """Look for the directory of the namespace, and make it."""
        home = self.location / quote(plugin_id, safe="") / quote(namespace, safe="")
        if not home.exists():
            home.mkdir(parents=True)
        return self.store(home, self.clock, default_ttl_ms)


@mutant("DUR-1", "TTL-1", "TTL-4", "TTL-5", "READ-4", "REG-3")
class ExpiriesLostAtOpen(SqliteBackend):
    """Expiry is a timer in memory: after a restart nobody knows that a claim has an end."""

    FORGET: ClassVar[str] = "UPDATE rows SET expires_at = NULL"

    def __init__(self, location: str, *, clock: Clock, profile: Profile = BASE) -> None:
        super().__init__(location, clock=clock, profile=profile)
        with self.file.transaction("open") as connection:
            connection.execute(self.FORGET)
