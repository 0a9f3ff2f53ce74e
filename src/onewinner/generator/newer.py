"""Rounds about the newer operations: what looks and then writes, and readers of several rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.generator.readers import belt, is_long
from onewinner.generator.rounds import Call, Pass, Round

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onewinner.generator.rounds import Sheet

REJECT: Final = "reject-new"
_ROUNDS_MOST: Final = 12  # in a block: the search for an order costs more than the calls
_UPDATES: Final = 3
_MOVES: Final = 4
_TOKENS: Final = ("a", "b", "c")
_MINE: Final = "mine"


def updates(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """All clients count up one number, which is there before or is not."""
    for index in range(min(rounds, _ROUNDS_MOST)):
        place = (sheet.plugin(index), "n")
        there = sheet.random.random() < 0.7
        yield Round(
            prepare=(Call("register_if_absent", *place, "k", 100),) if there else (),
            volley=tuple(
                tuple(
                    Call("update", *place, "k", {"increment": 10**client}) for _ in range(_UPDATES)
                )
                for client in range(sheet.shape.clients)
            ),
            inspect=sheet.look(*place, ["k"]),
            cold=sheet.cold(),
        )


def deletes(f: str) -> Callable[[Sheet, int], Iterator[Round]]:
    """Answer the stream in which all clients release the same rows, each by the same value.

    In a third of the rounds the last client writes another row there, which must stay.
    """
    expected: Any = _MINE if f == "delete_if_equal" else {"equals": _MINE}

    def written(sheet: Sheet, rounds: int) -> Iterator[Round]:
        for index in range(min(rounds, _ROUNDS_MOST)):
            place = (sheet.plugin(index), "n")
            keys = [f"k{number}" for number in range(sheet.random.choice((1, 4)))]
            writes = sheet.has("register") and sheet.random.random() < 1 / 3
            volley = [
                tuple(Call(f, *place, key, expected) for key in keys)
                for _ in range(sheet.shape.clients)
            ]
            if writes:
                volley[-1] = tuple(Call("register", *place, key, "another") for key in keys)
            yield Round(
                prepare=tuple(Call("register_if_absent", *place, key, _MINE) for key in keys),
                volley=tuple(volley),
                inspect=sheet.look(*place, keys),
                cold=sheet.cold(),
                due=None if writes else len(keys),
            )

    return written


def comparisons(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """All clients observe one row and then write what they made of it, twice."""
    for index in range(min(rounds, _ROUNDS_MOST)):
        place = (sheet.plugin(index), "n")
        there = sheet.random.random() < 0.7
        volley = []
        for client in range(sheet.shape.clients):
            calls = []
            for _ in range(2):
                delete = sheet.random.random() < 0.2
                intent = {"delete": None} if delete else {"set": sheet.value(client)}
                calls += [
                    Call("observe", *place, "k"),
                    Call("compare_and_apply", *place, "k", intent),
                ]
            volley.append(tuple(calls))
        yield Round(
            prepare=(Call("register_if_absent", *place, "k", sheet.value(-1)),) if there else (),
            volley=tuple(volley),
            inspect=sheet.look(*place, ["k"]),
            cold=sheet.cold(),
        )


def looks(f: str) -> Callable[[Sheet, int], Iterator[Round]]:
    """Answer the stream in which one client moves a token from key to key, and others look by `f`.

    It adds before it removes, so that there is always one, and never more than two.
    Some namespaces are long, as for listings.
    """

    def written(sheet: Sheet, rounds: int) -> Iterator[Round]:
        take = sheet.first_of("delete", "consume")
        for index in range(min(rounds, _ROUNDS_MOST)):
            place = (sheet.plugin(index), "n")
            if is_long(sheet, index):
                planted, moves, keys = belt(place, "register_if_absent", take, _MOVES)
            else:
                keys = [*_TOKENS]
                planted, moves = (Call("register_if_absent", *place, keys[0], 0),), []
                for move in range(1, _MOVES + 1):
                    key, last = (keys[number % len(keys)] for number in (move, move - 1))
                    moves.append(Call("register_if_absent", *place, key, move))
                    moves.append(Call(take, *place, last))
            look = Call(f, *place, None, [*keys] if f == "lookup_many" else None)
            yield Round(
                prepare=planted,
                volley=(tuple(moves), *((look,) * _MOVES for _ in range(1, sheet.shape.clients))),
                inspect=(look,),
                cold=sheet.cold(),
            )

    return written


def rejects(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """All clients insert into a namespace that takes no new key when it is full."""
    most = 3
    for index in range(min(rounds, _ROUNDS_MOST)):
        place = (sheet.plugin(index), "n")
        old = [f"old{number}" for number in range(sheet.random.randint(0, most))]
        keys = ["a", "b", "c", "d"]
        volley = []
        for client in range(sheet.shape.clients):
            wanted = sheet.random.sample(keys, 3)
            calls = [sheet.claim(*place, key, client)._replace(ttl_ms=None) for key in wanted]
            if old and sheet.has("delete") and sheet.random.random() < 0.3:
                calls.insert(1, Call("delete", *place, sheet.random.choice(old)))
            volley.append(calls)
        prepare = [Call("register_if_absent", *place, key, key) for key in old]
        older = (Pass(sheet.unit_ms(), sheet.unit_ms() + 10),) if old else ()
        yield Round(
            prepare=(*(_rejecting(call, most) for call in prepare), *older),
            volley=tuple(tuple(_rejecting(call, most) for call in calls) for calls in volley),
            inspect=tuple(_rejecting(call, most) for call in sheet.look(*place, [*old, *keys])),
            cold=sheet.cold(),
            facts={"max_entries": most},
        )


def _rejecting(call: Call, most: int) -> Call:
    return call._replace(max_entries=most, policy=REJECT)


def ages(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """All clients write rows of their own into one namespace, and renew some of them."""
    put = sheet.first_of("register", "register_if_absent")
    for index in range(rounds):
        place = (sheet.plugin(index), "n")
        yield Round(
            volley=tuple(
                tuple(
                    Call(f, *place, f"{client}-{number}", sheet.value(client))
                    for number in range(3)
                    for f in ("register_if_absent", put)[: sheet.random.choice((1, 1, 2))]
                )
                for client in range(sheet.shape.clients)
            ),
            inspect=(Call("entries", *place),),
            cold=sheet.cold(),
        )
