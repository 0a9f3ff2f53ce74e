"""What every boundary offers: one client whose calls can be held at points, and go on later.

A boundary decides what a point is: a statement, a line, an opcode, a system call. Whoever controls
a schedule needs to know no more than this protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from onewinner.generator import Call
    from onewinner.history import Outcome


class Point(NamedTuple):
    """A place inside a call where it can be held, just before what `name` says is done.

    `ordinal` is the how-manieth of that name it is in this call, counted from 1. Name and ordinal
    together stay what they are where the number of a point moves.
    """

    name: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class Held:
    """The call is held at `point`, which is the `number`-th of the call, counted from 1."""

    point: Point
    number: int


@dataclass(frozen=True, slots=True)
class Returned:
    """The call returned; `points` are those it passed, in order, the interval is monotonic."""

    outcome: Outcome
    points: tuple[Point, ...]
    invoked_ns: int
    completed_ns: int


@dataclass(frozen=True, slots=True)
class Blocked:
    """The call sleeps in the kernel, waiting for somebody; read from the scheduler, not a clock."""


@dataclass(frozen=True, slots=True)
class Died:
    """The client is gone: it died, or it hung and was killed. `tail` is the last that it said."""

    how: str
    tail: tuple[str, ...]


Settled: TypeAlias = Held | Returned | Blocked | Died


class Claimant(Protocol):
    """One client, in a process (or thread) of its own, whose calls can be held at points.

    One call at a time: `begin`, then `settle` and `resume` by turns until `settle` answers Returned
    or Died. `boundary` names what its points are: "sql", "opcode", "line", "syscall", "client".
    """

    boundary: str

    def begin(self, call: Call, hold: int | Point | None = None) -> None:
        """Start a call that is held at its `hold`-th point, at that named point, or nowhere."""
        ...  # pragma: no cover

    def settle(self) -> Settled:
        """Wait until the call is held, has returned, sleeps, or its client is gone.

        A watchdog bounds the wait: a client that hangs is killed, and answered as Died.
        """
        ...  # pragma: no cover

    def resume(self, hold: int | Point | None = None) -> None:
        """Let a held call go on to its next hold, or to its end.

        Numbers count from the beginning of the call.
        """
        ...  # pragma: no cover

    def close(self) -> None:
        """End the client; nothing of it is left behind. More than once does no harm."""
        ...  # pragma: no cover
