"""The just-in-time frontier search, for any model (Lowe 2017; Knossos' `linear` is its kin).

Events are taken in the order of time. A configuration is a state with the set of pending operations
that have already taken effect in it; the frontier holds all configurations that explain what was
seen so far. A call adds nothing but a pending operation. A return keeps the configurations in which
the operation has taken effect, and lets the others try: pending operations take effect one after
the other until it has. So work is done only where it is forced, memory is the frontier and not the
history, and the first return that no configuration survives is the earliest failing event.

Exact reductions: an observer that fits takes effect at once (it changes nothing, so it cannot
hurt); of pending operations that no state tells apart only the one that returns first is tried; of
configurations that differ only in which optional operations they used up, the one that used fewer
is kept.
"""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, Any

from onewinner.checker.search import ModelFault, events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.checker.search import Allowance, Model, Prepared

_BITS = 64


class Frontier:
    """One partition under way; `run` goes on until it is decided or its slice is used up."""

    decided_by = "frontier"

    def __init__(self, model: Model, prepared: Sequence[Prepared], allowance: Allowance) -> None:
        self.prepared = prepared
        self.failing: int | None = None
        self.done = False
        self.peak = 1
        self._transitions = Transitions(model)
        self._allowance = allowance
        self._events = events(prepared)
        self._next = 0
        self._free = list(range(_BITS - 1, -1, -1))
        self._bits = _BITS
        self._bit_of: dict[int, int] = {}
        self._movers: list[tuple[int, int, int]] = []  # (return, bit, label)
        self._observers: dict[int, int] = {}  # bit -> label
        self._optional = 0
        self._labels = [self._transitions.label(each) for each in prepared]
        self._frontier: set[tuple[int, int]] = {(self._transitions.first, 0)}
        self.steps = 0

    @property
    def valid(self) -> bool:
        """The verdict once `done`."""
        return self.failing is None

    def run(self, most_steps: int) -> bool:
        """Search for about so many steps; answer whether the partition is decided.

        Raises Exhausted where a budget ran out, ModelFault where the model broke its contract.
        """
        spent = self.steps
        while self._next < len(self._events):
            _, kind, index = self._events[self._next]
            self._next += 1
            if kind == 0:
                self._call(index)
            elif not self._return(index):
                self.failing, self.done = index, True
                return True
            if self.steps - spent > most_steps:
                self._allowance.spend(self.steps - spent, len(self._frontier))
                return False
        self._allowance.spend(self.steps - spent, len(self._frontier))
        self.done = True
        return True

    def _call(self, index: int) -> None:
        each, label = self.prepared[index], self._labels[index]
        if not self._free:
            self._free, self._bits = [self._bits], self._bits + 1
        bit = 1 << self._free.pop()
        self._bit_of[index] = bit
        if self._transitions.observes(label):
            if each.optional:
                return  # it changes nothing and nobody knows its answer
            self._observers[bit] = label
            fits = self._transitions.fits
            self._frontier = {
                (state, done | bit) if fits(state, label) else (state, done)
                for state, done in self._frontier
            }
            return
        insort(self._movers, (each.returned_ns, bit, label))
        if each.optional:
            self._optional |= bit

    def _return(self, index: int) -> bool:
        bit, each = self._bit_of.pop(index), self.prepared[index]
        met = {(state, done ^ bit) for state, done in self._frontier if done & bit}
        waiting = [config for config in self._frontier if not config[1] & bit]
        if each.optional:
            met.update(waiting)  # it may never happen: but if it does, then before this
        if waiting and not (each.optional and self._transitions.observes(self._labels[index])):
            self._expand(waiting, bit, met)
        if not met:
            return False
        self._frontier = self._undominated(met) if self._optional else met
        self._forget(index, bit)
        self.peak = max(self.peak, len(self._frontier))
        return True

    def _forget(self, index: int, bit: int) -> None:
        self._observers.pop(bit, None)
        entry = (self.prepared[index].returned_ns, bit, self._labels[index])
        if entry in self._movers:
            self._movers.remove(entry)
        self._optional &= ~bit
        self._free.append(bit.bit_length() - 1)

    def _expand(self, stack: list[tuple[int, int]], goal: int, met: set[tuple[int, int]]) -> None:
        """Let pending operations take effect until the one with the bit `goal` has."""
        seen = set(stack)
        after, eager = self._transitions.after, self._eager
        while stack:
            state, done = stack.pop()
            tried = set()
            for _, bit, label in self._movers:
                if done & bit or (label in tried and bit != goal):
                    continue
                tried.add(label)
                for reached in after(state, label):
                    self.steps += 1
                    marked = eager(reached, done | bit)
                    if marked & goal:
                        met.add((reached, marked ^ goal))
                    elif (reached, marked) not in seen:
                        seen.add((reached, marked))
                        stack.append((reached, marked))
            if len(seen) & 0xFFF == 0xFFF:
                self._allowance.spend(0, len(seen) + len(met))

    def _eager(self, state: int, done: int) -> int:
        for bit, label in self._observers.items():
            if not done & bit and self._transitions.fits(state, label):
                done |= bit
        return done

    def _undominated(self, met: set[tuple[int, int]]) -> set[tuple[int, int]]:
        """Keep, of configurations alike but for the optional operations used, the least."""
        kept: dict[tuple[int, int], list[int]] = {}
        for state, done in sorted(met, key=lambda c: (c[1] & self._optional).bit_count()):
            used = done & self._optional
            least = kept.setdefault((state, done & ~self._optional), [])
            if not any(less & used == less for less in least):
                least.append(used)
        return {(state, must | used) for (state, must), many in kept.items() for used in many}


