"""The kit's side of claimants in Python: a crew of processes, or of threads in one process."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self

from onewinner.clock import monotonic_ns, sleep
from onewinner.history import Fail, Info, Ok
from onewinner.runner.process import STARTUP_S, Child, Listener, signal_name
from onewinner.schedule import resident
from onewinner.schedule.asleep import SleepLook, sharp_timers
from onewinner.schedule.cells import Cells
from onewinner.schedule.claimant import Blocked, Died, Held, Returned
from onewinner.worker.child import MESSAGE
from onewinner.worker.journal import FAIL, OK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.generator import Call
    from onewinner.history import Outcome
    from onewinner.schedule.claimant import Settled
    from onewinner.schedule.gate import Boundary, Hold

PATIENCE_S: Final = 20.0
"""How long a call may sleep while nobody else is at work on the store."""

_SAMPLE_S: Final = 0.00002
_SAMPLE_ON_THREADS_S: Final = 0.0002  # there one may just be waiting for the interpreter's lock
_LOOK_S: Final = 0.001
_AT_ONCE_NS: Final = 500_000
"""So long the kit looks without a pause: most answers come, and most waits begin, within it."""

_ASLEEP: Final = 3
"""So many looks in a row must find it asleep, and that it did not run since the first of them."""

# Who sleeps until a server answers waits for the server, and only perhaps for another claimant: of
# a server nothing is to be read in /proc. So it is given time; one that is merely slower than this
# makes a schedule that was not the one asked for, and no false alarm.
_SERVER_NS: Final = 50_000_000  # psycopg looks up every 100 ms
_SERVER_ALONE_NS: Final = 2_000_000_000


class PythonClaimant:
    """One claimant of a crew: a client whose calls can be held at points, and go on later.

    One call at a time: `begin`, then `settle` and `resume` by turns until `settle` answers Returned
    or Died. `boundary` says what its points are.
    """

    def __init__(self, crew: Crew, number: int, child: Child, place: int) -> None:
        self.boundary: Boundary = "line"
        self.inbox: deque[Any] = deque()
        self._crew = crew
        self._number = number
        self._child = child
        self._place = place
        self._look: SleepLook | None = None
        self._gone: Died | None = None
        self._ordered = 0
        self._released = False

    def started(self) -> None:
        """Wait until the claimant is there; raises RuntimeError where it is not."""
        begun_ns = monotonic_ns()
        while not self.inbox:
            if self._child.dead():
                raise RuntimeError(f"a claimant did not start: {self._died().how}")
            if self._child.overdue(monotonic_ns() - begun_ns, STARTUP_S):
                self._child.kill()
                raise RuntimeError(f"a claimant did not start within {STARTUP_S:g} s")
            self._crew.hear(0.05)
        self._look = SleepLook(self._child.pid, self.inbox.popleft().thread)

    def begin(
        self, call: Call, hold: Hold = None, *, fresh: str | None = None, free: bool = False
    ) -> None:
        """Start a call that is held at its `hold`-th point, at that named point, or nowhere.

        With `fresh` it is made at that location; a `free` one comes to no points.
        """
        self._released = free
        self._tell(resident.Do(call, hold, None if free else self.boundary, fresh))

    def let_go(self) -> None:
        """Hold this call no more: should it still come to a hold, it goes on at once.

        One that was taken to wait may have come to its hold since, and nobody has asked it: held
        for ever, with a lock in its hands, it would make the others fail.
        """
        self._released = True
        unasked = [each for each in self.inbox if isinstance(each, resident.Holding)]
        for each in unasked:
            self.inbox.remove(each)
            self.resume()

    def heard(self, message: Any) -> None:
        """Take in what the claimant says."""
        if self._released and isinstance(message, resident.Holding):
            self.resume()
        else:
            self.inbox.append(message)

    def make(self, call: Call, *, fresh: str | None = None) -> Returned | Died:
        """Make a call that nobody shall hold, with `fresh` at that location; wait for its end."""
        made = self.make_all([(call, fresh)])
        return made if isinstance(made, Died) else made[0]

    def make_all(self, calls: Sequence[tuple[Call, str | None]]) -> tuple[Returned, ...] | Died:
        """Make calls that nobody shall hold, each at its location, and wait for the last."""
        self._tell(resident.Make(tuple(calls)))
        made = self._last()
        return made if isinstance(made, Died) else tuple(_returned(done) for done in made.done)

    def learn(self, observed: Sequence[tuple[Call, str]]) -> None:
        """Let it compare from now on with what another claimant observed by these calls."""
        self._tell(resident.Learn(tuple(observed)))

    def resume(self, hold: Hold = None) -> None:
        """Let a held call go on to its next hold, or to its end.

        Numbers count from the beginning of the call.
        """
        self._crew.held.discard(self._number)
        self._tell(resident.Go(hold))

    def _tell(self, order: object) -> None:
        self._ordered += 1
        self._child.tell((self._place, order))

    def settle(self) -> Settled:
        """Wait until the call is held, has returned, sleeps, or its client is gone.

        A watchdog bounds the wait: a client that hangs is killed, and answered as Died.
        """
        message = self._message()
        if isinstance(message, resident.Holding):
            self._crew.held.add(self._number)
            return Held(message.point, message.number)
        return _returned(message) if isinstance(message, resident.Done) else message

    def _message(self) -> Any:
        """Answer what the claimant says next, Blocked where it sleeps, Died where it is gone.

        One that goes on for too long without sleeping may look again and again for what another
        has, who is held: then it counts as waiting, and the other goes on.
        """
        asleep, seen = 0, b""
        begun_ns = awake_ns = monotonic_ns()
        until_ns = begun_ns + int(3 * PATIENCE_S * 1e9)
        while self._gone is None:
            if self.inbox:
                return self.inbox.popleft()
            if asleep:
                sleep(_SAMPLE_ON_THREADS_S if self._crew.threads else _SAMPLE_S)
            eager = asleep or monotonic_ns() - begun_ns < _AT_ONCE_NS
            if self._crew.hear(0.0 if eager else _LOOK_S):
                continue
            if self._child.dead() and not self._crew.hear(0.0):
                self._gone = self._died()
            elif monotonic_ns() > until_ns:
                if self._crew.held:
                    return Blocked()
                self._gone = self._hung()
            found = self._asleep()
            asleep = 0 if not found else asleep + 1 if found == seen else 1
            seen = found
            if asleep < 2:
                awake_ns = monotonic_ns()
            elif asleep >= _ASLEEP and monotonic_ns() - awake_ns >= self._crew.silence_ns:
                return Blocked()
        return self._gone

    def _asleep(self) -> bytes:
        """Answer how much the claimant's thread ran so far where it sleeps; nothing where not.

        One that has not taken its last order yet is not asleep: it may just not be woken yet.
        """
        taken = self._crew.cells.count(self._number)
        return b"" if taken != self._ordered or self._look is None else self._look.ran()

    def finish(self) -> Returned | Died:
        """Wait for the end of a call that nobody holds; one that sleeps for too long has hung."""
        last = self._last()
        return last if isinstance(last, Died) else _returned(last)

    def _last(self) -> Any:
        until_ns = monotonic_ns() + int(PATIENCE_S * 1e9)
        while True:
            message = self._message()
            if isinstance(message, resident.Done | resident.Made | Died):
                return message
            if isinstance(message, resident.Holding):
                self.resume()
            elif monotonic_ns() > until_ns:
                self._gone = self._hung()

    @property
    def pid(self) -> int:
        """The process that the claimant lives in."""
        return self._child.pid

    def close(self) -> None:
        """End the process that the claimant lives in."""
        self._child.close()

    def forget(self) -> None:
        """Look no more."""
        if self._look is not None:
            self._look.close()
            self._look = None

    def _died(self) -> Died:
        code = self._child.kill() or 0
        self._child.receive()
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        return Died(f"its process {how}", self._child.tail())

    def _hung(self) -> Died:
        self._child.dump_stacks()
        tail = self._child.tail()
        self._child.kill()
        return Died(f"its call did not return within {PATIENCE_S:.0f} s", tail)


class Crew:
    """Claimants on one location: each in a process of its own, or all threads of one process.

    Use it as a context manager. With `shared` threads use one connection, and of processes the
    first two claimants share one, as threads with a connection each. `held` are the numbers of
    those that are held. Their processes have the variables of `environment` besides the kit's.
    """

    def __init__(
        self,
        target: Target,
        *,
        location: str,
        clock: Clock,
        claimants: int,
        processes: bool,
        shared: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.processes = processes
        self.shared = shared
        self.threads = shared or not processes
        self.location = location
        self.held: set[int] = set()
        self._remote = target.location is not None
        self._served = target.served
        kind = _claimant_kind(target)
        self.claimants: list[PythonClaimant] = []
        self.cells = Cells(claimants)
        self._children: list[tuple[Child, list[PythonClaimant]]] = []
        self._stack = ExitStack()
        everybody = tuple(range(claimants))
        first = 2 if shared else 1
        groups = [everybody[:first], *((each,) for each in everybody[first:])]
        with ExitStack() as stack:
            stack.callback(self.cells.close)
            for numbers in groups if processes else [everybody]:
                common = shared and not processes
                args = (target, location, clock, self.cells, numbers, common)
                name = f"claimant {numbers[0]}"
                child = Child(
                    resident.reside, args, name=name, takes_orders=True, environment=environment
                )
                stack.callback(child.close)
                mine = [kind(self, number, child, place) for place, number in enumerate(numbers)]
                self._children.append((child, mine))
                self.claimants += mine
            self._listener = Listener(child for child, _ in self._children)
            for claimant in self.claimants:
                claimant.started()
                stack.callback(claimant.forget)
            stack.enter_context(sharp_timers())
            self._stack = stack.pop_all()

    @property
    def silence_ns(self) -> int:
        """How long a claimant must sleep to be one that waits for another, in nanoseconds."""
        if not self._remote:
            return 0
        return _SERVER_NS if self.held else _SERVER_ALONE_NS

    def trace(self) -> str | None:
        """Trace the claimants from now on, where each has a process of its own.

        Answers why the kernel refuses that, None where it does not: a process can forbid it.
        """
        from onewinner.schedule.served import ServedClaimant
        from onewinner.schedule.traced import TracedClaimant

        if self.threads:
            return None
        for claimant in self.claimants:
            if isinstance(claimant, ServedClaimant) and not claimant.traced:
                self._stack.callback(claimant.end)
                claimant.trace()
        if self._served:
            return None
        for number, claimant in enumerate(self.claimants):
            if not isinstance(claimant, TracedClaimant):
                try:
                    traced = TracedClaimant(claimant)
                except OSError as error:
                    return f"the claimants cannot be traced: {error.strerror}"
                self._stack.callback(traced.end)
                self.claimants[number] = traced
        return None

    def hear(self, timeout_s: float) -> bool:
        """Take in what has been said; answer whether anything has."""
        heard = False
        if not self._listener.wait(timeout_s):
            return False
        for child, mine in self._children:
            for kind, item in child.receive():
                if kind == MESSAGE:
                    place, what = item
                    mine[place].heard(what)
                    heard = True
        return heard

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every claimant."""
        self._stack.close()


def _claimant_kind(target: Target) -> type[PythonClaimant]:
    if not target.served:
        return PythonClaimant
    from onewinner.schedule.served import ServedClaimant

    return ServedClaimant


def _returned(done: resident.Done) -> Returned:
    return Returned(_outcome(done), done.points, done.invoked_ns, done.completed_ns)


def _outcome(done: resident.Done) -> Outcome:
    if done.kind == OK:
        return Ok(done.answer)
    if done.kind == FAIL:
        code, operation, message = done.answer
        return Fail({"code": code, "operation": operation, "message": message})
    return Info(done.answer)
