"""What the newer, optional operations are given, and what they answer.

`update` and `deleteIf` take a function in the contract. A function cannot be sent to a store in
another process, so the kit calls them with functions that have a name: a `Change` and a `Condition`
are called like any other function, and the stdio protocol sends the name and the argument instead.
The same holds for what a comparison is to do, an `Intent`. As JSON each is an object with one
member: `{"increment": 1}`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

from onewinner.contract.protocols import ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.contract.protocols import Absent, Json

WRITES: Final = frozenset({"register", "register_if_absent", "update", "compare_and_apply"})
"""The operations that may write a row."""

_KEYED: Final = frozenset({"lookup", "consume", "delete", "observe"})


class Change(NamedTuple):
    """A pure function from a live value, or `ABSENT`, to the value to store (UPD-1).

    `increment` adds a number, to 0 where there is no row; `append` puts a value at the end of a
    list, of an empty one where there is no row; `replace` answers its argument where there is a
    row. Where they do not fit, they answer `ABSENT`: then nothing is to be changed.
    """

    name: str
    argument: Json

    def __call__(self, current: Json | Absent) -> Json | Absent:
        """Answer the value to store, or `ABSENT` for "leave it as it is"."""
        changed: Json | Absent = _CHANGES[self.name](current, self.argument)
        return changed


class Condition(NamedTuple):
    """A pure function that tells of a live value whether its row is to be deleted (DEL-8).

    `equals` holds where the value is the same JSON as the argument, `above` where both are numbers
    and the value is the greater one.
    """

    name: str
    argument: Json

    def __call__(self, current: Json) -> bool:
        """Tell whether it holds."""
        return _CONDITIONS[self.name](current, self.argument)


class Intent(NamedTuple):
    """What a comparison that holds is to do: `set` the value, `delete` the row, or `keep` it."""

    name: str
    argument: Json = None


class Observation(NamedTuple):
    """The answer of `observe`: the live value, and a text that stands for the row as it was.

    The text means nothing but to the store, and holds on every handle of its location.
    """

    value: Json | Absent
    comparison: str


class Compared(NamedTuple):
    """The answer of `compareAndApply`; with a conflict it tells the row as it is now."""

    status: Literal["applied", "unchanged", "conflict"]
    current: Observation | None = None


def _increment(current: Any, by: Any) -> Any:
    if current is ABSENT:
        return by
    return current + by if _is_number(current) else ABSENT


def _append(current: Any, item: Any) -> Any:
    if current is ABSENT:
        return [item]
    return [*current, item] if isinstance(current, list) else ABSENT


def _replace(current: Any, value: Any) -> Any:
    return ABSENT if current is ABSENT else value


def _equals(current: Any, value: Any) -> bool:
    return _text(current) == _text(value)


def _above(current: Any, value: Any) -> bool:
    return _is_number(current) and _is_number(value) and bool(current > value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, sort_keys=True)


_CHANGES: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "increment": _increment,
    "append": _append,
    "replace": _replace,
}
_CONDITIONS: Final[dict[str, Callable[[Any, Any], bool]]] = {"equals": _equals, "above": _above}
_INTENTS: Final = frozenset({"set", "delete", "keep"})

_Named = TypeVar("_Named", Change, Condition, Intent)


def change_of(plain: Any) -> Change:
    """Answer the change that is written as `{name: argument}`; raises ValueError."""
    return _named(Change, _CHANGES.keys(), plain)


def condition_of(plain: Any) -> Condition:
    """Answer the condition that is written as `{name: argument}`; raises ValueError."""
    return _named(Condition, _CONDITIONS.keys(), plain)


def intent_of(plain: Any) -> Intent:
    """Answer the intent that is written as `{name: argument}`; raises ValueError."""
    return _named(Intent, _INTENTS, plain)


def _named(kind: type[_Named], known: Any, plain: Any) -> _Named:
    if isinstance(plain, dict) and len(plain) == 1:
        ((name, argument),) = plain.items()
        if name in known:
            return kind(name, argument)
    raise ValueError(
        f"{plain!r:.80} is no {kind.__name__.lower()}; write one of {sorted(known)} as the only "
        f"member of an object, with its argument"
    )


def arguments(
    f: str, key: Any, value: Any = None, ttl_ms: Any = None, comparison: Any = None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Answer what the method `f` of a store is called with, by place and by name.

    `value` is what the kit writes down of a call: the value, the keys of `lookup_many`, and the
    plain form of a change, a condition or an intent.
    """
    named = {} if ttl_ms is None else {"ttl_ms": ttl_ms}
    match f:
        case "register" | "register_if_absent":
            return (key, value), named
        case "lookup_many":
            return (list(value),), {}
        case "delete_if_equal":
            return (key, value), {}
        case "delete_if":
            return (key, condition_of(value)), {}
        case "update":
            return (key, change_of(value)), named
        case "compare_and_apply":
            return (key, comparison, intent_of(value)), named
    return ((key,) if f in _KEYED else ()), {}
