"""Handles: a namespace opened in a session, its operations each held against the model."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import Entry
from onewinner.model import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.contract import Store
    from onewinner.suite.answers import Observed
    from onewinner.suite.session import Session


_OTHER: Final = {"register": "register_if_absent", "register_if_absent": "register"}


@dataclass(slots=True)
class Handle:
    """A namespace opened in a session; its methods are the store's, each held against the model.

    A store that declares one of the two writers is written to with that one.
    """

    session: Session
    store: Store
    name: str
    plugin: str
    namespace: str

    def register(
        self, key: Any, value: Any, *, ttl_ms: Any = None, spoil: bool = False
    ) -> Observed:
        """Call `register`; `spoil` changes the passed object afterwards (READ-6)."""
        return self._write("register", key, value, ttl_ms, spoil)

    def claim(self, key: Any, value: Any, *, ttl_ms: Any = None, spoil: bool = False) -> Observed:
        """Call `register_if_absent`."""
        return self._write("register_if_absent", key, value, ttl_ms, spoil)

    def lookup(self, key: Any, *, spoil: bool = False) -> Observed:
        """Call `lookup`; `spoil` changes the object that was answered (READ-6)."""
        return self._call(Call(f="lookup", key=key), lambda: self.store.lookup(key), spoil)

    def consume(self, key: Any) -> Observed:
        """Call `consume`."""
        return self._call(Call(f="consume", key=key), lambda: self.store.consume(key))

    def delete(self, key: Any) -> Observed:
        """Call `delete`."""
        return self._call(Call(f="delete", key=key), lambda: self.store.delete(key))

    def entries(self, *, spoil: bool = False) -> Observed:
        """Call `entries`; `spoil` changes the objects that were listed (READ-6)."""
        return self._call(Call(f="entries"), self.store.entries, spoil)

    def clear(self) -> Observed:
        """Call `clear`."""
        return self._call(Call(f="clear"), self.store.clear)

    def observe(self, *keys: str) -> None:
        """Look at all that can be seen: the listing where it is declared, and the given keys."""
        if "entries" in self.session.capabilities.operations:
            self.entries()
        if "lookup" in self.session.capabilities.operations:
            for key in keys:
                self.lookup(key)

    def _write(self, f: str, key: Any, value: Any, ttl_ms: Any, spoil: bool) -> Observed:
        if f not in self.session.capabilities.operations:
            f = _OTHER[f]
        given = copy.deepcopy(value) if spoil else value
        method = getattr(self.store, f)
        arguments = {} if ttl_ms is None else {"ttl_ms": ttl_ms}
        seen = self._call(
            Call(f=f, key=key, value=value, ttl_ms=ttl_ms), lambda: method(key, given, **arguments)
        )
        if spoil:
            _spoil(given)
            self.session.note("# the caller then changed the object it had passed in")
        return seen

    def _call(self, call: Call, make: Callable[[], Any], spoil: bool = False) -> Observed:
        full = Call(
            f=call.f,
            plugin=self.plugin,
            namespace=self.namespace,
            key=call.key,
            value=call.value,
            ttl_ms=call.ttl_ms,
        )
        seen, raw = self.session.step(full, make, on=self.name)
        if spoil:
            _spoil(raw)
            self.session.note("# the caller then changed the object it had got")
        return seen


def _spoil(value: Any) -> None:
    """Change an object and all that is in it: what is shared may lie deeper."""
    if isinstance(value, list):
        for item in value:
            _spoil(item)
        value.append("spoilt")
    elif isinstance(value, dict):
        for item in value.values():
            _spoil(item)
        value["spoilt"] = True
    elif isinstance(value, Entry):
        _spoil(value.value)
