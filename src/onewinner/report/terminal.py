"""What an output stream can show: colour, movement, width and characters."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

NARROWEST: Final = 20
_WIDEST: Final = 120  # longer lines are hard to read
_UNKNOWN_WIDTH: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """What one stream can show.

    `colour` is whether to write colours: `NO_COLOR` beats `FORCE_COLOR` beats "is a terminal".
    `live` is whether lines may be redrawn, which no variable can force on a file. `width` is in
    columns; `encoding` is what the stream turns text into.
    """

    colour: bool = False
    live: bool = False
    width: int = _UNKNOWN_WIDTH
    encoding: str = "utf-8"

    def encodable(self, text: str) -> str:
        """Answer the text with what the encoding cannot show written as Python escapes."""
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)


def of(stream: TextIO, environ: Mapping[str, str] | None = None) -> Terminal:
    """Answer what `stream` can show, given the environment (that of the process by default)."""
    env = os.environ if environ is None else environ
    live = _is_terminal(stream) and env.get("TERM", "") not in ("dumb", "unknown")
    columns = shutil.get_terminal_size((_UNKNOWN_WIDTH, 24)).columns
    return Terminal(
        colour=not env.get("NO_COLOR") and (bool(env.get("FORCE_COLOR")) or live),
        live=live,
        width=max(NARROWEST, min(columns, _WIDEST)),
        encoding=getattr(stream, "encoding", None) or "utf-8",
    )


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # the stream is closed
        return False
