"""More of what goes wrong when processes are killed, stopped or forked, and with modes of files."""

from __future__ import annotations

import fcntl
import os
import random
import sqlite3
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from onewinner.clock import monotonic_ns, sleep
from onewinner.contract import ABSENT, StoreError
from onewinner.mutants.atomicity import HELD
from onewinner.mutants.file_rows import FileRows, FileRowsBackend
from onewinner.mutants.newer_races import made_of_others
from onewinner.mutants.registry import mutant
from onewinner.stores import input as rules
from onewinner.stores.newer_sqlite import NewerSqliteStore
from onewinner.stores.sqlite import ROW, SqliteBackend, SqliteStore
from onewinner.stores.sqlite_file import SqliteFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from onewinner.contract import Absent, Entry, Json
    from onewinner.stores.input import Opening
    from onewinner.stores.sqlite import Run

_PATIENCE_S: Final = 1.0
_LOOK_S: Final = 0.005


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@mutant("DUR-3", "DUR-8", "DUR-4", shows="faults")
class OrphansFreedAtStart(SqliteFile):
    """What a dead process had claimed is freed at the next start, and done a second time."""

    OWNERS: ClassVar[str] = (
        "CREATE TABLE IF NOT EXISTS owners "
        "(plugin, namespace, key, pid, PRIMARY KEY (plugin, namespace, key))"
    )
    NOTE: ClassVar[str] = (
        "CREATE TEMP TRIGGER noted AFTER INSERT ON main.rows BEGIN "
        "INSERT OR REPLACE INTO owners VALUES (NEW.plugin, NEW.namespace, NEW.key, {pid}); END"
    )
    FREE: ClassVar[str] = (
        "DELETE FROM rows WHERE (plugin, namespace, key) IN "
        "(SELECT plugin, namespace, key FROM owners WHERE pid = ?)"
    )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        super()._prepare(connection)
        connection.execute(self.OWNERS)
        connection.execute(self.NOTE.format(pid=os.getpid()))
        for (pid,) in connection.execute("SELECT DISTINCT pid FROM owners").fetchall():
            if not _alive(pid):
                connection.execute(self.FREE, (pid,))


class _OldFileFirstRows(FileRows):
    def write(self, key: str, value: Any, ttl_ms: int | None) -> None:
        self.path(key).unlink(missing_ok=True)
        super().write(key, value, ttl_ms)


@mutant("DUR-4", shows="faults", seen="yvgude/lean-ctx#956, kk7ds/chirp#569")
class OldFileRemovedFirst(FileRowsBackend):
    """A file is removed to make way for its new version: a death in between loses both."""

    store = _OldFileFirstRows


@mutant("DUR-6", "DUR-3", "DUR-4", shows="faults")
class DirtyMarkRefusesStart(SqliteFile):
    """A write that was cut off leaves a mark, and nobody starts until somebody repairs the file."""

    @contextmanager
    def transaction(
        self, operation: str, code: str = "WRITE_FAILED"
    ) -> Iterator[sqlite3.Connection]:
        """Mark the file as being written, by the process that writes."""
        mark = self.path.with_suffix(f".{os.getpid()}")
        mark.touch(0o600)
        try:
            with super().transaction(operation, code) as connection:
                yield connection
        finally:
            mark.unlink(missing_ok=True)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        for mark in self.path.parent.glob("state.[0-9]*"):
            if not _alive(int(mark.suffix[1:])):
                raise sqlite3.DatabaseError(f"{mark}: a write was cut off; repair the file")
        super()._prepare(connection)


@mutant(
    *("DUR-7", "DUR-6"),
    shows="faults",
    seen="sonichi/sutando#3831: a lock of ten minutes was removed while its holder ran",
)
class LockFileTakenOverByAge(SqliteStore):
    """A lock file that is a second old counts as left behind, but its maker had only paused."""

    AGE_MS: ClassVar[int] = 1_000

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Write while the lock file is there."""
        with self._alone():
            super().register(key, value, ttl_ms=ttl_ms)

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look and write while the lock file is there."""
        with self._alone():
            with self._write("register", key, value, ttl_ms) as run:
                held = run(HELD).fetchone() is not None
            if not held:
                super().register(key, value, ttl_ms=ttl_ms)
            return not held

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = self._file.path.with_suffix(".lock")
        self._take(lock)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)

    def _take(self, lock: Path) -> None:
        mine = lock.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        until_ns = monotonic_ns() + int(_PATIENCE_S * 1e9)
        while monotonic_ns() < until_ns:
            try:
                mine.write_text(f"{os.getpid()} {self._clock.now_ms() + self.AGE_MS}", "ascii")
                os.link(mine, lock)
            except FileExistsError:
                if not self._taken_over(lock):
                    sleep(_LOOK_S)
            except OSError as error:
                raise StoreError(
                    code="WRITE_FAILED", operation="register", message=str(error)
                ) from error
            else:
                return
            finally:
                mine.unlink(missing_ok=True)
        raise StoreError(code="WRITE_FAILED", operation="register", message=f"{lock} is held")

    def _taken_over(self, lock: Path) -> bool:
        """Remove a lock file that is old, or whose maker is dead; answer whether it is gone."""
        with suppress(FileNotFoundError):
            maker, until_ms = map(int, lock.read_text("ascii").split())
            if _alive(maker) and until_ms > self._clock.now_ms():
                return False
            lock.unlink()
        return True


