"""The result tree as JUnit XML: one test case for each check of each clause."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

from onewinner.report import failure, text, verdict
from onewinner.report.sharing import shared
from onewinner.suite.tree import CheckResult, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.suite.tree import ClauseResult, RunResult

# What XML 1.0 cannot hold, not even as a character reference; and the carriage return, which its
# readers turn into a line feed.
_NOT_XML: Final = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# How readers of JUnit XML name the outcomes; a pass has no element.
_ELEMENTS: Final = {
    Status.NA: ("skipped", "n/a"),
    Status.XFAIL: ("skipped", "xfail"),
    Status.UNTESTED: ("failure", "untested"),
    Status.FAIL: ("failure", "violation"),
    Status.ERROR: ("error", "error"),
}


def dumps(result: RunResult) -> str:
    """Answer the run as one JUnit XML document, safe for XML 1.0 whatever the target said."""
    result = shared(result)
    suite = ElementTree.Element("testsuite")
    _properties(
        suite,
        {
            "target": result.target,
            "level": result.level,
            "reached": result.reached or "none",
            "complete": str(verdict.is_complete(result)).lower(),
            "seed": verdict.seed_text(result.seed),
            "budget_s": f"{result.budget_s:g}",
            "exit_code": str(int(result.exit_code)),
            "verdict": verdict.line(result),
        },
    )
    for clause, check in _cases(result):
        suite.append(_case(result, clause, check))
    for told in result.stale:
        suite.append(_stale(told))
    totals = {
        "tests": str(len(suite.findall("testcase"))),
        "failures": str(len(suite.findall("testcase/failure"))),
        "errors": str(len(suite.findall("testcase/error"))),
        "skipped": str(len(suite.findall("testcase/skipped"))),
        "time": f"{result.seconds:.3f}",
    }
    suite.attrib = {"name": _xml(f"onewinner {result.target}"), **totals}
    suite.set("timestamp", _xml(result.started))
    root = ElementTree.Element("testsuites", {"name": "onewinner", **totals})
    root.append(suite)
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="us-ascii").decode("ascii")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _cases(result: RunResult) -> Iterator[tuple[ClauseResult, CheckResult]]:
    for clause in result.clauses:
        # A clause that no check reported on still counts: it is n/a or untested, never forgotten.
        own = () if clause.missing is not None else clause.checks
        only = CheckResult(
            check="", clause=clause.clause.id, status=clause.status, reason=clause.reason
        )
        for check in own or (only,):
            yield clause, check


def _case(result: RunResult, clause: ClauseResult, check: CheckResult) -> ElementTree.Element:
    name = f"{clause.clause.id} {check.check}".rstrip()
    case = ElementTree.Element(
        "testcase",
        {
            "classname": f"onewinner.{clause.clause.family}",
            "name": _xml(name),
            "time": f"{check.seconds:.3f}",
        },
    )
    _properties(
        case,
        {
            "clause": clause.clause.id,
            "check": check.check,
            "severity": clause.clause.severity,
            "seed": verdict.seed_text(result.seed),
            **{f"evidence.{key}": str(value) for key, value in check.evidence.items()},
        },
    )
    status = verdict.status_of(check, clause)
    if status in _ELEMENTS:
        tag, kind = _ELEMENTS[status]
        message = check.violation.summary if check.violation else check.reason
        if status is Status.XFAIL and clause.known is not None:
            message = f"{clause.known.reason} ({clause.known.kind}): {message}"
        short = _xml(text.shorten(message, at_most=text.PROSE_BYTES))
        outcome = ElementTree.SubElement(case, tag, {"message": short, "type": kind})
        outcome.text = _xml(_body(result, clause, check)) if tag != "skipped" else None
    return case


def _stale(told: str) -> ElementTree.Element:
    """Answer the case of an entry of a baseline that expects what does not happen any more."""
    clause = told.partition(" ")[0]
    case = ElementTree.Element(
        "testcase",
        {"classname": "onewinner.baseline", "name": _xml(f"known {clause}"), "time": "0.000"},
    )
    short = _xml(text.shorten(told, at_most=text.PROSE_BYTES))
    ElementTree.SubElement(case, "failure", {"message": short, "type": "stale"}).text = short
    return case


def _body(result: RunResult, clause: ClauseResult, check: CheckResult) -> str:
    found = check.violation
    lines = [f"{clause.clause.id}  {clause.clause.sentence}"]
    if found is None:
        lines += [check.reason]
    else:
        lines += [*failure.story(found), *failure.program(found)]
    # Some viewers drop the properties, so the command stands in the text too.
    lines += [f"Reproduce:  {verdict.reproduce(result, clause.clause.id, found)}"]
    return "\n".join(lines)


def _properties(parent: ElementTree.Element, values: dict[str, str]) -> None:
    properties = ElementTree.SubElement(parent, "properties")
    for name, value in values.items():
        short = _xml(text.shorten(value, at_most=text.PROSE_BYTES))
        ElementTree.SubElement(properties, "property", {"name": _xml(name), "value": short})


def _xml(value: str) -> str:
    """Answer the text with what XML cannot hold written as Python escapes."""
    return _NOT_XML.sub(
        lambda m: m[0].encode("unicode_escape", "surrogatepass").decode("ascii"), value
    )
