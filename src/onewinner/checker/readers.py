"""The judges of readers, where each key has one writer: what a read may have seen is then known.

The writer's calls follow one another, so the states of its keys form a sequence. A read that ran
from one instant to another saw one of the states between the last write that had returned before it
began and the last that had been begun before it ended.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from onewinner.checker.invariants import CLAIM, Broken, address, result
from onewinner.contract import ABSENT
from onewinner.contract.values import canonical
from onewinner.history import Ok

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.checker.invariants import Address
    from onewinner.history import Operation

_ABSENT: Final = "absent"
_WRITES: Final = frozenset({"register", CLAIM, "delete", "consume"})


@dataclass(slots=True)
class _Line:
    """The states of what one writer writes; `states[i]` is what the first i writes leave.

    `complete` is False after a write of unknown effect: nothing after it is judged.
    """

    states: list[Any]
    writes: list[Operation] = field(default_factory=list)
    begun_ns: list[int] = field(default_factory=list)
    ended_ns: list[int] = field(default_factory=list)
    ends_ns: int | None = None

    def add(self, write: Operation, state: Any) -> None:
        """Append a write and what it leaves."""
        self.writes.append(write)
        self.begun_ns.append(write.invoked_ns)
        self.ended_ns.append(write.completed_ns or write.invoked_ns)
        self.states.append(state)

    def seen(self, read: Operation) -> tuple[list[Any], list[Operation]] | None:
        """Answer the states a read may have seen with the writes around it; None if unknown."""
        until = read.completed_ns
        if until is None or (self.ends_ns is not None and until >= self.ends_ns):
            return None
        first = bisect_left(self.ended_ns, read.invoked_ns)
        last = bisect_right(self.begun_ns, until)
        return self.states[first : last + 1], self.writes[max(0, first - 1) : last]


def visibility(operations: Sequence[Operation]) -> Iterator[Broken]:
    """Judge lookups and claims of keys of which each has one writer (REG-3).

    The writer of a key is the client that wrote it first; a claim of another client is a challenge:
    it must be refused where the key was certainly live. A challenge that wins or whose outcome is
    unknown ends what is known of the key.
    """
    ordered = sorted(operations, key=lambda each: each.invoked_ns)
    lines: dict[Address, _Line] = {}
    writers: dict[Address, int] = {}
    reads = []
    for operation in ordered:
        if operation.f not in _WRITES and operation.f != "lookup":
            continue
        where = address(operation)
        line = lines.setdefault(where, _Line([_ABSENT]))
        if operation.f == "lookup":
            reads.append(operation)
        elif writers.setdefault(where, operation.process) == operation.process:
            _write(line, operation)
        else:
            reads.append(operation)
            if result(operation) is not False and line.ends_ns is None:
                line.ends_ns = operation.invoked_ns
                yield from _challenge_won(line, operation)
    for read in reads:
        yield from _fresh(lines[address(read)], read)


def _write(line: _Line, write: Operation) -> None:
    if line.ends_ns is not None:
        return
    if not isinstance(write.outcome, Ok) or (write.f == CLAIM and result(write) is not True):
        line.ends_ns = write.invoked_ns
    elif write.f in {"delete", "consume"}:
        line.add(write, _ABSENT)
    else:
        line.add(write, canonical(write.value["value"]))


def _challenge_won(line: _Line, claim: Operation) -> Iterator[Broken]:
    """A challenge began after every write booked so far; those still to come are not known yet."""
    settled = bisect_left(line.ended_ns, claim.invoked_ns) == len(line.writes)
    if result(claim) is True and settled and line.writes and line.states[-1] != _ABSENT:
        following = _next_write(line, claim)
        if following is None:
            yield Broken(
                kind="stale-claim",
                summary=f"a claim of {claim.value['key']!r} answered true",
                why="the write that made the key live had returned before the claim began",
                operations=(line.writes[-1], claim),
            )


def _next_write(_line: _Line, _claim: Operation) -> Operation | None:
    return None


def _fresh(line: _Line, read: Operation) -> Iterator[Broken]:
    seen = line.seen(read)
    if seen is None or not isinstance(read.outcome, Ok) or read.f == CLAIM:
        return
    states, writes = seen
    answer = result(read)
    got = _ABSENT if answer is ABSENT else canonical(answer)
    if got not in states:
        yield Broken(
            kind="stale-read",
            summary=f"lookup({read.value['key']!r}) answered {answer!r}",
            why="what returned before a read began must be seen by it; it could have answered "
            + " or ".join(sorted(set(states))),
            operations=(*writes, read),
        )


def snapshots(operations: Sequence[Operation]) -> Iterator[Broken]:
    """Judge listings of a namespace with one writer: each must be one of its states (READ-5)."""
    line = _Line([{}])
    listings = []
    for operation in sorted(operations, key=lambda each: each.invoked_ns):
        if operation.f == "entries":
            listings.append(operation)
        elif operation.f in _WRITES and line.ends_ns is None:
            if not isinstance(operation.outcome, Ok) or result(operation) is False:
                line.ends_ns = operation.invoked_ns
                continue
            state = dict(line.states[-1])
            if operation.f in {"delete", "consume"}:
                state.pop(operation.value["key"], None)
            else:
                state[operation.value["key"]] = canonical(operation.value["value"])
            line.add(operation, state)
    for listing in listings:
        yield from _one_state(line, listing)


def _one_state(line: _Line, listing: Operation) -> Iterator[Broken]:
    seen = line.seen(listing)
    if seen is None or not isinstance(listing.outcome, Ok):
        return
    states, writes = seen
    got = {row.key: canonical(row.value) for row in result(listing)}
    if got not in states or len(got) != len(result(listing)):
        yield Broken(
            kind="torn-snapshot",
            summary=f"entries listed {_rows(got)}",
            why="no instant of the call had these live rows; it could have listed "
            + " or ".join(_rows(state) for state in states),
            operations=(*writes, listing),
        )


def _rows(state: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in sorted(state.items())) + "}"
