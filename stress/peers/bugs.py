"""The bugs on which tools are compared, and the field on which claimants meet.

Stores that are no mutants of onewinner stand here. A field has numbered vacancies, each with a key
that is free for one claim: it was never held, or its row has just expired. To compare tools on
another store, add a `Bug` with its target (`python:module:connect`, the module in this folder).
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner import ABSENT, Capabilities
from onewinner.adapters.targets import Target
from onewinner.clock import SystemClock, sleep

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """A store with a bug, or with none (`correct`).

    `processes`: claimants are processes, else threads. `threads_too`: a tool that has only threads
    can find it as well. `expired`: the key is vacant because its row has expired.
    """

    name: str
    target: str
    what: str
    processes: bool = False
    threads_too: bool = True
    expired: bool = False
    correct: bool = False


BUGS: Final = {
    bug.name: bug
    for bug in (
        Bug(
            name="lookup-then-register",
            target="mutant:lookup-then-register",
            what="SQLite: looks in one transaction, writes in the next",
            processes=True,
        ),
        Bug(
            name="thread-lock-only",
            target="mutant:thread-lock-only",
            what="SQLite: the same under a lock that other processes do not know",
            processes=True,
            threads_too=False,
        ),
        Bug(
            name="stale-row-removed-before-claim",
            target="mutant:stale-row-removed-before-claim",
            what="SQLite: an expired row is removed in a step of its own, by its key",
            processes=True,
            expired=True,
        ),
        Bug(
            name="file-checked-then-made",
            target="python:bugs:connect_files",
            what="files: `exists()`, then `open(path, 'w')`",
            processes=True,
        ),
        Bug(
            name="dict-check-then-set",
            target="mutant:dict-check-then-set",
            what="memory: a check and a set, each under the lock, in methods",
        ),
        Bug(
            name="dict-in-one-line",
            target="python:bugs:connect_one_line",
            what="memory: `if key in rows: return False`, then `rows[key] = value`",
        ),
        Bug(
            name="correct-sqlite",
            target="sqlite",
            what="the reference store; a find would be a false alarm",
            processes=True,
            correct=True,
        ),
        Bug(
            name="correct-memory",
            target="memory",
            what="the reference store; a find would be a false alarm",
            correct=True,
        ),
    )
}

_LIVES: Final = 500
_OPERATIONS: Final = frozenset({"register_if_absent", "lookup"})


class Field:
    """A store at a location, opened by one claimant or shared by threads."""

    def __init__(self, bug: Bug, location: str | Path) -> None:
        self._bug = bug
        self._backend: Any = Target(bug.target).connect(str(location), SystemClock())

    def _store(self, number: int) -> Any:
        """Answer a namespace that nobody has swept: one claim would else sweep for all."""
        plugin = f"p{number // _LIVES}"  # a plugin holds 1,000 rows
        return self._backend.open(plugin, f"n{number}", max_entries=10)

    def vacate(self, *numbers: int) -> None:
        """Make vacancies ready."""
        for number in numbers:
            store = self._store(number)
            if self._bug.expired:
                store.register_if_absent("k", "old", ttl_ms=1)
        if self._bug.expired:
            sleep(0.003)

    def claim(self, number: int, who: int) -> Callable[[], bool]:
        """Answer a claim of a vacancy, to be made by a call."""
        return partial(self._store(number).register_if_absent, "k", f"claimant {who}")


class OneLineStore:
    """A dictionary, asked and then set; no call between the two lets the interpreter switch."""

    def __init__(self, rows: dict[str, str]) -> None:
        self.rows = rows

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        """Look, then write."""
        text = json.dumps(value)
        if key in self.rows:
            return False
        self.rows[key] = text
        return True

    def lookup(self, key: str) -> Any:
        """Answer the value."""
        text = self.rows.get(key)
        return ABSENT if text is None else json.loads(text)


def file_name(*words: str) -> str:
    """Answer a name for any words, whatever characters they have."""
    return sha256(json.dumps(words).encode()).hexdigest()


class FileStore:
    """A file a key."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        """Look whether there is a file, then make it."""
        path = self.directory / file_name(key)
        if path.exists():
            return False
        with path.open("w", encoding="utf-8") as file:
            json.dump(value, file)
        return True

    def lookup(self, key: str) -> Any:
        """Answer the value; a file that is being written has none yet."""
        try:
            return json.loads((self.directory / file_name(key)).read_text("utf-8") or "null")
        except FileNotFoundError:
            return ABSENT


class _Backend:
    def __init__(self, location: str, scope: Any) -> None:
        self.location = location
        self.capabilities = Capabilities(
            scope=scope,
            operations=_OPERATIONS,
            durable=False,
            ttl_unit_ms=None,
            eviction=None,
            plugin_row_cap=None,
            validates_input=False,
        )

    def close(self) -> None:
        """Nothing is kept open."""


class FileBackend(_Backend):
    """Namespaces as directories."""

    def open(self, plugin_id: str, namespace: str, **_: Any) -> FileStore:
        """Answer a namespace."""
        return FileStore(Path(self.location) / file_name(plugin_id, namespace))


class OneLineBackend(_Backend):
    """Namespaces as dictionaries of this process."""

    spaces: Final[dict[tuple[str, str, str], dict[str, Any]]] = {}
    lock: Final = threading.Lock()

    def open(self, plugin_id: str, namespace: str, **_: Any) -> OneLineStore:
        """Answer a namespace; opening one is not what is raced for."""
        with self.lock:
            return OneLineStore(self.spaces.setdefault((self.location, plugin_id, namespace), {}))


def connect_files(location: str, *, clock: Any) -> FileBackend:
    """Answer the store of files."""
    return FileBackend(location, "process")


def connect_one_line(location: str, *, clock: Any) -> OneLineBackend:
    """Answer the store of dictionaries."""
    return OneLineBackend(location, "thread")
