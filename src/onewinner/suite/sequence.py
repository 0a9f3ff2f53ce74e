"""A program that was driven against a store, as a history of one process that can be judged again.

Its times count the calls: `extra["now"]` is the store's time, virtual or logical.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onewinner.contract import Absent, Entry
from onewinner.history import Fail, Info, Ok, Operation
from onewinner.model import (
    Call,
    Listing,
    Many,
    Status,
    Value,
    describe_call,
    describe_state,
)
from onewinner.model.describe import as_code
from onewinner.suite.answers import Broken, Raised, describe_observed
from onewinner.suite.orders import observed
from onewinner.suite.timeline import Bar, Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.history import Outcome
    from onewinner.model import State
    from onewinner.suite.answers import Observed

JUDGE: Final = "sequence"
REOPENED: Final = Call(f="reopen")
"""Stands for this: all handles were closed, and what was opened has to be opened again."""

UNKEPT: Final = "unkept"
"""The member of `extra` that says that an argument is no JSON, and stands there as code."""

_DRAWN_MOST: Final = 60
_ROWS_MOST: Final = 30
_TOLD_MOST: Final = 2_000


class Made(NamedTuple):
    """One call that was made, what was seen, the store's time, and the model's states around it."""

    call: Call
    seen: Observed
    now: int
    before: State
    after: State


def operations_of(made: Sequence[Made]) -> tuple[Operation, ...]:
    """Answer the calls as operations of one process, one after the other."""
    return tuple(_operation(number, each) for number, each in enumerate(made))


def timeline(made: Sequence[Made], start_ms: int) -> Timeline:
    """Answer how the program is drawn: its last calls, the last of which nothing explains."""
    shown = list(enumerate(made))[-_DRAWN_MOST:]
    return Timeline(
        bars=tuple(
            Bar(
                process="p0",
                call=_short(describe_call(each.call)),
                answer=_short(describe_observed(each.seen)),
                kind="fail" if isinstance(each.seen, Raised) else "ok",
                begun_ns=2 * number,
                ended_ns=2 * number + 1,
                at=f"{each.now - start_ms:+} ms",
                wrong=number == len(made) - 1,
                before=_short(rows(each.before, each.call, each.now), _TOLD_MOST),
                after=_after(each) if number < len(made) - 1 else "",
            )
            for number, each in shown
        ),
        axis="order",
    )


def rows(state: State, call: Call, now: int) -> str:
    """Answer the model's rows, only those of the namespace that the call was made on if many."""
    here = state.space(call.plugin, str(call.namespace))
    if here is not None and sum(len(space.rows) for space in state.spaces) > _ROWS_MOST:
        state = replace(state, spaces=(here.having(here.rows[:_ROWS_MOST]),))
    return describe_state(state, now)


def _after(made: Made) -> str:
    return _short(rows(made.after, made.call, made.now), _TOLD_MOST)


def _short(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


def _operation(number: int, made: Made) -> Operation:
    value, unkept = _arguments(made.call)
    extra: dict[str, Any] = {"phase": "step", "now": made.now}
    if made.call.noted is not None:
        extra["noted"] = made.call.noted
    if unkept:
        extra[UNKEPT] = True
    return Operation(
        process=0,
        f=made.call.f,
        value=value,
        outcome=_outcome(made.call, made.seen),
        invoked_ns=2 * number,
        completed_ns=2 * number + 1,
        extra=extra,
    )


_ARGUMENTS: Final = (
    "plugin", "namespace", "key", "value", "ttl_ms", "max_entries", "default_ttl_ms",
    "overflow_policy", "comparison",
)  # fmt: skip


def _arguments(call: Call) -> tuple[dict[str, Any], bool]:
    """Answer the arguments as JSON, and whether one had to be written as code."""
    given = {name: getattr(call, name) for name in _ARGUMENTS}
    kept = {name: value for name, value in given.items() if value is None or _is_plain(value)}
    code = {name: as_code(value) for name, value in given.items() if name not in kept}
    return {**kept, **code}, bool(code)


def _is_plain(value: Any) -> bool:
    """Tell whether JSON gives a value back as it was."""
    try:
        text = json.dumps(value, allow_nan=False)
        return bool(_same(json.loads(text), value))
    except (TypeError, ValueError, RecursionError):
        return False


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other and repr(one) == repr(other)


def _outcome(call: Call, seen: Observed) -> Outcome:
    match seen:
        case Value() | Absent() if call.f == "observe":
            return Ok({"value": _sought(seen), "comparison": call.noted or ""})
        case Raised(code, operation, message):
            return Fail({"code": code, "operation": operation, "message": message})
        case Broken(text):
            return Info(text)
        case Value(text):
            return Ok(json.loads(text))
        case Listing(rows):
            entries = (Entry(r.key, json.loads(r.value), r.created_at, r.expires_at) for r in rows)
            return Ok(tuple(entries))
        case Many(values):
            return Ok([_sought(each) for each in values])
        case Status(word, current):
            told = None if current is None else {"value": _sought(current), "comparison": ""}
            return Ok({"status": word, "with": "", "current": told})
    return Ok(seen)


def _sought(value: Value | Absent) -> list[Any]:
    return [] if isinstance(value, Absent) else [json.loads(value.text)]


def observed_of(operation: Operation) -> Observed:
    """Answer what was seen of a call, from the operation that it was written as."""
    if operation.f == "lookup_many" and operation.outcome == Ok(()):
        operation = replace(operation, outcome=Ok([]))  # in a file no row looks like no listing
    return observed(operation)


def call_of(operation: Operation) -> Call:
    """Answer the call that an operation was written from."""
    return Call(f=operation.f, **operation.value, noted=operation.extra.get("noted"))
