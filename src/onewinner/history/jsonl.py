"""Histories on disk: JSON Lines, one event a line (`specs/history.md`).

An operation is two events of one process, its `invoke` and its completion (`ok`, `fail` or `info`);
an invoke without completion never returned. Events stand in the order of their times.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from onewinner.contract import ABSENT, Entry
from onewinner.history.operation import Fail, Info, Ok, Operation, made

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TYPES: Final = ("invoke", "ok", "fail", "info")
_NEWLINE: Final = ord("\n")
CLOCK: Final = "clock"
"""The process whose one event says how far two clocks may be apart."""


class HistoryError(Exception):
    """A file is not a history: the file, the line, what is wrong, and what would be right."""

    def __init__(self, path: str, line: int, why: str) -> None:
        self.path = path
        self.line = line
        super().__init__(f"{path}:{line}: {why}")


@dataclass(slots=True)
class Recording:
    """A history with what was remarked when it was read (a torn last line).

    `eps_ms` is how far the store's clock may be off the history's, None where the file says
    nothing of it. `remarks` are what somebody did who is no client.
    """

    operations: list[Operation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    eps_ms: int | None = None
    remarks: list[Remark] = field(default_factory=list)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def __len__(self) -> int:
        return len(self.operations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What somebody did who is no client, a nemesis for example; `process` is its name."""

    process: str
    f: str
    value: Any
    time_ns: int


def write(
    path: str | Path,
    operations: Iterable[Operation],
    *,
    eps_ms: int | None = None,
    remarks: Iterable[Remark] = (),
) -> None:
    """Write a history; events are put in the order of their times, calls before returns.

    `eps_ms`: how far the clock of the store may be off that of the times, for whoever judges TTLs.
    `remarks` stand among the events, and readers pass over them.
    """
    events: list[tuple[int, int, dict[str, Any]]] = []
    for operation in operations:
        events.append((operation.invoked_ns, 0, _invoke(operation)))
        completion = _completion(operation)
        if completion is not None:
            events.append((completion["time_ns"], 1, completion))
    for each in remarks:
        told = {"type": "info", "process": each.process, "f": each.f, "value": each.value}
        events.append((each.time_ns, 0, {**told, "time_ns": each.time_ns}))
    events.sort(key=lambda event: event[:2])
    if eps_ms is not None:
        first_ns = events[0][0] if events else 0
        clock = {"type": "info", "process": CLOCK, "f": "eps", "value": {"eps_ms": eps_ms}}
        events.insert(0, (first_ns, 0, {**clock, "time_ns": first_ns}))
    lines = (
        json.dumps({"index": index, **event}, separators=(",", ":")) + "\n"
        for index, (_, _, event) in enumerate(events)
    )
    with Path(path).open("w", encoding="utf-8") as file:
        file.writelines(lines)


def _invoke(operation: Operation) -> dict[str, Any]:
    event = {
        "type": "invoke",
        "process": operation.process,
        "f": operation.f,
        "value": operation.value,
        "time_ns": operation.invoked_ns,
    }
    if operation.extra:
        event["extra"] = {
            name: value
            for name, value in operation.extra.items()
            if isinstance(value, bool | int | float | str)
        }
    return event


def _completion(operation: Operation) -> dict[str, Any] | None:
    """Answer the completing event; None where the call never returned and nothing is known."""
    event: dict[str, Any] = {"process": operation.process, "f": operation.f}
    match operation.outcome:
        case Ok(result) if operation.completed_ns is not None:
            event |= {"type": "ok", **encoded(result)}
        case Fail(error):
            event |= {"type": "fail", "error": error}
        case Info(reason) if operation.completed_ns is not None:
            event |= {"type": "info", "error": reason, "bounded": True}
        case _:
            return None
    returned = operation.completed_ns
    event["time_ns"] = operation.invoked_ns if returned is None else returned
    return event


def encoded(result: Any) -> dict[str, Any]:
    """Answer the fields in which a completing event tells the result of an operation."""
    if result is ABSENT:
        return {"absent": True}
    if isinstance(result, list | tuple) and all(isinstance(each, Entry) for each in result):
        rows = [[each.key, each.value, each.created_at, each.expires_at] for each in result]
        return {"entries": rows}
    return {"value": result}


def read(path: str | Path) -> Recording:
    """Read a whole history. Raises HistoryError, and OSError where the file cannot be read."""
    reader = Reader(path)
    operations = sorted(reader, key=lambda operation: operation.invoked_ns)
    return Recording(operations, reader.notes, reader.eps_ms, reader.remarks)


def stream(path: str | Path, *, notes: list[str] | None = None) -> Iterator[Operation]:
    """Answer the operations of a history one by one; see `Reader`."""
    reader = Reader(path)
    if notes is not None:
        reader.notes = notes
    yield from reader


