"""The shape of a store under test: what an adapter author implements."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from onewinner.clock import Clock
    from onewinner.contract.capabilities import Capabilities
    from onewinner.contract.newer import Change, Compared, Condition, Intent, Observation

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class Absent(enum.Enum):
    """The type of `ABSENT`: no live row. JSON `null` is a value and is not absent (READ-2)."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Entry:
    """One live row as `entries` lists it; times are milliseconds of the store's clock."""

    key: str
    value: Json
    created_at: int
    expires_at: int | None = None


class Store(Protocol):
    """A handle on one namespace of one plugin; every operation is atomic (contract 2)."""

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Upsert: replace value, `createdAt` and `expiresAt` together (REG-1, REG-2)."""
        ...  # pragma: no cover

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim: answer True only when the row was inserted (CLAIM-1, CLAIM-2)."""
        ...  # pragma: no cover

    def lookup(self, key: str) -> Json | Absent:
        """Answer the live value, or `ABSENT` (READ-1)."""
        ...  # pragma: no cover

    def consume(self, key: str) -> Json | Absent:
        """Read and delete in one step (DEL-2)."""
        ...  # pragma: no cover

    def delete(self, key: str) -> bool:
        """Remove the row; True iff a live row was removed (DEL-1)."""
        ...  # pragma: no cover

    def entries(self) -> list[Entry]:
        """List the live rows by (`createdAt`, key), one consistent snapshot (READ-4, READ-5)."""
        ...  # pragma: no cover

    def clear(self) -> None:
        """Remove all rows of this namespace and of no other (DEL-5, ISO-2)."""
        ...  # pragma: no cover


class NewerStore(Store, Protocol):
    """A handle with the newer operations; a store has those of them that it declares."""

    def count(self) -> int:
        """Answer how many live rows the namespace holds (READ-8)."""
        ...  # pragma: no cover

    def lookup_many(self, keys: Sequence[str]) -> list[Json | Absent]:
        """Answer for each key, at its place, its live value or `ABSENT` (READ-9, READ-10)."""
        ...  # pragma: no cover

    def delete_if_equal(self, key: str, expected: Json) -> bool:
        """Remove the live row whose value is this scalar; True iff it was there (DEL-7)."""
        ...  # pragma: no cover

    def delete_if(self, key: str, condition: Condition) -> bool:
        """Remove the live row of whose value the condition holds (DEL-8)."""
        ...  # pragma: no cover

    def update(self, key: str, change: Change, *, ttl_ms: int | None = None) -> bool:
        """Store what the change makes of the live value; False where it leaves it (UPD-1)."""
        ...  # pragma: no cover

    def observe(self, key: str) -> Observation:
        """Answer the live value with a comparison for `compare_and_apply` (CAS-1)."""
        ...  # pragma: no cover

    def compare_and_apply(
        self, key: str, comparison: str, intent: Intent, *, ttl_ms: int | None = None
    ) -> Compared:
        """Carry out the intent where the row is still what was observed (CAS-2, CAS-3)."""
        ...  # pragma: no cover


class Backend(Protocol):
    """One connection to a store; handles of one location share their data.

    `capabilities` declares what the store offers. What is declared is tested, what is not declared
    is `n/a`; see `Capabilities`.
    """

    capabilities: Capabilities

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open a namespace of a plugin (INPUT-1 to INPUT-4).

        With `overflow_option` declared it takes `overflow_policy` besides: `evict-oldest`, or
        `reject-new` (EVICT-9).
        """
        ...  # pragma: no cover

    def sweep_expired(self) -> int:
        """Remove expired rows of all plugins and answer how many (DEL-6); only where declared."""
        ...  # pragma: no cover

    def close(self) -> None:
        """Release what this connection holds; the data of a durable store stays (DUR-1)."""
        ...  # pragma: no cover


class Connect(Protocol):
    """A target's factory: called in every worker process with the same `location`."""

    def __call__(self, location: str, *, clock: Clock) -> Backend:
        """Connect to the store at `location`, a directory that the kit made or the URL given."""
        ...  # pragma: no cover
