"""A handle on a namespace that a command serves: calls become requests, results become answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from msgspec import UNSET

from onewinner.adapters.stdio import messages, newer_words
from onewinner.adapters.stdio.words import HandleParams, KeyParams
from onewinner.contract import (
    ABSENT,
    Absent,
    Compared,
    Entry,
    InvalidInput,
    LimitExceeded,
    Observation,
)
from onewinner.contract.newer import arguments
from onewinner.contract.values import is_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onewinner.adapters.stdio.backend import CommandBackend
    from onewinner.adapters.stdio.link import Link
    from onewinner.adapters.stdio.messages import Item, Listed
    from onewinner.adapters.stdio.newer_words import Observed
    from onewinner.adapters.stdio.words import Request, Sought
    from onewinner.contract import Change, Condition, Intent, Json

_SCALARS = frozenset({str, int, bool, type(None)})


class Call(Protocol):
    """A call as the kit's generators write it."""

    @property
    def f(self) -> str:
        """The operation."""
        ...  # pragma: no cover

    @property
    def key(self) -> str | None:
        """The key, None where it has none."""
        ...  # pragma: no cover

    @property
    def value(self) -> Json:
        """The value of a write."""
        ...  # pragma: no cover

    @property
    def ttl_ms(self) -> int | None:
        """The time to live of a write."""
        ...  # pragma: no cover


class CommandStore:
    """A handle on one namespace, which a copy of the command has open."""

    def __init__(self, backend: CommandBackend, link: Link, handle: int) -> None:
        self._backend = backend
        self._link = link
        self._handle = handle

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Ask for an upsert."""
        self._call("register", messages.Register, self._write("register", key, value, ttl_ms))

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Ask for a claim."""
        params = self._write("register", key, value, ttl_ms)
        won: bool = self._call("register", messages.RegisterIfAbsent, params)
        return won

    def lookup(self, key: str) -> Json | Absent:
        """Ask for the live value."""
        return sought(self._call("lookup", messages.Lookup, self._key("lookup", key)))

    def consume(self, key: str) -> Json | Absent:
        """Ask for the live value, and for its end."""
        return sought(self._call("consume", messages.Consume, self._key("consume", key)))

    def delete(self, key: str) -> bool:
        """Ask for a removal."""
        removed: bool = self._call("delete", messages.Delete, self._key("delete", key))
        return removed

    def entries(self) -> list[Entry]:
        """Ask for all live rows."""
        return _entries(self._call("entries", messages.Entries, self._all()))

    def clear(self) -> None:
        """Ask for the end of all rows."""
        self._call("clear", messages.Clear, self._all())

    def count(self) -> int:
        """Ask for the number of live rows."""
        rows: int = self._call("count", newer_words.CountRows, self._all())
        return rows

    def lookup_many(self, keys: Sequence[str]) -> list[Json | Absent]:
        """Ask for what several keys hold."""
        asked = self._keys(keys)
        return [sought(each) for each in self._call("lookup_many", newer_words.LookupMany, asked)]

    def delete_if_equal(self, key: str, expected: Json) -> bool:
        """Ask for a removal where the row holds a scalar."""
        params = self._equal(key, expected)
        removed: bool = self._call("delete_if_equal", newer_words.DeleteIfEqual, params)
        return removed

    def delete_if(self, key: str, condition: Condition) -> bool:
        """Ask for a removal where a condition holds, which is sent by its name."""
        params = self._condition(key, condition)
        removed: bool = self._call("delete_if", newer_words.DeleteIf, params)
        return removed

    def update(self, key: str, change: Change, *, ttl_ms: int | None = None) -> bool:
        """Ask for a change, which is sent by its name."""
        params = self._change(key, change, ttl_ms=ttl_ms)
        stored: bool = self._call("update", newer_words.Update, params)
        return stored

    def observe(self, key: str) -> Observation:
        """Ask for the live value with a comparison."""
        params = self._key("observe", key)
        return _observation(self._call("observe", newer_words.Observe, params))

    def compare_and_apply(
        self, key: str, comparison: str, intent: Intent, *, ttl_ms: int | None = None
    ) -> Compared:
        """Ask for an intent where the row is as it was observed."""
        sendable("compare_and_apply", key, comparison, intent.argument, ttl_ms)
        params = newer_words.CompareParams(
            handle=self._handle,
            key=key,
            comparison=comparison,
            action=cast("Any", intent.name),
            value=intent.argument if intent.name == "set" else UNSET,
            ttl_ms=UNSET if ttl_ms is None else ttl_ms,
            now=self._backend.now(),
        )
        found = self._call("compare_and_apply", newer_words.CompareAndApply, params)
        return Compared(found.status, _observation(found.current) if found.current else None)

    def _keys(self, keys: Sequence[Any]) -> newer_words.KeysParams:
        sendable("lookup_many", *keys)
        now = self._backend.now()
        return newer_words.KeysParams(handle=self._handle, keys=list(keys), now=now)

    def _equal(self, key: Any, expected: Any) -> newer_words.EqualParams:
        sendable("delete_if_equal", key, expected)
        now = self._backend.now()
        return newer_words.EqualParams(handle=self._handle, key=key, expected=expected, now=now)

    def _condition(self, key: Any, condition: Condition) -> newer_words.ConditionParams:
        sendable("delete_if", key, condition.argument)
        function = newer_words.Function(name=condition.name, argument=condition.argument)
        now = self._backend.now()
        return newer_words.ConditionParams(
            handle=self._handle, key=key, condition=function, now=now
        )

    def _change(self, key: Any, change: Change, *, ttl_ms: Any = None) -> newer_words.UpdateParams:
        sendable("update", key, change.argument, ttl_ms)
        return newer_words.UpdateParams(
            handle=self._handle,
            key=key,
            change=newer_words.Function(name=change.name, argument=change.argument),
            ttl_ms=UNSET if ttl_ms is None else ttl_ms,
            now=self._backend.now(),
        )

    def item(self, call: Call) -> Item:
        """Answer a call as an operation of a batch."""
        params: Any
        if call.f in {"register", "register_if_absent"}:
            params = self._write("register", call.key, call.value, call.ttl_ms)
        elif call.f in {"lookup_many", "delete_if_equal", "delete_if", "update"}:
            params = self._newer(call)
        else:
            params = self._all() if call.key is None else self._key(call.f, call.key)
        return messages.Item(method=cast("Any", messages.METHODS[call.f]), params=params)

    def _newer(self, call: Call) -> Any:
        """Answer the parameters of a newer operation in a batch."""
        by_place, by_name = arguments(call.f, call.key, call.value, call.ttl_ms)
        ways: dict[str, Callable[..., Any]] = {
            "lookup_many": self._keys,
            "delete_if_equal": self._equal,
            "delete_if": self._condition,
            "update": self._change,
        }
        return ways[call.f](*by_place, **by_name)

    def _call(self, operation: str, kind: Callable[..., Request], params: Any) -> Any:
        return self._link.call(kind, params, operation)

    def _write(self, operation: str, key: Any, value: Any, ttl_ms: Any) -> messages.WriteParams:
        sendable(operation, key, value, ttl_ms)
        return messages.WriteParams(
            handle=self._handle,
            key=key,
            value=value,
            ttl_ms=UNSET if ttl_ms is None else ttl_ms,
            now=self._backend.now(),
        )

    def _key(self, operation: str, key: Any) -> KeyParams:
        sendable(operation, key)
        return KeyParams(handle=self._handle, key=key, now=self._backend.now())

    def _all(self) -> HandleParams:
        return HandleParams(handle=self._handle, now=self._backend.now())


