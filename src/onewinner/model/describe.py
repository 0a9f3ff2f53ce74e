"""The model in words, so that every report speaks the model's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import Absent, Change, Condition, Intent
from onewinner.contract.newer import arguments
from onewinner.model.state import Count, Listing, Many, Refused, Size, Status, Value

if TYPE_CHECKING:
    from onewinner.model.state import Answer, Call, Row, State

_LITERAL_MAX: Final = 120


def as_code(value: Any) -> str:
    """Answer an expression for `value`; what is long or has no literal is written as a formula."""
    match value:
        case str() if len(value) > _LITERAL_MAX and len(set(value)) == 1:
            return f"{value[0]!r} * {len(value)}"
        case float() if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124
            return f"float({str(value)!r})"
        case list() if value and value[0] is value:
            return "(lambda cycle: (cycle.append(cycle), cycle)[1])([])"
        case [list() as part, other] if other is part:
            return f"(lambda part: [part, part])({as_code(part)})"
        case list() if _nested(value) > 8:
            return f"__import__('functools').reduce(lambda v, _: [v], range({_nested(value)}), 0)"
        case list():
            return "[" + ", ".join(map(as_code, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{k!r}: {as_code(v)}" for k, v in value.items()) + "}"
        case Change() | Condition() | Intent():
            kind, members = type(value).__name__, ", ".join(map(as_code, value))
            return f"onewinner.{kind}({members})"
        case None | bool() | int() | float() | str() | Absent():
            return repr(value)
        case _:
            return f"{type(value).__name__}()"


def _nested(value: Any) -> int:
    depth = 0
    while isinstance(value, list) and len(value) == 1 and depth < 100_000:
        value, depth = value[0], depth + 1
    return depth


def describe_call(call: Call) -> str:
    """Answer the call as Python, without what it is called on."""
    if call.f == "open":
        options = {"default_ttl_ms": call.default_ttl_ms, "overflow_policy": call.overflow_policy}
        given = {name: value for name, value in options.items() if value is not None}
        shown = "".join(f", {name}={value!r}" for name, value in given.items())
        return f"open({call.plugin!r}, {call.namespace!r}, max_entries={call.max_entries!r}{shown})"
    by_place, by_name = arguments(call.f, call.key, call.value, call.ttl_ms, call.comparison)
    words = [*map(as_code, by_place), *(f"{name}={value!r}" for name, value in by_name.items())]
    return f"{call.f}({', '.join(words)})"


def describe_answer(answer: Answer) -> str:
    """Answer in words what the contract expects."""
    match answer:
        case Value(text):
            return text if len(text) <= 200 else f"{text[:200]}... ({len(text)} characters)"
        case Listing(rows):
            return "[" + ", ".join(map(describe_row, rows)) + "]"
        case Count(low, high):
            return f"{low}" if low == high else f"{low} to {high}"
        case Size(rows):
            return f"{rows}"
        case Many(values):
            return "[" + ", ".join(map(describe_answer, values)) + "]"
        case Status(word, None):
            return word
        case Status(word, current):
            return f"{word}, now {describe_answer(current)}"
        case Refused(code, rule):
            return f"an error with code {code} ({rule})"
        case _:
            return repr(answer)


def describe_row(row: Row) -> str:
    """Answer a row as `key=value (created..expires)`."""
    until = "never" if row.expires_at is None else row.expires_at
    return f"{row.key!r}={row.value} ({row.created_at}..{until})"


def describe_state(state: State, now: int) -> str:
    """Answer the live rows of every namespace, a line each."""
    lines = [
        f"{s.plugin!r}/{s.name}: " + (", ".join(map(describe_row, s.live(now))) or "empty")
        for s in state.spaces
    ]
    return "\n".join(lines) or "nothing was opened"
