"""Handles: a namespace opened in a session, its operations each held against the model."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import Entry
from onewinner.contract.newer import arguments
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

    def count(self) -> Observed:
        """Call `count`."""
        return self._newer("count")

    def lookup_many(self, *keys: str) -> Observed:
        """Call `lookup_many`."""
        return self._newer("lookup_many", value=list(keys))

    def delete_if_equal(self, key: Any, expected: Any) -> Observed:
        """Call `delete_if_equal`."""
        return self._newer("delete_if_equal", key, expected)

    def delete_if(self, key: Any, condition: dict[str, Any]) -> Observed:
        """Call `delete_if` with a condition in its plain form, `{"equals": 1}`."""
        return self._newer("delete_if", key, condition)

    def update(self, key: Any, change: dict[str, Any], *, ttl_ms: Any = None) -> Observed:
        """Call `update` with a change in its plain form, `{"increment": 1}`."""
        return self._newer("update", key, change, ttl_ms)

    def observation(self, key: Any) -> str:
        """Call the store's `observe`, and answer the comparison; empty where it was refused."""
        self._newer("observe", key)
        noted = self.session.state.noted
        return noted[-1].comparison if noted else ""

    def compare(
        self, key: Any, comparison: str, intent: dict[str, Any], *, ttl_ms: Any = None
    ) -> Observed:
        """Call `compare_and_apply` with an intent in its plain form, `{"set": 1}`."""
        return self._newer("compare_and_apply", key, intent, ttl_ms, comparison)

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
        timed = {} if ttl_ms is None else {"ttl_ms": ttl_ms}
        seen = self._call(
            Call(f=f, key=key, value=value, ttl_ms=ttl_ms), lambda: method(key, given, **timed)
        )
        if spoil:
            ruin(given)
            self.session.note("# the caller then changed the object it had passed in")
        return seen

    def _newer(
        self, f: str, key: Any = None, value: Any = None, ttl_ms: Any = None, compared: Any = None
    ) -> Observed:
        call = Call(f=f, key=key, value=value, ttl_ms=ttl_ms, comparison=compared)
        by_place, by_name = arguments(f, key, value, ttl_ms, compared)
        method: Callable[..., Any] = getattr(self.store, f)
        return self._call(call, lambda: method(*by_place, **by_name))

    def _call(self, call: Call, make: Callable[[], Any], spoil: bool = False) -> Observed:
        full = dataclasses.replace(call, plugin=self.plugin, namespace=self.namespace)
        seen, raw = self.session.step(full, make, on=self.name)
        if spoil:
            ruin(raw)
            self.session.note("# the caller then changed the object it had got")
        return seen


def ruin(value: Any) -> None:
    """Change an object and all that is in it: what is shared may lie deeper."""
    if isinstance(value, list):
        for item in value:
            ruin(item)
        value.append("spoilt")
    elif isinstance(value, dict):
        for item in value.values():
            ruin(item)
        value["spoilt"] = True
    elif isinstance(value, Entry):
        ruin(value.value)
