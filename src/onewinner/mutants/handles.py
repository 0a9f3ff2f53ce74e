"""What goes wrong with what one handle knows, and another does not."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from onewinner.mutants.registry import changed, mutant
from onewinner.stores.memory import MemoryBackend
from onewinner.stores.sqlite import SPACE, STAMP, SqliteBackend, SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Json, Store
    from onewinner.stores.input import Opening
    from onewinner.stores.sqlite import Run


@mutant("DEL-6")
class SweepKnowsOpenNamespaces(SqliteBackend):
    """The sweeper goes through what its own process opened: rows of plugins that are gone stay."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._mine: set[tuple[str, str]] = set()

    def _opened(self, wanted: Opening) -> Store:
        self._mine.add((wanted.plugin, wanted.namespace))
        return super()._opened(wanted)

    def sweep_expired(self) -> int:
        """Sweep one namespace after the other."""
        with self.file.transaction("sweep_expired") as connection:
            now = self.clock.now_ms()
            return sum(
                connection.execute(
                    f"{self.SWEEP} AND {SPACE}", {"plugin": plugin, "namespace": name, "now": now}
                ).rowcount
                for plugin, name in self._mine
            )


@mutant("CLAIM-1", "CLAIM-9", "CLAIM-10")
class RefusalRemembered(SqliteStore):
    """Whoever lost a key asks no more until its row would be over, though it is free by now."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._lost: dict[str, int | None] = {}

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Answer from memory where this handle has lost the key."""
        now = self._clock.now_ms()
        until = self._lost.get(key, now)
        if until is None or until > now:
            return False
        won = super().register_if_absent(key, value, ttl_ms=ttl_ms)
        held = [] if won else [each for each in self.entries() if each.key == key]
        self._lost |= {each.key: each.expires_at for each in held}
        return won

    def delete(self, key: str) -> bool:
        """Forget what this handle itself released."""
        self._lost.pop(key, None)
        return super().delete(key)


class _StampedByTheHandle(SqliteStore):
    INSERT: ClassVar[str] = changed(SqliteStore.INSERT, STAMP, ":stamp")
    REPLACE: ClassVar[str] = changed(SqliteStore.REPLACE, STAMP, ":stamp")

    def __init__(self, backend: StampOfThisHandle, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._backend = backend

    @contextmanager
    def _transaction(self, operation: str, **row: Any) -> Iterator[Run]:
        with super()._transaction(operation, **row) as run:
            self._backend.newest_ms = max(self._backend.newest_ms, self._clock.now_ms())
            stamp = self._backend.newest_ms
            yield lambda sql, **given: run(sql, **{**given, "stamp": stamp})


@mutant("EVICT-12")
class StampOfThisHandle(SqliteBackend):
    """A process lets its own clock not go back; one that starts later makes the oldest rows."""

    store: ClassVar[type[SqliteStore]] = _StampedByTheHandle
    newest_ms = 0


@mutant("READ-1")
class FirstCloseDropsData(MemoryBackend):
    """Whoever closes first takes the rows along, while others go on: the last should have been."""

    def close(self) -> None:
        """Empty what others use."""
        if self._data is not None:
            for space in self._data.spaces.values():
                space.rows.clear()
        super().close()
