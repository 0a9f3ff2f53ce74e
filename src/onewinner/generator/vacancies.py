"""Rounds about who holds a key: claims, reclaims after expiry, consumers, churn, first opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.generator.rounds import ROOMY, Call, Pass, Round

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.generator.rounds import Sheet

MANY_AT: Final = 8
"""The first block in which many keys are claimed a round; from it on it is each `MANY_EVERY`th."""

_FIRST: Final = ((1, 2), (50, 50))
_FIRST_BLOCKS: Final = 6
_FEW: Final = ((1, 4, 16), (30, 40, 30))
_MANY: Final = ((160, 288), (50, 50))
MANY_EVERY: Final = 3
_EXPIRY_MARGIN_MS: Final = 50
_SHORT_TTL_MS: Final = 5
_PLANTED: Final = 3  # the index of the key that the leader claims before the volley


def alone(sheet: Sheet, _rounds: int) -> Iterator[Round]:
    """One client makes each operation once: what fails here does not fail for being parallel."""
    plugin, space, key = sheet.plugin("alone"), "n", "k"
    calls = [sheet.claim(plugin, space, key, 0)]
    if sheet.has("register"):
        calls.append(Call("register", plugin, space, key, sheet.value(0)))
    calls += [
        Call(name, plugin, space, key if name in {"lookup", "delete", "consume"} else None)
        for name in ("lookup", "entries", "delete", "consume", "clear", "sweep_expired")
        if sheet.has(name)
    ]
    yield Round(volley=((),), prepare=tuple(calls))


def claims(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """All clients claim the same vacant keys; in larger rounds one key is live before.

    In two blocks of three they claim few keys a round and meet at nearly each. In the third they
    claim many: they drift apart, but a bug that shows only at a close meeting gets more of them,
    for less time goes by with the last client of a round claiming alone. The first blocks are
    short, for most bugs show at once; their connections are as new as the block.
    """
    looked: list[str] = []
    first = sheet.number < _FIRST_BLOCKS
    few = first or sheet.number % MANY_EVERY != MANY_AT % MANY_EVERY
    sizes = _FIRST if first else _FEW if few else _MANY
    if sheet.number == MANY_AT:
        rounds = min(rounds, 2)  # nobody knows yet how long they take here
    for index, page, size, last in sheet.pages(rounds, *sizes):
        cold = few and not first and sheet.cold()
        fresh = cold and sheet.fresh()
        plugin, space = sheet.plugin(f"new-{index}" if fresh else page), "n"
        keys = [f"k{index}-{number}" for number in range(size)]
        looked += [] if fresh else keys
        inspect = sheet.look_up(plugin, space, keys) if few else ()
        if last and not fresh:
            if few or sheet.random.random() < 0.5:
                inspect += sheet.look(plugin, space, looked)
            if sheet.has("clear"):
                inspect += (Call("clear", plugin, space),)
        looked = [] if last else looked
        planted = [
            sheet.claim(plugin, space, key, sheet.shape.clients)
            for key in keys[_PLANTED : _PLANTED + 1]
        ]
        yield Round(
            prepare=tuple(planted),
            volley=_all_claim(sheet, plugin, space, keys),
            inspect=inspect,
            cold=cold,
            fresh=fresh,
            due=len(keys) - len(planted),
        )


def _all_claim(
    sheet: Sheet, plugin: str, space: str, keys: list[str]
) -> tuple[tuple[Call, ...], ...]:
    """Mostly all in one order, so that all meet at each key; sometimes each from its own start."""
    turn = len(keys) // sheet.shape.clients if sheet.random.random() < 0.2 else 0
    return tuple(
        tuple(
            sheet.claim(plugin, space, key, client)
            for key in keys[client * turn :] + keys[: client * turn]
        )
        for client in range(sheet.shape.clients)
    )


def reclaims(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """All clients claim keys whose rows have expired, each in a namespace that nobody has pruned.

    One key a namespace: the first claim in a namespace may remove all its expired rows, and the
    race for the others would be one for vacant keys. Some rounds have one expired row in the whole
    store, for a store may remove those of all namespaces at once.
    """
    sizes, weights = ((1, 4), (70, 30)) if sheet.shape.virtual else ((1, 12), (40, 60))
    if sheet.unit_ms() >= 1_000 and not sheet.shape.virtual:
        sizes, weights = (1, 32), (20, 80)  # a wait costs seconds: share it
    for index, page, size, _last in sheet.pages(rounds, sizes, weights):
        yield _reclaim(sheet, sheet.plugin(page), [f"n{index}-{number}" for number in range(size)])


def _reclaim(sheet: Sheet, plugin: str, spaces: list[str]) -> Round:
    unit = sheet.unit_ms()
    units = sheet.random.randint(1, 50) if sheet.shape.virtual else -(-_SHORT_TTL_MS // unit)
    ttl_ms = units * unit
    plant = sheet.first_of("register", "register_if_absent")
    if sheet.random.random() < 0.5:
        plant = "register_if_absent"
    planted = [Call(plant, plugin, space, "k", sheet.value(-1), ttl_ms) for space in spaces]
    clients = range(sheet.shape.clients)
    readers = [each for each in ("lookup", "entries", "sweep_expired") if sheet.has(each)]
    nosy = {
        client: sheet.random.choice(readers)
        for client in clients
        if readers and sheet.random.random() < 0.25
    }
    volley = tuple(
        tuple(
            call
            for space in spaces
            for call in (
                *_before(nosy.get(client), plugin, space),
                sheet.claim(plugin, space, "k", client),
            )
        )
        for client in clients
    )
    look = sheet.look if sheet.random.random() < 0.5 else sheet.look_up
    return Round(
        prepare=(*planted, Pass(ttl_ms + unit - 1, unit + _EXPIRY_MARGIN_MS)),
        volley=volley,
        inspect=tuple(call for space in spaces for call in look(plugin, space, ["k"])),
        cold=sheet.cold(),
        fresh=sheet.fresh(),
        due=len(spaces),
    )


def _before(reader: str | None, plugin: str, space: str) -> tuple[Call, ...]:
    """A reader that meets an expired row may remove it, and must not remove the next holder's."""
    if reader is None:
        return ()
    return (Call(reader, plugin, space, "k" if reader == "lookup" else None),)


