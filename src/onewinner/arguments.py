"""What people write on the command line: durations, seeds, milliseconds."""

from __future__ import annotations

import argparse
import math
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(given: str) -> float:
    """Answer the seconds of a text such as `60s`, `2m`, `500ms` or `45`; ValueError where none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)", given.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds < math.inf:
        raise ValueError(f"{given!r} is no duration; write 60s, 2m, 500ms or a number of seconds")
    return seconds


def seed_number(given: str) -> int:
    """Answer the seed of a decimal or `0x` text; ValueError where it is not one or negative."""
    try:
        number = int(given, 0)
    except ValueError:
        number = -1
    if not 0 <= number < 2**64:
        raise ValueError(f"{given!r} is no seed; write a whole number below 2**64, or 0x and hex")
    return number


def milliseconds(given: str) -> int:
    """Answer a number of milliseconds, at least 0; ValueError where it is not one."""
    if not given.isascii() or not given.isdigit():
        raise ValueError(f"{given!r} is no number of milliseconds; write 0 or a whole number")
    return int(given)


def asked(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let argparse show what a ValueError says; it would show the function's name instead."""

    def parsed(given: str) -> Any:
        try:
            return parse(given)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def count(given: str) -> int:
    """Answer a number of times, at least 1; raises ValueError."""
    if not given.isdecimal() or int(given) < 1:
        raise ValueError(f"{given!r} is no number of times; write a whole number from 1 on")
    return int(given)
