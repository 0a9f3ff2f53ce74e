"""The directory of a run: where locations are made, and what is gone when the run is over."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onewinner.runner import guardian

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY: Final = Path("/dev/shm")  # a file system in memory, where Linux has one
_PREFIX: Final = "onewinner-"
_OWNER: Final = "owner"
_ROOM_BYTES: Final = 512 * 1024 * 1024


@contextmanager
def scratch_directory() -> Iterator[str]:
    """Answer a temporary directory, in memory where there is room and `TMPDIR` says nothing else.

    A store is judged by what it answers, not by what a disk does: on a busy machine one `fsync` can
    take seconds, in which nothing at all is raced. Set `TMPDIR` to judge it on a certain disk.

    Where the kit is killed its guard removes the directory; if both are killed, the next run does.
    """
    parent = _in_memory() or tempfile.gettempdir()
    _remove_abandoned(Path(parent))
    path = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
    with ExitStack() as stack:
        stack.callback(guardian.release_directory, path)
        stack.callback(shutil.rmtree, path, ignore_errors=True)
        guardian.entrust_directory(path)
        with suppress(OSError):  # a file system without locks
            stack.callback(os.close, _owned(Path(path)))
        yield path


def _owned(directory: Path) -> int:
    """Lock a file in a directory for as long as this process lives; answer its descriptor.

    It gets its name when it is locked, so that nobody finds it unlocked before. A lock tells the
    living from the dead across containers that share `/dev/shm`, where a process id does not.
    """
    draft = directory / f"{_OWNER}.draft"
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.rename(directory / _OWNER)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_abandoned(parent: Path) -> None:
    """Remove the directories of runs of this user that are over and could not do it themselves."""
    for directory in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if directory.is_symlink() or directory.stat().st_uid != os.geteuid():
                continue
            descriptor = os.open(directory / _OWNER, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while it lives
                shutil.rmtree(directory, ignore_errors=True)
            finally:
                os.close(descriptor)


def _in_memory() -> str | None:
    if any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")):
        return None
    try:
        roomy = shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES
    except OSError:
        return None
    return str(_MEMORY) if roomy and os.access(_MEMORY, os.W_OK | os.X_OK) else None
