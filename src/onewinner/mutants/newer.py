"""What goes wrong in the newer operations for one caller alone."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, ClassVar

from onewinner.contract import ABSENT, Compared, LimitExceeded, Observation
from onewinner.mutants.registry import changed, mutant
from onewinner.stores import input as rules
from onewinner.stores.newer_memory import NewerMemoryStore
from onewinner.stores.newer_sqlite import (
    NewerSqliteBackend,
    NewerSqliteStore,
    StrictSqliteBackend,
    StrictSqliteStore,
)
from onewinner.stores.sqlite import LIVE, SPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onewinner.contract import Absent, Intent, Json, Store
    from onewinner.stores.memory import Row
    from onewinner.stores.sqlite import Run, SqliteStore


@mutant("READ-8")
class CountCountsExpired(NewerSqliteStore):
    """Rows that are over still count until somebody writes, so a limit seems to be reached."""

    SIZE: ClassVar[str] = changed(NewerSqliteStore.SIZE, f" AND {LIVE}", "")


@mutant("READ-8")
class CountOfThePlugin(NewerSqliteStore):
    """The count is of all namespaces of the plugin: nobody notices while there is one."""

    SIZE: ClassVar[str] = changed(NewerSqliteStore.SIZE, "namespace = :namespace AND ", "")


@mutant("READ-9")
class ManyInTheOrderOfTheStore(NewerMemoryStore):
    """The answers come as the rows lie, and not as the keys were given: each key gets another's."""

    def lookup_many(self, keys: Sequence[str]) -> list[Json | Absent]:
        """Look up in the order of the keys themselves."""
        return super().lookup_many(sorted(keys))


@mutant("READ-9")
class ManyLeavesOutAbsent(NewerMemoryStore):
    """A key without a row has no place in the answer, and all that follow move up by one."""

    def lookup_many(self, keys: Sequence[str]) -> list[Json | Absent]:
        """Answer only what was found."""
        return [value for value in super().lookup_many(keys) if value is not ABSENT]


@mutant("READ-11", "READ-12")
class AgesTie(StrictSqliteBackend):
    """Two rows of one millisecond are of one age, and their order is that of their keys."""

    store: ClassVar[type[SqliteStore]] = NewerSqliteStore


class _ByTheClock(StrictSqliteStore):
    """A store that counts up from the rows of its own time, and not from those yet to come."""

    INSERT: ClassVar[str] = changed(
        StrictSqliteStore.INSERT,
        f"FROM rows WHERE {SPACE}",
        f"FROM rows WHERE {SPACE} AND created_at <= :now + 1000",
    )


@mutant("READ-11", "READ-12")
class AgesFollowTheClockBack(StrictSqliteBackend):
    """After the clock was set back, new rows are older than all that were there before."""

    store: ClassVar[type[SqliteStore]] = _ByTheClock


@mutant("READ-11", "READ-12")
class UpsertKeepsItsMillisecond(StrictSqliteBackend):
    """Only new rows are given an age of their own; one that is renewed ties with others."""

    class _Store(StrictSqliteStore):
        REPLACE: ClassVar[str] = NewerSqliteStore.REPLACE

    store: ClassVar[type[SqliteStore]] = _Store


@mutant("DEL-7")
class EqualByText(NewerMemoryStore):
    """The scalar is compared as text: the number 1 lets go what the text "1" holds."""

    def delete_if_equal(self, key: str, expected: Json) -> bool:
        """Compare what the two are written as."""
        return self._delete_where(key, "delete_if_equal", lambda v: str(v) == str(expected))


@mutant("DEL-7")
class EqualByTruth(NewerMemoryStore):
    """In Python `True == 1`, so a flag releases a row that holds a number."""

    def delete_if_equal(self, key: str, expected: Json) -> bool:
        """Compare as Python does."""
        return self._delete_where(key, "delete_if_equal", lambda v: v == expected)


@mutant("DEL-8")
class ConditionDecidesTheAnswerOnly(NewerMemoryStore):
    """The row goes whatever the condition says; only the answer tells whether it held."""

    def delete_if(self, key: str, condition: Callable[[Json], bool]) -> bool:
        """Remove, then ask."""
        value = self.consume(key)
        return value is not ABSENT and condition(value)


@mutant("DEL-8")
class ConditionOfAnExpiredRow(NewerMemoryStore):
    """The condition is asked of a row that is over, and its owner is told that he released it."""

    def delete_if(self, key: str, condition: Callable[[Json], bool]) -> bool:
        """Ask of whatever is stored."""
        name = self._key(key, "delete_if")
        with self._step("delete_if") as (_, space, _):
            row = space.rows.get(name)
            if row is None or not condition(self._value(row)):
                return False
            del space.rows[name]
            return True


@mutant("UPD-1")
class UpdateKeepsTheExpiry(NewerSqliteStore):
    """The value is new and the row's end is the old one: a counter that is in use runs out."""

    def _put(self, run: Run, text: str) -> None:
        kept = changed(self.REPLACE, ", expires_at = :expires_at", "")
        if run(kept, value=text).rowcount == 0:
            super()._put(run, text)


@mutant("UPD-1")
class UpdateOfNoRowIsNull(NewerMemoryStore):
    """The function is given null where there is no row, and cannot tell the two apart."""

    def update(
        self,
        key: str,
        change: Callable[[Json | Absent], Json | Absent],
        *,
        ttl_ms: int | None = None,
    ) -> bool:
        """Hand over null for "none"."""
        return super().update(key, lambda v: change(None if v is ABSENT else v), ttl_ms=ttl_ms)


