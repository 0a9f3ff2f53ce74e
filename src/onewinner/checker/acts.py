"""What the operations on one key of a claim store come down to, now that their answers are known.

A checker works after the run, so each operation is known by what it answered: a claim that won
writes a value where there was none, a refused one saw some value, a consume that answered a value
took just that one. A TTL is one more act that nobody called, the expiry of what was written.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from onewinner.checker.search import NEVER
from onewinner.contract import ABSENT
from onewinner.contract.values import canonical
from onewinner.history import Fail, Info

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onewinner.history import Operation

WON: Final = 0
"""A claim that answered true: from vacant to its value."""
PUT: Final = 1
"""A register: from anything to its value."""
TAKEN: Final = 2
"""A consume that answered a value: from that value to vacant."""
REMOVED: Final = 3
"""A delete that answered true: from some row, live or expired and not yet swept, to vacant."""
CLEARED: Final = 4
"""A clear: from anything to vacant."""
EXPIRED: Final = 5
"""The expiry of one write: from its value to vacant, nothing where the value is gone by then."""
HELD: Final = 6
"""Observes that the key was held: a refused claim."""
SEEN: Final = 7
"""Observes a value."""
VACANT: Final = 8
"""Observes that the key was vacant: a read without a row, a delete that answered false."""

NO_ROW: Final = 0
OLD_ROW: Final = 1
"""The key is vacant, and an expired row may still be there, which a delete may answer for."""
SOME_VALUE: Final = 2
"""A value that nothing ever observes: all such values are one (with a TTL they are not)."""
_FIRST_VALUE: Final = 3

_WRITES: Final = {"register_if_absent": WON, "register": PUT}


@dataclass(slots=True)
class Act:
    """One act on a key, within a closed interval; `value` is a number for a value, or 0.

    `optional`: nobody knows whether it happened. `returned_ns` is `NEVER` where nothing bounds it.
    """

    kind: int
    value: int
    invoked_ns: int
    returned_ns: int
    optional: bool
    operation: Operation


class Values:
    """Numbers for the values of one key: equal as JSON, equal number."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._next = _FIRST_VALUE

    def number(self, value: Any) -> int:
        """Answer the number of a value."""
        name = value if type(value) is str else ("json", canonical(value))
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = self._next
            self._next += 1
        return number

    def keep(self, numbers: set[int]) -> None:
        """Forget all values but those with these numbers; the numbers are not given out again."""
        self._numbers = {name: each for name, each in self._numbers.items() if each in numbers}


def act_of(operation: Operation, values: Values) -> Act | None:
    """Answer what an operation on a key did; None where it did and tells nothing.

    Raises ValueError for an operation that the claim model does not know, or an answer that it
    cannot have.
    """
    outcome = operation.outcome
    if isinstance(outcome, Fail):
        return None
    optional = isinstance(outcome, Info) or operation.completed_ns is None
    if isinstance(outcome, Info) or optional:
        kind, value = _perhaps(operation, values)
    else:
        kind, value = _certainly(operation, outcome.result, values)
    if kind < 0:
        return None
    end = operation.completed_ns
    returned = NEVER if end is None else end
    return Act(kind, value, operation.invoked_ns, returned, optional, operation)


def _certainly(operation: Operation, result: Any, values: Values) -> tuple[int, int]:
    f = operation.f
    if f == "register_if_absent":
        if result is True:
            return WON, values.number(operation.value["value"])
        if result is False:
            return HELD, 0
    elif f == "lookup":
        return (VACANT, 0) if result is ABSENT else (SEEN, values.number(result))
    elif f == "register":
        return PUT, values.number(operation.value["value"])
    elif f == "consume":
        return (VACANT, 0) if result is ABSENT else (TAKEN, values.number(result))
    elif f == "delete":
        if result is True or result is False:
            return (REMOVED, 0) if result else (VACANT, 0)
    elif f == "clear":
        return CLEARED, 0
    elif f == "expire":
        return EXPIRED, values.number(operation.value["value"])
    raise ValueError(f"{f} answered {result!r}, which the claim model does not know")


def _perhaps(operation: Operation, values: Values) -> tuple[int, int]:
    """What a call of unknown outcome may have done; what it may have observed nobody knows."""
    f = operation.f
    if f in _WRITES:
        return _WRITES[f], values.number(operation.value["value"])
    if f in {"consume", "delete", "clear"}:
        return REMOVED, 0
    if f == "expire":
        return EXPIRED, values.number(operation.value["value"])
    if f == "lookup":
        return -1, 0
    raise ValueError(f"the claim model knows no operation {f!r}")


def acts_of(operations: Iterable[Operation]) -> list[Act]:
    """Answer the acts on a key, in the order of the operations."""
    values = Values()
    return [act for each in operations if (act := act_of(each, values)) is not None]


def reduce(acts: Sequence[Act]) -> None:
    """Make acts say less and mean the same, given that these are all that there are on the key.

    An uncertain write whose value was observed happened, and not after the first observation
    returned; values that nothing observes and that never expire are one.
    """
    observed = _first_observations(acts)
    _settle(acts, observed)
    _merge_unobserved(acts, observed)


def _first_observations(acts: Sequence[Act]) -> dict[int, int]:
    """Answer, for each value that certainly was observed, when the first observation returned."""
    first: dict[int, int] = {}
    for act in acts:
        if act.kind in (SEEN, TAKEN) and not act.optional:
            first[act.value] = min(act.returned_ns, first.get(act.value, NEVER))
    return first


def _settle(acts: Sequence[Act], observed: dict[int, int]) -> None:
    uncertain = [act for act in acts if act.optional and act.kind <= PUT and act.value in observed]
    if not uncertain:
        return
    writes = Counter(act.value for act in acts if act.kind <= PUT)
    for act in uncertain:
        if writes[act.value] == 1:
            act.optional = False
            act.returned_ns = min(act.returned_ns, observed[act.value])


def _merge_unobserved(acts: Sequence[Act], observed: dict[int, int]) -> None:
    expiring = {act.value for act in acts if act.kind == EXPIRED}
    for act in acts:
        if act.kind <= PUT and act.value not in observed and act.value not in expiring:
            act.value = SOME_VALUE
