"""The clauses of the newer, optional operations and options; undeclared they are `n/a`."""

from __future__ import annotations

from typing import Final

from onewinner.contract.clause import Clause

_COMPARES: Final = ("observe", "compare_and_apply")

NEWER: Final[tuple[Clause, ...]] = (
    Clause(
        "READ-8",
        "thread",
        "major",
        "`count` MUST answer how many live rows its namespace holds at one instant of the call.",
        ("count",),
    ),
    Clause(
        "READ-9",
        "thread",
        "major",
        "`lookupMany` MUST answer for each key, at its place, what `lookup` of it would answer.",
        ("lookup_many",),
        "A key may be asked for twice, and of no keys the answer is empty.",
    ),
    Clause(
        "READ-10",
        "thread",
        "major",
        "`lookupMany` MUST be one consistent snapshot: one instant of the call explains all that "
        "it answers.",
        ("lookup_many",),
    ),
    Clause(
        "READ-11",
        "thread",
        "major",
        "Each write MUST give its row a `createdAt` later than that of every other row of the "
        "namespace, also within one millisecond, on parallel threads, and after the clock was set "
        "back.",
        ("strict-ages", "entries"),
        "It is `now`, or where a row is there that is not older the millisecond after the newest. "
        "Rows that are gone may count or not, and so may those that the write itself replaces or "
        "drives out. The row lives until `now + ttlMs` all the same.",
    ),
    Clause(
        "READ-12",
        "process",
        "major",
        "What READ-11 says MUST hold for writes of several processes.",
        ("strict-ages", "entries", "process-scope"),
    ),
    Clause(
        "DEL-7",
        "thread",
        "major",
        "`deleteIfEqual` MUST remove the row and answer `true` where it is live and its value is "
        "the given scalar as JSON; else it MUST answer `false` and change nothing.",
        ("delete_if_equal",),
    ),
    Clause(
        "DEL-8",
        "thread",
        "major",
        "`deleteIf` MUST remove the row and answer `true` where it is live and the condition holds "
        "of its value; else it MUST answer `false` and change nothing.",
        ("delete_if",),
    ),
    Clause(
        "DEL-9",
        "thread",
        "critical",
        "Of N `deleteIfEqual` of one live row that run in parallel on threads, exactly one MUST "
        "answer `true`, and a row of another value MUST stay.",
        ("delete_if_equal",),
    ),
    Clause(
        "DEL-10",
        "process",
        "critical",
        "Of N `deleteIfEqual` of one live row that run in parallel in several processes, exactly "
        "one MUST answer `true`, and a row of another value MUST stay.",
        ("delete_if_equal", "process-scope"),
    ),
    Clause(
        "DEL-11",
        "thread",
        "critical",
        "Of N `deleteIf` of one live row of which their condition holds, in parallel on threads, "
        "exactly one MUST answer `true`, and a row of which it does not hold MUST stay.",
        ("delete_if",),
    ),
    Clause(
        "DEL-12",
        "process",
        "critical",
        "Of N `deleteIf` of one live row of which their condition holds, in several processes, "
        "exactly one MUST answer `true`, and a row of which it does not hold MUST stay.",
        ("delete_if", "process-scope"),
    ),
    Clause(
        "UPD-1",
        "thread",
        "major",
        "`update` MUST store, as `register` would, what the function makes of the live value or of "
        "its absence, and answer `true`; where the function leaves it, nothing changes and the "
        "answer is `false`.",
        ("update",),
        "The row's age and its TTL are new, as with `register`.",
    ),
    Clause(
        "UPD-2",
        "thread",
        "critical",
        "Updates of one key that run in parallel on threads MUST all count: each function is given "
        "what the one before it left.",
        ("update",),
    ),
    Clause(
        "UPD-3",
        "process",
        "critical",
        "Updates of one key that run in parallel in several processes MUST all count.",
        ("update", "process-scope"),
    ),
    Clause(
        "CAS-1",
        "thread",
        "major",
        "`observe` MUST answer the live value, or absent, with a comparison, and change nothing.",
        ("observe",),
    ),
    Clause(
        "CAS-2",
        "thread",
        "major",
        "Where the row is as it was observed, `compareAndApply` MUST carry out its intent: `set` "
        "stores as `register` would and `delete` removes (`applied`), `keep`, and `delete` where "
        "no row is, change nothing (`unchanged`).",
        _COMPARES,
    ),
    Clause(
        "CAS-3",
        "thread",
        "critical",
        "Where the row is not as it was observed (it came or went, or its value, `createdAt` or "
        "`expiresAt` is another), `compareAndApply` MUST change nothing and answer `conflict` with "
        "the row as it is.",
        _COMPARES,
        "Where it was written in between and is all the same again, either answer conforms: a "
        "comparison tells rows apart and is no owner.",
    ),
    Clause(
        "CAS-4",
        "thread",
        "critical",
        "Of N `compareAndApply` of one observation that change the row, in parallel on threads, "
        "two MUST NOT be `applied`, and one MUST be where nobody else writes.",
        _COMPARES,
    ),
    Clause(
        "CAS-5",
        "process",
        "critical",
        "Of N `compareAndApply` of one observation that change the row, in several processes, two "
        "MUST NOT be `applied`, and one MUST be where nobody else writes.",
        (*_COMPARES, "process-scope"),
    ),
    Clause(
        "CAS-6",
        "thread",
        "minor",
        "A comparison that was not answered for this key MUST be refused with `INVALID_INPUT` or "
        "be a `conflict`, and change nothing.",
        (*_COMPARES, "input-rules"),
    ),
    Clause(
        "EVICT-9",
        "thread",
        "major",
        "Where a namespace was opened with `overflowPolicy` `reject-new`, an insert while it holds "
        "`maxEntries` live rows MUST fail with `LIMIT_EXCEEDED` and evict nobody, while a claim of "
        "a live key still answers `false` and an update of a live key still works.",
        ("overflow-option",),
        "Without the option, and with `evict-oldest`, the oldest row goes as ever.",
    ),
    Clause(
        "EVICT-10",
        "thread",
        "major",
        "Parallel inserts on threads into a namespace opened with `reject-new` MUST NOT leave more "
        "than `maxEntries` live rows, cost a live row, or be refused while there is room.",
        ("overflow-option", "register_if_absent"),
    ),
    Clause(
        "EVICT-11",
        "process",
        "major",
        "What EVICT-10 says MUST hold over processes.",
        ("overflow-option", "register_if_absent", "process-scope"),
    ),
    Clause(
        "INPUT-12",
        "thread",
        "minor",
        "An `overflowPolicy` other than `evict-oldest` and `reject-new`, and another one than the "
        "namespace is open with in this process, MUST be refused with `INVALID_INPUT`, operation "
        "`open`.",
        ("overflow-option", "input-rules"),
    ),
)
