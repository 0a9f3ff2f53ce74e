"""A page in one file: style and script are in it, and it may load nothing and run nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from onewinner.contract.clauses import CLAUSES
from onewinner.report.html.markup import Markup, joined, prose, said, tag

if TYPE_CHECKING:
    from collections.abc import Iterable

SYMBOLS: Final = {
    "pass": "\u2713",
    "fail": "\u2717",
    "error": "!",
    "untested": "?",
    "xfail": "\u2248",
    "n/a": "\u2013",
}
"""What stands beside the colour of a status, by its label."""


def whole(title: str, *parts: Markup | None) -> str:
    """Answer the page, ending with a newline; parts that are None are left out."""
    style, script = _part("style.css"), _part("script.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        f"img-src data:; base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("link", rel="icon", href="data:,"),
        tag("title", said(title)),
        tag("style", Markup(style)),
    )
    body = tag("body", _patterns(), tag("main", *parts), tag("script", Markup(script)))
    return f'<!doctype html>\n<html lang="en">{head}\n{body}</html>\n'


def badge(label: str, word: str = "") -> Markup:
    """Answer a status as a word with its symbol; `word` where another one fits better."""
    return tag(
        "span",
        tag("span", SYMBOLS.get(label, "\u2022"), class_="symbol", aria_hidden="true"),
        word or label,
        class_=f"badge {css(label)}",
    )


def css(label: str) -> str:
    """Answer a status as a name of a style."""
    return "s-" + label.replace("/", "")


def heading(mark: str, name: str, word: str, subject: str, *more: Markup | None) -> Markup:
    """Answer the top of a page: a large symbol, the verdict in a word or two, and on what."""
    return tag(
        "header",
        tag("p", name, class_="brand"),
        tag(
            "div",
            tag("span", SYMBOLS.get(mark, "\u2022"), class_="stamp", aria_hidden="true"),
            tag("div", tag("h1", word), tag("p", said(subject), class_="subject")),
            class_="verdict",
        ),
        *more,
        class_=f"top {css(mark)}",
    )


def section(identity: str, title: str, *parts: Markup | None, lead: str | None = None) -> Markup:
    """Answer a part of a page with a heading that can be linked."""
    return tag(
        "section",
        tag("h2", title),
        None if lead is None else tag("p", lead, class_="lead"),
        *parts,
        id=identity,
    )


def facts(given: Iterable[tuple[str, str]]) -> Markup:
    """Answer names with what they stand for."""
    items = [
        tag("div", tag("dt", said(name, at_most=60)), tag("dd", said(value, at_most=400)))
        for name, value in given
    ]
    return tag("dl", *items, class_="facts")


def _patterns() -> Markup:
    """Answer what bars are filled with, so that a colour never stands alone."""
    hatch = {
        "info": "M-2 2l4 -4M0 8l8 -8M6 10l4 -4",
        "fail": "M0 0l8 8M-2 6l4 4M6 -2l4 4M0 8l8 -8M-2 2l4 -4M6 10l4 -4",
    }
    patterns = [
        tag(
            "pattern",
            tag("rect", width=8, height=8, class_=f"p-{name}"),
            tag("path", d=d, class_="p-line"),
            id=f"p-{name}",
            width=8,
            height=8,
            patternUnits="userSpaceOnUse",
        )
        for name, d in hatch.items()
    ]
    defs = tag("defs", *patterns)
    return tag("svg", defs, class_="unseen", width=0, height=0, aria_hidden="true")


@cache
def _part(name: str) -> str:
    """Answer a file of this package; a tag that would end the element early is refused."""
    found = (resources.files(__package__) / name).read_text("utf-8")
    assert "</" not in found, f"{name} would end its own element"
    return found


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def listed(items: Iterable[Markup | str], *, class_: str | None = None) -> Markup:
    """Answer a list, one point each."""
    return tag("ul", joined(tag("li", each) for each in items), class_=class_)


def contract_says(clause: str) -> Markup | None:
    """Answer what the contract says in a clause, with where it stands there."""
    found = CLAUSES.get(clause)
    if found is None:
        return None
    return joined(
        (
            tag("h3", badge("fail"), f" {clause}", tag("span", f" {found.severity}", class_="dim")),
            tag("p", prose(found.sentence), class_="sentence"),
            tag("p", prose(found.note), class_="dim") if found.note else None,
            tag("p", f"specs/contract.md#{clause.lower()}", class_="dim"),
        )
    )
