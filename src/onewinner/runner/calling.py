"""One call in a child process: it streams messages, and it always comes to an end that is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from onewinner.clock import monotonic_ns
from onewinner.runner.process import (
    STARTUP_S,
    Child,
    signal_name,
    wait_readable,
)
from onewinner.worker import child

if TYPE_CHECKING:
    from collections.abc import Callable

How: TypeAlias = Literal["returned", "raised", "exited", "signalled", "silent", "stopped"]

_TICK_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a child ended.

    `how`: `returned` (with `value`), `raised` (with `error`, a traceback), `exited` without
    returning (with `exit_code`), `signalled` (with `signal_name`), `silent` (killed because it said
    nothing for too long) or `stopped` (killed because the caller wanted no more). `stderr_tail`
    holds the last lines that it printed, standard output included; for a silent child those are
    the stacks of its threads. `last_message` is the last that it sent, None if nothing.
    """

    how: How
    value: Any = None
    error: str = ""
    exit_code: int | None = None
    signal_name: str = ""
    last_message: Any = None
    stderr_tail: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the function returned."""
        return self.how == "returned"

    def describe(self) -> str:
        """Say in one sentence how the child ended."""
        match self.how:
            case "returned":
                return "it returned"
            case "raised":
                return f"it raised {self.error.strip().splitlines()[-1]}"
            case "exited":
                return (
                    f"the process ended with exit code {self.exit_code} in the middle of its work"
                )
            case "signalled":
                return f"the process was killed by {self.signal_name}"
            case "silent":
                return f"it said nothing for too long and was killed after {self.seconds:.1f} s"
            case "stopped":
                return "it was stopped"


def call_in_child(
    function: Callable[..., Any],
    *args: Any,
    on_message: Callable[[Any], None],
    silence_s: float,
    stop: Callable[[], bool] = lambda: False,
) -> Ended:
    """Run `function(send, *args)` in a child and answer how it ended.

    Each `send(message)` in the child becomes one `on_message(message)` here, in order. A child that
    sends nothing for `silence_s` seconds (three times as long while the machine holds it up) is
    killed with its process group, also when it hangs outside the interpreter. `stop` is asked about
    ten times a second. Whatever happens here, exceptions from `on_message` and interrupts included,
    no process is left behind.

    Raises ChildError where `function` or an argument cannot be carried to another process.
    """
    name = getattr(function, "__name__", "child")
    with Child(function, args, name=name) as process:
        return _Conversation(process, on_message, silence_s).until_end(stop)


class _Conversation:
    """Listens to one child until it ends."""

    def __init__(self, process: Child, on_message: Callable[[Any], None], silence_s: float) -> None:
        self._process = process
        self._on_message = on_message
        self._silence_s = silence_s
        self._started = self._heard = monotonic_ns()
        self._last_message: Any = None

    def until_end(self, stop: Callable[[], bool]) -> Ended:
        while True:
            died = self._process.dead()  # asked first: what it sent before is received below
            ended = self._listen()
            if ended is not None:
                return ended
            if died and not (self._process.open and wait_readable([self._process], 0)):
                return self._died()
            if stop():
                self._process.kill()
                return self._ended("stopped")
            if self._silent():
                self._process.dump_stacks()
                self._process.kill()
                return self._ended("silent")
            wait_readable([self._process], _TICK_S)

    def _listen(self) -> Ended | None:
        for kind, item in self._process.receive():
            self._heard = monotonic_ns()
            if kind == child.MESSAGE:
                self._last_message = item
                self._on_message(item)
            elif kind == child.RETURNED:
                return self._ended("returned", value=item)
            elif kind == child.RAISED:
                return self._ended("raised", error=item)
        return None

    def _silent(self) -> bool:
        allowed_s = self._silence_s if self._process.hello else max(STARTUP_S, self._silence_s)
        return self._process.overdue(monotonic_ns() - self._heard, allowed_s)

    def _died(self) -> Ended:
        code = self._process.kill() or 0
        if code < 0:
            return self._ended("signalled", exit_code=code, signal_name=signal_name(-code))
        return self._ended("exited", exit_code=code)

    def _ended(self, how: How, **more: Any) -> Ended:
        return Ended(
            how=how,
            last_message=self._last_message,
            stderr_tail=self._process.tail(),
            seconds=(monotonic_ns() - self._started) / 1e9,
            **more,
        )
