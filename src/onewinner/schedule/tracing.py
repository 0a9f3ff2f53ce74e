"""Lines and opcodes as points: how the store's own code is watched while a call is under way.

From Python 3.12 on by `sys.monitoring`, before by `sys.settrace`; both come to the same points,
just before a line or an opcode is carried out. The names of opcodes differ between versions of
Python, for they hold its offsets.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from onewinner.schedule.gate import gate_here

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from onewinner.schedule.gate import Gate

_HERE: Final = Path(__file__).parent.parent
_ROOMS: Final = ("contract", "history", "schedule", "worker", "runner", "adapters/stdio")
_NOT_THE_STORES: Final = (
    *(f"{_HERE / room}/" for room in _ROOMS),
    *(str(_HERE / file) for file in ("clock.py", "adapters/targets.py", "adapters/servers.py")),
    "<frozen ",
)
_STANDARD: Final = sysconfig.get_paths()["stdlib"] + "/"
_MADE: Final = ("<lambda>", "__create_fn__")  # what named tuples and data classes make of strings
_INSTALLED: Final = (sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"])


class Tracing(Protocol):
    """Makes a gate come to the points of the thread that starts it."""

    def start(self) -> None:
        """Watch this thread from its next function call on."""
        ...  # pragma: no cover

    def stop(self) -> None:
        """Leave this thread alone again."""
        ...  # pragma: no cover


def place_of(code: CodeType) -> str:
    """Name the function that code belongs to; empty where it is not the store's."""
    file = code.co_filename
    if file.startswith(_NOT_THE_STORES):
        return ""
    if file == "<string>" and code.co_qualname.startswith(_MADE):
        return ""
    if file.startswith(_STANDARD) and not file.startswith(_INSTALLED):
        return ""
    return f"{Path(file).name} {code.co_qualname}"


class Settrace:
    """Watches with `sys.settrace`, which belongs to a thread."""

    def __init__(self, gate: Gate, *, opcodes: bool) -> None:
        self._gate = gate
        self._opcodes = opcodes
        self._known: dict[CodeType, str] = {}

    def start(self) -> None:
        """Watch this thread from its next function call on."""
        sys.settrace(self)

    def stop(self) -> None:
        """Leave this thread alone again."""
        sys.settrace(None)

    def __call__(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        """Decide whether the points of a function count."""
        name = self._known.get(frame.f_code)
        if name is None:
            name = self._known[frame.f_code] = place_of(frame.f_code)
        if not name:
            return None
        if self._opcodes:
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        return self._local

    def _local(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            self._gate.line(f"{self._known[frame.f_code]}:{frame.f_lineno}")
        elif event == "opcode":
            self._gate.reach(f"{self._known[frame.f_code]}:{frame.f_lineno}+{frame.f_lasti}")
        return self._local


if sys.version_info >= (3, 12):
    _monitoring: Final = sys.monitoring
    _EVENTS: Final = _monitoring.events

    class Monitoring:
        """Watches with `sys.monitoring`, which belongs to the process.

        So an event asks for the gate of its thread, and which of the two that thread wants.
        """

        def __init__(self, gate: Gate, *, opcodes: bool) -> None:
            self._gate = gate
            self._opcodes = opcodes

        def start(self) -> None:
            """Watch this thread from its next function call on."""
            _watch.begin()
            _watch.opcodes[self._gate] = self._opcodes

        def stop(self) -> None:
            """Leave this thread alone again."""
            _watch.opcodes.pop(self._gate, None)

    class _Watch:
        """What the process watches: all code of stores that ran since the first `begin`."""

        def __init__(self) -> None:
            self.opcodes: dict[Gate, bool] = {}
            self._places: dict[CodeType, str] = {}
            self._lines: dict[CodeType, dict[int, int]] = {}
            self._tool = -1

        def begin(self) -> None:
            """Take a tool's place that is free; raises RuntimeError where there is none."""
            if self._tool >= 0:
                return
            free = [each for each in range(6) if _monitoring.get_tool(each) is None]
            if not free:
                raise RuntimeError("all six tools of sys.monitoring are in use; leave one free")
            self._tool = free[-1]
            _monitoring.use_tool_id(self._tool, "onewinner")
            for event, heard in (
                (_EVENTS.PY_START, self._entered),
                (_EVENTS.LINE, self._line),
                (_EVENTS.INSTRUCTION, self._opcode),
            ):
                _monitoring.register_callback(self._tool, event, heard)
            _monitoring.set_events(self._tool, _EVENTS.PY_START)

        def _entered(self, code: CodeType, _offset: int) -> Any:
            name = place_of(code)
            if name:
                self._places[code] = name
                events = _EVENTS.LINE | _EVENTS.INSTRUCTION
                _monitoring.set_local_events(self._tool, code, events)
            return _monitoring.DISABLE

        def _line(self, code: CodeType, line: int) -> None:
            gate = gate_here()
            if gate is not None and self.opcodes.get(gate) is False:
                gate.line(f"{self._places[code]}:{line}")

        def _opcode(self, code: CodeType, offset: int) -> None:
            gate = gate_here()
            if gate is None or self.opcodes.get(gate) is not True:
                return
            lines = self._lines.get(code)
            if lines is None:
                lines = self._lines[code] = _line_of_each(code)
            gate.reach(f"{self._places[code]}:{lines.get(offset, 0)}+{offset}")

    _watch: Final = _Watch()

    def _line_of_each(code: CodeType) -> dict[int, int]:
        return {
            offset: line
            for begin, end, line in code.co_lines()
            if line is not None
            for offset in range(begin, end, 2)
        }


def tracing(gate: Gate, *, opcodes: bool) -> Tracing:
    """Answer what this version of Python watches code with."""
    if sys.version_info >= (3, 12):
        return Monitoring(gate, opcodes=opcodes)
    return Settrace(gate, opcodes=opcodes)
