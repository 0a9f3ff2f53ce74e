"""The clauses of level `crash`: what holds when processes, storage or clocks fail."""

from __future__ import annotations

from typing import Final

from onewinner.contract.clause import Clause

FAULTS: Final[tuple[Clause, ...]] = (
    Clause(
        "TTL-8",
        "crash",
        "critical",
        "A clock that is set MUST NOT make a second holder: set back, a row that was live stays "
        "live and its key is refused to others; set forth, rows expire by the new time alone.",
        ("register_if_absent", "ttl"),
        "A row that had expired before the clock was set back may be gone, or be live again until "
        "its time has come once more. The clock is the one that the store lives by; where that is "
        "its own, and does not follow the machine's wall clock, it cannot be set and nothing is "
        "judged.",
    ),
    Clause(
        "DUR-3",
        "crash",
        "critical",
        "A claim that was answered MUST survive the kill of its claimant, and of all processes at "
        "once: after a restart it holds its key, with its own value and times.",
        ("register_if_absent", "durable", "process-scope"),
        "What is killed is processes, not the machine: what the system was given is not lost.",
    ),
    Clause(
        "DUR-4",
        "crash",
        "critical",
        "An operation whose process is killed inside it MUST have happened whole or not at all, "
        "wherever it was killed: value, `createdAt` and expiry together.",
        ("register_if_absent", "process-scope"),
    ),
    Clause(
        "DUR-5",
        "crash",
        "critical",
        "A claim with a TTL whose claimant is killed inside it MUST be over at its time: it never "
        "holds its key for ever.",
        ("register_if_absent", "ttl", "process-scope"),
    ),
    Clause(
        "DUR-6",
        "crash",
        "major",
        "After a process was killed, those that live on and those that start anew MUST be served: "
        "nothing that the dead one held stays held.",
        ("register_if_absent", "process-scope"),
    ),
    Clause(
        "DUR-7",
        "crash",
        "critical",
        "A process that stood still, across a TTL or for longer than others wait, MUST NOT make a "
        "second holder when it goes on: some order of the calls explains every answer.",
        ("register_if_absent", "process-scope"),
        "Whoever waits for the process that stands still may be answered with an error, and so may "
        "that process when it goes on.",
    ),
    Clause(
        "DUR-8",
        "crash",
        "major",
        "After a fork, parent and child MUST both be able to go on, and neither may lose what the "
        "store has answered to the other.",
        ("register_if_absent", "process-scope"),
        "The child may be refused, with an error, on a handle that was opened before the fork; it "
        "must then be served on a new one.",
    ),
    Clause(
        "DUR-9",
        "crash",
        "minor",
        "What the store makes below its location MUST be for its owner alone, whatever the umask: "
        "files of mode 0600 and directories of mode 0700 at most, sidecar files included.",
        ("register_if_absent", "private-files"),
    ),
    Clause(
        "ERR-5",
        "crash",
        "critical",
        "A claim that storage does not let the store write MUST end with an error: not with "
        "`false` while nobody holds the key, nor with `true` while its row is not there.",
        ("register_if_absent", "process-scope"),
    ),
    Clause(
        "ERR-6",
        "crash",
        "major",
        "After storage failed an operation, the store MUST serve the next ones, on the same handle "
        "too, and claims MUST stay exclusive from the very error on.",
        ("register_if_absent", "process-scope"),
        "The operation that failed may have happened or not.",
    ),
    Clause(
        "ERR-7",
        "crash",
        "major",
        "A row whose stored value is damaged MUST give `CORRUPT` to whoever reads it, and harm no "
        "other row: those are read and claimed as ever, and `delete` removes the damaged one.",
        ("register_if_absent", "lookup", "delete", "damage"),
        "A listing of the namespace reads the damaged row too, and may give `CORRUPT`.",
    ),
)
