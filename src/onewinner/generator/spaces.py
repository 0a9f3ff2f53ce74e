"""Small rounds in which everything that crosses keys happens at once, to be judged exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.generator.rounds import Call, Pass, Round

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from onewinner.generator.rounds import Sheet

SPACE: Final = "n"
SIBLING: Final = "sibling"
ROUNDS_MOST: Final = 12
"""Rounds in a block: the search for an order costs more than the calls."""

_MAX_ENTRIES: Final = (1, 2, 3, 3, 4)
_KEYS: Final = ("b", "c", "d", "e", "f", "g")
_OLD: Final = ("a", "d", "z", "e")
_CALLS: Final = (4, 5, 6, 8)
_FEWER_CALLS: Final = (4, 5, 6)  # in real time any two rows may tie, and both ways are searched
_AGE_MARGIN_MS: Final = 10
_READ_ALL: Final = {"entries": 3, "lookup": 4}
_MOODS: Final[tuple[Mapping[str, int], ...]] = (
    {"register_if_absent": 10, "register": 4, "delete": 2, "consume": 2, "clear": 1, **_READ_ALL},
    {"register_if_absent": 6, "register": 6, "entries": 4, "lookup": 8},
    {"register_if_absent": 5, "register": 2, "clear": 3, "entries": 2, "lookup": 6},
    {"register_if_absent": 4, "register": 6, "delete": 4, "entries": 8},
)


def spaces(sheet: Sheet, rounds: int) -> Iterator[Round]:
    """All clients do everything with few keys of a namespace that is mostly full.

    Some rows are planted first, as old as time makes them or of the volley's own age. In some
    rounds a sibling namespace is used too; always where the plugin's cap is so small that the two
    can reach it.
    """
    for index in range(min(rounds, ROUNDS_MOST)):
        yield _round(sheet, sheet.plugin(index))


def _round(sheet: Sheet, plugin: str) -> Round:
    draw, shape = sheet.random, sheet.shape
    sizes = {SPACE: draw.choice(_MAX_ENTRIES), SIBLING: draw.choice(_MAX_ENTRIES)}
    capped = shape.row_cap is not None and shape.row_cap < 2 * max(_MAX_ENTRIES)
    names = (SPACE, SPACE, SIBLING) if capped or draw.random() < 0.3 else (SPACE,)
    weights = {f: w for f, w in draw.choice(_MOODS).items() if sheet.has(f)}
    weights.setdefault("register_if_absent", 4)
    planted = draw.randint(0, min(sizes[SPACE], shape.row_cap or sizes[SPACE]))
    prepare = [_call(sheet, "register_if_absent", plugin, SPACE, key, 0) for key in _OLD[:planted]]
    older = [Pass(sheet.unit_ms(), sheet.unit_ms() + _AGE_MARGIN_MS)] if draw.random() < 0.5 else []
    count = draw.choice(_CALLS if shape.virtual else _FEWER_CALLS)
    volley = tuple(
        tuple(
            _call(sheet, f, plugin, draw.choice(names), draw.choice(_KEYS), client)
            for f in draw.choices([*weights], [*weights.values()], k=count)
        )
        for client in range(shape.clients)
    )
    return Round(
        prepare=tuple(_sized(sizes, call) for call in prepare) + tuple(older if planted else ()),
        volley=tuple(tuple(_sized(sizes, call) for call in calls) for calls in volley),
        inspect=tuple(
            _sized(sizes, call)
            for name in dict.fromkeys(names)
            for call in sheet.look(plugin, name, sorted({*_OLD, *_KEYS}))
        ),
        cold=sheet.cold(),
        facts={
            SPACE: sizes[SPACE],
            SIBLING: sizes[SIBLING],
            "cap": (shape.row_cap or 0) if capped else 0,
            "evicts": int(shape.evicts_at_cap),
            "virtual": int(shape.virtual),
            "strict": int(shape.strict_ages),
            "unit_ms": sheet.unit_ms(),
        },
    )


def _call(sheet: Sheet, f: str, plugin: str, space: str, key: str, client: int) -> Call:
    if f == "register_if_absent":
        return sheet.claim(plugin, space, key, client)
    if f == "register":
        return Call(f, plugin, space, key, sheet.value(client), sheet.ttl_ms(client))
    return Call(f, plugin, space, None if f in {"entries", "clear"} else key)


def _sized(sizes: Mapping[str, int], call: Call) -> Call:
    return call._replace(max_entries=sizes[call.namespace])
