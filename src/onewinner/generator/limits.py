"""Rounds in which a limit is reached: a full namespace, and a plugin at its row cap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.generator.rounds import HOUR_MS, Call, Pass, Round

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.generator.rounds import Sheet

FILL_CHUNK: Final = 1_000
"""Rows that one block adds while it fills a plugin."""
FREE: Final = 4
"""Rows that a filled plugin may still get."""

_FILL_SPACES: Final = 3
_AGE_MARGIN_MS: Final = 3


def full(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """All clients claim the same keys in a namespace that is full, or that they overfill.

    Two in three rounds are *exact*: the namespace is full of rows that are strictly older, and no
    more keys are claimed than it holds, so that no new row may go.
    """
    for index in range(rounds):
        most = sheet.random.choice((4, 8, 16))
        plugin, space = sheet.plugin(index), f"n{index}"
        exact = sheet.random.random() < 2 / 3
        count = sheet.random.randint(1, most) if exact else most * 2
        keys = sheet.random.sample([f"k{number:03}" for number in range(count)], count)
        old = [f"{'az'[number % 2]}-old{number}" for number in range(most)] if exact else []
        prepare = tuple(
            Call("register_if_absent", plugin, space, key, sheet.value(-1), None, most)
            for key in old
        )
        older = (Pass(sheet.unit_ms(), sheet.unit_ms() + _AGE_MARGIN_MS),) if exact else ()
        yield Round(
            prepare=(*prepare, *older),
            volley=tuple(
                tuple(
                    sheet.claim(plugin, space, key, client)._replace(max_entries=most)
                    for key in keys
                )
                for client in range(sheet.shape.clients)
            ),
            inspect=tuple(
                call._replace(max_entries=most) for call in sheet.look(plugin, space, [*old, *keys])
            ),
            cold=sheet.cold(),
            facts={"max_entries": most, "exact": int(exact)},
        )


def row_cap(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """Fill a plugin to a few rows under its cap, block by block, then let all clients insert."""
    cap = sheet.shape.row_cap
    if cap is None:
        return
    goal = max(0, cap - FREE)
    blocks = -(-goal // FILL_CHUNK)
    reusable = sheet.has("clear") or sheet.shape.evicts_at_cap
    cycle, position = (0, sheet.number) if reusable else divmod(sheet.number, blocks + 1)
    plugin = f"{sheet.shape.prefix}-cap-{cycle}"
    if position < blocks:
        yield _fill(sheet, plugin, cap, position * FILL_CHUNK, goal)
        return
    for index in range(rounds if reusable else 1):
        yield _crowd(sheet, plugin, cap, f"v{sheet.number}-{index}")


def _fill(sheet: Sheet, plugin: str, cap: int, start: int, goal: int) -> Round:
    return Round(
        volley=((),) * sheet.shape.clients,
        prepare=tuple(
            Call("register_if_absent", plugin, _fill_space(row), f"k{row}", row, None, cap + 1)
            for row in range(start, min(goal, start + FILL_CHUNK))
        ),
    )


def _fill_space(row: int) -> str:
    return f"fill{row % _FILL_SPACES}"


def _crowd(sheet: Sheet, plugin: str, cap: int, space: str) -> Round:
    """More new keys than there is room for, some wanted by all and some by one client each."""
    clients = range(sheet.shape.clients)
    shared = [f"all{number}" for number in range(FREE)]
    own = {client: [f"own{client}-{number}" for number in range(FREE)] for client in clients}
    keys = [*shared, *(key for each in own.values() for key in each)]
    ttl_ms = HOUR_MS if sheet.shape.ttl_unit_ms is not None else None
    volley = []
    for client in clients:
        wanted = sheet.random.sample([*shared, *own[client]], 2 * FREE)
        volley.append(
            tuple(
                Call("register_if_absent", plugin, space, key, client, ttl_ms, cap + 1)
                for key in wanted
            )
        )
    spaces = [space]
    if sheet.shape.evicts_at_cap:
        spaces += [_fill_space(row) for row in range(_FILL_SPACES)]
    inspect = [
        call._replace(max_entries=cap + 1)
        for each in spaces
        for call in sheet.look(plugin, each, keys if each == space else ())
    ]
    if sheet.has("clear"):
        inspect.append(Call("clear", plugin, space, max_entries=cap + 1))
    return Round(
        volley=tuple(volley),
        inspect=tuple(inspect),
        facts={"cap": cap, "free": min(FREE, cap), "evicts": int(sheet.shape.evicts_at_cap)},
    )
