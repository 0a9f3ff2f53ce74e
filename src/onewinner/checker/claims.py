"""The model of a claim store for the checker: plugins, namespaces, keys, and TTL.

Each key is judged by itself. What crosses keys is projected: a listing observes every key that the
history knows in its namespace, a `clear` removes each of them. That is sound; what it misses is
judged by `listings` and `spaces`. It holds for namespaces in which nobody is evicted and caps are
not reached: a history of others is to be judged with `spaces`.

A write with a TTL adds an `expire` operation that nobody called, with a window. In real time it is
`[call + ttl - eps, return + ttl + eps + grace]`: whatever instant of its call the store took, and
however its clock is off by up to eps, it expires in there. Where the history has `advance`
operations, these are what moves time, and the window is the one advance that passes the expiry.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from onewinner.checker.presence import PresenceSearch
from onewinner.checker.search import NEVER
from onewinner.contract import ABSENT
from onewinner.contract.values import canonical
from onewinner.history import Fail, Info, Ok, Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from onewinner.checker.search import Allowance
    from onewinner.history import Outcome

Address: TypeAlias = "tuple[Any, Any, Any]"

EPS_MS: Final = 10
"""How far a store's clock may be off, by default: its resolution, rounding, and drift."""

NOBODY: Final = -1
"""The process of an `expire`."""

