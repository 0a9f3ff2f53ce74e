"""Whether this system tells who sleeps: what every controlled schedule of Python claimants needs.

A claimant that waits for another is told from one that is at work by the scheduler's own state, and
never by a time-out. Linux shows it in `/proc`; where it is not shown nothing is held.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_TASKS: Final = Path("/proc/self/task")


def cannot_tell_who_sleeps() -> str | None:
    """Answer why schedules cannot be controlled here, None where they can."""
    if _TASKS.is_dir():
        return None
    return f"schedules cannot be controlled here: it takes Linux's {_TASKS}, to tell who sleeps"
