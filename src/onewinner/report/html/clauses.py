"""The clauses of a run as a table that is filtered without a script, and what does not apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.report import text, verdict
from onewinner.report.html.markup import Markup, joined, prose, said, tag
from onewinner.report.html.page import badge, css
from onewinner.suite.tree import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from onewinner.suite.tree import CheckResult, ClauseResult, RunResult

_ORDER: Final = (
    Status.FAIL,
    Status.ERROR,
    Status.UNTESTED,
    Status.XFAIL,
    Status.PASS,
)


def table(result: RunResult) -> Markup:
    """Answer every clause with its status and what that stands on; what is n/a is folded."""
    judged = [each for each in result.clauses if each.status is not Status.NA]
    rest = [each for each in result.clauses if each.status is Status.NA]
    head = tag("tr", *(tag("th", each, scope="col") for each in _HEADS))
    rows = joined(map(_row, judged))
    shown = tag("table", tag("thead", head), tag("tbody", rows), class_="clauses")
    return joined((tag("div", *_filters(judged), shown), _not_applicable(result, rest)))


_HEADS: Final = ("Clause", "Status", "What it says", "Evidence")


def _filters(judged: list[ClauseResult]) -> Iterator[Markup]:
    """Yield a choice for each status that there is; the style hides the other rows."""
    labels = [s.label for s in _ORDER if any(each.status is s for each in judged)]
    counted = {label: sum(each.status.label == label for each in judged) for label in labels}
    for label in ("all", *labels):
        number = len(judged) if label == "all" else counted[label]
        identity = f"show-{label}"
        yield tag(
            "input",
            type="radio",
            name="show",
            id=identity,
            class_="filter unseen",
            checked=label == "all",
        )
        yield tag("label", f"{label} {number}", for_=identity, class_=f"button {css(label)}")


def _row(clause: ClauseResult) -> Markup:
    label = clause.status.label
    return tag(
        "tr",
        tag("th", tag("a", clause.clause.id, href=f"#{clause.clause.id}"), scope="row"),
        tag("td", badge(label)),
        tag("td", tag("p", prose(clause.clause.sentence)), _reason(clause), _more(clause)),
        tag("td", text.evidence_line(verdict.evidence(clause), at_most=2), class_="evidence"),
        id=clause.clause.id,
        data_clause=clause.clause.id,
        data_status=label,
    )


def _reason(clause: ClauseResult) -> Markup | None:
    if clause.status in (Status.FAIL, Status.ERROR):
        link = tag("a", "see what happened", href=f"#broken-{clause.clause.id}")
        return tag("p", said(clause.reason, at_most=300), " ", link, class_="reason")
    if clause.status is Status.PASS or not clause.reason:
        return None
    return tag("p", said(clause.reason), class_="reason")


def _more(clause: ClauseResult) -> Markup:
    """Answer what the contract adds, and what each check found, folded."""
    of = clause.clause
    needs = f"; needs {', '.join(of.needs).replace('|', ' or ')}" if of.needs else ""
    about = f"level {of.level}, {of.severity}{needs}; specs/contract.md#{of.id.lower()}"
    return tag(
        "details",
        tag("summary", "note and checks" if of.note else "checks"),
        tag("p", prose(of.note)) if of.note else None,
        tag("p", about, class_="dim"),
        _known(clause),
        tag("ul", *(_check(each, clause) for each in clause.checks), class_="checks"),
    )


def _known(clause: ClauseResult) -> Markup | None:
    """Answer the failure that was expected, with its issue."""
    known = clause.known
    if known is None:
        return None
    link: Markup | None = None
    if known.issue.startswith(("https://", "http://")):
        link = tag("a", said(known.issue), href=said(known.issue), rel="noreferrer noopener")
    parts = (f"Known ({known.kind}): {said(known.reason)} ", link or said(known.issue))
    return tag("p", *parts)


def _check(check: CheckResult, clause: ClauseResult) -> Markup:
    evidence = text.evidence_line(check.evidence)
    status = verdict.status_of(check, clause).label
    return tag(
        "li",
        tag("strong", check.check),
        " ",
        badge(status),
        f" {check.seconds:.1f} s",
        tag("span", f"; {evidence}", class_="dim") if evidence else None,
        tag("p", said(check.reason)) if check.reason else None,
        *(tag("p", said(note), class_="dim") for note in check.notes),
        data_check=check.check,
        data_status=status,
    )


def _not_applicable(result: RunResult, rest: list[ClauseResult]) -> Markup | None:
    """Answer what was not judged, by what is not declared or why it was left out, folded."""
    if not rest:
        return None
    by_id = {each.clause.id: each for each in rest}
    lost = {f"{word} is not declared": ids for word, ids in verdict.undeclared(result).items()}
    groups = [
        tag("div", tag("dt", said(reason)), tag("dd", _ids(ids, by_id)))
        for reason, ids in {**lost, **verdict.left_out(result)}.items()
    ]
    return tag(
        "details",
        tag("summary", badge("n/a"), f" {text.count(len(rest), 'clause')} that do not apply"),
        tag("dl", *groups, class_="groups"),
        class_="apart",
    )


def _ids(ids: Iterable[str], by_id: dict[str, ClauseResult]) -> Markup:
    return tag(
        "ul",
        *(
            tag(
                "li",
                tag("strong", each),
                " ",
                prose(by_id[each].clause.sentence),
                id=each,
                data_clause=each,
                data_status="n/a",
            )
            for each in ids
        ),
    )
