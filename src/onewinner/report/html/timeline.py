"""A timeline as a picture: a row for each process, a bar for each call, a line for each act.

The picture is whole without the script, in ranks. The script adds real time, a panel that tells the
call that is looked at, and the keys.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onewinner.report.html.layout import EDGE, Ranked, heights, ranked, rows
from onewinner.report.html.markup import Markup, joined, said, tag
from onewinner.report.text import LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.suite.timeline import Bar, Timeline

OUTCOMES: Final = {
    "ok": "returned",
    "fail": "failed, and certainly had no effect",
    "info": "nobody knows whether it happened",
}
"""The kinds of bars in words."""

_IDLE: Final = tag(
    "p",
    "Point at a call, or move with the arrow keys, to see what was there before and after it.",
    class_="dim",
)

WRONG: Final = "not explained by what the contract allows"
"""What is said of the call that is wrong."""

_ON: Final = tag("text", "\u25b8", class_="on", x="100%", dx=-3, y=15)

_FEW: Final = 120
"""Up to so many bars there is room for all words."""

_CHARACTER: Final = 6.7
_MARK_CHARACTER: Final = 6.2
_BAR: Final = 22
_PITCH: Final = 28
_LINE: Final = 16
_LINES_MOST: Final = 5
_AXIS: Final = 20
_NAME: Final = 24
_STATE_BYTES: Final = 2_000
_TITLE_STATE_BYTES: Final = 400


@dataclass(frozen=True, slots=True)
class _Words:
    """How much room words have: on a bar, in what is told of it, and on a mark (characters)."""

    label: int
    answer: int
    told: int
    mark: int
    states: bool


_ROOMY: Final = _Words(label=38, answer=18, told=LINE_BYTES, mark=56, states=True)
_TIGHT: Final = _Words(label=22, answer=10, told=100, mark=28, states=False)


def drawn(timeline: Timeline, *, name: str) -> Markup:
    """Answer the figure; `name` is the beginning of the ids in it, and unique on its page."""
    words = _ROOMY if len(timeline.bars) <= _FEW else _TIGHT
    labels = [_label(bar, words) for bar in timeline.bars]
    columns = ranked(timeline, [len(label) * _CHARACTER + 2 * EDGE for label in labels])
    picture = _Picture(timeline, words, labels, columns, name)
    return tag(
        "figure",
        _tools(timeline, name),
        tag("div", picture.names(), picture.whole(), class_="tl-box"),
        tag("div", _IDLE, class_="tl-panel", aria_live="polite", hidden=True),
        tag("script", picture.table(), type="application/json"),
        class_="tl",
        id=name,
        data_axis=timeline.axis,
    )


class _Picture:
    """The two drawings of a figure, side by side: the names stay while the calls are scrolled."""

    def __init__(
        self,
        timeline: Timeline,
        words: _Words,
        labels: Sequence[str],
        columns: Ranked,
        name: str,
    ) -> None:
        self._timeline, self._words, self._labels = timeline, words, labels
        self._columns, self._name = columns, name
        self._rows, self._row_of = rows(timeline.bars)
        self._told = [_cut(said(mark.told), words.mark) for mark in timeline.marks]
        widths = [len(told) * _MARK_CHARACTER for told in self._told]
        self._lines = heights(columns.marks, widths)
        used = min(max(self._lines, default=-1) + 1, _LINES_MOST)
        self._top = used * _LINE + 6
        self._bottom = self._top + len(self._rows) * _PITCH
        ends = [x + width + EDGE for x, width in zip(columns.marks, widths, strict=True)]
        self._width = max([columns.width, *ends])
        self._states: dict[str, int] = {}
        self._first = next((n for n, bar in enumerate(timeline.bars) if bar.wrong), 0)

    def names(self) -> Markup:
        """Answer the drawing with the process of each row."""
        shown = [said(each, at_most=_NAME) for each in self._rows]
        width = max((len(each) for each in shown), default=0) * 7.5 + 18
        texts = [
            tag("text", each, x=10, y=self._top + row * _PITCH + 19)
            for row, each in enumerate(shown)
            if row == 0 or self._rows[row - 1] != self._rows[row]
        ]
        height = self._bottom + _AXIS
        return tag("svg", *texts, class_="tl-names", width=width, height=height, aria_hidden="true")

    def whole(self) -> Markup:
        """Answer the drawing of the calls and the marks."""
        return tag(
            "svg",
            *self._bands(),
            tag("g", *self._ticks(), class_="tl-axis"),
            *map(self._mark, range(len(self._timeline.marks))),
            *map(self._bar, range(len(self._timeline.bars))),
            class_="tl-calls",
            width=self._width,
            height=self._bottom + _AXIS,
            role="group",
            aria_label="Calls by process",
            data_top=self._top,
            data_bottom=self._bottom,
            data_lines=_LINES_MOST,
        )

    def table(self) -> Markup:
        """Answer the states that bars refer to by number."""
        text = json.dumps(list(self._states)).replace("<", "\\u003c")
        return Markup(text)

    def _bands(self) -> Iterator[Markup]:
        for row in range(0, len(self._rows), 2):
            yield tag(
                "rect", class_="band", width="100%", height=_PITCH, y=self._top + row * _PITCH
            )

    def _ticks(self) -> Iterator[Markup]:
        """Yield when calls began, as far as there is room for it."""
        free = 0.0
        for bar, (x, _) in zip(self._timeline.bars, self._columns.bars, strict=True):
            if bar.at and x >= free:
                yield tag("line", x1=x, x2=x, y1=self._top, y2=self._bottom + 4)
                at = said(bar.at, at_most=_NAME)
                yield tag("text", at, x=x + 3, y=self._bottom + 14)
                free = x + len(at) * _MARK_CHARACTER + 2 * EDGE

    def _mark(self, number: int) -> Markup:
        mark, line = self._timeline.marks[number], self._lines[number]
        return tag(
            "g",
            tag("title", said(mark.told)),
            tag("line", y1=4 if line < _LINES_MOST else self._top, y2=self._bottom),
            tag("text", self._told[number], x=4, y=14 + line * _LINE),
            class_="mark" if line < _LINES_MOST else "mark mute",
            transform=f"translate({self._columns.marks[number]:.0f})",
            data_t=mark.at_ns,
        )

    def _bar(self, number: int) -> Markup:
        bar, (left, right) = self._timeline.bars[number], self._columns.bars[number]
        row = self._row_of[number]
        ended: int | str = "" if bar.ended_ns is None else bar.ended_ns
        if bar.ended_ns is None:
            right = self._width
        classes = ["b", bar.kind, *(["wrong"] if bar.wrong else [])]
        return tag(
            "svg",
            tag("title", "\n".join(self._telling(bar))),
            tag("rect", width="100%", height="100%"),
            tag("text", self._labels[number], x=7, y=15),
            _ON if bar.ended_ns is None else None,
            class_=" ".join([*classes, *(["open"] if bar.ended_ns is None else [])]),
            id=f"{self._name}-{number}" if bar.wrong else None,
            x=left,
            y=self._top + row * _PITCH + (_PITCH - _BAR) // 2,
            width=right - left,
            height=_BAR,
            data_t=f"{bar.begun_ns} {ended}",
            data_r=row,
            data_s=self._around(bar),
            tabindex=0 if number == self._first else -1,
        )

    def _telling(self, bar: Bar) -> Iterator[str]:
        """Yield a bar in words, a line each: the first three are always there."""
        most = self._words.told
        yield f"{said(bar.process, at_most=_NAME)}: {said(bar.call, at_most=most)}"
        yield said(bar.answer, at_most=most)
        yield f"{_when(bar, self._timeline)}; {OUTCOMES[bar.kind]}"
        if bar.wrong:
            yield WRONG
        if self._words.states:
            for word, state in (("before", bar.before), ("after", bar.after)):
                if state:
                    yield f"{word}: {said(state, at_most=_TITLE_STATE_BYTES, keep=chr(10))}"

    def _around(self, bar: Bar) -> str | None:
        """Answer the numbers of the states before and after a bar, -1 where one is not known."""
        if not bar.before and not bar.after:
            return None
        states = self._states
        return " ".join(
            str(states.setdefault(said(each, at_most=_STATE_BYTES, keep="\n"), len(states)))
            if each
            else "-1"
            for each in (bar.before, bar.after)
        )


def _when(bar: Bar, timeline: Timeline) -> str:
    if timeline.axis == "order":
        return f"{said(bar.at, at_most=_NAME)} of the store's time" if bar.at else "in this order"
    if bar.ended_ns is None:
        return f"{bar.begun_ns / 1e6:.3f} ms, never returned"
    return f"{bar.begun_ns / 1e6:.3f} .. {bar.ended_ns / 1e6:.3f} ms"


def _label(bar: Bar, words: _Words) -> str:
    """Answer what stands on a bar: the call as short as need be, and the answer."""
    answer = _cut(said(bar.answer), words.answer)
    call = said(bar.call).replace("register_if_absent(", "claim(")
    room = words.label - len(answer) - 3
    mark = "\u2717 " if bar.wrong else ""
    return f"{mark}{_cut_call(call, room)} \u2192 {answer}"


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}\u2026"


def _cut_call(call: str, most: int) -> str:
    return call if len(call) <= most else f"{call[: most - 2].rstrip(', ')}\u2026)"


def _tools(timeline: Timeline, name: str) -> Markup:
    """Answer what is above a picture: how it is laid out, a way to the error, and what is what."""
    first = next((n for n, bar in enumerate(timeline.bars) if bar.wrong), None)
    jump = None
    if first is not None:
        jump = tag(
            "a",
            "Jump to the first error ",
            tag("kbd", "e"),
            class_="button jump",
            href=f"#{name}-{first}",
        )
    return tag("div", _layouts(timeline, name), jump, _legend(timeline), class_="tl-tools")


def _layouts(timeline: Timeline, name: str) -> Markup | None:
    if timeline.axis == "order":
        return None
    choices = [
        tag(
            "label",
            tag("input", type="radio", name=f"{name}-layout", value=value, checked=value == "rank"),
            tag("span", told, title=title),
        )
        for value, told, title in (
            ("rank", "Ranks", "who came before whom; distances mean nothing"),
            ("real", "Real time", "distances are times"),
        )
    ]
    zooms = tag(
        "span",
        tag("button", "\u2212", type="button", class_="button", data_zoom="0.5", title="Zoom out"),
        tag("button", "+", type="button", class_="button", data_zoom="2", title="Zoom in"),
        class_="zoom",
        hidden=True,
    )
    return tag(
        "fieldset",
        tag("legend", "Layout", class_="unseen"),
        *choices,
        zooms,
        class_="layouts",
        hidden=True,
    )


def _legend(timeline: Timeline) -> Markup:
    kinds = [kind for kind in OUTCOMES if any(bar.kind == kind for bar in timeline.bars)]
    items = [
        tag("li", _swatch(f"b {kind}"), f"{kind}: {OUTCOMES[kind]}", class_="key") for kind in kinds
    ]
    if any(bar.ended_ns is None for bar in timeline.bars):
        items.append(tag("li", _swatch("b info open"), "never returned", class_="key"))
    wrong = sum(bar.wrong for bar in timeline.bars)
    if wrong:
        told = "what nothing explains" if wrong == 1 else "what nothing explains, together"
        items.append(tag("li", _swatch("b ok wrong"), f"\u2717 {told}", class_="key"))
    if timeline.marks:
        items.append(tag("li", _swatch("mark"), "what was done meanwhile", class_="key"))
    return tag("ul", *items, class_="legend")


def _swatch(classes: str) -> Markup:
    if classes == "mark":
        shape = tag("g", tag("line", x1=10, x2=10, y1=0, y2=14), class_="mark")
        return tag("svg", shape, width=20, height=14, aria_hidden="true")
    inner = [tag("rect", width="100%", height="100%")]
    if "open" in classes:
        inner.append(tag("text", "\u25b8", class_="on", x="100%", dx=-1, y=11))
    shape = tag("svg", joined(inner), class_=classes, width=20, height=14)
    return tag("svg", shape, width=20, height=14, aria_hidden="true")
