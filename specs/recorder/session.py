"""A session that writes down what a case does; it has no store, and is answered by the model."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from onewinner.adapters.targets import Target
from onewinner.contract.newer import WRITES
from onewinner.contract.values import containers_deep, is_json
from onewinner.model import Call, Refused, outcomes
from onewinner.suite.answers import Raised
from onewinner.suite.script import Step
from onewinner.suite.session import Session
from onewinner.suite.vectors.format import VALUES, camel
from recorder.expected import filled
from recorder.notation import kept, short

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.contract import Capabilities
    from onewinner.suite.handle import Handle

AMPLE: Final = 1_000_000
"""A `maxEntries` that no vector ever fills."""

_EXACT: Final = 2**53 - 1
_KEYED: Final = frozenset(
    {"register", "register_if_absent", "lookup", "consume", "delete", "observe"}
    | {"delete_if_equal", "delete_if", "update", "compare_and_apply"}
)


class _Nowhere:
    """In the place of a connection and of a handle: its methods are taken and never called."""

    def __getattr__(self, name: str) -> None:
        return None


class Recorder(Session):
    """A session whose calls become the steps of `program`; what JSON cannot hold is left out.

    With `by_cap` the number of rows that are filled in counts from the row cap, so that the
    program is the same for every cap. With `apart` no two writes of a namespace are of one
    millisecond, so that it does not matter what a store makes of that.
    """

    def __init__(self, capabilities: Capabilities, *, by_cap: bool, apart: bool) -> None:
        self.program: list[dict[str, Any]] = []
        self.by_cap = by_cap
        self.apart = apart
        self.observed = 0
        self.bulky: set[str] = set()
        self.written: dict[tuple[str, str], int] = {}
        super().__init__(Target("recorder"), capabilities, "")

    def try_open(self, *place: Any, max_entries: Any = 100, **options: Any) -> Handle | None:
        """Open a namespace; twice the cap stands for more than is ever filled in."""
        if self.by_cap and max_entries == 2 * self._cap():
            max_entries = AMPLE
        return super().try_open(*place, max_entries=max_entries, **options)

    def disconnect(self, number: int) -> None:
        """Close one connection."""
        self._record({"op": "close", "on": f"c{number + 1}"})

    def reopen(self) -> None:
        """Close every connection and connect anew."""
        super().reopen()
        self._record({"op": "reopen"})

    def fill(
        self, handle: Handle, count: int, prefix: str = "fill", ttl_ms: int | None = None
    ) -> None:
        """Register rows whose keys sort as they age; one step."""
        by_cap = self.by_cap and count > self._cap() // 2
        counted = {"$cap": count - self._cap()} if by_cap else count
        self.bulky |= {handle.name} if by_cap else set()
        step = {"op": "fill", "on": handle.name, "count": counted, "prefix": prefix}
        if ttl_ms is not None:
            step["ttlMs"] = ttl_ms
        self._record(step)
        place = (handle.plugin, handle.namespace)
        (self.state,) = filled(self._rules, [self.state], step, place, self.now, self._cap())

    def note(self, code: str) -> None:
        """Keep that the caller changed an object; whatever else is noted is a step by itself."""
        if "the caller then changed" in code:
            self.program[-1]["spoil"] = True

    def step(
        self, call: Call, make: Callable[[], Any], *, on: str, assign: str = ""
    ) -> tuple[Any, Any]:
        """Write a call down, and answer what the model has as the usual outcome."""
        del make
        if call.f in WRITES:
            self._write_apart((call.plugin, call.namespace.strip()))
        call = replace(call, noted=f"o{self.observed + 1}") if call.f == "observe" else call
        answer, after = outcomes(self._rules, self.state, call, self.now)[0]
        long = call.f == "entries" and on in self.bulky
        if not long and _can_be_written(call):
            self.observed += call.f == "observe"
            self._record(_step(call, on, assign))
            self.state = after
        if assign:
            self.steps.append(Step(f"{assign} = backend", "", self.now))
        if isinstance(answer, Refused):
            return Raised(answer.code, call.f, ""), None
        return answer, _Nowhere() if assign else None

    def _connect(self) -> None:
        self._backends.append(_Nowhere())
        if len(self._backends) > 1:
            self._record({"op": "connect", "as": f"c{len(self._backends)}"})

    def _record(self, step: dict[str, Any]) -> None:
        self.program.append({"at": self.now - self.start_ms, **step})

    def _write_apart(self, place: tuple[str, str]) -> None:
        if self.apart and self.written.get(place) == self.now:
            self.tick()
        self.written[place] = self.now

    def _cap(self) -> int:
        cap = self.capabilities.limits.plugin_row_cap
        assert cap is not None
        return cap


def _step(call: Call, on: str, assign: str) -> dict[str, Any]:
    where = f"c{on.removeprefix('backend') or 1}" if on.startswith("backend") else on
    step: dict[str, Any] = {"op": camel(call.f), "on": where}
    if call.f == "open":
        options = {"defaultTtlMs": call.default_ttl_ms, "overflowPolicy": call.overflow_policy}
        step |= {"as": assign, "plugin": call.plugin, "namespace": short(call.namespace)}
        step["maxEntries"] = call.max_entries
        return step | {name: value for name, value in options.items() if value is not None}
    if call.f == "observe":
        step["as"] = call.noted
    if call.f in _KEYED:
        step["key"] = short(call.key)
    if call.f == "compare_and_apply":
        made_up = not str(call.comparison).startswith("o")
        step["comparison"] = call.comparison if made_up else {"of": call.comparison}
    if call.f in VALUES:
        step[VALUES[call.f]] = short(call.value)
    if call.ttl_ms is not None:
        step["ttlMs"] = call.ttl_ms
    return step


def _can_be_written(call: Call) -> bool:
    """Tell whether a vector can hold a call, in every language and without pages of text."""
    options = (call.max_entries, call.default_ttl_ms, call.overflow_policy)
    try:
        given = [call.plugin, call.namespace, call.key, kept(call.value), call.ttl_ms, *options]
        if not is_json(given) or containers_deep(given) > 100:
            return False
        return all(map(_fits, _members(given))) and len(json.dumps(short(given))) < 6_000
    except RecursionError:
        return False


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *(m for member in value.values() for m in _members(member))]
    if isinstance(value, list):
        return [m for member in value for m in _members(member)]
    return [value]


def _fits(value: Any) -> bool:
    return not isinstance(value, int) or abs(value) <= _EXACT
