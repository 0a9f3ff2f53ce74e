"""The check of system calls that fail: one that changes a file of the store, for one caller.

The victim is traced. In each situation its call is made once to see which system calls change what
lies below the location; then again for each of these, which fails with EIO, and with ENOSPC where a
full disk can make it fail. A rival is let in at the points that come after the failed one, and one
is held at work while it fails: whoever tidies up after an error what is not its own, or no longer,
is seen to take it from the rival.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from onewinner.clock import monotonic_ns
from onewinner.generator import Call
from onewinner.history import Ok
from onewinner.nemesis import act
from onewinner.nemesis.situations import KEY, lapse, ttl_of, write
from onewinner.schedule.choice import refusal
from onewinner.schedule.claimant import Died, Held, Returned
from onewinner.schedule.failing import Failing, can_lack_room
from onewinner.schedule.telling import spread
from onewinner.suite.after_errors import AfterErrors, end_of, let_in, opening
from onewinner.suite.ground import HURT, Ground

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Capabilities
    from onewinner.generator import Step
    from onewinner.history import Operation
    from onewinner.schedule.claimant import Point
    from onewinner.schedule.traced import TracedClaimant
    from onewinner.suite.faults import Ask, Tally
    from onewinner.suite.ground import Place

_LEAST_S: Final = 3.0
_CHANGES_MOST: Final = 60
_RIVALS_MOST: Final = 8
_HOLDS_MOST: Final = 4
_RIVAL: Final = 0
_VICTIM: Final = 1
_CLAIM: Final = write("register_if_absent", KEY, "v", None)
_AGAIN: Final = write("register_if_absent", KEY, "again", None)
_RIVALS: Final = write("register_if_absent", KEY, "r", None)

Changes: TypeAlias = "list[tuple[int, Point]]"


@dataclass(frozen=True, slots=True)
class _Scene:
    """What is prepared, and the call in which a system call fails.

    `opened`: the victim has the namespace open before. `vacant`: nobody holds the key.
    """

    name: str
    call: Call
    prepare: tuple[Step, ...] = ()
    opened: bool = True
    vacant: bool = True


def run_failed_calls(ask: Ask, tally: Tally) -> None:
    """Let each system call that changes a file fail, one at a time."""
    if ask.target.location is not None:
        for clause in ask.clauses:
            tally.left_out[clause] = "the kit cannot make the system calls of a server fail"
        return
    with Ground.of(ask) as ground:
        if (why := refusal() or ground.crew.trace()) is not None:
            for clause in ask.clauses:
                tally.left_out[clause] = why
            tally.notes.append(f"no system call was made to fail, for {why}")
            return
        _FailedCalls(ask, tally, ground).run()
    if not tally.number("claims with a failed call"):
        why = "no claim had a system call that could fail: it changed no file below its location"
        tally.lacking |= dict.fromkeys(("ERR-5", "ERR-6"), why)
    if not tally.number("deletes with a failed call"):
        tally.left_out["DEL-1"] = "no delete changed a file below its location"


def _scenes(capabilities: Capabilities) -> Iterator[_Scene]:
    old = write("register_if_absent", KEY, "old", None)
    yield _Scene("claim of a vacant key", _CLAIM)
    yield _Scene("claim of a key that is held", _CLAIM, (old,), vacant=False)
    if "delete" in capabilities.operations:
        call = Call("delete", "", "n", KEY, max_entries=100)
        yield _Scene("delete of a live row", call, (old,), vacant=False)
    ttl = ttl_of(capabilities)
    if capabilities.virtual_clock and ttl is not None:
        short = write("register_if_absent", KEY, "old", ttl)
        steps = (short, lapse(ttl, capabilities))
        yield _Scene("claim of a key that has just expired", _CLAIM, steps)
    call = Call("open", "", "n", max_entries=100)
    yield _Scene("open of what is there", call, (old,), opened=False, vacant=False)
    yield _Scene("first open", call, opened=False)


class _FailedCalls:
    """The failed system calls of one target."""

    def __init__(self, ask: Ask, tally: Tally, ground: Ground) -> None:
        self._ask = ask
        self._tally = tally
        self._ground = ground
        self._after_errors = AfterErrors(ask.capabilities, tally, ground)
        self._over_ns = monotonic_ns() + int(ask.time_s(_LEAST_S) * 1e9)

    def run(self) -> None:
        """Go through the scenes: nobody else is there, a rival comes, one is at work already."""
        scenes = [(scene, self._changes(scene)) for scene in _scenes(self._ask.capabilities)]
        passes = (self._alone, self._rival_comes, self._rival_at_work, self._no_room)
        whole = all(each(scene, changes) for each in passes for scene, changes in scenes)
        self._tally.counts["all system calls"] = "yes" if whole else "as far as the time went"

    def _alone(self, scene: _Scene, changes: Changes) -> bool:
        """Let each call fail with EIO; answer, as the others do, whether there is time left."""
        for number in range(1, len(changes) + 1):
            self._fail(scene, number, errno.EIO)
            if self._over():
                return False
        return True

    def _rival_comes(self, scene: _Scene, changes: Changes) -> bool:
        """Let each call fail, and a rival in at each point that comes after it."""
        for number, (failed, _) in enumerate(changes if scene.opened else (), 1):
            last = self._fail(scene, number, errno.EIO)
            for place in spread(last - failed)[:_RIVALS_MOST]:
                self._fail(scene, number, errno.EIO, rival_at=failed + place)
                if self._over():
                    return False
        return True

    def _rival_at_work(self, scene: _Scene, changes: Changes) -> bool:
        """Hold a rival at its changes, and let each call of the victim fail meanwhile."""
        if scene.call.f != _CLAIM.f or not scene.vacant or scene.prepare:
            return True
        numbers = spread(len(changes))[:_HOLDS_MOST]
        for hold in numbers:
            for number in sorted(numbers):
                reached = self._fail_beside(scene, number, changes[hold - 1][0])
                if self._over():
                    return False
                if not reached:  # it waited for the rival before that, and will again
                    break
        return True

    def _no_room(self, scene: _Scene, changes: Changes) -> bool:
        """Let each call fail with ENOSPC that a full disk can make fail."""
        for number, (_, point) in enumerate(changes if scene.opened else (), 1):
            if can_lack_room(point):
                self._fail(scene, number, errno.ENOSPC)
                if self._over():
                    return False
        return True

    def _over(self) -> bool:
        return monotonic_ns() > self._over_ns or self._ask.told(self._tally)

    @property
    def _victim(self) -> TracedClaimant:
        return cast("TracedClaimant", self._ground.claimant(_VICTIM))

    def _changes(self, scene: _Scene) -> Changes:
        """Answer the system calls of an undisturbed call that change a file of the store."""
        place = self._ground.place()
        self._prepare(scene, place)
        failing = self._begin(scene, place)
        self._victim.finish()
        self._victim.watch(None)
        return failing.changes[:_CHANGES_MOST]

    def _prepare(self, scene: _Scene, place: Place) -> None:
        """Let the rival have the place open, and the victim where it shall."""
        if scene.opened:
            self._victim.make(opening(place), fresh=place.location)
        if scene.opened or scene.prepare:
            self._ground.claimant(_RIVAL).make(opening(place), fresh=place.location)
        self._ground.prepare(place, scene.prepare)

    def _begin(
        self,
        scene: _Scene,
        place: Place,
        number: int = 0,
        error: int = 0,
        hold: int | None = None,
    ) -> Failing:
        """Let the victim begin its call, of which one system call fails."""
        victim = self._victim
        failing = Failing(self._ground.address(place), number, error)
        victim.watch(failing)
        victim.boundary = "syscall"
        victim.begin(scene.call._replace(plugin=place.plugin), hold, fresh=place.location)
        return failing

    def _fail(self, scene: _Scene, number: int, error: int, *, rival_at: int | None = None) -> int:
        """Fail a system call, and let a rival in at a point; answer how many points there were."""
        ground, place, victim = self._ground, self._ground.place(), self._victim
        self._prepare(scene, place)
        failing = self._begin(scene, place, number, error, rival_at)
        settled = victim.settle()
        theirs: Operation | None = None
        if isinstance(settled, Held) and failing.failed is not None:
            self._enter_fault(place, failing)
            ended, theirs = let_in(ground, place, victim, _RIVALS)
            self._tally.count("rivals let in")
        else:
            ended = end_of(victim, settled)
            self._enter_fault(place, failing)
        victim.watch(None)
        if failing.failed is None:
            self._tally.count("not reached")
            return 0
        mine = ground.enter(place, _VICTIM, scene.call, ended, HURT)
        self._judged(scene, place, mine, theirs)
        return len(ended.points) if isinstance(ended, Returned) else 0

    def _fail_beside(self, scene: _Scene, number: int, hold: int) -> bool:
        """Fail a system call while a rival is held inside its own claim; then claim once more.

        Whoever waits for the rival lets it go on. Both may be told of an error then. Answers
        whether the victim came to the call that was to fail.
        """
        ground, place, victim = self._ground, self._ground.place(), self._victim
        self._prepare(scene, place)
        rival = cast("TracedClaimant", ground.claimant(_RIVAL))
        rival.boundary = "syscall"
        rival.begin(_RIVALS._replace(plugin=place.plugin), hold, fresh=place.location)
        settled = rival.settle()
        if not isinstance(settled, Held):
            self._tally.count("not reached")
            end_of(rival, settled)
            return True
        where = f"before `{settled.point.name}` in its claim of the key"
        place.entries.append(act("hold", whom="p0", where=where))
        failing = self._begin(scene, place, number, errno.EIO)
        ended, held = self._end_beside(rival, held=True)
        self._enter_fault(place, failing)
        mine = ground.enter(place, _VICTIM, scene.call, ended, HURT)
        victim.watch(None)
        victim.begin(_AGAIN._replace(plugin=place.plugin), fresh=place.location, free=True)
        ended, held = self._end_beside(rival, held=held)
        again = ground.enter(place, _VICTIM, _AGAIN, ended, HURT)
        if held:
            rival.resume()
        theirs = ground.enter(place, _RIVAL, _RIVALS, rival.finish(), HURT)
        if failing.failed is None:
            self._tally.count("not reached")
        else:
            self._tally.count("failed beside a rival at work")
            self._judged(scene, place, mine, theirs, again)
        return failing.failed is not None

    def _end_beside(self, rival: TracedClaimant, *, held: bool) -> tuple[Returned | Died, bool]:
        """Wait for the end of the victim's call; where it waits the rival is held no more."""
        settled = self._victim.settle()
        if isinstance(settled, Returned | Died):
            return settled, held
        if held:
            rival.resume()
        return self._victim.finish(), False

    def _enter_fault(self, place: Place, failing: Failing) -> None:
        if failing.failed is not None:
            where = f"`{failing.failed.name}` ({errno.errorcode[failing.error]})"
            place.entries.append(act("fail", whom="p1", where=where, at_ns=failing.failed_ns))

    def _judged(
        self,
        scene: _Scene,
        place: Place,
        mine: Operation,
        theirs: Operation | None,
        again: Operation | None = None,
    ) -> None:
        word = {"register_if_absent": "claims", "delete": "deletes"}.get(scene.call.f, "opens")
        self._tally.count(f"{word} with a failed call")
        self._tally.count("answered with an error", not isinstance(mine.outcome, Ok))
        self._after_errors.judge(place, mine, theirs, again, vacant=scene.vacant)
