"""A vector played on a target, up to the first step that is answered as it must not be."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from onewinner.clock import ManualClock, SystemClock, sleep
from onewinner.contract import StoreError
from onewinner.contract.newer import arguments
from onewinner.model import Listing
from onewinner.suite.answers import Broken, Raised, names_its_operation, noted, observe
from onewinner.suite.handle import ruin
from onewinner.suite.vectors.answers import lists_as, plain, same
from onewinner.suite.vectors.format import READERS, VALUES, expand, snake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.suite.answers import Observed
    from onewinner.suite.vectors.format import Vector

FIRST: Final = "c1"
"""The connection that is there when a vector begins, and after each `reopen`."""

_TICK_S: Final = 0.002
_UNSAID: Final = frozenset({"at", "op", "on", "as", "answers", "names", "spoil"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first step that was answered as it must not be.

    `step` counts from 1, `at_ms` is the vector's time; `allowed` is what it may be answered, and
    `seen` what it was, all in the words of the vector.
    """

    step: int
    call: str
    at_ms: int
    allowed: tuple[str, ...]
    seen: str


def play(
    vector: Vector,
    target: Target,
    capabilities: Capabilities,
    location: str,
    *,
    tag: str = "",
    on_step: Callable[[int], None] = lambda _: None,
) -> Difference | None:
    """Play a vector on a location in which nothing of it is yet; None where all is as it must be.

    `tag` is put behind each plugin's id where others use the location too. `on_step` is told the
    number of each step before it is made.
    """
    with contextlib.closing(_Play(vector, target, capabilities, location, tag)) as played:
        for number, step in enumerate(vector.steps, 1):
            on_step(number)
            played.wait_until(step["at"])
            if played.passes_over(step):
                continue
            seen, right = played.judged(step)
            if not right:
                return Difference(
                    step=number,
                    call=describe(step),
                    at_ms=step["at"],
                    allowed=tuple(map(_text, step["answers"])),
                    seen=_text(plain(seen, vector.start_ms)) + _named(step, seen),
                )
    return None


