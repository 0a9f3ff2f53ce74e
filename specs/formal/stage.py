"""A schedule of the model, played on a real SQLite file by the code of a real store.

Who holds the write lock is known from who went past BEGIN and not yet past COMMIT. So a caller that
would have to wait for it is left where it is, and no time-out is needed to see that; what is left
when the schedule is over goes on to its end then, one caller after the other.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from formal.callers import RETURNED, Caller, HeldClock
from formal.traces import Asked, Happened, Passed
from onewinner.contract import ABSENT, BASE, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from formal.traces import Move
    from onewinner.contract import Backend, Connect, Store

TICK_MS: Final = 1_000
"""One tick of the model, in milliseconds of the store's clock."""

_START_MS: Final = 1_000_000
_PLUGIN: Final = "replay"
_ROWS: Final = "SELECT key, value, created_at, expires_at FROM rows"


@dataclass(frozen=True, slots=True)
class Held:
    """A row that a caller wrote: its key, and its period in ticks."""

    key: int
    begun: int
    ends: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller was answered, in the model's words, and by which reading of the clock."""

    f: str
    key: int
    word: str
    value: str
    at: int


@dataclass(slots=True)
class Picture:
    """What could be seen at one moment, in ticks and in the model's names.

    `answers` are those of the callers that have returned. `periods` are all rows that were ever
    seen in the file, in the order in which they came, `rows` those that are there.
    """

    now: int
    answers: dict[str, Answer]
    periods: dict[str, Held]
    rows: dict[str, Held]


@dataclass(frozen=True, slots=True)
class Limits:
    """The constants of the model that a real store has to be given."""

    keys: tuple[int, ...]
    max_entries: int
    cap: int
    ttl: int

    @classmethod
    def of(cls, constants: Mapping[str, Any]) -> Limits:
        """Answer the limits of an instance of the manifest."""
        return cls(
            tuple(constants["Keys"]), constants["MaxEntries"], constants["Cap"], constants["TTL"]
        )

    def namespace(self, key: int) -> str:
        """Answer the namespace in which a key lies."""
        return "first" if key in self.keys else "sibling"


class Stage:
    """A store on a file in `home`, with the callers of a schedule; use it as a context manager."""

    def __init__(self, connect: Connect, home: Path, limits: Limits) -> None:
        self._connect = connect
        self._home = home
        self._limits = limits
        self._clock = HeldClock(_START_MS)
        self._callers: dict[str, Caller] = {}
        self._asked: dict[str, Asked] = {}
        self._periods: dict[str, Held] = {}
        self._holder = ""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._sweeper = self._backend()
        path = self._home / "state.sqlite"
        self._file = self._stack.enter_context(
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None))
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def play(self, moves: list[Move]) -> tuple[Picture, Picture]:
        """Play a schedule; answer what was to be seen at its end, and when all had returned."""
        for move in moves:
            self._make(move)
            self._look()
        at_the_end = self._picture()
        while left := [each for each in self._callers.values() if each.at != RETURNED]:
            first = next((each for each in left if each.name == self._holder), left[0])
            self._past(first, RETURNED)
            self._look()
        return at_the_end, self._picture()

    def _make(self, move: Move) -> None:
        match move:
            case Asked(who, _, _):
                self._asked[who] = move
                self._callers[who] = caller = Caller(who, self._act(move))
                caller.begin()
            case Happened("tick"):
                self._clock.time_ms += TICK_MS
            case Happened():
                if not self._holder:
                    self._sweeper.sweep_expired()
            case Passed(who, _, True) if self._callers[who].at != "clock":
                pass  # this store reads its clock at another time
            case Passed(who, point, _):
                self._past(self._callers[who], point)

    def _past(self, caller: Caller, point: str) -> None:
        """Let a caller go on until it is past such a point, or has to wait for the lock."""
        passed = ""
        while caller.at != RETURNED and passed != point:
            passed = caller.at
            if passed == "begin":
                if self._holder not in {"", caller.name}:
                    return
                self._holder = caller.name
            caller.go()
            if passed == "commit":
                self._holder = ""

    def _act(self, asked: Asked) -> Callable[[], Any]:
        store = self._store(asked.key)
        key, ttl_ms = f"k{asked.key}", self._limits.ttl * TICK_MS
        match asked.f:
            case "claim":
                return partial(store.register_if_absent, key, asked.who, ttl_ms=ttl_ms)
            case "register":
                return partial(store.register, key, asked.who, ttl_ms=ttl_ms)
            case "consume":
                return partial(store.consume, key)
            case "lookup":
                return partial(store.lookup, key)
            case "delete":
                return partial(store.delete, key)
        raise ValueError(f"a call of {asked.f!r} cannot be replayed; teach it to formal.stage")

    def _backend(self) -> Backend:
        profile = dataclasses.replace(BASE, plugin_row_cap=self._limits.cap)
        connect: Any = self._connect  # a backend of the reference, which takes its limits too
        backend: Backend = connect(str(self._home), clock=self._clock, profile=profile)
        self._stack.callback(backend.close)
        return backend

    def _store(self, key: int) -> Store:
        space = self._limits.namespace(key)
        return self._backend().open(_PLUGIN, space, max_entries=self._limits.max_entries)

    def _look(self) -> None:
        for who, held in self._rows():
            self._periods.setdefault(who, held)

    def _rows(self) -> Iterator[tuple[str, Held]]:
        for key, value, created_at, expires_at in self._file.execute(_ROWS).fetchall():
            held = Held(int(key[1:]), self._ticks(created_at), self._ticks(expires_at))
            yield value.strip('"'), held

    def _ticks(self, time_ms: int) -> int:
        return (time_ms - _START_MS) // TICK_MS

    def _picture(self) -> Picture:
        answers = {
            who: self._answer(self._asked[who], caller)
            for who, caller in self._callers.items()
            if caller.at == RETURNED
        }
        now = self._ticks(self._clock.time_ms)
        return Picture(now, answers, dict(self._periods), dict(self._rows()))

    def _answer(self, asked: Asked, caller: Caller) -> Answer:
        read = self._ticks(self._clock.readings[caller.name])
        word, value = _worded(asked.f, caller.outcome)
        return Answer(asked.f, asked.key, word, value, read)


def _worded(f: str, outcome: Any) -> tuple[str, str]:
    """Answer an outcome in the model's words; a failure that the model does not know is raised."""
    match f, outcome:
        case _, LimitExceeded():
            return "full", ""
        case _, Exception():
            raise outcome
        case "claim", _:
            return ("won" if outcome else "refused"), ""
        case "delete", _:
            return ("removed" if outcome else "nothing"), ""
        case "consume" | "lookup", _:
            return ("absent", "") if outcome is ABSENT else ("found", str(outcome))
    return "done", ""
