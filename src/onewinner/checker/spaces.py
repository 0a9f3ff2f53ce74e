"""The model of whole namespaces: what crosses keys, judged exactly in small histories.

Eviction, caps, `clear` and `entries` are about many keys at once, so here the state is the ordered
namespace (of a plugin all of them, where its cap is in play). What an operation does is asked of
`onewinner.model` and stands nowhere else; this module adds only what time a write may have read.

Time is a pair of an *instant* and a rank in it. What is of a later instant is certainly younger.
In one instant all rows tie where time is virtual, for it stands still there; where it is real, each
row ties with the newest one or is younger, and both are tried. Nothing expires: histories carry no
TTL, or TTLs that outlast them, and the model leaves them out.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from onewinner.contract import ABSENT, Observation
from onewinner.contract.newer import WRITES
from onewinner.contract.values import canonical
from onewinner.history import Fail, Info, Ok, Operation
from onewinner.history.plain import OBSERVES, answer_of, comparison_of
from onewinner.model import (
    Call,
    Listing,
    Many,
    Refused,
    Rules,
    Size,
    Space,
    State,
    Status,
    Value,
    outcomes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from onewinner.contract import Absent
    from onewinner.model import Answer, Noted, Row

    Where: TypeAlias = "tuple[str, str | None]"

SLACK_MS: Final = 6
"""Real rows written further apart than this cannot tie: a unit of 1 ms, and a clock off by 5 ms."""

_INSTANT: Final = 1 << 20
_READS: Final = frozenset({"lookup", "entries", "count", "lookup_many"})
_DELETES: Final = frozenset({"delete", "delete_if_equal", "delete_if"})
_ADDRESSED: Final = frozenset({*WRITES, *_DELETES, "lookup", "consume", "observe"})
_KNOWN: Final = frozenset({*_ADDRESSED, *_READS, "clear"})
_REFUSED: Final = "LIMIT_EXCEEDED"


@dataclass(frozen=True, slots=True)
class Timed:
    """The arguments of an operation of a partition: the call, and the instants it may have read."""

    call: Call
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Seen:
    """One row of a listing: its value as canonical text, and when it says that it was written."""

    key: str
    text: str
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceModel:
    """Namespaces that are empty before the history, for `onewinner.checker.check`.

    `rules` are the store's, `max_entries` is what its namespaces are opened with (one number for
    all, or one by name). With `virtual` the time stands still within an epoch (the `epoch` of an
    operation's `extra`). Else the store's clock is real and never goes back; writes that were
    certainly more than `slack_ms` apart cannot tie, others may.

    With an `overflow_policy` all namespaces are opened with it.

    Without `ages` the times in listings are not looked at, only which rows there are.

    An operation's `value` holds `plugin`, `namespace`, `key` and `value`. Only a `Fail` with the
    code LIMIT_EXCEEDED is an observation; other failures have no effect and tell nothing. `open`
    and `sweep_expired` are left out, for here nothing expires.
    """

    max_entries: int | Mapping[str, int]
    rules: Rules = dataclasses.field(default_factory=Rules)
    virtual: bool = True
    slack_ms: int = SLACK_MS
    ages: bool = True
    overflow_policy: str | None = None

    def partition(self, history: Sequence[Operation]) -> dict[Where, list[Operation]]:
        """Split by plugin where its cap can be reached, else by namespace too.

        The parts hold operations in the model's own words: `Timed` arguments, comparable answers.
        """
        known = [each for each in history if each.f in _KNOWN]
        instants = self._instants(known)
        crowded = self._crowded(known)
        parts: dict[Where, list[Operation]] = defaultdict(list)
        for operation, (first, last) in zip(known, instants, strict=True):
            plugin, namespace = operation.value["plugin"], operation.value["namespace"]
            where = (plugin, None if plugin in crowded else namespace)
            parts[where].append(_worded(operation, first, last))
        return dict(parts)

    def initial(self) -> State:
        """Answer the state before the first operation: no rows."""
        return State()

    def observes(self, operation: Operation) -> bool:
        """Tell whether the operation, with what it answered, changes no row of any namespace.

        What an observation stands for is part of the state, so it is not taken out of its turn.
        """
        if operation.f in _READS:
            return True
        if operation.f in OBSERVES:
            return False
        if not isinstance(operation.outcome, Ok) or operation.f == "clear":
            return False
        result = operation.outcome.result
        return result is False or result is ABSENT or isinstance(result, Refused)

    def step(self, state: State, operation: Operation) -> Iterable[State]:
        """Answer the states that the operation, one of a partition, may lead to."""
        timed: Timed = operation.value
        opened = self._opened(state, timed.call)
        reached: dict[State, None] = {}
        for now in self._times(state, operation.f, timed):
            for answer, after in outcomes(self.rules, opened, timed.call, now):
                if self._agrees(operation, answer):
                    reached[self._settled(after)] = None
        return reached

    def describe(self, operation: Operation) -> str:
        """Put an operation of a partition into words."""
        call: Call = operation.value.call
        return f"{operation.f}({'' if call.key is None else repr(call.key)})"

    def size(self, namespace: str) -> int:
        """Answer how many live rows a namespace may hold."""
        sizes = self.max_entries
        return sizes[namespace] if isinstance(sizes, Mapping) else sizes

    def _opened(self, state: State, call: Call) -> State:
        """Answer the state with the call's namespace; those without rows are not kept."""
        if state.space(call.plugin, call.namespace) is not None:
            return state
        size = self.size(call.namespace)
        opening = Call(
            f="open",
            plugin=call.plugin,
            namespace=call.namespace,
            max_entries=size,
            overflow_policy=self.overflow_policy,
        )
        return outcomes(self.rules, state, opening, 0)[0][1]

    def _times(self, state: State, f: str, timed: Timed) -> Iterator[int]:
        """Yield what the clock may have said: never less than when the newest row was written."""
        if f not in WRITES:
            yield 0  # nothing expires, so it makes no difference
            return
        newest = max((row.created_at for s in state.spaces for row in s.rows), default=-1)
        for instant in range(timed.first, timed.last + 1):
            begins = instant * _INSTANT
            if newest < begins:
                yield begins
            elif newest < begins + _INSTANT:
                yield newest
                if not self.virtual:
                    yield newest + 1

    def _settled(self, state: State) -> State:
        """Answer the state without what makes no difference later, so that equal ones are equal."""
        spaces = tuple(
            dataclasses.replace(space, newest_ms=None) for space in state.spaces if space.rows
        )
        noted = state.noted
        if not self.virtual or self.rules.strict_ages:  # only their order makes a difference
            observed = [each.row for each in noted if each.row is not None]
            rows = itertools.chain(observed, *(space.rows for space in spaces))
            ranks = _ranks({row.created_at for row in rows})
            spaces = tuple(_ranked(space, ranks) for space in spaces)
            noted = tuple(_noted(each, ranks) for each in noted)
        return State(spaces, noted=noted)

    def _agrees(self, operation: Operation, answer: Answer) -> bool:
        """Tell whether the operation may have answered what the model answers."""
        if not isinstance(operation.outcome, Ok):
            return True
        result = operation.outcome.result
        match answer:
            case Refused(code, _):
                return isinstance(result, Refused) and result.code == code
            case Listing(rows):
                return isinstance(result, tuple) and self._lists(result, rows)
            case None:
                return not isinstance(result, Refused)
            case _:
                return type(result) is type(answer) and bool(result == answer)

    def _lists(self, seen: tuple[Seen, ...], rows: tuple[Row, ...]) -> bool:
        """Tell whether a listing shows these rows, which are in the contract's order."""
        found = {each.key: each for each in seen}
        if len(seen) != len(found) or {k: e.text for k, e in found.items()} != {
            row.key: row.value for row in rows
        }:
            return False
        times = ((row.created_at, found[row.key].created_at) for row in rows)
        return not self.ages or _aged(times, exact=self.virtual)

    def _crowded(self, operations: Iterable[Operation]) -> set[str]:
        """Answer the plugins whose cap can be reached by what the history writes."""
        cap = self.rules.limits.plugin_row_cap
        written: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for operation in operations:
            if operation.f in WRITES:
                value = operation.value
                written[value["plugin"]].add((value["namespace"], value["key"]))
        return {plugin for plugin, rows in written.items() if cap is not None and len(rows) > cap}

    def _instants(self, operations: Sequence[Operation]) -> list[tuple[int, int]]:
        """Answer, for each operation, the first and the last instant its clock may have read.

        A new one begins with an epoch, and in real time wherever everything that was ever called
        had returned more than the slack ago. What never returned may have read any later one.
        """
        order = sorted(range(len(operations)), key=lambda i: operations[i].invoked_ns)
        first = [0] * len(operations)
        instant, epoch, ended_ns = 0, 0, None
        for index in order:
            operation = operations[index]
            later = operation.extra.get("epoch", 0) > epoch
            apart = ended_ns is not None and operation.invoked_ns > ended_ns
            if later or (apart and not self.virtual):
                instant, epoch = instant + 1, operation.extra.get("epoch", epoch)
            first[index] = instant
            if operation.completed_ns is not None:
                end_ns = operation.completed_ns + self.slack_ms * 1_000_000
                ended_ns = end_ns if ended_ns is None else max(ended_ns, end_ns)
        return [
            (begun, instant if operation.completed_ns is None else begun)
            for begun, operation in zip(first, operations, strict=True)
        ]


def _worded(operation: Operation, first: int, last: int) -> Operation:
    """Answer the operation as the model knows it."""
    value = operation.value
    result = operation.outcome.result if isinstance(operation.outcome, Ok) else None
    call = Call(
        f=operation.f,
        plugin=value["plugin"],
        namespace=value["namespace"],
        key=value["key"] if operation.f in _ADDRESSED else None,
        value=value["value"],
        comparison=comparison_of(result),
        noted=_comparison(answer_of(operation.f, result)),
    )
    if operation.f not in WRITES:
        first = last = 0
    return dataclasses.replace(
        operation, value=Timed(call, first, last), outcome=_outcome(operation)
    )


def _outcome(operation: Operation) -> Ok | Fail | Info:
    match operation.outcome:
        case Ok(result):
            return Ok(_result(operation.f, result))
        case Fail({"code": code}) if code == _REFUSED:
            return Ok(Refused(code, ""))
        case other:
            return other


def _comparison(answer: Any) -> str | None:
    """Answer the comparison that an observation holds, or the one after a conflict."""
    observation = getattr(answer, "current", answer)
    return observation.comparison if isinstance(observation, Observation) else None


def _result(f: str, result: Any) -> Answer | tuple[Seen, ...]:
    """Answer a result in a form that can be compared with the model's answers.

    A listing is put into the contract's order; whether it was in that order is judged elsewhere.
    """
    if f == "entries":
        rows = sorted(result, key=lambda row: (row.created_at, row.key))
        return tuple(Seen(row.key, canonical(row.value), row.created_at) for row in rows)
    if f in {"lookup", "consume"}:
        return _sought(result)
    answer = answer_of(f, result)
    match f:
        case "count":
            return Size(answer)
        case "lookup_many":
            return Many(tuple(map(_sought, answer)))
        case "observe":
            return _sought(answer.value)
        case "compare_and_apply":
            current = None if answer.current is None else _sought(answer.current.value)
            return Status(answer.status, current)
    return None if f in {"register", "clear"} else bool(result)


def _sought(value: Any) -> Absent | Value:
    return ABSENT if value is ABSENT else Value(canonical(value))


def _aged(times: Iterable[tuple[int, int]], *, exact: bool) -> bool:
    """Tell whether times that a listing shows go with those of the model, pair by pair, in order.

    Where rows tie in the model the times are equal. Else the later row has the later time, or, in
    real time, one that is not earlier: a store may keep finer times than it tells.
    """
    for (before, listed_before), (time, listed) in itertools.pairwise(times):
        passed = listed - listed_before
        if passed < 0 or (time == before and passed > 0):
            return False
        if exact and passed == 0 and time != before:
            return False
    return True


def _ranks(times: set[int]) -> dict[int, int]:
    """Number the times of each instant without gaps, in their order."""
    ranks: dict[int, int] = {}
    begins = rank = -1
    for time in sorted(times):
        rank = rank + 1 if time // _INSTANT == begins else 0
        begins = time // _INSTANT
        ranks[time] = begins * _INSTANT + rank
    return ranks


def _ranked(space: Space, ranks: Mapping[int, int]) -> Space:
    rows = tuple(
        row
        if ranks[row.created_at] == row.created_at
        else dataclasses.replace(row, created_at=ranks[row.created_at])
        for row in space.rows
    )
    return dataclasses.replace(space, rows=rows)


def _noted(noted: Noted, ranks: Mapping[int, int]) -> Noted:
    if noted.row is None:
        return noted
    row = dataclasses.replace(noted.row, created_at=ranks[noted.row.created_at])
    return dataclasses.replace(noted, row=row)
