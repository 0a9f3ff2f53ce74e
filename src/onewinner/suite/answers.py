"""Answers: from what a store returned or raised to a value that the model can judge."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from onewinner.contract import ABSENT, Absent, Compared, Entry, Observation, StoreError
from onewinner.contract.values import canonical, is_json, utf16
from onewinner.model import Count, Listing, Many, Refused, Row, Size, Status, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.model import Answer

_SLACK_MS: Final = 2
_ERROR_NAMES = {
    "register": {"register"},
    "register_if_absent": {"register", "register_if_absent", "registerIfAbsent"},
    "sweep_expired": {"sweep", "sweep_expired", "sweepExpired"},
    "lookup_many": {"lookup", "lookup_many", "lookupMany"},
    "delete_if_equal": {"delete", "delete_if_equal", "deleteIfEqual"},
    "delete_if": {"delete", "delete_if", "deleteIf"},
    "update": {"register", "update"},
    "observe": {"lookup", "observe"},
    "compare_and_apply": {"register", "delete", "compare_and_apply", "compareAndApply"},
}


@dataclass(frozen=True, slots=True)
class Raised:
    """The store raised a `StoreError`."""

    code: str
    operation: str
    message: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The store answered or raised something that no operation of the contract may."""

    text: str


Observed: TypeAlias = (
    "bool | Absent | Value | Listing | Many | Status | int | Raised | Broken | None"
)


def observe(f: str, call: Callable[[], Any]) -> tuple[Observed, Any]:
    """Make the call and answer what was seen, with the raw result (None where it raised).

    KeyboardInterrupt passes through: it is not the store's answer. SystemExit is.
    """
    try:
        result = call()
    except StoreError as error:
        return Raised(error.code, error.operation, error.message), None
    except (Exception, SystemExit) as error:
        return Broken(f"raised {type(error).__name__}: {error}"), None
    return _normal(f, result), result


def noted(result: Any) -> str | None:
    """Answer the comparison in an answer, None where there is none."""
    observation = result.current if isinstance(result, Compared) else result
    return observation.comparison if isinstance(observation, Observation) else None


def _normal(f: str, result: Any) -> Observed:
    wrong = Broken(f"answered {_short(result)}")
    match f:
        case "register_if_absent" | "delete" | "delete_if_equal" | "delete_if" | "update":
            return result if isinstance(result, bool) else wrong
        case "register" | "clear":
            return None if result is None else wrong
        case "sweep_expired" | "count":
            return result if isinstance(result, int) and not isinstance(result, bool) else wrong
        case "lookup" | "consume":
            return _either(_sought(result), wrong)
        case "lookup_many":
            found = [_sought(each) for each in result] if isinstance(result, list) else [None]
            return (
                wrong if None in found else Many(tuple(each for each in found if each is not None))
            )
        case "observe":
            return _either(_observation(result), wrong)
        case "compare_and_apply":
            return _either(_compared(result), wrong)
        case "entries":
            return _listing(result)
        case _:
            return None


def _either(found: Observed, wrong: Broken) -> Observed:
    return wrong if found is None else found  # what is absent is found, and false


def _sought(result: Any) -> Value | Absent | None:
    """Answer what a reader found of one key; None for what no reader may answer."""
    if isinstance(result, Absent):
        return ABSENT
    return Value(canonical(result)) if is_json(result) else None


def _observation(result: Any) -> Value | Absent | None:
    fits = isinstance(result, Observation) and isinstance(result.comparison, str)
    return _sought(result.value) if fits else None


def _compared(result: Any) -> Status | None:
    if not isinstance(result, Compared):
        return None
    if result.status == "conflict":
        current = _observation(result.current)
        return None if current is None else Status("conflict", current)
    return Status(result.status) if result.status in {"applied", "unchanged"} else None


def _listing(result: Any) -> Observed:
    if not isinstance(result, list | tuple):
        return Broken(f"answered {_short(result)}, not a list of Entry")
    rows = []
    for entry in result:
        if not isinstance(entry, Entry) or not is_json(entry.value):
            return Broken(f"listed {_short(entry)}, not an Entry with a JSON value")
        rows.append(Row(entry.key, canonical(entry.value), entry.created_at, entry.expires_at))
    return Listing(tuple(rows))


def _short(result: Any) -> str:
    text = repr(result)
    return text if len(text) <= 200 else f"{text[:200]}..."