def answer_of(f: str, result: Any) -> Any:
    """Answer what a call of `f` answers, from the result that was sent for it."""
    match f:
        case "entries":
            return _entries(result)
        case "lookup" | "consume":
            return sought(result)
        case "lookup_many":
            return [sought(each) for each in result]
    return result


def _entries(rows: Sequence[Listed]) -> list[Entry]:
    return [Entry(row.key, row.value, row.created_at, row.expires_at) for row in rows]


def sought(found: Sought) -> Json | Absent:
    """Answer what was found, or `ABSENT`."""
    if not found.found:
        return ABSENT
    return cast("Json", found.value)


def _observation(found: Observed) -> Observation:
    return Observation(sought(found), found.comparison)


def sendable(operation: str, *arguments: Any) -> None:
    """Refuse what JSON cannot express, and so never reaches a store."""
    try:
        for each in arguments:
            if type(each) not in _SCALARS and not _is_flat(each) and not is_json(each):
                raise InvalidInput(
                    operation=operation,
                    message=f"{each!r:.80} cannot be written as JSON, so it was not sent",
                )
    except RecursionError as error:
        raise LimitExceeded(operation=operation, message="nested too deep to be sent") from error


def _is_flat(value: Any) -> bool:
    """Tell at once of most values that they are JSON."""
    return type(value) is dict and all(
        type(key) is str and type(member) in _SCALARS for key, member in value.items()
    )
