"""Handles: a connection to the target, and the namespaces opened on it."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.contract import Backend, Store
    from onewinner.generator import Call


class Handles:
    """One connection, and the namespaces opened on it; clients of one process may share it."""

    def __init__(self, target: Target, location: str, clock: Clock) -> None:
        self._target = target
        self._location = location
        self._clock = clock
        self._lock = threading.Lock()
        self._backend: Backend | None = None
        self._stores: dict[tuple[str, str], Store] = {}

    def connect(self) -> Backend:
        """Answer the connection, made by whoever needs it first."""
        with self._lock:
            if self._backend is None:
                self._backend = self._target.connect(self._location, self._clock)
            return self._backend

    def store(self, call: Call) -> Store:
        """Answer the namespace that a call is about."""
        where = (call.plugin, call.namespace)
        found = self._stores.get(where)
        if found is None:
            backend: Any = self.connect()
            options = {} if call.policy is None else {"overflow_policy": call.policy}
            opened: Store = backend.open(*where, max_entries=call.max_entries, **options)
            found = self._stores.setdefault(where, opened)
        return found

    def move(self, location: str) -> None:
        """Be at `location`: what is connected to another is closed, and the next one goes there."""
        if location != self._location:
            self.close(location)

    @property
    def served(self) -> bool:
        """Whether a command serves the calls."""
        return self._target.served

    def copy(self) -> tuple[int, tuple[str, ...]]:
        """Answer process id and streams of the copy of the command that serves the calls."""
        return self._target.copy(self._location)

    def close(self, location: str | None = None) -> None:
        """Close the connection; the next one goes to `location`, where given.

        What a target raises here is swallowed: closing is not what a race is about.
        """
        backend, self._backend = self._backend, None
        self._stores.clear()
        self._location = location or self._location
        if backend is not None:
            with contextlib.suppress(Exception):
                backend.close()