@dataclass(slots=True)
class _Play:
    """A vector under way: its connections and handles by name, and what was observed."""

    vector: Vector
    target: Target
    capabilities: Capabilities
    location: str
    tag: str
    handles: dict[str, Any] = field(default_factory=dict)
    comparisons: dict[str, str] = field(default_factory=dict)
    clock: ManualClock | None = None
    at_ms: int = 0

    def __post_init__(self) -> None:
        if self.capabilities.virtual_clock:
            self.clock = ManualClock(self.vector.start_ms)
        self._connect(FIRST)

    def close(self) -> None:
        """Close all that is open; what a store raises here is its own affair."""
        for backend in self._connections():
            observe("close", backend.close)
        self.handles.clear()

    def wait_until(self, at_ms: int) -> None:
        """Move virtual time; a store that keeps its own gets a moment for each step forward."""
        if self.clock is not None:
            self.clock.advance(at_ms - self.at_ms)
        elif at_ms > self.at_ms:
            sleep(_TICK_S)
        self.at_ms = at_ms

    def passes_over(self, step: Mapping[str, Any]) -> bool:
        """Tell whether a step is on a handle that was refused, or a look that the store lacks."""
        f = snake(step["op"])
        if f in READERS and f not in self.capabilities.operations:
            return True
        return "on" in step and step["on"] not in self.handles

    def judged(self, step: Mapping[str, Any]) -> tuple[Observed, bool]:
        """Make a step and tell whether it was answered as it may be."""
        f = snake(step["op"])
        seen = self._made(f, step)
        if isinstance(seen, Raised) and "names" in step and not names_its_operation(f, seen):
            return seen, False
        may_be = expand(step["answers"], self.capabilities.limits.plugin_row_cap)
        if isinstance(seen, Listing) and self.clock is None:
            unit_ms = self.capabilities.ttl_unit_ms or 1
            rows = [each for each in may_be if isinstance(each, list)]
            return seen, any(lists_as(each, seen, unit_ms) for each in rows)
        got = plain(seen, self.vector.start_ms)
        return seen, any(same(got, each) for each in may_be)

    def _made(self, f: str, step: Mapping[str, Any]) -> Observed:
        match f:
            case "connect":
                return observe(f, lambda: self._connect(step["as"]))[0]
            case "close":
                return observe(f, self.handles.pop(step["on"]).close)[0]
            case "reopen":
                self.close()
                return observe(f, lambda: self._connect(FIRST))[0]
            case "open":
                return self._opened(step)
            case "fill":
                return self._filled(step)
            case "sweep_expired":
                return observe(f, self.handles[step["on"]].sweep_expired)[0]
        return self._called(f, step)

    def _connect(self, name: str) -> None:
        clock = self.clock or SystemClock()
        self.handles[name] = self.target.connect(self.location, clock)

    def _connections(self) -> list[Any]:
        return [handle for name, handle in self.handles.items() if name.startswith("c")]

    def _opened(self, step: Mapping[str, Any]) -> Observed:
        backend = self.handles[step["on"]]
        most = self._expanded(step["maxEntries"])
        names = {"defaultTtlMs": "default_ttl_ms", "overflowPolicy": "overflow_policy"}
        options = {names[name]: step[name] for name in names if name in step}
        plugin, namespace = step["plugin"] + self.tag, self._expanded(step["namespace"])
        seen, store = observe(
            "open", lambda: backend.open(plugin, namespace, max_entries=most, **options)
        )
        if "as" in step and not isinstance(seen, Raised | Broken):
            self.handles[step["as"]] = store
        return seen

    def _filled(self, step: Mapping[str, Any]) -> Observed:
        """Register rows one after the other; the first that is refused is what was seen."""
        store, timed = self.handles[step["on"]], _timed(step)
        for number in range(self._expanded(step["count"])):
            key = f"{step['prefix']}{number:06}"
            try:
                answered = store.register(key, number, **timed)
            except StoreError as error:
                return Raised(error.code, error.operation, error.message)
            except (Exception, SystemExit) as error:
                return Broken(f"raised {type(error).__name__}: {error}")
            if answered is not None:
                return Broken(f"answered {answered!r}")
        return None

    def _called(self, f: str, step: Mapping[str, Any]) -> Observed:
        value = self._expanded(step.get(VALUES.get(f, ""), None))
        key = self._expanded(step.get("key"))
        compared = step.get("comparison")
        if isinstance(compared, dict):
            compared = self.comparisons.get(compared["of"], "")
        by_place, by_name = arguments(f, key, value, None, compared)
        method = getattr(self.handles[step["on"]], f)
        seen, raw = observe(f, lambda: method(*by_place, **by_name, **_timed(step)))
        if f == "observe" and (comparison := noted(raw)) is not None:
            self.comparisons[step["as"]] = comparison
        if step.get("spoil"):
            ruin(raw if f in READERS else value)
        return seen

    def _expanded(self, noted_as: Any) -> Any:
        return expand(noted_as, self.capabilities.limits.plugin_row_cap)


def _timed(step: Mapping[str, Any]) -> dict[str, Any]:
    return {"ttl_ms": step["ttlMs"]} if "ttlMs" in step else {}


def describe(step: Mapping[str, Any]) -> str:
    """Answer a step in the words of the vector, without its answers."""
    given = (f"{name}={_text(value)}" for name, value in step.items() if name not in _UNSAID)
    on = f"{step['on']}." if "on" in step else ""
    return f"{on}{step['op']}({', '.join(given)})"


def _text(value: Any) -> str:
    try:
        return json.dumps(value)
    except (RecursionError, TypeError, ValueError):
        return repr(value)


def _named(step: Mapping[str, Any], seen: Observed) -> str:
    """Answer which operation an error names, where that counts."""
    if "names" not in step or not isinstance(seen, Raised):
        return ""
    return f" that names {seen.operation!r} and not {' or '.join(step['names'])}"
