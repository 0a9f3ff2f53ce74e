"""Judging a history that is too long to hold: operation by operation, as a file gives them.

Each key keeps only what is still open. Wherever all that is known of a key lies before all that is
still to come, its part of the history is cut, the piece is searched, and what remains of it are the
configurations that explain it. Reductions that look into the future are left out: they need the
whole history. A call that never returned may act at any later time, so from its key on nothing can
be cut: the verdict is the same, the memory is not flat any more.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from onewinner.checker.acts import EXPIRED, PUT, Act, Values, act_of
from onewinner.checker.claims import ClaimModel, Expiries, address, by_key
from onewinner.checker.presence import Sweep
from onewinner.checker.search import NEVER
from onewinner.history import Fail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.checker.claims import Address
    from onewinner.checker.search import Allowance
    from onewinner.history import Operation

_PIECE: Final = 48
"""So many acts on a key are gathered before a cut is looked for."""

_SLICE: Final = 1 << 62
_WRITES: Final = frozenset({"register_if_absent", "register"})
_KEYED: Final = _WRITES | {"lookup", "consume", "delete"}
_APART: Final = frozenset({"open", "sweep_expired"})


class NotStreamable(Exception):  # noqa: N818 - a finding: the history must be judged as a whole
    """The history has virtual time: when a row expires depends on what is still to come."""


@dataclass(slots=True)
class _Key:
    """What is kept of one key."""

    values: Values = field(default_factory=Values)
    sweep: Sweep = field(default_factory=lambda: Sweep((), foresee=False))
    waiting: list[Act] = field(default_factory=list)
    expiries: list[tuple[int, int, Act]] = field(default_factory=list)
    timed: dict[int, int] = field(default_factory=dict)  # value -> expiries still to come
    look_at: int = _PIECE


class ClaimStream:
    """The operations of a claim store, taken in the order in which they completed.

    `failed` is the first operation found that nothing explains, with its key; None so far.
    """

    def __init__(self, model: ClaimModel, allowance: Allowance) -> None:
        self.failed: tuple[Address, Operation] | None = None
        self.operations = 0
        self._expiries = Expiries((), model.eps_ms, model.grace_ms)
        self._allowance = allowance
        self._keys: dict[Address, _Key] = {}
        self._spaces: dict[tuple[Any, Any], set[Any]] = {}
        self._clears: list[Operation] = []
        self._pushed = 0

    @property
    def keys(self) -> int:
        """How many keys were met."""
        return len(self._keys)

    def feed(self, operation: Operation, before_ns: int) -> bool:
        """Take one operation; all that is still to come is invoked at `before_ns` or later.

        Answers False at a violation. Raises NotStreamable, Exhausted, and ValueError for an
        operation that the claim model does not know.
        """
        self.operations += 1
        f = operation.f
        if f in _KEYED:
            return self._take(operation, before_ns)
        if f in _APART or isinstance(operation.outcome, Fail):
            return True
        if f == "advance":
            raise NotStreamable
        if f not in {"entries", "clear"}:
            return self._take(operation, before_ns)  # which will say that it is unknown
        if f == "clear":
            self._clears = [each for each in self._clears if _reaches(each, before_ns)]
            self._clears.append(operation)
        keys = self._known(operation)
        return all(self._take(each, before_ns) for _, each in by_key(operation, keys))

    def finish(self) -> bool:
        """Judge what is left of every key; answers False at a violation."""
        return all(self._judge(where, key, NEVER + 1) for where, key in self._keys.items())

    def _known(self, operation: Operation) -> Sequence[Any]:
        """Answer the keys of a namespace that a listing or a clear may say something about now.

        Whatever completes later on a key that nobody has met may all have come after a listing. It
        may have come before a clear that it overlaps: those are kept for such keys (`_meet`).
        """
        space = (operation.value.get("plugin"), operation.value.get("namespace"))
        known = self._spaces.setdefault(space, set())
        if operation.f == "entries" and operation.completed_ns is not None:
            result = getattr(operation.outcome, "result", ())
            known.update(row.key for row in result)
        return list(known)

    def _take(self, operation: Operation, before_ns: int) -> bool:
        where = address(operation)
        key = self._keys.get(where)
        if key is None:
            key = self._meet(where, operation)
        act = act_of(operation, key.values)
        if act is None:
            return True
        key.waiting.append(act)
        if act.kind <= PUT and operation.f in _WRITES:
            self._expect(key, act, operation)
        if len(key.waiting) < key.look_at:
            return True
        return self._judge(where, key, before_ns)

    def _meet(self, where: Address, first: Operation) -> _Key:
        key = self._keys[where] = _Key()
        self._spaces.setdefault(where[:2], set()).add(where[2])
        for clear in self._clears:
            space = (clear.value.get("plugin"), clear.value.get("namespace"))
            if space == where[:2] and first.f != "clear":
                act = act_of(clear, key.values)
                assert act is not None
                key.waiting.append(act)
        return key

    def _expect(self, key: _Key, act: Act, write: Operation) -> None:
        """Note when a write expires; a value that is written again has no certain expiry."""
        if act.value in key.timed:
            key.sweep.lenient.add(act.value)
        if write.value.get("ttl_ms") is None:
            return
        window = self._expiries.window(write)
        assert window is not None
        first, last = window
        end = NEVER if last is None else last
        expiry = Act(EXPIRED, act.value, first, end, last is None, write)
        self._pushed += 1
        heapq.heappush(key.expiries, (first, self._pushed, expiry))
        key.timed[act.value] = key.timed.get(act.value, 0) + 1

    def _judge(self, where: Address, key: _Key, before_ns: int) -> bool:
        """Search what lies before the last instant at which nothing on the key was open."""
        while key.expiries and key.expiries[0][0] < before_ns:
            key.waiting.append(heapq.heappop(key.expiries)[2])
        key.waiting.sort(key=_begun)
        cut = _cut(key.waiting, before_ns)
        piece, key.waiting = key.waiting[:cut], key.waiting[cut:]
        key.look_at = _PIECE if piece else 2 * len(key.waiting)
        if not piece:
            return True
        key.sweep.load(piece)
        while not key.sweep.run(_SLICE, self._allowance):
            pass
        if key.sweep.failing is not None:
            self.failed = (where, piece[key.sweep.failing].operation)
            return False
        self._forget(key, piece)
        return True

    def _forget(self, key: _Key, piece: Sequence[Act]) -> None:
        """Drop the values that are gone: one that is seen again would be wrong in any case."""
        for act in piece:
            if act.kind == EXPIRED:
                key.timed[act.value] -= 1
                if not key.timed[act.value]:
                    del key.timed[act.value]
        kept = key.sweep.states | set(key.timed) | {act.value for act in key.waiting}
        key.values.keep(kept)
        key.sweep.lenient &= kept


def _reaches(operation: Operation, before_ns: int) -> bool:
    return operation.completed_ns is None or operation.completed_ns >= before_ns


def _begun(act: Act) -> int:
    return act.invoked_ns


def _cut(acts: Sequence[Act], before_ns: int) -> int:
    """Answer how many acts, by their beginnings, end before all others, known or not, begin."""
    cut, ended = 0, -1
    for index, act in enumerate(acts):
        if act.invoked_ns > ended:
            cut = index
        if act.returned_ns >= before_ns:
            return cut
        ended = max(ended, act.returned_ns)
    return len(acts)
