"""Rounds: the words in which a race is written down, and the sheet that one block is written on."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from onewinner.contract import Json

HOUR_MS: Final = 3_600_000
ROOMY: Final = 1_000
"""`max_entries` of a namespace in which nobody shall be evicted."""

_PAGE_ROWS: Final = 300
_FRESH_EVERY: Final = 8
_FRESH_AT: Final = 3  # odd, so that it is a cold one


class Call(NamedTuple):
    """One operation that a client shall make.

    `value` is what is given beside the key: a value, the keys of `lookup_many`, or the plain form
    of a change, a condition or an intent. It opens the namespace with `max_entries` and `policy`.
    """

    f: str
    plugin: str
    namespace: str
    key: str | None = None
    value: Json = None
    ttl_ms: int | None = None
    max_entries: int = ROOMY
    policy: str | None = None


class Pass(NamedTuple):
    """Let `ms` milliseconds of the store's time pass since the last call returned.

    Where time is real, `margin_ms` more: no store whose clock is right can then disagree.
    """

    ms: int
    margin_ms: int


Step: TypeAlias = Call | Pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One go at a race.

    `prepare` is done by the leader (client 0) alone; the volley's clients then start from one
    agreed instant, each making its own calls in order; when all are done the leader alone makes
    the calls of `inspect`. `cold`: every client connects anew before the volley. `fresh`: the round
    has a location of its own that does not exist yet; an `open` at the head of the volley connects
    to it, and without one the leader makes it before the others connect. `due` is how many calls of
    the volley must win, None where that depends on their order: a round in which more or fewer do
    is the last of its block, so that it is judged at once. `facts` are what a judge has to know.
    """

    volley: tuple[tuple[Call, ...], ...]
    prepare: tuple[Step, ...] = ()
    inspect: tuple[Call, ...] = ()
    cold: bool = False
    fresh: bool = False
    due: int | None = None
    facts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a stream of rounds is made for.

    `prefix` begins every plugin id: it keeps runs apart that share a server. `seed` decides all
    choices. `row_cap` is the plugin's cap with `evicts_at_cap` its policy, `ttl_unit_ms` None where
    there is no TTL, `virtual` whether time passes only when a round says so, `strict_ages` whether
    no two rows of a namespace are of one age.
    """

    prefix: str
    seed: int
    clients: int
    operations: frozenset[str]
    ttl_unit_ms: int | None = 1
    row_cap: int | None = 1_000
    evicts_at_cap: bool = False
    virtual: bool = True
    strict_ages: bool = False


class Sheet:
    """One block being written: seeded choices, names that nobody used before, and the claims."""

    def __init__(self, kind: str, shape: Shape, number: int) -> None:
        self.shape = shape
        self.number = number
        self.random = Random(f"{shape.seed}/{kind}/{number}")
        self._stem = f"{shape.prefix}-{kind}-{number}"
        self._values = self._temperatures = 0

    def plugin(self, page: int | str) -> str:
        """Name a plugin of this block."""
        return f"{self._stem}-{page}"

    def has(self, operation: str) -> bool:
        """Tell whether the store declares an operation."""
        return operation in self.shape.operations

    def first_of(self, *operations: str) -> str:
        """Answer the first operation that the store declares; the last needs no declaration."""
        return next((each for each in operations if self.has(each)), operations[-1])

    def page_rows(self) -> int:
        """How many rows one plugin may get, well under its cap."""
        cap = self.shape.row_cap
        return _PAGE_ROWS if cap is None else max(1, min(_PAGE_ROWS, cap // 2))

    def pages(
        self, rounds: int, sizes: Sequence[int], weights: Sequence[int]
    ) -> Iterator[tuple[int, int, int, bool]]:
        """Yield (round, page, number of keys, last of its page) with a plugin for each page."""
        most = self.page_rows()
        drawn = [min(size, most) for size in self.random.choices(sizes, weights, k=rounds)]
        page = rows = 0
        for index, size in enumerate(drawn):
            rows += size
            last = index + 1 == rounds or rows + drawn[index + 1] > most
            yield index, page, size, last
            if last:
                page, rows = page + 1, 0

    def value(self, client: int) -> Json:
        """Answer a value that no other call of this block carries."""
        self._values += 1
        return {"by": client, "n": self._values}

    def ttl_ms(self, client: int) -> int | None:
        """Answer a TTL so long that no verdict depends on it, and different for each client.

        The stored expiry then tells whose row it is. One in eight claims carries none.
        """
        if self.shape.ttl_unit_ms is None or self.random.random() < 0.125:
            return None
        return (client + 1) * HOUR_MS

    def claim(self, plugin: str, namespace: str, key: str, client: int) -> Call:
        """Write a claim with the client's own value and its own long TTL.

        Where the store has no claim, an upsert.
        """
        writer = self.first_of("register_if_absent", "register")
        return Call(writer, plugin, namespace, key, self.value(client), self.ttl_ms(client))

    def unit_ms(self) -> int:
        """The resolution of the store's time, 1 ms where it has no TTL."""
        return self.shape.ttl_unit_ms or 1

    def cold(self) -> bool:
        """Decide whether the next round starts on new connections: every second one does.

        The first statement on a new connection is slow, and its window wide; but what shows only on
        warm connections must not be missed either.
        """
        self._temperatures += 1
        return self._temperatures % 2 == 1

    def fresh(self) -> bool:
        """Decide whether the last round asked about, a cold one, has a new database as well."""
        return self._temperatures % _FRESH_EVERY == _FRESH_AT

    def look(self, plugin: str, namespace: str, keys: Sequence[str]) -> tuple[Call, ...]:
        """Read the rows by what the store declares: all at once, else one by one, else not."""
        if self.has("entries"):
            return (Call("entries", plugin, namespace),)
        return self.look_up(plugin, namespace, keys)

    def look_up(self, plugin: str, namespace: str, keys: Sequence[str]) -> tuple[Call, ...]:
        """Read the rows one by one, where the store has `lookup`."""
        if not self.has("lookup"):
            return ()
        return tuple(Call("lookup", plugin, namespace, key) for key in keys)
