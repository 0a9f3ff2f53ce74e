"""Answers of the newer operations as plain JSON, in which they travel and stand in histories.

A value that may be absent is a list of one value or of none. A comparison that was made is written
beside its answer, for whoever judges it must know what had been observed.
"""

from __future__ import annotations

from typing import Any, Final

from onewinner.contract import ABSENT, Compared, Observation

READS_MANY: Final = "lookup_many"
OBSERVES: Final = frozenset({"observe", "compare_and_apply"})


def plain_answer(f: str, answer: Any, comparison: str = "") -> Any:
    """Answer it in the plain form; raises where it is not what `f` may answer."""
    match f:
        case "lookup_many":
            return [_sought(each) for each in answer]
        case "observe":
            return _observation(answer)
        case "compare_and_apply":
            current = None if answer.current is None else _observation(answer.current)
            return {"status": answer.status, "with": comparison, "current": current}
    return answer


def answer_of(f: str, plain: Any) -> Any:
    """Answer what a store answered, from its plain form; what is none is answered as it is."""
    match f, plain:
        case "lookup_many", list():
            return [_read(each) for each in plain]
        case "observe", {"value": value, "comparison": comparison}:
            return Observation(_read(value), comparison)
        case "compare_and_apply", {"status": status, "current": None}:
            return Compared(status)
        case "compare_and_apply", {"status": status, "current": current}:
            return Compared(status, answer_of("observe", current))
    return plain


def shown(f: str, plain: Any) -> str:
    """Answer in words what a store answered, from its plain form; comparisons are cut short."""
    match plain:
        case {"status": status, "current": None}:
            return f"{status}"
        case {"status": status, "current": {"value": value}}:
            return f"{status}, now {_word(value)}"
        case {"value": value, "comparison": str(comparison)}:
            return f"{_word(value)}, comparison {comparison[-8:]}"
        case list() if f == READS_MANY:
            return ", ".join(map(_word, plain))
    return repr(plain)


def _word(sought: Any) -> str:
    return repr(sought[0]) if sought else "no row"


def comparison_of(plain: Any) -> str | None:
    """Answer the comparison that a call of `compare_and_apply` was made with, by its answer."""
    return plain.get("with") if isinstance(plain, dict) else None


def _sought(value: Any) -> list[Any]:
    return [] if value is ABSENT else [value]


def _read(sought: Any) -> Any:
    return sought[0] if sought else ABSENT


def _observation(answer: Observation) -> dict[str, Any]:
    return {"value": _sought(answer.value), "comparison": answer.comparison}
