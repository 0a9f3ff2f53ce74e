"""What goes wrong where a number, a text or a nesting is measured too narrowly or by its looks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final

from onewinner.contract import LimitExceeded
from onewinner.mutants.registry import changed, mutant
from onewinner.stores import input as rules
from onewinner.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from onewinner.contract import Json
    from onewinner.stores.input import Opening
    from onewinner.stores.sqlite import Run, SqliteBackend

_SIGN: Final = 2**31


@mutant("EVICT-1")
class MaxEntriesWrapsAtThirtyTwoBits(SqliteStore):
    """A limit that was to mean "none" is negative, and every insert evicts all that was there."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._fixed["max_entries"] = (opening.max_entries + _SIGN) % (2 * _SIGN) - _SIGN


@mutant("EVICT-1")
class EvictsOneAtMost(SqliteStore):
    """One goes for one that comes: a namespace whose limit was lowered stays too large for ever."""

    EVICT: ClassVar[str] = changed(
        changed(SqliteStore.EVICT, "LIMIT max(0", "LIMIT min(1, max(0"),
        ":max_entries))",
        ":max_entries)))",
    )


@mutant("TTL-2", seen="setTimeout of Node.js: a delay of more than 2^31-1 ms becomes 1 ms")
class DefaultTtlWraps(SqliteStore):
    """The default goes to a timer of 32 bits: with one of a month all claims are free at once."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        if (opening.default_ttl_ms or 0) >= _SIGN:
            self._default_ttl_ms = 1


class _WritesOtherwise(SqliteStore):
    def _kept(self, value: Json, operation: str) -> str:
        """Answer the text to keep."""
        return rules.value_text(value, operation, self._profile)

    def _write(
        self, operation: str, key: str, value: Json, ttl_ms: int | None
    ) -> AbstractContextManager[Run]:
        name = self._key(key, operation)
        text = self._kept(value, operation)
        life = rules.ttl(ttl_ms, operation) or self._default_ttl_ms
        return self._transaction(operation, key=name, value=text, ttl_ms=life)


@mutant("READ-7")
class SixDigits(_WritesOtherwise):
    """Fractions are written with the six digits that `%g` has: 3.14159265 comes back as 3.14159."""

    def _kept(self, value: Json, operation: str) -> str:
        super()._kept(value, operation)
        return rules.value_text(_short(value), operation, self._profile)


@mutant("INPUT-9")
class SizeBeforeEscaping(_WritesOtherwise):
    """Text is measured before it is escaped: quotes take twice the room that was promised."""

    def _kept(self, value: Json, operation: str) -> str:
        try:
            return super()._kept(value, operation)
        except LimitExceeded:
            if not isinstance(value, str) or len(value) + 2 > self._profile.max_value_bytes:
                raise
        return json.dumps(value)


@mutant("INPUT-8", "READ-7")
class DepthIsBrackets(_WritesOtherwise):
    """The depth of a value is the number of its brackets: long lists of lists are refused."""

    def _kept(self, value: Json, operation: str) -> str:
        text = super()._kept(value, operation)
        if text.count("[") + text.count("{") > self._profile.max_value_depth + 1:
            raise LimitExceeded(operation=operation, message="value is nested too deeply")
        return text


@mutant("INPUT-8")
class DepthOfTheFirstMember(_WritesOtherwise):
    """Only the first member is followed down: what is deep in the second overflows a reader."""

    def _kept(self, value: Json, operation: str) -> str:
        try:
            return super()._kept(value, operation)
        except LimitExceeded as refusal:
            if "nested" not in refusal.message or _depth(value) > self._profile.max_value_depth:
                raise
        return json.dumps(value, separators=(",", ":"))


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:g}")
    if isinstance(value, list):
        return [_short(member) for member in value]
    if isinstance(value, dict):
        return {name: _short(member) for name, member in value.items()}
    return value


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list | dict) and value:
        value = next(iter(value.values() if isinstance(value, dict) else value))
        depth += 1
    return depth
