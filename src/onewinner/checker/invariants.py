"""Linear-time judges of who held a key: each takes operations and yields what cannot be.

A judge knows what a round was for, and nothing of how it was run. What is not certain never counts
against a store: a call of unknown outcome may have happened or not, whichever is better for it. The
operations carry in `extra` their `round`, their `phase` (`prepare`, `volley`, `inspect`), their
`epoch` and the `worker` that made them; see `onewinner.runner.outcomes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from onewinner.contract import ABSENT
from onewinner.contract.values import canonical
from onewinner.history import Fail, Info, Ok

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from onewinner.history import Operation

CLAIM: Final = "register_if_absent"

Address: TypeAlias = "tuple[str, str, str]"
_Groups: TypeAlias = "dict[Address, list[Operation]]"

STALL_NS: Final = 1_000_000_000
_TTL_SLACK_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Something that no store which keeps the contract can show.

    `kind` is a word for the class of violation, `summary` one sentence of what happened, `why` the
    sentence that says which rule this breaks, `operations` those that show it. `drawn` is how to
    show them, where a list in the order of their beginnings is not the best.
    """

    kind: str
    summary: str
    why: str
    operations: tuple[Operation, ...]
    drawn: tuple[str, ...] = ()


def result(operation: Operation) -> Any:
    """Answer the result of a call that succeeded, None of any other."""
    return operation.outcome.result if isinstance(operation.outcome, Ok) else None


def won(operation: Operation) -> bool:
    """Tell whether a claim certainly won."""
    return operation.f == CLAIM and bool(result(operation))


def unknown(operation: Operation) -> bool:
    """Tell whether nobody knows if a call took effect."""
    return isinstance(operation.outcome, Info)


def address(operation: Operation) -> Address:
    """Answer what a call is about: plugin, namespace and key."""
    value = operation.value
    return (value["plugin"], value["namespace"], value["key"])


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal as JSON; most of them are spelt alike too."""
    return repr(one) == repr(other) or canonical(one) == canonical(other)


def stalled(operation: Operation) -> bool:
    """Tell whether a call took so long that a disk or the machine must have stood still.

    A round is over in a small part of that, so a time-out of the store that expired in it says
    nothing about the store; it takes several such rounds to hold it against it.
    """
    ended_ns = operation.completed_ns
    return ended_ns is not None and ended_ns - operation.invoked_ns >= STALL_NS


def errors(
    operations: Iterable[Operation], allowed: frozenset[str] = frozenset()
) -> Iterator[Broken]:
    """Yield the volleys' calls that failed although nothing was wrong with them.

    `allowed` holds the error codes that the round provokes. What failed after it was `stalled` is
    of the kind `stalled`.
    """
    for operation in operations:
        outcome = operation.outcome
        if operation.extra["phase"] in {"prepare", "inspect"} or isinstance(outcome, Ok):
            continue
        if isinstance(outcome, Fail):
            error: Any = outcome.error
            if error["code"] in allowed:
                continue
            text = f"{error['code']}: {error['message']}"
        else:
            text = str(outcome.reason)
        yield Broken(
            kind="stalled" if stalled(operation) else "error",
            summary=f"{operation.f} raised {text} while others ran in parallel",
            why="its input is right, no limit is reached, and alone the same call works",
            operations=(operation,),
        )


def one_winner(operations: Iterable[Operation], *, planted: bool = True) -> Iterator[Broken]:
    """Judge keys that are vacant once and that nobody frees: one claim wins, its row is stored.

    With `planted` a claim of the leader counts as a claimant like all others; without, what the
    leader did before had expired when the volley began.
    """
    phases = {"prepare", "volley"} if planted else {"volley"}
    claims: _Groups = {}
    reads: list[Operation] = []
    for operation in operations:
        if operation.f == CLAIM and operation.extra["phase"] in phases:
            claims.setdefault(address(operation), []).append(operation)
        elif operation.extra["phase"] == "inspect":
            reads.append(operation)
    winners: dict[Address, Operation | None] = {}
    for where, group in claims.items():
        wins = [each for each in group if won(each)]
        winners[where] = wins[0] if len(wins) == 1 else None
        if len(wins) > 1:
            yield _two_winners(where, wins)
        elif not wins and not any(map(unknown, group)):
            yield _no_winner(where, group, planted=planted)
    yield from _rows_of_winners(winners, reads)


def _two_winners(where: Address, wins: list[Operation]) -> Broken:
    return Broken(
        kind="two-winners",
        summary=f"{len(wins)} claims of the key {where[2]!r} answered true",
        why="the key was vacant once, and between two successful claims there must be a removal",
        operations=tuple(wins),
    )


def _no_winner(where: Address, group: list[Operation], *, planted: bool) -> Broken:
    state = "vacant" if planted else "expired"
    return Broken(
        kind="no-winner",
        summary=f"the key {where[2]!r} was {state}, and none of {len(group)} claims answered true",
        why="of all that claim a vacant key exactly one must win",
        operations=tuple(group),
    )


def _rows_of_winners(
    winners: dict[Address, Operation | None], reads: list[Operation]
) -> Iterator[Broken]:
    """Hold what was read after the volley against what the winners wrote."""
    spaces: dict[tuple[str, str], list[Operation]] = {}
    for where, winner in winners.items():
        if winner is not None:
            spaces.setdefault(where[:2], []).append(winner)
    for read in reads:
        if not isinstance(read.outcome, Ok):
            continue
        if read.f == "lookup":
            winner = winners.get(address(read))
            if winner is not None:
                yield from _same_value(winner, read, result(read))
        elif read.f == "entries":
            rows = {row.key: row for row in result(read)}
            for winner in spaces.get(address(read)[:2], ()):
                row = rows.get(winner.value["key"])
                yield from _same_value(winner, read, ABSENT if row is None else row.value)
                if row is not None:
                    yield from _same_expiry(winner, read, row)


def _same_value(winner: Operation, read: Operation, value: Any) -> Iterator[Broken]:
    key = winner.value["key"]
    if value is ABSENT:
        yield Broken(
            kind="lost-row",
            summary=f"the claim of {key!r} answered true, and afterwards there is no row",
            why="nobody removed the key: the row of the one who won must be there",
            operations=(winner, read),
        )
    elif not same(value, winner.value["value"]):
        yield Broken(
            kind="foreign-row",
            summary=f"the claim of {key!r} with {winner.value['value']!r} answered true, "
            f"and the row holds {value!r}",
            why="the stored row must be the winner's; a refused claim must change nothing",
            operations=(winner, read),
        )


def _same_expiry(winner: Operation, read: Operation, row: Any) -> Iterator[Broken]:
    """The claimants' TTLs lie hours apart, so that the clock cannot decide this."""
    asked = winner.value["ttl_ms"]
    got = None if row.expires_at is None else row.expires_at - row.created_at
    agree = got is None if asked is None else got is not None and abs(got - asked) <= _TTL_SLACK_MS
    if not agree:
        yield Broken(
            kind="foreign-expiry",
            summary=f"the claim of {row.key!r} that won asked for a TTL of {asked} ms, "
            f"and the row has one of {got} ms",
            why="the expiry must be the winner's; a refused claim must not change it",
            operations=(winner, read),
        )


