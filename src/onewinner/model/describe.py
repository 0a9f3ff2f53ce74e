"""The model in words, so that every report speaks the model's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import Absent
from onewinner.model.state import Count, Listing, Refused, Value

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
    match call.f:
        case "open":
            ttl = "" if call.default_ttl_ms is None else f", default_ttl_ms={call.default_ttl_ms!r}"
            return (
                f"open({call.plugin!r}, {call.namespace!r}, max_entries={call.max_entries!r}{ttl})"
            )
        case "register" | "register_if_absent":
            ttl = "" if call.ttl_ms is None else f", ttl_ms={call.ttl_ms!r}"
            return f"{call.f}({as_code(call.key)}, {as_code(call.value)}{ttl})"
        case "entries" | "clear" | "sweep_expired":
            return f"{call.f}()"
        case _:
            return f"{call.f}({as_code(call.key)})"


def describe_answer(answer: Answer) -> str:
    """Answer in words what the contract expects."""
    match answer:
        case Value(text):
            return text if len(text) <= 200 else f"{text[:200]}... ({len(text)} characters)"
        case Listing(rows):
            return "[" + ", ".join(map(describe_row, rows)) + "]"
        case Count(low, high):
            return f"{low}" if low == high else f"{low} to {high}"
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
