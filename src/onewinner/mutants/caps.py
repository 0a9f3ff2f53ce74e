"""What goes wrong at the cap of a plugin."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Final

from onewinner.contract import NEWER, LimitExceeded
from onewinner.mutants.registry import changed, mutant
from onewinner.stores.sqlite import LIVE, ROW, SPACE, SqliteBackend, SqliteStore

if TYPE_CHECKING:
    from onewinner.clock import Clock
    from onewinner.contract import Json, Profile
    from onewinner.stores.sqlite import Run

EVICTING: Final = dataclasses.replace(NEWER, plugin_row_cap=40)


@mutant("CAP-3", seen="openclaw#125910: a namespace full of expired rows refuses every later claim")
class CapCountsExpiredRows(SqliteStore):
    """A namespace that nobody writes to keeps its dead rows, and they use up the plugin's cap."""

    PRUNE: ClassVar[str] = changed(SqliteStore.PRUNE, "plugin = :plugin", SPACE)


@mutant("CAP-2", "CAP-1", "ERR-4")
class CapRefusalLeavesRow(SqliteStore):
    """The caller is told that the claim failed, and nobody else can have it either."""

    def _hold_cap(self, run: Run) -> None:
        """Refuse after the commit."""
        try:
            super()._hold_cap(run)
        except LimitExceeded:
            run("COMMIT")
            raise


@mutant("CAP-1")
class CapPerNamespace(SqliteStore):
    """The cap holds for every namespace by itself: a plugin takes as many as it likes."""

    COUNT: ClassVar[str] = changed(SqliteStore.COUNT, "plugin = :plugin", SPACE)


@mutant("CAP-1")
class CapOffByOne(SqliteStore):
    """`>=` for `>`: the last row that was promised is refused."""

    COUNT: ClassVar[str] = changed(SqliteStore.COUNT, "sum(held)", "sum(held) + 1")


@mutant("ISO-4", "CAP-1")
class CapOfAllPlugins(SqliteStore):
    """One greedy plugin stops all others from writing."""

    COUNT: ClassVar[str] = changed(SqliteStore.COUNT, " WHERE plugin = :plugin", "")


@mutant("CAP-1", "CAP-5")
class ClaimsIgnoreCap(SqliteStore):
    """The cap was added to `register` and forgotten in the claim that came later."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Insert and evict, and never count."""
        with self._write("register", key, value, ttl_ms) as run:
            won = run(self.INSERT).rowcount == 1
            if won:
                run(self.EVICT)
        return won


@mutant("CAP-4", seen="openclaw#87254: an insert threw although its own namespace would have shed")
class CapIgnoresOwnEviction(SqliteStore):
    """The cap is held before the namespace sheds its oldest row: a full plugin is stuck."""

    def _insert(self, run: Run) -> bool:
        """Count first and evict then."""
        if run(self.INSERT).rowcount == 0:
            return False
        self._hold_cap(run)
        run(self.EVICT)
        return True


@mutant("CAP-4", "CLAIM-2", seen="openclaw#143584: a plugin at its cap cannot recover")
class CapCheckedFirst(SqliteStore):
    """At the cap even an update is refused, and a claim of a live key raises instead of losing."""

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Refuse before it is known whether a row is needed."""
        with self._write("register", key, value, ttl_ms) as run:
            self._refuse_at_cap(run)
            if run(self.REPLACE).rowcount == 0:
                self._insert(run)

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Refuse before it is known whether a row is needed."""
        with self._write("register", key, value, ttl_ms) as run:
            self._refuse_at_cap(run)
            return self._insert(run)

    def _refuse_at_cap(self, run: Run) -> None:
        cap = self._profile.plugin_row_cap
        if cap is not None and (run(self.COUNT).fetchone()[0] or 0) >= cap:
            raise LimitExceeded(operation="register", message=f"{cap} live rows")


