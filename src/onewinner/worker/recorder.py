"""Writes down what a client did: each call with its interval and its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from onewinner.clock import monotonic_ns
from onewinner.contract import ABSENT, Entry, StoreError
from onewinner.contract.values import is_json
from onewinner.history.plain import READS_MANY, plain_answer
from onewinner.worker.journal import FAIL, INFO, OK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onewinner.adapters.stdio.backend import Fired
    from onewinner.generator import Call
    from onewinner.worker.journal import Journal


class Record(NamedTuple):
    """One call as it travels to the kit: plain values, for there are many.

    `kind` is OK (`answer` is the result), FAIL (code, operation and message of an error after which
    the call certainly had no effect) or INFO (a text: what is known of a call that may have had
    one). The interval is in nanoseconds of the monotonic clock.
    """

    kind: int
    answer: Any
    invoked_ns: int
    completed_ns: int


class Prepared(NamedTuple):
    """A call that is ready to be made: what it is, how the journal puts it, and the call itself."""

    call: Call
    words: bytes
    act: Callable[[], Any]


class Recorder:
    """Makes the calls of one client; `make` is the only place where a target is called in a race.

    Each call is in the journal before it is made. The interval that is recorded begins after that,
    right before the call; the journal's own begins a little earlier, which is as true.
    """

    def __init__(self, cells: memoryview[int], beat_cell: int, journal: Journal) -> None:
        self._cells = cells
        self._beat_cell = beat_cell
        cells[beat_cell] = 0
        self.journal = journal
        self.records: list[Record] = []

    def prepare(self, call: Call, act: Callable[[], Any]) -> Prepared:
        """Do whatever can be done before the call is due."""
        return Prepared(call, self.journal.words(call), act)

    def begin(self, words: bytes) -> None:
        """Note that a call is about to be made."""
        self._cells[self._beat_cell] += 1
        self.journal.invoke(words)

    def make(self, prepared: Prepared) -> None:
        """Make one call and write down how it ended; nothing that a target raises gets out."""
        (f, *_), words, act = prepared
        self.begin(words)
        invoked_ns = monotonic_ns()
        try:
            answer = act()
        except BaseException as error:
            completed_ns = monotonic_ns()
            kind, answer = failure(error)
        else:
            completed_ns = monotonic_ns()
            kind = OK
            if not (answer is None or answer is True or answer is False):
                kind, answer = (OK, None) if f == "open" else plain(f, answer)
        self.records.append(Record(kind, answer, invoked_ns, completed_ns))
        self.journal.complete(f, kind, answer, completed_ns)
        self._cells[self._beat_cell] += 1

    def make_all(self, prepared: Sequence[Prepared], fire: Callable[[], Sequence[Fired]]) -> None:
        """Have several calls made at once by `fire`, and write down how each ended.

        Where `fire` raises nothing certain is known of any: its error is about all of them.
        """
        self._cells[self._beat_cell] += 1
        self.journal.invoke_all([words for _, words, _ in prepared])
        invoked_ns = monotonic_ns()
        try:
            fired = fire()
        except BaseException as error:
            unknown = INFO, f"{type(error).__name__}: {error}"[:500]
            ended = (unknown, (invoked_ns, monotonic_ns()))
            each_ended = [ended] * len(prepared)
        else:
            each_ended = [
                (_came_to(call.f, one.came_to), (one.started_ns, one.ended_ns))
                for (call, _, _), one in zip(prepared, fired, strict=True)
            ]
        self.records += [Record(*made, *interval) for made, interval in each_ended]
        told = [(p.call.f, *made) for p, (made, _) in zip(prepared, each_ended, strict=True)]
        self.journal.complete_all(told, monotonic_ns())
        self._cells[self._beat_cell] += 1

    def take(self) -> list[Record]:
        """Answer what was recorded since the last time."""
        records, self.records = self.records, []
        return records


def _came_to(f: str, answered: Callable[[], Any]) -> tuple[int, Any]:
    try:
        answer = answered()
    except BaseException as error:
        return failure(error)
    return plain(f, answer)


def failure(error: BaseException) -> tuple[int, Any]:
    """Answer what an error says of a call: that it had no effect, or nothing certain."""
    if isinstance(error, StoreError) and error.definite:
        return FAIL, (error.code, error.operation, error.message)
    return INFO, f"{type(error).__name__}: {error}"[:500]


def plain(f: str, answer: Any) -> tuple[int, Any]:
    """Answer an outcome that can be pickled without the target's own types."""
    if answer is ABSENT:
        return OK, answer
    if f == "entries":
        return _listing(answer)
    if f == READS_MANY and isinstance(answer, list):
        answer = plain_answer(f, answer)
    return (OK, answer) if is_json(answer) else (OK, f"<{answer!r:.200}>")


def _listing(answer: Any) -> tuple[int, Any]:
    try:
        rows = tuple(Entry(row.key, row.value, row.created_at, row.expires_at) for row in answer)
    except (AttributeError, TypeError) as error:
        return INFO, f"entries answered {answer!r:.200}, which is no list of Entry: {error}"
    if all(is_json([row.key, row.value, row.created_at, row.expires_at]) for row in rows):
        return OK, rows
    return INFO, f"entries answered {answer!r:.200}, which is not plain JSON"
