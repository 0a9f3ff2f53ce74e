"""What a program remembers of what it did, so that a wrong answer can be put down to its cause."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from onewinner.contract.newer import WRITES
from onewinner.model import Listing, Value
from onewinner.suite.answers import Raised

if TYPE_CHECKING:
    from onewinner.model import Call, State
    from onewinner.suite.answers import Observed

_WRITERS: Final = frozenset({"register", "register_if_absent"})
_CHANGE_NOTHING: Final = frozenset({"open", "count", "lookup_many", "observe"})
_READERS: Final = frozenset({"lookup", "entries"})


@dataclass(slots=True)
class Recollection:
    """The last change of rows, and what was read since.

    `written` is the insert of a new row that was the last change, None where another one was;
    `reclaimed` says that an expired row was there before it, and `refused` that a claim was refused
    since. `read` are the rows (by reader, place and key) that were shown as they are since anything
    else was done, and `evicted` those that an insert ever pushed out: a wrong answer about them has
    a cause.
    """

    written: Call | None = None
    reclaimed: bool = False
    refused: bool = False
    read: set[tuple[str, str, str, str]] = field(default_factory=set)
    evicted: set[tuple[str, str, str]] = field(default_factory=set)

    def moved(self) -> None:
        """Time has passed, or the store was opened anew: what is read now may differ."""
        self.read.clear()

    def done(self, before: State, after: State, call: Call, seen: Observed, now: int) -> None:
        """Keep a call in mind that was answered as the contract allows."""
        if call.f in WRITES:
            self._remember_evicted(before, after, call)
        if call.f in _READERS:
            shown = [row.key for row in seen.rows] if isinstance(seen, Listing) else []
            shown += [str(call.key).strip()] if isinstance(seen, Value) else []
            place = call.plugin, str(call.namespace).strip()
            self.read |= {(call.f, *place, key) for key in shown}
        elif call.f not in _CHANGE_NOTHING:
            self.read.clear()
            if call.f == "register_if_absent" and seen is False:
                self.refused = True
            elif not isinstance(seen, Raised):
                self._changed(before, call, now)

    def shown(self, call: Call, key: str) -> bool:
        """Tell whether any reader has shown a row, where the call is made."""
        place = call.plugin, str(call.namespace).strip(), key
        return any((reader, *place) in self.read for reader in _READERS)

    def _remember_evicted(self, before: State, after: State, call: Call) -> None:
        old = before.space(call.plugin, call.namespace)
        new = after.space(call.plugin, call.namespace)
        if old is None or new is None or len(new.rows) > len(old.rows):
            return
        kept = {row.key for row in new.rows}
        self.evicted |= {(old.plugin, old.name, r.key) for r in old.rows if r.key not in kept}

    def _changed(self, before: State, call: Call, now: int) -> None:
        space = before.space(call.plugin, str(call.namespace))
        held = None if space is None else space.find(str(call.key).strip())
        inserted = call.f in _WRITERS and not (held is not None and held.live(now))
        self.written, self.reclaimed = (call, held is not None) if inserted else (None, False)
        self.refused = False
