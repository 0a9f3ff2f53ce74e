"""Where a run comes from: the versions that it was made with, and what the machine allowed."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

from onewinner.schedule.asleep import cannot_tell_who_sleeps
from onewinner.suite.processors import processors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Capabilities


def as_plain(capabilities: Capabilities) -> dict[str, Any]:
    """Answer capabilities as plain data, as reports write them."""
    plain = dataclasses.asdict(capabilities)
    plain["operations"] = sorted(capabilities.operations)
    return plain


def notes() -> Iterator[str]:
    """Yield what this machine does not allow, and what that costs."""
    refusal = cannot_tell_who_sleeps()
    if processors() == 1:
        control = "the controlled schedules do not depend on it" if refusal is None else "use two"
        yield f"one processor: claimants take turns, and races see far less than on two; {control}"
    if refusal is not None:
        yield f"{refusal}; random programs and races were judged without them"


def versions() -> dict[str, str]:
    """Answer what a run was made with: the kit, Python, SQLite and the platform."""
    return {
        "onewinner": importlib.metadata.version("onewinner"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "platform": f"{sys.platform} {platform.machine()}",
    }
