"""How a claimant in Python tells a tracer that its call begins, and that it has ended.

It begins with a signal that the tracer takes for itself: that stops the thread wherever it is, so
between its calls it can run at full speed. It ends with a system call that nobody else makes: a
seek, to a place with a meaning, in a file that cannot be. Both come from the very thread that makes
the call.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

BEGIN: Final = int(getattr(signal, "SIGRTMAX", signal.SIGUSR2))
"""The signal; without a tracer it would end the process, so it is sent on its orders only."""

NAME: Final = "lseek"
"""The system call."""

END: Final = 0x6F6E_6577_0002
"""The place, its second argument."""

_NO_FILE: Final = -1


def announced(act: Callable[[], Any]) -> Any:
    """Make a call between both announcements; it answers, and raises, what the call does."""
    signal.raise_signal(BEGIN)
    try:
        return act()
    finally:
        with contextlib.suppress(OSError):
            os.lseek(_NO_FILE, END, os.SEEK_SET)
