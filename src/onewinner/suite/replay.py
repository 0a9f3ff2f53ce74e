"""Replay tokens: one schedule as a word that can be pasted, and its repetition.

A token holds the target's name, the scenario, where the claimants live, the boundary, and who is
held where: points by name and ordinal, for their numbers move more easily. It is run on a fresh
location, so that the store has the same past each time.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from onewinner.schedule.claimant import Point
from onewinner.schedule.play import Segment

if TYPE_CHECKING:
    from onewinner.schedule.gate import Boundary
    from onewinner.schedule.sweep import Ran

_PREFIX: Final = "ow1:"


class TokenError(Exception):
    """A token cannot be replayed: what was given, why not, what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One schedule of one scenario of a target.

    `processes`: each claimant is in one of its own; `shared`: all are threads that use one handle,
    or of processes the first two are threads of one.
    """

    target: str
    scenario: str
    boundary: Boundary
    processes: bool
    segments: tuple[Segment, ...]
    shared: bool = False

    def text(self) -> str:
        """Answer the token as a word of letters, digits, `:`, `-` and `_`."""
        plain = {
            "target": self.target,
            "scenario": self.scenario,
            "boundary": self.boundary,
            "processes": self.processes,
            "segments": [[who, _plain(hold)] for who, hold in self.segments],
        }
        if self.shared:
            plain["shared"] = True
        packed = zlib.compress(json.dumps(plain, separators=(",", ":")).encode(), 9)
        return _PREFIX + base64.urlsafe_b64encode(packed).rstrip(b"=").decode("ascii")


def read_token(text: str) -> Token:
    """Answer the schedule that a token names; raises TokenError where it names none."""
    try:
        if not text.startswith(_PREFIX):
            raise ValueError("it does not begin with ow1:")
        body = text[len(_PREFIX) :]
        packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        plain: dict[str, Any] = json.loads(zlib.decompress(packed))
        return Token(
            target=plain["target"],
            scenario=plain["scenario"],
            boundary=plain["boundary"],
            processes=bool(plain["processes"]),
            segments=tuple(Segment(int(who), _hold(hold)) for who, hold in plain["segments"]),
            shared=bool(plain.get("shared", False)),
        )
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise TokenError(
            f"token {text!r:.60}: {error}; paste the whole word that `onewinner verify` printed"
        ) from error


def token_of(ran: Ran, target: str, *, processes: bool) -> Token:
    """Answer the token that repeats a schedule as it went."""
    return Token(
        target=target,
        scenario=ran.scenario.name,
        boundary=ran.boundary,
        processes=processes,
        segments=named(ran),
        shared=ran.shared,
    )


def named(ran: Ran) -> tuple[Segment, ...]:
    """Answer the segments of a schedule with their holds by name, as it went."""
    stops = iter(ran.stops)
    found = []
    for segment in ran.segments:
        if segment.hold is None:
            found.append(segment)
            continue
        stop = next(stops, None)
        found.append(segment if stop is None else Segment(segment.who, stop.point))
    return tuple(found)


def _plain(hold: int | Point | None) -> int | list[Any] | None:
    return list(hold) if isinstance(hold, Point) else hold


def _hold(plain: Any) -> int | Point | None:
    if plain is None or isinstance(plain, int):
        return plain
    name, ordinal = plain
    return Point(str(name), int(ordinal))
