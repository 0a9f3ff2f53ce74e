"""HTML that is safe by default: text is escaped wherever it is not markup already."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final, TypeAlias

from onewinner.report import places, text

if TYPE_CHECKING:
    from collections.abc import Iterable

_EMPTY: Final = frozenset({"input", "link", "meta"})
_DRAWN: Final = frozenset({"circle", "line", "path", "rect"})


class Markup(str):
    """Text that is HTML; whatever else is put into a page is escaped first."""

    __slots__ = ()


Child: TypeAlias = str | None
Attribute: TypeAlias = str | int | float | bool | None


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """Answer an element; `class_` stands for `class`, and `data_t` for `data-t`.

    A child or an attribute that is None is left out; an attribute that is True has no value.
    """
    given = "".join(
        _attribute(each.rstrip("_").replace("_", "-"), value) for each, value in attributes.items()
    )
    if name in _EMPTY:
        return Markup(f"<{name}{given}>")
    if name in _DRAWN and not children:
        return Markup(f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{joined(children)}</{name}>")


def joined(children: Iterable[Child], between: str = "") -> Markup:
    """Answer what stands one after the other, escaped where it is not markup."""
    return Markup(escaped(between).join(escaped(each) for each in children if each is not None))


def escaped(child: str) -> Markup:
    """Answer it as HTML; control characters and the like are shown as Python escapes them."""
    if isinstance(child, Markup):
        return child
    return Markup(html.escape(text.printable(child, keep="\n\t")))


def said(words: str, *, at_most: int = text.LINE_BYTES, keep: str = "") -> str:
    """Answer what a target, a driver or a machine said, fit for a page that is shared.

    It is one line but for `keep`, at most about so many bytes, and names no place of the machine.
    """
    return text.printable(text.shorten(places.shareable(words), at_most=at_most), keep=keep)


def plain(number: float) -> str:
    """Answer a coordinate in few characters."""
    return f"{number:.1f}".rstrip("0").rstrip(".") if number % 1 else f"{number:.0f}"


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    shown = value if isinstance(value, str) else plain(value)
    return f' {name}="{escaped(shown)}"'


def prose(words: str) -> Markup:
    """Answer a sentence of the contract, in which names stand between backticks."""
    parts = words.split("`")
    return joined(tag("code", part) if n % 2 else part for n, part in enumerate(parts))
