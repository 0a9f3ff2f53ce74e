"""Values: what is JSON, what counts as equal, how large and how deep a value is (contract 5).

This module serves the model and the judges. The reference stores do not import it: they are
written on their own, so that the two judge each other.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

_UNKEEPABLE: Final = re.compile("[\0\ud800-\udfff]")


def canonical(value: Any) -> str:
    """Answer one text for all spellings of a JSON value (READ-7).

    Members are sorted, integral floats are written as integers, and nothing is escaped that need
    not be, so that two values are equal as JSON iff their canonical texts are equal. The text is
    hashable and shares nothing with the value, so the model can keep it as the row's value.
    """
    return json.dumps(
        _normal(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def _normal(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _normal(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(member) for member in value]
    return value


def is_json(value: Any) -> bool:
    """Tell whether `value` is plain JSON: no cycle, finite numbers, text keys (INPUT-7)."""
    return _is_json(value, frozenset())


def _is_json(value: Any, above: frozenset[int]) -> bool:
    match value:
        case None | bool() | int() | str():
            return True
        case float():
            return math.isfinite(value)
        case list() | tuple():
            members, keys = list(value), []
        case dict():
            members, keys = list(value.values()), list(value)
        case _:
            return False
    if id(value) in above or not all(isinstance(key, str) for key in keys):
        return False
    below = above | {id(value)}
    return all(_is_json(member, below) for member in members)


def size_bytes(value: Any) -> int:
    """Answer the value's size as compact UTF-8 JSON; a lone surrogate counts as three bytes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))


def containers_deep(value: Any) -> int:
    """Answer how many arrays and objects enclose the deepest place, itself included."""
    if isinstance(value, dict):
        return 1 + max(map(containers_deep, value.values()), default=0)
    if isinstance(value, list | tuple):
        return 1 + max(map(containers_deep, value), default=0)
    return 0


def levels_deep(value: Any) -> int:
    """Answer the level of the deepest value, the root's being 0 (the released store's count)."""
    if isinstance(value, dict | list | tuple) and value:
        members = value.values() if isinstance(value, dict) else value
        return 1 + max(map(levels_deep, members))
    return 0


def has_unkeepable_text(text: str) -> bool:
    """Tell whether a store may refuse this text: it holds a NUL or a lone surrogate (INPUT-10)."""
    return _UNKEEPABLE.search(text) is not None


def utf16(text: str) -> bytes:
    """Answer what a text is sorted by where code units of UTF-16 are compared.

    That is the order of code points but above U+FFFF, whose surrogates come before U+E000. Keys may
    be in either order ("Ties in age").
    """
    return text.encode("utf-16-be", "surrogatepass")
