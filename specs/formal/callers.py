"""Callers of a real store on threads, each held before points of its own call.

The points are those of the model: BEGIN, a reading of the clock, COMMIT or ROLLBACK, and a SELECT
outside a transaction. SQLite tells of a statement just before it runs it, so what a caller has gone
past is done when it comes to its next point.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any, Final

from onewinner.schedule.gate import Gate, first_word, gate_here

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S: Final = 30.0
"""How long a caller that nothing holds up may take to its next point; longer, and it hangs."""

RETURNED: Final = "returned"


class PointGate(Gate):
    """Comes to a point where a transaction begins or ends, at a snapshot, and at the clock."""

    def __init__(self, come: Callable[[str], None]) -> None:
        super().__init__(lambda *_: None, lambda: None)  # it never holds by itself
        self._come = come
        self._calling = False

    def enter(self, hold: Any = None, boundary: Any = "sql") -> None:
        """Begin a call."""
        super().enter(hold, boundary)
        self._calling = True

    def leave(self) -> tuple[Any, ...]:
        """End the call."""
        self._calling = False
        return super().leave()

    def statement(self, sql: str) -> None:
        """Hold before a statement that is a point; all others run through."""
        point = _point(sql, inside=self._inside)
        if point in {"begin", "commit"}:
            self._inside = point == "begin"
        if point:
            self.come(point)

    def come(self, point: str) -> None:
        """Hold here, where a call is under way."""
        if self._calling:
            self._come(point)


def _point(sql: str, *, inside: bool) -> str:
    """Name the point that a statement is; empty for none. `ROLLBACK TO` ends no transaction."""
    word = first_word(sql)
    if word == "BEGIN":
        return "begin"
    if inside:
        ends = word in {"COMMIT", "ROLLBACK"} and not sql.startswith("ROLLBACK TO")
        return "commit" if ends else ""
    return "look" if word == "SELECT" else ""


class HeldClock:
    """Virtual time; a caller is held before it is told. `readings` are the last ones, by caller."""

    def __init__(self, start_ms: int) -> None:
        self.time_ms = start_ms
        self.readings: dict[str, int] = {}

    def now_ms(self) -> int:
        """Answer the time, once the caller may go on."""
        gate = gate_here()
        if isinstance(gate, PointGate):
            gate.come("clock")
            self.readings[threading.current_thread().name] = self.time_ms
        return self.time_ms


class Caller:
    """One call on a thread of its own: `at` is the point before which it is held.

    `outcome` is what it answered or raised, once `at` is `returned`.
    """

    def __init__(self, name: str, act: Callable[[], Any]) -> None:
        self.name = name
        self.at = ""
        self.outcome: Any = None
        self._act = act
        self._came: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._released: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._call, name=name, daemon=True)

    def begin(self) -> None:
        """Let the call begin, up to its first point."""
        self._thread.start()
        self._settle()

    def go(self) -> None:
        """Let it go on past the point before which it is held, up to the next one."""
        self._released.put(None)
        self._settle()

    def _settle(self) -> None:
        try:
            self.at = self._came.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise TimeoutError(f"{self.name} came to no point within {PATIENCE_S:.0f} s") from None

    def _come(self, point: str) -> None:
        self._came.put(point)
        self._released.get()

    def _call(self) -> None:
        gate = PointGate(self._come)
        gate.enter()
        try:
            self.outcome = self._act()
        except Exception as error:
            self.outcome = error
        finally:
            gate.leave()
            self._came.put(RETURNED)
