"""The page of one failure that was kept: `onewinner explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.report.html import excerpt, page, violation
from onewinner.report.html.markup import tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onewinner.history import Operation
    from onewinner.report.html.markup import Markup
    from onewinner.suite.tree import Violation


def dumps_violation(
    heading: str,
    facts: Iterable[tuple[str, str]],
    found: Violation,
    operations: Sequence[Operation] = (),
) -> str:
    """Answer a kept failure as one HTML file that needs nothing else.

    `heading` says what was kept, `facts` are names with their values (target, seed, versions);
    `operations` is the whole history, where there is one.
    """
    shown = list(facts)
    return excerpt.fitted(lambda most: _page(heading, shown, found, operations, most))


def _page(
    heading: str,
    facts: Sequence[tuple[str, str]],
    found: Violation,
    operations: Sequence[Operation],
    most: int,
) -> str:
    told = violation.told(found, name="t", command=found.reproduce)
    of = page.contract_says(found.clause)
    return page.whole(
        f"onewinner: {heading}",
        page.heading(
            "fail", "onewinner · a failure that was kept", f"{found.clause} is violated", heading
        ),
        tag("article", of, told, class_="card s-fail", id="violation"),
        _history(found, operations, most),
        page.section("facts", "What was judged", page.facts(facts)),
    )


def _history(found: Violation, operations: Sequence[Operation], most: int) -> Markup | None:
    if not operations:
        return None
    wrong = excerpt.seen_in(found.timeline, operations)
    drawn = excerpt.excerpt(operations, wrong=wrong, most=most)
    return page.section("history", "The whole history", excerpt.figure(drawn, name="h"))