def consumers(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """All clients consume the same live rows."""
    for index, page, size, _last in sheet.pages(rounds, (1, 4, 16), (30, 40, 30)):
        plugin, space = sheet.plugin(page), "n"
        keys = [f"k{index}-{number}" for number in range(size)]
        yield Round(
            prepare=tuple(sheet.claim(plugin, space, key, sheet.shape.clients) for key in keys),
            volley=tuple(
                tuple(Call("consume", plugin, space, key) for key in keys)
                for _ in range(sheet.shape.clients)
            ),
            inspect=sheet.look_up(plugin, space, keys),
            cold=sheet.cold(),
            due=len(keys),
        )


def churn(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """Claims of few keys in parallel with what removes them."""
    for index, page, size, last in sheet.pages(rounds, (1, 2, 4), (50, 30, 20)):
        plugin, space = sheet.plugin(page), f"n{index}"
        keys = [f"k{number}" for number in range(size)]
        removers = [name for name in ("delete", "consume") if sheet.has(name)]
        if sheet.has("clear") and (not removers or sheet.random.random() < 0.15):
            removers.append("clear")
        inspect = sheet.look_up(plugin, space, keys) or sheet.look(plugin, space, keys)
        if last and sheet.has("clear"):
            inspect = (*inspect, Call("clear", plugin, space))
        yield Round(
            volley=tuple(
                tuple(_churn_call(sheet, plugin, space, keys, removers, client) for _ in range(8))
                for client in range(sheet.shape.clients)
            ),
            inspect=inspect,
            cold=sheet.cold(),
        )


def _churn_call(
    sheet: Sheet, plugin: str, space: str, keys: list[str], removers: list[str], client: int
) -> Call:
    key = sheet.random.choice(keys)
    if not removers or sheet.random.random() < 0.55:
        value = sheet.value(client)
        return Call("register_if_absent", plugin, space, key, value)  # no TTL: presence is counted
    remover = sheet.random.choice(removers)
    return Call(remover, plugin, space, None if remover == "clear" else key)


def first_opens(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """All clients connect to a location that does not exist yet, and claim at once."""
    for index in range(rounds):
        plugin, space = sheet.plugin(index), "n"
        clients = range(sheet.shape.clients)
        own = [f"own{client}" for client in clients]
        yield Round(
            volley=tuple(
                (
                    Call("open", plugin, space, max_entries=ROOMY),
                    sheet.claim(plugin, space, "shared", client),
                    sheet.claim(plugin, space, own[client], client),
                )
                for client in clients
            ),
            inspect=sheet.look_up(plugin, space, ["shared", *own])
            or sheet.look(plugin, space, ["shared", *own]),
            cold=True,
            fresh=True,
        )
