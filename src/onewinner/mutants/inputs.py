"""What goes wrong with input that should be refused, and with input that should not."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from onewinner.contract import ABSENT, BASE, InvalidInput, LimitExceeded
from onewinner.mutants.file_rows import FileRows, FileRowsBackend
from onewinner.mutants.registry import mutant
from onewinner.stores import input as rules
from onewinner.stores.sqlite import SqliteBackend, SqliteStore

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from onewinner.clock import Clock
    from onewinner.contract import Absent, Json, Profile, Store
    from onewinner.stores.input import Opening
    from onewinner.stores.sqlite import Run


@mutant("INPUT-7", "CLAIM-1")
class SharedPartIsACycle(SqliteStore):
    """A walk for cycles that forgets nothing: two jobs with one list of tags cannot be claimed."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Refuse a value of which any part comes twice."""
        if isinstance(value, list):
            parts = [id(part) for part in value if isinstance(part, list | dict)]
            if len(set(parts)) < len(parts):
                raise InvalidInput(operation="register", message="value holds itself")
        return super().register_if_absent(key, value, ttl_ms=ttl_ms)


@mutant("INPUT-5", "INPUT-4", "READ-1", "CLAIM-1")
class KeyNotTrimmedInLookup(SqliteStore):
    """A key that came with a line feed is claimed and never found again."""

    def lookup(self, key: str) -> Json | Absent:
        """Look for the key as it was given."""
        self._key(key, "lookup")
        row = {**self._fixed, "key": key, "now": self._clock.now_ms()}
        with self._file.statement("lookup") as connection:
            found = connection.execute(self.LOOKUP, row).fetchall()
        return rules.value_of(found[0][0], "lookup", key) if found else ABSENT


@mutant("INPUT-4")
class KeyLengthInCharacters(SqliteStore):
    """The limit counts characters: a key of 512 emoji passes here and fails in the next store."""

    def _key(self, key: str, operation: str) -> str:
        wide = replace(self._profile, max_key_bytes=4 * self._profile.max_key_bytes)
        kept = rules.key_text(key, operation, wide)
        if len(kept) > self._profile.max_key_bytes:
            raise InvalidInput(operation=operation, message="key is too long")
        return kept


@mutant("INPUT-4", "ISO-1", "READ-4")
class LongKeysTruncated(SqliteStore):
    """Keys that agree in their first 512 bytes are one: long URLs collide."""

    def _key(self, key: str, operation: str) -> str:
        kept = rules.key_text(key, operation, replace(self._profile, max_key_bytes=2**30))
        return kept.encode()[: self._profile.max_key_bytes].decode(errors="ignore")


@mutant("INPUT-6")
class TtlZeroMeansForever(SqliteStore):
    """A TTL that was computed as zero makes a row that never goes."""

    def _write(
        self, operation: str, key: str, value: Json, ttl_ms: int | None
    ) -> AbstractContextManager[Run]:
        """Take zero for no TTL."""
        return super()._write(operation, key, value, ttl_ms or None)


@mutant("INPUT-7", seen="JSON.stringify(NaN) is null")
class NanBecomesNull(SqliteStore):
    """A number that is none is stored as null, and nobody is told."""

    def _write(
        self, operation: str, key: str, value: Any, ttl_ms: int | None
    ) -> AbstractContextManager[Run]:
        """Write null for what JSON cannot say."""
        if isinstance(value, float) and not math.isfinite(value):
            value = None
        return super()._write(operation, key, value, ttl_ms)


@mutant("INPUT-9", seen="openclaw#104503: the limit on values was met in production")
class ValueLimitInCharacters(SqliteStore):
    """The limit counts characters: a value that is too large is stored and refused by a backup."""

    def _write(
        self, operation: str, key: str, value: Json, ttl_ms: int | None
    ) -> AbstractContextManager[Run]:
        """Count characters of the JSON text."""
        limit = self._profile.max_value_bytes
        name = self._key(key, operation)
        text = rules.value_text(value, operation, replace(self._profile, max_value_bytes=4 * limit))
        if len(text) > limit:
            rules.value_text("x" * limit, operation, self._profile)
        life = rules.ttl(ttl_ms, operation) or self._default_ttl_ms
        return self._transaction(operation, key=name, value=text, ttl_ms=life)


