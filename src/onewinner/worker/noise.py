"""Noise: short sleeps between the lines of a store that is written in Python.

Under the GIL a thread is hardly ever interrupted between two lines; a store that checks and then
acts looks atomic until something holds it up there. A process that waits for the lock of a database
sleeps for a millisecond, and mostly misses the moment between two transactions of another.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from onewinner.clock import sleep
from onewinner.schedule.gate import Gate

if TYPE_CHECKING:
    from types import FrameType

_LONGEST_S: Final = 200e-6
_SLEEPS_A_CALL: Final = 8
_CHANCES: Final = (0.3, 0.1, 0.03)
_PAUSE_CHANCE: Final = 0.5
_PAUSE_S: Final = (0.3e-3, 1.1e-3)
_KIT: Final = str(Path(__file__).parent)


class Noise:
    """A trace function for one thread; call `refill` before each operation."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)
        self._left = 0
        self._chance = _CHANCES[0]

    def start(self) -> None:
        """Trace this thread from its next function call on."""
        sys.settrace(self)

    def stop(self) -> None:
        """Leave this thread alone again."""
        sys.settrace(None)

    def refill(self) -> None:
        """Allow the next operation its few sleeps, close together or spread out."""
        self._left = _SLEEPS_A_CALL
        self._chance = self._random.choice(_CHANCES)

    def __call__(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        """Decide whether a function's lines are traced: not the kit's own."""
        if not self._left or frame.f_code.co_filename.startswith(_KIT):
            return None
        return self._line

    def _line(self, _frame: FrameType, _event: str, _argument: Any) -> Any:
        if self._left and self._random.random() < self._chance:
            self._left -= 1
            sleep(self._random.random() * _LONGEST_S)
        return self._line


class Pauses(Gate):
    """Noise for a client alone in its process: one pause a call, after one of its transactions.

    It lasts long enough for whoever waits for the database to wake up and have it. A store without
    statements has none.
    """

    def __init__(self, seed: str) -> None:
        from onewinner.schedule.tracing import tracing  # looks up where Python's own code lies

        super().__init__(lambda _point, _number: None, lambda: None)
        self._random = Random(seed)
        self._tracing = tracing(self, opcodes=False)
        self._left = 0

    def start(self) -> None:
        """Trace this thread from its next function call on."""
        self._tracing.start()

    def stop(self) -> None:
        """Leave this thread alone again."""
        self._tracing.stop()
        self.leave()

    def refill(self) -> None:
        """Allow the next call its pause."""
        self._left = 1
        self.enter(None, "tail")

    def reach(self, _name: str) -> None:
        """Come to a statement, which nothing holds up."""

    def line(self, _name: str) -> None:
        """Come to a line, and perhaps pause there where a transaction has just ended."""
        if self._ended:
            self._ended = False
            if self._left and self._random.random() < _PAUSE_CHANCE:
                self._left = 0
                sleep(self._random.uniform(*_PAUSE_S))
