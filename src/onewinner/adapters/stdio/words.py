"""What all words of the stdio protocol are made of, and those that several requests share."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

Version: TypeAlias = Annotated[int, Meta(ge=1)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]
Ordinal: TypeAlias = Annotated[int, Meta(ge=0)]
Text: TypeAlias = Annotated[str, Meta(min_length=1)]
Time: TypeAlias = "int | UnsetType"


class Word(Struct, rename="camel", kw_only=True):
    """What all words have in common: camelCase on the wire."""


class KeyParams(Word):
    """A key."""

    handle: Ordinal
    key: Any
    now: Time = UNSET


class HandleParams(Word):
    """All of a namespace."""

    handle: Ordinal
    now: Time = UNSET


class Request(Word, tag_field="method"):
    """A request; `id` is not used twice on one process."""

    jsonrpc: Literal["2.0"]
    id: Count


class Sought(Word):
    """What a read found; JSON `null` is a value and is found."""

    found: bool
    value: Any = UNSET

    def __post_init__(self) -> None:
        """Refuse a row without a value; raises ValueError."""
        if self.found and self.value is UNSET:
            raise ValueError("`found` is true and there is no `value`; a value may be null")
