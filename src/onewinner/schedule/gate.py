"""The gate of a claimant in Python: counts the points of its call, and holds it at one of them.

A point comes just before something is done: a statement of `sqlite3`, or a line or an opcode of the
store's own code (`tracing`). The gate runs inside the claimant and speaks only when it holds, so a
point that is passed costs a function call and no more.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from onewinner.schedule.claimant import Point

if TYPE_CHECKING:
    from collections.abc import Callable

Boundary: TypeAlias = Literal["sql", "tail", "line", "opcode", "syscall", "client"]
Hold: TypeAlias = "int | Point | None"

_LITERAL: Final = re.compile(r"[xX]?'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b|\bNULL\b(?! )")
_SPACE: Final = re.compile(r"\s+")
_LONGEST: Final = 60

BEGINS: Final = frozenset({"BEGIN", "SAVEPOINT"})
ENDS: Final = frozenset({"COMMIT", "END", "ROLLBACK"})
"""What a transaction begins and ends with."""

_current = threading.local()


class Gate:
    """Holds the calls of one thread; `tell` says where it is held, `wait` answers the next hold.

    `boundary` is that of the call under way; `awaits`: it sent a request and has no answer yet.
    At the boundary `tail` a line is a point only where a statement has ended the transaction.
    """

    def __init__(self, tell: Callable[[Point, int], None], wait: Callable[[], Hold]) -> None:
        self.points: list[Point] = []
        self._tell = tell
        self._wait = wait
        self._names: Counter[str] = Counter()
        self._hold: Hold = None
        self._open = False
        self._inside = self._ended = False
        self.boundary: Boundary | None = None
        self.awaits = False

    def enter(self, hold: Hold, boundary: Boundary | None = None) -> None:
        """Begin a call that is held at this point, counted from 1 or by its name, or at none."""
        self.points, self._hold, self._open = [], hold, True
        self._inside = self._ended = False
        self.boundary, self.awaits = boundary, False
        self._names.clear()
        _current.gate = self

    def leave(self) -> tuple[Point, ...]:
        """End the call and answer the points that it passed."""
        self._open = False
        return tuple(self.points)

    def statement(self, sql: str) -> None:
        """Come to a statement, which may begin or end a transaction, or be one by itself."""
        word = first_word(sql)
        self._inside = word in BEGINS or (self._inside and word not in ENDS)
        self._ended = not self._inside
        self.reach(statement_name(sql))

    def line(self, name: str) -> None:
        """Come to a line of the store's own code."""
        if self.boundary != "tail" or self._ended:
            self.reach(name)

    def reach(self, name: str) -> None:
        """Come to a point; returns when the call may go on."""
        if not self._open:
            return
        self._names[name] += 1
        point = Point(name, self._names[name])
        self.points.append(point)
        if self._hold is not None and self._hold in (point, len(self.points)):
            self._tell(point, len(self.points))
            self._hold = self._wait()


def first_word(sql: str) -> str:
    """Answer the word that says what a statement does, in capitals."""
    return sql.lstrip().partition(" ")[0].rstrip(";").upper()


@lru_cache(maxsize=1_024)
def statement_name(sql: str) -> str:
    """Answer a statement without its values, short enough to be read in a line."""
    text = _SPACE.sub(" ", _LITERAL.sub("?", sql)).strip()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def watch_statements(wanted: Callable[[], bool] = lambda: True) -> None:
    """Let every connection that is made from now on come to a point before each statement.

    Call it before the target is imported: a module that took `connect` for itself keeps the old.
    Only connections are watched that are made while it is `wanted`, for it makes them slower.
    """
    module: Any = sqlite3
    connect = module.connect

    def connected(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **kwargs)
        if wanted():
            connection.set_trace_callback(_before_statement)
        return connection

    module.connect = connected


def gate_here() -> Gate | None:
    """Answer the gate of the calling thread, None where it is no claimant's."""
    found: Gate | None = getattr(_current, "gate", None)
    return found


def _before_statement(sql: str) -> None:
    gate = gate_here()
    if gate is not None and gate.boundary not in {None, "client"}:
        gate.statement(sql)
