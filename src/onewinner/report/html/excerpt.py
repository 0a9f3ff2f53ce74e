"""The part of a long history that a page draws: the calls nearest to the first error."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onewinner.checker import narrate
from onewinner.nemesis.acts import words_of
from onewinner.report import text
from onewinner.report.html.markup import Markup, joined, tag
from onewinner.report.html.timeline import drawn
from onewinner.report.sharing import shared_timeline
from onewinner.suite.timeline import name_of, timeline_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from onewinner.history import Operation, Remark
    from onewinner.suite.timeline import Bar, Timeline

MOST_BARS: Final = 1_500
"""So many calls are drawn at most."""

MOST_BYTES: Final = 950_000
"""A page of a history is made smaller until it has no more than these."""

_FEWEST: Final = 20
_BEFORE: Final = 2 / 3  # of what is drawn: what led to an error tells more than what followed


def fitted(page: Callable[[int], str]) -> str:
    """Answer the page with as many bars as fit; it is told how many it may draw."""
    most = MOST_BARS
    while True:
        whole = page(most)
        if most <= _FEWEST or len(whole.encode("utf-8")) <= MOST_BYTES:
            return whole
        most //= 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """What is drawn of a history, and how many calls before and after it are left out."""

    timeline: Timeline
    before: int
    after: int

    @property
    def left_out(self) -> str:
        """What is drawn and what is not, in a sentence."""
        bars = len(self.timeline.bars)
        if not self.before and not self.after:
            return f"All {text.count(bars, 'call')} of the history are drawn."
        near = "those nearest to the first error" if self._marked else "the first of them"
        return (
            f"{bars:,} of {bars + self.before + self.after:,} calls are drawn, {near}; "
            f"{self.before:,} before them and {self.after:,} after them are left out."
        )

    @property
    def _marked(self) -> bool:
        return any(bar.wrong for bar in self.timeline.bars) or self.before > 0


def excerpt(
    operations: Iterable[Operation],
    *,
    wrong: Sequence[Operation] = (),
    error_ns: int | None = None,
    remarks: Iterable[Remark] = (),
    most: int = MOST_BARS,
) -> Excerpt:
    """Answer at most so many calls around the first error, with what was done meanwhile.

    `wrong` are those of the operations that nothing explains; `error_ns` is when the first error
    was, where none of them is it.
    """
    ordered = sorted(operations, key=lambda each: each.invoked_ns)
    calls = [each for each in ordered if each.process >= 0]
    times = [each.invoked_ns for each in wrong]
    at_ns = min(times) if times else error_ns
    error = 0 if at_ns is None else bisect_left([each.invoked_ns for each in calls], at_ns)
    begin = max(0, min(error - int(most * _BEFORE), len(calls) - most))
    kept = calls[begin : begin + most]
    marks = [(each.invoked_ns, words_of(each)) for each in ordered if each.process < 0]
    marks += [(each.time_ns, words_of(each)) for each in remarks]
    timeline = timeline_of(
        kept,
        call=call_told,
        answer=narrate.answer,
        marks=_within(marks, kept),
        wrong=wrong,
    )
    return Excerpt(
        timeline=shared_timeline(timeline), before=begin, after=len(calls) - begin - len(kept)
    )


def _within(marks: Iterable[tuple[int, str]], kept: Sequence[Operation]) -> list[tuple[int, str]]:
    """Answer the acts from the first call that is drawn to the last return."""
    if not kept:
        return []
    ended = max(each.completed_ns or each.invoked_ns for each in kept)
    return [each for each in marks if kept[0].invoked_ns <= each[0] <= ended]


def call_told(operation: Operation) -> str:
    """Write a call as it was made; of one on a whole namespace, the namespace."""
    value = operation.value
    if isinstance(value, dict) and value.get("key") is None and "namespace" in value:
        return f"{operation.f}() in {value['namespace']!r}"
    return narrate.call(operation)


def figure(found: Excerpt, *, name: str) -> Markup:
    """Answer the picture of an excerpt, and what is left out of it."""
    return joined((tag("p", found.left_out, class_="dim"), drawn(found.timeline, name=name)))


def seen_in(timeline: Timeline | None, operations: Iterable[Operation]) -> list[Operation]:
    """Answer the operations that the wrong bars of a timeline were drawn from.

    A bar tells who called and for how long; where that is true of several calls, they all stand at
    the same distance, or the first that do are taken.
    """
    wrong = [bar for bar in timeline.bars if bar.wrong] if timeline is not None else []
    if timeline is None or not wrong:
        return []
    known = {(name_of(each), each.invoked_ns, each.completed_ns): each for each in operations}
    shifts = (
        [0]
        if timeline.axis == "order"
        else [at - wrong[0].begun_ns for who, at, end in known if _fits(wrong[0], who, at, end)]
    )
    for shift in shifts:
        found = [known.get(_place(bar, shift)) for bar in wrong]
        if all(found):
            return [each for each in found if each is not None]
    return []


def _fits(bar: Bar, who: str, at: int, end: int | None) -> bool:
    if bar.process != who or bar.ended_ns is None or end is None:
        return bar.process == who and bar.ended_ns is end is None
    return end - at == bar.ended_ns - bar.begun_ns


def _place(bar: Bar, shift: int) -> tuple[str, int, int | None]:
    ended = None if bar.ended_ns is None else bar.ended_ns + shift
    return bar.process, bar.begun_ns + shift, ended
