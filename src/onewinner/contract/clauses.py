"""The contract as numbered clauses: the one registry from which `specs/contract.md` is written.

An id never changes its meaning; a clause that is withdrawn keeps its number. A clause says at which
level it is judged, how bad a violation is, and what a store must declare for it to apply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from onewinner.contract.capabilities import Capabilities

Level: TypeAlias = Literal["thread", "process", "crash"]
Severity: TypeAlias = Literal["critical", "major", "minor"]

LEVELS: Final[tuple[Level, ...]] = ("thread", "process", "crash")

FAMILIES: Final[dict[str, str]] = {
    "CLAIM": "Claims: `registerIfAbsent`",
    "REG": "Upserts: `register`",
    "READ": "Readers: `lookup` and `entries`",
    "DEL": "Removers: `delete`, `consume`, `clear`, `sweepExpired`",
    "TTL": "Time to live",
    "EVICT": "Eviction at `maxEntries`",
    "CAP": "The plugin's row cap",
    "ISO": "Isolation",
    "INPUT": "Input",
    "DUR": "Durability and opening",
    "ERR": "Errors",
}


@dataclass(frozen=True, slots=True)
class Clause:
    """One numbered sentence of the contract.

    `needs` are tokens that `missing` understands: an operation's name, or `ttl`, `eviction`,
    `row-cap`, `process-scope`, `durable`, `virtual-clock`, `input-rules`. `note` settles what the
    sentence leaves open. Severity `critical`: two holders, or a lost or foreign row; `major`: a wrong answer or a
    broken limit; `minor`: a hazard that needs bad luck in timing to hurt.
    """

    id: str
    level: Level
    severity: Severity
    sentence: str
    needs: tuple[str, ...] = ()
    note: str = ""

    @property
    def family(self) -> str:
        """The part of the id before the hyphen."""
        return self.id.partition("-")[0]

    def missing(self, capabilities: Capabilities) -> str | None:
        """Say which declaration is missing for this clause to apply, or None where it applies."""
        for need in self.needs:
            reason = missing_need(need, capabilities)
            if reason is not None:
                return reason
        return None


def missing_need(need: str, capabilities: Capabilities) -> str | None:
    """Say why a need is not met (see `Clause.needs`), or None where it is."""
    declared = {
        "ttl": capabilities.ttl_unit_ms is not None,
        "eviction": capabilities.eviction is not None,
        "row-cap": capabilities.limits.plugin_row_cap is not None,
        "virtual-clock": capabilities.virtual_clock,
        "process-scope": capabilities.scope == "process",
        "durable": capabilities.durable,
        "input-rules": capabilities.validates_input,
    }
    if need in declared:
        return None if declared[need] else f"{need} is not declared"
    return None if need in capabilities.operations else f"operation {need} is not declared"


_CLAIM = "register_if_absent"

CLAUSES: Final[dict[str, Clause]] = {
    clause.id: clause
    for clause in (
        # --- CLAIM ---------------------------------------------------------------------------
        Clause(
            "CLAIM-1",
            "thread",
            "critical",
            "A claim of a key that no live row holds MUST insert the row and answer exactly `true`.",
            (_CLAIM,),
            "The answer is the boolean itself, not a truthy value. A claim that answers true for a "
            "row that no later read finds breaks this clause too.",
        ),
        Clause(
            "CLAIM-2",
            "thread",
            "critical",
            "A claim of a key that a live row holds MUST answer exactly `false`.",
            (_CLAIM,),
            "This holds whatever value and TTL the two claims carry, and whoever wrote the row.",
        ),
        Clause(
            "CLAIM-3",
            "thread",
            "critical",
            "A refused claim MUST NOT change the live row: not its value, not its `createdAt`, not "
            "its `expiresAt`.",
            (_CLAIM,),
        ),
        Clause(
            "CLAIM-4",
            "thread",
            "major",
            "A refused claim MUST NOT evict or remove any row, also in a namespace that is full.",
            (_CLAIM,),
        ),
        Clause(
            "CLAIM-5",
            "thread",
            "critical",
            "Of N claims of one vacant key that run in parallel on threads, exactly one MUST answer "
            "`true`, and the stored row MUST be the winner's.",
            (_CLAIM,),
        ),
        Clause(
            "CLAIM-6",
            "process",
            "critical",
            "Of N claims of one vacant key that run in parallel in several processes, exactly one "
            "MUST answer `true`, and the stored row MUST be the winner's.",
            (_CLAIM, "process-scope"),
        ),
        Clause(
            "CLAIM-7",
            "thread",
            "critical",
            "A key whose row has expired is vacant once: of N claims on threads that start after "
            "the expiry, exactly one MUST answer `true`.",
            (_CLAIM, "ttl"),
        ),
        Clause(
            "CLAIM-8",
            "process",
            "critical",
            "A key whose row has expired is vacant once: of N claims in several processes that "
            "start after the expiry, exactly one MUST answer `true`.",
            (_CLAIM, "ttl", "process-scope"),
        ),
        Clause(
            "CLAIM-9",
            "thread",
            "critical",
            "Between two successful claims of one key there MUST be a removal of it: expiry, "
            "`delete`, `consume`, `clear` or eviction.",
            (_CLAIM,),
            "Judged with claimants and removers that run in parallel.",
        ),
        Clause(
            "CLAIM-10",
            "process",
            "critical",
            "Between two successful claims of one key by different processes there MUST be a "
            "removal of it.",
            (_CLAIM, "process-scope"),
        ),
        # --- REG -----------------------------------------------------------------------------
        Clause(
            "REG-1",
            "thread",
            "major",
            "`register` MUST store the value whether the key was absent, live or expired, and "
            "answers nothing.",
            ("register",),
        ),
        Clause(
            "REG-2",
            "thread",
            "major",
            "`register` on a live key MUST replace value, `createdAt` and `expiresAt` together.",
            ("register",),
            "A `register` without TTL on a row that had one leaves a row that never expires, unless "
            "the namespace has a default TTL.",
        ),
        Clause(
            "REG-3",
            "process",
            "critical",
            "A register, a removal or a claim that returned MUST be seen by every operation that "
            "starts afterwards, in any thread and process.",
            ("process-scope",),
        ),
        # --- READ ----------------------------------------------------------------------------
        Clause(
            "READ-1",
            "thread",
            "critical",
            "`lookup` MUST answer the live row's value, and absent where no live row holds the key.",
            ("lookup",),
        ),
        Clause(
            "READ-2",
            "thread",
            "major",
            "JSON `null` is a value: a row that holds it is live, is found by every reader, and "
            "refuses a claim.",
            ("lookup",),
        ),
        Clause(
            "READ-3",
            "thread",
            "major",
            "`lookup` and `entries` MUST NOT change any row.",
        ),
        Clause(
            "READ-4",
            "thread",
            "major",
            "`entries` MUST list exactly the live rows of its namespace, ordered by (`createdAt`, "
            "key), with the times that decide their life.",
            ("entries",),
            "Keys are ordered by code point or by UTF-8 bytes (the same order); an order by UTF-16 "
            "code units conforms too.",
        ),
        Clause(
            "READ-5",
            "thread",
            "major",
            "`entries` MUST be one consistent snapshot: the rows it lists were all live, and no "
            "other row of the namespace was, at one instant of the call.",
            ("entries", "delete"),
        ),
        Clause(
            "READ-6",
            "thread",
            "major",
            "A stored value MUST NOT change when the caller changes the object that it passed in "
            "or got back.",
            ("lookup",),
        ),
        Clause(
            "READ-7",
            "thread",
            "major",
            "A value MUST come back equal as JSON to what was stored.",
            (),
            "Equal as JSON: the order of object members and the spelling of a number (`1`, `1.0`, "
            "`1e0`) do not count; `true` is not `1`, `null` is not absent, and text is compared by "
            "code points, without normalisation.",
        ),
        # --- DEL -----------------------------------------------------------------------------
        Clause(
            "DEL-1",
            "thread",
            "major",
            "`delete` MUST remove the row and answer `true` where it was live, `false` where there "
            "was none.",
            ("delete",),
            "For a row that is expired but not yet swept either answer conforms: the released "
            "store answers true. In both cases the row is gone.",
        ),
        Clause(
            "DEL-2",
            "thread",
            "critical",
            "`consume` MUST answer the live value and remove the row in one step, and answer absent "
            "where no live row holds the key.",
            ("consume",),
        ),
        Clause(
            "DEL-3",
            "thread",
            "critical",
            "Of N consumers of one live row that run in parallel on threads, exactly one MUST get "
            "the value.",
            ("consume",),
        ),
        Clause(
            "DEL-4",
            "process",
            "critical",
            "Of N consumers of one live row that run in parallel in several processes, exactly one "
            "MUST get the value.",
            ("consume", "process-scope"),
        ),
        Clause(
            "DEL-5",
            "thread",
            "major",
            "`clear` MUST remove every row of its namespace.",
            ("clear",),
        ),
        Clause(
            "DEL-6",
            "thread",
            "major",
            "`sweepExpired` MUST remove expired rows of all plugins, answer how many it removed, "
            "and never touch a live row.",
            ("sweep_expired", "ttl"),
            "Rows that the store had already removed by itself do not count; rows that expired "
            "since the last operation must.",
        ),
        # --- TTL -----------------------------------------------------------------------------
        Clause(
            "TTL-1",
            "thread",
            "critical",
            "A row with a TTL MUST be live while `now < createdAt + ttlMs` and expired from "
            "`now == createdAt + ttlMs` on.",
            ("ttl",),
            "A store with a coarser `ttl_unit_ms` may round by less than one unit.",
        ),
        Clause(
            "TTL-2",
            "thread",
            "major",
            "Where no `ttlMs` is given, the namespace's `defaultTtlMs` MUST apply, and an explicit "
            "`ttlMs` MUST override it.",
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
            "An expired row MUST be invisible to `lookup`, `consume` and `entries`, whether or not "
            "it was physically removed.",
            ("ttl",),
        ),
        Clause(
            "TTL-5",
            "thread",
            "critical",
            "A key whose row has expired MUST be claimable, and the new row MUST carry its own "
            "value, `createdAt` and `expiresAt`.",
            (_CLAIM, "ttl"),
        ),
        Clause(
            "TTL-6",
            "thread",
            "minor",
            "A TTL starts at one instant between call and return at which the key was free: the "
            "same instant MUST explain both the win and the expiry.",
            (_CLAIM, "ttl", "delete", "virtual-clock"),
            "A store that reads its clock before it waits for the right to write can hand out a "
            "claim that overlaps an earlier holder's period, or that is already expired. There "
            "are never two holders at once, so the severity is lower.",
        ),
        Clause(
            "TTL-7",
            "thread",
            "major",
            "A `ttlMs` whose expiry cannot be represented exactly MUST be refused or work; it MUST "
            "NOT poison later reads.",
            ("ttl", "lookup"),
        ),
        # --- EVICT ---------------------------------------------------------------------------
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
            ("eviction", _CLAIM),
        ),
        Clause(
            "EVICT-7",
            "process",
            "major",
            "What EVICT-6 says MUST hold over processes.",
            ("eviction", _CLAIM, "process-scope"),
        ),
        # --- CAP -----------------------------------------------------------------------------
        Clause(
            "CAP-1",
            "thread",
            "major",
            "An insert that would leave a plugin with more live rows over all its namespaces than "
            "the cap, after its namespace's own eviction, MUST fail with `LIMIT_EXCEEDED` (or evict "
            "the plugin's oldest row, where the profile says so).",
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
            ("row-cap", _CLAIM, "process-scope"),
        ),
        # --- ISO -----------------------------------------------------------------------------
        Clause(
            "ISO-1",
            "thread",
            "critical",
            "Rows of different (plugin, namespace, key) MUST NOT collide, whatever characters the "
            "three hold.",
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
            "The rows of one plugin MUST NOT count towards another plugin's cap, nor those of one "
            "namespace towards another's `maxEntries`.",
        ),
        # --- INPUT ---------------------------------------------------------------------------
        Clause(
            "INPUT-1",
            "thread",
            "minor",
            "A namespace MUST match `^[a-z0-9][a-z0-9._-]*$` in any case after trimming and hold at "
            "most 128 UTF-8 bytes; anything else is refused with `INVALID_INPUT`, operation `open`.",
            ("input-rules",),
        ),
        Clause(
            "INPUT-2",
            "thread",
            "minor",
            "A plugin id that begins with `core:` MUST be refused with `INVALID_INPUT`, operation "
            "`open`.",
            ("input-rules",),
        ),
        Clause(
            "INPUT-3",
            "thread",
            "minor",
            "`maxEntries` MUST be an integer of at least 1, and a namespace reopened in one process "
            "with other options MUST be refused, with `INVALID_INPUT`, operation `open`.",
            ("input-rules",),
        ),
        Clause(
            "INPUT-4",
            "thread",
            "major",
            "A key is trimmed, and MUST then be neither empty nor longer than 512 UTF-8 bytes; else "
            "it is refused with `INVALID_INPUT`.",
            ("input-rules", "lookup"),
            "The kit trims and tests space, tab, carriage return and line feed; what else counts as "
            "white space is left open.",
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
            "Whether the innermost scalar or empty container counts as a level of its own is left "
            "open: what both readings accept must be accepted, what both refuse must be refused.",
        ),
        Clause(
            "INPUT-9",
            "thread",
            "minor",
            "A value of more bytes as compact UTF-8 JSON than the profile allows (65,536) MUST be "
            "refused with `LIMIT_EXCEEDED`; one of just that many MUST be accepted.",
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
        # --- DUR -----------------------------------------------------------------------------
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
            "First opens that race MUST all succeed or wait; none fails because another is creating "
            "the store, and all see one store.",
            ("process-scope",),
        ),
        # --- ERR -----------------------------------------------------------------------------
        Clause(
            "ERR-1",
            "thread",
            "minor",
            "An error MUST name its code, one of the contract's, and the operation; "
            "`registerIfAbsent` reports the operation `register`.",
            ("input-rules", "lookup"),
            "In this kit the operations are spelled as in the Python interface; a claim's error may "
            "name `register` or `register_if_absent`.",
        ),
        Clause(
            "ERR-2",
            "thread",
            "major",
            "An operation whose input is right and whose limits hold MUST NOT fail because others "
            "run in parallel on threads.",
            (_CLAIM,),
            "A claimant who loses gets `false`, not an exception.",
        ),
        Clause(
            "ERR-3",
            "process",
            "major",
            "An operation whose input is right and whose limits hold MUST NOT fail because other "
            "processes work on the same store.",
            (_CLAIM, "process-scope"),
        ),
        Clause(
            "ERR-4",
            "thread",
            "major",
            "After an operation was refused, the store MUST serve the next operation as if the "
            "refused one had not been called.",
        ),
    )
}


def by_level(level: Level) -> tuple[Clause, ...]:
    """Answer the clauses that a store must hold at `level`: its own and those of lower levels."""
    reach = LEVELS[: LEVELS.index(level) + 1]
    return tuple(clause for clause in CLAUSES.values() if clause.level in reach)


def select(pattern: str) -> tuple[Clause, ...]:
    """Answer the clauses named by an id (`CLAIM-3`) or a family (`CLAIM`), in any case.

    Raises ValueError where nothing matches, with the nearest ids.
    """
    wanted = pattern.upper().replace("_", "-")
    found = tuple(c for c in CLAUSES.values() if wanted in (c.id, c.family))
    if not found:
        import difflib

        near = difflib.get_close_matches(wanted, [*CLAUSES, *FAMILIES], n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "`onewinner list` shows them"
        raise ValueError(f"no clause or family is called {pattern!r}; {hint}")
    return found
