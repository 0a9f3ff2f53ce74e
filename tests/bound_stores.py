"""A correct store whose handles belong to the thread that made them, as those of sqlite3 do."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

from onewinner.stores import sqlite

if TYPE_CHECKING:
    from onewinner.clock import Clock


class Bound:
    """Something that answers to one thread only."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._thread = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found
        return lambda *args, **kwargs: self._made(found, args, kwargs)

    def _made(self, call: Any, args: Any, kwargs: Any) -> Any:
        if threading.get_ident() != self._thread:
            raise RuntimeError("a handle was used by a thread that did not make it")
        return call(*args, **kwargs)


class BoundBackend(Bound):
    """A connection of the reference store that says what it is."""

    def __init__(self, location: str, clock: Clock) -> None:
        super().__init__(sqlite.connect(location, clock=clock))
        self.capabilities = dataclasses.replace(self._inner.capabilities, handle_scope="thread")

    def open(self, *args: Any, **kwargs: Any) -> Bound:
        """Open a namespace that belongs to the thread as well."""
        return Bound(self._made(self._inner.open, args, kwargs))
