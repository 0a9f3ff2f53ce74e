"""What the handles that one process has open on one location hold in common."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Common = TypeVar("Common")


class Locations(Generic[Common]):
    """Counts the open handles of each location; what they share goes with the last of them.

    Made once per module and kept for the life of the process.
    """

    def __init__(self, make: Callable[[], Common]) -> None:
        self._make = make
        self._open: dict[str, tuple[Common, int]] = {}
        self._renew_lock()
        os.register_at_fork(after_in_child=self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()  # a thread that the fork did not copy may have held the old

    def enter(self, location: str) -> Common:
        """Count one handle more and answer what the handles of `location` share."""
        with self._lock:
            common, handles = self._open.get(location) or (self._make(), 0)
            self._open[location] = (common, handles + 1)
            return common

    def leave(self, location: str) -> None:
        """Count one handle less."""
        with self._lock:
            common, handles = self._open.pop(location)
            if handles > 1:
                self._open[location] = (common, handles - 1)
