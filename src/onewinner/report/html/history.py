"""The page of a history that somebody recorded: `onewinner check`."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from onewinner.checker import narrate
from onewinner.report import history as as_text
from onewinner.report import text
from onewinner.report.html import excerpt, page
from onewinner.report.html.markup import Markup, said, tag
from onewinner.report.html.timeline import drawn
from onewinner.report.sharing import shared_timeline
from onewinner.suite.timeline import timeline_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.history import Operation, Remark
    from onewinner.suite.offline import Judged
    from onewinner.suite.timeline import Timeline

_MARKS: Final = {"valid": "pass", "invalid": "fail", "unknown": "untested"}
_WORDS: Final = {"valid": "Valid", "invalid": "Not valid", "unknown": "Unknown"}
_PARTS_MOST: Final = 20


def dumps_history(
    judged: Judged, operations: Sequence[Operation], remarks: Sequence[Remark] = ()
) -> str:
    """Answer the verdict on a history as one HTML file that needs nothing else, below 1 MB.

    `remarks` are what stands in the history and is no call, of a nemesis for example.
    """
    return excerpt.fitted(lambda most: _page(judged, operations, remarks, most))


def _page(
    judged: Judged, operations: Sequence[Operation], remarks: Sequence[Remark], most: int
) -> str:
    name = judged.verdict.name
    file = PurePath(judged.path).name
    why = as_text.why(judged).removeprefix(": ")
    return page.whole(
        f"onewinner: {file} is {name}",
        page.heading(
            _MARKS[name],
            "onewinner · a history that was recorded",
            _WORDS[name],
            file,
            tag("p", _told(why), class_="line") if why else None,
            page.listed(map(_told, as_text.about(judged)), class_="about"),
        ),
        _example(judged),
        _history(judged, operations, remarks, most),
        _parts(judged),
    )


def _example(judged: Judged) -> Markup | None:
    """Answer the few operations that make it invalid, drawn and in words."""
    timeline = _few(judged)
    if timeline is None:
        return None
    lines = narrate.timeline(judged.example) if judged.example is not None else ()
    words = tag("pre", "\n".join(_told(line) for line in lines), class_="happened")
    calls = text.count(len(timeline.bars), "call")
    others = (
        0 if judged.example is None else sum(each.process >= 0 for each in judged.example.optional)
    )
    help_ = f"; whether or not {text.count(others, 'more call')} took effect does not help"
    return page.section(
        "example",
        "Why it is not valid",
        drawn(shared_timeline(timeline), name="x"),
        tag("details", tag("summary", "In words"), words) if lines else None,
        lead=f"No order of {calls} explains what was answered{help_ if others else ''}.",
    )


def _few(judged: Judged) -> Timeline | None:
    example = judged.example
    if example is not None:
        return timeline_of(
            example.operations,
            call=excerpt.call_told,
            answer=narrate.answer,
            wrong=[example.failing],
            states=narrate.rows(example.operations),
        )
    if judged.mixed:
        return timeline_of(
            judged.mixed,
            call=excerpt.call_told,
            answer=narrate.answer,
            wrong=judged.mixed[:1],
        )
    return None


def _history(
    judged: Judged, operations: Sequence[Operation], remarks: Sequence[Remark], most: int
) -> Markup | None:
    if not operations:
        return None
    failing = _failing(judged)
    wrong = [] if failing is None else [each for each in operations if _is(each, failing)][:1]
    found = excerpt.excerpt(
        operations,
        wrong=wrong,
        error_ns=None if failing is None else failing.invoked_ns,
        remarks=remarks,
        most=most,
    )
    return page.section("history", "The history", excerpt.figure(found, name="h"))


def _failing(judged: Judged) -> Operation | None:
    if judged.example is not None:
        return judged.example.failing
    return judged.mixed[0] if judged.mixed else None


def _is(operation: Operation, other: Operation) -> bool:
    """Tell whether it is the same call: a listing is judged key by key, as calls of its own."""
    same = operation.invoked_ns == other.invoked_ns and operation.process == other.process
    return same and operation.completed_ns == other.completed_ns


def _parts(judged: Judged) -> Markup | None:
    """Answer the parts that are not valid, or on which there is no verdict."""
    invalid = judged.verdict.valid is False
    # Once a part is invalid the others are not looked at any more, which is no finding.
    amiss = [
        part
        for part in judged.verdict.partitions
        if part.valid is False or (part.valid == "unknown" and not invalid)
    ]
    if not amiss:
        return None
    rows = [
        tag(
            "tr",
            tag("th", said(_key(part.key), at_most=text.VALUE_BYTES), scope="row"),
            tag("td", page.badge("untested" if part.valid == "unknown" else "fail")),
            tag("td", f"{part.operations:,}", class_="n"),
            tag("td", _told(part.reason)),
        )
        for part in amiss[:_PARTS_MOST]
    ]
    more = len(amiss) - _PARTS_MOST
    heads = (tag("th", each, scope="col") for each in ("Part", "", "Operations", "Why"))
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows))
    return page.section(
        "parts",
        "Parts that are not valid, or undecided",
        tag("div", table, class_="wide card"),
        tag("p", f"and {more:,} more", class_="dim") if more > 0 else None,
    )


def _key(key: object) -> str:
    """Answer what a part is about: plugin, namespace and key, as far as there are any."""
    if isinstance(key, tuple):
        return " / ".join(str(each) for each in key if each is not None)
    return str(key)


def _told(words: str) -> str:
    return said(text.shorten_values(words), at_most=text.PROSE_BYTES)