@mutant("CAP-4", "CLAIM-2")
class CapRefusesDuplicates(SqliteStore):
    """At the cap whoever comes second is given an error for an answer, and tries for ever."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look at the cap where the claim is refused."""
        cap = self._profile.plugin_row_cap
        with self._write("register", key, value, ttl_ms) as run:
            won = self._insert(run)
            if not won and cap is not None and run(self.COUNT).fetchone()[0] >= cap:
                raise LimitExceeded(operation="register", message=f"{cap} live rows")
        return won


@mutant("CAP-2")
class CapRefusalLosesOldRow(SqliteStore):
    """The insert is refused, and the oldest row of its namespace is gone all the same."""

    OLDEST: ClassVar[str] = (
        f"DELETE FROM rows WHERE {SPACE} AND key IN ("
        f"SELECT key FROM rows WHERE {SPACE} ORDER BY created_at, key LIMIT 1)"
    )

    def _hold_cap(self, run: Run) -> None:
        """Make room, and refuse."""
        try:
            super()._hold_cap(run)
        except LimitExceeded:
            run(self.DELETE)
            run(self.OLDEST)
            run("COMMIT")
            raise


@mutant("CAP-3", "EVICT-5")
class CapCountsOtherExpiredKeys(SqliteStore):
    """Only the key that is asked for is cleaned up: dead rows of other keys use up the cap."""

    PRUNE: ClassVar[str] = changed(SqliteStore.PRUNE, "plugin = :plugin", ROW)


@mutant("CAP-2", "CAP-3", "CAP-4", "CAP-1", "ERR-4")
class CapRefusalIsForGood(SqliteStore):
    """Once a claim was refused all are: rows are removed, and the cap never empties."""

    full = False

    def _hold_cap(self, run: Run) -> None:
        """Remember a refusal."""
        if self.full:
            raise LimitExceeded(operation="register", message="the plugin is full")
        try:
            super()._hold_cap(run)
        except LimitExceeded:
            self.full = True
            raise


class _ShedsYoungest(SqliteStore):
    EVICT_FROM_PLUGIN: ClassVar[str] = changed(
        SqliteStore.EVICT_FROM_PLUGIN, "ORDER BY created_at", "ORDER BY created_at DESC"
    )


@mutant("CAP-1")
class CapShedsYoungest(SqliteBackend):
    """A plugin at its cap loses what it claimed last, and keeps what it needs no more."""

    store: ClassVar[type[SqliteStore]] = _ShedsYoungest

    def __init__(self, location: str, *, clock: Clock, profile: Profile = EVICTING) -> None:
        super().__init__(location, clock=clock, profile=profile)


class _ShedsItsOwn(SqliteStore):
    EVICT_FROM_PLUGIN: ClassVar[str] = changed(
        SqliteStore.EVICT_FROM_PLUGIN, "plugin = :plugin AND NOT", f"{SPACE} AND NOT"
    )


@mutant("CAP-1")
class CapShedsFromOwnNamespace(SqliteBackend):
    """Whoever claims at the cap pays for it: idle namespaces keep the plugin's oldest rows."""

    store: ClassVar[type[SqliteStore]] = _ShedsItsOwn

    def __init__(self, location: str, *, clock: Clock, profile: Profile = EVICTING) -> None:
        super().__init__(location, clock=clock, profile=profile)


@mutant("CAP-5", shows="processes")
class CapCountsOthersFirst(SqliteStore):
    """Each namespace lies in a file of its own, and the others are counted before it is locked."""

    OTHERS: ClassVar[str] = (
        f"SELECT count(*) FROM rows WHERE plugin = :plugin AND namespace <> :namespace AND {LIVE}"
    )
    OWN: ClassVar[str] = f"SELECT held FROM sizes WHERE {SPACE}"

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Count the others, then insert and count what is here."""
        with self._file.statement("register") as connection:
            row = {**self._fixed, "now": self._clock.now_ms()}
            others: int = connection.execute(self.OTHERS, row).fetchone()[0]
        with self._write("register", key, value, ttl_ms) as run:
            won = run(self.INSERT).rowcount == 1
            if won:
                run(self.EVICT)
                cap = self._profile.plugin_row_cap
                if cap is not None and others + run(self.OWN).fetchone()[0] > cap:
                    raise LimitExceeded(operation="register", message=f"{cap} live rows")
        return won
