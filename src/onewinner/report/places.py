"""Places of the machine that a report was written on, which nobody else has to know.

What is below the working directory is told from there, as a reader would type it; a home, the
directory for temporary files and the installation of Python get a name.
"""

from __future__ import annotations

import re
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

_LONG_ENOUGH: Final = 4
"""A shorter path is too likely to be a key, or a part of one."""


def hidden(words: str) -> str:
    """Answer the words without absolute paths into this machine's directories."""
    if "/" not in words:
        return words
    for pattern, name in _names(str(Path.cwd()), tempfile.gettempdir()):
        words = pattern.sub(name, words)
    return words


@cache
def _names(here: str, temporary: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Answer what is looked for and what stands in its place, the working directory first."""
    known = {
        str(Path(__file__).parents[2]): "<installed>",
        sys.prefix: "<python>",
        temporary: "<temporary>",
        str(Path.home()): "~",
    }
    longest_first = sorted(known.items(), key=lambda each: -len(each[0]))
    return tuple(
        (_whole(path), name)
        for path, name in ((f"{here}/", ""), (here, "."), *longest_first)
        if len(path) >= _LONG_ENOUGH
    )


def _whole(path: str) -> re.Pattern[str]:
    """Match a path that begins there, and that ends there or goes on below."""
    goes_on = "" if path.endswith("/") else r"(?![\w.-])"
    return re.compile(rf"(?<![\w./~-]){re.escape(path)}{goes_on}")
