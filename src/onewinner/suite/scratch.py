"""The directory of a run: where locations are made, and what is gone when the run is over."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # a file system in memory, where Linux has one
_ROOM_BYTES: Final = 512 * 1024 * 1024


def scratch_directory() -> tempfile.TemporaryDirectory[str]:
    """Answer a temporary directory, in memory where there is room and `TMPDIR` says nothing else.

    A store is judged by what it answers, not by what a disk does: on a busy machine one `fsync` can
    take seconds, in which nothing at all is raced. Set `TMPDIR` to judge it on a certain disk.
    """
    return tempfile.TemporaryDirectory(
        prefix="onewinner-", dir=_in_memory(), ignore_cleanup_errors=True
    )


def _in_memory() -> str | None:
    if any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")):
        return None
    try:
        roomy = shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES
    except OSError:
        return None
    return str(_MEMORY) if roomy and os.access(_MEMORY, os.W_OK | os.X_OK) else None
