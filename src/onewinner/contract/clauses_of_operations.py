"""The clauses of the operations: families CLAIM, REG, READ and DEL."""

from __future__ import annotations

from typing import Final

from onewinner.contract.clause import Clause

OPERATIONS: Final[tuple[Clause, ...]] = (
    Clause(
        "CLAIM-1",
        "thread",
        "critical",
        "A claim of a key that no live row holds MUST insert the row and answer exactly `true`.",
        ("register_if_absent",),
        "The answer is the boolean itself, not a truthy value. A claim that answers true for "
        "a row that no later read finds breaks this clause too.",
    ),
    Clause(
        "CLAIM-2",
        "thread",
        "critical",
        "A claim of a key that a live row holds MUST answer exactly `false`.",
        ("register_if_absent",),
        "This holds whatever value and TTL the two claims carry, and whoever wrote the row.",
    ),
    Clause(
        "CLAIM-3",
        "thread",
        "critical",
        "A refused claim MUST NOT change the live row: not its value, not its `createdAt`, "
        "not its `expiresAt`.",
        ("register_if_absent",),
    ),
    Clause(
        "CLAIM-4",
        "thread",
        "major",
        "A refused claim MUST NOT evict or remove any row, also in a namespace that is full.",
        ("register_if_absent",),
    ),
    Clause(
        "CLAIM-5",
        "thread",
        "critical",
        "Of N claims of one vacant key that run in parallel on threads, exactly one MUST "
        "answer `true`, and the stored row MUST be the winner's.",
        ("register_if_absent",),
    ),
    Clause(
        "CLAIM-6",
        "process",
        "critical",
        "Of N claims of one vacant key that run in parallel in several processes, exactly one"
        " MUST answer `true`, and the stored row MUST be the winner's.",
        ("register_if_absent", "process-scope"),
    ),
    Clause(
        "CLAIM-7",
        "thread",
        "critical",
        "A key whose row has expired is vacant once: of N claims on threads that start after "
        "the expiry, exactly one MUST answer `true`.",
        ("register_if_absent", "ttl"),
    ),
    Clause(
        "CLAIM-8",
        "process",
        "critical",
        "A key whose row has expired is vacant once: of N claims in several processes that "
        "start after the expiry, exactly one MUST answer `true`.",
        ("register_if_absent", "ttl", "process-scope"),
    ),
    Clause(
        "CLAIM-9",
        "thread",
        "critical",
        "Between two successful claims of one key there MUST be a removal of it: expiry, "
        "`delete`, `consume`, `clear` or eviction.",
        ("register_if_absent",),
        "Judged with claimants and removers that run in parallel.",
    ),
    Clause(
        "CLAIM-10",
        "process",
        "critical",
        "Between two successful claims of one key by different processes there MUST be a "
        "removal of it.",
        ("register_if_absent", "process-scope"),
    ),
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
        "A `register` without TTL on a row that had one leaves a row that never expires, "
        "unless the namespace has a default TTL.",
    ),
    Clause(
        "REG-3",
        "process",
        "critical",
        "A register, a removal or a claim that returned MUST be seen by every operation that "
        "starts afterwards, in any thread and process.",
        ("process-scope",),
    ),
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
        ("lookup|entries",),
    ),
    Clause(
        "READ-4",
        "thread",
        "major",
        "`entries` MUST list exactly the live rows of its namespace, ordered by (`createdAt`,"
        " key), with the times that decide their life.",
        ("entries",),
        "Keys are ordered by code point or by UTF-8 bytes (the same order); an order by "
        "UTF-16 code units conforms too.",
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
        ("lookup|entries",),
        "Equal as JSON: the order of object members and the spelling of a number (`1`, `1.0`,"
        " `1e0`) do not count; `true` is not `1`, `null` is not absent, and text is compared "
        "by code points, without normalisation.",
    ),
    Clause(
        "DEL-1",
        "thread",
        "major",
        "`delete` MUST remove the row and answer `true` where it was live, `false` where "
        "there was none.",
        ("delete",),
        "For a row that is expired but not yet swept either answer conforms: the released "
        "store answers true. In both cases the row is gone.",
    ),
    Clause(
        "DEL-2",
        "thread",
        "critical",
        "`consume` MUST answer the live value and remove the row in one step, and answer "
        "absent where no live row holds the key.",
        ("consume",),
    ),
    Clause(
        "DEL-3",
        "thread",
        "critical",
        "Of N consumers of one live row that run in parallel on threads, exactly one MUST get"
        " the value.",
        ("consume",),
    ),
    Clause(
        "DEL-4",
        "process",
        "critical",
        "Of N consumers of one live row that run in parallel in several processes, exactly "
        "one MUST get the value.",
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
)
