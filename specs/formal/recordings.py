"""Histories as TLA+: the module `Recordings`, and which of them TLC says are admitted."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import ABSENT
from onewinner.history import Fail, Info, Ok

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onewinner.history import Operation

FOREVER: Final = 1_000_000
"""The TTL of a row that has none, in ticks: longer than any history."""

_NAMES: Final = {"register_if_absent": "claim"}
_ADMITTED: Final = re.compile(r'^<<"admitted", (\d+)>>$', re.MULTILINE)
_ASK, _TICK, _ANSWER = range(3)  # of one instant first who begins, then who ends: they overlap


def events(history: Sequence[Operation]) -> list[dict[str, Any]]:
    """Answer a history as events in the order of their times; callers and values are numbers.

    A key is called by the number in its name, so that keys keep their order.
    """
    numbers: dict[str, int] = defaultdict(lambda: len(numbers) + 1)
    found: list[tuple[int, int, int, dict[str, Any]]] = []
    callers = 0
    for each in history:
        if each.f == "advance":
            tick = {"what": "tick", "ticks": each.value["ms"]}
            found.append((each.invoked_ns, _TICK, callers, tick))
            continue
        callers += 1
        found.append((each.invoked_ns, _ASK, callers, _asked(each, callers, numbers)))
        if each.completed_ns is not None and not isinstance(each.outcome, Info):
            answer = {"what": "answer", "who": callers, **_answered(each, numbers)}
            found.append((each.completed_ns, _ANSWER, callers, answer))
    return [event for _, _, _, event in sorted(found, key=lambda each: each[:3])]


def _asked(operation: Operation, caller: int, numbers: dict[str, int]) -> dict[str, Any]:
    value, ttl = operation.value["value"], operation.value["ttl_ms"]
    return {
        "what": "ask",
        "who": caller,
        "f": _NAMES.get(operation.f, operation.f),
        "key": int(re.sub(r"\D", "", operation.value["key"])),
        "value": 0 if value is None else numbers[repr(value)],
        "ttl": FOREVER if ttl is None else ttl,
    }


def _answered(operation: Operation, numbers: dict[str, int]) -> dict[str, Any]:
    match operation.f, operation.outcome:
        case _, Fail({"code": "LIMIT_EXCEEDED"}):
            return {"word": "full", "value": 0}
        case "register_if_absent", Ok(won):
            return {"word": "won" if won else "refused", "value": 0}
        case "register", Ok():
            return {"word": "done", "value": 0}
        case "delete", Ok(gone):
            return {"word": "removed" if gone else "nothing", "value": 0}
        case "lookup" | "consume", Ok(result):
            if result is ABSENT:
                return {"word": "absent", "value": 0}
            return {"word": "found", "value": numbers[repr(result)]}
    raise ValueError(f"{operation} cannot be told to TLC; teach it to formal.recordings")


def module(histories: Iterable[Sequence[Operation]]) -> str:
    """Answer the text of the module with these histories, numbered from 1."""
    told = ",\n".join(f"<<{', '.join(map(_record, events(each)))}>>" for each in histories)
    return f"---- MODULE Recordings ----\nHistories == <<\n{told}\n>>\n====\n"


def _record(event: dict[str, Any]) -> str:
    return f"[{', '.join(f'{name} |-> {_literal(value)}' for name, value in event.items())}]"


def _literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def admitted(text: str) -> frozenset[int]:
    """Answer the numbers of the histories that TLC's output says the contract admits."""
    return frozenset(map(int, _ADMITTED.findall(text)))
