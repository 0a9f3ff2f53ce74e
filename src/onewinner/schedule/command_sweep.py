"""Two claimants, one vacant key, and every schedule with one preemption.

The victim is held at its first point, the rival claims, the victim goes on; then at its second
point, and so on, each time on a key that nobody used before, until the victim returns without
having been held. What the rival does at a point cannot change which points came before it, so that
covers every point there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from onewinner.clock import monotonic_ns
from onewinner.generator import Call
from onewinner.history import Ok, Outcome
from onewinner.schedule.claimant import Blocked, Died, Held, Returned

if TYPE_CHECKING:
    from onewinner.schedule.claimant import Claimant, Point, Settled

POINTS_MAX: Final = 1_000
"""How many points of one call are tried at most."""

BUDGET_S: Final = 60.0
"""How long a sweep may begin further schedules."""

_ATTEMPTS: Final = 3
_TURNS: Final = 1_000_000

Verdict: TypeAlias = Literal["passed", "failed", "untested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One schedule that was run: the victim held at `held`, the rival let in, both to their ends.

    `held` is None where the victim came to no such point: then the rival claimed after it.
    `waited`: the rival slept until the victim went on, so that it did not go first.
    `points` are those that the victim passed.
    """

    key: str
    held: Held | None
    waited: bool
    victim: Outcome | Died
    rival: Outcome | Died
    points: tuple[Point, ...]

    @property
    def winners(self) -> tuple[str, ...]:
        """Who was told that it won."""
        told = (("victim", self.victim), ("rival", self.rival))
        return tuple(who for who, what in told if what == Ok(result=True))

    @property
    def wrong(self) -> str | None:
        """What must not be: two winners, no winner, or an error; None where one won, one lost."""
        for who, what in (("victim", self.victim), ("rival", self.rival)):
            if isinstance(what, Died):
                return f"error: the {who} is gone: {what.how}"
            if not isinstance(what, Ok):
                return f"error: the {who} got {what}"
        if len(self.winners) != 1:
            return "two winners" if self.winners else "no winner"
        return None

    def describe(self) -> str:
        """Say in one line who was held where, and what both were told."""
        where = f"before {_named(self.held.point)}" if self.held else "nowhere"
        wait = ", who waited for it," if self.waited else ""
        return f"victim held {where}, rival{wait} told {self.rival}, victim told {self.victim}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep found; `points` are those of a call that nobody interrupted.

    `cut` says why not all schedules with one preemption were run, None where they were. `steady` is
    False where the points of the victim's calls differed from one schedule to another.
    """

    boundary: str
    schedules: tuple[Schedule, ...]
    points: tuple[Point, ...]
    steady: bool
    cut: str | None

    @property
    def wrong(self) -> tuple[Schedule, ...]:
        """The schedules that show a violation."""
        return tuple(schedule for schedule in self.schedules if schedule.wrong is not None)

    @property
    def verdict(self) -> Verdict:
        """Whether something is wrong, all was tried and is right, or not all was tried."""
        if self.wrong:
            return "failed"
        return "untested" if self.doubt else "passed"

    @property
    def doubt(self) -> str | None:
        """Why this is not every schedule with one preemption; None where it is."""
        if self.cut is not None:
            return self.cut
        if not any(schedule.held for schedule in self.schedules):
            return "the victim's call showed no point"
        return None if self.steady else "the victim's points differ from call to call"

    def describe(self) -> str:
        """Say in one line what was tried, and what came of it."""
        run, bad = len(self.schedules), len(self.wrong)
        if self.doubt is None:
            what = f"all schedules with at most 1 preemption at boundary {self.boundary}"
            return f"{what}: {run} run, {bad} bad"
        said = f"{self.verdict} at boundary {self.boundary}, {run} schedules run, {bad} bad"
        return f"{said}; not all there are: {self.doubt}"


def sweep(
    victim: Claimant,
    rival: Claimant,
    *,
    prefix: str,
    points_max: int = POINTS_MAX,
    budget_s: float = BUDGET_S,
) -> Swept:
    """Run every schedule in which the victim is held once, on vacant keys that `prefix` begins.

    Both claim a key of their own first, so that no call swept is the first of its process. Where
    the victim's points differ from call to call, because its runtime did something of its own
    meanwhile, all is run again, up to three times. A sweep ends early, and says so, where a
    claimant is gone or its budget is spent.
    """
    until_ns = monotonic_ns() + int(budget_s * 1e9)
    schedules: list[Schedule] = []
    points: tuple[Point, ...] = ()
    steady = False
    cut = _warm(victim, rival, prefix)
    for attempt in range(1, _ATTEMPTS + 1):
        if steady or cut is not None:
            break
        found, cut = _once(victim, rival, f"{prefix}-{attempt}", points_max, until_ns)
        points = found[-1].points if found and found[-1].held is None else ()
        steady = _are_steady(found, points)
        schedules += found
    boundary = victim.boundary
    return Swept(
        boundary=boundary, schedules=tuple(schedules), points=points, steady=steady, cut=cut
    )


def _once(
    victim: Claimant, rival: Claimant, prefix: str, points_max: int, until_ns: int
) -> tuple[list[Schedule], str | None]:
    """Hold the victim at one point after the other; answer why that was ended early, if it was."""
    found: list[Schedule] = []
    while not found or found[-1].held is not None:
        number = len(found) + 1
        if number > points_max:
            return found, f"no more than {points_max} points are tried"
        if monotonic_ns() > until_ns:
            return found, "its time was over"
        found.append(run(victim, rival, f"{prefix}-{number}", number))
        if (gone := _gone(found[-1])) is not None:
            return found, gone
    return found, None


def run(victim: Claimant, rival: Claimant, key: str, hold: int | Point) -> Schedule:
    """Run one schedule: the victim claims `key` and is held, the rival claims, the victim goes on.

    A rival that sleeps before the victim goes on is waiting for it, so the victim goes on first.
    """
    victim.begin(_claim(key, "victim"), hold)
    first: Settled = _until_awake(victim)
    held = first if isinstance(first, Held) else None
    rival.begin(_claim(key, "rival"))
    second = rival.settle()
    waited = held is not None and isinstance(second, Blocked)
    if held is not None:
        victim.resume()
        first = victim.settle()
    victims, rivals = _to_the_end(victim, first, rival, second)
    return Schedule(
        key=key,
        held=held,
        waited=waited,
        victim=victims if isinstance(victims, Died) else victims.outcome,
        rival=rivals if isinstance(rivals, Died) else rivals.outcome,
        points=() if isinstance(victims, Died) else victims.points,
    )


def _warm(victim: Claimant, rival: Claimant, prefix: str) -> str | None:
    """Let both make a call; answer why nothing can be swept."""
    for number, claimant in enumerate((victim, rival)):
        claimant.begin(_claim(f"{prefix}-warm-{number}", "warm"))
        settled = _until_awake(claimant)
        if isinstance(settled, Died):
            return f"claimant {number + 1} is gone before its first call returned: {settled.how}"
    return None


def _claim(key: str, value: str) -> Call:
    return Call("register_if_absent", "sweep", "sweep", key, value)


def _until_awake(claimant: Claimant) -> Held | Returned | Died:
    """Settle a claimant that has nobody to wait for; one that sleeps for ever is gone in the end.

    A claimant's own watchdog ends that; the bound on turns is there lest one has none.
    """
    for _ in range(_TURNS):
        settled = claimant.settle()
        if not isinstance(settled, Blocked):
            return settled
    raise RuntimeError("a claimant slept and slept, and no watchdog ended it")


def _to_the_end(
    victim: Claimant, first: Settled, rival: Claimant, second: Settled
) -> tuple[Returned | Died, Returned | Died]:
    """Settle both by turns until both have returned: either may sleep until the other is done."""
    for _ in range(_TURNS):
        if isinstance(first, Blocked):
            first = victim.settle()
        if isinstance(second, Blocked):
            second = rival.settle()
        if isinstance(first, Returned | Died) and isinstance(second, Returned | Died):
            return first, second
    raise RuntimeError(f"a call does not come to its end: {first}, {second}")


def _gone(schedule: Schedule) -> str | None:
    for who, what in (("victim", schedule.victim), ("rival", schedule.rival)):
        if isinstance(what, Died):
            return f"the {who} is gone: {what.how}"
    return None


def _are_steady(schedules: list[Schedule], points: tuple[Point, ...]) -> bool:
    """Tell whether each hold was at the point that an undisturbed call has at that number."""
    held = [schedule.held for schedule in schedules if schedule.held is not None]
    return len(held) == len(points) and all(
        points[each.number - 1] == each.point for each in held if each.number <= len(points)
    )


def _named(point: Point) -> str:
    return f"`{point.name}`" + (f" ({point.ordinal})" if point.ordinal > 1 else "")
