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
    """What a pass sees: where calls are held; `shared`: by threads that use one handle.

    `beside`: by two threads of one process and another process.
    """

    boundary: Boundary
    shared: bool = False
    beside: bool = False

    @property
    def told(self) -> str:
        """How it is called in a sentence."""
        beside = ", by two threads and a process" if self.beside else ""
        return NAMES[self.boundary] + (", on one handle" if self.shared else beside)


class Pass(NamedTuple):
    """One pass over the scenarios: where calls are held, and with how many preemptions.

    `shared`: the claimants are threads that use one handle; `beside`: two of them are threads of
    one process.
    """

    boundary: Boundary
    preemptions: int
    shared: bool = False
    beside: bool = False

    @property
    def grain(self) -> Grain:
        """What it sees: the boundary, and who the claimants are."""
        return Grain(self.boundary, self.shared, self.beside)


def passes(
    boundary: Boundary,
    deeper: Boundary | None = None,
    *,
    shared: bool = False,
    beside: bool = False,
) -> tuple[Pass, ...]:
    """Answer the passes, the most telling for its time first.

    What goes wrong within one line of Python is seen at system calls or at opcodes only. With
    `shared` threads use one handle too: what a store keeps with it, it may read when its last
    statement has been made, so then its lines are points as well. Last come, with `beside`, two
    threads of one process and another process.
    """
    seen: Boundary = "tail" if boundary == "sql" else boundary
    finer = [Pass(seen, 1, shared=True)] if shared else []
    finer += [] if deeper is None else [Pass(deeper, 1)]
    finer += [Pass("opcode", 1)] if boundary == "line" else []
    last = [Pass(seen, 1, beside=True)] if beside else []
    return (Pass(boundary, 1), *finer, Pass(boundary, 2), *last)


@dataclass(slots=True)
class Covered:
    """What was swept for one clause.

    `scenarios` are those that are about it, `whole` counts by pass those that were swept to their
    end, and `schedules` by grain what was run. `beside` are scenarios that are swept by two threads
    and a process alone, and are not among `scenarios`. `three` are the schedules of three calls
    among them: there each is held in turn while the others run, which is not every schedule.
    """

    scenarios: int = 0
    beside: int = 0
    whole: Counter[Pass] = field(default_factory=Counter)
    schedules: Counter[Grain] = field(default_factory=Counter)
    three: Counter[Grain] = field(default_factory=Counter)
    wrong: Counter[Grain] = field(default_factory=Counter)
    points: int = 0
    bad: Bad | None = None

    def preemptions(self, grain: Grain) -> int:
        """Answer with up to how many preemptions all scenarios were swept to their end."""
        due = self.beside if grain.beside else self.scenarios
        ended = [each for each, count in self.whole.items() if count == due]
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
