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
_TOLD_MOST: Final = 12
_WRITES: Final = frozenset({"register", CLAIM, "delete", "consume"})


@dataclass(slots=True)
class _Line:
    """The states of what one writer writes; `states[i]` is what the first i writes leave.

    After a write of unknown effect the states are not known any more: `ends_ns` is when it began.
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

    def end(self, at_ns: int) -> None:
        """Judge nothing that was still running at `at_ns` or began later."""
        self.ends_ns = at_ns if self.ends_ns is None else min(self.ends_ns, at_ns)

    def seen(self, read: Operation) -> tuple[list[Any], list[Operation]] | None:
        """Answer the states a read may have seen with the writes around it; None if unknown."""
        until = read.completed_ns
        if until is None or (self.ends_ns is not None and until >= self.ends_ns):
            return None
        first = bisect_left(self.ended_ns, read.invoked_ns)
        last = bisect_right(self.begun_ns, until)
        return self.states[first : last + 1], self.writes[max(0, first - 1) : last]


@dataclass(slots=True)
class _Key:
    """All calls about one key: its writer's, the claims of others (challenges), and lookups."""

    writer: int | None = None
    line: _Line = field(default_factory=lambda: _Line([_ABSENT]))
    challenges: list[Operation] = field(default_factory=list)
    lookups: list[Operation] = field(default_factory=list)


def visibility(operations: Sequence[Operation]) -> Iterator[Broken]:
    """Judge lookups and claims of keys of which each has one writer (REG-3).

    The writer of a key is the client that wrote it first. Another client's claim is a challenge: it
    must be refused where the key was certainly live. A challenge that was not refused may have put
    a row of its own, so from there on lookups of that key are not judged.
    """
    keys: dict[Address, _Key] = {}
    for operation in sorted(operations, key=lambda each: each.invoked_ns):
        if operation.f not in _WRITES and operation.f != "lookup":
            continue
        key = keys.setdefault(address(operation), _Key())
        if operation.f == "lookup":
            key.lookups.append(operation)
        elif key.writer in {None, operation.process}:
            key.writer = operation.process
            _write(key.line, operation)
        else:
            key.challenges.append(operation)
    for key in keys.values():
        for challenge in key.challenges:
            yield from _refused(key.line, challenge)
        for challenge in key.challenges:
            if result(challenge) is not False:
                key.line.end(challenge.invoked_ns)
        for read in key.lookups:
            yield from _fresh(key.line, read)


def _write(line: _Line, write: Operation) -> None:
    if line.ends_ns is not None:
        return
    if not isinstance(write.outcome, Ok) or (write.f == CLAIM and result(write) is not True):
        line.end(write.invoked_ns)
    elif write.f in {"delete", "consume"}:
        line.add(write, _ABSENT)
    else:
        line.add(write, canonical(write.value["value"]))


def _refused(line: _Line, challenge: Operation) -> Iterator[Broken]:
    """Challenges put rows and never remove one: what is certainly live stays so beside them."""
    seen = line.seen(challenge)
    if seen is None or result(challenge) is not True:
        return
    states, writes = seen
    if _ABSENT not in states:
        yield Broken(
            kind="stale-claim",
            summary=f"a claim of {challenge.value['key']!r} answered true while a live row held it",
            why="the write that made the key live had returned before the claim began",
            operations=(*writes, challenge),
        )


def _fresh(line: _Line, read: Operation) -> Iterator[Broken]:
    seen = line.seen(read)
    if seen is None or not isinstance(read.outcome, Ok):
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
                line.end(operation.invoked_ns)
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
        differ = _differing([got, *states])
        yield Broken(
            kind="torn-snapshot",
            summary=f"entries listed {_rows(got, differ)}",
            why="no instant of the call had these live rows; it could have listed "
            + " or ".join(_rows(state, differ) for state in states),
            operations=(*writes, listing),
        )


def _differing(states: Sequence[dict[str, str]]) -> set[str]:
    """Answer the keys to be told: all, or where they are many those that differ."""
    keys = {key for state in states for key in state}
    if len(keys) <= _TOLD_MOST:
        return keys
    return {key for key in keys if len({state.get(key) for state in states}) > 1}


def _rows(state: dict[str, str], told: set[str]) -> str:
    shown = ", ".join(f"{key}: {value}" for key, value in sorted(state.items()) if key in told)
    others = len(state.keys() - told)
    return f"{{{shown}}}" + (f" and {others} others" if others else "")
