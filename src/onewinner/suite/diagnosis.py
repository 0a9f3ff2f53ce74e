"""Diagnosis: which clause a divergence breaks, told from the call and what went before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.contract import Absent
from onewinner.contract.clauses import CLAUSES
from onewinner.contract.values import has_unkeepable_text
from onewinner.model import Listing, Refused, Status, Value
from onewinner.suite import sequence
from onewinner.suite.answers import Broken, Raised, strictly_aged
from onewinner.suite.script import assertion, program
from onewinner.suite.tree import Recorded, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.model import Call, Row, Space
    from onewinner.suite.answers import Observed
    from onewinner.suite.divergence import Divergence
    from onewinner.suite.session import Session

_OF_INPUT = ("INVALID_INPUT", "LIMIT_EXCEEDED")
_OF_OPERATION = {
    "register_if_absent": "CLAIM-1",
    "register": "REG-1",
    "lookup": "READ-1",
    "entries": "READ-4",
    "consume": "DEL-2",
    "delete": "DEL-1",
    "clear": "DEL-5",
    "sweep_expired": "DEL-6",
}


def violation(session: Session, divergence: Divergence, clause: str) -> Violation:
    """Answer the divergence as a violation of `clause`, with its timeline and its script."""
    at_ms = divergence.now - session.start_ms
    return Violation(
        clause=clause,
        summary=f"at {at_ms:+} ms, {divergence}",
        happened=tuple(_timeline(session)),
        why="the rows before that call were: "
        + sequence.rows(divergence.before, divergence.call, divergence.now),
        script=_script(session, divergence),
        timeline=sequence.timeline(session.made, session.start_ms),
        recorded=Recorded(operations=sequence.operations_of(session.made), judge=sequence.JUDGE),
    )


def _script(session: Session, divergence: Divergence) -> str:
    """Answer the program up to the divergence as Python to paste."""
    last = assertion(session.steps[-1].code, divergence.expected, exact=session.virtual)
    if isinstance(seen := divergence.observed, Broken) and seen.text.startswith("raised"):
        last = f"{session.steps[-1].code}  # {seen.text}"
    start_ms = session.start_ms if session.virtual else None
    return program(session.target, session.steps[:-1], last, start_ms=start_ms)


def _timeline(session: Session, most: int = 40) -> Iterator[str]:
    """Answer the steps with their times, a line each; of a long program the last ones."""
    if len(session.steps) > most:
        yield f"... {len(session.steps) - most} earlier steps"
    for step in session.steps[-most:]:
        seen = f"  ->  {step.seen}" if step.seen else ""
        for line in step.code.splitlines():
            yield f"{step.at_ms - session.start_ms:>+9} ms  {line}{seen}"


def blame(session: Session, divergence: Divergence) -> str:
    """Answer the clause that a divergence of an undirected program most likely breaks.

    One that the store does not declare is not asked of it, so the violation would be told nowhere:
    a store without input rules that refuses a key does not do what the operation must.
    """
    likely = _likeliest(session, divergence)
    if CLAUSES[likely].missing(session.capabilities) is None:
        return likely
    return _OF_OPERATION.get(divergence.call.f, likely)


def _likeliest(session: Session, divergence: Divergence) -> str:
    seen, expected, f = divergence.observed, divergence.expected, divergence.call.f
    refusals = [answer for answer in expected if isinstance(answer, Refused)]
    if isinstance(seen, Broken) and not seen.text.startswith("answered"):
        return "ERR-4"
    if len(refusals) == len(expected):
        return _wrongly_not_refused(session, seen, refusals[0].rule)
    if isinstance(seen, Raised):
        return _wrongly_refused(session, divergence)
    if f == "open":
        return "INPUT-1"
    if f == "sweep_expired":
        return "CAP-2" if session.was_at_cap else "DEL-6"
    if f == "register_if_absent":
        return _wrong_claim(session, divergence)
    if f == "delete":
        return "DEL-1"
    if f in _NEWER:
        expected_conflict = any(isinstance(a, Status) and a.word == "conflict" for a in expected)
        return "CAS-3" if expected_conflict else _NEWER[f]
    if f in ("register", "clear"):
        return "REG-1" if f == "register" else "DEL-5"
    return _wrong_read(session, divergence)


def _wrongly_not_refused(session: Session, seen: Observed, rule: str) -> str:
    """Something else where the contract refuses: a refusal before this one may be the cause."""
    refused_before = any("raised" in step.seen for step in session.steps[:-1])
    if isinstance(seen, Raised) and refused_before and seen.code not in _OF_INPUT:
        return "ERR-4"
    return "CAP-2" if rule == "CAP-1" and session.was_at_cap else rule


def _wrongly_refused(session: Session, divergence: Divergence) -> str:
    """An error where the contract has an answer."""
    seen, call, now = divergence.observed, divergence.call, divergence.now
    assert isinstance(seen, Raised)
    if call.f == "open":
        return "INPUT-1"
    if seen.code != "LIMIT_EXCEEDED":
        return "INPUT-4" if seen.code == "INVALID_INPUT" else "ERR-4"
    row = _row(divergence.before.space(call.plugin, call.namespace), call.key)
    if row is not None and row.live(now):
        return "CAP-4"
    return _wrongly_at_cap(session, divergence)


def _wrongly_at_cap(session: Session, divergence: Divergence) -> str:
    """An insert refused below the cap: which rows must have been counted that do not count."""
    before, call, now = divergence.before, divergence.call, divergence.now
    space = before.space(call.plugin, call.namespace)
    cap = session.capabilities.limits.plugin_row_cap or 0
    live = before.plugin_rows(call.plugin, now)
    own = sum(len(s.rows) for s in before.spaces if s.plugin == call.plugin)
    if space and live >= cap and len(space.live(now)) >= space.max_entries:
        return "CAP-4"
    if own > live and own >= cap:
        return "CAP-3"
    if session.was_at_cap:
        return "CAP-2"  # what that refusal left behind explains this one
    everywhere = sum(len(s.live(now)) for s in before.spaces)
    return "ISO-4" if everywhere >= cap > live + 1 else "CAP-1"


def _wrong_claim(session: Session, divergence: Divergence) -> str:
    call, before, now = divergence.call, divergence.before, divergence.now
    space = before.space(call.plugin, call.namespace)
    row = _row(space, call.key)
    if isinstance(divergence.observed, Broken):
        return "CLAIM-1"
    if row is not None and row.live(now):
        return "READ-2" if row.value == "null" else "CLAIM-2"
    if row is not None:
        return "TTL-5"
    if _was_evicted(session, divergence):
        return "EVICT-1"
    return "ISO-1" if _held_elsewhere(divergence) else "CLAIM-1"


def _wrong_read(session: Session, divergence: Divergence) -> str:
    """A reader that shows another state than the model's: what was done last explains it."""
    if _misspelt(divergence):
        return "INPUT-10"
    if session.was_at_cap and _last_change(session, "") == "CAP-2":
        return "CAP-2"
    if (lost := lost_in_eviction(session, divergence)) is not None:
        return lost
    expected, seen = divergence.expected[0], divergence.observed
    if isinstance(expected, Listing) and isinstance(seen, Listing):
        return _wrong_listing(session, divergence, expected, seen)
    space = divergence.before.space(divergence.call.plugin, divergence.call.namespace)
    row = _row(space, divergence.call.key)
    if isinstance(seen, Broken):
        return "READ-1"
    if isinstance(expected, Absent):
        if row is not None:
            return "TTL-1" if row.expires_at == divergence.now else "TTL-4"
        if _was_evicted(session, divergence):
            return "EVICT-1"
        if _held_elsewhere(divergence):
            return "ISO-1"
        touched = any(repr(divergence.call.key) in step.code for step in session.steps[:-1])
        return _last_change(session, "READ-1") if touched else "READ-1"
    if isinstance(seen, Absent) and isinstance(expected, Value):
        if expected.text == "null":
            return "READ-2"
        return read_differently(session, divergence, str(divergence.call.key)) or _last_change(
            session, "READ-1"
        )
    return _last_change(session, "READ-7")


