"""The semantics of the newer, optional operations."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import ABSENT
from onewinner.contract.newer import change_of, condition_of, intent_of
from onewinner.contract.values import canonical
from onewinner.model.moment import Moment, insert, unkeepable, without
from onewinner.model.refusals import key_refusal, write_refusals
from onewinner.model.state import (
    EXACT_MS_MAX,
    WHITE_SPACE,
    Many,
    Noted,
    Refused,
    Row,
    Size,
    State,
    Status,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onewinner.contract import Absent, Change
    from onewinner.model.state import Outcome


def _count(at: Moment) -> Iterator[Outcome]:
    yield Size(at.space.count(at.now)), at.state


def _lookup_many(at: Moment) -> Iterator[Outcome]:
    keys: list[Any] = at.call.value
    validates = at.rules.validates
    refused = (key_refusal(at.rules, key) for key in keys) if validates else iter(())
    if (refusal := next((each for each in refused if each is not None), None)) is not None:
        yield refusal, at.state
        return
    rows = {row.key: row for row in at.space.live(at.now)}  # a look for each key would take long
    held = [rows.get(key.strip(WHITE_SPACE) if validates else key) for key in keys]
    yield Many(tuple(map(_shown, held))), at.state
    for key, row in zip(keys, held, strict=True):
        if row is None:
            yield from unkeepable(
                dataclasses.replace(at, call=dataclasses.replace(at.call, key=key))
            )


def _delete_if_equal(at: Moment) -> Iterator[Outcome]:
    yield from _delete_where(at, lambda held: held.value == canonical(at.call.value))


def _delete_if(at: Moment) -> Iterator[Outcome]:
    condition = condition_of(at.call.value)
    yield from _delete_where(at, lambda held: condition(json.loads(held.value)))


def _delete_where(at: Moment, holds: Callable[[Row], bool]) -> Iterator[Outcome]:
    if (refusal := _refused(at)) is not None:
        yield refusal, at.state
    elif at.held is None:
        yield False, at.state
        yield from unkeepable(at)
    else:
        gone = holds(at.held)
        yield gone, without(at) if gone else at.state


def _update(at: Moment) -> Iterator[Outcome]:
    if (refusal := _refused(at)) is not None:
        yield refusal, at.state
        return
    current: Any = ABSENT if at.held is None else json.loads(at.held.value)
    change = change_of(at.call.value)
    changed = change(current)
    if changed is ABSENT:
        yield False, at.state
        if at.held is None:
            yield from unkeepable(at)
        return
    yield from _set(at, changed, answer=True)
    if (rounded := _in_doubles(change, current, changed)) is not None:
        yield from _set(at, rounded, answer=True)


def _in_doubles(change: Change, current: Any, changed: Any) -> float | None:
    """Answer what an addition makes in doubles, where that may be another number; None where not.

    Whole numbers beyond 2^53 - 1 are exact in some languages, and `1e300` is one of them here.
    """
    if change.name != "increment" or not isinstance(current, int):
        return None
    if max(abs(current), abs(changed)) <= EXACT_MS_MAX:
        return None
    try:
        return float(current) + change.argument  # type: ignore[operator] # else nothing was added
    except OverflowError:
        return None


def _set(at: Moment, value: Any, *, answer: Any) -> Iterator[Outcome]:
    """Store a value as `register` does."""
    writing = dataclasses.replace(at, call=dataclasses.replace(at.call, value=value))
    for refusal in write_refusals(at.rules, at.space, writing.call, at.now):
        if refusal is not None:
            yield refusal, at.state
        else:
            yield from insert(writing, answer=answer)


def _observe(at: Moment) -> Iterator[Outcome]:
    if (refusal := _refused(at)) is not None:
        yield refusal, at.state
    else:
        yield _shown(at.held), _noting(at)
        if at.held is None:
            yield from unkeepable(at)


def _compare_and_apply(at: Moment) -> Iterator[Outcome]:
    """Carry out the intent where the row is the one observed; see CAS-2, CAS-3 and CAS-6.

    Of a call that never answered nobody knows what it compared with: it may do either.
    """
    if (refusal := _refused(at)) is not None:
        yield refusal, at.state
        return
    noted = _noted(at)
    if noted is None:
        yield Refused("INVALID_INPUT", "CAS-6"), at.state
    if at.call.comparison is None or (noted is not None and _may_be_same(at, noted)):
        yield from _apply(at)
    if noted is None or noted.touched or noted.row != at.held:
        yield Status("conflict", _shown(at.held)), _noting(at)


def _apply(at: Moment) -> Iterator[Outcome]:
    intent = intent_of(at.call.value)
    if intent.name == "set":
        yield from _set(at, intent.argument, answer=Status("applied"))
    elif intent.name == "delete" and at.held is not None:
        yield Status("applied"), without(at)
    else:
        yield Status("unchanged"), at.state


def _may_be_same(at: Moment, noted: Noted) -> bool:
    """Tell whether a store may take the row for the one that was observed.

    Where time is real, rows of one value and another age of the model may be of one age.
    """
    if noted.row == at.held:
        return True
    one, other = noted.row, at.held
    if at.rules.exact or not noted.touched or one is None or other is None:
        return False
    return one.value == other.value and (one.expires_at is None) == (other.expires_at is None)


def _noted(at: Moment) -> Noted | None:
    mine = (at.space.plugin, at.space.name, at.key, at.call.comparison)
    for each in at.state.noted:
        if (each.plugin, each.namespace, each.key, each.comparison) == mine:
            return each
    return None


def _noting(at: Moment) -> State:
    """Answer the state that remembers what the comparison in the store's answer stands for."""
    comparison = at.call.noted
    if comparison is None:
        return at.state
    new = Noted(at.space.plugin, at.space.name, at.key, comparison, at.held)
    place = (new.plugin, new.namespace, new.key, new.comparison)
    others = [
        each
        for each in at.state.noted
        if (each.plugin, each.namespace, each.key, each.comparison) != place
    ]
    return dataclasses.replace(at.state, noted=(*others, new))


def touched(before: State, after: State, now: int) -> State:
    """Answer the state after a call, with a mark on comparisons whose row it wrote or removed."""
    noted = tuple(
        each
        if each.touched or _live(before, each, now) is _live(after, each, now)
        else dataclasses.replace(each, touched=True)
        for each in after.noted
    )
    return after if noted == after.noted else dataclasses.replace(after, noted=noted)


def forgetting(state: State) -> State:
    """Answer the state after all handles were closed.

    A store may know no comparison any more, and namespaces may be opened with other options.
    """
    noted = tuple(dataclasses.replace(each, touched=True) for each in state.noted)
    spaces = tuple(dataclasses.replace(each, closed=True) for each in state.spaces)
    return dataclasses.replace(state, noted=noted, spaces=spaces)


def _live(state: State, noted: Noted, now: int) -> Row | None:
    space = state.space(noted.plugin, noted.namespace)
    row = None if space is None else space.find(noted.key)
    return row if row is not None and row.live(now) else None


def _shown(row: Row | None) -> Value | Absent:
    return ABSENT if row is None else Value(row.value)


def _refused(at: Moment) -> Refused | None:
    return key_refusal(at.rules, at.call.key) if at.rules.validates else None


STEPS: Final[dict[str, Callable[[Moment], Iterator[Outcome]]]] = {
    "count": _count,
    "lookup_many": _lookup_many,
    "delete_if_equal": _delete_if_equal,
    "delete_if": _delete_if,
    "update": _update,
    "observe": _observe,
    "compare_and_apply": _compare_and_apply,
}
