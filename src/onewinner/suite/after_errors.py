"""Judges a call that met an error of storage, and what is served after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.generator import Call
from onewinner.history import Ok
from onewinner.model import State
from onewinner.nemesis.situations import KEY, write
from onewinner.schedule.claimant import Died, Returned
from onewinner.suite.ground import HURT, CrashJudge
from onewinner.suite.held import told

if TYPE_CHECKING:
    from onewinner.contract import Capabilities
    from onewinner.history import Operation
    from onewinner.schedule.claimant import Settled
    from onewinner.schedule.crew import PythonClaimant
    from onewinner.suite.faults import Tally
    from onewinner.suite.ground import Ground, Place

_CLAIM: Final = "register_if_absent"
_WHY: Final = (
    "no order of these calls, with the failed one done or not done, is one of the contract"
)


class AfterErrors:
    """Looks at places where storage failed a call of the second claimant, and judges them.

    The call that failed may have happened or not. Whatever was answered must be explained, and both
    claimants must be served from then on: new keys, and the one key, which only one may hold.
    """

    def __init__(self, capabilities: Capabilities, tally: Tally, ground: Ground) -> None:
        self._judge = CrashJudge(capabilities)
        self._tally = tally
        self._ground = ground

    def judge(
        self,
        place: Place,
        mine: Operation,
        theirs: Operation | None = None,
        again: Operation | None = None,
        *,
        vacant: bool = True,
    ) -> None:
        """Judge one call, with a rival's beside it, and another one of its own that came after it.

        `vacant`: nobody held the key before.
        """
        claim = mine.f == _CLAIM
        if vacant and claim and mine.outcome == Ok(False) and theirs is None:
            self._tally.blame(
                "ERR-5",
                "a claim that could not be written answered False, and nobody holds its key",
                place.story(),
                "the loser of a race is told False; whoever met an error is told of the error",
            )
        after = self._after(place)
        failed = [each for each in (theirs, *after) if each and _refused(each)]
        if failed:
            self._tally.blame(
                "ERR-6",
                f"when storage worked again, {told(failed[0])}",
                place.story(),
                "after an error the store serves whoever comes next",
            )
        elif not self._explained(place, _orders(mine, theirs, again), after):
            self._tally.blame(
                _clause(mine, alone=theirs is None, vacant=vacant),
                f"a {'claim' if claim else mine.f} met an error of storage, and its answer is not "
                "explained",
                place.story(),
                _WHY,
            )

    def _after(self, place: Place) -> list[Operation]:
        ground = self._ground
        new = [(1, "next", "n"), (0, "other", "o")]
        after = [
            ground.make(place, who, write(_CLAIM, key, value, None)) for who, key, value in new
        ]
        after += [*ground.look(place, 0, KEY), *ground.look(place, 1, KEY)]
        late = [(0, "late"), (1, "later")]
        return after + [
            ground.make(place, who, write(_CLAIM, KEY, each, None)) for who, each in late
        ]

    def _explained(
        self, place: Place, orders: list[list[Operation]], after: list[Operation]
    ) -> bool:
        before = [each for each in place.calls if each.extra["phase"] == "prepare"]
        states = self._judge.after([State()], before)
        return not states or any(self._judge.after(states, [*each, *after]) for each in orders)


def _orders(
    mine: Operation, theirs: Operation | None, again: Operation | None
) -> list[list[Operation]]:
    """Answer the orders of the calls that met: the rival's was under way all the time."""
    own = [each for each in (mine, again) if each is not None]
    if theirs is None:
        return [own]
    return [[*own[:place], theirs, *own[place:]] for place in range(len(own) + 1)]


def _refused(operation: Operation) -> bool:
    """Tell whether a call failed that had every reason to be served."""
    return operation.extra["phase"] != HURT and not isinstance(operation.outcome, Ok)


def _clause(mine: Operation, *, alone: bool, vacant: bool) -> str:
    """Answer which clause is broken where nothing explains what was answered."""
    if not isinstance(mine.outcome, Ok):
        return "ERR-6"
    if mine.f == "delete":
        return "DEL-1"
    return "ERR-5" if alone and vacant and mine.f == _CLAIM else "ERR-6"


def opening(place: Place) -> Call:
    """Answer the call that opens the namespace of a place."""
    return Call("open", place.plugin, "n", max_entries=100)


def let_in(
    ground: Ground, place: Place, victim: PythonClaimant, call: Call
) -> tuple[Returned | Died, Operation]:
    """Let a rival make its call while the victim is held, which goes on as soon as the rival waits.

    Answers how the victim's call ended, and the rival's as it stands in the history of the place.
    """
    rival = ground.claimant(0)
    rival.begin(call._replace(plugin=place.plugin), fresh=place.location, free=True)
    settled = rival.settle()
    victim.resume()
    ended = victim.finish()
    return ended, ground.enter(place, 0, call, end_of(rival, settled), "look")


def end_of(claimant: PythonClaimant, settled: Settled | None) -> Returned | Died:
    """Answer the end of a call that has settled; waits for it where it has not ended."""
    return settled if isinstance(settled, Returned | Died) else claimant.finish()
