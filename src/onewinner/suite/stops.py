"""The check of stops: a process stands still at each point of a claim, and the world goes on.

The victim is held at a point and stopped (SIGSTOP). Time passes, beyond a TTL or by an hour; a
rival claims the key; the victim goes on (SIGCONT). Some order of the two, at times at which each
was under way, must explain all answers and what is left. At one point the rival is let wait for as
long as it wants to, up to its own time-out; at the others the victim goes on as soon as the rival
sleeps.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns
from onewinner.generator import Call, Pass
from onewinner.model import State
from onewinner.nemesis import act
from onewinner.nemesis.situations import KEY, lapse, write
from onewinner.schedule.choice import refusal
from onewinner.schedule.claimant import Blocked, Died, Held, Returned
from onewinner.schedule.telling import spread
from onewinner.suite.ground import HURT, CrashJudge, Ground, Place, at, first_boundary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.history import Operation
    from onewinner.schedule.claimant import Settled
    from onewinner.schedule.crew import PythonClaimant
    from onewinner.schedule.gate import Boundary
    from onewinner.suite.faults import Ask, Tally

_POINTS_MOST: Final = 40
_REAL_POINTS_MOST: Final = 12
_WAIT_S: Final = 8.0
_LEAST_S: Final = 3.0
_HARD_FACTOR: Final = 3.0
_HOUR_MS: Final = 3_600_000
_REAL_MS: Final = 400
_WHY: Final = "no order of these calls, each at one instant, is one that the contract allows"


@dataclass(frozen=True, slots=True)
class _Scene:
    """What is there before the victim stops, and what time passes while it stands still."""

    name: str
    prepare: tuple[Call, ...]
    claim: Call
    step: Pass


def run_stops(ask: Ask, tally: Tally) -> None:
    """Stop a process at each point of a claim, in each scene."""
    if ask.target.served and (why := refusal()) is not None:
        tally.lacking["DUR-7"] = f"no copy of the command could be held, for {why}"
        return
    with Ground.of(ask) as ground:
        stops = _Stops(ask, tally, ground)
        for scene in stops.scenes():
            stops.sweep(scene)
            if tally.broken:
                return
        if not ask.brief:
            stops.wait_out(scene)
    if not tally.number("stopped inside a claim"):
        tally.lacking["DUR-7"] = "no process came to a point inside a claim at which to stop it"


class _Stops:
    """The stops of one target."""

    def __init__(self, ask: Ask, tally: Tally, ground: Ground) -> None:
        self._ask = ask
        self._tally = tally
        self._ground = ground
        self._judge = CrashJudge(ask.capabilities)
        self._boundary: Boundary = first_boundary(ground)
        budget_s = ask.time_s(_LEAST_S)
        self._over_ns = monotonic_ns() + int(budget_s * 1e9)
        self._hard_ns = monotonic_ns() + int(budget_s * _HARD_FACTOR * 1e9)

    def scenes(self) -> Iterator[_Scene]:
        """Yield the scenes that the store's time allows."""
        capabilities = self._ask.capabilities
        claim = write("register_if_absent", KEY, "v", None)
        unit = capabilities.ttl_unit_ms
        long_ms = _HOUR_MS if self._ground.virtual else _REAL_MS
        if unit is not None:
            ttl = 5 * unit if self._ground.virtual else -(-_REAL_MS // unit) * unit
            old = write("register_if_absent", KEY, "old", ttl)
            yield _Scene("across a TTL", (old,), claim, lapse(ttl, capabilities))
        yield _Scene("for long", (), claim, Pass(long_ms, 0))

    def sweep(self, scene: _Scene) -> None:
        """Stop a victim at each point of its claim."""
        most = _POINTS_MOST if self._ground.virtual else _REAL_POINTS_MOST
        for number in spread(self._points(scene))[:most]:
            if monotonic_ns() > self._over_ns and self._tally.number("stopped inside a claim"):
                self._tally.counts["all points"] = "as far as the time went"
                return
            self._stop_at(scene, number)
            if self._tally.broken or monotonic_ns() > self._hard_ns:
                return

    def wait_out(self, scene: _Scene) -> None:
        """Stop a victim at its last point, where it holds most, and let a rival wait for it."""
        points = self._points(scene)
        if points:
            self._stop_at(scene, points, wait=True)

    def _points(self, scene: _Scene) -> int:
        """Answer how many points a claim has; lines are counted where there are no statements."""
        points = self._unstopped(scene)
        if not points and self._boundary == "sql":
            self._boundary = "line"
            points = self._unstopped(scene)
        return points

    def _unstopped(self, scene: _Scene) -> int:
        place = self._ground.place()
        self._ground.prepare(place, scene.prepare)
        victim = self._ground.claimant(1)
        victim.boundary = self._boundary
        victim.begin(scene.claim._replace(plugin=place.plugin), fresh=place.location)
        ended = victim.finish()
        return len(ended.points) if isinstance(ended, Returned) else 0

    def _stop_at(self, scene: _Scene, number: int, *, wait: bool = False) -> None:
        ground, place = self._ground, self._ground.place()
        victim = ground.claimant(1)
        victim.boundary = self._boundary
        victim.make(Call("open", place.plugin, "n", max_entries=100), fresh=place.location)
        ground.prepare(place, scene.prepare)
        began_ms = ground.now(Call("lookup", "", "n"))
        call = scene.claim._replace(plugin=place.plugin)
        victim.begin(call, number, fresh=place.location)
        settled = victim.settle()
        if not isinstance(settled, Held):
            self._leave(victim, settled)
            return
        self._tally.count("stopped inside a claim")
        where = f"before `{settled.point.name}`"
        with _Stopped(victim.pid):
            place.entries.append(act("stop", whom="p1", where=f"in {_shown(call)}, {where}"))
            ground.pass_time(scene.step, place)
            claim = write("register_if_absent", KEY, "r", None)
            rival, ended = self._rival(place, claim, wait=wait)
        place.entries.append(act("continue", whom="p1"))
        victim.resume()
        done = victim.finish()
        mine = ground.enter(place, 1, call, done, HURT)
        if ended is None:
            ended = rival.finish()
        theirs = ground.enter(place, 0, claim, ended, HURT)
        dead = [each for each in (done, ended) if isinstance(each, Died)]
        if dead:
            raise RuntimeError(f"a claimant died where one had been stopped: {dead[0].how}")
        looked = ground.look(place, 0, KEY)
        self._explained(scene, place, (mine, theirs), looked, began_ms)

    def _rival(
        self, place: Place, claim: Call, *, wait: bool
    ) -> tuple[PythonClaimant, Returned | Died | None]:
        """Let the rival claim; answer how that ended, None where it waits for the victim."""
        rival = self._ground.claimant(0)
        rival.boundary = self._boundary
        rival.begin(claim._replace(plugin=place.plugin), fresh=place.location)
        until_ns = monotonic_ns() + int(_WAIT_S * 1e9)
        while True:
            settled = rival.settle()
            if isinstance(settled, Returned | Died):
                return rival, settled
            if not wait or monotonic_ns() > until_ns:
                self._tally.count("rival left waiting")
                return rival, None

    def _leave(self, victim: PythonClaimant, settled: Settled) -> None:
        self._tally.count("not reached")
        if isinstance(settled, Blocked):
            victim.finish()

    def _explained(
        self,
        scene: _Scene,
        place: Place,
        met: tuple[Operation, Operation],
        looked: Sequence[Operation],
        began_ms: int,
    ) -> None:
        """Try all orders of the two, the victim at the time before or after; blame if none fits."""
        mine, theirs = met
        before = [each for each in place.calls if each.extra["phase"] == "prepare"]
        states = self._judge.after([State()], before)
        early, late = at(mine, began_ms), at(mine, theirs.extra["now"])
        orders = ((early, theirs), (late, theirs), (theirs, late))
        if not states or any(self._judge.after(states, [*each, *looked]) for each in orders):
            return
        self._tally.blame(
            "DUR-7",
            f"a process stood still in a claim {scene.name}, and its answer is not explained",
            place.story(),
            _WHY,
        )


class _Stopped:
    """Stops a process for as long as the block lasts; it goes on whatever happens there."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGCONT)


def _shown(call: Call) -> str:
    return f"{call.f}({call.key!r}, {call.value!r})"