_MS: Final = 1_000_000
_WRITES: Final = frozenset({"register_if_absent", "register"})
_WITHOUT_KEY: Final = frozenset({"entries", "clear"})
_APART: Final = frozenset({"open", "sweep_expired", "advance"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimModel:
    """A claim store whose keys start vacant.

    `eps_ms` bounds how far the store's clock may be off the history's (resolution, rounding of
    TTLs, drift); `grace_ms` is how long an expired row may still be seen, 0 by the contract.
    The value of an operation is a mapping with `key`, and where they matter `plugin`, `namespace`,
    `value` and `ttl_ms`.
    """

    eps_ms: int = EPS_MS
    grace_ms: int = 0

    def partition(self, history: Sequence[Operation]) -> dict[Address, list[Operation]]:
        """Answer the operations on each key, listings and clears among them, and its expiries."""
        parts = projected(history)
        expiries = Expiries(history, self.eps_ms, self.grace_ms)
        for part in parts.values():
            part.extend(expiries.of(part))
        return parts

    def initial(self) -> Any:
        """Answer the state of a key before the first operation: (what it holds, what expired)."""
        return (None, frozenset())

    def observes(self, operation: Operation) -> bool:
        """Tell whether the operation, with what it answered, changes nothing."""
        outcome = operation.outcome
        if operation.f == "lookup":
            return True
        if not isinstance(outcome, Ok):
            return False
        refused = outcome.result is False or outcome.result is ABSENT
        return refused and operation.f != "register"

    def step(self, state: Any, operation: Operation) -> Iterable[Any]:
        """Answer the states after an operation on a key, none where it is not possible.

        The meaning of `PresenceSearch`, spelt out for the general searches.
        """
        held, gone = state
        if isinstance(operation.outcome, Info):
            return self._perhaps(held, gone, operation)
        return self._certainly(held, gone, operation, operation.outcome)

    def _certainly(
        self, held: Any, gone: frozenset[str], operation: Operation, outcome: Outcome
    ) -> Iterable[Any]:
        assert isinstance(outcome, Ok)
        result = outcome.result
        stays = ((held, gone),)
        match operation.f:
            case "lookup" | "consume" if result is ABSENT:
                return stays if held in _GONE else ()
            case "lookup":
                return stays if held == name_of(result) else ()
            case "consume":
                return ((None, gone),) if held == name_of(result) else ()
            case "register_if_absent" if not result:
                return stays if held not in _GONE else ()
            case "delete" if not result:
                return stays if held in _GONE else ()
            case "delete":
                return ((None, gone),) if held is not None else ()
            case "clear":
                return ((None, gone),)
        return self._write(held, gone, operation)

    def _write(self, held: Any, gone: frozenset[str], operation: Operation) -> Iterable[Any]:
        name = name_of(operation.value["value"])
        match operation.f:
            case "expire":
                return ((OLD if held == name else held, gone | {name}),)
            case "register_if_absent" if held in _GONE and name not in gone:
                return ((name, gone),)
            case "register" if name not in gone:
                return ((name, gone),)
        return ()

    def _perhaps(self, held: Any, gone: frozenset[str], operation: Operation) -> Iterable[Any]:
        match operation.f:
            case "lookup":
                return ((held, gone),)
            case "expire":
                name = name_of(operation.value["value"])
                return ((OLD if held == name else held, gone),)
            case "consume" | "delete" | "clear":
                return ((None, gone),)
        return self._write(held, gone, operation)

    def search(self, operations: Sequence[Operation], allowance: Allowance) -> PresenceSearch:
        """Answer the search that is made for this model."""
        return PresenceSearch(operations, allowance)


OLD: Final = ("expired",)
_GONE: Final = (None, OLD)


def name_of(value: Any) -> str:
    """Answer a name for a JSON value: equal for what is equal as JSON."""
    return canonical(value)


def address(operation: Operation) -> Address:
    """Answer what an operation is about: plugin, namespace, key."""
    value = operation.value
    try:
        return (value["plugin"], value["namespace"], value["key"])
    except KeyError:
        return (value.get("plugin"), value.get("namespace"), value["key"])


def projected(history: Iterable[Operation]) -> dict[Address, list[Operation]]:
    """Answer the operations by key; a listing and a clear count for each key of their namespace."""
    parts: dict[Address, list[Operation]] = defaultdict(list)
    wide: list[Operation] = []
    for operation in history:
        if operation.f in _WITHOUT_KEY:
            wide.append(operation)
        elif operation.f not in _APART:
            parts[address(operation)].append(operation)
    if wide:
        _project(wide, parts)
    return dict(parts)


def _project(wide: list[Operation], parts: dict[Address, list[Operation]]) -> None:
    spaces: dict[tuple[Any, Any], dict[Any, None]] = defaultdict(dict)
    for plugin, namespace, key in parts:
        spaces[plugin, namespace][key] = None
    for operation in wide:
        space = (operation.value.get("plugin"), operation.value.get("namespace"))
        if operation.f == "entries" and isinstance(operation.outcome, Ok):
            spaces[space].update(dict.fromkeys(row.key for row in operation.outcome.result))
    for operation in wide:
        space = (operation.value.get("plugin"), operation.value.get("namespace"))
        for key, each in by_key(operation, spaces[space]):
            parts[(*space, key)].append(each)


def by_key(operation: Operation, keys: Iterable[Any]) -> Iterator[tuple[Any, Operation]]:
    """Yield, with its key, what a listing or a clear means for each of the keys."""
    if isinstance(operation.outcome, Fail):
        return
    if operation.f == "clear":
        for key in keys:
            yield key, _as(operation, "clear", key, operation.outcome)
    elif isinstance(operation.outcome, Ok):
        rows = {row.key: row.value for row in operation.outcome.result}
        for key in keys:
            yield key, _as(operation, "lookup", key, Ok(rows.get(key, ABSENT)))


def _as(operation: Operation, f: str, key: Any, outcome: Outcome) -> Operation:
    return Operation(
        process=operation.process,
        f=f,
        value={**operation.value, "key": key},
        outcome=outcome,
        invoked_ns=operation.invoked_ns,
        completed_ns=operation.completed_ns,
        extra={**operation.extra, "projected": operation.f},
    )


@dataclass(slots=True)
class Expiries:
    """The windows in which writes with a TTL expire."""

    history: Sequence[Operation]
    eps_ms: int
    grace_ms: int
    _advances: Advances | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        moves = [each for each in self.history if each.f == "advance"]
        self._advances = Advances(moves) if moves else None

    def of(self, operations: Sequence[Operation]) -> list[Operation]:
        """Answer an `expire` operation for each write on a key that has a TTL and may expire."""
        timed = [
            each
            for each in operations
            if each.f in _WRITES and each.value.get("ttl_ms") is not None and _may_write(each)
        ]
        if not timed:
            return []
        written: dict[str, int] = defaultdict(int)
        for each in operations:
            if each.f in _WRITES and _may_write(each):
                written[name_of(each.value["value"])] += 1
        return [
            self._expire(each, window, alone=written[name_of(each.value["value"])] == 1)
            for each in timed
            if (window := self.window(each)) is not None
        ]

    def window(self, write: Operation) -> tuple[int, int | None] | None:
        """Answer the first and the last instant of a write's expiry, in ns.

        None as the last where nothing bounds it; None for a write that never expires.
        """
        if self._advances is not None:
            return self._advances.window(write)
        ttl_ns, eps_ns = write.value["ttl_ms"] * _MS, self.eps_ms * _MS
        first = max(write.invoked_ns, write.invoked_ns + ttl_ns - eps_ns)
        if write.completed_ns is None:
            return first, None
        return first, write.completed_ns + ttl_ns + eps_ns + self.grace_ms * _MS

    def _expire(
        self, write: Operation, window: tuple[int, int | None], *, alone: bool
    ) -> Operation:
        """Of a value written more than once nobody can tell which write an expiry ends."""
        first, last = window
        certain = alone and last is not None
        return Operation(
            process=NOBODY,
            f="expire",
            value=write.value,
            outcome=Ok(None) if certain else Info("one of several writes of this value"),
            invoked_ns=first,
            completed_ns=last,
            extra={"of": write},
        )


def _may_write(operation: Operation) -> bool:
    outcome = operation.outcome
    if isinstance(outcome, Ok):
        return operation.f == "register" or outcome.result is True
    return isinstance(outcome, Info)


class Advances:
    """Virtual time, as the `advance` operations of a history moved it."""

    def __init__(self, moves: Sequence[Operation]) -> None:
        self._moves = sorted(moves, key=lambda each: each.invoked_ns)
        self._begun = [each.invoked_ns for each in self._moves]
        self._ended = [
            each.invoked_ns if each.completed_ns is None else each.completed_ns
            for each in self._moves
        ]
        self._at = [0]
        for each in self._moves:
            self._at.append(self._at[-1] + each.value["ms"])

    def window(self, write: Operation) -> tuple[int, int | None] | None:
        """Answer the interval of the advance that passes the expiry of a write."""
        ttl_ms = write.value["ttl_ms"]
        before = bisect_left(self._ended, write.invoked_ns)
        first = bisect_left(self._at, self._at[before] + ttl_ms)
        if first > len(self._moves):
            return None
        begun = self._begun[first - 1]
        if write.completed_ns is None:
            return begun, None
        during = sum(start <= write.completed_ns for start in self._begun)
        last = bisect_left(self._at, self._at[during] + ttl_ms)
        return begun, None if last > len(self._moves) else self._ended[last - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class GreyZone:
    """How much a history says about TTL.

    `expiries` is the number of rows that could expire, `crisp` the number of reads and claims that
    had to see one answer because a row's expiry was certainly past or certainly to come, `grey` the
    number of those that overlapped the window of an expiry on their key: they prove nothing.
    """

    expiries: int
    crisp: int
    grey: int


def grey_zone(history: Sequence[Operation], model: ClaimModel) -> GreyZone:
    """Count the observations on keys with expiring rows by whether they could be judged."""
    expiries = crisp = grey = 0
    for part in model.partition(history).values():
        windows = sorted(
            (each.invoked_ns, NEVER if each.completed_ns is None else each.completed_ns)
            for each in part
            if each.f == "expire"
        )
        if not windows:
            continue
        expiries += len(windows)
        begun = [first for first, _ in windows]
        ended = list(accumulate((last for _, last in windows), max))
        for each in part:
            if each.f != "expire" and isinstance(each.outcome, Ok):
                met = _meets(each, begun, ended)
                grey += met
                crisp += not met
    return GreyZone(expiries=expiries, crisp=crisp, grey=grey)


def _meets(operation: Operation, begun: Sequence[int], ended: Sequence[int]) -> bool:
    """Tell whether a call overlaps a window; `ended` is the latest end of all up to each."""
    returned = NEVER if operation.completed_ns is None else operation.completed_ns
    before = bisect_right(begun, returned) - 1
    return before >= 0 and ended[before] >= operation.invoked_ns
