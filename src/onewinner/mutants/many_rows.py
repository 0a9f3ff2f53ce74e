"""What goes wrong where there are more rows than one page, batch or statement takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Final

from onewinner.contract import ABSENT, Entry
from onewinner.mutants.registry import changed, mutant
from onewinner.stores import input as rules
from onewinner.stores.newer_memory import NewerMemoryStore
from onewinner.stores.newer_sqlite import NewerSqliteStore
from onewinner.stores.sqlite import LIVE, SPACE, SqliteBackend, SqliteStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.contract import Absent, Json

_PAGE: Final = 100
_PAGE_BYTES: Final = 1_048_576


@mutant("READ-4")
class EntriesStopAtFiveHundred(SqliteStore):
    """A listing has a limit that nobody thought of again, and what is beyond it is never seen."""

    ENTRIES: ClassVar[str] = f"{SqliteStore.ENTRIES} LIMIT 500"


@mutant("READ-4", seen="DynamoDB: a Query ends after 1 MB, and LastEvaluatedKey says so")
class EntriesEndAtAMegabyte(SqliteStore):
    """The engine answers a megabyte at most, and whoever does not ask on takes that for all."""

    def entries(self) -> list[Entry]:
        """List what fits into a page."""
        size, listed = 0, []
        for entry in super().entries():
            size += len(json.dumps(entry.value))
            if size > _PAGE_BYTES:
                break
            listed.append(entry)
        return listed


@mutant("DEL-5")
class ClearStopsAtAHundred(SqliteStore):
    """A namespace is cleared by one batch of deletes, and what is beyond it stays claimed."""

    CLEAR: ClassVar[str] = (
        f"DELETE FROM rows WHERE {SPACE} AND key IN "
        f"(SELECT key FROM rows WHERE {SPACE} LIMIT {_PAGE})"
    )


@mutant("DEL-6")
class SweepStopsAtAHundred(SqliteBackend):
    """The sweeper takes one batch, for a short lock, and dead rows come faster than it runs."""

    SWEEP: ClassVar[str] = changed(
        SqliteBackend.SWEEP,
        "expires_at <= :now",
        "(plugin, namespace, key) IN (SELECT plugin, namespace, key FROM rows "
        f"WHERE expires_at <= :now LIMIT {_PAGE})",
    )


@mutant("READ-8")
class CountStopsAtAHundred(NewerSqliteStore):
    """The count is of the first page: a limit that is held by it is never reached."""

    SIZE: ClassVar[str] = (
        f"SELECT count(*) FROM (SELECT 1 FROM rows WHERE {SPACE} AND {LIVE} LIMIT {_PAGE})"
    )


@mutant("READ-9")
class ManyForgetsTheLastBatch(NewerMemoryStore):
    """Keys are asked for in batches, and the last one, which is not full, is not sent."""

    def lookup_many(self, keys: Sequence[str]) -> list[Json | Absent]:
        """Ask for whole batches, or for all where there is but one."""
        whole = len(keys) - len(keys) % _PAGE or len(keys)
        return super().lookup_many(keys[:whole]) + [ABSENT] * (len(keys) - whole)


@mutant("READ-5", shows="processes")
class EntriesInPages(SqliteStore):
    """A hundred rows are one snapshot and more are several: a listing shows what never was."""

    NEXT: ClassVar[str] = changed(
        SqliteStore.ENTRIES, "ORDER BY", "AND (created_at, key) > (:age, :last) ORDER BY"
    )

    def entries(self) -> list[Entry]:
        """List page after page, each in a transaction of its own."""
        listed: list[Entry] = []
        while True:
            after = (listed[-1].created_at, listed[-1].key) if listed else (-1, "")
            with self._file.transaction("entries", "READ_FAILED") as connection:
                bound = {"now": self._clock.now_ms(), "age": after[0], "last": after[1]}
                page = connection.execute(
                    f"{self.NEXT} LIMIT {_PAGE}", {**self._fixed, **bound}
                ).fetchall()
            for key, text, created_at, expires_at in page:
                value = rules.value_of(text, "entries", key)
                listed.append(Entry(key, value, created_at, expires_at))
            if len(page) < _PAGE:
                return listed


@mutant("READ-10", shows="processes")
class ManyInBatches(NewerSqliteStore):
    """Keys are looked up a hundred at a time, and what moves meanwhile is seen twice or never."""

    def lookup_many(self, keys: Sequence[str]) -> list[Json | Absent]:
        """Look up batch after batch, each in a transaction of its own."""
        found: list[Json | Absent] = []
        for start in range(0, len(keys), _PAGE):
            found += super().lookup_many(keys[start : start + _PAGE])
        return found
