"""Scripts: a program that was driven against a store, as Python that a person can paste."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from onewinner.contract import Absent
from onewinner.model import (
    Count,
    Listing,
    Many,
    Refused,
    Size,
    Status,
    Value,
    as_code,
    describe_call,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.adapters.targets import Target
    from onewinner.model import Answer, Call


_IMPORTS: Final = {
    "directory": "import tempfile",
    "address": "import contextlib",
    "server": "from onewinner.suite.servers import ephemeral",
}
_LOCATIONS: Final = {
    "directory": "tempfile.TemporaryDirectory()",
    "address": "contextlib.nullcontext({address!r})",
    "server": "ephemeral({target!r})",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a program: the statement, what was seen, and when (virtual or logical ms)."""

    code: str
    seen: str
    at_ms: int


class Names:
    """The names of what a program observed, by the comparison that each came with."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def statement(self, call: Call, on: str) -> str:
        """Answer a call as Python; a comparison is that of the observation which it came from."""
        name = self._of.get(call.comparison or "")
        if name is None:
            return f"{on}.{describe_call(call)}"
        shown = describe_call(replace(call, comparison=""))
        return f"{on}.{shown.replace(repr(''), f'{name}.comparison', 1)}"

    def observed(self, call: Call) -> str:
        """Answer a name for what a call observed, none where it did not."""
        if call.f != "observe" or call.noted is None:
            return ""
        self._of[call.noted] = name = f"seen{len(self._of) + 1}"
        return name


def tolerant(code: str) -> str:
    """Answer a statement that goes on after the error that was seen, as the program did."""
    return f"try:\n    {code}\nexcept onewinner.StoreError:\n    pass"


def assertion(statement: str, expected: Sequence[Answer], *, exact: bool) -> str:
    """Answer a statement that fails where the store answers anything but `expected`."""
    refused = [answer.code for answer in expected if isinstance(answer, Refused)]
    if len(refused) == len(expected):
        return (
            f"try:\n    {statement}\nexcept onewinner.StoreError as error:\n"
            f"    assert error.code in {refused}, error\n"
            f'else:\n    raise AssertionError("accepted, where {refused[0]} was due")'
        )
    plain = [answer for answer in expected if not isinstance(answer, Refused)]
    if ".observe(" in statement:
        statement = f"{statement}.value"
    match plain[0]:
        case Listing(rows) if exact:
            wanted = [(r.key, json.loads(r.value), r.created_at, r.expires_at) for r in rows]
            seen = f"[(e.key, e.value, e.created_at, e.expires_at) for e in {statement}]"
            return f"seen = {seen}\nassert seen == {wanted!r}, seen"
        case Listing(rows):
            wanted_keys = {r.key: json.loads(r.value) for r in rows}
            return (
                f"seen = {{e.key: e.value for e in {statement}}}\n"
                f"assert seen == {wanted_keys!r}, seen"
            )
        case Value(text):
            return f"seen = {statement}\nassert seen == {as_code(json.loads(text))}, seen"
        case Size(rows):
            return f"seen = {statement}\nassert seen == {rows}, seen"
        case Many(values):
            wanted_each = ", ".join(map(_literal, values))
            return f"seen = {statement}\nassert seen == [{wanted_each}], seen"
        case Status():
            words = sorted({answer.word for answer in plain if isinstance(answer, Status)})
            return f"seen = {statement}\nassert seen.status in {words!r}, seen"
        case Count(low, high):
            return f"seen = {statement}\nassert {low} <= seen <= {high}, seen"
        case Absent():
            return f"seen = {statement}\nassert seen is onewinner.ABSENT, seen"
        case _ if len(plain) > 1:
            return f"seen = {statement}\nassert seen in {plain!r}, seen"
        case _:
            return f"seen = {statement}\nassert seen is {plain[0]!r}, seen"


def _literal(value: Value | Absent) -> str:
    return "onewinner.ABSENT" if isinstance(value, Absent) else as_code(json.loads(value.text))


def program(target: Target, steps: Sequence[Step], last: str, *, start_ms: int | None) -> str:
    """Answer the whole program: set-up, the steps with what was seen, and the failing assertion."""
    clock = "onewinner.SystemClock()" if start_ms is None else f"onewinner.ManualClock({start_ms})"
    where = "directory" if target.address is None else "address"
    where = "server" if target.started else where
    made = _LOCATIONS[where].format(target=target.name, address=target.address)
    lines = [
        _IMPORTS[where],
        "",
        "import onewinner",
        "from onewinner.adapters.targets import resolve",
        "",
        f"connect = resolve({target.name!r})",
        f"clock = {clock}",
        f"with {made} as location:",
        "    backend = connect(location, clock=clock)",
    ]
    for step in steps:
        body = step.code.splitlines()
        lines += [f"    {line}" for line in body]
        if step.seen:
            lines[-1] += f"  # {step.seen}"
    lines += [f"    {line}" for line in last.splitlines()]
    return "\n".join(lines) + "\n"