def _wrong_listing(
    session: Session, divergence: Divergence, expected: Listing, seen: Listing
) -> str:
    if tied(session, divergence):
        return "READ-11"
    wanted, found = {r.key: r for r in expected.rows}, {r.key: r for r in seen.rows}
    if wanted == found:
        return "READ-4"
    space = divergence.before.space(divergence.call.plugin, divergence.call.namespace)
    extra = [_row(space, key) for key in found.keys() - wanted.keys()]
    if any(row is not None for row in extra):
        return "TTL-4"
    for key in wanted.keys() - found.keys():
        if (unseen := read_differently(session, divergence, key)) is not None:
            return unseen
    written = session.last.written
    if written is not None and not session.last.refused and wanted.keys() == found.keys():
        here = _place(written) == _place(divergence.call)
        wrong = {key for key in wanted if wanted[key] != found[key]}
        key = str(written.key).strip()
        if here and wrong == {key} and wanted[key].value == found[key].value:
            return _wrong_times(session, written, wanted[key], found[key])
    return _last_change(session, "READ-4")


def tied(session: Session, divergence: Divergence) -> bool:
    """Tell whether a listing shows rows of one age where each must be younger than the last."""
    return session.capabilities.strict_ages and not strictly_aged(divergence.observed)


def read_differently(session: Session, divergence: Divergence, key: str) -> str | None:
    """Answer the clause of a reader that does not show a row, where nothing else explains it.

    That is so where the row was shown since anything was done, and where all that was done is an
    insert of another one, into a namespace that had room. Else None.
    """
    f, place, last = divergence.call.f, _place(divergence.call), session.last
    if (f, *place, key) in last.read:
        return "READ-3"
    another = last.written is not None and (*_place(last.written), str(last.written.key).strip())
    inserted = another and not last.refused and another != (*place, key)
    if last.shown(divergence.call, key) or inserted:
        return "READ-1" if f == "lookup" else "READ-4"
    return None


