"""Batches: a volley that a command is handed beforehand, and fires at the agreed instant.

On their way through a pipe calls would come apart, and hardly ever meet those of others.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Final

from onewinner.adapters.stdio.messages import BATCHED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onewinner.adapters.stdio.backend import Fired
    from onewinner.generator import Call
    from onewinner.worker.board import Board
    from onewinner.worker.handles import Handles

_LEAD_NS: Final = 500_000
"""So long after the agreed instant a batch begins: until then all commands have been handed it."""


def batch_of(
    volley: Sequence[Call], handles: Handles, board: Board
) -> Callable[[], Sequence[Fired]] | None:
    """Answer how a volley is fired at one instant; None where its calls are made one by one."""
    if not handles.served or not volley or any(call.f not in BATCHED for call in volley):
        return None
    try:
        backend: Any = handles.connect()
        calls = [(handles.store(call), call) for call in volley]
    except Exception:  # whoever makes the calls one by one meets it again
        return None
    if not backend.batches:
        return None
    return lambda: backend.batch(board.start_ns + _LEAD_NS, calls)


def pin_copy(client: int, processors: Sequence[int], handles: Handles) -> None:
    """Let the copy of a command run where its client does, which sleeps while it is at work."""
    if handles.served and processors:
        with contextlib.suppress(Exception):
            os.sched_setaffinity(handles.copy()[0], {processors[client % len(processors)]})