@mutant("INPUT-9")
class ValueLimitOffByOne(SqliteStore):
    """`<` for `<=`: the largest value that was promised is refused."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._profile = replace(self._profile, max_value_bytes=self._profile.max_value_bytes - 1)


@mutant("INPUT-8", "ERR-1")
class DepthUnchecked(SqliteStore):
    """A value that nests a thousand levels is stored, and the next reader overflows its stack."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._profile = replace(self._profile, max_value_depth=300)


@mutant("INPUT-1")
class NamespaceLengthUnchecked(SqliteBackend):
    """A namespace of any length is accepted, and is too long for the next store."""

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open with every rule but the one on length."""
        self.profile, kept = replace(self.profile, max_namespace_bytes=2**20), self.profile
        try:
            return super().open(
                plugin_id, namespace, max_entries=max_entries, default_ttl_ms=default_ttl_ms
            )
        finally:
            self.profile = kept


@mutant("INPUT-2", "ISO-1")
class ReservedPluginsOpen(SqliteBackend):
    """Any plugin can read and write what belongs to the core."""

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Take the reserved prefix off and go on."""
        if isinstance(plugin_id, str):
            plugin_id = plugin_id.removeprefix("core:")
        return super().open(
            plugin_id, namespace, max_entries=max_entries, default_ttl_ms=default_ttl_ms
        )


@mutant("INPUT-3")
class OptionsNotCompared(SqliteBackend):
    """Two parts of one program open a namespace with other limits, and each evicts by its own."""

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Check this opening by itself."""
        wanted = rules.opening(plugin_id, namespace, max_entries, default_ttl_ms, self.profile)
        return self.store(self, wanted)


@mutant("INPUT-3")
class OptionsPerConnection(SqliteBackend):
    """Two parts of one program with a connection each evict by limits of their own."""

    def __init__(self, location: str, *, clock: Clock, profile: Profile = BASE) -> None:
        super().__init__(location, clock=clock, profile=profile)
        self._openings = {}


@mutant("INPUT-4")
class KeyLengthBeforeTrimming(SqliteStore):
    """A key that just fits is refused where its line end is still on it."""

    def _key(self, key: str, operation: str) -> str:
        kept = super()._key(key, operation)
        if len(key.encode()) > self._profile.max_key_bytes:
            raise InvalidInput(operation=operation, message="key is too long")
        return kept


@mutant("INPUT-5", "INPUT-4", "DEL-1")
class KeyNotTrimmedInDelete(SqliteStore):
    """A key that came with a line feed is claimed and cannot be removed in the same way."""

    def delete(self, key: str) -> bool:
        """Remove the key as it was given."""
        self._key(key, "delete")
        with self._transaction("delete", key=key) as run:
            return run(self.DELETE).rowcount > 0


@mutant("INPUT-5", "INPUT-4")
class KeyTrimmedAtItsEndOnly(SqliteStore):
    """A key with a space before it is another key, and two jobs run for one name."""

    def _key(self, key: str, operation: str) -> str:
        kept = super()._key(key, operation)
        return key[: len(key) - len(key.lstrip(" \t\r\n"))] + kept


@mutant("INPUT-6")
class TtlTruncatedToInteger(SqliteStore):
    """A TTL that was given in seconds, as 1.5, is taken for one millisecond."""

    def _write(
        self, operation: str, key: str, value: Json, ttl_ms: Any
    ) -> AbstractContextManager[Run]:
        """Cut off what follows the point."""
        return super()._write(
            operation, key, value, int(ttl_ms) if isinstance(ttl_ms, float) else ttl_ms
        )


@mutant("INPUT-7")
class ObjectsBecomeText(SqliteStore):
    """What JSON does not know is stored as its text, and comes back as something else."""

    def _write(
        self, operation: str, key: str, value: Any, ttl_ms: int | None
    ) -> AbstractContextManager[Run]:
        """Write the text of what is no JSON."""
        if not isinstance(value, None | bool | int | float | str | list | tuple | dict):
            value = str(value)
        return super()._write(operation, key, value, ttl_ms)


@mutant("INPUT-8")
class DepthLimitTooLow(SqliteStore):
    """A value that nests as deeply as was promised is refused."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._profile = replace(self._profile, max_value_depth=self._profile.max_value_depth // 2)


