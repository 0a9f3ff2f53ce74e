"""Right stores in memory that round the end of a life, up or down, to a whole unit of time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from onewinner.stores.memory import MemoryBackend, MemoryStore

if TYPE_CHECKING:
    from onewinner.clock import Clock
    from onewinner.stores.memory import Row


class RoundingStore(MemoryStore):
    """Keeps the whole unit of time before or after the end of a life as its end."""

    up: ClassVar[bool] = False

    def _kept(self, _space: Any, row: Row) -> Row:
        if row.expires_at is None:
            return row
        unit = self._backend.capabilities.ttl_unit_ms or 1
        late = (unit - 1) * self.up
        return replace(row, expires_at=(row.expires_at + late) // unit * unit)


class UpStore(RoundingStore):
    """Rounds up."""

    up = True


class UpBackend(MemoryBackend):
    """Whole seconds, rounded up."""

    unit_ms: ClassVar[int] = 1_000
    store: ClassVar[type[MemoryStore]] = UpStore

    def __init__(self, location: str, *, clock: Clock) -> None:
        super().__init__(location, clock=clock)
        self.capabilities = replace(self.capabilities, ttl_unit_ms=self.unit_ms)


class MinutesBackend(UpBackend):
    """Whole minutes, rounded up."""

    unit_ms = 60_000


class DownBackend(MinutesBackend):
    """Whole minutes, rounded down."""

    store = RoundingStore
