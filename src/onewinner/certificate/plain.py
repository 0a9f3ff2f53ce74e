"""Text that may be shared: it names no place on anybody's machine, and no secret of an address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from onewinner.report import json, text

_KEPT_BYTES: Final = 160  # what is left out is said behind it; both together are below the limit
_PART: Final = r"[^\s/'\"`<>|;:,()\[\]{}]+"
_PATH: Final = re.compile(
    # file:///a/b; /a/b and ~/a/b after anything but a word; /a/b after a colon, unless it is ://
    rf"(?:\b\w+:/{{3,}}|(?<![\w./~*:-])~?/|(?<=:)/(?!/)){_PART}(?:/{_PART})+/?"
)
_CREDENTIALS: Final = re.compile(r"(?<=://)[^\s/@]+@")


def told(said: str) -> str:
    """Answer a text as it may be shared: at most 200 bytes, printable, of paths the last part."""
    known = _PATH.sub(_last, _CREDENTIALS.sub("", said))
    return text.shorten(text.printable(known, keep=""), at_most=_KEPT_BYTES)


def _last(found: re.Match[str]) -> str:
    return f".../{found[0].rstrip('/').rpartition('/')[2]}"


def of(value: Any) -> Any:
    """Answer a value with nothing in it that JSON has not, and every text as it may be shared."""
    return json.plain(value, told)


def longest(value: Any) -> int:
    """Answer how many bytes the longest text of a JSON value has."""
    match value:
        case str():
            return len(value.encode("utf-8", "surrogatepass"))
        case Mapping():
            return max((longest(each) for pair in value.items() for each in pair), default=0)
        case list() | tuple():
            return max(map(longest, value), default=0)
        case _:
            return 0
