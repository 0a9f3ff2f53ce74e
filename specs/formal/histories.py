"""Short histories that are right, drawn from the kit's model, and the same with an answer broken.

Calls overlap at random, take their effect at random instants of their intervals, and are answered
as the model answers then. Time is virtual and passes between rounds, so that nobody disagrees about
what a call that overlaps a tick may have read.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final

from onewinner.checker.claims import ClaimModel
from onewinner.checker.spaces import SpaceModel
from onewinner.contract import ABSENT, BASE
from onewinner.history import Fail, Info, Ok, Operation
from onewinner.model import Call, Refused, Rules, State, Value, outcomes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from onewinner.checker.search import Model
    from onewinner.history import Outcome
    from onewinner.model import Answer

PLUGIN: Final = "p"
FULL: Final = Fail({"code": "LIMIT_EXCEEDED"})
CALLS_MOST: Final = 10
"""So many calls a history has at most."""

_READS: Final = frozenset({"lookup", "consume"})
_ROUND_NS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of history: its namespaces with their keys, its limits, what is called, who judges.

    `weights` say how often each operation is called, `ttls` which TTLs are given (None: none),
    `crash` how often a call never returns.
    """

    name: str
    spaces: Mapping[str, tuple[str, ...]]
    max_entries: int
    cap: int
    weights: Mapping[str, int]
    judge: Model
    ttls: tuple[int | None, ...] = (None,)
    crash: float = 0.0

    def rules(self) -> Rules:
        """Answer the model's rules."""
        return Rules(limits=dataclasses.replace(BASE, plugin_row_cap=self.cap))


LIVES: Final = Family(
    name="lives",
    spaces={"n": ("k1", "k2")},
    max_entries=9,
    cap=99,
    weights={"register_if_absent": 6, "register": 2, "lookup": 3, "consume": 2, "delete": 2},
    judge=ClaimModel(eps_ms=0),
    ttls=(None, 1, 1, 2, 3),
    crash=0.1,
)
LIMITS: Final = Family(
    name="limits",
    spaces={"n": ("k1", "k2", "k3"), "sibling": ("k4",)},
    max_entries=2,
    cap=2,
    weights={"register_if_absent": 6, "register": 4, "lookup": 5, "consume": 1, "delete": 1},
    judge=SpaceModel(
        max_entries=2, rules=Rules(limits=dataclasses.replace(BASE, plugin_row_cap=2))
    ),
)


@dataclass(frozen=True, slots=True)
class _Timed:
    """A call on its way: when it was made, when it takes effect, when it is answered."""

    call: Call
    process: int
    invoked: int
    at: float
    completed: int | None
    happens: bool


