"""Histories that other tools wrote: Jepsen's logs and EDN, and Porcupine's key-value files.

Jepsen's `:fail` is definite, and its `:info` leaves a call in doubt for ever. Where a file has no
times, the number of the line is the time.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner.history import edn
from onewinner.history.jsonl import TYPES, HistoryError, Recording, read
from onewinner.history.operation import Fail, Info, Ok, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_LOG: Final = re.compile(
    r"INFO\s+jepsen\.util - (?P<process>\S+)\s+:(?P<type>invoke|ok|fail|info)\s+:(?P<f>\S+)"
    r"(?:\s+(?P<value>.*))?$"
)
_SPEAKS: Final = re.compile(r"jepsen\.util - \d+\s+:")
_LOOKED_AT: Final = 65_536
_TEXT_BY_KEY: Final = frozenset({"get", "put", "append"})


def read_any(path: str | Path) -> Recording:
    """Read a history in any format that is known, told by its content.

    Raises HistoryError, and OSError where the file cannot be read.
    """
    with Path(path).open("rb") as file:
        head = file.read(_LOOKED_AT).decode("utf-8", "replace")
    if "jepsen.util - " in head:
        return _recorded(path, _log_events)
    if head.lstrip()[:1] in {"{", "[", "#", ";", "("} and not _is_json(head):
        return _recorded(path, _edn_events)
    return read(path)


def _is_json(head: str) -> bool:
    """Both begin with a brace; a key of JSON is in quotes, a key of EDN never is."""
    return re.match(r'\s*\{\s*("|\}\s*$)', head) is not None


def _recorded(
    path: str | Path, events_of: Callable[[str, list[str]], Iterator[tuple[int, Any]]]
) -> Recording:
    recording = Recording()
    text = Path(path).read_bytes().decode("utf-8", "replace")
    try:
        events = list(events_of(text, recording.notes))
    except edn.EdnError as error:
        raise HistoryError(str(path), 0, f"not EDN: {error}") from error
    except _BadLine as bad:
        raise HistoryError(str(path), bad.line, str(bad)) from bad
    recording.operations = _operations(str(path), events)
    return recording


class _BadLine(Exception):  # noqa: N818 - becomes a HistoryError
    """A line that is no event."""

    def __init__(self, line: int, why: str) -> None:
        self.line = line
        super().__init__(why)


def _log_events(text: str, notes: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the events of Jepsen's log, whose lines may stand among others."""
    others = 0
    for number, line in enumerate(text.splitlines(), 1):
        found = _LOG.match(line.strip())
        if found is None:
            if _SPEAKS.search(line):
                raise _BadLine(number, f"{line.strip()[:80]!r} is cut off or no event of a log")
            others += 1
            continue
        try:
            values = edn.loads(found["value"] or "nil")
        except edn.EdnError as error:
            raise _BadLine(number, f"the value is not EDN: {error}") from error
        event = {"type": found["type"], "f": found["f"], "value": values[0] if values else None}
        process = found["process"]
        yield number, {**event, "process": int(process) if process.isdigit() else process}
    if others:
        notes.append(f"{others} lines of the log are no events and were left out")


def _edn_events(text: str, _notes: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the events of a file with one map a line, or with all of them in one vector."""
    number = 0
    lines = text.splitlines()
    by_line = all(line.strip()[:1] not in {"[", "("} for line in lines[:1])
    if not by_line:
        (events,) = edn.loads(text) or [[]]
        yield from enumerate(events, 1)
        return
    for number, line in enumerate(lines, 1):
        try:
            values = edn.loads(line)
        except edn.EdnError as error:
            raise _BadLine(number, f"not EDN: {error}; write one event as a map a line") from error
        for value in values:
            yield number, value


def _operations(name: str, events: Iterable[tuple[int, Any]]) -> list[Operation]:
    open_calls: dict[int, tuple[int, int, Mapping[str, Any]]] = {}
    operations = []
    before = -(1 << 62)
    for number, event in events:
        process, kind, at = _checked(name, number, event)
        if process is None:
            continue
        if at < before:
            raise HistoryError(name, number, f"time {at} is before the event above, {before}")
        before = at
        if kind == "invoke":
            if process in open_calls:
                raise HistoryError(
                    name, number, f"process {process} makes a call while another is open"
                )
            open_calls[process] = (number, at, event)
        elif process not in open_calls:
            raise HistoryError(
                name, number, f"process {process} completes {event['f']}, which it never invoked"
            )
        else:
            _, begun, invoke = open_calls.pop(process)
            operations.append(_operation(process, begun, at, invoke, event))
    for process, (_, begun, invoke) in open_calls.items():
        operations.append(_operation(process, begun, None, invoke, {"type": "info"}))
    return sorted(operations, key=lambda each: each.invoked_ns)


def _checked(name: str, number: int, event: Any) -> tuple[int | None, str, int]:
    """Answer an event's process (None: not of a client), type and time."""
    if not isinstance(event, dict) or not {"process", "type", "f"} <= event.keys():
        raise HistoryError(name, number, "an event is a map with :process, :type and :f")
    if event["type"] not in TYPES:
        raise HistoryError(name, number, f"type {event['type']!r} is none of {', '.join(TYPES)}")
    at = event.get("time", number)
    if not isinstance(at, int):
        raise HistoryError(name, number, f"time {at!r} is no integer")
    process = event["process"]
    return (process if isinstance(process, int) else None), event["type"], at


def _operation(
    process: int, begun: int, ended: int | None, invoke: Mapping[str, Any], done: Mapping[str, Any]
) -> Operation:
    f, kind = invoke["f"], done["type"]
    value, answer = invoke.get("value"), done.get("value")
    outcome: Ok | Fail | Info
    if kind == "ok":
        outcome = Ok(answer if f in {"read", "get"} else True if f == "cas" else None)
    elif kind == "fail":
        outcome = Ok(False) if f == "cas" and done.get("error") is None else Fail(answer)
    else:
        outcome = Info(done.get("error", answer))
    if f in _TEXT_BY_KEY and "key" in invoke:
        value = (invoke["key"], value or "")
        outcome = Ok(answer or "") if f == "get" and kind == "ok" else outcome
    elif f == "read":
        value = None
    return Operation(
        process=process,
        f=f,
        value=tuple(value) if isinstance(value, list) else value,
        outcome=outcome,
        invoked_ns=begun,
        completed_ns=None if kind == "info" else ended,
    )
