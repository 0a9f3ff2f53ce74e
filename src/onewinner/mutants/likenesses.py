"""What goes wrong where two things that are alike are taken for one."""

from __future__ import annotations

import posixpath
import re
from binascii import crc32
from typing import TYPE_CHECKING, ClassVar

from onewinner.mutants.registry import changed, mutant
from onewinner.stores import input as rules
from onewinner.stores.newer_sqlite import NewerSqliteStore
from onewinner.stores.sqlite import SPACE, SqliteStore

if TYPE_CHECKING:
    from onewinner.contract import Json
    from onewinner.stores.input import Opening
    from onewinner.stores.sqlite import SqliteBackend


@mutant("EVICT-3")
class TiesIgnoreCase(SqliteStore):
    """The database sorts by its own collation, and another replica lets another row go."""

    EVICT: ClassVar[str] = changed(
        SqliteStore.EVICT, "BY created_at, key", "BY created_at, key COLLATE NOCASE"
    )


@mutant("EVICT-1", "EVICT-3")
class SparesWhatLooksAlike(SqliteStore):
    """LIKE for equality: a key with an underscore protects others, and the limit is passed."""

    EVICT: ClassVar[str] = changed(SqliteStore.EVICT, "key <> :key", "key NOT LIKE :key")


@mutant("ISO-1")
class KeysByCrc(SqliteStore):
    """A key is kept as its checksum, of 32 bits: of some ten thousand keys two are one."""

    MEMO: ClassVar[str] = (
        "CREATE TABLE IF NOT EXISTS sums (plugin, namespace, sum, key, "
        "PRIMARY KEY (plugin, namespace, sum))"
    )

    def _key(self, key: str, operation: str) -> str:
        name = super()._key(key, operation)
        row = {**self._fixed, "sum": crc32(name.encode()), "key": name}
        with self._file.transaction(operation) as connection:
            connection.execute(self.MEMO)
            connection.execute(
                "INSERT OR IGNORE INTO sums VALUES (:plugin, :namespace, :sum, :key)", row
            )
            first: str = connection.execute(
                f"SELECT key FROM sums WHERE {SPACE} AND sum = :sum", row
            ).fetchone()[0]
        return first


@mutant("ISO-1")
class WhiteSpaceIsSpace(SqliteStore):
    """Tabs and line ends become spaces on their way through a header, and two keys one."""

    def _key(self, key: str, operation: str) -> str:
        return re.sub(r"[\t\r\n]", " ", super()._key(key, operation))


@mutant("ISO-1", "ISO-2", "ISO-3")
class PluginIsAPath(SqliteStore):
    """The plugin's id is part of a path that is made normal: `x/../p` reads what `p` has."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._fixed["plugin"] = posixpath.normpath(opening.plugin)


@mutant("INPUT-5", "INPUT-4")
class CarriageReturnKept(SqliteStore):
    """Lines of another system end in two signs, and only one is trimmed: the job is done twice."""

    def _key(self, key: str, operation: str) -> str:
        name = super()._key(key, operation)
        kept = key.strip(" \t\n")
        return kept if kept.strip("\r") == name else name


@mutant("DEL-7")
class EqualIgnoresCase(NewerSqliteStore):
    """The database compares as people do, and a token that differs in case releases the row."""

    def delete_if_equal(self, key: str, expected: Json) -> bool:
        """Compare what is left of two texts without case."""
        wanted = _folded(rules.scalar(expected, "delete_if_equal"))
        return self._delete_where(
            key, "delete_if_equal", lambda value: rules.is_scalar(_folded(value), wanted)
        )


@mutant("DEL-7")
class EqualAsSpelt(NewerSqliteStore):
    """Numbers are compared as they are spelt: whoever asks with 1.0 does not release a 1."""

    def delete_if_equal(self, key: str, expected: Json) -> bool:
        """Compare by the type of the number too."""
        wanted = rules.scalar(expected, "delete_if_equal")
        return self._delete_where(
            key, "delete_if_equal", lambda value: type(value) is type(wanted) and value == wanted
        )


def _folded(value: Json) -> Json:
    return value.casefold() if isinstance(value, str) else value