@mutant("UPD-1")
class UpdateStoresWhatWasLeft(NewerMemoryStore):
    """A function that leaves the value has it written again: with a new age, and no expiry."""

    def update(
        self,
        key: str,
        change: Callable[[Json | Absent], Json | Absent],
        *,
        ttl_ms: int | None = None,
    ) -> bool:
        """Write the old value where there is no new one."""
        left = False

        def written(current: Json | Absent) -> Json | Absent:
            nonlocal left
            made = change(current)
            left = made is ABSENT
            return current if left else made

        return super().update(key, written, ttl_ms=ttl_ms) and not left


@mutant("CAS-1")
class ObservationRenews(NewerMemoryStore):
    """Whoever looks makes the row young again, so that it outlives others in a full namespace."""

    def observe(self, key: str) -> Observation:
        """Write the row again with the age of now."""
        name = self._key(key, "observe")
        with self._step("observe") as (_, space, now):
            row = self._held(space, name, now)
            if row is not None:
                space.rows[name] = dataclasses.replace(row, created_at=now)
        return super().observe(key)


class _ByImage(NewerMemoryStore):
    """A comparison is what `_image` makes of a row."""

    def _observation(self, name: str, row: Row | None) -> Observation:
        place = [self._opening.plugin, self._opening.namespace, name]
        image = None if row is None else self._image(row)
        return Observation(self._sought(row), json.dumps([*place, image]))

    def _image(self, row: Row) -> list[Any]:
        return [row.text, row.created_at, row.expires_at]


@mutant("CAS-3")
class CompareIgnoresVersion(_ByImage):
    """Equal values are taken for the same row: one that came back is overwritten unseen."""

    def _image(self, row: Row) -> list[Any]:
        return [row.text]


@mutant("CAS-3")
class CompareIgnoresExpiry(_ByImage):
    """A row whose time was extended is taken for the one that was to be over."""

    def _image(self, row: Row) -> list[Any]:
        return [row.text, row.created_at]


@mutant("CAS-3", "CAS-4")
class CompareTakesNullForAbsent(_ByImage):
    """A row that holds null looks like none, so whoever saw none overwrites it."""

    def _image(self, row: Row) -> list[Any]:
        return [row.text, row.created_at, row.expires_at] if row.text != "null" else None  # type: ignore[return-value] # the defect


@mutant("CAS-2")
class CompareNeverDeletes(NewerSqliteStore):
    """A deletion is taken for "keep": the answer says unchanged, and the row stays."""

    def compare_and_apply(
        self, key: str, comparison: str, intent: Intent, *, ttl_ms: int | None = None
    ) -> Compared:
        """Keep what is to go."""
        kept = intent._replace(name="keep") if intent.name == "delete" else intent
        return super().compare_and_apply(key, comparison, kept, ttl_ms=ttl_ms)


@mutant("CAS-2")
class CompareOnItsOwnHandle(NewerMemoryStore):
    """Comparisons are known to the handle that answered them, so the next worker never gets on."""

    def _observation(self, name: str, row: Row | None) -> Observation:
        value, comparison = super()._observation(name, row)
        return Observation(value, f"{comparison}/{id(self)}")


@mutant("CAS-6", "CAS-3")
class CompareIgnoresThePlace(_ByImage):
    """Rows of one value and one age have one comparison, whatever their keys: any of them fits."""

    def _observation(self, _name: str, row: Row | None) -> Observation:
        image = None if row is None else self._image(row)
        return Observation(self._sought(row), json.dumps(image))


@mutant("EVICT-9", "EVICT-10", "EVICT-11")
class RejectNewEvicts(NewerSqliteStore):
    """The option is read and not obeyed: a claim that was to be safe is evicted."""

    def _insert(self, run: Run) -> bool:
        self._rejects = False
        return super()._insert(run)


@mutant("EVICT-9", "EVICT-10", "EVICT-11")
class RejectNewRefusesRenewals(NewerSqliteStore):
    """A full namespace refuses every write, so that a live row cannot be renewed any more."""

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Look whether there is room, and not whether it is needed."""
        if self._rejects and self.count() >= self._most:
            raise LimitExceeded(operation="register", message="the namespace is full")
        super().register(key, value, ttl_ms=ttl_ms)


@mutant("INPUT-12")
class UnknownPolicyEvicts(NewerSqliteBackend):
    """A policy that is misspelt is taken for the default, and claims are evicted after all."""

    def open(
        self,
        plugin_id: str,
        namespace: str,
        *,
        max_entries: int,
        default_ttl_ms: int | None = None,
        overflow_policy: str | None = None,
    ) -> Store:
        """Open with the policy where it is known."""
        known = overflow_policy if overflow_policy == "reject-new" else None
        return super().open(
            plugin_id,
            namespace,
            max_entries=max_entries,
            default_ttl_ms=default_ttl_ms,
            overflow_policy=known,
        )


@mutant("INPUT-12")
class FirstPolicyStays(NewerSqliteBackend):
    """Whoever opens the namespace with another policy is not told that it is not obeyed."""

    def open(
        self,
        plugin_id: str,
        namespace: str,
        *,
        max_entries: int,
        default_ttl_ms: int | None = None,
        overflow_policy: str | None = None,
    ) -> Store:
        """Open with the policy of the first one, if there was one."""
        options = (max_entries, default_ttl_ms, self.profile, overflow_policy)
        wanted = rules.opening(plugin_id, namespace, *options)
        known = self._openings.get((wanted.plugin, wanted.namespace), wanted)
        return self._opened(dataclasses.replace(wanted, overflow_policy=known.overflow_policy))
