"""Paths of this machine, told so that a report can be shared: nobody's directories stand in it.

The current directory is left away, the home directory is `~`, temporary directories are `LOCATION`,
what is installed is told from its package on, and any other file of a program by its name.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

LOCATION: Final = "LOCATION"
"""What stands for a place that is gone when the run is over."""

_PART: Final = r"""[^\s'"<>|;:,()\[\]{}/]"""
_BEFORE: Final = r"(?<![\w.~-])"
_AFTER: Final = r"(?![\w.-])"
_REST: Final = rf"(?:/{_PART}*)*"
_SCRATCH: Final = re.compile(rf"{_BEFORE}/(?:{_PART}+/)*onewinner-[\w-]+{_REST}")
_INSTALLED: Final = re.compile(rf"{_BEFORE}/(?:{_PART}+/)*(?:site|dist)-packages/")
_STANDARD: Final = re.compile(rf"{_BEFORE}/(?:{_PART}+/)*lib(?:64)?/(?=python3[\d.]*/)")
_PROGRAM: Final = re.compile(
    rf"{_BEFORE}/(?:{_PART}+/)+(?={_PART}+\.(?:py|pyx|so|[cm]?js|ts|rb|go|rs|java|php)\b)"
)
_COMMON: Final = ("/tmp", "/var/tmp", "/dev/shm")


def shareable(said: str) -> str:
    """Answer a text with the paths of this machine rewritten; any other text is as it was."""
    if "/" not in said:
        return said
    said = _SCRATCH.sub(LOCATION, said)
    said = _INSTALLED.sub("", said)
    said = _STANDARD.sub("", said)
    for pattern, told in _rules(_here(), str(Path.home()), tempfile.gettempdir(), tuple(sys.path)):
        said = pattern.sub(told, said)
    return _PROGRAM.sub("", said)


def _here() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return ""


@functools.lru_cache(maxsize=8)
def _rules(
    here: str, home: str, temporary: str, imported: tuple[str, ...]
) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Answer what is replaced by what; of places inside one another the inner one comes first."""
    told = dict.fromkeys(_names(*imported), "")
    told |= dict.fromkeys(_names(home), "~")
    told |= dict.fromkeys(_names(temporary, *_COMMON), LOCATION)
    told |= dict.fromkeys(_names(here), "")
    rules = []
    for place in sorted(told, key=len, reverse=True):
        match told[place]:
            case "":
                rules += [(re.compile(f"{_place(place)}/"), ""), (re.compile(_place(place)), ".")]
            case word:
                rest = _REST if word == LOCATION else ""
                rules.append((re.compile(f"{_place(place)}{rest}"), word))
    return tuple(rules)


def _place(path: str) -> str:
    return f"{_BEFORE}{re.escape(path)}{_AFTER}"


def _names(*paths: str) -> list[str]:
    """Answer the names of directories, with and without links; none for the root."""
    absolute = [path for path in paths if path.startswith("/")]
    found = dict.fromkeys(name for path in absolute for name in (path, os.path.realpath(path)))
    return [name.rstrip("/") for name in found if name.rstrip("/")]
