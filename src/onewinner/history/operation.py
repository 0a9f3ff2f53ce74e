"""Histories: what the processes of a run did, and what was answered.

An operation is one call of one *process* (a logical single-threaded client). Its outcome is one of
three: `Ok` (it happened, and this was answered), `Fail` (it definitely did not happen), `Info` (it
is not known whether it happened: a timeout, a lost reply, a killed process).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Ok:
    """The operation took effect at one instant of its interval and answered `result`."""

    result: Any = None


@dataclass(frozen=True, slots=True)
class Fail:
    """The operation definitely had no effect; `error` says why."""

    error: Any = None


@dataclass(frozen=True, slots=True)
class Info:
    """It is unknown whether the operation took effect; `reason` says why it is unknown."""

    reason: Any = None


Outcome: TypeAlias = Ok | Fail | Info


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call with its interval, in nanoseconds of one monotonic clock.

    The interval is closed and taken outside the call, so it can only be too wide, never too narrow;
    operations whose intervals touch are concurrent. `completed_ns` is None where the call never
    returned. `value` holds the arguments. `extra` carries what is known besides (the store's clock
    before and after the call, the round of a race) and never changes what the operation means.
    """

    process: int
    f: str
    value: Any = None
    outcome: Outcome
    invoked_ns: int
    completed_ns: int | None
    extra: Mapping[str, Any] = field(default_factory=dict)


_SET_PROCESS, _SET_F, _SET_VALUE, _SET_OUTCOME, _SET_INVOKED, _SET_COMPLETED, _SET_EXTRA = (
    getattr(Operation, name).__set__
    for name in ("process", "f", "value", "outcome", "invoked_ns", "completed_ns", "extra")
)


def made(
    process: int,
    f: str,
    value: Any,
    outcome: Outcome,
    invoked_ns: int,
    completed_ns: int | None,
    extra: Mapping[str, Any],
) -> Operation:
    """Answer an operation, in a third of the time: readers of long files make millions."""
    operation = object.__new__(Operation)
    _SET_PROCESS(operation, process)
    _SET_F(operation, f)
    _SET_VALUE(operation, value)
    _SET_OUTCOME(operation, outcome)
    _SET_INVOKED(operation, invoked_ns)
    _SET_COMPLETED(operation, completed_ns)
    _SET_EXTRA(operation, extra)
    return operation
