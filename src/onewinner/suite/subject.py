"""The subject of a case: whether a divergence can be of the clause that the case is about.

A case exercises more than its clause: it looks at rows by readers, and goes on after they agreed.
Where the words of its clause cannot be broken by what was answered, the divergence is put down to
the clause that it looks like, as in programs that are about none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.model import Listing, Refused, Value
from onewinner.suite.answers import Broken, Raised
from onewinner.suite.diagnosis import (
    blame,
    lost_in_eviction,
    missing_rows,
    read_differently,
    tied,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from onewinner.suite.divergence import Divergence
    from onewinner.suite.session import Session

_CLAIM: Final = "register_if_absent"
_REFUSALS: Final = frozenset({"INVALID_INPUT", "LIMIT_EXCEEDED"})


def broken_clause(session: Session, divergence: Divergence) -> str:
    """Answer the clause that a divergence of a case breaks."""
    subject = divergence.clause
    if subject is None or _served_no_more(session, divergence, subject):
        return blame(session, divergence)
    if tied(session, divergence):
        return "READ-11"
    if _out_of_order(divergence):
        return "READ-4"
    can_be = _CAN_BE.get(subject)
    if can_be is None or can_be(session, divergence):
        return subject
    return blame(session, divergence)


def _served_no_more(session: Session, divergence: Divergence, subject: str) -> bool:
    """Tell whether a call fails, by no rule of the contract, after another had been refused."""
    seen = divergence.observed
    if not isinstance(seen, Raised) or seen.code in _REFUSALS or subject.startswith("ERR"):
        return False
    if all(isinstance(answer, Refused) for answer in divergence.expected):
        return False  # it was to be refused, though with another code
    return any("raised" in step.seen for step in session.steps[:-1])


def _not_won(session: Session, divergence: Divergence) -> bool:
    """CLAIM-1: a claim that should win, or a row that is not there though its claim won."""
    if divergence.call.f == _CLAIM:
        return True in divergence.expected
    expected = divergence.expected[0]
    null = isinstance(expected, Value) and expected.text == "null"
    missing = set() if null or session.last.refused else missing_rows(divergence)
    written = session.last.written
    key = None if written is None else str(written.key).strip()
    return key in missing and read_differently(session, divergence, key) is None


def _not_refused(_: Session, divergence: Divergence) -> bool:
    """CLAIM-2: a claim that should lose."""
    return divergence.call.f == _CLAIM and False in divergence.expected


def _out_of_order(divergence: Divergence) -> bool:
    """Tell whether a listing has the right rows, whole, in a wrong order."""
    expected, seen = divergence.expected[0], divergence.observed
    if not isinstance(expected, Listing) or not isinstance(seen, Listing):
        return False
    return expected != seen and sorted(expected.rows, key=repr) == sorted(seen.rows, key=repr)


def _not_spared(session: Session, divergence: Divergence) -> bool:
    """CLAIM-4: what is gone after a refused claim, not after one that won."""
    claims = [step for step in session.steps[:-1] if _CLAIM in step.code]
    return divergence.call.f != _CLAIM and bool(claims) and "True" not in claims[-1].seen


def _not_stored(_: Session, divergence: Divergence) -> bool:
    """REG-1: what `register` answers, and the value that is there after it."""
    if divergence.call.f == "register" or isinstance(divergence.observed, Broken):
        return True
    expected, seen = divergence.expected[0], divergence.observed
    if isinstance(expected, Listing) and isinstance(seen, Listing):
        return _values(expected) != _values(seen)
    return isinstance(expected, Value)


def _read_otherwise(session: Session, divergence: Divergence) -> bool:
    """READ-3: what a reader shows, and not who wins or who is evicted."""
    return divergence.call.f != _CLAIM and lost_in_eviction(session, divergence) is None


def _mixed_up(_: Session, divergence: Divergence) -> bool:
    """ISO-1: what another row may have caused; a key that is refused is mixed up with none."""
    seen = divergence.observed
    return not (isinstance(seen, Raised) and seen.code == "INVALID_INPUT")


def _taken(clause: str) -> Callable[[Session, Divergence], bool]:
    """EVICT-1 to 3, and 9: the rows that are gone tell which it is; what else is wrong not."""

    def can_be(session: Session, divergence: Divergence) -> bool:
        return lost_in_eviction(session, divergence) in {None, clause}

    return can_be


_CAN_BE: Final[Mapping[str, Callable[[Session, Divergence], bool]]] = {
    "CLAIM-1": _not_won,
    "CLAIM-2": _not_refused,
    "CLAIM-4": _not_spared,
    "REG-1": _not_stored,
    "READ-3": _read_otherwise,
    "ISO-1": _mixed_up,
    "EVICT-1": _taken("EVICT-1"),
    "EVICT-2": _taken("EVICT-2"),
    "EVICT-3": _taken("EVICT-3"),
    "EVICT-12": _taken("EVICT-12"),
}


def _values(listing: Listing) -> dict[str, str]:
    return {row.key: row.value for row in listing.rows}
