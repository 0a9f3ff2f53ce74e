"""What goes wrong with text and values: Unicode, null, shared objects, and sizes at a limit."""

from __future__ import annotations

import copy
import re
import unicodedata
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from onewinner.contract import BASE, InvalidInput, StoreError
from onewinner.mutants.readers import ValueChanged
from onewinner.mutants.registry import changed, mutant
from onewinner.stores.memory import MemoryStore
from onewinner.stores.sqlite import LIVE, SqliteBackend, SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.clock import Clock
    from onewinner.contract import Entry, Json, Profile
    from onewinner.stores.memory import Data, Row, Space


@mutant("ERR-1", "INPUT-4")
class ErrorNamesInnerOperation(SqliteStore):
    """Delete is made of consume, and its errors send the reader of a log to the wrong call."""

    def delete(self, key: str) -> bool:
        """Check the key as the inner operation does."""
        self._key(key, "consume")
        return super().delete(key)


@mutant("ERR-1", "INPUT-4")
class ErrorCodeOfItsOwn(SqliteStore):
    """Callers who test for INVALID_INPUT take a bad key for an outage, and try again for ever."""

    def _key(self, key: str, operation: str) -> str:
        try:
            return super()._key(key, operation)
        except InvalidInput as error:
            raise StoreError(code="BAD_KEY", operation=operation, message=str(error)) from error


class _KeyChanged(SqliteStore):
    def _key(self, key: Any, operation: str) -> str:
        changed_key = self._folded(key) if isinstance(key, str) else key
        return super()._key(changed_key, operation)

    def _folded(self, key: str) -> str:
        raise NotImplementedError


@mutant("ISO-1", "READ-4", "INPUT-4")
class CompatibilityFormsFolded(_KeyChanged):
    """Signs that mean the same are one: a ligature and its letters share a claim."""

    def _folded(self, key: str) -> str:
        return unicodedata.normalize("NFKC", key)


@mutant(
    *("ISO-1", "READ-4"),
    seen="movim/movim#1042: to MySQL all emoji were one key, so a message took one reaction",
)
class WideSignsBecomeQuestionMarks(_KeyChanged):
    """Text of three bytes a character: all emoji are one question mark, and one key."""

    def _folded(self, key: str) -> str:
        return re.sub("[\U00010000-\U0010ffff]", "?", key)


@mutant("ISO-1", "INPUT-5", "READ-4")
class ZeroWidthSignsDropped(_KeyChanged):
    """What has no width is left out: a key with a byte order mark in it is somebody else's."""

    def _folded(self, key: str) -> str:
        return key.replace("\u200b", "").replace("\ufeff", "")


@mutant("INPUT-10", "ISO-1")
class LoneSurrogatesDropped(_KeyChanged):
    """What is no Unicode is left out: a broken key becomes the key of somebody else."""

    def _folded(self, key: str) -> str:
        return key.encode("utf-8", "ignore").decode()


@mutant("INPUT-10", "READ-7")
class LoneSurrogatesInValuesReplaced(ValueChanged):
    """A file name that is no Unicode is stored, and no file of the name that comes back exists."""

    def _stored(self, value: Any) -> Any:
        if isinstance(value, str):
            return value.encode("utf-8", "replace").decode()
        return super()._stored(value)


@mutant("READ-7", "READ-1", "REG-1")
class ValuesNormalised(ValueChanged):
    """Text comes back composed: it looks the same, and its digest is another one."""

    def _stored(self, value: Any) -> Any:
        if isinstance(value, str):
            return unicodedata.normalize("NFC", value)
        return super()._stored(value)


@mutant("READ-6", seen="getsentry/sentry-python#3886: a copy that shares what is in it")
class ShallowCopyKept(MemoryStore):
    """The outer object is copied and what is in it is not: its members change without a write."""

    @contextmanager
    def _write(
        self, operation: str, key: str, value: Any, ttl_ms: int | None
    ) -> Iterator[tuple[Data, Space, Row]]:
        """Keep a copy of the outermost object."""
        with super()._write(operation, key, value, ttl_ms) as (data, space, row):
            yield data, space, replace(row, text=copy.copy(value))

    def _value(self, row: Row) -> Json:
        found: Json = copy.copy(row.text)
        return found


@mutant("READ-6", seen="groupon/node-cached#28")
class ListedRowsShared(SqliteStore):
    """A listing that has not changed is answered again, with what its last reader made of it."""

    def entries(self) -> list[Entry]:
        """Answer the objects of the last listing where the rows are the same."""
        found = super().entries()
        last: list[tuple[str, Entry]] = vars(self._file).setdefault("listed", [])
        known = dict(last)
        rows = [(repr(row), row) for row in found]
        last[:] = [(text, known.get(text, row)) for text, row in rows]
        return [row for _, row in last]


@mutant("READ-2", "CLAIM-1", "CLAIM-2", "CLAIM-3", "DUR-1")
class NullRowIsVacant(SqliteStore):
    """A claim without a payload is stored as null, and null is taken for a free place."""

    INSERT: ClassVar[str] = changed(
        SqliteStore.INSERT,
        "DO NOTHING",
        "DO UPDATE SET value = :value, created_at = :now, expires_at = :expires_at "
        "WHERE value = 'null'",
    )


@mutant("READ-2", "READ-4", "CLAIM-1", "REG-1", "READ-7")
class NullLeftOutOfListing(SqliteStore):
    """A listing leaves out what has no payload, and whoever works it off misses those jobs."""

    ENTRIES: ClassVar[str] = changed(SqliteStore.ENTRIES, LIVE, f"{LIVE} AND value <> 'null'")


class _OtherLimits(SqliteBackend):
    def __init__(self, location: str, *, clock: Clock, profile: Profile = BASE) -> None:
        super().__init__(location, clock=clock, profile=profile)
        self.profile = self._limits(profile)  # what it declares stays the promised one

    def _limits(self, profile: Profile) -> Profile:
        raise NotImplementedError


@mutant("INPUT-4")
class KeyLimitOneOver(_OtherLimits):
    """`<=` for `<`: a key of one byte too many is claimed here, and refused after a move."""

    def _limits(self, profile: Profile) -> Profile:
        return replace(profile, max_key_bytes=profile.max_key_bytes + 1)


@mutant("INPUT-4")
class KeyLimitOneShort(_OtherLimits):
    """A byte is kept for the end of the text: the longest key that was promised is refused."""

    def _limits(self, profile: Profile) -> Profile:
        return replace(profile, max_key_bytes=profile.max_key_bytes - 1)


@mutant("INPUT-1")
class NamespaceLimitOneShort(_OtherLimits):
    """The longest namespace that was promised is refused, and a service does not start."""

    def _limits(self, profile: Profile) -> Profile:
        return replace(profile, max_namespace_bytes=profile.max_namespace_bytes - 1)


@mutant("INPUT-8")
class DepthLimitOneOver(_OtherLimits):
    """A value of one level too many is stored, and a reader with the right limit refuses it."""

    def _limits(self, profile: Profile) -> Profile:
        return replace(profile, max_value_depth=profile.max_value_depth + 1)
