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
_PATIENCE = 2
"""One event may take so many times the steps of a slice before it is put off, the next time twice
as many."""

_ACCOUNT = 500
"""After so many steps the budgets are looked at, in the middle of an event too."""


class _Pause(Exception):  # noqa: N818 - no error: the slice is used up
    """The slice ran out inside of one event, and nothing of that event has been noted."""


class Frontier:
    """One partition under way; `run` goes on until it is decided or its slice is used up."""

    decided_by = "frontier"

    def __init__(self, model: Model, prepared: Sequence[Prepared], allowance: Allowance) -> None:
        self.prepared = prepared
        self.failing: int | None = None
        self.done = False
        self._pause_at, self._patience = 0, _PATIENCE
        self._accounted = 0
        self._transitions = Transitions(model)
        self._allowance = allowance
        self._events = events(prepared)
        self._next = 0
        self._free = list(range(_BITS - 1, -1, -1))
        self._bits = _BITS
        self._bit_of: dict[int, int] = {}
        self._movers: list[tuple[int, int, int, int]] = []  # (return, index, bit, label)
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
        self._pause_at = spent + self._patience * most_steps
        try:
            while not self.done and self.steps - spent <= most_steps:
                self._event()
                self._patience = _PATIENCE
        except _Pause:
            self._patience *= 2
        self._account(len(self._frontier))
        return self.done

    def _account(self, held: int) -> None:
        done, self._accounted = self.steps - self._accounted, self.steps
        self._allowance.spend(done, held)

    def _event(self) -> None:
        if self._next == len(self._events):
            self.done = True
            return
        _, kind, index = self._events[self._next]
        if kind == 0:
            self._call(index)
        elif not self._return(index):
            self.failing, self.done = index, True
        self._next += 1

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
        insort(self._movers, (each.returned_ns, index, bit, label))
        if each.optional:
            self._optional |= bit

    def _return(self, index: int) -> bool:
        bit, each = self._bit_of[index], self.prepared[index]
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
        return True

    def _forget(self, index: int, bit: int) -> None:
        del self._bit_of[index]
        self._observers.pop(bit, None)
        entry = (self.prepared[index].returned_ns, index, bit, self._labels[index])
        if entry in self._movers:
            self._movers.remove(entry)
        self._optional &= ~bit
        self._free.append(bit.bit_length() - 1)

    def _expand(self, begun: list[tuple[int, int]], goal: int, met: set[tuple[int, int]]) -> None:
        """Let pending operations take effect until the one with the bit `goal` has.

        Configurations are taken up by the number of optional operations that they used, so that
        whatever dominates another is known before it.
        """
        least = _Least(self._optional)
        levels: list[list[tuple[int, int]]] = [[]]
        self._push(levels, begun)
        level = 0
        while level < len(levels):
            while levels[level]:
                config = levels[level].pop()
                if not least.takes(config):
                    continue
                reached = self._after(config, goal)
                self.steps += len(reached)
                met.update((state, done ^ goal) for state, done in reached if done & goal)
                self._push(levels, [each for each in reached if not each[1] & goal])
                if self.steps > self._pause_at:
                    raise _Pause
                if self.steps - self._accounted > _ACCOUNT:
                    self._account(least.held + len(met))
            level += 1

    def _push(self, levels: list[list[tuple[int, int]]], configs: list[tuple[int, int]]) -> None:
        optional = self._optional
        for config in configs:
            used = (config[1] & optional).bit_count()
            while len(levels) <= used:
                levels.append([])
            levels[used].append(config)

    def _after(self, config: tuple[int, int], goal: int) -> list[tuple[int, int]]:
        """Answer the configurations one operation further; of equal operations one is tried."""
        state, done = config
        transitions, eager = self._transitions, self._eager
        reached = []
        tried = set()
        for _, _, bit, label in self._movers:
            if done & bit or (label in tried and bit != goal):
                continue
            tried.add(label)
            known = transitions.known[label].get(state)
            if known is None:
                known = transitions.after(state, label)
            reached += [(each, eager(each, done | bit)) for each in known]
        return reached

    def _eager(self, state: int, done: int) -> int:
        for bit, label in self._observers.items():
            if not done & bit and self._transitions.after(state, label):
                done |= bit
        return done

    def _undominated(self, met: set[tuple[int, int]]) -> set[tuple[int, int]]:
        """Keep, of configurations alike but for the optional operations used, the least."""
        least, optional = _Least(self._optional), self._optional
        ordered = sorted(met, key=lambda config: (config[1] & optional).bit_count())
        return {config for config in ordered if least.takes(config)}


class _Least:
    """Configurations taken so far, none of which used more optional operations than it had to."""

    def __init__(self, optional: int) -> None:
        self.held = 0
        self._optional = optional
        self._used: dict[tuple[int, int], list[int]] = {}

    def takes(self, config: tuple[int, int]) -> bool:
        """Take a configuration unless one that was taken can do all that it can."""
        used = config[1] & self._optional
        taken = self._used.setdefault((config[0], config[1] ^ used), [])
        for less in taken:
            if less & used == less:
                return False
        taken.append(used)
        self.held += 1
        return True


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
        self.known: list[dict[int, tuple[int, ...]]] = []
        self.first = self._number(self._guarded(model.initial))

    def label(self, each: Prepared) -> int:
        """Answer the number of the operation's label."""
        number = self._label_numbers.get(each.label)
        if number is None:
            number = self._label_numbers[each.label] = len(self._samples)
            self._samples.append(each.operation)
            self._observing.append(bool(self._guarded(self._observes, each.operation)))
            self.known.append({})
        return number

    def observes(self, label: int) -> bool:
        """Tell whether operations with this label never change the state."""
        return self._observing[label]

    def fits(self, state: int, label: int) -> bool:
        """Tell whether an operation with this label is possible in the state."""
        return bool(self.after(state, label))

    def after(self, state: int, label: int) -> tuple[int, ...]:
        """Answer the numbers of the states that the operation may lead to."""
        known = self.known[label].get(state)
        if known is None:
            known = self.known[label][state] = self._ask(state, label)
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
