"""What sweeps covered of a clause, and how that is said: what was run to its end, and what was not.

A sweep proves nothing below its boundary and nothing beyond its number of preemptions, so both are
part of the sentence; where the time ran out before the end, the sentence says that instead.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from onewinner.schedule.choice import NAMES

if TYPE_CHECKING:
    from onewinner.schedule.gate import Boundary
    from onewinner.suite.held import Bad

SWEPT: Final = "swept"
"""The name of the evidence that is a sentence."""


class Grain(NamedTuple):
    """What a pass sees: where calls are held; `shared`: by threads that use one handle."""

    boundary: Boundary
    shared: bool = False

    @property
    def told(self) -> str:
        """How it is called in a sentence."""
        return NAMES[self.boundary] + (", on one handle" if self.shared else "")


class Pass(NamedTuple):
    """One pass over the scenarios: where calls are held, and with how many preemptions.

    `shared`: the claimants are threads that use one handle.
    """

    boundary: Boundary
    preemptions: int
    shared: bool = False

    @property
    def grain(self) -> Grain:
        """What it sees: the boundary, and whether all use one handle."""
        return Grain(self.boundary, self.shared)


@dataclass(slots=True)
class Covered:
    """What was swept for one clause.

    `scenarios` are those that are about it, `whole` counts by pass those that were swept to their
    end, and `schedules` by grain what was run. `three` are the schedules of three calls among
    them: there each is held in turn while the others run, which is not every schedule.
    """

    scenarios: int = 0
    whole: Counter[Pass] = field(default_factory=Counter)
    schedules: Counter[Grain] = field(default_factory=Counter)
    three: Counter[Grain] = field(default_factory=Counter)
    wrong: Counter[Grain] = field(default_factory=Counter)
    points: int = 0
    bad: Bad | None = None

    def preemptions(self, grain: Grain) -> int:
        """Answer with up to how many preemptions all scenarios were swept to their end."""
        ended = [each for each, count in self.whole.items() if count == self.scenarios]
        return max((each.preemptions for each in ended if each.grain == grain), default=0)

    def evidence(self) -> dict[str, int | str]:
        """Answer what was exercised, in numbers and as a sentence."""
        return {
            "schedules": self.schedules.total(),
            "points": self.points,
            SWEPT: "; ".join(self._told(each) for each in self.schedules),
        }

    def _told(self, grain: Grain) -> str:
        where, run = grain.told, self.schedules[grain]
        if wrong := self.wrong[grain]:
            return f"{run:,} schedules at {where}: {wrong:,} bad"
        most = self.preemptions(grain)
        if not most:
            return f"{run:,} schedules at {where}, 0 bad, not all with one preemption: time ran out"
        word = "preemption" if most == 1 else "preemptions"
        three = self.three[grain]
        held = f"; {three:,} of them of three calls, each held in turn" if three else ""
        return f"all schedules with at most {most} {word} at {where}: {run:,} run, 0 bad{held}"
