"""Acts: the calls of one client, made ready, and what it has observed.

What a client compares with is what it observed last of the key, or what it was told that another
has observed. A call is written down before it is
made, and nobody can know then what an observation of the same volley will answer.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from onewinner.contract.newer import arguments
from onewinner.history.plain import OBSERVES, plain_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.generator import Call
    from onewinner.worker.handles import Handles


class Acts:
    """Makes calls ready for one client, which uses these handles."""

    def __init__(self, handles: Handles) -> None:
        self._handles = handles
        self._observed: dict[tuple[str, str, str | None], str] = {}

    def act(self, call: Call) -> Callable[[], Any]:
        """Answer the call without arguments; its namespace is opened now, unless it is `open`.

        An `open` connects, where nothing is connected, and opens the namespace.
        """
        if call.f == "open":
            return partial(self._handles.store, call)
        if call.f == "sweep_expired":
            backend: Any = self._handles.connect()
            sweep: Callable[[], Any] = backend.sweep_expired
            return sweep
        method = getattr(self._handles.store(call), call.f)
        if call.f in OBSERVES:
            return partial(self._observe if call.f == "observe" else self._compare, call, method)
        by_place, by_name = arguments(call.f, call.key, call.value, call.ttl_ms)
        return partial(method, *by_place, **by_name) if by_place else method

    def learn(self, call: Call, comparison: str) -> None:
        """Compare from now on with what another client observed by this call."""
        self._observed[call.plugin, call.namespace, call.key] = comparison

    def _observe(self, call: Call, method: Callable[..., Any]) -> Any:
        answer = method(call.key)
        self._observed[call.plugin, call.namespace, call.key] = answer.comparison
        return plain_answer(call.f, answer)

    def _compare(self, call: Call, method: Callable[..., Any]) -> Any:
        place = call.plugin, call.namespace, call.key
        comparison = self._observed.get(place, "")
        by_place, by_name = arguments(call.f, call.key, call.value, call.ttl_ms, comparison)
        return plain_answer(call.f, method(*by_place, **by_name), comparison)