def _wrong_times(session: Session, written: Call, wanted: Row, found: Row) -> str:
    """A new row with other times than were asked for."""
    if session.last.reclaimed:
        return "TTL-5"
    if wanted.expires_at == found.expires_at:
        return "READ-4"
    if wanted.expires_at is None:
        return "TTL-3"
    return "TTL-2" if written.ttl_ms is None else "TTL-1"


def lost_in_eviction(session: Session, divergence: Divergence) -> str | None:
    """Answer the clause about eviction that the rows tell which are there after an insert.

    None where no insert into a namespace that is full now was the last thing done, or the rows do
    not tell.
    """
    written, call = session.last.written, divergence.call
    limits = session.capabilities.limits
    if written is None or session.last.refused or not session.capabilities.eviction:
        return None
    full = divergence.before.space(written.plugin, str(written.namespace))
    if full is None or len(full.live(divergence.now)) < full.max_entries:
        return None
    missing, extra = missing_rows(divergence), _extra(divergence)
    if (not missing and not extra) or limits.overflow_policy == "reject-new":
        return None
    if any(session.last.shown(call, key) for key in missing):
        return None  # they were there after the insert
    if _place(written) != _place(call):
        return "ISO-3" if missing else None
    if str(written.key).strip() in missing:
        return "EVICT-2"
    if full.rows and full.rows[-1].age[0] > divergence.now:
        return "EVICT-12"  # the clock is behind
    ages = {row.created_at for row in full.rows if row.key in missing}
    return "EVICT-3" if missing and ages == set(extra.values()) else "EVICT-1"


def _misspelt(divergence: Divergence) -> bool:
    """Tell whether a listing has as many rows as are due, and one that cannot be kept is not it."""
    expected, seen = divergence.expected[0], divergence.observed
    if not isinstance(expected, Listing) or not isinstance(seen, Listing):
        return False
    missing = missing_rows(divergence)
    return len(expected.rows) == len(seen.rows) and any(map(has_unkeepable_text, missing))


def _place(call: Call) -> tuple[str, str]:
    return call.plugin, str(call.namespace).strip()