@dataclass(slots=True)
class _Author:
    """Writes one history."""

    family: Family
    rng: Random
    free: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(3), 0))
    made: int = 0

    def history(self) -> list[Operation]:
        """Draw the calls round by round, and let the model answer them."""
        found: list[Operation] = []
        state, now, begins = self._opened(), 0, 0
        for epoch in range(self.rng.randint(2, 4)):
            self.free = dict.fromkeys(self.free, begins)
            for timed in sorted(self._round(), key=lambda each: each.at):
                state, outcome = self._answered(state, timed, now)
                found.append(_operation(timed, outcome, epoch))
            begins += _ROUND_NS
            ticks = self.rng.randint(1, 2)
            found.append(_advance(begins - 10, ticks))
            now += ticks
        return sorted(found, key=lambda each: each.invoked_ns)

    def _opened(self) -> State:
        state = State()
        for name in self.family.spaces:
            call = Call(
                f="open", plugin=PLUGIN, namespace=name, max_entries=self.family.max_entries
            )
            state = outcomes(self.family.rules(), state, call, 0)[0][1]
        return state

    def _round(self) -> Iterator[_Timed]:
        for _ in range(self.rng.randint(2, 4)):
            if self.made == CALLS_MOST:
                return
            self.made += 1
            process = self.rng.choice(list(self.free))
            invoked = self.free[process] + self.rng.randint(0, 3)
            completed = invoked + self.rng.randint(0, 8)
            crashes = self.rng.random() < self.family.crash
            self.free[process] = completed + 1
            if crashes:  # a client that got no answer calls nobody again
                self.free[process + 3 * self.made] = self.free.pop(process)
            yield _Timed(
                call=self._call(crashes=crashes),
                process=process,
                invoked=invoked,
                at=self.rng.uniform(invoked, completed),
                completed=None if crashes else completed,
                happens=not crashes or self.rng.random() < 0.5,
            )

    def _call(self, *, crashes: bool) -> Call:
        family = self.family
        f = self.rng.choices(list(family.weights), list(family.weights.values()))[0]
        places = [(space, key) for space, keys in family.spaces.items() for key in keys]
        namespace, key = self.rng.choice(places)
        # When a write of unknown outcome expires, if it ever was, the two judges tell differently.
        ttl_ms = None if crashes else self.rng.choice(family.ttls)
        writes = f in {"register_if_absent", "register"}
        return Call(
            f=f,
            plugin=PLUGIN,
            namespace=namespace,
            key=key,
            value=self.made if writes else None,
            ttl_ms=ttl_ms if writes else None,
        )

    def _answered(self, state: State, timed: _Timed, now: int) -> tuple[State, Outcome]:
        found = outcomes(self.family.rules(), state, timed.call, now)
        answer, after = self.rng.choice(found)
        outcome = Info("lost") if timed.completed is None else _outcome(answer)
        return (after if timed.happens else state), outcome


def _outcome(answer: Answer) -> Outcome:
    match answer:
        case Refused():
            return FULL
        case Value(text):
            return Ok(json.loads(text))
    return Ok(answer)


def _operation(timed: _Timed, outcome: Outcome, epoch: int) -> Operation:
    call = timed.call
    value = {
        "plugin": call.plugin,
        "namespace": call.namespace,
        "key": call.key,
        "value": call.value,
        "ttl_ms": call.ttl_ms,
    }
    return Operation(
        process=timed.process,
        f=call.f,
        value=value,
        outcome=outcome,
        invoked_ns=timed.invoked,
        completed_ns=timed.completed,
        extra={"epoch": epoch},
    )


def _advance(at_ns: int, ticks: int) -> Operation:
    return Operation(
        process=-1,
        f="advance",
        value={"ms": ticks},
        outcome=Ok(None),
        invoked_ns=at_ns,
        completed_ns=at_ns + 1,
    )


def drawn(family: Family, seed: int) -> list[Operation]:
    """Answer a history of this family that a right store may have shown."""
    return _Author(family, Random(f"{family.name}/{seed}")).history()


def broken(history: list[Operation], seed: int) -> list[Operation]:
    """Answer the history with one answer replaced, which may turn out to be possible all the same.

    Without an answer that can be replaced it stays as it is.
    """
    rng = Random(f"broken/{seed}")
    places = [place for place, each in enumerate(history) if list(_others(each, history))]
    if not places:
        return history
    place = rng.choice(places)
    other = rng.choice(list(_others(history[place], history)))
    return [
        dataclasses.replace(each, outcome=other) if index == place else each
        for index, each in enumerate(history)
    ]


def _others(operation: Operation, history: list[Operation]) -> Iterator[Outcome]:
    """Yield what the call could have been answered instead."""
    outcome = operation.outcome
    if isinstance(outcome, Info) or operation.f == "advance":
        return
    if outcome == FULL:
        yield Ok(True if operation.f == "register_if_absent" else None)
        return
    result: Any = outcome.result if isinstance(outcome, Ok) else None
    if operation.f in {"register_if_absent", "delete"}:
        yield Ok(not result)
    if operation.f in _READS:
        values = {each.value.get("value") for each in history} - {None}
        yield from (Ok(value) for value in sorted(values, key=repr) if value != result)
        if result is not ABSENT:
            yield Ok(ABSENT)
