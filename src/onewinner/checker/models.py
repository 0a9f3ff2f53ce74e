"""Models of common objects, for histories that are not of a claim store."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onewinner.history import Info, Ok

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onewinner.history import Operation


@dataclass(frozen=True, slots=True)
class RegisterModel:
    """One register with `read`, `write` and `cas` (`value` of a cas: [expected, new]).

    A cas that answered false has seen another value than the one it expected.
    """

    first: Any = None

    def partition(self, history: Sequence[Operation]) -> list[Sequence[Operation]]:
        """All operations are on one register."""
        return [history]

    def initial(self) -> Any:
        """Answer the value before the first write."""
        return self.first

    def observes(self, operation: Operation) -> bool:
        """Tell whether the operation, with what it answered, changes nothing."""
        if operation.f == "read":
            return True
        return operation.f == "cas" and operation.outcome == Ok(False)

    def step(self, state: Any, operation: Operation) -> Iterable[Any]:
        """Answer the value after the operation, nothing where it is not possible."""
        result = operation.outcome.result if isinstance(operation.outcome, Ok) else None
        match operation.f:
            case "read":
                fits = isinstance(operation.outcome, Info) or state == result
                return (state,) if fits else ()
            case "write":
                return (operation.value,)
            case "cas" if result is False:
                return (state,) if state != operation.value[0] else ()
            case "cas":
                return (operation.value[1],) if state == operation.value[0] else ()
            case _:
                raise ValueError(f"a register has no operation {operation.f!r}")


@dataclass(frozen=True, slots=True)
class KeyValueModel:
    """Text by key with `get`, `put` and `append`; `value` of an operation is (key, text)."""

    def partition(self, history: Sequence[Operation]) -> dict[Any, list[Operation]]:
        """Keys are independent."""
        parts: dict[Any, list[Operation]] = defaultdict(list)
        for operation in history:
            parts[operation.value[0]].append(operation)
        return dict(parts)

    def initial(self) -> str:
        """A key that was never written holds the empty text."""
        return ""

    def observes(self, operation: Operation) -> bool:
        """Tell whether the operation changes nothing."""
        return operation.f == "get"

    def step(self, state: str, operation: Operation) -> Iterable[str]:
        """Answer the text after the operation, nothing where it is not possible."""
        match operation.f:
            case "get":
                known = isinstance(operation.outcome, Ok)
                return (state,) if not known or operation.outcome == Ok(state) else ()
            case "put":
                return (operation.value[1],)
            case "append":
                return (state + operation.value[1],)
            case _:
                raise ValueError(f"a key-value store has no operation {operation.f!r}")
