"""A claimant that is any command, in any language, held at the system calls that it makes.

The command serves one line at a time on its standard streams and needs to know nothing of the kit:

    claim KEY VALUE      ->      true | false | error TEXT

VALUE is JSON. All claims of one command go to the one store and namespace that it serves.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Final, Literal

from onewinner.clock import monotonic_ns, sleep
from onewinner.history import Info, Ok
from onewinner.schedule import ptrace
from onewinner.schedule.claimant import Blocked, Died, Held, Returned
from onewinner.schedule.command_gate import Gate
from onewinner.schedule.command_process import CommandProcess
from onewinner.schedule.tracer import Tracer, turn_all
from onewinner.schedule.tracer_sleep import Sleep, state_letters, threads_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from onewinner.generator import Call
    from onewinner.history import Outcome
    from onewinner.schedule.claimant import Point, Settled

PATIENCE_S: Final = 20.0
"""How long a call may go on, not counting while it is held, before its command counts as hung."""

STARTUP_S: Final = 60.0
"""How long the first call may take at least, for the command has to begin as well."""

_DISK_FACTOR: Final = 3
_EAGER: Final = 100
_MOMENT_S: Final = 0.00002
_WHILE_S: Final = 0.0005


def request_line(call: Call) -> str:
    """Answer a call as the line that asks for it. Raises ValueError where the line cannot say it.

    With `outcome_of` this is all that knows how a command is talked to.
    """
    if call.f != "register_if_absent" or call.ttl_ms is not None:
        raise ValueError(
            f"a command cannot be asked for {call.f} with ttl_ms={call.ttl_ms}: its protocol has "
            f"one request, `claim KEY VALUE`; use register_if_absent without ttl_ms"
        )
    if not call.key or re.search(r"\s", call.key):
        raise ValueError(
            f"the key {call.key!r} cannot stand in a line `claim KEY VALUE`; use one without spaces"
        )
    return f"claim {call.key} {json.dumps(call.value, separators=(',', ':'))}"


def outcome_of(line: str) -> Outcome:
    """Answer what an answer line means; after an error it is not known whether the claim holds."""
    match line.split(maxsplit=1):
        case ["true"]:
            return Ok(result=True)
        case ["false"]:
            return Ok(result=False)
        case ["error", *text]:
            return Info(" ".join(text) or "error, without a text")
    return Info(f"it answered {line!r:.200}, which is none of: true, false, error TEXT")


class CommandClaimant:
    """A command whose calls can be held at the system calls that others notice.

    A call begins when the command has read its request, and ends when it has written its answer.
    `trace=False` runs it at full speed, and then it cannot be held. Make it and use it in one
    thread: tracing belongs to a thread, and the command dies with the one that started it. A call
    that hangs for `patience_s` seconds ends with the command; the first has a minute at least, and
    one that waits for a disk three times as long.

    Raises PtraceRefused where it shall be traced and cannot be, FileNotFoundError where there is no
    such command.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        trace: bool = True,
        patience_s: float = PATIENCE_S,
    ) -> None:
        if trace and (refusal := ptrace.ptrace_refusal()) is not None:
            raise ptrace.PtraceRefused(refusal)
        self.boundary = "syscall" if trace else "none"
        self._patience_ns = int(patience_s * 1e9)
        self._served = False
        self._stage: Literal["idle", "running", "held"] = "idle"
        self._died: Died | None = None
        self._sleep = Sleep()
        self._tracer: Tracer | None = None
        self._process = CommandProcess(command, cwd=cwd, env=env)
        self._gate = Gate(self._process)
        if trace:
            try:
                self._tracer = Tracer(self._process.pid, self._gate, from_exec=True)
            except BaseException:
                self.close()
                raise

    def begin(self, call: Call, hold: int | Point | None = None) -> None:
        """Ask for a claim, held at its `hold`-th point, at that named point, or nowhere.

        Raises ValueError where the call cannot be asked for or cannot be held so.
        """
        line = request_line(call)
        self._check(hold, stage="idle")
        self._since_ns = self._invoked_ns = monotonic_ns()
        self._stage = "running"
        if self._died is None and (text := self._process.unread()):
            self._die(f"it wrote {text!r:.200} without having been asked")
        if self._died is None:
            self._gate.begin(str(call.key), hold)
            self._process.send(line)

    def resume(self, hold: int | Point | None = None) -> None:
        """Let the held call go on to its next hold, or to its end."""
        self._check(hold, stage="held")
        if isinstance(hold, int) and hold <= len(self._gate.points):
            raise ValueError(
                f"hold={hold} has gone by, the call is at point {len(self._gate.points)}: numbers "
                f"count from the beginning of the call; give a greater one"
            )
        self._stage = "running"
        self._since_ns = monotonic_ns()
        self._gate.aim(hold)
        if self._tracer is not None:
            with self._ending_on_error():
                self._tracer.release()

    def settle(self) -> Settled:
        """Wait until the call is held, has returned, sleeps, or its command is gone.

        Other commands that the calling thread traces are looked after meanwhile.
        """
        if self._stage == "idle":
            raise RuntimeError("there is no call to settle: begin one first")
        if self._stage == "held":
            return self._held()
        with self._ending_on_error():
            settled = self._settle()
        self._stage = "held" if isinstance(settled, Held) else self._stage
        if isinstance(settled, Returned | Died):
            self._stage = "idle"
        return settled

    def close(self) -> None:
        """Kill the command and all that it started; more than once does no harm."""
        if self._died is None:
            self._died = self._end("it was closed")
        self._process.close()

    def _check(self, hold: int | Point | None, *, stage: str) -> None:
        if self._tracer is not None:
            self._tracer.check_thread()
        if self._stage != stage:
            wanted = "no call is under way" if stage == "idle" else "the call is held"
            raise RuntimeError(f"this can be done while {wanted}; the claimant is {self._stage}")
        if hold is not None and self._tracer is None:
            raise ValueError(f"hold={hold!r}: a command that is not traced cannot be held")
        if isinstance(hold, int) and hold < 1:
            raise ValueError(f"hold={hold}: points are counted from 1")

    @contextlib.contextmanager
    def _ending_on_error(self) -> Iterator[None]:
        """Leave no stopped process behind where the kit itself fails or is interrupted."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _settle(self) -> Settled:
        self._sleep.forget()
        idle = 0
        while self._died is None:
            busy = turn_all()
            self._process.send_on()
            if (settled := self._arrived()) is not None:
                return settled
            idle = 0 if busy else idle + 1
            if busy:
                self._sleep.forget()
            else:
                asleep = not self._is_held() and self._sleep.found(self._threads())
                if self._overdue(asleep=asleep):
                    return self._die(self._how_it_hangs())
                if asleep:
                    return Blocked()
                self._pause(idle)
        return self._died

    def _arrived(self) -> Settled | None:
        if self._tracer is not None and self._is_held():
            return self._held() if self._tracer.still() else None
        dead = self._process.dead()  # asked first: what it wrote before it died is read below
        if self._gate.take_answer():
            return self._returned()
        return self._die() if dead else None

    def _is_held(self) -> bool:
        return self._tracer is not None and self._tracer.held is not None

    def _held(self) -> Held:
        return Held(self._gate.points[-1], len(self._gate.points))

    def _returned(self) -> Settled:
        line, completed_ns = self._gate.answer or ("", 0)
        if text := self._process.unread():
            return self._die(f"it answered {line!r:.200}, then {text!r:.200}, to one request")
        self._served = True
        points = tuple(self._gate.points)
        return Returned(outcome_of(line), points, self._invoked_ns, completed_ns)

    def _threads(self) -> list[tuple[int, int]]:
        if self._tracer is not None:
            return self._tracer.running()
        return threads_of(self._process.pid)

    def _overdue(self, *, asleep: bool) -> bool:
        """Tell whether the call has gone on for too long; a disk that stalls is given more."""
        past_ns = monotonic_ns() - self._since_ns
        patience_ns = self._patience_ns
        if not self._served:
            patience_ns = max(patience_ns, int(STARTUP_S * 1e9))
        if past_ns <= patience_ns:
            return False
        waits = not asleep and "D" in state_letters(self._threads())
        return not waits or past_ns > _DISK_FACTOR * patience_ns

    def _how_it_hangs(self) -> str:
        seconds = (monotonic_ns() - self._since_ns) / 1e9
        doing = self._tracer.doing() if self._tracer is not None else ""
        where = f" in {doing}" if doing else ""
        letters = state_letters(self._threads())
        return f"hung: no answer for {seconds:.1f} s{where} (thread states {letters}); killed"

    def _die(self, how: str | None = None) -> Died:
        """End the command for good, because of `how`, or because it ended by itself."""
        self._died = self._end(how)
        return self._died

    def _end(self, how: str | None) -> Died:
        traced = [] if self._tracer is None else self._tracer.forget()
        self._process.end(traced)
        return Died(how or self._process.how_it_ended(), self._process.tail())

    def _pause(self, idle: int) -> None:
        """Wait a moment, or a longer one where nothing has happened for a while.

        Never by spinning: on a busy machine whoever spins gets its turn later than whoever sleeps.
        """
        self._process.drain_errors()
        sleep(_MOMENT_S if idle < _EAGER else _WHILE_S)
