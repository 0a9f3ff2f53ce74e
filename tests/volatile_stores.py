"""A right store that processes share for as long as one is connected; the next then begins anew."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from onewinner.stores.sqlite import SqliteBackend

if TYPE_CHECKING:
    from onewinner.clock import Clock


class VolatileBackend(SqliteBackend):
    """Each handle holds a shared lock, and whoever finds that nobody holds it removes the file."""

    def __init__(self, location: str, *, clock: Clock) -> None:
        home = Path(location)
        home.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._users = os.open(home / "users", flags, 0o600)
        door = os.open(home / "door", flags, 0o600)
        try:
            fcntl.flock(door, fcntl.LOCK_EX)
            if self._first():
                for file in home.glob("state.sqlite*"):
                    file.unlink()
            fcntl.flock(self._users, fcntl.LOCK_SH)
        finally:
            os.close(door)
        super().__init__(location, clock=clock)
        self.capabilities = replace(self.capabilities, durable=False)

    def _first(self) -> bool:
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Close the handle; with the last of them the rows are gone."""
        super().close()
        if self._users >= 0:
            os.close(self._users)
            self._users = -1
