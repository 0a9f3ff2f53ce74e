"""The compact notation of vectors, as it is written; `suite.vectors.format.expand` reads it."""

from __future__ import annotations

import math
import re
from typing import Any, Final

_LONG: Final = 80
_REPEATED: Final = re.compile(r"(.{0,40}?)(.{1,4}?)\2{15,}(.{0,40})", re.DOTALL)


def short(value: Any) -> Any:
    """Answer a value with what is long and regular in it, or is no JSON, written in short."""
    if (told := foreign(value)) is not None:
        return told
    if isinstance(value, str) and len(value) > _LONG:
        return _text(value)
    if isinstance(value, dict):
        return {name: short(member) for name, member in value.items()}
    if not isinstance(value, list | tuple):
        return value
    if len(value) > 16 and all(type(m) is type(value[0]) and m == value[0] for m in value):
        return {"$repeat": [short(value[0])], "times": len(value)}
    inside, depth = value, 0
    while isinstance(inside, list) and len(inside) == 1:
        inside, depth = inside[0], depth + 1
    if depth > 8:
        return {"$nest": short(inside), "times": depth}
    return [short(member) for member in value]


def foreign(value: Any) -> Any:
    """Answer how a value is written that JSON cannot hold as it is; None where it can.

    Two parts that are one object are such a value too.
    """
    match value:
        case float() if not math.isfinite(value):
            return {"$number": {"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity")}
        case bytes():
            return {"$bytes": value.hex()}
        case list() if any(member is value for member in value):
            return {"$cycle": "array"}
        case [list() as part, other] if other is part:
            return {"$same": short(part), "times": 2}
        case None | bool() | int() | float() | str() | list() | tuple() | dict():
            return None
    return {"$other": "object"}


def kept(value: Any) -> Any:
    """Answer a value with null in the place of all that JSON cannot hold."""
    if foreign(value) is not None:
        return None
    if isinstance(value, dict):
        return {name: kept(member) for name, member in value.items()}
    return [kept(member) for member in value] if isinstance(value, list) else value


def _text(text: str) -> Any:
    found = _REPEATED.fullmatch(text)
    if found is None:
        return text
    before, unit, after = found.groups()
    times = (len(text) - len(before) - len(after)) // len(unit)
    repeated = {"$repeat": unit, "times": times}
    parts = [part for part in (before, repeated, after) if part]
    return repeated if len(parts) == 1 else {"$join": parts}
