"""The stateful model: Hypothesis draws programs over several plugins, namespaces and keys.

Each program runs on a fresh location; every answer is held against the model. Virtual time can
stand still, step to just before, at and just after an expiry, and jump; real time only lapses.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from hypothesis import event, reject
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    rule,
)

from onewinner.clock import monotonic_ns
from onewinner.contract import OPTIONAL_OPERATIONS
from onewinner.contract.clauses import missing_need
from onewinner.strategies import programs
from onewinner.suite.answers import Raised
from onewinner.suite.diagnosis import blame, violation
from onewinner.suite.divergence import Divergence, Undecided
from onewinner.suite.exercise import marks
from onewinner.suite.session import Session, new_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.suite.handle import Handle
    from onewinner.suite.tree import Violation

_FILLABLE_CAP = 2_000
"""A cap above this is left to the directed cases: filling it would take the whole budget."""


class BudgetSpent(BaseException):
    """The time for programs is over; a BaseException, so that Hypothesis lets it through."""


@dataclass(slots=True)
class Campaign:
    """What all programs of one check share: the target, the time left, and what was found.

    `spent` says that the time was over in the middle of a batch, `mistake` is an exception that was
    neither the store's answer nor a divergence. From `waits_until_ns` on no program waits for a row
    to expire: where a TTL is a second or more, one that does takes as long as all others.
    """

    target: Target
    capabilities: Capabilities
    run_dir: str
    deadline_ns: int
    waits_until_ns: int
    on_session: Callable[[Session], None] | None = None
    programs: int = 0
    calls: int = 0
    marks: Counter[str] = field(default_factory=Counter)
    smallest: int = 0
    found: Violation | None = None
    spent: bool = False
    mistake: Exception | None = None

    def keep(self, session: Session, divergence: Divergence) -> None:
        """Remember a divergence if its program is the shortest so far."""
        if self.found is None or len(session.steps) < self.smallest:
            self.smallest = len(session.steps)
            clause = divergence.clause or blame(session, divergence)
            self.found = violation(session, divergence, clause)


_Write: TypeAlias = tuple[str, int, Any, int | None]

_UNITS = st.one_of(st.none(), st.sampled_from([1, 2, 3, 4, 1000]))
_WRITES: st.SearchStrategy[_Write] = st.tuples(
    st.sampled_from(["register_if_absent", "register_if_absent", "register"]),
    st.integers(0, 5),
    programs.values(),
    _UNITS,
)


SPACES: Final[Bundle[Handle]] = Bundle("spaces")
"""The namespaces that a program has open."""


class StoreMachine(RuleBasedStateMachine):
    """One program. Subclasses set `campaign` (see `machine_for`)."""

    campaign: ClassVar[Campaign]
    spaces = SPACES

    def __init__(self) -> None:
        super().__init__()
        campaign = self.campaign
        if monotonic_ns() > campaign.deadline_ns:
            campaign.spent = True
            raise BudgetSpent
        campaign.programs += 1
        self.session = new_session(campaign.target, campaign.capabilities, campaign.run_dir)
        if campaign.on_session is not None:
            campaign.on_session(self.session)
        self.keys: list[str] = list(programs.PLAIN_KEYS)
        self.handles: dict[tuple[str, str], Handle] = {}
        self.filled = False

    # --- set-up -------------------------------------------------------------------------------

    @initialize(
        target=spaces,
        pool=programs.key_pools(validates=True),
        crowded=st.integers(1, 3),
        roomy=st.integers(3, 6),
        ttl=st.sampled_from([None, None, 3]),
    )
    def begin(self, pool: list[str], crowded: int, roomy: int, ttl: int | None) -> Any:
        """Open a crowded namespace, a roomy sibling, and one of another plugin."""
        if self.session.capabilities.validates_input:
            self.keys = pool
        default = None if ttl is None else ttl * self.session.unit_ms
        if not self.session.virtual or self.session.capabilities.ttl_unit_ms is None:
            default = None
        return multiple(
            self._open("p", "n", max_entries=crowded, default_ttl_ms=default),
            self._open("p", "m", max_entries=roomy),
            self._open("q", "n", max_entries=crowded),
        )

    @rule(target=spaces, place=programs.places(), size=st.integers(1, 4))
    def open_another(self, place: tuple[str, str], size: int) -> Any:
        """Open one more place, often with a name that is nearly another's."""
        if place in self.handles:
            return self.handles[place]
        return self._open(*place, max_entries=size)

    def _open(self, plugin: str, namespace: str, **options: Any) -> Handle:
        handle: Handle = self.drive(lambda: self.session.open(plugin, namespace, **options))
        self.handles[plugin, namespace] = handle
        return handle

    # --- operations ---------------------------------------------------------------------------

    @rule(space=spaces, writes=st.lists(_WRITES, min_size=1, max_size=5))
    def claim_and_register(self, space: Handle, writes: list[_Write]) -> None:
        """Make a few writes in a row: keys collide, namespaces overflow."""
        for f, key, value, units in writes:
            self._write(space, f, key, value, units)

    @rule(space=spaces, key=st.integers(0, 5), value=programs.values(), units=_UNITS)
    def claim_twice(self, space: Handle, key: int, value: Any, units: int | None) -> None:
        """Claim a key, and claim it again with another value."""
        self._write(space, "register_if_absent", key, value, units)
        self._write(space, "register_if_absent", key, "again", None)

    @rule(key=st.integers(0, 5), value=programs.values())
    def claim_everywhere(self, key: int, value: Any) -> None:
        """Claim one key in every place that is open."""
        for number, space in enumerate(self.handles.values()):
            self._write(space, "register_if_absent", key, [value, number], None)

    def _write(self, space: Handle, f: str, key: int, value: Any, units: int | None) -> None:
        if not self._has(f):
            return
        ttl = None if units is None else units * self.session.unit_ms
        if missing_need("ttl", self.session.capabilities):
            ttl = None
        elif ttl is not None and not self.session.virtual:
            ttl = 1000 * ttl  # in real time only `plant` writes rows that a program outlives
        write = space.claim if f == "register_if_absent" else space.register
        seen = self.drive(lambda: write(self._key(key), value, ttl_ms=ttl))
        if isinstance(seen, Raised):
            self.look_at(space)

    @rule(space=spaces, key=st.integers(0, 5), f=st.sampled_from(["lookup", "consume", "delete"]))
    def read_or_remove(self, space: Handle, key: int, f: str) -> None:
        """Look up, consume or delete."""
        if self._has(f):
            self.drive(lambda: getattr(space, f)(self._key(key)))

    @rule(space=spaces)
    def look_around(self, space: Handle) -> None:
        """List the namespace and look up every key of the pool."""
        self.look_at(space)

    @rule(space=spaces, sure=st.integers(0, 2))
    def clear(self, space: Handle, sure: int) -> None:
        """Clear a namespace, one time in three."""
        if sure == 2 and self._has("clear"):
            self.drive(space.clear)

    @rule()
    def sweep(self) -> None:
        """Sweep expired rows."""
        if self._has("sweep_expired"):
            self.drive(self.session.sweep)

    # --- time -----------------------------------------------------------------------------------

    @rule(how=st.sampled_from(["before", "at", "after", "tick", "jump"]))
    def move_time(self, how: str) -> None:
        """Step virtual time to where something happens, or on."""
        if not self.session.virtual:
            return
        unit, now = self.session.unit_ms, self.session.now
        ahead = [
            r.expires_at - now
            for s in self.session.state.spaces
            for r in s.rows
            if r.expires_at is not None and r.expires_at > now
        ]
        due = min(ahead, default=unit)
        step = {"before": due - unit, "at": due, "after": due + unit, "tick": unit}
        by_ms = step.get(how, 500 * unit)
        if by_ms > 0:
            self.session.advance(by_ms)

    @rule(space=spaces, keys=st.sets(st.integers(0, 5), min_size=1, max_size=2))
    def plant_expired(self, space: Handle, keys: set[int]) -> None:
        """Leave rows that have expired and that nothing has looked at since."""
        session = self.session
        if (
            session.capabilities.ttl_unit_ms is None
            or "register" not in session.capabilities.operations
        ):
            return
        if not session.virtual:
            if self.campaign.found is None and monotonic_ns() > self.campaign.waits_until_ns:
                return
            state = session.state.space(space.plugin, space.namespace)
            assert state is not None
            if len(state.rows) + len(keys) > state.max_entries:
                return  # a row that expires while its neighbour is written would evict or not
        self.drive(lambda: session.plant(space, *(self._key(key) for key in sorted(keys))))

    # --- what is refused, and the rest of the world ----------------------------------------------

    @rule(
        space=spaces,
        key=programs.wrong_keys(),
        ttl=programs.wrong_ttls(),
        value=programs.wrong_values(),
        what=st.sampled_from(["key", "ttl", "value"]),
        f=st.sampled_from(["register_if_absent", "register"]),
        sure=st.integers(0, 2),
    )
    def be_refused(
        self, space: Handle, key: Any, ttl: Any, value: Any, what: str, f: str, sure: int
    ) -> None:
        """Write with one wrong argument, then look whether anything changed; one time in three."""
        if sure != 2 or not self._has(f) or not self.session.capabilities.validates_input:
            return
        if what == "ttl" and self.session.capabilities.ttl_unit_ms is None:
            return
        write = space.claim if f == "register_if_absent" else space.register
        wrong_key = key if what == "key" else self._key(0)
        wrong_value = value if what == "value" else 1
        wrong_ttl = ttl if what == "ttl" else None
        self.drive(lambda: write(wrong_key, wrong_value, ttl_ms=wrong_ttl))
        self.look_at(space)

    @rule(options=programs.wrong_openings(), sure=st.integers(0, 2))
    def be_refused_to_open(self, options: dict[str, Any], sure: int) -> None:
        """Open with a wrong argument, one time in three."""
        if sure == 2 and self.session.capabilities.validates_input:
            self.drive(lambda: self.session.try_open(**options))

    @rule(spare=st.integers(0, 3), sure=st.integers(0, 7))
    def fill_plugin(self, spare: int, sure: int) -> None:
        """Take a plugin to just below its cap, one time in eight: it costs many rows."""
        cap = self._cap()
        if sure != 7 or cap is None or self.filled:
            return
        self.filled = True
        bulk = self._open("p", "bulk", max_entries=2 * cap)
        held = self.session.state.plugin_rows(bulk.plugin, self.session.now)
        self.drive(lambda: self.session.fill(bulk, max(cap - held - spare, 0)))

    @rule(sure=st.integers(0, 2))
    def reopen(self, sure: int) -> None:
        """Close the store and open it again, one time in three."""
        if sure != 2 or not self.session.capabilities.durable:
            return
        self.drive(self.session.reopen)
        for place, handle in self.handles.items():
            self._open_again(place, handle)

    def _open_again(self, place: tuple[str, str], handle: Handle) -> None:
        state = self.session.state.space(handle.plugin, handle.namespace)
        assert state is not None
        again: Handle = self.drive(
            lambda: self.session.open(
                *place,
                max_entries=state.max_entries,
                default_ttl_ms=state.default_ttl_ms,
                overflow_policy=state.overflow_policy,
            )
        )
        handle.store, handle.name = again.store, again.name

    # --- plumbing ---------------------------------------------------------------------------------

    def drive(self, act: Callable[[], Any]) -> Any:
        """Make the calls of one rule, count what they exercised, and keep what diverges."""
        session = self.session
        session.on_step = self._count
        try:
            return act()
        except Divergence as divergence:
            self.campaign.keep(session, divergence)
            raise
        except Undecided:
            reject()  # what else the program did is right, as far as anybody can tell
        except Exception as error:
            self.campaign.mistake = error  # the kit's own: Hypothesis must not hide it
            raise

    def look_at(self, space: Handle) -> None:
        """Observe a place with all keys of the pool."""
        self.drive(lambda: space.observe(*self.keys))

    def _count(self, before: Any, call: Any, seen: Any) -> None:
        self.campaign.calls += 1
        for mark in marks(before, self.session.state, call, seen, self.session.now):
            self.campaign.marks[mark] += 1
            event(mark)

    def _has(self, f: str) -> bool:
        return f in self.session.capabilities.operations

    def _key(self, number: int) -> str:
        return self.keys[number % len(self.keys)]

    def _cap(self) -> int | None:
        cap = self.session.capabilities.limits.plugin_row_cap
        return cap if cap is not None and cap <= _FILLABLE_CAP else None

    def teardown(self) -> None:
        """Look at everything once more, then leave nothing behind."""
        try:
            for handle in self.handles.values():
                self.look_at(handle)
        finally:
            self.session.close()
            if self.campaign.target.location is None:
                shutil.rmtree(self.session.location, ignore_errors=True)


def machine_for(campaign: Campaign) -> type[StoreMachine]:
    """Answer a machine class whose programs belong to `campaign`.

    The rules of newer operations are drawn only for stores that have any.
    """
    from onewinner.suite.newer_machine import NewerStoreMachine

    offered = campaign.capabilities
    newer = offered.overflow_option or OPTIONAL_OPERATIONS & offered.operations
    kind = NewerStoreMachine if newer else StoreMachine
    return type("StoreProgram", (kind,), {"campaign": campaign})
