"""A session: one program driven against a store and the model at the same time.

Every answer of the store is held against the model's at once; the first that the contract does not
allow raises `Divergence`. Cases and the stateful machine are both programs on a session, and what
they did can be printed as a script.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from onewinner.clock import ManualClock, SystemClock, monotonic_ns, sleep, virtual_start_ms
from onewinner.contract.clauses import CLAUSES
from onewinner.contract.newer import WRITES
from onewinner.model import (
    Call,
    Listing,
    Refused,
    Rules,
    State,
    describe_call,
    forgetting,
    outcomes,
)
from onewinner.suite.answers import (
    Observed,
    Raised,
    agrees,
    agrees_in_real_time,
    beside_others,
    describe_observed,
    names_its_operation,
    noted,
    observe,
    strictly_aged,
)
from onewinner.suite.divergence import Divergence, Undecided
from onewinner.suite.handle import Handle
from onewinner.suite.lifetimes import Lifetimes
from onewinner.suite.recollection import Recollection
from onewinner.suite.script import Names, Step, tolerant
from onewinner.suite.sequence import REOPENED, Made

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.model import Answer

LONG_MS: Final = 3_600_000
_TICK_S: Final = 0.002
_REAL_SHORT_MS: Final = 40
_REAL_MARGIN_MS: Final = 60
_STATES_MAX: Final = 8


@dataclass(slots=True)
class Session:
    """A program under way.

    `subject` is the clause that the program is about, `clause` the same from `judge` on. `tag` is
    put behind every plugin's id where many programs share one location. `was_at_cap` says that an
    insert was refused because its plugin was full. `state` is the usual one of those that explain
    what was answered; `last` is what was done last, `made` are all calls, to be judged again.
    """

    target: Target
    capabilities: Capabilities
    location: str
    subject: str | None = None
    tag: str = ""
    clause: str | None = None
    steps: list[Step] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)
    calls: int = 0
    current: str = ""
    state: State = field(default_factory=State)
    now: int = field(init=False)
    start_ms: int = field(init=False)
    was_at_cap: bool = False
    last: Recollection = field(default_factory=Recollection)
    on_step: Callable[[State, Call, Observed], None] | None = None
    _backends: list[Any] = field(default_factory=list)
    _rules: Rules = field(init=False)
    _clock: ManualClock | None = field(init=False)
    _lifetimes: Lifetimes = field(init=False)
    _others: list[State] = field(default_factory=list)
    _narrowed: bool = False
    _times: dict[tuple[str, str, str, int], tuple[int, int | None]] = field(default_factory=dict)
    _names: Names = field(default_factory=Names)

    def __post_init__(self) -> None:
        self._rules = Rules.of(self.capabilities)
        self._lifetimes = Lifetimes(self.unit_ms)
        self.now = self.start_ms = virtual_start_ms(self.capabilities.ttl_unit_ms)
        self._clock = ManualClock(self.now) if self.capabilities.virtual_clock else None
        self.state = State(last_ms=self.now)
        self._connect()

    @property
    def virtual(self) -> bool:
        """Whether the store takes its time from the session."""
        return self._clock is not None

    @property
    def unit_ms(self) -> int:
        """The resolution of a TTL in milliseconds."""
        return self.capabilities.ttl_unit_ms or 1

    @property
    def short_ms(self) -> int:
        """A TTL that can be waited out (see `plant`)."""
        if self.virtual:
            return 5 * self.unit_ms
        return -(-_REAL_SHORT_MS // self.unit_ms) * self.unit_ms

    def judge(self) -> None:
        """From here on a divergence breaks the clause that the program is about.

        What goes wrong before is a prerequisite, and is put down to the clause it looks like.
        """
        self.clause = self.subject

    # --- time -------------------------------------------------------------------------------

    def advance(self, by_ms: int) -> None:
        """Move virtual time; only where the store takes its time from the session."""
        assert self._clock is not None, "advance needs virtual time"
        self._clock.advance(by_ms)
        self.now += by_ms
        self.last.moved()
        self.steps.append(Step(f"clock.advance({by_ms})", "", self.now))

    def tick(self) -> None:
        """Let time pass, so that what is written next is younger than what is there."""
        if self.virtual:
            self.advance(self.unit_ms)
        else:
            sleep(_TICK_S)
            self.now += 1

    def lapse(self, ttl_ms: int) -> None:
        """Let a row that was just written with this TTL expire for certain."""
        if self.virtual:
            self.advance(ttl_ms)
            return
        wait_ms = ttl_ms + self.unit_ms + _REAL_MARGIN_MS
        sleep(wait_ms / 1000)
        self.now += wait_ms
        self.last.moved()
        self.steps.append(Step(f"__import__('time').sleep({wait_ms / 1000})", "", self.now))

    def plant(self, handle: Handle, *keys: str, value: Any = "planted") -> None:
        """Leave rows that have expired and that nothing has looked at since."""
        for key in keys:
            handle.register(key, value, ttl_ms=self.short_ms)
        self.lapse(self.short_ms)

    # --- handles ----------------------------------------------------------------------------

    def open(
        self,
        plugin: str = "plugin",
        namespace: Any = "space",
        *,
        max_entries: Any = 100,
        backend: int = 0,
        **options: Any,
    ) -> Handle:
        """Open a namespace that the contract allows; a refusal raises `Divergence`.

        `options` are what else an opening takes: `default_ttl_ms`, `overflow_policy`.
        """
        handle = self.try_open(
            plugin, namespace, max_entries=max_entries, backend=backend, **options
        )
        assert handle is not None, "the contract refuses this; use try_open"
        return handle

    def try_open(
        self,
        plugin: str = "plugin",
        namespace: Any = "space",
        *,
        max_entries: Any = 100,
        backend: int = 0,
        **options: Any,
    ) -> Handle | None:
        """Open a namespace, or answer None where the store refused it as it must."""
        plugin += self.tag
        given = {name: value for name, value in options.items() if value is not None}
        call = Call(f="open", plugin=plugin, namespace=namespace, max_entries=max_entries, **given)
        name = f"s{sum('= backend' in step.code for step in self.steps) + 1}"
        seen, store = self.step(
            call,
            lambda: self._backends[backend].open(
                plugin, namespace, max_entries=max_entries, **given
            ),
            on=_backend_name(backend),
            assign=name,
        )
        if isinstance(seen, Raised):
            return None
        return Handle(self, store, name, plugin, namespace)

    def connect(self) -> int:
        """Connect once more to the same location and answer the number of the new handle."""
        self._connect()
        name = _backend_name(len(self._backends) - 1)
        self.note(f"{name} = connect(location, clock=clock)")
        return len(self._backends) - 1

    def disconnect(self, number: int) -> None:
        """Close one handle of several; what was opened with it must not be used any more."""
        observe("close", self._backends[number].close)
        self._backends[number] = None
        self.note(f"{_backend_name(number)}.close()")

    def reopen(self) -> None:
        """Close every handle and connect anew: what was opened must be opened again."""
        self.last.moved()
        self.close()
        self._connect()
        self.made.append(Made(REOPENED, None, self.now, self.state, forgetting(self.state)))
        self.state, *self._others = map(forgetting, (self.state, *self._others))
        self.note("backend.close()\nbackend = connect(location, clock=clock)")

    def sweep(self) -> Observed:
        """Call `sweep_expired`."""
        return self.step(Call(f="sweep_expired"), self._backends[0].sweep_expired, on="backend")[0]

    def fill(self, handle: Handle, count: int, prefix: str = "fill") -> None:
        """Register `count` rows whose keys sort as they age; one step of the program."""
        before, on_step = len(self.steps), self.on_step
        self.on_step = None
        for number in range(count):
            handle.register(f"{prefix}{number:06}", number)
            if not self.virtual:
                self.now += 1
        body = f'{handle.name}.register(f"{prefix}{{i:06}}", i)'
        self.on_step = on_step
        del self.steps[before:]
        self.note(f"for i in range({count}):\n    {body}")

    def close(self) -> None:
        """Close every handle; what a store raises here is its own affair."""
        for backend in self._backends:
            if backend is not None:
                observe("close", backend.close)
        self._backends.clear()

    def _connect(self) -> None:
        clock = self._clock or SystemClock()
        self._backends.append(self.target.connect(self.location, clock))

    # --- the heart ----------------------------------------------------------------------------

    def step(
        self, call: Call, make: Callable[[], Any], *, on: str, assign: str = ""
    ) -> tuple[Observed, Any]:
        """Make one call, hold its answer against the model, and move the model on.

        Raises Divergence where no outcome of the model agrees.
        """
        if not self.virtual and call.f in WRITES:
            self.now += 1  # in real time every write is younger than the one before
        self.calls += 1
        self.current = f"{on}.{describe_call(call)}"
        begun_ns = monotonic_ns()
        seen, raw = observe(call.f, make)
        self.current = ""
        call = replace(call, noted=noted(raw))
        self.judge_seen(call, seen, on=on, assign=assign)
        if not self.virtual:
            self._lifetimes.called(call, self.state, begun_ns)
        return seen, raw

    def judge_seen(self, call: Call, seen: Observed, *, on: str, assign: str = "") -> None:
        """Hold what was seen of a call against the model, and move the model on.

        Raises Undecided where nothing explains it and some explanations were not kept.
        """
        statement, before = self._names.statement(call, on), self.state
        possible = [
            outcome
            for state in (before, *self._others)
            for outcome in outcomes(self._rules, state, call, self.now)
        ]
        agreeing = [after for answer, after in possible if self._agrees(answer, seen)]
        expected = tuple(dict.fromkeys(answer for answer, _ in possible))
        if not agreeing and self._narrowed:
            raise Undecided(
                f"{statement} {describe_observed(seen)}, which may be right: what came before has "
                f"more than {_STATES_MAX} explanations"
            )
        misnamed = isinstance(seen, Raised) and not self._named(call, seen)
        if not agreeing or misnamed or not self._times_kept(call, seen):
            clause = "ERR-1" if agreeing and misnamed else self.clause
            raise self._diverged(call, expected, seen, before, clause, statement)
        self._keep(agreeing)
        self.made.append(Made(call, seen, self.now, before, self.state))
        self.was_at_cap |= any(isinstance(a, Refused) and a.rule == "CAP-1" for a in expected)
        self.last.done(before, self.state, call, seen, self.now)
        assign = assign or self._names.observed(call)
        code = f"{assign} = {statement}" if assign else statement
        code = tolerant(code) if isinstance(seen, Raised) else code
        self.steps.append(Step(code, describe_observed(seen), self.now))
        if self.on_step is not None:
            self.on_step(before, call, seen)

    def _named(self, call: Call, seen: Raised) -> bool:
        """Tell whether an error names what was called, as far as the store says that its do."""
        promised = CLAUSES["ERR-1"].missing(self.capabilities) is None
        return not promised or names_its_operation(call.f, seen)

    def _keep(self, agreeing: list[State]) -> None:
        """Go on with all states that explain what was seen; where they are too many, with one.

        There are several only where the store chose among rows of one age that it let go (CAP-1).
        """
        self.state, self._others = agreeing[0], []
        if len(agreeing) > 1:
            _, *others = dict.fromkeys(agreeing)
            self._narrowed = self._narrowed or len(others) >= _STATES_MAX
            self._others = [] if self._narrowed else others

    def note(self, code: str) -> None:
        """Add a line to the program that is no call."""
        self.steps.append(Step(code, "", self.now))

    def _agrees(self, answer: Answer, seen: Observed) -> bool:
        if self.target.location is not None:
            answer = beside_others(answer, alone=self.target.started)
        if self.capabilities.strict_ages and not strictly_aged(seen):
            return False
        if self.virtual:
            return agrees(answer, seen, self.unit_ms)
        answer = self._lifetimes.counted(answer)
        # Where ages are strict, a row may be said to be younger by as many ms as there were writes.
        ahead_ms = self.calls if self.capabilities.strict_ages else 0
        return agrees_in_real_time(answer, seen, self.unit_ms, ahead_ms)

    def _times_kept(self, call: Call, seen: Observed) -> bool:
        """In real time the first listing of a row fixes its times; they must not change later."""
        if self.virtual or not isinstance(seen, Listing):
            return True
        space = self.state.space(call.plugin, call.namespace)
        assert space is not None
        for row in seen.rows:
            modelled = space.find(row.key)
            assert modelled is not None
            identity = (space.plugin, space.name, row.key, modelled.created_at)
            times = (row.created_at, row.expires_at)
            if self._times.setdefault(identity, times) != times:
                return False
        return True

    def _diverged(
        self,
        call: Call,
        expected: tuple[Answer, ...],
        seen: Observed,
        before: State,
        clause: str | None,
        statement: str,
    ) -> Divergence:
        self.steps.append(Step(statement, describe_observed(seen), self.now))
        self.made.append(Made(call, seen, self.now, before, before))
        return Divergence(
            call=call,
            expected=expected,
            observed=seen,
            before=before,
            now=self.now,
            clause=clause,
        )


def _backend_name(number: int) -> str:
    return "backend" if number == 0 else f"backend{number + 1}"


def new_session(
    target: Target, capabilities: Capabilities, run_dir: str, *, subject: str | None = None
) -> Session:
    """Answer a session on a location of its own: nothing of another program is in its sight.

    Where the target has one address for all, each session has plugins of its own instead.
    """
    if target.location is None:
        location = tempfile.mkdtemp(prefix="at-", dir=run_dir)
        return Session(target, capabilities, location, subject=subject)
    tag = f"-{monotonic_ns():x}"
    return Session(target, capabilities, target.location, subject=subject, tag=tag)
