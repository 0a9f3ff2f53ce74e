"""The words of the newer, optional operations."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import UNSET, UnsetType

from onewinner.adapters.stdio.words import (
    HandleParams,
    KeyParams,
    Ordinal,
    Request,
    Sought,
    Text,
    Time,
    Word,
)


class KeysParams(Word):
    """Several keys."""

    handle: Ordinal
    keys: list[Any]
    now: Time = UNSET


class EqualParams(Word):
    """A key, and the scalar that its row must hold."""

    handle: Ordinal
    key: Any
    expected: Any
    now: Time = UNSET


class Function(Word):
    """A pure function by its name, with its argument (`specs/contract.md`, functions)."""

    name: Text
    argument: Any


class ConditionParams(Word):
    """A key, and the condition that must hold of its value."""

    handle: Ordinal
    key: Any
    condition: Function
    now: Time = UNSET


class UpdateParams(Word):
    """A key, and the change to make, with a time to live in milliseconds, if any."""

    handle: Ordinal
    key: Any
    change: Function
    ttl_ms: Any = UNSET
    now: Time = UNSET


class CompareParams(Word):
    """A key, what was observed of it, and what to do where it is still so."""

    handle: Ordinal
    key: Any
    comparison: Any
    action: Literal["set", "delete", "keep"]
    value: Any = UNSET
    ttl_ms: Any = UNSET
    now: Time = UNSET


class CountRows(Request, tag="count"):
    """Count the live rows."""

    params: HandleParams


class LookupMany(Request, tag="lookupMany"):
    """Read several keys at one instant."""

    params: KeysParams


class DeleteIfEqual(Request, tag="deleteIfEqual"):
    """Remove where the row holds a scalar."""

    params: EqualParams


class DeleteIf(Request, tag="deleteIf"):
    """Remove where a condition holds."""

    params: ConditionParams


class Update(Request, tag="update"):
    """Store what a function makes of the value."""

    params: UpdateParams


class Observe(Request, tag="observe"):
    """Read, with a comparison."""

    params: KeyParams


class CompareAndApply(Request, tag="compareAndApply"):
    """Set, delete or keep the row where it is as it was observed."""

    params: CompareParams


class Observed(Sought, kw_only=True):
    """What an observation found, with the comparison that stands for it."""

    comparison: Text


class Compared(Word):
    """What became of a comparison; with a conflict, what is there."""

    status: Literal["applied", "unchanged", "conflict"]
    current: Observed | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse a conflict that does not tell what is there; raises ValueError."""
        if self.status == "conflict" and self.current is UNSET:
            raise ValueError("`status` is conflict and there is no `current`, which tells the row")


NewerRequest: TypeAlias = (
    CountRows | LookupMany | DeleteIfEqual | DeleteIf | Update | Observe | CompareAndApply
)