class Transitions:
    """The model's steps, each taken once: states and labels are numbered, answers remembered.

    The first answer for a state and a label is asked for twice: a model whose `step` is not a pure
    function is named, instead of being trusted.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._observes = getattr(model, "observes", lambda _: False)
        self._states: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._samples: list[Any] = []
        self._label_numbers: dict[Any, int] = {}
        self._observing: list[bool] = []
        self._after: list[dict[int, tuple[int, ...]]] = []
        self.first = self._number(self._guarded(model.initial))

    def label(self, each: Prepared) -> int:
        """Answer the number of the operation's label."""
        number = self._label_numbers.get(each.label)
        if number is None:
            number = self._label_numbers[each.label] = len(self._samples)
            self._samples.append(each.operation)
            self._observing.append(bool(self._guarded(self._observes, each.operation)))
            self._after.append({})
        return number

    def observes(self, label: int) -> bool:
        """Tell whether operations with this label never change the state."""
        return self._observing[label]

    def fits(self, state: int, label: int) -> bool:
        """Tell whether an operation with this label is possible in the state."""
        return bool(self.after(state, label))

    def after(self, state: int, label: int) -> tuple[int, ...]:
        """Answer the numbers of the states that the operation may lead to."""
        known = self._after[label].get(state)
        if known is None:
            known = self._after[label][state] = self._ask(state, label)
        return known

    def _ask(self, state: int, label: int) -> tuple[int, ...]:
        operation, before = self._samples[label], self._states[state]
        step = self._model.step
        once = self._guarded(lambda: tuple(step(before, operation)))
        if once != self._guarded(lambda: tuple(step(before, operation))):
            raise ModelFault(
                f"the model's step answers differently when it is asked twice for {operation.f} "
                f"{operation.value!r} in state {before!r}; it must be a pure function"
            )
        return tuple(self._number(state) for state in once)

    def _number(self, state: Any) -> int:
        try:
            number = self._numbers.setdefault(state, len(self._states))
        except TypeError as error:
            raise ModelFault(
                f"the model's state {state!r} cannot be hashed; use tuples and frozensets"
            ) from error
        if number == len(self._states):
            self._states.append(state)
        return number

    def state(self, number: int) -> Any:
        """Answer the state behind a number."""
        return self._states[number]

    def _guarded(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except ModelFault:
            raise
        except Exception as error:
            name = getattr(call, "__name__", "step").replace("<lambda>", "step")
            raise ModelFault(
                f"the model's {name} raised {type(error).__name__}: {error}"
            ) from error
