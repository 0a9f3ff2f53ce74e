"""Judges one schedule exactly: some order of the calls that met must explain every answer.

The calls are few, so all orders that their intervals permit are tried, with the contract's model.
Where time is real it is logical here: each write is younger than the one before it, and scenarios
leave no expiry in doubt.
"""

from __future__ import annotations

import sys
from itertools import permutations
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onewinner.contract.newer import WRITES
from onewinner.history import Fail, Info, Ok
from onewinner.history.plain import answer_of, comparison_of
from onewinner.model import Call, Rules, State, describe_state, outcomes
from onewinner.suite.answers import (
    Broken,
    Raised,
    agrees,
    agrees_in_real_time,
    beside_others,
    noted,
    observe,
    strictly_aged,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from onewinner.contract import Capabilities
    from onewinner.history import Operation
    from onewinner.schedule.sweep import Ran
    from onewinner.suite.answers import Observed


ORDERS: Final = "orders"
"""How the history of one schedule is judged (see `suite.rejudging`)."""


class Followed(NamedTuple):
    """The rows before and after each call, by its identity, and the first that nothing explains."""

    rows: dict[int, tuple[str, str]]
    wrong: Operation | None


class Judge:
    """Judges the schedules of stores with these capabilities."""

    def __init__(self, capabilities: Capabilities) -> None:
        self._rules = Rules.of(capabilities)
        self._exact = capabilities.virtual_clock
        self._unit_ms = capabilities.ttl_unit_ms or 1
        self._writes = 0
        self._seen: dict[int, tuple[Operation, Observed]] = {}
        self._prepared: dict[int, tuple[Sequence[Operation], list[State]]] = {}

    def prepared(self, ran: Ran) -> bool:
        """Tell whether the preparation went as the contract has it; else nothing can be judged."""
        return bool(self._before(ran.operations))

    def explains(self, ran: Ran) -> bool:
        """Tell whether some order of the calls that met explains what was answered and is left."""
        return self.explained(ran.operations)

    def explained(self, operations: Sequence[Operation]) -> bool:
        """Tell the same of the operations of a schedule, however they were come by."""
        met = [each for each in operations if each.extra["phase"] == "meet"]
        looked = [each for each in operations if each.extra["phase"] == "inspect"]
        self._seen.clear()
        states = self._before(operations)
        return any(
            self._follow(states, [*order, *looked])
            for order in permutations(met)
            if _permitted(order)
        )

    def followed(self, operations: Sequence[Operation]) -> Followed:
        """Follow the calls in the order of their returns, as far as that explains them.

        It is one order of several, and the one in which people read what happened.
        """
        phases = ("prepare", "meet", "inspect")
        ordered = sorted(
            operations, key=lambda each: (phases.index(each.extra["phase"]), _returned(each))
        )
        rows: dict[int, tuple[str, str]] = {}
        states: list[State] = [State()]
        for each in ordered:
            now: int = each.extra["now"]
            after = self._follow(states, [each])
            before = describe_state(states[0], now)
            if not after:
                rows[id(each)] = (before, "")
                return Followed(rows, each)
            rows[id(each)] = (before, describe_state(after[0], now))
            states = after
        return Followed(rows, None)

    def _before(self, operations: Sequence[Operation]) -> list[State]:
        """Answer the states that the preparation may have left; of a shared one it is kept."""
        steps = [each for each in operations if each.extra["phase"] == "prepare"]
        if not steps:
            return [State()]
        kept = self._prepared.get(id(steps[0]))
        if kept is None or kept[0][0] is not steps[0]:
            self._prepared.clear()
            kept = self._prepared[id(steps[0])] = (steps, self._follow([State()], steps))
        return kept[1]

    def _follow(self, states: Iterable[State], operations: Sequence[Operation]) -> list[State]:
        """Answer the states after these operations, as far as their answers agree."""
        reached = list(states)
        now = 0
        for operation in operations:
            self._writes += operation.f in WRITES
            told: int = operation.extra["now"]
            now = told if self._exact else max(told, now + (operation.f in WRITES))
            reached = [after for state in reached for after in self._step(state, operation, now)]
            if not reached:
                return []
        return reached

    def _step(self, state: State, operation: Operation, now: int) -> Iterator[State]:
        value = operation.value
        opening = Call(
            f="open",
            plugin=value["plugin"],
            namespace=value["namespace"],
            max_entries=value["max_entries"],
            overflow_policy=value.get("policy"),
        )
        opened = outcomes(self._rules, state, opening, now)[0][1]
        if operation.f == "open":
            if isinstance(operation.outcome, Ok):
                yield opened
            return
        seen = self._observed(operation)
        for answer, after in outcomes(self._rules, opened, _called(operation), now):
            if self._accepts(operation, answer, seen):
                yield after

    def _observed(self, operation: Operation) -> Observed:
        """Answer what was seen of an operation; of several orders each asks for the same."""
        kept = self._seen.get(id(operation))
        if kept is None or kept[0] is not operation:
            kept = self._seen[id(operation)] = (operation, observed(operation))
        return kept[1]

    def _accepts(self, _operation: Operation, answer: Any, seen: Observed) -> bool:
        """Tell whether an answer of the model is what was seen of this operation."""
        return self._agrees(answer, seen)

    def _agrees(self, answer: Any, seen: Observed) -> bool:
        answer = beside_others(answer, alone=False)  # of one location come many schedules
        if self._rules.strict_ages and not strictly_aged(seen):
            return False
        if self._exact:
            return agrees(answer, seen, self._unit_ms)
        # Where ages are strict, a row may be said to be younger by as many ms as there were writes.
        ahead_ms = self._writes if self._rules.strict_ages else 0
        return agrees_in_real_time(answer, seen, self._unit_ms, ahead_ms)


def _called(operation: Operation) -> Call:
    value = operation.value
    result = operation.outcome.result if isinstance(operation.outcome, Ok) else None
    return Call(
        f=operation.f,
        plugin=value["plugin"],
        namespace=value["namespace"],
        key=value["key"],
        value=value["value"],
        ttl_ms=value["ttl_ms"],
        comparison=comparison_of(result) or operation.extra.get("compared"),
        noted=noted(answer_of(operation.f, result)),
    )


def observed(operation: Operation) -> Observed:
    """Answer what was seen of an operation, in the words that the model's answers are held to."""
    match operation.outcome:
        case Ok(result):
            listed = list(result) if operation.f == "entries" else answer_of(operation.f, result)
            return observe(operation.f, lambda: listed)[0]
        case Fail({"code": code, "operation": name, "message": message}):
            return Raised(code, name, message)
        case Fail(other) | Info(other):
            return Broken(f"raised {other}")


def _returned(operation: Operation) -> int:
    """Answer when a call returned; what never did comes last."""
    returned = operation.completed_ns
    return sys.maxsize if returned is None else returned


def _permitted(order: Sequence[Operation]) -> bool:
    """Tell whether no operation stands before one that had returned before it was called."""
    for index, later in enumerate(order):
        for earlier in order[:index]:
            if later.completed_ns is not None and later.completed_ns < earlier.invoked_ns:
                return False
    return True
