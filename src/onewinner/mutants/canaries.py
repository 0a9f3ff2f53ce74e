"""Canaries: four stores whose claim is certainly racy, behind one target.

They are raced before a store is judged. How soon a machine shows a race that is known to be there
tells what it is worth that it shows none in the store. Which canary a plugin gets is the beginning
of its id.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import ABSENT, Capabilities
from onewinner.mutants.atomicity import (
    DictCheckThenSet,
    LookupThenRegister,
    StaleRowRemovedBeforeClaim,
)
from onewinner.stores.memory import MemoryBackend
from onewinner.stores.sqlite import SqliteBackend

if TYPE_CHECKING:
    from onewinner.clock import Clock
    from onewinner.contract import Absent, Backend, Json

TARGET: Final = "python:onewinner.mutants.canaries:connect"

LOOK: Final = "look"
PRUNE: Final = "prune"
SHARED: Final = "shared"
MEMORY: Final = "memory"

CAPABILITIES: Final = Capabilities(
    virtual_clock=True,
    operations=frozenset({"register_if_absent"}),
    eviction=None,
    plugin_row_cap=None,
    validates_input=False,
)

_KEYS_A_ROUND: Final = 320
_SLOTS: Final = 1 << 16


class LookBackend(SqliteBackend):
    """Looks in one transaction and writes in the next; system calls lie between the two."""

    store = LookupThenRegister


class PruneBackend(SqliteBackend):
    """Removes an expired row in a step of its own, and with it the row of whoever was faster."""

    store = StaleRowRemovedBeforeClaim


class MemoryCanary(MemoryBackend):
    """Checks and sets in a dictionary, for threads."""

    store = DictCheckThenSet


class SharedBytes:
    """A byte a key in memory that processes share: checked, then set, with nothing in between."""

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(_SLOTS)
            self._bytes = mmap.mmap(file.fileno(), _SLOTS)

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:  # noqa: ARG002 - a byte keeps neither
        """Check, then set; the window is shorter than a microsecond."""
        slot, taken = slot_of(key), self._bytes
        if taken[slot]:
            return False
        taken[slot] = 1
        return True

    def lookup(self, key: str) -> Json | Absent:
        """Answer whether somebody has the key; whoever claimed it is not kept."""
        return True if self._bytes[slot_of(key)] else ABSENT


def slot_of(key: str) -> int:
    """Answer the byte of a key `k<round>-<number>`, as races name them; no two share one."""
    index, _, number = key.removeprefix("k").partition("-")
    return int(index) * _KEYS_A_ROUND + int(number)


class Canaries:
    """All canaries at one location."""

    capabilities = CAPABILITIES

    def __init__(self, location: str, clock: Clock) -> None:
        self._location = Path(location)
        self._clock = clock
        self._backends: dict[str, Backend] = {}

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Any:
        """Open a namespace of the canary that the plugin's id begins with."""
        which = plugin_id.partition("-")[0]
        if which == SHARED:
            return SharedBytes(self._location / f"{plugin_id}-{namespace}.bytes")
        if which not in self._backends:
            home = self._location / which
            home.mkdir(parents=True, exist_ok=True)
            self._backends[which] = _BACKENDS[which](str(home), clock=self._clock)
        backend = self._backends[which]
        return backend.open(
            plugin_id, namespace, max_entries=max_entries, default_ttl_ms=default_ttl_ms
        )

    def close(self) -> None:
        """Close what was opened."""
        for backend in self._backends.values():
            backend.close()
        self._backends.clear()


_BACKENDS: Final[dict[str, Any]] = {LOOK: LookBackend, PRUNE: PruneBackend, MEMORY: MemoryCanary}


def connect(location: str, *, clock: Clock) -> Canaries:
    """Answer the canaries at a location."""
    return Canaries(location, clock)
