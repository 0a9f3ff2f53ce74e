"""Interrupts one call at one point and lets a rival in: the schedule is controlled, not hoped for.

A store that reads its clock before it waits for the right to write hands out a period that began
too early (TTL-6), and lists rows together that were never live together (READ-5). To see it, the
victim is held just where it has asked for the time: at a read of the kit's clock, where the store
takes its time from the kit, else at each line of a store in Python, one after the other. There a
rival frees the key and time moves on; then the victim goes on with the time that it was told.

Nothing here depends on how fast anything runs. A rival that has to wait for the victim is left
waiting until the victim is done: such a store holds its lock while it reads its clock.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from onewinner.clock import SystemClock, monotonic_ns, sleep, virtual_start_ms, wall_ns
from onewinner.contract import ABSENT
from onewinner.worker.hooks import HookClock, LineHook, Rival

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.contract import Backend, Store

_ROOMY: Final = 100
_HOUR_MS: Final = 3_600_000
_SHORT_TTL_MS: Final = 60
_STEADY_NS: Final = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to try: `virtual` decides whether clock reads or lines are the points of interruption.

    `points` is how many points there are to try, None to try every line; no new one is begun after
    `stop_ns`. `sharing` tells for each go whether victim and rival use one handle; `operations` are
    the store's.
    `local`: the store runs on this machine's clock, so that the times it lists can be compared.
    """

    location: str
    unit_ms: int
    virtual: bool
    sharing: tuple[bool, ...]
    operations: frozenset[str]
    local: bool
    points: int | None
    stop_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One interrupted call, all times in milliseconds of the store's clock.

    `what` is `claim` or `entries`, `point` the number of the clock read or line. `reached`: the
    victim came to that point. `inside`: the rival was done before the victim went on. For a claim:
    `answer` of the victim, `removed` the rival's, who began at `freed_ms` or later; at `seen_ms` or
    earlier the key's row was `found` (ABSENT: no row; None: not looked), listed with `expires_ms`.
    For `entries`: `answer` holds the keys listed; the first row expired before the second came.
    `sound` is False where a real clock was set meanwhile, or the trial could not be set up.
    """

    what: str
    point: int
    shared: bool
    reached: bool
    inside: bool = False
    told_ms: int = 0
    answer: Any = None
    removed: Any = None
    freed_ms: int = 0
    ttl_ms: int = 0
    seen_ms: int = 0
    found: Any = None
    expires_ms: int | None = None
    sound: bool = True
    points: int = 0


def preempt(send: Callable[[object], None], target: Target, plan: Plan) -> None:
    """Carry out a plan, sending a `Trial` for each call that was interrupted."""
    for shared in plan.sharing:
        stage = (_Virtual if plan.virtual else _Real)(target, plan, shared=shared)
        try:
            for trial in stage.trials():
                send(trial)
        finally:
            stage.close()


class _Stage:
    """What both kinds of trial share: the two handles, and fresh namespaces."""

    def __init__(self, target: Target, plan: Plan, clock: Clock, *, shared: bool) -> None:
        self.plan = plan
        self.shared = shared
        self._target = target
        self._clock = clock
        self._spaces = 0
        self._prefix = f"early-{wall_ns():x}"
        self.rival = Rival()
        self._victims = self._connect()
        self._rivals = self._victims if shared else self.rival.do(self._connect)

    def _connect(self) -> Backend:
        return self._target.connect(self.plan.location, self._clock)

    def stores(self) -> tuple[Store, Store]:
        """Open a namespace that nobody used before, for the victim and for the rival."""
        self._spaces += 1
        place = (self._prefix, f"n{self._spaces}")
        victim = self._victims.open(*place, max_entries=_ROOMY)
        if self.shared:
            return victim, victim
        return victim, self.rival.do(lambda: self._rivals.open(*place, max_entries=_ROOMY))

    def look(self, store: Store, key: str) -> tuple[Any, int | None]:
        """Answer what a key holds and the expiry that is listed, as far as the store can tell."""
        found, expires_ms = None, None
        if "lookup" in self.plan.operations:
            found = store.lookup(key)
        if "entries" in self.plan.operations and self.plan.local:
            rows = [row for row in store.entries() if row.key == key]
            expires_ms = rows[0].expires_at if rows else None
            found = found if found is not None else (rows[0].value if rows else ABSENT)
        return found, expires_ms

    def close(self) -> None:
        """Close what was connected; what a store raises here is not what is tried."""
        if not self.shared:
            with contextlib.suppress(Exception):
                self.rival.do(self._rivals.close)
        with contextlib.suppress(Exception):
            self._victims.close()
        self.rival.stop()


class _Virtual(_Stage):
    """Time stands still but for the steps taken here; clock reads are the points."""

    def __init__(self, target: Target, plan: Plan, *, shared: bool) -> None:
        self._hooks = HookClock(virtual_start_ms(plan.unit_ms))
        super().__init__(target, plan, self._hooks, shared=shared)

    def trials(self) -> Iterator[Trial]:
        """Interrupt claims, and listings where there are any, at their first few clock reads."""
        points = range(1, (self.plan.points or 1) + 1)
        for point in (*points, *points, *points):
            if monotonic_ns() > self.plan.stop_ns:
                return
            yield self._claim(point)
            if "entries" in self.plan.operations:
                yield self._entries(point)

    def _claim(self, point: int) -> Trial:
        unit, clock = self.plan.unit_ms, self._hooks
        victim, rival = self.stores()
        told = clock.time_ms
        ready = self.rival.do(lambda: rival.register_if_absent("k", "old"))
        inside = [False]

        def interrupt() -> None:
            clock.time_ms = told + 500 * unit
            self.rival.begin(lambda: rival.delete("k"))
            inside[0] = self.rival.settle()
            if inside[0]:
                clock.time_ms = told + 1_000 * unit

        answer = self._interrupted(
            point, interrupt, lambda: victim.register_if_absent("k", "new", ttl_ms=600 * unit)
        )
        reached = clock.time_ms != told
        removed = self.rival.finish()[1] if reached else None
        clock.time_ms = told + 1_000 * unit
        found, expires_ms = self.look(victim, "k")
        clock.time_ms = told + 10_000 * unit
        return Trial(
            what="claim",
            point=point,
            shared=self.shared,
            reached=reached,
            inside=inside[0],
            told_ms=told,
            answer=answer,
            removed=removed if isinstance(removed, bool) else None,
            freed_ms=told + 500 * unit,
            ttl_ms=600 * unit,
            seen_ms=told + 1_000 * unit,
            found=found,
            expires_ms=expires_ms,
            sound=ready is True,
        )

    def _entries(self, point: int) -> Trial:
        """The first row is expired when the second comes: no listing may hold both."""
        unit, clock = self.plan.unit_ms, self._hooks
        victim, rival = self.stores()
        told = clock.time_ms
        ready = self.rival.do(lambda: rival.register_if_absent("a", 1, ttl_ms=600 * unit))
        inside = [False]

        def interrupt() -> None:
            clock.time_ms = told + 1_000 * unit
            self.rival.begin(lambda: rival.register_if_absent("b", 2))
            inside[0] = self.rival.settle()

        listed = self._interrupted(point, interrupt, victim.entries)
        reached = clock.time_ms != told
        if reached:
            self.rival.finish()
        clock.time_ms = told + 10_000 * unit
        return Trial(
            what="entries",
            point=point,
            shared=self.shared,
            reached=reached,
            inside=inside[0],
            told_ms=told,
            answer=sorted(row.key for row in listed) if isinstance(listed, list) else None,
            ttl_ms=600 * unit,
            freed_ms=told + 1_000 * unit,
            sound=ready is True,
        )

    def _interrupted(
        self, point: int, interrupt: Callable[[], None], act: Callable[[], Any]
    ) -> Any:
        self._hooks.arm(point, interrupt)
        try:
            return act()
        except Exception as error:
            return repr(error)
        finally:
            self._hooks.disarm()


class _Real(_Stage):
    """Real time passes while the victim is held; the lines of the store are the points."""

    def __init__(self, target: Target, plan: Plan, *, shared: bool) -> None:
        super().__init__(target, plan, SystemClock(), shared=shared)
        listed = "entries" in plan.operations and plan.local
        self._ttl_ms = _HOUR_MS if listed else max(3 * plan.unit_ms, _SHORT_TTL_MS)
        self._hold_s = (plan.unit_ms + 25 if listed else self._ttl_ms + 10) / 1_000

    def trials(self) -> Iterator[Trial]:
        """Count the lines of a claim, then interrupt one claim at each, far apart ones first."""
        victim, _ = self.stores()
        counter = LineHook(0, lambda: None)
        self._traced(counter, lambda: victim.register_if_absent("k", "new", ttl_ms=self._ttl_ms))
        for point in _spread(counter.lines):
            if monotonic_ns() > self.plan.stop_ns:
                return
            yield self._claim(point, counter.lines)

    def _claim(self, point: int, points: int) -> Trial:
        victim, rival = self.stores()
        ready = self.rival.do(lambda: rival.register_if_absent("k", "old"))
        apart_ns = wall_ns() - monotonic_ns()
        told = freed = 0
        reached = inside = False

        def interrupt() -> None:
            nonlocal told, freed, reached, inside
            told = wall_ns() // 1_000_000
            sleep(self._hold_s)
            freed = wall_ns() // 1_000_000
            reached = True
            self.rival.begin(lambda: rival.delete("k"))
            inside = self.rival.settle()

        answer = self._traced(
            LineHook(point, interrupt),
            lambda: victim.register_if_absent("k", "new", ttl_ms=self._ttl_ms),
        )
        removed = self.rival.finish()[1] if reached else None
        found, expires_ms = self.look(victim, "k")
        seen = wall_ns() // 1_000_000 + 1
        steady = abs(wall_ns() - monotonic_ns() - apart_ns) < _STEADY_NS
        return Trial(
            what="claim",
            point=point,
            shared=self.shared,
            reached=reached,
            inside=inside,
            told_ms=told,
            answer=answer,
            removed=removed if isinstance(removed, bool) else None,
            freed_ms=freed,
            ttl_ms=self._ttl_ms,
            seen_ms=seen,
            found=found,
            expires_ms=expires_ms,
            sound=ready is True and steady,
            points=points,
        )

    @staticmethod
    def _traced(hook: LineHook, act: Callable[[], Any]) -> Any:
        sys.settrace(hook)
        try:
            return act()
        except Exception as error:
            return repr(error)
        finally:
            sys.settrace(None)


def _spread(count: int) -> list[int]:
    """Answer 1..count in an order in which any beginning is spread over the whole."""
    return sorted(range(1, count + 1), key=lambda each: int(f"{each:032b}"[::-1], 2))