class Reader:
    """Reads a history operation by operation, in the order in which they completed.

    What never completed comes last. A torn last line (a writer that was killed) is left out and
    remarked in `notes`. Iterating raises HistoryError for any other line that is no event, for a
    completion without invoke, for a process with two open calls, and for times that go backwards.
    """

    def __init__(self, path: str | Path) -> None:
        self.notes: list[str] = []
        self.eps_ms: int | None = None
        self.remarks: list[Remark] = []
        self._path = Path(path)
        self._name = str(path)
        self._open: dict[Any, tuple[int, Mapping[str, Any]]] = {}
        self._now_ns = -(1 << 62)

    @property
    def before_ns(self) -> int:
        """All operations that are still to come were invoked at this time or later."""
        for _, invoke in self._open.values():  # they stand in the order of their times
            time_ns: int = invoke["time_ns"]
            return time_ns
        return self._now_ns

    def __iter__(self) -> Iterator[Operation]:
        scan = msgspec.json.Decoder().decode
        calls = self._open
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    event = scan(line)
                    kind, process, time_ns = event["type"], event["process"], event["time_ns"]
                    plain = line[-1] == _NEWLINE and kind in TYPES and type(time_ns) is int
                except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
                    plain = False
                if not plain:  # said elsewhere, for this loop is run millions of times
                    event = self._looked_at(number, line)
                    if event is None:
                        continue
                    kind, process, time_ns = event["type"], event["process"], event["time_ns"]
                if time_ns < self._now_ns:
                    self._backwards(number, time_ns)
                self._now_ns = time_ns
                if type(process) is not int:
                    self._remark(event)
                elif kind != "invoke":
                    yield self._complete(number, event)
                elif process in calls or type(event.get("f")) is not str:
                    self._refuse(number, event)
                else:
                    calls[process] = (number, event)
        yield from self._left()

    def _left(self) -> Iterator[Operation]:
        """Yield the calls that never returned."""
        left = list(self._open.values())
        self._open.clear()
        self._now_ns = min([self._now_ns, *(invoke["time_ns"] for _, invoke in left)])
        for _, invoke in left:
            yield _operation(invoke, None)

    def _looked_at(self, number: int, line: bytes) -> Any:
        """Answer the event of a line that is not written as most are; None where there is none."""
        if line.isspace():
            return None
        try:
            event = json.loads(line.decode())
        except ValueError as error:
            if not line.endswith(b"\n"):
                self.notes.append(f"line {number} is torn and was left out: its writer was killed")
                return None
            why = f"not JSON ({error}); write one event as an object a line"
            raise HistoryError(self._name, number, why) from error
        known = isinstance(event, dict) and event.get("type") in TYPES and "process" in event
        if not known or type(event.get("time_ns")) is not int:
            _complain(self._name, number, event)
        return event

    def _backwards(self, number: int, time_ns: int) -> NoReturn:
        raise HistoryError(
            self._name,
            number,
            f"time_ns {time_ns} is before the line above, {self._now_ns}; "
            "write events in the order of their times",
        )

    def _refuse(self, number: int, event: Mapping[str, Any]) -> NoReturn:
        """Say what is wrong with an invoke."""
        process, f = event["process"], event.get("f")
        if not isinstance(f, str):
            why = f"an invoke names its operation in f, not {f!r}"
        else:
            why = (
                f"process {process} calls {f} while its call of line {self._open[process][0]} "
                "is open; a process makes one call at a time"
            )
        raise HistoryError(self._name, number, why)

    def _remark(self, event: Mapping[str, Any]) -> None:
        value = event.get("value")
        if event["process"] == CLOCK and isinstance(value, dict):
            eps_ms = value.get("eps_ms")
            self.eps_ms = eps_ms if type(eps_ms) is int else None
            return
        process, f = str(event["process"]), str(event.get("f"))
        self.remarks.append(Remark(process=process, f=f, value=value, time_ns=event["time_ns"]))

    def _complete(self, number: int, event: Mapping[str, Any]) -> Operation:
        process = event["process"]
        if process not in self._open:
            raise HistoryError(
                self._name,
                number,
                f"process {process} completes {event.get('f')}, which it never invoked",
            )
        return _operation(self._open.pop(process)[1], event)


def _complain(name: str, number: int, event: Any) -> NoReturn:
    """Say what is wrong with an event."""
    if not isinstance(event, dict):
        raise HistoryError(name, number, f"an event is an object, not {type(event).__name__}")
    lacking = [key for key in ("type", "process", "time_ns") if key not in event]
    if lacking:
        raise HistoryError(name, number, f"the event lacks {', '.join(lacking)}")
    if event["type"] not in TYPES:
        raise HistoryError(name, number, f"type {event['type']!r} is none of {', '.join(TYPES)}")
    raise HistoryError(name, number, f"time_ns is {event['time_ns']!r}, not an integer")


def _operation(invoke: Mapping[str, Any], completion: Mapping[str, Any] | None) -> Operation:
    outcome: Ok | Fail | Info
    completed: int | None = None
    if completion is None:
        outcome = _LOST
    else:
        kind, completed = completion["type"], completion["time_ns"]
        if kind == "ok":
            outcome = _ok(completion)
        elif kind == "fail":
            outcome = Fail(completion.get("error"))
        else:
            outcome = Info(completion.get("error"))
            completed = completed if completion.get("bounded") else None
    return made(
        invoke["process"],
        invoke["f"],
        invoke.get("value"),
        outcome,
        invoke["time_ns"],
        completed,
        invoke.get("extra", _NOTHING),
    )


def _ok(completion: Mapping[str, Any]) -> Ok:
    if "value" in completion:
        value = completion["value"]
        if value is True:
            return _TRUE
        return _FALSE if value is False else Ok(value)
    if completion.get("absent"):
        return _ABSENT
    if "entries" in completion:
        return Ok(tuple(Entry(*row) for row in completion["entries"]))
    return Ok()


_TRUE, _FALSE, _ABSENT = Ok(True), Ok(False), Ok(ABSENT)
_LOST: Final = Info("it never returned")
_NOTHING: Final[Mapping[str, Any]] = {}
