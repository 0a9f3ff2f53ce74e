"""Reads EDN, the notation in which Jepsen writes its histories, as far as histories use it.

Keywords and symbols become text without the colon; vectors and lists become lists, sets too; maps
become dicts. Tags are passed over: what they stand before is read as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN: Final = re.compile(
    r"""[\s,]+ | ;[^\n]* | (?P<open>\#?\{|\(|\[) | (?P<close>[\])}]) | (?P<skip>\#_)
      | (?P<tag>\#[^\s,()\[\]{}"]+) | (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<character>\\(?:newline|space|tab|return|u[0-9a-fA-F]{4}|.))
      | (?P<atom>[^\s,()\[\]{}";]+)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSES: Final = {"{": "}", "#{": "}", "(": ")", "[": "]"}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_NAMED: Final = {"newline": "\n", "space": " ", "tab": "\t", "return": "\r"}
_ATOMS: Final[dict[str, Any]] = {"nil": None, "true": True, "false": False}
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?[NM]?$")
_DEEPEST: Final = 100


class EdnError(ValueError):
    """The text is no EDN, with what is wrong."""


def loads(text: str) -> list[Any]:
    """Answer all values of a text. Raises EdnError."""
    tokens = _tokens(text)
    values = []
    for kind, token in tokens:
        found = _value(kind, token, tokens, 0)
        if found is not _NOTHING:
            values.append(found)
    return values


_NOTHING: Final = object()


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise EdnError(f"{text[at : at + 20]!r} begins nothing that EDN has")
        at = found.end()
        if found.lastgroup is not None:
            yield found.lastgroup, found[0]


def _value(kind: str, token: str, tokens: Iterator[tuple[str, str]], depth: int) -> Any:
    if depth > _DEEPEST:
        raise EdnError(f"nested more than {_DEEPEST} deep")
    if kind == "open":
        return _collection(token, tokens, depth)
    if kind == "close":
        raise EdnError(f"{token!r} closes nothing")
    if kind in {"skip", "tag"}:
        for following, text in tokens:
            value = _value(following, text, tokens, depth + 1)
            return _NOTHING if kind == "skip" else value
        raise EdnError(f"nothing follows {token!r}")
    return _scalar(kind, token)


def _collection(opened: str, tokens: Iterator[tuple[str, str]], depth: int) -> Any:
    members: list[Any] = []
    for kind, token in tokens:
        if kind == "close":
            if token != _CLOSES[opened]:
                raise EdnError(f"{opened!r} is closed by {token!r}")
            return _mapping(members) if opened == "{" else members
        value = _value(kind, token, tokens, depth + 1)
        if value is not _NOTHING:
            members.append(value)
    raise EdnError(f"{opened!r} is never closed")


def _mapping(members: list[Any]) -> dict[Any, Any]:
    if len(members) % 2:
        raise EdnError("a map has a key without a value")
    keys = [tuple(key) if isinstance(key, list) else key for key in members[::2]]
    try:
        return dict(zip(keys, members[1::2], strict=True))
    except TypeError as error:
        raise EdnError(f"a map has a key that cannot be one: {error}") from error


def _scalar(kind: str, token: str) -> Any:
    if kind == "text":
        return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", _unescaped, token[1:-1], flags=re.DOTALL)
    if kind == "character":
        name = token[1:]
        return (
            chr(int(name[1:], 16)) if len(name) == 5 and name[0] == "u" else _NAMED.get(name, name)
        )
    if token in _ATOMS:
        return _ATOMS[token]
    number = _NUMBER.match(token)
    if number is None:
        return token.removeprefix(":")
    digits = token.rstrip("NM")
    return float(digits) if number[1] or number[2] else int(digits)


def _unescaped(found: re.Match[str]) -> str:
    name = found[1]
    return chr(int(name[1:], 16)) if len(name) == 5 else _ESCAPES.get(name, name)
