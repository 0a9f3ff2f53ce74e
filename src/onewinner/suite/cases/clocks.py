"""Cases of a clock that is set: forth, back, and to and fro. What is certain is who holds a key.

A row that has expired before the clock is set back may be gone or live again, so no case looks at
one; nor at the times of rows that are written while the clock is behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.suite.cases.case import case
from onewinner.suite.session import LONG_MS

if TYPE_CHECKING:
    from onewinner.suite.session import Session


@case("TTL-8", time="virtual")
def clock_set_back_keeps_what_is_held(s: Session) -> None:
    """A clock that is set back by an hour frees no key, and its row is read as before."""
    space = s.open()
    space.claim("ever", 1)
    space.claim("long", 1, ttl_ms=4 * LONG_MS)
    s.judge()
    for _ in range(2):
        s.advance(-LONG_MS)
        space.claim("ever", "late")
        space.claim("long", "late", ttl_ms=LONG_MS)
        space.observe("ever", "long")
    s.advance(2 * LONG_MS)
    space.claim("ever", "late")
    space.claim("long", "late")
    space.observe("ever", "long")


@case("TTL-8", time="virtual")
def clock_set_back_holds_what_is_claimed_then(s: Session) -> None:
    """What is claimed while the clock is behind is held, and is held when it is right again."""
    space = s.open()
    space.claim("before", 1)
    s.advance(-LONG_MS)
    s.judge()
    space.claim("behind", 1)
    space.claim("behind", "late")
    s.advance(LONG_MS)
    space.claim("behind", "late")
    space.claim("before", "late")


@case("TTL-8", time="virtual")
def clock_set_forth_ends_what_is_over(s: Session) -> None:
    """A clock that leaps beyond an expiry frees the key once, and the others are held on."""
    space = s.open()
    space.claim("short", 1, ttl_ms=s.short_ms)
    space.claim("ever", 1)
    s.judge()
    s.advance(24 * LONG_MS)
    space.claim("short", 2)
    space.claim("short", 3)
    space.claim("ever", "late")
    s.advance(-LONG_MS)
    space.claim("short", "late")
    space.claim("ever", "late")
    space.observe("short", "ever")
