"""What goes wrong with locks: the wrong one, held too short, for the wrong people, or for ever."""

from __future__ import annotations

import fcntl
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from onewinner.contract import Entry, StoreError
from onewinner.mutants.atomicity import HELD, CapOutsideTransaction, DeleteAgainIfFound
from onewinner.mutants.eviction import VictimChosenBeforeLock
from onewinner.mutants.file_rows import FileRows, FileRowsBackend
from onewinner.mutants.registry import changed, mutant
from onewinner.stores.memory import MemoryStore
from onewinner.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Json
    from onewinner.stores.memory import Data, Row, Space

_PROCESS_WIDE: Final = threading.Lock()


@mutant("ERR-2", "CLAIM-5", shows="threads")
class TryLockForLock(MemoryStore):
    """Whoever finds the lock taken is given an error, and not the answer that he lost."""

    @contextmanager
    def _step(self, operation: str) -> Iterator[tuple[Data, Space, int]]:
        """Take the lock if it is free."""
        lock = vars(self._backend.data(operation)).setdefault("tried", threading.Lock())
        if not lock.acquire(blocking=False):
            raise StoreError(code="WRITE_FAILED", operation=operation, message="the store is busy")
        try:
            with super()._step(operation) as step:
                yield step
        finally:
            lock.release()


@mutant(
    *("ERR-2", "READ-5"),
    shows="threads",
    seen="MitchellChu/torndsession#18, probabl-ai/skore#2205, crowdsecurity/pycrowdsec#12",
)
class ListingWithoutLock(MemoryStore):
    """A listing goes through a dict that others change, and ends with an exception."""

    def entries(self) -> list[Entry]:
        """Go through the rows as they are, one by one."""
        now = self._backend.clock.now_ms()
        rows = []
        for row in self._space(self._backend.data("entries")).rows.values():
            if row.live(now):
                rows.append(row)  # noqa: PERF401 - each step of the loop is one that others can come between
        return [
            Entry(row.key, self._value(row), row.created_at, row.expires_at)
            for row in sorted(rows, key=lambda row: row.age)
        ]


@mutant(
    *("ERR-3", "ERR-2"),
    shows="threads",
    seen="Climate-REF/climate-ref#679, getsentry/sentry#33186, suitenumerique/drive#618",
)
class LoserGetsUniqueViolation(SqliteStore):
    """Of two who saw nothing one inserts, and the other is given the index's complaint."""

    PLAIN: ClassVar[str] = changed(
        SqliteStore.INSERT, " ON CONFLICT (plugin, namespace, key) DO NOTHING", ""
    )

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look, and insert then, as if nobody came in between."""
        with self._write("register", key, value, ttl_ms) as run:
            held = run(HELD).fetchone() is not None
        if held:
            return False
        with self._write("register", key, value, ttl_ms) as run:
            run(self.PLAIN)
            run(self.EVICT)
            self._hold_cap(run)
        return True


@mutant("ERR-4", "TTL-7", "INPUT-11")
class LockKeptOnRefusal(MemoryStore):
    """A refused call leaves its lock taken, and nobody writes any more until a restart."""

    PATIENCE_S: ClassVar[float] = 0.05

    @contextmanager
    def _write(
        self, operation: str, key: str, value: Json, ttl_ms: int | None
    ) -> Iterator[tuple[Data, Space, Row]]:
        """Take a lock for the check and the write, and give it back where all went well."""
        lock = vars(self._backend.data(operation)).setdefault("writing", threading.Lock())
        if not lock.acquire(timeout=self.PATIENCE_S):
            raise StoreError(code="WRITE_FAILED", operation=operation, message="the lock is taken")
        with super()._write(operation, key, value, ttl_ms) as step:
            yield step
        lock.release()


@mutant("CLAIM-5", "CLAIM-7", "CLAIM-9", "CLAIM-2", "EVICT-6", shows="threads")
class AnswerKeptOnConnection(SqliteStore):
    """How many rows the last statement wrote is asked of a connection that all threads use."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Insert, and ask the connection what came of it once the lock is free."""
        with self._write("register", key, value, ttl_ms) as run:
            vars(self._file)["won"] = self._insert(run)
        return bool(vars(self._file)["won"])


