"""Pages as a reader of HTML that knows nothing of this project sees them (html5lib)."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import html5lib

from onewinner.history import Fail, Info, Ok, Operation
from onewinner.suite.timeline import Bar, Mark, Timeline
from onewinner.suite.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

SECOND_NS = 1_000_000_000


def parsed(page: str) -> Element:
    """Read a page; what is against the rules of HTML raises an error."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    found: Element = parser.parse(page)
    return found


def kind(node: Element) -> str:
    """Answer the name of an element, without the namespace of drawings."""
    return str(node.tag).rpartition("}")[2]


def those(root: Element, name: str, **having: str) -> list[Element]:
    """Answer the elements below one, of a name and with attributes; a class is one of several."""
    return [
        node
        for node in root.iter()
        if node is not root
        and isinstance(node.tag, str)
        and kind(node) == name
        and all(_has(node, key, value) for key, value in having.items())
    ]


def _has(node: Element, key: str, value: str) -> bool:
    name = key.rstrip("_").replace("_", "-")
    given = node.get(name, "")
    return value in given.split() if name == "class" else given == value


def one(root: Element, name: str, **having: str) -> Element:
    """Answer the only element of this kind."""
    (found,) = those(root, name, **having)
    return found


def words(node: Element) -> str:
    """Answer the text of an element, with single spaces."""
    return " ".join("".join(node.itertext()).split())


def spaced(node: Element) -> str:
    """Answer the text of an element, with a space between what stands in different ones."""
    return " ".join(" ".join(node.itertext()).split())


def titled(root: Element) -> str:
    """Answer the title of the page."""
    return words(one(one(root, "head"), "title"))


def source(content: str) -> str:
    """Answer how a policy names a script or a style that is in the page."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def bar(number: int, **changes: Any) -> Bar:
    """Answer a call of process `number`, which is open for a millisecond."""
    fields: dict[str, Any] = {
        "process": f"p{number}",
        "call": f"register_if_absent('k', {number})",
        "answer": "True",
        "kind": "ok",
        "begun_ns": number * 100_000,
        "ended_ns": number * 100_000 + 1_000_000,
        "at": f"{number / 10:.3f} ms",
    }
    return Bar(**{**fields, **changes})


def timeline(*bars: Bar, marks: tuple[Mark, ...] = (), axis: Any = "real") -> Timeline:
    """Answer a timeline; without bars, two claims that overlap and both win."""
    shown = bars or (bar(0), bar(1, wrong=True, before="k: no row", after="k: 1"))
    return Timeline(bars=shown, marks=marks, axis=axis)


def traffic(seconds: int = 3, faults: int = 1) -> Traffic:
    """Answer calls of two operations over so many seconds, the second of which nobody called in."""
    found = Traffic()
    for second in range(seconds):
        if second != 1:
            found.note(_called(second))
    found.faults += [(2 * SECOND_NS + n, f"p{n} is killed (SIGKILL)") for n in range(faults)]
    return found


def _called(second: int) -> Iterator[Operation]:
    for number in range(100):
        begun = second * SECOND_NS + number * 1_000_000
        f = "lookup" if number % 4 else "register_if_absent"
        yield call(0, f, begun_ns=begun, took_ns=10_000 * (number + 1))


def call(process: int, f: str, *, begun_ns: int, took_ns: int | None, **more: Any) -> Operation:
    """Answer an operation on one key that answered True, unless `outcome` says otherwise."""
    fields = {"plugin": "p", "namespace": "n", "key": "k", "value": process, "ttl_ms": None}
    outcome: Any = more.pop("outcome", Ok(True) if took_ns is not None else Info("lost"))
    return Operation(
        process=process,
        f=f,
        value={**fields, **more},
        outcome=outcome,
        invoked_ns=begun_ns,
        completed_ns=None if took_ns is None else begun_ns + took_ns,
    )


def long_history(calls: int, *, key: str = "k", processes: int = 5) -> list[Operation]:
    """Answer a history in which each key is claimed once and then refused; it is valid."""
    found = []
    for number in range(calls):
        won = number % 2 == 0
        outcome: Any = Fail("busy") if number % 50 == 49 else Ok(won)
        found.append(
            call(
                number % processes,
                "register_if_absent",
                begun_ns=number * 400_000,
                took_ns=300_000,
                key=f"{key}{number // 2}",
                outcome=outcome,
            )
        )
    return found
