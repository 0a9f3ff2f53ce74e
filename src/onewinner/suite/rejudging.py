"""Judges a recorded history again, in the way in which the run that recorded it did.

What this answers depends on nothing but the history and what the store declares, so it is the same
each time and on every machine. Where a violation does not rest on calls alone (the mode of a file,
an hour that a clock was set) there is nothing to judge again, and that is said.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from onewinner.checker.campaign import UNDECIDED
from onewinner.checker.claims import ClaimModel
from onewinner.contract.clauses import CLAUSES
from onewinner.generator import Round
from onewinner.model import Rules, State, forgetting, outcomes
from onewinner.runner import Played
from onewinner.suite import sequence
from onewinner.suite.answers import (
    Raised,
    agrees,
    agrees_in_real_time,
    beside_others,
    names_its_operation,
    strictly_aged,
)
from onewinner.suite.ground import CRASH, HURT, CrashJudge
from onewinner.suite.linearity import judged
from onewinner.suite.orders import ORDERS, Judge
from onewinner.suite.rulings import RULINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.checker.verdict import Validity
    from onewinner.contract import Capabilities
    from onewinner.history import Operation
    from onewinner.model import Answer
    from onewinner.suite.answers import Observed
    from onewinner.suite.tree import Recorded

KEYS: Final = "keys"
"""Claims of a race, judged key by key for linearizability."""

RACE: Final = "race:"
"""The rounds of a race, judged by the ruling of its kind, which follows."""

_DRIFT: Final = "drift_ms"
_OPEN: Final = frozenset({UNDECIDED, "stalled"})


def rejudged(recorded: Recorded, capabilities: Capabilities) -> Validity:
    """Answer whether the history is one that the contract allows.

    `unknown` where the history alone does not tell: it is empty, an argument of a call is no JSON,
    or what was wrong is not to be seen in calls.
    """
    operations = recorded.operations
    if not operations or any(each.extra.get(sequence.UNKEPT) for each in operations):
        return "unknown"
    if recorded.judge == sequence.JUDGE:
        return _sequence(operations, capabilities)
    if recorded.judge == ORDERS:
        return Judge(capabilities).explained(operations)
    if recorded.judge == CRASH:
        return _crash(operations, capabilities)
    if recorded.judge == KEYS:
        found = judged(operations, ClaimModel(eps_ms=recorded.eps_ms))
        return False if found.broken is not None else "unknown" if found.undecided else True
    if recorded.judge.startswith(RACE):
        return _race(recorded)
    return "unknown"


def _sequence(operations: Sequence[Operation], capabilities: Capabilities) -> Validity:
    """Go through a program call by call, with all states of the model that explain it so far."""
    rules = Rules.of(capabilities)
    named = CLAUSES["ERR-1"].missing(capabilities) is None
    first: int = operations[0].extra["now"]
    states = [State(last_ms=first)]
    for made, operation in enumerate(operations, 1):
        if operation.f == sequence.REOPENED.f:
            states = list(map(forgetting, states))
            continue
        call, seen = sequence.call_of(operation), sequence.observed_of(operation)
        now: int = operation.extra["now"]
        states = [
            after
            for state in states
            for answer, after in outcomes(rules, state, call, now)
            if _agrees(answer, seen, capabilities, made)
        ]
        misnamed = isinstance(seen, Raised) and not names_its_operation(call.f, seen)
        if not states or (named and misnamed):
            return False
        states = list(dict.fromkeys(states))
    return True


def _agrees(answer: Answer, seen: Observed, capabilities: Capabilities, made: int) -> bool:
    unit_ms = capabilities.ttl_unit_ms or 1
    if capabilities.strict_ages and not strictly_aged(seen):
        return False
    if capabilities.virtual_clock:
        return agrees(answer, seen, unit_ms)
    widened = beside_others(answer, alone=False)  # in real time any row may go by itself
    return agrees_in_real_time(widened, seen, unit_ms, made if capabilities.strict_ages else 0)


def _crash(operations: Sequence[Operation], capabilities: Capabilities) -> Validity:
    """Look for an order: a call that was cut off may have happened then, later, or never."""
    judge = CrashJudge(capabilities)
    hurt = [each for each in operations if each.extra["phase"] == HURT]
    if len(hurt) > 1:
        return "unknown"
    return any(judge.after([State()], each) for each in _orders(operations, hurt))


def _orders(
    operations: Sequence[Operation], hurt: Sequence[Operation]
) -> list[Sequence[Operation]]:
    if not hurt:
        return [operations]
    others = [each for each in operations if each is not hurt[0]]
    first = operations.index(hurt[0])
    overlapping = [
        number
        for number, each in enumerate(others)
        if number >= first and each.invoked_ns <= (hurt[0].completed_ns or each.invoked_ns)
    ]
    places = [first, *(number + 1 for number in overlapping)]
    return [[*others[:place], hurt[0], *others[place:]] for place in places]


def _race(recorded: Recorded) -> Validity:
    """Let the ruling of a race look at its rounds again."""
    ruling = RULINGS[recorded.judge.removeprefix(RACE)]
    ordered = sorted(recorded.operations, key=_serial)
    by_round = groupby(ordered, key=_serial)
    rounds = [
        _played(serial, tuple(operations), dict(recorded.rounds.get(serial, {})))
        for serial, operations in by_round
    ]
    found = {broken.kind for broken in ruling.judge(rounds)}
    return False if found - _OPEN else "unknown" if found else True


def _serial(operation: Operation) -> int:
    return int(operation.extra["round"])


def _played(serial: int, operations: tuple[Operation, ...], facts: dict[str, int]) -> Played:
    drift_ms = facts.pop(_DRIFT, 0)
    known = Round(volley=(), facts=facts)
    return Played(round=known, serial=serial, operations=operations, drift_ms=drift_ms)


def facts_of(rounds: Sequence[Played]) -> dict[int, dict[str, int]]:
    """Answer what has to be kept of rounds, so that their ruling can be repeated."""
    return {each.serial: {**each.round.facts, _DRIFT: each.drift_ms} for each in rounds}