def beside_others(answer: Answer, *, alone: bool) -> Answer:
    """Widen what a sweep may count where expired rows of other programs lie at the same location.

    It takes those too; and unless the location is the kit's `alone`, others may sweep it as well.
    """
    if not isinstance(answer, Count):
        return answer
    return Count(answer.low if alone else 0, sys.maxsize)


def agrees(answer: Answer, observed: Observed, unit_ms: int = 1) -> bool:
    """Tell whether what was seen is what the model answers.

    Times are exact, but that an expiry may be rounded by less than a unit (TTL-1).
    """
    match answer, observed:
        case Refused(code, _), Raised(seen, _, _):
            return code == seen
        case Count(low, high), int() if not isinstance(observed, bool):
            return low <= observed <= high
        case Size(rows), int() if not isinstance(observed, bool):
            return rows == observed
        case bool(), bool():
            return answer is observed
        case (Refused() | Count() | Size(), _) | (_, Raised() | Broken()):
            return False
        case Listing(rows), Listing(listed):
            return any(_same(each, listed, unit_ms) for each in (rows, _by_utf16(rows)))
        case _:
            return type(answer) is type(observed) and answer == observed


def agrees_in_real_time(
    answer: Answer, observed: Observed, unit_ms: int, ahead_ms: int = 0
) -> bool:
    """Tell the same where the store keeps its own time.

    The model's times are then logical, so a listing is compared by its keys and values, by its
    own order, and by the length of each life, which may be rounded by less than a unit. Where ages
    are strict, rows may have been said to be written up to `ahead_ms` after they were.
    """
    if not (isinstance(answer, Listing) and isinstance(observed, Listing)):
        return agrees(answer, observed)
    by_age = tuple(sorted(observed.rows, key=lambda row: (row.created_at, row.key)))
    if observed.rows not in (by_age, _by_utf16(by_age)):
        return False
    wanted = {row.key: row for row in answer.rows}
    seen = {row.key: row for row in observed.rows}
    return wanted.keys() == seen.keys() and all(
        _same_life(wanted[key], seen[key], unit_ms, ahead_ms) for key in wanted
    )


def _same(wanted: tuple[Row, ...], seen: tuple[Row, ...], unit_ms: int) -> bool:
    if wanted == seen or unit_ms == 1 or len(wanted) != len(seen):
        return wanted == seen
    return all(
        one == dataclasses.replace(other, expires_at=one.expires_at)
        and (one.expires_at is None) == (other.expires_at is None)
        and abs((one.expires_at or 0) - (other.expires_at or 0)) < unit_ms
        for one, other in zip(wanted, seen, strict=True)
    )


def _by_utf16(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Answer rows in the other order that their keys may have, by code units of UTF-16."""
    return tuple(sorted(rows, key=lambda row: (row.created_at, utf16(row.key))))


def strictly_aged(observed: Observed) -> bool:
    """Tell whether of the rows of a listing each is younger than the one before it (READ-11)."""
    rows = observed.rows if isinstance(observed, Listing) else ()
    return all(one.created_at < other.created_at for one, other in pairwise(rows))


def _same_life(wanted: Row, seen: Row, unit_ms: int, ahead_ms: int) -> bool:
    if wanted.value != seen.value:
        return False
    ttl_ms = None if wanted.expires_at is None else wanted.expires_at - wanted.created_at
    return lives(seen, ttl_ms, unit_ms, ahead_ms)


def lives(row: Row | Entry, ttl_ms: int | None, unit_ms: int, ahead_ms: int = 0) -> bool:
    """Tell whether a row that is listed lives for a TTL, give or take less than a unit.

    Strict ages may say that it was written up to `ahead_ms` after it was (READ-11); its expiry
    does not go with them.
    """
    if ttl_ms is None or row.expires_at is None:
        return ttl_ms == row.expires_at
    slack_ms = max(unit_ms, _SLACK_MS)
    return -ahead_ms - slack_ms < row.expires_at - row.created_at - ttl_ms < slack_ms


def names_its_operation(f: str, observed: Raised) -> bool:
    """Tell whether an error names the operation that was called (ERR-1)."""
    return observed.operation in _ERROR_NAMES.get(f, {f})


def describe_observed(observed: Observed) -> str:
    """Answer in words what the store did."""
    from onewinner.model import describe_answer

    match observed:
        case Raised(code, operation, message):
            return f"raised {code} ({operation}: {message})"
        case Broken(text):
            return text
        case int() if not isinstance(observed, bool):
            return repr(observed)
        case _:
            return f"answered {describe_answer(observed)}"
