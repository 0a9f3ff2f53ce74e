"""The clauses of time, limits, isolation, input, durability and errors."""

from __future__ import annotations

from typing import Final

from onewinner.contract.clause import Clause

LIMITS: Final[tuple[Clause, ...]] = (
    Clause(
        "TTL-1",
        "thread",
        "critical",
        "A row with a TTL MUST be live while `now < createdAt + ttlMs` and expired from `now "
        "== createdAt + ttlMs` on.",
        ("ttl",),
        "A store with a coarser `ttl_unit_ms` may round by less than one unit.",
    ),
    Clause(
        "TTL-2",
        "thread",
        "major",
        "Where no `ttlMs` is given, the namespace's `defaultTtlMs` MUST apply, and an "
        "explicit `ttlMs` MUST override it.",
        ("ttl",),
    ),
    Clause(
        "TTL-3",
        "thread",
        "critical",
        "A row without TTL in a namespace without default MUST NOT expire.",
    ),
    Clause(
        "TTL-4",
        "thread",
        "critical",
        "An expired row MUST be invisible to `lookup`, `consume` and `entries`, whether or "
        "not it was physically removed.",
        ("ttl",),
    ),
    Clause(
        "TTL-5",
        "thread",
        "critical",
        "A key whose row has expired MUST be claimable, and the new row MUST carry its own "
        "value, `createdAt` and `expiresAt`.",
        ("register_if_absent", "ttl"),
    ),
    Clause(
        "TTL-6",
        "thread",
        "minor",
        "A TTL starts at one instant between call and return at which the key was free: the "
        "same instant MUST explain both the win and the expiry.",
        ("register_if_absent", "ttl", "delete", "virtual-clock"),
        "A store that reads its clock before it waits for the right to write can hand out a "
        "claim that overlaps an earlier holder's period, or that is already expired. There "
        "are never two holders at once, so the severity is lower.",
    ),
    Clause(
        "TTL-7",
        "thread",
        "major",
        "A `ttlMs` whose expiry cannot be represented exactly MUST be refused or work; it "
        "MUST NOT poison later reads.",
        ("ttl", "lookup"),
    ),
    Clause(
        "EVICT-1",
        "thread",
        "major",
        "After an insert that leaves more than `maxEntries` live rows in the namespace, the "
        "oldest rows by (`createdAt`, key) MUST go, and no more than the excess.",
        ("eviction",),
    ),
    Clause(
        "EVICT-2",
        "thread",
        "critical",
        "Eviction MUST NOT take the row just written, also where ages tie.",
        ("eviction",),
    ),
    Clause(
        "EVICT-3",
        "thread",
        "major",
        "Among rows of one age, eviction MUST take the one whose key sorts first.",
        ("eviction", "virtual-clock"),
        "Rows of one age can be made for certain only where the kit moves the store's time.",
    ),
    Clause(
        "EVICT-4",
        "thread",
        "major",
        "`register` on a live key MUST make that row the newest, and evict nobody.",
        ("eviction", "register"),
    ),
    Clause(
        "EVICT-5",
        "thread",
        "major",
        "Expired rows MUST NOT count towards `maxEntries`: no live row is evicted while the "
        "live rows fit.",
        ("eviction", "ttl"),
    ),
    Clause(
        "EVICT-6",
        "thread",
        "major",
        "Parallel claims in a full namespace MUST leave exactly one winner a key and no more "
        "than `maxEntries` live rows, and evict no row that was just written unless younger "
        "ones fill the namespace.",
        ("eviction", "register_if_absent"),
    ),
    Clause(
        "EVICT-7",
        "process",
        "major",
        "What EVICT-6 says MUST hold over processes.",
        ("eviction", "register_if_absent", "process-scope"),
    ),
    Clause(
        "EVICT-8",
        "thread",
        "major",
        "Where the profile's overflow policy is `reject-new`, an insert into a namespace that "
        "holds `maxEntries` live rows MUST fail with `LIMIT_EXCEEDED` and evict nobody, while a "
        "claim of a live key still answers `false` and an update of a live key still works.",
        ("reject-new",),
    ),
    Clause(
        "EVICT-12",
        "thread",
        "major",
        "After the clock was set back, a row that is written MUST NOT be evicted before a row that "
        "was there when it was written.",
        ("eviction", "register_if_absent", "entries", "virtual-clock"),
        "Its `createdAt` may follow the clock, or be kept from going back. A store that evicts by "
        "what the clock said alone lets each claim that is won while the clock is behind go with "
        "the next.",
    ),
    Clause(
        "CAP-1",
        "thread",
        "major",
        "An insert that would leave a plugin with more live rows over all its namespaces than"
        " the cap, after its namespace's own eviction, MUST fail with `LIMIT_EXCEEDED` (or "
        "evict the plugin's oldest row, where the profile says so).",
        ("row-cap",),
    ),
    Clause(
        "CAP-2",
        "thread",
        "major",
        "An insert that fails at the cap MUST leave the store exactly as it was.",
        ("row-cap",),
    ),
    Clause(
        "CAP-3",
        "thread",
        "major",
        "Expired rows MUST NOT count towards the cap.",
        ("row-cap", "ttl", "register"),
    ),
    Clause(
        "CAP-4",
        "thread",
        "major",
        "At the cap an update of a live key MUST work, a claim of a live key MUST answer "
        "`false`, and an insert for which the own namespace evicts a row MUST work.",
        ("row-cap", "register"),
    ),
    Clause(
        "CAP-5",
        "process",
        "major",
        "Parallel inserts of several processes MUST NOT take a plugin over its cap.",
        ("row-cap", "register_if_absent", "process-scope"),
    ),
    Clause(
        "ISO-1",
        "thread",
        "critical",
        "Rows of different (plugin, namespace, key) MUST NOT collide, whatever characters the"
        " three hold.",
    ),
    Clause(
        "ISO-2",
        "thread",
        "critical",
        "`clear` MUST touch no other namespace and no other plugin.",
        ("clear",),
    ),
    Clause(
        "ISO-3",
        "thread",
        "critical",
        "Eviction in one namespace MUST touch no other namespace and no other plugin.",
        ("eviction",),
    ),
    Clause(
        "ISO-4",
        "thread",
        "major",
        "The rows of one plugin MUST NOT count towards another plugin's cap, nor those of one"
        " namespace towards another's `maxEntries`.",
    ),
    Clause(
        "INPUT-1",
        "thread",
        "minor",
        "A namespace MUST match `^[a-z0-9][a-z0-9._-]*$` in any case after trimming and hold "
        "at most 128 UTF-8 bytes; anything else is refused with `INVALID_INPUT`, operation "
        "`open`.",
        ("input-rules",),
    ),
    Clause(
        "INPUT-2",
        "thread",
        "minor",
        "A plugin id that begins with `core:` MUST be refused with `INVALID_INPUT`, operation"
        " `open`.",
        ("input-rules",),
    ),
    Clause(
        "INPUT-3",
        "thread",
        "minor",
        "`maxEntries` MUST be an integer of at least 1, and a namespace reopened in one "
        "process with other options MUST be refused, with `INVALID_INPUT`, operation `open`.",
        ("input-rules",),
    ),
    Clause(
        "INPUT-4",
        "thread",
        "major",
        "A key is trimmed, and MUST then be neither empty nor longer than 512 UTF-8 bytes; "
        "else it is refused with `INVALID_INPUT`.",
        ("input-rules", "lookup"),
        "The kit trims and tests space, tab, carriage return and line feed; what else counts "
        "as white space is left open.",
    ),
    Clause(
        "INPUT-5",
        "thread",
        "major",
        "Keys that become equal by trimming MUST be one key for every operation.",
        ("input-rules", "lookup"),
    ),
    Clause(
        "INPUT-6",
        "thread",
        "minor",
        "`ttlMs` and `defaultTtlMs` MUST be integers of at least 1, else `INVALID_INPUT`.",
        ("input-rules", "ttl"),
    ),
    Clause(
        "INPUT-7",
        "thread",
        "minor",
        "A value that is not JSON (not finite, cyclic, of another type) MUST be refused with "
        "`INVALID_INPUT`.",
        ("input-rules",),
    ),
    Clause(
        "INPUT-8",
        "thread",
        "minor",
        "A value nested deeper than 64 levels MUST be refused with `LIMIT_EXCEEDED`.",
        ("input-rules",),
        "Whether the innermost scalar or empty container counts as a level of its own is left"
        " open: what both readings accept must be accepted, what both refuse must be refused.",
    ),
    Clause(
        "INPUT-9",
        "thread",
        "minor",
        "A value of more bytes as compact UTF-8 JSON than the profile allows (65,536) MUST be"
        " refused with `LIMIT_EXCEEDED`; one of just that many MUST be accepted.",
        ("input-rules",),
    ),
    Clause(
        "INPUT-10",
        "thread",
        "major",
        "Text that the store cannot keep as it is (a lone surrogate, a NUL) MUST be refused "
        "with `INVALID_INPUT` or kept distinct, never folded into another key.",
    ),
    Clause(
        "INPUT-11",
        "thread",
        "major",
        "A refused call MUST change nothing.",
        ("input-rules",),
    ),
    Clause(
        "DUR-1",
        "process",
        "critical",
        "Rows MUST survive closing and reopening the store, with their values and times.",
        ("durable",),
    ),
    Clause(
        "DUR-2",
        "process",
        "major",
        "First opens that race MUST all succeed or wait; none fails because another is "
        "creating the store, and all see one store.",
        ("process-scope",),
    ),
    Clause(
        "ERR-1",
        "thread",
        "minor",
        "An error MUST name its code, one of the contract's, and the operation; "
        "`registerIfAbsent` reports the operation `register`.",
        ("input-rules", "lookup"),
        "In this kit the operations are spelled as in the Python interface; a claim's error "
        "may name `register` or `register_if_absent`.",
    ),
    Clause(
        "ERR-2",
        "thread",
        "major",
        "An operation whose input is right and whose limits hold MUST NOT fail because others"
        " run in parallel on threads.",
        ("register_if_absent",),
        "A claimant who loses gets `false`, not an exception.",
    ),
    Clause(
        "ERR-3",
        "process",
        "major",
        "An operation whose input is right and whose limits hold MUST NOT fail because other "
        "processes work on the same store.",
        ("register_if_absent", "process-scope"),
    ),
    Clause(
        "ERR-4",
        "thread",
        "major",
        "After an operation was refused, the store MUST serve the next operation as if the "
        "refused one had not been called.",
    ),
)
