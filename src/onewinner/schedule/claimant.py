"""What a claimant can come to: one client whose calls can be held at points, and go on later.

A boundary decides what a point is: a statement, a line, an opcode, a system call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
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
