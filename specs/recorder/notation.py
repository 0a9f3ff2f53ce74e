"""The compact notation of vectors, as it is written; `suite.vectors.format.expand` reads it."""

from __future__ import annotations

import re
from typing import Any, Final

_LONG: Final = 80
_REPEATED: Final = re.compile(r"(.{0,40}?)(.{1,4}?)\2{15,}(.{0,40})", re.DOTALL)


def short(value: Any) -> Any:
    """Answer a JSON value with what is long and regular in it written in short."""
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


def _text(text: str) -> Any:
    found = _REPEATED.fullmatch(text)
    if found is None:
        return text
    before, unit, after = found.groups()
    times = (len(text) - len(before) - len(after)) // len(unit)
    repeated = {"$repeat": unit, "times": times}
    parts = [part for part in (before, repeated, after) if part]
    return repeated if len(parts) == 1 else {"$join": parts}
