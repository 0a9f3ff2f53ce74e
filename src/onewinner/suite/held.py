"""What was wrong with a schedule, and how it is told: who was held where, and what came of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from onewinner.contract import ABSENT, Entry
from onewinner.contract.newer import WRITES
from onewinner.history import Fail, Ok, Operation
from onewinner.history.plain import shown
from onewinner.suite.orders import ORDERS
from onewinner.suite.replay import token_of
from onewinner.suite.timeline import timeline_of
from onewinner.suite.tree import REPLAY, Recorded, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from onewinner.schedule.play import Stop
    from onewinner.schedule.sweep import Ran
    from onewinner.suite.orders import Judge
    from onewinner.suite.timeline import Timeline

_CLAIM: Final = "register_if_absent"
_REFUSALS: Final = frozenset({"LIMIT_EXCEEDED", "INVALID_INPUT"})
_LONGEST: Final = 200
_NAMED_MOST: Final = 6
_WON: Final = re.compile(r"^\d+ claims of the key .* won")
_WHY: Final = "no order of these calls, each at one instant, is one that the contract allows"


@dataclass(slots=True)
class Bad:
    """A schedule that nothing explains. `fatal`: a claimant died, which is no answer at all.

    `error`: a call failed that must not; `opening`: for want of a store that it could open.
    `vulnerable` are the bad ones of the same sweep, `tried` all of them. `on_threads` counts the
    schedules of the same calls that went right, all of them, with claimants on threads of one
    process. `judge` is who found it.
    """

    ran: Ran
    summary: str
    error: bool = False
    opening: bool = False
    fatal: bool = False
    vulnerable: list[Ran] = field(default_factory=list)
    tried: list[Ran] = field(default_factory=list)
    on_threads: int = 0
    judge: Judge | None = None

    def error_clause(self, *, processes: bool) -> str | None:
        """Answer the clause about errors where that is what was wrong, else None.

        That a store cannot be opened while others open it is what its own scenario is about. A
        store that opens with the first call that needs it says so then.
        """
        if not self.error or self.ran.scenario.fresh:
            return None
        if self.opening and processes:
            return "DUR-2"
        return "ERR-3" if processes else "ERR-2"


def bad_of(ran: Ran, judge: Judge) -> Bad | None:
    """Answer what is wrong with a schedule; None where nothing is, or nothing can be said."""
    if ran.died:
        who, died = ran.died[0]
        hung = "did not return" in died.how
        return Bad(ran, f"p{who}: {died.how}", error=hung, fatal=not hung)
    if not judge.prepared(ran) or judge.explains(ran):
        return None
    met = [each for each in ran.operations if each.extra["phase"] == "meet"]
    failed = [each for each in ran.operations if _failed(each)]
    if failed:
        first = failed[0]
        summary = f"{told(first)} where the contract has no error"
        opening = _code(first) == "OPEN_FAILED"
        return Bad(ran, summary, error=True, opening=opening, judge=judge)
    return Bad(ran, _summary(met), judge=judge)


def _failed(operation: Operation) -> bool:
    if isinstance(operation.outcome, Ok) or operation.extra["phase"] == "prepare":
        return False
    return _code(operation) not in _REFUSALS


def _code(operation: Operation) -> str | None:
    """Answer the code of the error that a call failed with, None where it has none."""
    error = operation.outcome.error if isinstance(operation.outcome, Fail) else None
    return str(error.get("code")) if isinstance(error, dict) else None


def _summary(met: list[Operation]) -> str:
    claims = [each for each in met if each.f == _CLAIM]
    keys = {(each.value["namespace"], each.value["key"]) for each in claims}
    won = [each for each in claims if each.outcome == Ok(True)]
    if len(claims) == len(met) > 1 and len(keys) == 1:
        key = claims[0].value["key"]
        if len(won) > 1:
            return f"{len(won)} claims of the key {key!r} won"
        if not won:
            return f"no claim of the key {key!r} won"
    return "; ".join(told(each) for each in met) + ": no order explains that"


def told(operation: Operation) -> str:
    """Write a call with its answer."""
    return f"p{operation.process}: {call_told(operation)} -> {answer_told(operation)}"


def call_told(operation: Operation) -> str:
    """Write a call as it was made."""
    value = operation.value
    given = [] if value["key"] is None else [repr(value["key"])]
    if operation.f in WRITES or value["value"] is not None:
        given.append(repr(value["value"]))
        given += [] if value["ttl_ms"] is None else [f"ttl_ms={value['ttl_ms']}"]
    return f"{operation.f}({', '.join(given)})"


def answer_told(operation: Operation) -> str:
    """Write what a call answered."""
    match operation.outcome:
        case Ok(result) if result is ABSENT:
            return "no row"
        case Ok(result) if operation.f == "entries":
            rows = [f"{row.key}: {row.value!r}" for row in result if isinstance(row, Entry)]
            return "{" + ", ".join(rows) + "}"
        case Ok(result):
            return shown(operation.f, result)[:_LONGEST]
        case Fail({"code": code, "message": message}):
            return f"raised {code}: {message}"[:_LONGEST]
        case other:
            return f"raised {getattr(other, 'reason', other)}"[:_LONGEST]


def violation(bad: Bad, target: str, clause: str, processes: bool) -> Violation:
    """Put a bad schedule into words, with the token that repeats it."""
    token = token_of(bad.ran, target, processes=processes).text()
    where = "processes" if processes else "threads"
    if bad.ran.shared:
        where = "two threads and a process" if processes else "threads on one handle"
    summary, why = f"{bad.summary} ({bad.ran.scenario.name}, {where})", _WHY
    if bad.on_threads:
        summary += ": safe for threads, not for processes"
        why += f"; on threads of one process all {bad.on_threads} schedules of them went right"
    return Violation(
        clause=clause,
        summary=summary,
        happened=tuple(_story(bad)),
        why=why,
        reproduce=f"{REPLAY} {token}",
        timeline=_drawn(bad.ran, bad.judge),
        recorded=Recorded(operations=bad.ran.operations, judge=ORDERS),
    )


def _let_in(begun: Mapping[int, int], who: int) -> int:
    """Answer when the hold of a claimant showed: when the next one was let in, or it began."""
    return min((at for at in begun.values() if at > begun[who]), default=begun[who])


def _held_at(stop: Stop, of: int) -> str:
    return f"p{stop.who} is held before `{stop.point.name}` (point {stop.number} of {of})"


def _drawn(ran: Ran, judge: Judge | None) -> Timeline:
    """Answer how a schedule is drawn: who was held where, and the calls from preparation to look.

    The wrong answer is the first that cannot be explained in the order of the returns; where each
    can, it takes all of them that no order explains them.
    """
    met = [each for each in ran.operations if each.extra["phase"] == "meet"]
    begun = {each.process: each.invoked_ns for each in met}
    marks = [
        (_let_in(begun, stop.who), _held_at(stop, len(ran.points[stop.who])))
        for stop in ran.stops
        if stop.who in begun
    ]
    prepared = [each for each in ran.operations if each.extra["phase"] == "prepare"]
    looked = [each for each in ran.operations if each.extra["phase"] == "inspect"]
    shown = [*prepared[-_NAMED_MOST:], *met, *looked]
    followed = None if judge is None else judge.followed(ran.operations)
    wrong = met if followed is None or followed.wrong is None else [followed.wrong]
    return timeline_of(
        shown,
        call=call_told,
        answer=answer_told,
        marks=marks,
        wrong=wrong,
        states=None if followed is None else followed.rows,
    )


def _story(bad: Bad) -> Iterator[str]:
    """Yield the schedule, a line each, and the map of the points at which a rival spoils it."""
    ran = bad.ran
    prepared = [each for each in ran.operations if each.extra["phase"] == "prepare"]
    if len(prepared) <= _NAMED_MOST:
        yield from (f"first {told(each)}" for each in prepared)
    met = {each.process: each for each in ran.operations if each.extra["phase"] == "meet"}
    stopped = set()
    for stop in ran.stops:
        stopped.add(stop.who)
        of = len(ran.points[stop.who])
        yield (
            f"p{stop.who}: {call_told(met[stop.who])} is held before `{stop.point.name}` "
            f"(point {stop.number} of {of})"
        )
    for who in sorted(met, key=lambda each: (each in stopped, met[each].completed_ns or 0)):
        waited = " (it had to wait for the other)" if who in ran.waited else ""
        again = "goes on" if who in stopped else call_told(met[who])
        yield f"p{who}: {again} -> {answer_told(met[who])}{waited}"
    looked = [each for each in ran.operations if each.extra["phase"] == "inspect"]
    yield from (f"then {told(each)}" for each in looked)
    yield from _map(bad)


def _map(bad: Bad) -> Iterator[str]:
    """Yield between which points of the victim a rival spoils it."""
    held = sorted({ran.stops[0].number for ran in bad.vulnerable if ran.stops})
    tried = {ran.stops[0].number for ran in bad.tried if ran.stops}
    if len(tried) < 2 or not held:
        return
    victim = bad.ran.stops[0].who
    names = [point.name for point in max((ran.points[victim] for ran in bad.tried), key=len)]
    spans = _spans(held)
    shown = [_between(names, first, last) for first, last in spans[:_NAMED_MOST]]
    more = f", and {len(spans) - _NAMED_MOST} times more" if len(spans) > _NAMED_MOST else ""
    does = "wins" if _WON.search(bad.summary) else "spoils it"
    yield f"a rival {does} {', and '.join(shown)}{more}: {len(held)} of {len(tried)} points"


def _spans(numbers: list[int]) -> list[tuple[int, int]]:
    """Answer numbers that follow each other as first and last."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _between(names: list[str], first: int, last: int) -> str:
    """Say where a call is that is held before its points `first` to `last`."""
    before = f"between `{names[first - 2]}` and" if first > 1 else "before"
    return f"{before} `{names[last - 1]}`"
