"""One schedule under way: segments in, and who was held, who waited, and how each call ended.

A schedule is written as segments: who runs, and up to where. A segment ends where its claimant is
held, has returned, or sleeps because it waits for another; then the next one begins. After the last
segment everybody goes on to the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from onewinner.schedule.claimant import Blocked, Died, Held, Returned

if TYPE_CHECKING:
    from onewinner.generator import Call
    from onewinner.schedule.claimant import Point
    from onewinner.schedule.crew import PythonClaimant
    from onewinner.schedule.gate import Hold


class Segment(NamedTuple):
    """Let claimant `who` run up to a point, or to its end."""

    who: int
    hold: Hold = None


class Stop(NamedTuple):
    """A claimant was held at a point, the `number`-th of its call."""

    who: int
    point: Point
    number: int


class Play:
    """One schedule under way."""

    def __init__(self, cast: list[PythonClaimant], calls: list[Call], fresh: str | None) -> None:
        self.ended: dict[int, Returned | Died] = {}
        self.stops: list[Stop] = []
        self.missed: list[int] = []
        self.waited: list[int] = []
        self.died: dict[int, Died] = {}
        self._cast = cast
        self._calls = calls
        self._fresh = fresh
        self._held: set[int] = set()
        self._begun: set[int] = set()
        self._watched: set[int] = set()

    def run(self, segments: tuple[Segment, ...]) -> None:
        """Run the segments one after the other, then everybody to the end.

        Only who is to be held is watched, or the first where nobody is: the points of the others
        are of no interest, and they run at full speed.
        """
        self._watched = {who for who, hold in segments if hold is not None} or {segments[0].who}
        holds = 0
        for who, hold in segments:
            before = len(self.stops)
            self._let(who, hold)
            if hold is not None:
                if len(self.stops) == before:
                    self.missed.append(holds)
                holds += 1
        self._drain()

    def _let(self, who: int, hold: Hold) -> None:
        if who in self.ended:
            return
        if who not in self._begun:
            self._begin(who, hold)
        elif who in self._held:
            self._held.discard(who)
            self._cast[who].resume(hold)
        else:
            return  # it waits for somebody who is still held
        self._settle(who)

    def _settle(self, who: int) -> None:
        settled = self._cast[who].settle()
        if isinstance(settled, Held):
            self.stops.append(Stop(who, settled.point, settled.number))
            self._held.add(who)
        elif isinstance(settled, Blocked):
            if who not in self.waited:
                self.waited.append(who)
        else:
            self._end(who, settled)

    def _end(self, who: int, ended: Returned | Died) -> None:
        self.ended[who] = ended
        if isinstance(ended, Died):
            self.died[who] = ended

    def _drain(self) -> None:
        """Let everybody go on to the end; those that are held first, for others may wait for them.

        A claimant that still waits has perhaps not come to its hold yet: it is held no more.
        """
        left = [who for who in range(len(self._cast)) if who not in self.ended]
        for who in left:
            if who in self._begun:
                self._cast[who].let_go()
        for who in left:
            if who in self._held:
                self._cast[who].resume()
            elif who not in self._begun:
                self._begin(who, None)
        self._held.clear()
        for who in left:
            self._end(who, self._cast[who].finish())

    def _begin(self, who: int, hold: Hold) -> None:
        self._begun.add(who)
        free = who not in self._watched
        self._cast[who].begin(self._calls[who], hold, fresh=self._fresh, free=free)

    def points_of(self, who: int) -> tuple[Point, ...]:
        """Answer the points that a claimant passed; none of one that died."""
        ended = self.ended[who]
        return ended.points if isinstance(ended, Returned) else ()
