"""The words of the model: calls, rows, states and answers. All are values and can be hashed."""

from __future__ import annotations

import dataclasses
from bisect import bisect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from onewinner.contract import BASE, Absent, Profile

if TYPE_CHECKING:
    from onewinner.contract import Capabilities

WHITE_SPACE: Final = " \t\r\n"
EXACT_MS_MAX: Final = 2**53 - 1
"""The largest time that every language represents exactly; a later expiry may be refused."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The contract as far as one store declares it.

    `exact`: rows are as old as the model says, to the millisecond; else two that were written at
    different times of the model may be of one age.
    """

    limits: Profile = BASE
    evicts: bool = True
    validates: bool = True
    strict_ages: bool = False
    exact: bool = True

    @classmethod
    def of(cls, capabilities: Capabilities) -> Rules:
        """Answer the rules that a store with these capabilities is held to."""
        return cls(
            limits=capabilities.limits,
            evicts=capabilities.eviction is not None,
            validates=capabilities.validates_input,
            strict_ages=capabilities.strict_ages,
            exact=capabilities.virtual_clock,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the contract: an operation's name and its arguments as the caller gave them.

    `value` holds what is given beside the key: a value, the keys of `lookup_many`, or the plain
    form of a change, a condition or an intent (`contract.newer`). `noted` is no argument: it is the
    comparison that the store answered, which no model can know beforehand.
    """

    f: str
    plugin: str = ""
    namespace: Any = ""
    key: Any = None
    value: Any = None
    ttl_ms: Any = None
    max_entries: Any = None
    default_ttl_ms: Any = None
    overflow_policy: Any = None
    comparison: Any = None
    noted: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row; `value` is the canonical JSON text.

    `behind_ms` is how far the clock was behind the namespace's newest row when this one was
    written, where `created_at` does not make up for that (EVICT-12).
    """

    key: str
    value: str
    created_at: int
    expires_at: int | None
    behind_ms: int = 0

    @property
    def age(self) -> tuple[int, str]:
        """What eviction goes by: rows are no older than those that they found (EVICT-12)."""
        return self.created_at + self.behind_ms, self.key

    def live(self, now: int) -> bool:
        """Tell whether the row is live: at `now == expires_at` it is not (TTL-1)."""
        return self.expires_at is None or self.expires_at > now


@dataclass(frozen=True, slots=True)
class Space:
    """A namespace of a plugin with its options and rows, ordered by age.

    Expired rows stay in `rows` until something certainly removed them: a store may still hold them.
    No row expires before `first_expiry_ms` (None: none at all); it spares a walk over the rows and
    does not count when states are compared. `newest_ms` is the latest `created_at` that a row was
    ever given here, kept only where ages are strict (READ-11). `closed`: no handle is open on it.
    """

    plugin: str
    name: str
    max_entries: int
    default_ttl_ms: int | None
    overflow_policy: str | None = None
    rows: tuple[Row, ...] = ()
    newest_ms: int | None = None
    closed: bool = False
    first_expiry_ms: int | None = field(default=None, compare=False)

    def all_live(self, now: int) -> bool:
        """Tell whether certainly no row has expired."""
        return self.first_expiry_ms is None or self.first_expiry_ms > now

    def live(self, now: int) -> tuple[Row, ...]:
        """Answer the live rows in order."""
        return self.rows if self.all_live(now) else tuple(r for r in self.rows if r.live(now))

    def count(self, now: int) -> int:
        """Answer how many rows are live."""
        return len(self.rows) if self.all_live(now) else sum(r.live(now) for r in self.rows)

    def find(self, key: str) -> Row | None:
        """Answer the row of `key`, live or expired."""
        return next((row for row in self.rows if row.key == key), None)

    def having(self, rows: tuple[Row, ...]) -> Space:
        """Answer this namespace with these rows, which are all its own or fewer."""
        return dataclasses.replace(self, rows=rows)

    def adding(self, rows: tuple[Row, ...], row: Row) -> Space:
        """Answer this namespace with `rows`, which are in order, and one more put in its place."""
        place = bisect(rows, row.age, key=lambda r: r.age)
        bounds = [t for t in (self.first_expiry_ms, row.expires_at) if t is not None]
        return dataclasses.replace(
            self,
            rows=(*rows[:place], row, *rows[place:]),
            first_expiry_ms=min(bounds, default=None),
        )


@dataclass(frozen=True, slots=True)
class Noted:
    """What a comparison of a key stands for: the row as it was observed, None for no live row.

    `touched`: since then the row was written or removed, so that it may be another one, all the
    same.
    """

    plugin: str
    namespace: str
    key: str
    comparison: str
    row: Row | None
    touched: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """All namespaces, and when the last operation was: what expired since was not yet swept.

    `noted` are the comparisons that were answered.
    """

    spaces: tuple[Space, ...] = ()
    last_ms: int = 0
    noted: tuple[Noted, ...] = ()

    def space(self, plugin: str, namespace: str) -> Space | None:
        """Answer the namespace, None where it was never opened."""
        name = namespace.strip(WHITE_SPACE)
        return next((s for s in self.spaces if s.plugin == plugin and s.name == name), None)

    def plugin_rows(self, plugin: str, now: int) -> int:
        """Answer how many live rows the plugin holds over all its namespaces (CAP-1)."""
        return sum(space.count(now) for space in self.spaces if space.plugin == plugin)


@dataclass(frozen=True, slots=True)
class Value:
    """The answer of a reader that found a row: the canonical text of its value."""

    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer of `entries`."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """The answer of `sweep_expired`: anything from `low` to `high`."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Size:
    """The answer of `count`."""

    rows: int


@dataclass(frozen=True, slots=True)
class Many:
    """The answer of `lookup_many`: what each key holds, in the order in which they were given."""

    values: tuple[Value | Absent, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The answer of `compare_and_apply`; with a conflict, the row as it is."""

    word: str
    current: Value | Absent | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The call is refused with this code; `rule` is the clause that refuses it."""

    code: str
    rule: str


Answer: TypeAlias = bool | Absent | Value | Listing | Count | Size | Many | Status | Refused | None
Outcome: TypeAlias = tuple[Answer, State]
