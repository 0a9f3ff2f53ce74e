"""The page of a run: the verdict first, then what was broken, then what all of it stands on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from onewinner.contract.clauses import LEVELS
from onewinner.report import json as as_json
from onewinner.report import text, verdict
from onewinner.report.html import clauses, contention, page, violation
from onewinner.report.html.markup import Markup, joined, prose, said, tag
from onewinner.report.html.plots import plots
from onewinner.report.sharing import shared
from onewinner.suite.tree import ExitCode, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract.clauses import Level
    from onewinner.suite.tree import CheckResult, ClauseResult, RunResult, Violation

_BROKEN: Final = (Status.FAIL, Status.ERROR)


def dumps(result: RunResult) -> str:
    """Answer the run as one HTML file that needs nothing else."""
    result = shared(result)
    broken = [each for each in result.clauses if each.status in _BROKEN]
    open_ = [each for each in result.clauses if each.status is Status.UNTESTED]
    known = [each for each in result.clauses if each.status is Status.XFAIL]
    parts = (
        ("violations", "What is broken", joined(_broken(each, result) for each in broken), broken),
        ("untested", "What was not shown", _untested(open_), open_),
        ("known", "Known failures", joined(_broken(each, result) for each in known), known),
        ("clauses", "Clauses", clauses.table(result), result.clauses),
        ("contention", "Contention", contention.told(result), contention.applies(result)),
        ("latency", "Latency and throughput", _traffic(result), result.traffic is not None),
        ("run", "The run", _run(result), True),
    )
    shown = [(name, title, part) for name, title, part, there in parts if there]
    return page.whole(
        f"onewinner: {result.target}, {_word(result)[1]}",
        _top(result),
        _contents([(name, title) for name, title, _ in shown]),
        *(page.section(name, title, part) for name, title, part in shown),
    )


def _top(result: RunResult) -> Markup:
    mark, word = _word(result)
    kit = result.versions.get("onewinner", "")
    return page.heading(
        mark,
        f"onewinner {kit} · conformance of a keyed store with an atomic claim",
        word,
        result.target,
        tag("ol", *(_level(result, level) for level in LEVELS), class_="levels"),
        tag("p", verdict.line(result).removeprefix("onewinner: "), class_="line"),
        _counts(result),
        *(tag("p", said(each, at_most=text.PROSE_BYTES), class_="stale") for each in result.stale),
        *(tag("p", each, class_="dim") for each in verdict.calibration(result)),
    )


def _word(result: RunResult) -> tuple[str, str]:
    """Answer the mark and the few words that the page begins with."""
    match result.exit_code:
        case ExitCode.INTERRUPTED:
            return "untested", "Interrupted: no verdict"
        case ExitCode.NOTHING_RAN:
            return "untested", "Nothing ran: no verdict"
        case ExitCode.VIOLATION if result.count(Status.FAIL):
            return "fail", "Does not conform"
        case ExitCode.VIOLATION if result.count(Status.ERROR):
            return "error", "Could not be judged"
        case ExitCode.VIOLATION:
            return "fail", "The baseline is stale"
        case ExitCode.INCONCLUSIVE:
            return "untested", "Inconclusive"
        case _ if not verdict.is_complete(result):
            return "pass", "Passes what was selected"
        case _ if result.reached != result.level:
            return "untested", f"Conforms at level {result.reached or 'none'} only"
        case _:
            return "pass", f"Conforms at level {result.level}"


def _level(result: RunResult, level: Level) -> Markup:
    """Answer one step of the ladder of levels: reached, not reached, or not asked for."""
    own = [each for each in result.clauses if each.clause.level == level]
    judged = [each for each in own if each.status is not Status.NA]
    asked = LEVELS.index(level) <= LEVELS.index(result.level)
    reached = result.reached is not None and LEVELS.index(level) <= LEVELS.index(result.reached)
    worst = max((each.status for each in judged), default=Status.NA)
    label = worst.label if asked else "n/a"
    held = sum(each.status is Status.PASS for each in judged)
    told = f"{held} of {len(judged)} pass" if judged else "no clause applies"
    state = "reached" if reached else "not reached" if result.whole else "no verdict"
    return tag(
        "li",
        tag("span", page.SYMBOLS[label], class_="symbol", aria_hidden="true"),
        tag("strong", level),
        tag("span", f"{state}; {told}" if asked else "not asked for", class_="dim"),
        class_=f"{page.css(label)}{' asked' if level == result.level else ''}",
    )


def _counts(result: RunResult) -> Markup:
    """Answer how many clauses have each status, as words and as a bar."""
    found = verdict.tally(result)
    labels = [each.label for each in sorted(Status, reverse=True) if found[each.label]]
    whole = max(sum(found.values()), 1)
    parts = []
    x = 0.0
    for label in labels:
        width = found[label] / whole * 100
        title = tag("title", f"{found[label]} {label}")
        share, at = f"{width:.3f}%", f"{x:.3f}%"
        parts.append(tag("rect", title, x=at, width=share, height=10, class_=page.css(label)))
        x += width
    words = [tag("li", page.badge(label), f" {found[label]}") for label in labels]
    bar = tag("svg", *parts, class_="share", height=10, role="img", aria_label="Clauses by status")
    return tag("div", bar, tag("ul", *words, class_="legend"), class_="counts")


def _contents(parts: list[tuple[str, str]]) -> Markup:
    links = [tag("a", title, href=f"#{name}") for name, title in parts]
    return tag("nav", *links, aria_label="Parts of this report")


def _broken(clause: ClauseResult, result: RunResult) -> Markup:
    """Answer all that is known of a clause that does not hold, the best telling first."""
    of, best = clause.clause, clause.violation
    told: Markup
    if best is None:
        told = _error(clause, result)
    else:
        command = verdict.reproduce(result, of.id, best)
        told = violation.told(best, name=f"t-{of.id}", command=command)
    return tag(
        "article",
        tag(
            "h3",
            page.badge(clause.status.label),
            " ",
            tag("a", of.id, href=f"#{of.id}"),
            tag("span", f" {of.severity}", class_="dim"),
        ),
        tag("p", prose(of.sentence), class_="sentence"),
        told,
        *(_other(n, each, result) for n, each in enumerate(_others(clause), 1)),
        tag("p", _which(clause), class_="dim"),
        class_=f"card {page.css(clause.status.label)}",
        id=f"broken-{of.id}",
    )


def _which(clause: ClauseResult) -> str:
    others = [check.check for check in clause.checks if check.status > Status.XFAIL]
    return f"Seen by: {', '.join(others)}" if others else ""


def _others(clause: ClauseResult) -> Iterator[tuple[CheckResult, Violation]]:
    """Yield what other checks saw of the clause: it may be another defect."""
    for check in clause.checks:
        if check.violation is not None and check.violation != clause.violation:
            yield check, check.violation


def _other(number: int, found: tuple[CheckResult, Violation], result: RunResult) -> Markup:
    check, other = found
    name = f"t-{other.clause}-{number}"
    command = verdict.reproduce(result, other.clause, other)
    return tag(
        "details",
        tag("summary", tag("strong", check.check), f": {said(other.summary, at_most=200)}"),
        violation.told(other, name=name, command=command),
        class_="also",
    )


def _error(clause: ClauseResult, result: RunResult) -> Markup:
    """Answer what kept a check from its verdict, and how to see it again."""
    kept = [check.artefact for check in clause.checks if check.artefact]
    commands = [("Reproduce", verdict.reproduce(result, clause.clause.id))]
    commands += [("Explain", f"onewinner explain {each}") for each in kept]
    reason = said(clause.reason, at_most=text.PROSE_BYTES, keep="\n")
    return joined((tag("pre", reason, class_="happened"), violation.commands(commands)))


def _untested(open_: list[ClauseResult]) -> Markup:
    rows = [
        tag(
            "li",
            tag("a", each.clause.id, href=f"#{each.clause.id}"),
            f" {said(each.reason, at_most=text.PROSE_BYTES)}",
        )
        for each in open_
    ]
    return tag("ul", *rows, class_="card")


def _traffic(result: RunResult) -> Markup | None:
    if result.traffic is None:
        return None
    if not result.traffic.total:
        return tag("p", "No call of the store returned, so there is nothing to plot.")
    lead = (
        f"{text.count(result.traffic.total, 'call')} that returned, in the checks that time them."
    )
    return joined((tag("p", lead, class_="lead"), plots(result.traffic)))


def _run(result: RunResult) -> Markup:
    """Answer all that the verdict depends on besides the store."""
    told = as_json.as_dict(result)
    versions = [(f"version of {name}", value) for name, value in result.versions.items()]
    known = [
        ("target", result.target),
        ("level asked for", result.level),
        ("level reached", result.reached or "none"),
        ("seed", verdict.seed_text(result.seed)),
        ("budget", f"{result.budget_s:g} s"),
        ("took", f"{result.seconds:.1f} s"),
        ("started", result.started),
        ("processors", str(result.cores)),
        ("exit code", f"{int(result.exit_code)} ({result.exit_code.name.lower()})"),
        *versions,
    ]
    notes = [said(note, at_most=text.PROSE_BYTES) for note in result.notes]
    return joined(
        (
            page.facts(known),
            joined((tag("h3", "Notes"), page.listed(notes))) if notes else None,
            _printed(result),
            tag("h3", "Declared capabilities"),
            page.facts((name, _shown(value)) for name, value in told["capabilities"].items()),
        )
    )


def _printed(result: RunResult) -> Markup | None:
    """Answer the last lines that the store's processes printed, folded."""
    if not result.printed:
        return None
    lines = "\n".join(said(line) for line in result.printed[-text.LINES :])
    title = "What the store's processes printed last"
    return tag("details", tag("summary", title), tag("pre", lines, class_="happened"))


def _shown(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value)) or "none"
        case dict():
            return ", ".join(f"{name}: {_shown(member)}" for name, member in value.items())
        case str():
            return value
        case _:
            return json.dumps(value)
