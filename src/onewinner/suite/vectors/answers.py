"""Answers as plain JSON: what vectors hold, what a store is seen to answer, and what agrees."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from onewinner.contract import Absent
from onewinner.contract.values import canonical, utf16
from onewinner.model import Count, Listing, Many, Refused, Row, Size, Status, Value
from onewinner.suite.answers import Broken, Raised, agrees_in_real_time

if TYPE_CHECKING:
    from onewinner.model import Answer
    from onewinner.suite.answers import Observed


def plain(seen: Observed | Answer, start_ms: int) -> Any:
    """Answer in JSON what a store was seen to do; times count from `start_ms`.

    What no store may answer becomes an object that stands in no vector.
    """
    match seen:
        case Raised(code, _, _) | Refused(code, _):
            return {"error": code}
        case Broken(text):
            return {"wrong": text}
        case Absent():
            return {"absent": True}
        case Value(text):
            return {"value": json.loads(text)}
        case Many(values):
            return [plain(value, start_ms) for value in values]
        case Status(word, None):
            return {"status": word}
        case Status(word, current):
            return {"status": word, "current": plain(current, start_ms)}
        case Listing(rows):
            return [_row(row, start_ms) for row in rows]
        case Size(rows):
            return rows
    return seen


def allowed(answer: Answer, start_ms: int) -> list[Any]:
    """Answer in JSON all that one answer of the model stands for.

    A sweep may count more or less, and a listing may be in either order of keys (`READ-4`).
    """
    if isinstance(answer, Count):
        return list(range(answer.low, answer.high + 1))
    found = [plain(answer, start_ms)]
    if isinstance(answer, Listing):
        rows = sorted(answer.rows, key=lambda row: (row.created_at, utf16(row.key)))
        if tuple(rows) != answer.rows:
            found.append(plain(Listing(tuple(rows)), start_ms))
    return found


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON: `1` is `1.0`, and not `true`."""
    try:
        return canonical(one) == canonical(other)
    except (RecursionError, TypeError, ValueError):
        return False  # an adapter listed what is no JSON


def lists_as(wanted: list[Any], seen: Listing, unit_ms: int) -> bool:
    """Tell whether a listing has the wanted rows and lives, where the store keeps its own time."""
    rows = tuple(Row(key, canonical(value), born, ends) for key, value, born, ends in wanted)
    return agrees_in_real_time(Listing(rows), seen, unit_ms)


def _row(row: Row, start_ms: int) -> list[Any]:
    times = (row.created_at, row.expires_at)
    since = [time - start_ms if isinstance(time, int) else time for time in times]
    return [row.key, json.loads(row.value), *since]
