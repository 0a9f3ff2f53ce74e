"""Stores that read the machine's clock themselves: a right one, and some that a step breaks."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from onewinner.clock import SystemClock
from onewinner.contract import ABSENT
from onewinner.mutants.registry import changed
from onewinner.stores.sqlite import STAMP, SqliteBackend, SqliteStore

if TYPE_CHECKING:
    from onewinner.clock import Clock


class RealBackend(SqliteBackend):
    """The reference store on the wall clock of its process."""

    def __init__(self, location: str, *, clock: Clock) -> None:
        super().__init__(location, clock=SystemClock())
        self.capabilities = replace(self.capabilities, virtual_clock=False)


class Monotonic:
    """The clock that no step moves."""

    def now_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000


class MonotonicBackend(RealBackend):
    """Right too: it lives by a clock that cannot be set."""

    def __init__(self, location: str, *, clock: Clock) -> None:
        super().__init__(location, clock=clock)
        self.clock = Monotonic()


class DeadlineStore(SqliteStore):
    """Keeps the ends of its own claims in memory too, by the monotonic clock, and goes by them."""

    def __init__(self, backend: Any, opening: Any) -> None:
        super().__init__(backend, opening)
        self._deadlines: dict[str, float] = {}

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        if time.monotonic() < self._deadlines.get(key, 0):
            return False
        won = super().register_if_absent(key, value, ttl_ms=ttl_ms)
        if won and ttl_ms is not None:
            self._deadlines[key] = time.monotonic() + ttl_ms / 1_000
        return won


class DeadlineBackend(RealBackend):
    store = DeadlineStore


class OldestOfAllIsEvicted(SqliteStore):
    """Evicts the oldest by its time, which after a step back is the row just written."""

    INSERT: ClassVar[str] = changed(SqliteStore.INSERT, STAMP, ":now")
    EVICT: ClassVar[str] = changed(SqliteStore.EVICT, " AND key <> :key", "")


class OldestBackend(RealBackend):
    store = OldestOfAllIsEvicted


class FuturePruned(SqliteStore):
    """Takes rows of the future for garbage."""

    PRUNE: ClassVar[str] = changed(
        SqliteStore.PRUNE, "expires_at <= :now", "(expires_at <= :now OR created_at > :now)"
    )


class FutureBackend(RealBackend):
    store = FuturePruned


class RaisingStore(SqliteStore):
    """Works out how old the row is that it was asked for, and fails where it is not born yet."""

    def lookup(self, key: str) -> Any:
        found = super().lookup(key)
        if found is not ABSENT:
            (row,) = [row for row in self.entries() if row.key == key]
            time.sleep(min((self._clock.now_ms() - row.created_at) / 1e9, 0.001))
        return found


class RaisingBackend(RealBackend):
    store = RaisingStore


class SleepingStore(SqliteStore):
    """Right: it naps before each claim."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        time.sleep(0.001)
        return super().register_if_absent(key, value, ttl_ms=ttl_ms)


class SleepingBackend(RealBackend):
    store = SleepingStore


class PatientStore(SqliteStore):
    """Gives each claim a later time than the one before, and waits for it where the clock is set.

    It sleeps as long as the clock is behind: for hours, where it was set back by hours.
    """

    last_ms = 0

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        time.sleep(max(self.last_ms - self._clock.now_ms(), 0) / 1_000)
        self.last_ms = self._clock.now_ms()
        return super().register_if_absent(key, value, ttl_ms=ttl_ms)


class PatientBackend(RealBackend):
    store = PatientStore


class ConnectedBackend(FutureBackend):
    """A store that holds a socket: what is behind it may have a clock of its own."""

    def __init__(self, location: str, *, clock: Clock) -> None:
        super().__init__(location, clock=clock)
        self._socket = socket.socket()

    def close(self) -> None:
        self._socket.close()
        super().close()


class FewBackend(RealBackend):
    """Only claims, and has no limits."""

    def __init__(self, location: str, *, clock: Clock) -> None:
        super().__init__(location, clock=clock)
        self.capabilities = replace(
            self.capabilities,
            operations=frozenset({"register_if_absent"}),
            eviction=None,
            plugin_row_cap=None,
            damage=False,
        )


class SlowStore(SqliteStore):
    """Right, and slow: between two claims a short life is over."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        time.sleep(0.05)
        return super().register_if_absent(key, value, ttl_ms=ttl_ms)


class SlowBackend(RealBackend):
    store = SlowStore
