"""The judge of claims in parallel with what removes them: a balance, kept for each key.

Every success of a claim puts a row there, and every success of a `delete` or `consume` takes one
away. A row must be put before it is taken, and taken before it is put again; so of a key that was
vacant before, the puts less the takes are 1 or 0: 1 iff a row is there at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from onewinner.checker.invariants import CLAIM, Broken, address, result, unknown, won
from onewinner.contract import ABSENT
from onewinner.contract.values import canonical
from onewinner.history import Ok

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from onewinner.checker.invariants import Address
    from onewinner.history import Operation

_REMOVERS: Final = frozenset({"delete", "consume"})


@dataclass(slots=True)
class _Account:
    """What happened to one key; the `maybe` lists hold calls of unknown outcome."""

    puts: list[Operation] = field(default_factory=list)
    takes: list[Operation] = field(default_factory=list)
    maybe_puts: list[Operation] = field(default_factory=list)
    maybe_takes: list[Operation] = field(default_factory=list)
    reads: list[Operation] = field(default_factory=list)
    clears: int = 0

    def add(self, operation: Operation) -> None:
        """Book one call."""
        if operation.f == CLAIM:
            if won(operation):
                self.puts.append(operation)
            elif unknown(operation):
                self.maybe_puts.append(operation)
        elif operation.f in _REMOVERS:
            if unknown(operation):
                self.maybe_takes.append(operation)
            elif _took(operation):
                self.takes.append(operation)
        elif operation.f == "lookup" and operation.extra["phase"] == "inspect":
            self.reads.append(operation)


def _took(operation: Operation) -> bool:
    answer = result(operation)
    if operation.f == "consume":
        return isinstance(operation.outcome, Ok) and answer is not ABSENT
    return bool(answer)


def churn(operations: Iterable[Operation]) -> Iterator[Broken]:
    """Judge keys that began vacant and were claimed, deleted and consumed in parallel."""
    accounts: dict[Address, _Account] = {}
    clears: dict[tuple[str, str], int] = {}
    listings: dict[tuple[str, str], Operation] = {}
    for operation in operations:
        space = (operation.value["plugin"], operation.value["namespace"])
        if operation.f == "clear" and operation.extra["phase"] == "volley":
            clears[space] = clears.get(space, 0) + 1
        elif operation.f == "entries" and isinstance(operation.outcome, Ok):
            listings[space] = operation
        elif operation.value["key"] is not None:
            accounts.setdefault(address(operation), _Account()).add(operation)
    for where, account in accounts.items():
        account.clears = clears.get(where[:2], 0)
        yield from _values(where, account)
        yield from _balance(where, account, listings.get(where[:2]))


def _balance(where: Address, account: _Account, listing: Operation | None) -> Iterator[Broken]:
    puts, takes = len(account.puts), len(account.takes)
    may_take = takes + len(account.maybe_takes) + account.clears
    if puts > 1 + may_take:
        yield Broken(
            kind="unexplained-win",
            summary=f"{puts} claims of {where[2]!r} answered true, and at most {may_take} calls "
            f"can have removed its row",
            why="between two successful claims of one key there must be a removal",
            operations=(*account.puts, *account.takes),
        )
    if takes > puts + len(account.maybe_puts):
        yield Broken(
            kind="unexplained-removal",
            summary=f"{takes} calls removed the row of {where[2]!r}, "
            f"and only {puts} claims put one",
            why="a removal answers true, or a value, only where it removed a live row",
            operations=(*account.puts, *account.takes),
        )
    if account.clears or account.maybe_puts or account.maybe_takes:
        return
    for read, value in _finally(where, account, listing):
        if (value is not ABSENT) != (puts - takes == 1) and puts - takes in {0, 1}:
            there = "a row is there" if value is not ABSENT else "no row is there"
            yield Broken(
                kind="balance",
                summary=f"{puts} claims of {where[2]!r} won, {takes} calls removed its row, "
                f"and afterwards {there}",
                why="every success counts: a row is there iff one claim more won than was removed",
                operations=(*account.puts, *account.takes, read),
            )


def _finally(
    where: Address, account: _Account, listing: Operation | None
) -> Iterator[tuple[Operation, Any]]:
    """Yield each reading after the volley, with the value or ABSENT."""
    for read in account.reads:
        if isinstance(read.outcome, Ok):
            yield read, result(read)
    if listing is not None:
        rows = {row.key: row.value for row in result(listing)}
        yield listing, rows.get(where[2], ABSENT)


def _values(where: Address, account: _Account) -> Iterator[Broken]:
    """Each claim carries a value of its own: it can be consumed once, and only if it was put."""
    put = {canonical(each.value["value"]) for each in (*account.puts, *account.maybe_puts)}
    taken: dict[str, Operation] = {}
    for take in account.takes:
        if take.f != "consume":
            continue
        value = canonical(result(take))
        if value not in put:
            yield Broken(
                kind="foreign-value",
                summary=f"consume({where[2]!r}) answered {result(take)!r}",
                why="no claim that answered true wrote that value",
                operations=(take,),
            )
        elif value in taken:
            yield Broken(
                kind="two-consumers",
                summary=f"two consumers of {where[2]!r} got the same row {result(take)!r}",
                why="reading and deleting is one step: one row goes to one consumer",
                operations=(taken[value], take),
            )
        taken[value] = take
