"""Rounds about what readers see: visibility of what returned, and snapshots that hold together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.generator.rounds import Call, Round

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.generator.rounds import Sheet

_LED: Final = ("led0", "led1", "led2", "led3")
_MOVES: Final = 6
_TOKENS: Final = 3
_LONG: Final = 150
"""Rows of a long namespace: more than a page or a batch of a hundred."""


class _Desk:
    """The keys of one block; each has one writer, so what it holds is known while writing."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._live: set[str] = set()
        self._place = (sheet.plugin("desk"), "n")

    def write(self, key: str, client: int) -> Call:
        """Write the next change of a key: make it live, replace its value, or remove it."""
        live = key in self._live
        choices = ["register"] if self._sheet.has("register") else []
        if live:
            choices += [name for name in ("delete", "consume") if self._sheet.has(name)]
        else:
            choices.append("register_if_absent")
        if not choices:  # live, and nothing can change it
            return self.read("lookup", key)
        f = self._sheet.random.choice(choices)
        if f in {"delete", "consume"}:
            self._live.discard(key)
            return Call(f, *self._place, key)
        self._live.add(key)
        return Call(f, *self._place, key, self._sheet.value(client))

    def read(self, f: str, key: str) -> Call:
        """Look at a key."""
        return Call(f, *self._place, key)

    def challenge(self, key: str, client: int) -> Call:
        """Claim a key that is live, look at one that is not."""
        if key in self._live:
            value = self._sheet.value(client)
            return Call("register_if_absent", *self._place, key, value)
        return self.read("lookup", key)


def visible(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """Each key has one writer; what it did must be seen by whatever another client starts later.

    The leader writes before the volley and the others read in it; the others write in the volley
    and the leader reads after it. The keys stay the same from round to round, for a stale copy
    takes a key that was seen before.
    """
    desk = _Desk(sheet)
    clients = range(sheet.shape.clients)
    own = {client: f"own{client}" for client in clients}
    for _ in range(rounds):
        prepare = tuple(desk.write(key, 0) for key in _LED)
        volley = []
        for client in clients:
            other = own[(client + 1) % sheet.shape.clients]
            reads = [desk.read("lookup", key) for key in (*_LED, other, other)]
            reads += [desk.challenge(key, client) for key in _LED if client]
            sheet.random.shuffle(reads)
            half = len(reads) // 2
            volley.append(
                (
                    *reads[:half],
                    desk.write(own[client], client),
                    *reads[half:],
                    desk.write(own[client], client),
                )
            )
        yield Round(
            prepare=prepare,
            volley=tuple(volley),
            inspect=tuple(desk.read("lookup", key) for key in own.values()),
        )


def snapshots(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """One client moves a token from key to key, adding before it removes; the others list.

    Some namespaces are long: what reads in pages reads the first rows and the last at two times.
    """
    put = sheet.first_of("register", "register_if_absent")
    take = sheet.first_of("delete", "consume")
    for index in range(rounds):
        place = (sheet.plugin(index), "n")
        if is_long(sheet, index):
            planted, moves, _ = belt(place, put, take, 4 * _MOVES)
        else:
            planted, moves = (Call(put, *place, "t0", 0),), []
            for move in range(1, _MOVES + 1):
                moves.append(Call(put, *place, f"t{move % _TOKENS}", move))
                moves.append(Call(take, *place, f"t{(move - 1) % _TOKENS}"))
        listing = Call("entries", *place)
        yield Round(
            prepare=planted,
            volley=(
                tuple(moves),
                *((listing,) * _MOVES for _ in range(1, sheet.shape.clients)),
            ),
            inspect=(listing,),
            cold=sheet.cold(),
        )


def is_long(sheet: Sheet, index: int) -> bool:
    """Tell whether a round is about a long namespace: one in every other block, for it is dear.

    None is where it would come near the cap of a plugin.
    """
    cap = sheet.shape.row_cap
    return index == 0 and sheet.number % 2 == 1 and (cap is None or cap > 2 * _LONG)


def belt(
    place: tuple[str, str], put: str, take: str, moves: int
) -> tuple[tuple[Call, ...], list[Call], list[str]]:
    """Answer the rows of a long namespace, what one client then does, and all the keys.

    It adds a row at the young end before it removes one at the old end, so that there is never more
    than one row too many.
    """
    old = [f"old{number:03}" for number in range(_LONG)]
    new = [f"new{number:03}" for number in range(moves)]
    planted = tuple(Call(put, *place, key, -1 - number) for number, key in enumerate(old))
    done = []
    for number, (added, gone) in enumerate(zip(new, old, strict=False)):
        done += [Call(put, *place, added, number), Call(take, *place, gone)]
    return planted, done, [*old, *new]
