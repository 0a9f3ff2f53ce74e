"""What goes wrong with a file for each row, and the store that the defects are changes of."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from onewinner.contract import ABSENT, Capabilities
from onewinner.mutants.registry import mutant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.clock import Clock


class FileRows:
    """A correct store: a file for each row, put there whole, and a lock for each space."""

    def __init__(self, home: Path, clock: Clock, default_ttl_ms: int | None) -> None:
        self.home = home
        self.clock = clock
        self.default_ttl_ms = default_ttl_ms

    def register(self, key: str, value: Any, *, ttl_ms: int | None = None) -> None:
        """Write the row, whatever is there."""
        with self.alone():
            self.write(key, value, ttl_ms)

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        """Write the row where there is none, or one that has expired."""
        with self.alone():
            if self.read(key) is not ABSENT:
                return False
            self.write(key, value, ttl_ms)
            return True

    def lookup(self, key: str) -> Any:
        """Answer the value."""
        with self.alone():
            return self.read(key)

    def delete(self, key: str) -> bool:
        """Remove the row."""
        with self.alone():
            there = self.read(key) is not ABSENT
            self.path(key).unlink(missing_ok=True)
            return there

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody else is at work on this space."""
        with Path(self.home, ".lock").open("a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def path(self, key: str) -> Path:
        """Answer the file of a row."""
        return self.home / f"{quote(key, safe='', errors='surrogatepass')}.row"

    def row(self, value: Any, ttl_ms: int | None) -> str:
        """Answer what stands in the file of a row."""
        life = self.default_ttl_ms if ttl_ms is None else ttl_ms
        expires = None if life is None else self.clock.now_ms() + life
        return json.dumps([value, expires])

    def write(self, key: str, value: Any, ttl_ms: int | None) -> None:
        """Put a whole row in the place of what is there."""
        whole = self.path(key).with_suffix(".new")
        whole.write_text(self.row(value, ttl_ms), "utf-8")
        whole.replace(self.path(key))

    def read(self, key: str) -> Any:
        """Answer the value of a live row."""
        try:
            value, expires = json.loads(self.path(key).read_text("utf-8"))
        except FileNotFoundError:
            return ABSENT
        return ABSENT if expires is not None and expires <= self.clock.now_ms() else value


class FileRowsBackend:
    """The location is a directory, and each namespace one in it."""

    store: type[FileRows] = FileRows
    capabilities = Capabilities(
        virtual_clock=True,
        operations=frozenset({"register", "register_if_absent", "lookup", "delete"}),
        eviction=None,
        plugin_row_cap=None,
        validates_input=False,
    )

    def __init__(self, location: str, *, clock: Clock) -> None:
        self.location = Path(location)
        self.clock = clock

    def open(
        self, plugin_id: str, namespace: str, *, default_ttl_ms: int | None = None, **_: Any
    ) -> FileRows:
        """Make the directory of the namespace."""
        home = self.location / quote(plugin_id, safe="") / quote(namespace, safe="")
        home.mkdir(parents=True, exist_ok=True)
        return self.store(home, self.clock, default_ttl_ms)

    def close(self) -> None:
        """Nothing stays open."""


class _ExistsThenCreatesRows(FileRows):
    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        if self.read(key) is not ABSENT:
            return False
        with self.alone():
            self.write(key, value, ttl_ms)
        return True


@mutant(*("CLAIM-6", "CLAIM-8", "CLAIM-5", "CLAIM-7", "CLAIM-10"), shows="processes")
class ExistsThenCreates(FileRowsBackend):
    """Whether the file is there is looked up before the lock is taken: both claimants write it."""

    store = _ExistsThenCreatesRows


class _UnlinkIfStaleRows(FileRows):
    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        whole = self.path(key).with_suffix(f".{os.getpid()}")
        whole.write_text(self.row(value, ttl_ms), "utf-8")
        try:
            if self.path(key).exists() and self.read(key) is ABSENT:
                self.path(key).unlink(missing_ok=True)
            os.link(whole, self.path(key))
        except FileExistsError:
            return False
        finally:
            whole.unlink()
        return True


@mutant(*("CLAIM-8", "CLAIM-7", "CLAIM-10", "TTL-6"), shows="processes")
class UnlinkIfStale(FileRowsBackend):
    """A stale lock file is removed by whoever finds it stale, also when it is another's by then."""

    store = _UnlinkIfStaleRows


class _TornRows(FileRows):
    def write(self, key: str, value: Any, ttl_ms: int | None) -> None:
        self.path(key).write_text(self.row(value, ttl_ms), "utf-8")

    def lookup(self, key: str) -> Any:
        return self.read(key)


@mutant(*("ERR-3", "ERR-2"), shows="processes")
class TornRow(FileRowsBackend):
    """A row is written in its place, and a reader without the lock finds half of it."""

    store = _TornRows
