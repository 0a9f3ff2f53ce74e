"""Judges the blocks of a race as histories: the checker's view, beside the rulings of each race."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from onewinner.checker.claims import ClaimModel
from onewinner.checker.invariants import Broken
from onewinner.checker.linearizable import check
from onewinner.checker.listings import mixed_listings
from onewinner.checker.narrate import sentence, timeline
from onewinner.checker.shrink import counterexample
from onewinner.checker.verdict import Budgets
from onewinner.generator import Pass
from onewinner.history import Info, Ok, Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from onewinner.checker.verdict import PartitionVerdict
    from onewinner.contract import Capabilities
    from onewinner.runner import Played

SECONDS: Final = 5.0
"""How long one block may be searched; what is not decided by then is counted as undecided."""

KIND: Final = "not-linearizable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Linearity:
    """What the checker found in a block: keys judged and left undecided, and the first violation.

    `kept` is the violation's whole part of the history, for whoever wants more than the few
    operations that show it.
    """

    keys: int = 0
    undecided: int = 0
    broken: Broken | None = None
    kept: tuple[Operation, ...] = ()


def model_for(capabilities: Capabilities, drift_ms: int) -> ClaimModel:
    """Answer the model that a store is held to; its clock may round a TTL by one unit each way."""
    if capabilities.virtual_clock:
        return ClaimModel(eps_ms=0)
    return ClaimModel(eps_ms=drift_ms + 2 * (capabilities.ttl_unit_ms or 1))


def judged(history: Sequence[Operation], model: ClaimModel) -> Linearity:
    """Judge a history of claims, key by key, and its listings."""
    if not history:
        return Linearity()
    verdict = check(history, model, budgets=Budgets(timeout_s=SECONDS))
    undecided = sum(part.valid == "unknown" for part in verdict.partitions)
    found = next((part for part in verdict.partitions if part.valid is False), None)
    if found is None:
        mixed = next(mixed_listings(history), None)
        broken = None if mixed is None else _mixed(mixed)
        return Linearity(keys=len(verdict.partitions), undecided=undecided, broken=broken)
    part = model.partition(history)[found.key]
    return Linearity(
        keys=len(verdict.partitions), broken=_broken(found, part, model), kept=tuple(part)
    )


def of_one_location(played: Sequence[Played]) -> Iterator[list[Played]]:
    """Answer the rounds in groups that share a location: a fresh round has one of its own."""
    shared = [each for each in played if not each.round.fresh]
    if shared:
        yield shared
    yield from ([each] for each in played if each.round.fresh)


def _broken(found: PartitionVerdict, part: Sequence[Operation], model: ClaimModel) -> Broken:
    assert found.failing is not None
    example = counterexample(found.key, part, found.failing, model)
    return Broken(
        kind=KIND,
        summary=sentence(example),
        why="no order of these calls that their times permit is one that the contract allows",
        operations=example.operations,
        drawn=timeline(example),
    )


def _mixed(operations: Sequence[Operation]) -> Broken:
    listing = operations[0]
    return Broken(
        kind="mixed-snapshot",
        summary="entries answered rows that were never there together",
        why="a listing is one consistent snapshot: one instant of its call must explain all of it",
        operations=(listing, *operations[1:]),
    )


def history_of(rounds: Iterable[Played], *, virtual: bool, server: bool) -> Iterator[Operation]:
    """Yield the history of rounds that share one location, with the steps of virtual time.

    A call that ended in doubt cannot act after it returned where the store runs in the caller's own
    process; at a `server` it can.
    """
    for played in rounds:
        if virtual:
            yield from advances(played)
        for operation in played.operations:
            if server and isinstance(operation.outcome, Info):
                yield replace(operation, completed_ns=None)
            else:
                yield operation


def advances(played: Played) -> Iterator[Operation]:
    """Answer the steps of virtual time that the leader made while it prepared a round.

    Each lies between the calls that the leader made before it and whatever was called after it, and
    is of a process of its own, below 0.
    """
    calls = [each for each in played.operations if each.extra["phase"] == "prepare"]
    others = [each for each in played.operations if each.extra["phase"] in {"volley", "inspect"}]
    made = 0
    for number, step in enumerate(played.round.prepare, 1):
        if not isinstance(step, Pass):
            made += 1
            continue
        later = [*calls[made:], *others]
        if not later:
            return
        ended = min(each.invoked_ns for each in later)
        before = [each.completed_ns for each in calls[:made] if each.completed_ns is not None]
        yield Operation(
            process=-number,
            f="advance",
            value={"ms": step.ms},
            outcome=Ok(),
            invoked_ns=max(before, default=ended),
            completed_ns=ended,
        )