def one_consumer(operations: Iterable[Operation]) -> Iterator[Broken]:
    """Judge rows that several clients consume: exactly one gets each value, and none is left."""
    rows: dict[Address, Operation] = {}
    consumers: _Groups = {}
    for operation in operations:
        phase = operation.extra["phase"]
        if phase == "prepare" and won(operation):
            rows[address(operation)] = operation
        elif phase == "volley" and operation.f == "consume":
            consumers.setdefault(address(operation), []).append(operation)
        elif operation.f == "lookup" and address(operation) in rows:
            yield from _nothing_left(consumers[address(operation)], operation)
    for where, row in rows.items():
        group = consumers.get(where, [])
        takers = [c for c in group if isinstance(c.outcome, Ok) and result(c) is not ABSENT]
        if len(takers) > 1:
            yield Broken(
                kind="two-consumers",
                summary=f"{len(takers)} consumers got the one row of {where[2]!r}",
                why="reading and deleting is one step: exactly one may get the value",
                operations=(row, *takers),
            )
        elif not takers and not any(map(unknown, group)):
            yield Broken(
                kind="no-consumer",
                summary=f"none of {len(group)} consumers got the row of {where[2]!r}",
                why="the row was live, and of all that consume it exactly one gets the value",
                operations=(row, *group),
            )
        elif takers and not same(result(takers[0]), row.value["value"]):
            yield Broken(
                kind="foreign-value",
                summary=f"the consumer of {where[2]!r} got {result(takers[0])!r}",
                why=f"the row held {row.value['value']!r}",
                operations=(row, takers[0]),
            )


def _nothing_left(group: list[Operation], read: Operation) -> Iterator[Broken]:
    took = [each for each in group if isinstance(each.outcome, Ok) and result(each) is not ABSENT]
    if took and isinstance(read.outcome, Ok) and result(read) is not ABSENT:
        yield Broken(
            kind="left-behind",
            summary=f"{read.value['key']!r} was consumed, and afterwards its row is still there",
            why="whoever consumes a row removes it",
            operations=(took[0], read),
        )