def missing_rows(divergence: Divergence) -> set[str]:
    """Answer the keys of live rows that a reader does not show."""
    expected, seen = divergence.expected[0], divergence.observed
    if isinstance(expected, Listing) and isinstance(seen, Listing):
        return {row.key for row in expected.rows} - {row.key for row in seen.rows}
    lost = isinstance(expected, Value) and isinstance(seen, Absent)
    return {str(divergence.call.key).strip()} if lost else set()


def _extra(divergence: Divergence) -> dict[str, int | None]:
    """Answer the keys that a reader shows and no row has, with the ages that are told."""
    expected, seen = divergence.expected[0], divergence.observed
    if isinstance(expected, Listing) and isinstance(seen, Listing):
        known = {row.key for row in expected.rows}
        return {row.key: row.created_at for row in seen.rows if row.key not in known}
    more = isinstance(expected, Absent) and isinstance(seen, Value)
    return {str(divergence.call.key).strip(): None} if more else {}


_NEWER: Final = {
    "count": "READ-8",
    "lookup_many": "READ-9",
    "delete_if_equal": "DEL-7",
    "delete_if": "DEL-8",
    "update": "UPD-1",
    "observe": "CAS-1",
    "compare_and_apply": "CAS-2",
}
"""The clause that a wrong answer of a newer operation breaks."""

_CHANGES = (
    (".update(", "UPD-1"),
    (".delete_if_equal(", "DEL-7"),
    (".delete_if(", "DEL-8"),
    (".compare_and_apply(", "CAS-2"),
    (".register_if_absent(", "CLAIM-3"),
    (".register(", "REG-2"),
    (".clear(", "ISO-2"),
    (".sweep_expired(", "DEL-6"),
    (".delete(", "DEL-1"),
    (".consume(", "DEL-2"),
    (".close()", "DUR-1"),
    ("clock.advance(", "TTL-3"),
)


_LOOKS: Final = (*(".lookup(", ".entries(", "= backend", ".count(", ".lookup_many(", ".observe("),)


def _last_change(session: Session, otherwise: str) -> str:
    """Answer the clause about whatever the program did just before it looked."""
    for step in reversed(session.steps[:-1]):
        if "raised" in step.seen:
            return "CAP-2" if "LIMIT_EXCEEDED" in step.seen else "INPUT-11"
        if any(look in step.code for look in _LOOKS):
            continue
        for mark, clause in _CHANGES:
            if mark in step.code:
                return _of_insert(session, step.seen, clause)
    return otherwise


def _of_insert(session: Session, seen: str, clause: str) -> str:
    """An insert that was accepted changes what it writes and what it evicts."""
    if clause == "CLAIM-3" and "True" in seen:
        clause = "TTL-5" if session.last.reclaimed else "CLAIM-1"
    if clause == "REG-2" and session.last.written is not None:
        clause = "REG-1"  # a new row, and no update
    full = any(len(s.live(session.now)) >= s.max_entries for s in session.state.spaces)
    if clause in ("CLAIM-1", "REG-1", "REG-2") and full and session.capabilities.eviction:
        return "EVICT-1"
    if clause == "TTL-3" and any(r.expires_at for s in session.state.spaces for r in s.rows):
        return "TTL-1"
    return clause


def _row(space: Space | None, key: object) -> Row | None:
    return space.find(key.strip()) if space is not None and isinstance(key, str) else None


def _was_evicted(session: Session, divergence: Divergence) -> bool:
    space = divergence.before.space(divergence.call.plugin, divergence.call.namespace)
    key = str(divergence.call.key).strip()
    return space is not None and (space.plugin, space.name, key) in session.last.evicted


def _held_elsewhere(divergence: Divergence) -> bool:
    """Whether the wrong answer could come from another row: by its value, or by a like key."""
    seen, key = divergence.observed, str(divergence.call.key)
    rows = [row for space in divergence.before.spaces for row in space.live(divergence.now)]
    if isinstance(seen, Value):
        return any(row.value == seen.text for row in rows)
    return any(row.key.casefold() in key.casefold() for row in rows)
