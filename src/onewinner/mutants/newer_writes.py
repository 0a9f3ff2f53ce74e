"""What goes wrong where the newer writers do not do what `register` does."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from onewinner.contract import ABSENT, LimitExceeded
from onewinner.mutants.registry import mutant
from onewinner.stores import input as rules
from onewinner.stores.newer_sqlite import (
    NewerSqliteBackend,
    NewerSqliteStore,
    StrictSqliteBackend,
    StrictSqliteStore,
)
from onewinner.stores.sqlite import LIVE, ROW, SPACE, STAMP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from onewinner.contract import Absent, Compared, Intent, Json
    from onewinner.stores.sqlite import Run, SqliteStore


class _Changes(NewerSqliteStore):
    """A store whose `update` is told otherwise what the change makes."""

    def _made(self, changed: Json | Absent) -> Json | Absent:
        return changed

    def update(
        self,
        key: str,
        change: Callable[[Json | Absent], Json | Absent],
        *,
        ttl_ms: int | None = None,
    ) -> bool:
        """Update by what is left of the change."""
        return super().update(key, lambda value: self._made(change(value)), ttl_ms=ttl_ms)


@mutant("UPD-1")
class UpdateToNoughtIsLeft(_Changes):
    """Whatever is falsy is taken for "leave it": a counter never comes down to nought."""

    def _made(self, changed: Json | Absent) -> Json | Absent:
        return changed or ABSENT


@mutant("UPD-1")
class UpdateToNullIsLeft(_Changes):
    """A function that answers null is taken for one that answers nothing: no value is cleared."""

    def _made(self, changed: Json | Absent) -> Json | Absent:
        return ABSENT if changed is None else changed


class _Forgets(NewerSqliteStore):
    """A store that can forget for a call what its default TTL is; for threads with own handles."""

    @contextmanager
    def _without_default(self) -> Iterator[None]:
        default, self._default_ttl_ms = self._default_ttl_ms, None
        try:
            yield
        finally:
            self._default_ttl_ms = default


@mutant("TTL-2")
class UpdatesIgnoreDefaultTtl(_Forgets):
    """Only older writers know the default: a counter of one hour is never started anew."""

    def update(
        self,
        key: str,
        change: Callable[[Json | Absent], Json | Absent],
        *,
        ttl_ms: int | None = None,
    ) -> bool:
        """Update without the default, which only `register` knows."""
        with self._without_default():
            return super().update(key, change, ttl_ms=ttl_ms)


@mutant("TTL-2")
class ComparisonsIgnoreDefaultTtl(_Forgets):
    """What a comparison sets never ends, in a namespace whose rows all should."""

    def compare_and_apply(
        self, key: str, comparison: str, intent: Intent, *, ttl_ms: int | None = None
    ) -> Compared:
        """Compare without the default."""
        with self._without_default():
            return super().compare_and_apply(key, comparison, intent, ttl_ms=ttl_ms)


@mutant("EVICT-1")
class UpdatesNeverEvict(NewerSqliteStore):
    """The insert of an update was written anew, without the limit: counters grow without end."""

    def _put(self, run: Run, text: str) -> None:
        if run(self.REPLACE, value=text).rowcount == 0:
            run(self.INSERT, value=text)
            if self._rejects and run(self.EVICT).rowcount > 0:
                raise LimitExceeded(operation="update", message="the namespace is full")


@mutant("CAP-1")
class UpdatesIgnoreCap(NewerSqliteStore):
    """The insert of an update does not count: the cap of the plugin holds for claims alone."""

    def _put(self, run: Run, text: str) -> None:
        if run(self.REPLACE, value=text).rowcount == 0:
            run(self.INSERT, value=text)
            if run(self.EVICT).rowcount > 0 and self._rejects:
                raise LimitExceeded(operation="update", message="the namespace is full")


@mutant("INPUT-9", "INPUT-8")
class MadeValuesUnchecked(NewerSqliteStore):
    """Whatever a function makes is stored: a list that is appended to passes every limit."""

    def update(
        self,
        key: str,
        change: Callable[[Json | Absent], Json | Absent],
        *,
        ttl_ms: int | None = None,
    ) -> bool:
        """Update, and look at the key and the TTL alone."""
        name = self._key(key, "update")
        life = rules.ttl(ttl_ms, "update") or self._default_ttl_ms
        with self._transaction("update", key=name, ttl_ms=life) as run:
            changed = change(self._held(run, "update", name))
            if changed is not ABSENT:
                self._put(run, json.dumps(changed))
            return changed is not ABSENT


@mutant("INPUT-6")
class ComparisonTtlUnchecked(NewerSqliteStore):
    """A TTL that was computed as nought is none: what is set then never ends."""

    def compare_and_apply(
        self, key: str, comparison: str, intent: Intent, *, ttl_ms: int | None = None
    ) -> Compared:
        """Compare with a TTL that is one, or without."""
        life = ttl_ms if type(ttl_ms) is int and ttl_ms > 0 else None
        return super().compare_and_apply(key, comparison, intent, ttl_ms=life)


@mutant("INPUT-5", "INPUT-4")
class ManyKeysNotTrimmed(NewerSqliteStore):
    """A key that came with a line feed is claimed, and is not found among many."""

    def lookup_many(self, keys: Sequence[str]) -> list[Json | Absent]:
        """Check the keys, and look up what was given."""
        names = [self._key(key, "lookup_many") for key in keys]
        found = super().lookup_many(keys)
        return [
            value if key == name else ABSENT
            for key, name, value in zip(keys, names, found, strict=True)
        ]


class _Touches(NewerSqliteStore):
    def _touch(self, key: str) -> None:
        with self._transaction("touch", key=self._key(key, "touch")) as run:
            run(f"UPDATE rows SET created_at = {STAMP} WHERE {ROW}")


@mutant("CAS-2")
class KeepRenews(_Touches):
    """To keep a row is to write it again: whoever only makes sure keeps it from being evicted."""

    def compare_and_apply(
        self, key: str, comparison: str, intent: Intent, *, ttl_ms: int | None = None
    ) -> Compared:
        """Compare, and touch what was kept."""
        answer = super().compare_and_apply(key, comparison, intent, ttl_ms=ttl_ms)
        if intent.name == "keep":
            self._touch(key)
        return answer


@mutant("DEL-8")
class ConditionThatFailsRenews(_Touches):
    """A row that is not to go is put back, and is as young as if it had been claimed just now."""

    def delete_if(self, key: str, condition: Callable[[Json], bool]) -> bool:
        """Delete, or touch."""
        gone = super().delete_if(key, condition)
        if not gone:
            self._touch(key)
        return gone


class _LivesByItsAge(StrictSqliteStore):
    AHEAD: ClassVar[str] = (
        "UPDATE rows SET expires_at = expires_at + created_at - :now "
        f"WHERE {ROW} AND created_at > :now"
    )

    def _insert(self, run: Run) -> bool:
        inserted = super()._insert(run)
        if inserted:
            run(self.AHEAD)
        return inserted


@mutant("READ-11")
class LivesByItsAge(StrictSqliteBackend):
    """The TTL is counted from an age that runs ahead: in a burst each lease ends after the last."""

    store: ClassVar[type[SqliteStore]] = _LivesByItsAge


class _UpdatesTie(StrictSqliteStore):
    def _put(self, run: Run, text: str) -> None:
        if run(NewerSqliteStore.REPLACE, value=text).rowcount == 0:
            super()._put(run, text)


@mutant("READ-11", "READ-12")
class UpdatesTie(StrictSqliteBackend):
    """Only `register` gives a row an age of its own: one that is updated ties with others."""

    store: ClassVar[type[SqliteStore]] = _UpdatesTie


class _CountsItsOwn(NewerSqliteStore):
    TAKEN: ClassVar[str] = f"SELECT count(*) FROM rows WHERE {SPACE} AND ({LIVE} OR key = :key)"

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look for room first, where no key may be driven out."""
        row = {**self._fixed, "key": self._key(key, "register"), "now": self._clock.now_ms()}
        with self._file.transaction("register") as connection:
            held = connection.execute(f"SELECT {LIVE} FROM rows WHERE {ROW}", row).fetchone()
            taken = connection.execute(self.TAKEN, row).fetchone()[0]
        if self._rejects and held == (0,) and taken >= self._most:
            raise LimitExceeded(operation="register", message="the namespace is full")
        return super().register_if_absent(key, value, ttl_ms=ttl_ms)


@mutant("EVICT-9")
class RejectNewCountsItsOwnExpiredRow(NewerSqliteBackend):
    """In a full namespace a lease that ran out keeps its own key from being claimed again."""

    store: ClassVar[type[SqliteStore]] = _CountsItsOwn
