"""The shape of a store under test: what an adapter author implements."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from onewinner.clock import Clock
    from onewinner.contract.capabilities import Capabilities

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


class Backend(Protocol):
    """One connection to a store; handles of one location share their data.

    `capabilities` declares what the store offers. What is declared is tested, what is not declared
    is `n/a`; see `Capabilities`.
    """

    capabilities: Capabilities

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open a namespace of a plugin (INPUT-1 to INPUT-4)."""
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
