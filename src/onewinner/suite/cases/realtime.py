"""Cases for stores that keep their own time: expiry seen from outside, within sure bounds.

A row written by a call from `c` to `r` with a TTL expires between `c + ttl` and `r + ttl`. What is
seen to end before that span, less the margin, must find the row; what starts after it must not. In
between anything goes. A slow machine makes the span wider, never the verdict wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns, sleep, wall_ns
from onewinner.model import Call
from onewinner.suite.answers import observe
from onewinner.suite.cases.case import Inconclusive, case

if TYPE_CHECKING:
    from onewinner.suite.handle import Handle
    from onewinner.suite.session import Session

_TTL_MS: Final = 250
_MARGIN_MS: Final = 25
_ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class _Span:
    """The time around a call, on both clocks, in milliseconds."""

    begun: tuple[float, float]
    ended: tuple[float, float]


def _both_ms() -> tuple[float, float]:
    return monotonic_ns() / 1e6, wall_ns() / 1e6


def _ttl_ms(s: Session) -> int:
    return -(-_TTL_MS // s.unit_ms) * s.unit_ms if s.unit_ms < _TTL_MS else 2 * s.unit_ms


@case("TTL-1", "lookup", time="real")
def life_ends_within_its_bounds(s: Session) -> None:
    """A row is found while it surely lives and not once it has surely expired."""
    space = s.open()
    s.judge()
    early = late = 0
    for attempt in range(_ATTEMPTS):
        ttl = _ttl_ms(s) * (attempt + 1)
        before = _both_ms()
        space.claim(f"k{attempt}", attempt, ttl_ms=ttl)
        written = _Span(before, _both_ms())
        found, gone = _watch(s, space, f"k{attempt}", ttl, written)
        early, late = early + found, late + gone
        if early and late:
            return
    raise Inconclusive(
        f"in {_ATTEMPTS} attempts {early} reads surely fell before the expiry and {late} after it: "
        f"the machine is too slow or its wall clock moves"
    )


def _watch(s: Session, space: Handle, key: str, ttl: int, written: _Span) -> tuple[int, int]:
    """Read until the row has surely expired; answer how many reads were sure, before and after."""
    early, pause_s = 0, ttl / 1000 / 12
    while True:
        begun = _both_ms()
        seen, _ = observe("lookup", lambda: space.store.lookup(key))
        ended = _both_ms()
        call = Call(f="lookup", plugin=space.plugin, namespace=space.namespace, key=key)
        margin = s.unit_ms + _MARGIN_MS
        if all(e < c + ttl - margin for e, c in zip(ended, written.begun, strict=True)):
            s.judge_seen(call, seen, on=space.name)
            early += 1
        elif all(b > r + ttl + margin for b, r in zip(begun, written.ended, strict=True)):
            s.now += 2 * ttl
            s.judge_seen(call, seen, on=space.name)
            return early, 1
        sleep(pause_s)