@mutant(
    "DUR-8",
    shows="faults",
    seen="python/cpython#105337, util-linux/util-linux#3009, aminalaee/uuid-utils#42",
)
class TokenCopiedByFork(SqliteStore):
    """Tokens come from a generator that a fork copies: parent and child both find their own."""

    MAKE: ClassVar[str] = (
        "CREATE TABLE IF NOT EXISTS owners "
        "(plugin, namespace, key, token, PRIMARY KEY (plugin, namespace, key))"
    )
    SIGN: ClassVar[str] = "INSERT OR REPLACE INTO owners SELECT :plugin, :namespace, :key, '{}'"
    OWNER: ClassVar[str] = f"SELECT token FROM owners WHERE {ROW}"

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._tokens = random.Random(os.urandom(16))

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim, and read back whose token is there."""
        token = f"{self._tokens.getrandbits(64):x}-"
        with self._write("register", key, value, ttl_ms) as run:
            run(self.MAKE)
            if self._insert(run):
                run(self.SIGN.format(token))
            return bool(run(self.OWNER).fetchone() == (token,))


@mutant("DUR-9", shows="faults")
class SidecarsForEverybody(SqliteFile):
    """The database is private and its log is not: what was claimed last stands in the log."""

    def _prepare(self, connection: sqlite3.Connection) -> None:
        super()._prepare(connection)
        for sidecar in self.path.parent.glob(f"{self.path.name}-*"):
            sidecar.chmod(0o644)


@mutant("DUR-9", shows="faults")
class UmaskDecides(FileRowsBackend):
    """Files are as private as whoever started the service happened to ask for."""

    capabilities = replace(FileRowsBackend.capabilities, private_files=True)


class _UnderALock(NewerSqliteStore):
    """All operations under a lock of the system, which goes with its holder."""

    _mine = threading.local()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if getattr(self._mine, "held", False):
            yield
            return
        path = self._file.path.with_suffix(".lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._mine.held = True
            yield
        finally:
            self._mine.held = False
            os.close(descriptor)

    @contextmanager
    def _transaction(self, operation: str, **row: Any) -> Iterator[Run]:
        with self._alone(), super()._transaction(operation, **row) as run:
            yield run

    def lookup(self, key: str) -> Json | Absent:
        """Look up when nobody is at work."""
        with self._alone():
            return super().lookup(key)

    def entries(self) -> list[Entry]:
        """List when nobody is at work."""
        with self._alone():
            return super().entries()


@mutant("DUR-4", shows="faults")
class ClearsInTwoSteps(_UnderALock):
    """Rows with an end go first and the others then: a worker that dies in between clears half."""

    def clear(self) -> None:
        """Clear twice, under a lock that makes one step of it for all who live."""
        with self._alone():
            with self._transaction("clear") as run:
                run(f"{self.CLEAR} AND expires_at IS NOT NULL")
            with self._transaction("clear") as run:
                run(self.CLEAR)


@mutant("DUR-4", shows="faults")
class UpdatesByDeleting(_UnderALock):
    """The old row goes before the new one comes: a worker that dies in between loses the count."""

    @made_of_others
    def update(
        self,
        key: str,
        change: Callable[[Json | Absent], Json | Absent],
        *,
        ttl_ms: int | None = None,
    ) -> bool:
        """Update by a delete and a register, under a lock that makes one step of them."""
        rules.ttl(ttl_ms, "update")
        with self._alone():
            changed = change(self.lookup(key))
            if changed is ABSENT:
                return False
            rules.value_text(changed, "update", self._profile)  # before anything is removed
            self.delete(key)
            self.register(key, changed, ttl_ms=ttl_ms)
            return True


class _FileUnderALock(SqliteFile):
    """All transactions under a lock of the system, which goes with its holder."""

    _mine = threading.local()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else at the file; whoever is alone already goes on."""
        if getattr(self._mine, "held", False):
            yield
            return
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._mine.held = True
            yield
        finally:
            self._mine.held = False
            os.close(descriptor)

    @contextmanager
    def transaction(
        self, operation: str, code: str = "WRITE_FAILED"
    ) -> Iterator[sqlite3.Connection]:
        with self.alone(), super().transaction(operation, code) as connection:
            yield connection

    @contextmanager
    def statement(self, operation: str) -> Iterator[sqlite3.Connection]:
        with self.alone(), super().statement(operation) as connection:
            yield connection


@mutant("DUR-4", shows="faults")
class SweepPutsLiveRowsBack(SqliteBackend):
    """A sweep empties the table and puts the live rows back: dying in between, it loses them."""

    file_type: ClassVar[type[SqliteFile]] = _FileUnderALock

    def sweep_expired(self) -> int:
        """Rebuild the table, under a lock that makes one step of it for all who live."""
        file = cast("_FileUnderALock", self.file)
        with file.alone():
            now = self.clock.now_ms()
            with file.transaction("sweep_expired") as connection:
                rows = connection.execute("SELECT *, expires_at <= ? FROM rows", (now,)).fetchall()
                connection.execute("DELETE FROM rows")
            live = [row[:-1] for row in rows if not row[-1]]
            with file.transaction("sweep_expired") as connection:
                connection.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)", live)
        return len(rows) - len(live)
