"""The page of one failure that was kept: `onewinner explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.report.html import excerpt, page
from onewinner.report.html import violation as telling
from onewinner.report.html.markup import tag
from onewinner.report.sharing import shared_violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onewinner.history import Operation
    from onewinner.report.html.markup import Markup
    from onewinner.suite.tree import Violation


def dumps_violation(
    heading: str,
    facts: Iterable[tuple[str, str]],
    violation: Violation | None,
    operations: Sequence[Operation] = (),
) -> str:
    """Answer a kept failure as one HTML file that needs nothing else.

    `heading` says what was kept, `facts` are names with their values (target, seed, versions);
    `violation` is None where a check could not be carried out, and `operations` is the whole
    history, where there is one.
    """
    shown = list(facts)
    return excerpt.fitted(lambda most: _page(heading, shown, violation, operations, most))


def _page(
    heading: str,
    facts: Sequence[tuple[str, str]],
    found: Violation | None,
    operations: Sequence[Operation],
    most: int,
) -> str:
    mark = "error" if found is None else "fail"
    word = "A check in error" if found is None else f"{found.clause} is violated"
    return page.whole(
        f"onewinner: {heading}",
        page.heading(mark, "onewinner · a failure that was kept", word, heading),
        None if found is None else _violation(found),
        _history(found, operations, most),
        page.section("facts", "What was judged", page.facts(facts)),
    )


def _violation(found: Violation) -> Markup:
    found = shared_violation(found)
    told = telling.told(found, name="t", command=found.reproduce)
    says = page.contract_says(found.clause)
    return tag("article", says, told, class_="card s-fail", id="violation")


def _history(found: Violation | None, operations: Sequence[Operation], most: int) -> Markup | None:
    """Answer the whole history; where the violation is drawn with all of it, that is enough."""
    timeline = None if found is None else found.timeline
    if timeline is not None and len(timeline.bars) >= len(operations):
        return None
    wrong = excerpt.seen_in(timeline, operations)
    drawn = excerpt.excerpt(operations, wrong=wrong, most=most)
    if not drawn.timeline.bars:
        return None
    return page.section("history", "The whole history", excerpt.figure(drawn, name="h"))
