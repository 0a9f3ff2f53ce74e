"""What a store declares about itself, and the limit profiles of the contract.

Declared once, by the adapter. An undeclared capability makes its clauses `n/a` and caps the level;
a declared one that is refused or ignored is a failure.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final, Literal

_HOUR_MS: Final = 3_600_000

OPERATIONS: Final = frozenset(
    {
        "register",
        "register_if_absent",
        "lookup",
        "consume",
        "delete",
        "entries",
        "clear",
        "sweep_expired",
    }
)
"""The operations that `Capabilities()` promises."""

OPTIONAL_OPERATIONS: Final = frozenset(
    {
        "count",
        "lookup_many",
        "delete_if_equal",
        "delete_if",
        "update",
        "observe",
        "compare_and_apply",
    }
)
"""The newer operations; a store declares those that it has (`Capabilities.having`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The limits of one generation of the contract (contract 3 and 5); sizes are UTF-8 bytes.

    `plugin_row_cap` is the number of live rows a plugin may hold over all its namespaces, None for
    no cap. `cap_policy` says what an insert at that cap does: fail with `LIMIT_EXCEEDED`, or evict
    the plugin's oldest row. `overflow_policy` says what an insert into a namespace that holds
    `maxEntries` live rows does: evict its oldest row, or fail with `LIMIT_EXCEEDED`.
    """

    name: str = "base"
    plugin_row_cap: int | None = 1_000
    cap_policy: Literal["reject", "evict-oldest"] = "reject"
    overflow_policy: Literal["evict-oldest", "reject-new"] = "evict-oldest"
    max_key_bytes: int = 512
    max_namespace_bytes: int = 128
    max_value_bytes: int = 65_536
    max_value_depth: int = 64


BASE: Final = Profile()
NEWER: Final = Profile(
    name="newer", plugin_row_cap=50_000, cap_policy="evict-oldest", max_value_bytes=1_048_576
)
PROFILES: Final = {profile.name: profile for profile in (BASE, NEWER)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a store offers. `Capabilities()` promises the whole contract; turn off what it lacks.

    What is optional in the contract is off: the newer operations, `overflow_option`, `strict_ages`.

    Attributes:
        scope: `process` where parallel processes may share a location, `thread` where the data
            lives in one process.
        durable: rows survive closing the last handle (DUR-1).
        virtual_clock: the store takes "now" from the clock it was connected with, and from
            nowhere else; the kit then tests every TTL exactly and without waiting.
        operations: the operations the store has, by their contract names (`OPERATIONS` and
            `OPTIONAL_OPERATIONS`).
        ttl_unit_ms: the resolution of a TTL in milliseconds; None where there is no TTL. With
            `virtual_clock` an hour must be a multiple of it.
        eviction: `oldest` where `max_entries` is enforced by evicting the oldest row; None where
            the store ignores `max_entries`.
        plugin_row_cap: live rows a plugin may hold over all its namespaces; None for no cap.
        profile: which generation of the other limits applies (see `limits`).
        handle_scope: `process` where threads may share one handle, `thread` where each thread
            needs a connection of its own.
        validates_input: the store refuses what section 5 refuses, and trims keys.
        private_files: what the store makes below its location is for its owner alone (DUR-9).
        damage: the backend has a method `damage(plugin_id, namespace, key)`, by which the kit makes
            the stored value of a row unreadable (ERR-7).
        overflow_option: `open` takes `overflow_policy="reject-new"` for a namespace that refuses
            new keys where it is full (EVICT-9).
        strict_ages: no two rows of a namespace have the same `createdAt` (READ-11).
    """

    scope: Literal["process", "thread"] = "process"
    durable: bool = True
    virtual_clock: bool = False
    operations: frozenset[str] = OPERATIONS
    ttl_unit_ms: int | None = 1
    eviction: Literal["oldest"] | None = "oldest"
    plugin_row_cap: int | None = 1_000
    profile: Profile = BASE
    handle_scope: Literal["process", "thread"] = "process"
    validates_input: bool = True
    private_files: bool = False
    damage: bool = False
    overflow_option: bool = False
    strict_ages: bool = False

    def __post_init__(self) -> None:
        known = OPERATIONS | OPTIONAL_OPERATIONS
        unknown = frozenset(self.operations) - known
        if unknown:
            raise ValueError(
                f"Capabilities(operations=...) names {sorted(unknown)}, which the contract does "
                f"not know; choose from {sorted(known)}"
            )
        if self.scope not in ("process", "thread"):
            raise ValueError(f"Capabilities(scope={self.scope!r}): use 'process' or 'thread'")
        if self.eviction not in ("oldest", None):
            raise ValueError(f"Capabilities(eviction={self.eviction!r}): use 'oldest' or None")
        if self.ttl_unit_ms is not None and self.ttl_unit_ms < 1:
            raise ValueError(f"Capabilities(ttl_unit_ms={self.ttl_unit_ms!r}): use 1, 1000 or None")
        if self.virtual_clock and _HOUR_MS % (self.ttl_unit_ms or 1):
            raise ValueError(
                f"Capabilities(ttl_unit_ms={self.ttl_unit_ms!r}) does not divide an hour, so with "
                f"virtual_clock=True no TTL can be tested to the millisecond; leave that out"
            )
        object.__setattr__(self, "operations", frozenset(self.operations))

    @property
    def limits(self) -> Profile:
        """The profile, with the declared row cap in place of the profile's own."""
        return dataclasses.replace(self.profile, plugin_row_cap=self.plugin_row_cap)

    def without(self, *operations: str) -> Capabilities:
        """Answer the same capabilities less some operations."""
        return dataclasses.replace(self, operations=self.operations - set(operations))

    def having(self, *operations: str) -> Capabilities:
        """Answer the same capabilities with some operations more."""
        return dataclasses.replace(self, operations=self.operations | set(operations))


WHOLE: Final = Capabilities(overflow_option=True, strict_ages=True).having(*OPTIONAL_OPERATIONS)
"""All that a store can declare, but for what the kit must provide."""
