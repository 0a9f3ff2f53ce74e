"""The search for one key of a claim store: who held it, and when.

It is the just-in-time frontier search (see `frontier`) for one model that is known beforehand. A
configuration is what the key holds with the set of pending acts that are done in it; it is kept as
one integer. Only returns force work. On top of what `frontier` does:

- an observer that every configuration satisfies is forgotten at its call: refused claims, the most
  common operation by far, cost nearly nothing;
- an expiry needs no place in the set: while its window is open what it is about may end at any
  time, and at the end of the window it has;
- a value written once may not go away while it is still to be observed. This looks into the future,
  as do the reductions of `acts`, so a violation may be found before the first return that nothing
  explains. `run` then searches once more without them, in order to name that return.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from typing import TYPE_CHECKING, Final

from onewinner.checker.acts import (
    CLEARED,
    EXPIRED,
    HELD,
    NO_ROW,
    OLD_ROW,
    PUT,
    REMOVED,
    SEEN,
    SOME_VALUE,
    TAKEN,
    WON,
    acts_of,
    reduce,
)
from onewinner.checker.search import NEVER, Exhausted
from onewinner.checker.zones import zones

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.checker.acts import Act
    from onewinner.checker.search import Allowance
    from onewinner.history import Operation

_STATE_BITS: Final = 32
_STATE: Final = (1 << _STATE_BITS) - 1
_CALL, _RETURN = 0, 1
_NAMING_SHARE: Final = 20
"""The search that names the earliest failing return may take so many times as long."""


class PresenceSearch:
    """The acts on one key under way; `run` goes on until it is decided or its slice is used up.

    `failing` is then the index in `prepared` of the act at whose return nothing was left. What the
    zone test finds right needs no search; what it finds wrong is searched for the return to name.
    """

    def __init__(self, operations: Sequence[Operation], allowance: Allowance) -> None:
        self.prepared = acts_of(operations)
        self._operations = operations
        self.failing: int | None = None
        self._allowance = allowance
        self._zones = zones(self.prepared)
        self.decided_by = "zones" if self._zones else "presence"
        if not self._zones:
            reduce(self.prepared)
        self._sweep = Sweep(() if self._zones else self.prepared, foresee=True)

    @property
    def valid(self) -> bool:
        """The verdict once it is decided."""
        return self.failing is None

    @property
    def steps(self) -> int:
        """How many events and transitions were looked at."""
        return self._sweep.steps

    def run(self, most_steps: int) -> bool:
        """Search for about so many steps; answer whether the key is decided.

        Raises Exhausted where a budget ran out.
        """
        decided = self._sweep.run(most_steps, self._allowance)
        if decided and self._zones is False and self._sweep.failing is None:
            raise AssertionError("the zone test and the search contradict each other")
        if decided and self._sweep.failing is not None:
            self.failing = self._earliest(self._sweep.failing)
        return decided

    def _earliest(self, found: int) -> int:
        """Name the first return that nothing explains, where that can be had cheaply."""
        plain = Sweep(acts_of(self._operations), foresee=False)
        try:
            done = plain.run(_NAMING_SHARE * (self._sweep.steps + 100), self._allowance)
        except Exhausted:
            return found
        return found if not done or plain.failing is None else plain.failing


class Sweep:
    """One pass over the acts in the order of time.

    `foresee`: use that these are all acts on the key. Without it a sweep can be given acts piece by
    piece.
    """

    def __init__(self, acts: Sequence[Act], *, foresee: bool) -> None:
        self.failing: int | None = None
        self.steps = 0
        self._foresee = foresee
        self._frontier: set[int] = {NO_ROW}
        self._open: dict[int, int] = {}  # value -> how many of its expiries may happen now
        self.lenient: set[int] = set()
        """Values whose expiry may be that of one write or another."""
        self.load(acts)

    @property
    def states(self) -> set[int]:
        """All that the key may hold now."""
        return {config & _STATE for config in self._frontier}

    def load(self, acts: Sequence[Act]) -> None:
        """Go on with these acts; all of them begin after all acts before have ended."""
        self.acts = acts
        self._events = _events(acts)
        self._next = 0
        self._free: list[int] = []
        self._bits = _STATE_BITS
        self._bit_of: dict[int, int] = {}
        self._movers: list[tuple[int, int, int, int, bool]] = []
        self._observers: dict[int, tuple[int, int]] = {}
        self._takes: dict[int, int] = {}  # value -> bits of the pending acts that take it away
        self._optional = 0
        writes = Counter(act.value for act in acts if act.kind <= PUT)
        self.lenient |= {value for value, times in writes.items() if times > 1}
        self._to_come: dict[int, int] = {}
        if self._foresee:
            self._to_come = Counter(
                act.value
                for act in acts
                if act.kind in (SEEN, TAKEN) and not act.optional and writes[act.value] == 1
            )

    def run(self, most_steps: int, allowance: Allowance) -> bool:
        """Go on for about so many steps; answer whether the end, or a violation, is reached."""
        begun = self.steps
        events, total = self._events, len(self._events)
        while self._next < total:
            event = events[self._next]
            self._next += 1
            self.steps += 1
            index = event & _STATE
            if event >> _STATE_BITS & 1 != _CALL:
                good = self._return(index, allowance)
            elif self._bit_of or self._next == total or events[self._next] & _STATE != index:
                good = self._call(index)
            else:
                good = self._at_once(index)
            if not good:
                self.failing = index
                allowance.spend(self.steps - begun, 0)
                return True
            if self.steps - begun > most_steps:
                break
        allowance.spend(self.steps - begun, len(self._frontier))
        return self._next >= total

    def _call(self, index: int) -> bool:
        act = self.acts[index]
        kind = act.kind
        if kind >= HELD:
            if not act.optional:
                self._observe(index, kind, act.value)
            return True
        optional = act.optional
        if kind == EXPIRED:
            if act.value not in self.lenient:
                self._open[act.value] = self._open.get(act.value, 0) + 1
                return True
            optional = True  # it may have been the expiry of another write of this value, once
        bit = self._new_bit(index)
        insort(self._movers, (act.returned_ns, bit, kind, act.value, optional))
        if optional:
            self._optional |= bit
        elif kind == TAKEN:
            self._takes[act.value] = self._takes.get(act.value, 0) | bit
            self._seen_coming(act.value)
        return True

    def _at_once(self, index: int) -> bool:
        """Take an act that meets no other, its call and its return in one, if it can be."""
        act = self.acts[index]
        if act.optional or act.kind == EXPIRED or self._open or len(self._frontier) != 1:
            return self._call(index)
        self._next += 1
        (state,) = self._frontier
        kind, value = act.kind, act.value
        if kind in (SEEN, TAKEN):
            self._seen_coming(value)
        if kind >= HELD:
            return _fits(kind, value, state)
        after = _moved(kind, value, state, state <= OLD_ROW or self._may_go(state, 0))
        if kind == TAKEN and self._to_come.get(value):
            return False
        self._frontier = {after}
        return after >= 0

    def _observe(self, index: int, kind: int, value: int) -> None:
        if kind == SEEN:
            self._seen_coming(value)
        frontier = self._frontier
        met = [config for config in frontier if _fits(kind, value, config & _STATE)]
        if len(met) == len(frontier):
            return
        bit = self._new_bit(index)
        self._observers[bit] = (kind, value)
        for config in met:
            frontier.remove(config)
            frontier.add(config | bit)

    def _seen_coming(self, value: int) -> None:
        if value in self._to_come:
            self._to_come[value] -= 1

    def _new_bit(self, index: int) -> int:
        if self._free:
            bit = self._free.pop()
        else:
            bit = 1 << self._bits
            self._bits += 1
        self._bit_of[index] = bit
        return bit

    def _return(self, index: int, allowance: Allowance) -> bool:
        act = self.acts[index]
        bit = self._bit_of.pop(index, 0)
        if act.kind == EXPIRED and not bit:
            return self._end_window(act)
        if not bit:
            return True  # an observer that was satisfied at once
        met: set[int] = set()
        waiting: list[int] = []
        for config in self._frontier:
            if config & bit:
                met.add(config ^ bit)
            else:
                waiting.append(config)
        if waiting:
            if act.optional or act.kind == EXPIRED:
                met.update(waiting)  # it may never happen: but if it does, then before this
            self._expand(waiting, bit, met, allowance)
        self._forget(act, bit)
        self._frontier = self._undominated(met) if self._optional and len(met) > 1 else met
        return bool(met)

    def _forget(self, act: Act, bit: int) -> None:
        self._free.append(bit)
        if act.kind >= HELD:
            del self._observers[bit]
            return
        optional = act.optional or act.kind == EXPIRED
        self._movers.remove((act.returned_ns, bit, act.kind, act.value, optional))
        self._optional &= ~bit
        if act.kind == TAKEN and not act.optional:
            self._takes[act.value] &= ~bit

    def _end_window(self, act: Act) -> bool:
        """A value that was written once is gone when the window of its expiry ends."""
        value = act.value
        left = self._open[value] - 1
        if left:
            self._open[value] = left
        else:
            del self._open[value]
        kept = self._frontier.copy() if act.optional else set()
        for config in self._frontier:
            if config & _STATE != value:
                kept.add(config)
                continue
            done = config ^ value
            if self._may_go(value, done):
                kept.add(self._eager(OLD_ROW, done))
            for _, bit, kind, about, _ in self._movers:
                takes = kind == TAKEN and about == value and not done & bit
                if takes and not self._to_come.get(value):
                    kept.add(self._eager(NO_ROW, done | bit))
        self._frontier = kept
        return bool(kept)

    def _may_go(self, value: int, done: int) -> bool:
        """Tell whether a value may go away other than by being taken."""
        if not self._foresee or value in self.lenient:
            return True
        return not self._to_come.get(value) and not self._takes.get(value, 0) & ~done

    def _eager(self, state: int, done: int) -> int:
        for bit, (kind, value) in self._observers.items():
            if not done & bit and _fits(kind, value, state):
                done |= bit
        return done | state

    def _expand(self, stack: list[int], goal: int, met: set[int], allowance: Allowance) -> None:
        """Let pending acts take effect until the one with the bit `goal` has."""
        seen = set(stack)
        since = 0
        while stack:
            config = stack.pop()
            for reached in self._after(config, goal):
                since += 1
                if reached & goal:
                    met.add(reached ^ goal)
                elif reached not in seen:
                    seen.add(reached)
                    stack.append(reached)
            if since > 4096:
                self.steps += since
                allowance.spend(since, len(seen) + len(met))
                self.steps -= since
                since = 0
        self.steps += since

    def _after(self, config: int, goal: int) -> list[int]:
        """Answer the configurations one act further; of identical acts the most urgent is tried."""
        state = config & _STATE
        done = config ^ state
        free = state <= OLD_ROW or self._may_go(state, done)
        reached = []
        tried = set()
        for _, bit, kind, value, optional in self._movers:
            if done & bit:
                continue
            after = _moved(kind, value, state, free)
            if kind == TAKEN and after == NO_ROW and self._to_come.get(value):
                continue
            if after < 0:
                continue
            same = (kind, value, optional)
            if same in tried and bit != goal:
                continue
            tried.add(same)
            reached.append(self._eager(after, done | bit))
        if state in self._open and free:
            reached.append(self._eager(OLD_ROW, done))
        return reached

    def _undominated(self, met: set[int]) -> set[int]:
        """Keep, of configurations alike but for the optional acts used, those that used least."""
        optional = self._optional
        if not any(config & optional for config in met):
            return met
        kept: dict[int, list[int]] = {}
        for config in sorted(met, key=lambda each: (each & optional).bit_count()):
            used = config & optional
            least = kept.setdefault(config ^ used, [])
            if not any(less & used == less for less in least):
                least.append(used)
        return {rest | used for rest, many in kept.items() for used in many}


def _fits(kind: int, value: int, state: int) -> bool:
    if kind == HELD:
        return state >= SOME_VALUE
    if kind == SEEN:
        return state == value
    return state <= OLD_ROW


def _moved(kind: int, value: int, state: int, free: bool) -> int:
    """Answer the state after an act, -1 where it is not possible."""
    if kind == WON:
        return value if state <= OLD_ROW else -1
    if kind == PUT:
        return value if free or state == value else -1
    if kind == TAKEN:
        return NO_ROW if state == value else -1
    if kind == EXPIRED:
        return OLD_ROW if state == value and free else -1
    if kind == REMOVED:
        return NO_ROW if state != NO_ROW and free else -1
    return NO_ROW if kind == CLEARED and free else -1


def _events(acts: Sequence[Act]) -> list[int]:
    """Answer what happens in order of time, calls before returns: intervals are closed."""
    zero = min((act.invoked_ns for act in acts), default=0)
    events = [
        ((act.invoked_ns - zero) << 1) << _STATE_BITS | index for index, act in enumerate(acts)
    ]
    events += [
        ((act.returned_ns - zero) << 1 | _RETURN) << _STATE_BITS | index
        for index, act in enumerate(acts)
        if act.returned_ns < NEVER
    ]
    events.sort()
    return events
