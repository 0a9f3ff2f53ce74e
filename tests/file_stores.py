"""A right store of files, named relative to a directory, where another thread does the work."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onewinner.contract import ABSENT, Capabilities

if TYPE_CHECKING:
    from onewinner.clock import Clock


class RelativeStore:
    """A file for each key, made and named within the directory that is held open."""

    def __init__(self, home: Path) -> None:
        self.home = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
        self.workers = ThreadPoolExecutor(1)

    def register_if_absent(self, key: str, value: Any, **_: Any) -> bool:
        """Write the file whole, then give it its name; another thread does it all."""
        return self.workers.submit(self._claim, key, value).result()

    def _claim(self, key: str, value: Any) -> bool:
        draft = f"{key}.{os.getpid()}.draft"
        # One that could not be removed may have become a row: to write to it would change that.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=self.home)
        flags = os.O_CREAT | os.O_WRONLY | os.O_EXCL
        file = os.open(draft, flags, 0o600, dir_fd=self.home)
        try:
            os.write(file, json.dumps(value).encode())
            os.link(draft, key, src_dir_fd=self.home, dst_dir_fd=self.home)
        except FileExistsError:
            return False
        finally:
            os.close(file)
            os.unlink(draft, dir_fd=self.home)
        return True

    def lookup(self, key: str) -> Any:
        """Read the file, where there is one."""
        try:
            file = os.open(key, os.O_RDONLY, dir_fd=self.home)
        except FileNotFoundError:
            return ABSENT
        with os.fdopen(file) as text:
            return json.load(text)


class RelativeBackend:
    """The location is a directory, and each namespace one in it."""

    capabilities = Capabilities(
        operations=frozenset({"register_if_absent", "lookup"}),
        ttl_unit_ms=None,
        eviction=None,
        plugin_row_cap=None,
        validates_input=False,
    )

    def __init__(self, location: str, *, clock: Clock) -> None:
        self.location = Path(location)
        self.clock = clock

    def open(self, plugin_id: str, namespace: str, **_: Any) -> RelativeStore:
        """Make the directory of the namespace."""
        home = self.location / plugin_id / namespace
        home.mkdir(parents=True, exist_ok=True)
        return RelativeStore(home)

    def close(self) -> None:
        """Nothing that matters stays open."""


class NameStore:
    """A name for each key and nothing in it: nobody can read what was claimed."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def register_if_absent(self, key: str, value: Any, **_: Any) -> bool:
        """Make the name, which fails if it is there."""
        name = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        try:
            os.close(os.open(self.home / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True


class NameBackend(RelativeBackend):
    """It declares the claim, and nothing else."""

    capabilities = dataclasses.replace(
        RelativeBackend.capabilities, operations=frozenset({"register_if_absent"})
    )

    def open(self, plugin_id: str, namespace: str, **_: Any) -> Any:
        """Make the directory of the namespace."""
        home = self.location / plugin_id / namespace
        home.mkdir(parents=True, exist_ok=True)
        return NameStore(home)
