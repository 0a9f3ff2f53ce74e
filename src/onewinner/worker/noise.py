"""Noise: short sleeps between the lines of a store that is written in Python.

Under the GIL a thread is hardly ever interrupted between two lines; a store that checks and then
acts looks atomic until something holds it up there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from onewinner.clock import sleep

if TYPE_CHECKING:
    from types import FrameType

_LONGEST_S: Final = 200e-6
_SLEEPS_A_CALL: Final = 8
_CHANCES: Final = (0.3, 0.1, 0.03)
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