@mutant("INPUT-9")
class ValueLimitOneOver(SqliteStore):
    """`<=` for `<`: a value of one byte too many is stored, and a copy of the store refuses it."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._profile = replace(self._profile, max_value_bytes=self._profile.max_value_bytes + 1)


@mutant("INPUT-11")
class RefusedValueRemovesRow(SqliteStore):
    """The old row is removed before the new value is checked: a refused update loses it."""

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Remove, check and insert."""
        try:
            super().register(key, value, ttl_ms=ttl_ms)
        except (InvalidInput, LimitExceeded):
            self.delete(key)
            raise


class _Unchecked(SqliteBackend):
    """Opens what the subclass makes of the options."""

    def adapted(self, plugin_id: Any, namespace: Any, max_entries: Any) -> tuple[Any, Any, Any]:
        """Answer the options to open with."""
        return plugin_id, namespace, max_entries

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Adapt the options, and open."""
        plugin, name, entries = self.adapted(plugin_id, namespace, max_entries)
        return super().open(plugin, name, max_entries=entries, default_ttl_ms=default_ttl_ms)


@mutant("INPUT-1", "ISO-1")
class NamespaceCutAtBadCharacter(_Unchecked):
    """`match` for `fullmatch`: what follows the first bad character is cut, and names meet."""

    def adapted(self, plugin_id: Any, namespace: Any, max_entries: Any) -> tuple[Any, Any, Any]:
        """Keep the beginning that matches."""
        found = re.match("[A-Za-z0-9][A-Za-z0-9._-]*", namespace) if namespace else None
        return plugin_id, found.group() if found else namespace, max_entries


@mutant("INPUT-2", "ISO-1")
class ReservedPluginsRenamed(_Unchecked):
    """A reserved name is made another one, and the plugin never learns that it may not have it."""

    def adapted(self, plugin_id: Any, namespace: Any, max_entries: Any) -> tuple[Any, Any, Any]:
        """Take another separator."""
        if isinstance(plugin_id, str) and plugin_id.startswith("core:"):
            plugin_id = plugin_id.replace(":", "-", 1)
        return plugin_id, namespace, max_entries


@mutant("INPUT-3")
class MaxEntriesZeroIsOne(_Unchecked):
    """A limit that was computed as zero is taken for one, and every claim evicts the one before."""

    def adapted(self, plugin_id: Any, namespace: Any, max_entries: Any) -> tuple[Any, Any, Any]:
        """Raise the limit to the least that is allowed."""
        return plugin_id, namespace, max_entries if max_entries != 0 else 1


@mutant("INPUT-7")
class BytesBecomeText(SqliteStore):
    """Bytes are decoded on their way in, and come back as text that nobody can tell from text."""

    def _write(
        self, operation: str, key: str, value: Any, ttl_ms: int | None
    ) -> AbstractContextManager[Run]:
        """Decode what is no JSON."""
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        return super()._write(operation, key, value, ttl_ms)


class _RowsWithoutSpaces(FileRows):
    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        if " " in key:
            raise InvalidInput(operation="register", message="a key has no spaces")
        return super().register_if_absent(key, value, ttl_ms=ttl_ms)


@mutant("CLAIM-1", "ISO-1", seen="Django's cache in memcached refuses keys with spaces")
class KeysWithSpacesRefused(FileRowsBackend):
    """The wire format has no room for a space: a job that is named by a person is never claimed."""

    store = _RowsWithoutSpaces
