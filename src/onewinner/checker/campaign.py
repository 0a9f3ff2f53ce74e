"""The judge of a small campaign: an exact verdict on whole namespaces, and what it means.

The search says that no order explains a call. Which rule that breaks is found by weakening: if the
history has an order once a `clear` may remove row by row, that is what one did; if it has one once
a listing may look at the keys one after the other, one was no snapshot.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from onewinner.checker.invariants import Broken
from onewinner.checker.linearizable import check
from onewinner.checker.narrate import timeline
from onewinner.checker.shrink import counterexample
from onewinner.checker.verdict import Budgets
from onewinner.contract import ABSENT
from onewinner.history import Fail, Info, Ok
from onewinner.history.plain import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from onewinner.checker.shrink import Counterexample
    from onewinner.checker.spaces import SpaceModel
    from onewinner.checker.verdict import Validity
    from onewinner.history import Operation

    _Pieces: TypeAlias = Callable[[Operation, Iterable[str]], Iterator[Operation]]

UNDECIDED: Final = "undecided"
TORN: Final = "torn-snapshot"
IN_STEPS: Final = "clear-in-steps"
OVER_FULL: Final = "over-full"
UNCLEAR: Final = "clear-or-listing"
AGES: Final = "wrong-ages"
AT_CAP: Final = "at-cap"
NO_ORDER: Final = "no-order"

_SHRINK_S: Final = 2.0
_BUDGETS: Final = Budgets(steps=20_000, configurations=50_000, timeout_s=5.0)


def campaign(
    operations: Sequence[Operation], model: SpaceModel, *, budgets: Budgets = _BUDGETS
) -> Iterator[Broken]:
    """Judge the calls of a small campaign against the model of whole namespaces.

    Yields one finding at most: a violation, or one of the kind `undecided` where the budgets ran
    out before there was a verdict.
    """
    verdict = check(operations, model, budgets=budgets)
    if verdict.valid is True or not operations:
        return
    found = next((part for part in verdict.partitions if part.failing is not None), None)
    if found is None or found.failing is None:
        yield Broken(
            kind=UNDECIDED,
            summary=f"{len(operations)} calls were not judged",
            why=verdict.reason,
            operations=tuple(operations[:1]),
        )
        return
    known = {_place(each): each for each in operations}
    part = model.partition(operations)[found.key]
    failing = next(each for each in part if _place(each) == _place(found.failing))
    kind = _Weakening(model, [known[_place(each)] for each in part], budgets).kind()
    shrunk = counterexample(found.key, part, failing, model, seconds=_SHRINK_S)
    example = dataclasses.replace(
        shrunk,
        operations=tuple(known[_place(each)] for each in shrunk.operations),
        failing=known[_place(shrunk.failing)],
    )
    yield Broken(
        kind=kind,
        summary=f"{_told(example.failing)}, which no order of the calls explains",
        why=_WHY[kind],
        operations=example.operations,
        drawn=timeline(_drawable(example)),
    )


def _drawable(example: Counterexample) -> Counterexample:
    """Answer it with listings as short as can be, and calls without a key drawn without one."""
    drawn = {id(each): _keyless(each) for each in example.operations}
    return dataclasses.replace(
        example, operations=tuple(drawn.values()), failing=drawn[id(example.failing)]
    )


def _keyless(operation: Operation) -> Operation:
    if operation.value["key"] is not None:
        return operation
    extra, outcome = {**operation.extra, "projected": operation.f}, operation.outcome
    if operation.f == "entries" and isinstance(outcome, Ok):
        outcome = Ok({row.key: row.value for row in outcome.result})
    return dataclasses.replace(operation, extra=extra, outcome=outcome)


def _place(operation: Operation) -> tuple[int, int]:
    return operation.process, operation.invoked_ns


@dataclass(frozen=True, slots=True)
class _Weakening:
    """Finds the rule that an invalid history breaks, by what would explain it."""

    model: SpaceModel
    part: list[Operation]
    budgets: Budgets

    def kind(self) -> str:
        """Answer the kind of violation; where two would do, one that says so."""
        if any(_too_long(each, self.model) for each in self.part if each.f == "entries"):
            return OVER_FULL
        if self._explained(self.part, dataclasses.replace(self.model, ages=False)) is True:
            return AGES
        in_steps, torn = self._if_split("clear", _removals), self._if_split("entries", _looks)
        if in_steps is False and torn is False:
            rest, capless = _refused_no_more(self.part), _without_cap(self.model)
            return AT_CAP if self._explained(rest, capless) is True else NO_ORDER
        if in_steps is True and torn is False:
            return IN_STEPS
        return TORN if torn is True and in_steps is False else UNCLEAR

    def _if_split(self, f: str, pieces: _Pieces) -> Validity:
        """Tell whether it has an order if one call of `f`, or each, is made of steps."""
        calls = [each for each in self.part if each.f == f]
        keys = sorted({k for each in self.part if (k := each.value["key"]) is not None})
        found: Validity = False
        for chosen in [*([call] for call in calls), calls] if calls else ():
            split = [
                piece
                for each in self.part
                for piece in (pieces(each, keys) if any(each is c for c in chosen) else (each,))
            ]
            found = self._explained(split, self.model)
            if found is True:
                return True
        return found

    def _explained(self, operations: list[Operation], model: SpaceModel) -> Validity:
        return check(operations, model, budgets=self.budgets).valid


def _refused_no_more(part: list[Operation]) -> list[Operation]:
    return [each for each in part if not isinstance(each.outcome, Fail)]


def _without_cap(model: SpaceModel) -> SpaceModel:
    limits = dataclasses.replace(model.rules.limits, plugin_row_cap=None)
    return dataclasses.replace(model, rules=dataclasses.replace(model.rules, limits=limits))


def _too_long(listing: Operation, model: SpaceModel) -> bool:
    outcome, most = listing.outcome, model.size(listing.value["namespace"])
    return model.rules.evicts and isinstance(outcome, Ok) and len(outcome.result) > most


def _removals(clear: Operation, keys: Iterable[str]) -> Iterator[Operation]:
    """Yield a removal for each key, of which nobody knows whether it happened."""
    for key in keys:
        value = {**clear.value, "key": key}
        yield dataclasses.replace(clear, f="delete", value=value, outcome=Info("a part of a clear"))


def _looks(listing: Operation, keys: Iterable[str]) -> Iterator[Operation]:
    """Yield a lookup for each key, which found what was listed, or nothing."""
    if isinstance(listing.outcome, Ok):
        listed = {row.key: row.value for row in listing.outcome.result}
        for key in sorted({*keys, *listed}):
            value = {**listing.value, "key": key}
            found = Ok(listed.get(key, ABSENT))
            yield dataclasses.replace(listing, f="lookup", value=value, outcome=found)


_WHY: Final = {
    TORN: "the calls have an order if a listing looks at one key after the other, and it must show "
    "the rows of one instant",
    IN_STEPS: "the calls have an order if a clear removes row by row, and it must remove all rows "
    "of its namespace in one step",
    UNCLEAR: "it may be that a clear removed row by row, or that a listing looked at one key after "
    "the other; each must be one step",
    OVER_FULL: "a namespace holds at no instant more live rows than it was opened for",
    AGES: "the calls have an order if the times of the rows listed are not looked at: rows must be "
    "as old, or as young, as their last write",
    AT_CAP: "without the plugin's row cap, and without what was refused for it, the calls have an "
    "order: somebody was refused while there was room, or got a row while there was none",
    NO_ORDER: "every call takes effect at one instant: a refused claim changes nothing, and an "
    "insert into a full namespace evicts the oldest other rows by (createdAt, key), as many as are "
    "too many",
}


def _told(operation: Operation) -> str:
    key = operation.value["key"]
    call = f"{operation.f}({'' if key is None else repr(key)}) of client {operation.process}"
    match operation.outcome:
        case Ok(result) if operation.f == "entries":
            return f"{call} listed {', '.join(repr(row.key) for row in result) or 'nothing'}"
        case Ok(result):
            told = "absent" if result is ABSENT else shown(operation.f, result)
            return f"{call} answered {told:.80}"
        case _:
            return f"{call} was refused"
