"""Depth-first search with memory (Wing and Gong 1993, Lowe 2017), for any model.

It builds one order at a time, takes back the last operation where it is stuck, and never visits
twice the same set of operations in the same state. Where many calls are pending and nearly each
order of them leads to a state of its own (appends), the frontier holds far too many configurations;
this search needs only one order that works, and finds it soon if there is one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onewinner.checker.frontier import Transitions
from onewinner.checker.search import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.checker.search import Allowance, Model, Prepared

_END = -1
_LOOK = 1024


@dataclass(slots=True)
class _Taken:
    """One operation of the order so far, with what has to be put back when it is taken back."""

    index: int
    state: int
    latest_ns: int
    others: list[int] = field(default_factory=list)


class DepthFirst:
    """One partition under way; `run` goes on until it is decided or its slice is used up.

    Every order that was tried was stuck at some return, the latest of which is `failing`: what
    happened before it can be explained, but not together with it.
    """

    decided_by = "depth-first"

    def __init__(self, model: Model, prepared: Sequence[Prepared], allowance: Allowance) -> None:
        self.prepared = prepared
        self.failing: int | None = None
        self.done = False
        self.steps = 0
        self._allowance = allowance
        self._transitions = Transitions(model)
        self._labels = [self._transitions.label(each) for each in prepared]
        self._after = [*range(1, len(prepared)), _END] if prepared else []
        self._before = list(range(_END, len(prepared) - 1))
        self._first = 0 if prepared else _END
        self._state = self._transitions.first
        self._mask = 0
        self._latest_ns = -(1 << 62)
        self._order: list[_Taken] = []
        self._seen: set[tuple[int, int]] = {(0, self._state)}
        self._stuck_ns, self._stuck = -(1 << 62), 0
        self._must = sum(not each.optional for each in prepared)

    @property
    def valid(self) -> bool:
        """The verdict once `done`."""
        return self.failing is None

    def run(self, most_steps: int) -> bool:
        """Search for about so many steps; answer whether the partition is decided.

        Raises Exhausted where a budget ran out, ModelFault where the model broke its contract.
        """
        begun = spent = self.steps
        while not self.done and self.steps - begun <= most_steps:
            if not self._must:
                self.done = True
            elif not self._take_from(self._first) and not self._go_back():
                self.done, self.failing = True, self._stuck
            if self.steps - spent > _LOOK:
                self._allowance.spend(self.steps - spent, len(self._seen))
                spent = self.steps
        self._allowance.spend(self.steps - spent, len(self._seen))
        return self.done

    def _go_back(self) -> bool:
        """Take operations back until another can be taken instead; False where none can."""
        while self._order:
            last = self._order.pop()
            self._put_back(last)
            if last.others:
                self._enter(last.index, last.others)
                return True
            if self._take_from(self._after[last.index]):
                return True
        return False

    def _take_from(self, index: int) -> bool:
        """Take the first operation from this one on that may come next and leads to new ground."""
        bound = self._bound()
        while index != _END:
            each = self.prepared[index]
            if each.invoked_ns > bound:
                break
            if not each.optional or each.returned_ns >= self._latest_ns:
                self.steps += 1
                fresh = self._fresh(index)
                if fresh:
                    self._enter(index, fresh)
                    return True
            index = self._after[index]
        return False

    def _bound(self) -> int:
        """Answer the earliest return of what must still happen: nothing begun later comes next."""
        bound, index, stuck = NEVER, self._first, 0
        while index != _END:
            each = self.prepared[index]
            if each.invoked_ns > bound:
                break
            if not each.optional and each.returned_ns < bound:
                bound = each.returned_ns
                stuck = index
            index = self._after[index]
        if self._stuck_ns < bound < NEVER:
            self._stuck_ns, self._stuck = bound, stuck
        return bound

    def _fresh(self, index: int) -> list[int]:
        """Answer the states that the operation leads to and that were not visited with its set."""
        mask = self._mask | 1 << index
        return [
            state
            for state in self._transitions.after(self._state, self._labels[index])
            if (mask, state) not in self._seen
        ]

    def _enter(self, index: int, states: list[int]) -> None:
        each = self.prepared[index]
        self._order.append(_Taken(index, self._state, self._latest_ns, states[1:]))
        self._state = states[0]
        self._mask |= 1 << index
        self._seen.add((self._mask, self._state))
        self._latest_ns = max(self._latest_ns, each.invoked_ns)
        self._must -= not each.optional
        before, after = self._before[index], self._after[index]
        if before == _END:
            self._first = after
        else:
            self._after[before] = after
        if after != _END:
            self._before[after] = before

    def _put_back(self, taken: _Taken) -> None:
        index = taken.index
        self._state, self._latest_ns = taken.state, taken.latest_ns
        self._mask ^= 1 << index
        self._must += not self.prepared[index].optional
        before, after = self._before[index], self._after[index]
        if before == _END:
            self._first = index
        else:
            self._after[before] = index
        if after != _END:
            self._before[after] = index