@mutant("CLAIM-5", "EVICT-6", "CLAIM-7", shows="threads")
class ArgumentsKeptOnHandle(MemoryStore):
    """A call leaves its key and value on the handle, and writes what another thread left there."""

    _given: tuple[str, Json, int | None]

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Note what is claimed, and claim what is noted."""
        self._given = key, value, ttl_ms
        return self._claim()

    def _claim(self) -> bool:
        key, value, ttl_ms = self._given
        return super().register_if_absent(key, value, ttl_ms=ttl_ms)


@mutant("CLAIM-9", "CLAIM-10", "REG-3", "CLAIM-1", "EVICT-6", shows="threads")
class RegisterDeletesThenInserts(SqliteStore):
    """An upsert frees the key for a moment, and whoever claims just then is a second owner."""

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Delete in one transaction, and insert in the next."""
        with self._write("register", key, value, ttl_ms) as run:
            run(self.DELETE)
        with self._write("register", key, value, ttl_ms) as run:
            self._insert(run)


class _LockedInProcess(SqliteStore):
    """Writes under a lock that other processes do not know."""

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        with _PROCESS_WIDE:
            super().register(key, value, ttl_ms=ttl_ms)

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        with _PROCESS_WIDE:
            return super().register_if_absent(key, value, ttl_ms=ttl_ms)

    def delete(self, key: str) -> bool:
        with _PROCESS_WIDE:
            return super().delete(key)


@mutant("CLAIM-10", "REG-3", "DEL-1", shows="processes")
class DeleteAgainLockedInProcess(_LockedInProcess, DeleteAgainIfFound):
    """A delete that makes sure is alone among its threads, and ends another process's claim."""


class _SharedLockRows(FileRows):
    def consume(self, key: str) -> Any:
        with Path(self.home, ".lock").open("a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            value = self.read(key)
            self.path(key).unlink(missing_ok=True)
            return value


@mutant("DEL-4", "DEL-3", shows="processes")
class ConsumeUnderSharedLock(FileRowsBackend):
    """A consumer takes the lock of readers, which others may have too: a job is done twice."""

    store = _SharedLockRows
    capabilities = replace(
        FileRowsBackend.capabilities,
        operations=FileRowsBackend.capabilities.operations | {"consume"},
    )


class _RecordLockRows(FileRows):
    """Writers of one process wait for its lock, and processes for that of the file."""

    _writing: ClassVar[threading.Lock] = threading.Lock()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._writing, Path(self.home, ".lock").open("a", encoding="ascii") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            yield

    def lookup(self, key: str) -> Any:
        with Path(self.home, ".lock").open("a+", encoding="ascii") as lock:
            fcntl.lockf(lock, fcntl.LOCK_SH)
            return self.read(key)


@mutant(
    *("CLAIM-6", "ERR-3", "CLAIM-8", "CLAIM-10", "REG-3"),
    shows="processes",
    seen="SQLite, How to corrupt a database file: a close drops all POSIX locks of its process",
)
class RecordLockLostByAClose(FileRowsBackend):
    """A reader closes the lock file, and with it goes the lock that a thread beside it holds."""

    store = _RecordLockRows


@mutant("EVICT-7", shows="processes")
class VictimLockedInProcess(_LockedInProcess, VictimChosenBeforeLock):
    """Another process renews the row that was oldest, and it is evicted all the same."""


@mutant("CAP-5", shows="processes")
class CapCountedInProcess(_LockedInProcess, CapOutsideTransaction):
    """Each worker counts and inserts one claim at a time, and the cap holds for one worker only."""
