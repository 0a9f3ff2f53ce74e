"""The judges of the races of newer operations: exact, a namespace at a time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from onewinner.checker.campaign import campaign
from onewinner.checker.invariants import Broken, errors
from onewinner.checker.spaces import SpaceModel
from onewinner.contract import BASE
from onewinner.generator.newer import REJECT
from onewinner.generator.rounds import ROOMY
from onewinner.history import Ok
from onewinner.model import Rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.history import Operation
    from onewinner.runner import Played

_REFUSALS: Final = frozenset({"LIMIT_EXCEEDED"})


def exact(rounds: Sequence[Played]) -> Iterator[Broken]:
    """Judge rounds in which nobody is evicted: some order of the calls explains all answers.

    The ages of rows play no part in them: a comparison after which the same value was written again
    may hold or not, so that the order of the store's own times need not be known.
    """
    model = SpaceModel(max_entries=ROOMY, rules=Rules(exact=False), ages=False)
    for played in rounds:
        calls = _calls(played)
        yield from errors(calls)
        yield from campaign(calls, model)


def rejecting(rounds: Sequence[Played]) -> Iterator[Broken]:
    """Judge rounds in a namespace that refuses new keys when it is full."""
    for played in rounds:
        most = played.round.facts["max_entries"]
        rules = Rules(limits=BASE, exact=False)
        model = SpaceModel(max_entries=most, rules=rules, ages=False, overflow_policy=REJECT)
        calls = _calls(played)
        yield from errors(calls, _REFUSALS)
        yield from campaign(calls, model)


def aged(rounds: Sequence[Played]) -> Iterator[Broken]:
    """Judge rounds in which rows are written: of the rows listed no two are of one age."""
    for played in rounds:
        yield from errors(_calls(played))
        for listing in played.operations:
            if listing.f == "entries" and isinstance(listing.outcome, Ok):
                yield from _ties(listing, played.operations)


def _ties(listing: Operation, operations: Sequence[Operation]) -> Iterator[Broken]:
    assert isinstance(listing.outcome, Ok)
    rows = sorted(listing.outcome.result, key=lambda row: row.created_at)
    for one, other in pairwise(rows):
        if one.created_at == other.created_at:
            wrote = [each for each in operations if each.value["key"] in {one.key, other.key}]
            yield Broken(
                kind="tie",
                summary=f"the rows of {one.key!r} and {other.key!r} are both of {one.created_at}",
                why="each write must give its row an age of its own in its namespace",
                operations=(listing, *wrote),
            )
            return


def _calls(played: Played) -> list[Operation]:
    return [each for each in played.operations if each.extra["phase"] != "connect"]
