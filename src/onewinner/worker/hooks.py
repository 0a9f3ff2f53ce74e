"""Hooks into a running call, at its clock reads or its lines; and the rival let in there."""

from __future__ import annotations

import queue
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner.clock import monotonic_ns

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_KIT: Final = str(Path(__file__).parent)
_SETTLE_S: Final = 0.25
_SAMPLE_S: Final = 0.0005
_SLEEPING_SAMPLES: Final = 6
_RIVAL_S: Final = 60.0


class HookClock:
    """Virtual time, and a hook that runs when the time is asked for the n-th time from now on."""

    def __init__(self, start_ms: int) -> None:
        self.time_ms = start_ms
        self._lock = threading.Lock()
        self._left = 0
        self._hook: Callable[[], None] | None = None

    def arm(self, point: int, hook: Callable[[], None]) -> None:
        """Run `hook` at the read with number `point`, counted from 1."""
        with self._lock:
            self._left, self._hook = point, hook

    def disarm(self) -> None:
        """Run no hook any more."""
        with self._lock:
            self._hook = None

    def now_ms(self) -> int:
        """Answer the time as it was when the question was asked, after the hook if it is due."""
        now = self.time_ms
        with self._lock:
            self._left -= 1
            hook = self._hook if self._left == 0 else None
        if hook is not None:
            hook()
        return now


class LineHook:
    """A trace function: runs a hook when its thread comes to its n-th line outside the kit."""

    def __init__(self, point: int, hook: Callable[[], None]) -> None:
        self.lines = 0
        self._point = point
        self._hook = hook

    def __call__(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        """Decide whether a function's lines count: not the kit's own."""
        return None if frame.f_code.co_filename.startswith(_KIT) else self._line

    def _line(self, _frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            self.lines += 1
            if self.lines == self._point:
                self._hook()
        return self._line


class Rival:
    """A thread with a handle of its own, or the victim's; it does one job after the other."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._done = threading.Event()
        self._answer: Any = None
        self._thread = threading.Thread(target=self._work, name="rival", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._answer = (True, job())
            except BaseException as error:
                self._answer = (False, error)
            self._done.set()

    def begin(self, job: Callable[[], Any]) -> None:
        """Let the thread start on a job."""
        self._done.clear()
        self._jobs.put(job)

    def settle(self) -> bool:
        """Wait until the job is done (True), or the thread sleeps and so waits for the victim."""
        until = monotonic_ns() + int(_SETTLE_S * 1e9)
        asleep = 0
        while asleep < _SLEEPING_SAMPLES and monotonic_ns() < until:
            if self._done.wait(_SAMPLE_S):
                return True
            asleep = asleep + 1 if self._state() == "S" else 0
        return self._done.is_set()

    def _state(self) -> str:
        """Answer the scheduler's letter for the thread; nothing on systems without one."""
        try:
            stat = Path(f"/proc/self/task/{self._thread.native_id}/stat").read_text("ascii")
        except OSError:
            return ""
        return stat.rpartition(")")[2].split()[0]

    def finish(self) -> tuple[bool, Any]:
        """Wait for the job's end; answer whether it returned, and what."""
        if not self._done.wait(_RIVAL_S):
            raise TimeoutError(f"the rival's call did not return within {_RIVAL_S:.0f} s")
        answer: tuple[bool, Any] = self._answer
        return answer

    def do(self, job: Callable[[], Any]) -> Any:
        """Do a job now; what it raises is raised here."""
        self.begin(job)
        returned, answer = self.finish()
        if not returned:
            raise answer
        return answer

    def stop(self) -> None:
        """Let the thread end after its last job."""
        self._jobs.put(None)
