"""What the races of a run stand on: how often clients met, what was swept, and what stayed open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.report import text, verdict
from onewinner.report.html.markup import Markup, joined, said, tag
from onewinner.report.html.page import badge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.suite.tree import Canary, ClauseResult, Evidence, RunResult

_MET: Final = "contested keys"
_OPEN: Final = ("undecided", "not judged", "stalled", "grey", "left out")
_COLUMNS: Final = (
    ("rounds", "Rounds"),
    ("calls", "Calls"),
    (_MET, "Contested keys"),
    ("contested across processes", "Across processes"),
    ("overlapping pairs", "Overlapping pairs"),
)


def applies(result: RunResult) -> bool:
    """Tell whether anything was raced, swept or left open."""
    return bool(result.canaries) or any(True for _ in _evidence(result))


def told(result: RunResult) -> Markup:
    """Answer the canaries, the races, the sweeps, and what was not decided."""
    return joined(
        (
            tag(
                "p",
                "A race proves nothing unless clients met in it: a clause is a pass only above a "
                "floor of contested keys, and is untested below.",
                class_="lead",
            ),
            _canaries(result.canaries),
            _races(list(_raced(result))),
            _swept(list(_sweeps(result))),
            _undecided(list(_left_open(result))),
        )
    )


def _evidence(result: RunResult) -> Iterator[tuple[ClauseResult, Evidence]]:
    for clause in result.clauses:
        found = verdict.evidence(clause)
        if _MET in found or "swept" in found or any(_is_open(name, found[name]) for name in found):
            yield clause, found


def _raced(result: RunResult) -> Iterator[tuple[ClauseResult, Evidence]]:
    return (each for each in _evidence(result) if _MET in each[1])


def _sweeps(result: RunResult) -> Iterator[tuple[ClauseResult, Evidence]]:
    return (each for each in _evidence(result) if each[1].get("swept"))


def _left_open(result: RunResult) -> Iterator[tuple[str, str, str]]:
    for clause, found in _evidence(result):
        for name, value in found.items():
            if _is_open(name, value):
                yield clause.clause.id, name, f"{value:,}"


def _is_open(name: str, value: float | str) -> bool:
    return not isinstance(value, str) and value > 0 and any(word in name for word in _OPEN)


def _canaries(canaries: Sequence[Canary]) -> Markup | None:
    """Answer the races that are certainly there, and how soon this machine showed each."""
    if not canaries:
        return None
    rows = [
        tag(
            "tr",
            tag("th", said(each.name, at_most=80), scope="row"),
            tag("td", each.level),
            tag("td", _seen(each)),
            tag("td", _found(each)),
            tag("td", f"{each.rounds:,}", class_="n"),
        )
        for each in canaries
    ]
    heads = ("Canary", "Level", "", "When", "Contested keys")
    lead = (
        "Canaries are races that are certainly there: how soon were they found here, just before?"
    )
    return joined((tag("h3", "Canaries"), tag("p", lead, class_="dim"), _table(heads, rows)))


def _seen(canary: Canary) -> Markup:
    if canary.reason:
        return badge("n/a", "not raced")
    if canary.found_ms is None:
        return badge("untested", "not found")
    return badge("pass", "found")


def _found(canary: Canary) -> str:
    if canary.reason:
        return said(canary.reason, at_most=200)
    if canary.found_ms is None:
        return f"not found in {canary.seconds:.1f} s"
    return f"after {canary.found_ms:.3g} ms"


def _races(raced: Sequence[tuple[ClauseResult, Evidence]]) -> Markup | None:
    if not raced:
        return None
    rows = [
        tag(
            "tr",
            tag("th", tag("a", clause.clause.id, href=f"#{clause.clause.id}"), scope="row"),
            tag("td", badge(clause.status.label)),
            tag("td", said(str(found.get("stress", "")), at_most=200)),
            *(tag("td", _number(found.get(name)), class_="n") for name, _ in _COLUMNS),
        )
        for clause, found in raced
    ]
    heads = ("Clause", "Status", "What luck showed", *(title for _, title in _COLUMNS))
    return joined((tag("h3", "Races"), _table(heads, rows)))


def _number(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:,}"


def _swept(found: Sequence[tuple[ClauseResult, Evidence]]) -> Markup | None:
    """Answer what was covered under a schedule, which no luck is in."""
    if not found:
        return None
    items = [
        tag(
            "li",
            tag("a", clause.clause.id, href=f"#{clause.clause.id}"),
            f" {said(str(evidence['swept']))}",
        )
        for clause, evidence in found
    ]
    title = f"Controlled schedules, {text.count(len(items), 'clause')}"
    return tag("details", tag("summary", title), tag("ul", *items))


def _undecided(found: Sequence[tuple[str, str, str]]) -> Markup:
    """Answer what was seen and could not be judged either way; it counts for no verdict."""
    if not found:
        return tag("p", "Nothing of what was seen was left undecided.", class_="dim")
    rows = [
        tag(
            "tr",
            tag("th", tag("a", clause, href=f"#{clause}"), scope="row"),
            tag("td", said(name, at_most=80)),
            tag("td", value, class_="n"),
        )
        for clause, name, value in found
    ]
    lead = "Seen and not judged: it counts for no verdict, neither for the store nor against it."
    table = _table(("Clause", "What", "How often"), rows)
    return joined((tag("h3", "Left open"), tag("p", lead, class_="dim"), table))


def _table(heads: Sequence[str], rows: Sequence[Markup]) -> Markup:
    numbers = {title for _, title in _COLUMNS} | {"How often"}
    named = [
        tag("th", each, scope="col", class_="n" if each in numbers else None) for each in heads
    ]
    head = tag("thead", tag("tr", *named))
    return tag("div", tag("table", head, tag("tbody", *rows)), class_="wide card")
