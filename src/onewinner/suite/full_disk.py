"""The check of storage that fails: from a chosen point of a claim on, no write to a file succeeds.

The kit takes the room for files from the victim's process (the limit RLIMIT_FSIZE at 0), so each
write to a file fails with EFBIG, for this process and for nobody else. First the disk stays full up
to the end of the call; then there is room again at each later point, and a rival is let in there:
whoever recovers from an error without the lock that it had is seen to win beside the rival.
"""

from __future__ import annotations

import resource
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns
from onewinner.history import Ok
from onewinner.nemesis import act
from onewinner.nemesis.situations import KEY, write
from onewinner.schedule.choice import refusal
from onewinner.schedule.claimant import Held, Returned
from onewinner.suite.after_errors import AfterErrors, end_of, let_in, opening
from onewinner.suite.ground import HURT, Ground, Place, first_boundary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.history import Operation
    from onewinner.schedule.claimant import Point
    from onewinner.schedule.crew import PythonClaimant
    from onewinner.schedule.gate import Boundary
    from onewinner.suite.faults import Ask, Tally

_POINTS_MOST: Final = 60
_LEAST_S: Final = 3.0
_CLAIM: Final = write("register_if_absent", KEY, "v", None)
_RIVAL: Final = write("register_if_absent", KEY, "r", None)


def run_full_disk(ask: Ask, tally: Tally) -> None:
    """Fill the disk of a claimant at each point of its claim."""
    if ask.target.location is not None:
        for clause in ask.clauses:
            tally.left_out[clause] = "the kit cannot make the storage of a server fail"
        return
    if sys.platform != "linux":
        for clause in ask.clauses:
            tally.lacking[clause] = "to take the room from another process takes Linux (prlimit)"
        return
    if ask.target.served and (why := refusal()) is not None:
        tally.lacking = dict.fromkeys(
            ask.clauses, f"no copy of the command could be held, for {why}"
        )
        return
    with Ground.of(ask) as ground:
        _Full(ask, tally, ground).run()
        if not tally.number("claims failed by storage"):
            why = "no claim failed: the store wrote to no file inside it"
            # What only makes and removes names is judged where its system calls can be failed.
            judged = refusal() is None and ground.crew.trace() is None
            found = tally.left_out if judged else tally.lacking
            found.update(dict.fromkeys(ask.clauses, why))


class _Full:
    """The full disks of one target."""

    def __init__(self, ask: Ask, tally: Tally, ground: Ground) -> None:
        self._ask = ask
        self._tally = tally
        self._ground = ground
        self._after_errors = AfterErrors(ask.capabilities, tally, ground)
        self._boundary: Boundary = first_boundary(ground)
        self._over_ns = monotonic_ns() + int(ask.time_s(_LEAST_S) * 1e9)
        self._after: tuple[Point, ...] = ()

    def run(self) -> None:
        """Fill it at each point; then let a rival in at each point that comes after."""
        points = self._unheld()
        if not points and self._boundary == "sql":
            self._boundary = "line"
            points = self._unheld()
        for number in range(1, min(len(points), _POINTS_MOST) + 1):
            self._fill(number)
            if self._over():
                return
        for number in range(2, min(len(self._after), _POINTS_MOST) + 1):
            self._fill(1, rival_at=number)
            if self._over():
                return

    def _over(self) -> bool:
        late = monotonic_ns() > self._over_ns
        if late:
            self._tally.counts["all points"] = "as far as the time went"
        return late or self._ask.told(self._tally)

    def _unheld(self) -> tuple[Point, ...]:
        place = self._ground.place()
        victim = self._begun(place, None)
        ended = victim.finish()
        return ended.points if isinstance(ended, Returned) else ()

    def _begun(self, place: Place, hold: int | None) -> PythonClaimant:
        """Let the victim begin its claim, both claimants having the place open."""
        for who in (1, 0):
            self._ground.claimant(who).make(opening(place), fresh=place.location)
        victim = self._ground.claimant(1)
        victim.boundary = self._boundary
        victim.begin(_CLAIM._replace(plugin=place.plugin), hold, fresh=place.location)
        return victim

    def _fill(self, number: int, *, rival_at: int | None = None) -> None:
        """Fill the disk at a point: to the end of the call, or to a later point with a rival."""
        ground, place = self._ground, self._ground.place()
        victim = self._begun(place, number)
        settled = victim.settle()
        if not isinstance(settled, Held):
            self._tally.count("not reached")
            end_of(victim, settled)
            return
        theirs: Operation | None = None
        with _no_room(victim.pid):
            place.entries.append(act("fill", whom="p1", where=f"before `{settled.point.name}`"))
            victim.resume(rival_at)
            later = victim.settle() if rival_at is not None else None
            ended = None if isinstance(later, Held) else end_of(victim, later)
        if isinstance(later, Held):
            place.entries.append(act("empty", whom="p1", where=f"before `{later.point.name}`"))
            ended, theirs = let_in(ground, place, victim, _RIVAL)
            self._tally.count("rivals let in")
        else:
            place.entries.append(act("empty", whom="p1", where="after its claim"))
        assert ended is not None
        if number == 1 and rival_at is None and isinstance(ended, Returned):
            self._after = ended.points
        self._judged(place, ground.enter(place, 1, _CLAIM, ended, HURT), theirs)

    def _judged(self, place: Place, mine: Operation, theirs: Operation | None) -> None:
        """Judge the call, and what is served after it, by both claimants."""
        self._tally.count("claims while the disk was full")
        self._tally.count("claims failed by storage", not isinstance(mine.outcome, Ok))
        self._after_errors.judge(place, mine, theirs)


@contextmanager
def _no_room(pid: int) -> Iterator[None]:
    """Let every write of a process to a file fail for as long as the block lasts."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
