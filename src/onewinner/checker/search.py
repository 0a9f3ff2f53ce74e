"""What the searches share: the prepared operations of a partition, and the budget they draw on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from onewinner.clock import monotonic_ns
from onewinner.history import Fail, Info

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onewinner.checker.verdict import Budgets
    from onewinner.history import Operation

NEVER = 1 << 62
"""The return of an operation that may take effect at any later time."""


class Exhausted(Exception):  # noqa: N818 - a finding: the search could not end
    """A budget ran out; the text says which. With `memory` another search may still decide."""

    def __init__(self, why: str, *, memory: bool = False) -> None:
        self.memory = memory
        super().__init__(why)


class ModelFault(Exception):  # noqa: N818 - a finding about the model, not about the kit
    """The model broke its contract: its `step` raised, or answered twice in different ways."""


class Model(Protocol):
    """A sequential specification.

    `partition` splits a history into parts that can be judged on their own (a mapping from key to
    operations, or an iterable of parts); `initial` answers the first state, `step` the states that
    an operation with its outcome may lead to, none where it is not possible. States and operations'
    values must be hashable or have a faithful `repr`. Optional: `observes(operation)` tells that an
    operation never changes the state, whatever the state; `describe(operation)` puts it in words.
    """

    def partition(self, history: Sequence[Operation]) -> Any:
        """Split the history."""
        ...  # pragma: no cover

    def initial(self) -> Any:
        """Answer the state before the first operation."""
        ...  # pragma: no cover

    def step(self, state: Any, operation: Operation) -> Iterable[Any]:
        """Answer the states that the operation may lead to."""
        ...  # pragma: no cover


class Search(Protocol):
    """One partition under way; a model may bring its own (`search(operations, allowance)`).

    Once `run` has answered True the verdict is `valid`, and `failing` the index in `prepared` of
    what cannot be explained; `decided_by` names the search.
    """

    prepared: Sequence[Any]

    @property
    def decided_by(self) -> str:
        """The name of the search."""
        ...  # pragma: no cover

    @property
    def failing(self) -> int | None:
        """What cannot be explained, None so far."""
        ...  # pragma: no cover

    @property
    def valid(self) -> bool:
        """The verdict."""
        ...  # pragma: no cover

    @property
    def steps(self) -> int:
        """How much work was done."""
        ...  # pragma: no cover

    def run(self, most_steps: int) -> bool:
        """Go on for about so many steps; answer whether it is decided. Raises Exhausted."""
        ...  # pragma: no cover


@dataclass(slots=True)
class Allowance:
    """A running budget: `spend` raises `Exhausted` where it is used up."""

    budgets: Budgets
    started_ns: int = field(default_factory=monotonic_ns)
    steps: int = 0

    def spend(self, steps: int, held: int) -> None:
        """Account for work done since the last call, and for the configurations held now."""
        self.steps += steps
        budgets = self.budgets
        if budgets.steps is not None and self.steps > budgets.steps:
            raise Exhausted(f"the budget of {budgets.steps:,} steps ran out")
        if budgets.configurations is not None and held > budgets.configurations:
            raise Exhausted(
                f"the budget of {budgets.configurations:,} configurations in memory ran out",
                memory=True,
            )
        if budgets.timeout_s is not None and self.elapsed_s > budgets.timeout_s:
            raise Exhausted(f"the budget of {budgets.timeout_s:g} s ran out")

    @property
    def elapsed_s(self) -> float:
        """Seconds since the budget began to run."""
        return (monotonic_ns() - self.started_ns) / 1e9


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation as the searches see it: an interval, and whether it must have happened.

    `returned_ns` is `NEVER` where nothing bounds it. `label` is equal for operations that no state
    can tell apart.
    """

    operation: Operation
    invoked_ns: int
    returned_ns: int
    optional: bool
    label: Any


def prepare(operations: Sequence[Operation]) -> list[Prepared]:
    """Drop what definitely did not happen, and bound what may have, in order of invocation."""
    prepared = []
    for operation in operations:
        if isinstance(operation.outcome, Fail):
            continue
        optional = isinstance(operation.outcome, Info)
        returned = operation.completed_ns
        prepared.append(
            Prepared(
                operation,
                operation.invoked_ns,
                NEVER if returned is None else returned,
                optional or returned is None,
                _label(operation),
            )
        )
    return sorted(prepared, key=lambda each: each.invoked_ns)


def _label(operation: Operation) -> Any:
    label = (operation.f, operation.value, operation.outcome)
    try:
        hash(label)
    except TypeError:
        return (operation.f, repr(operation.value), repr(operation.outcome))
    return label


def events(prepared: Sequence[Prepared]) -> list[tuple[int, int, int]]:
    """Answer (time, 0 for a call or 1 for a return, index) in order.

    Intervals are closed: of what happens at one time calls come first, so that operations that only
    touch are concurrent.
    """
    found = [(each.invoked_ns, 0, index) for index, each in enumerate(prepared)]
    found += [
        (each.returned_ns, 1, index)
        for index, each in enumerate(prepared)
        if each.returned_ns < NEVER
    ]
    found.sort()
    return found
