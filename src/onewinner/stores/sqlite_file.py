"""The file under the SQLite store: opening it, sharing it between threads, surviving a fork.

Four things here are easy to get wrong, and were wrong in released software:

* The busy timeout is set before the first statement, and the switch to WAL is tried again while
  another process is doing the same: SQLite answers BUSY there without waiting, because two
  connections that both wait to upgrade would wait for ever.
* A connection must not cross a fork, and it is not enough to open another one in the child: SQLite
  keeps one table of POSIX locks a process, the child inherits the parent's, believes that it holds
  locks which the kernel never gave it, and loses writes when the parent closes the file. So the
  connections are closed just before a fork, and opened again on the next use on either side.
* Where SQLite cannot open a file for writing, because of an error of the disk too, it opens it for
  reading and says nothing; BEGIN IMMEDIATE may say nothing either, and every write is refused for
  good. So the first transaction of a connection tries to write, and where it cannot the file is
  opened again.
* Files get their modes by path. To open and close a descriptor of the file would drop every lock
  that this process holds on it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from onewinner.clock import monotonic_ns, sleep
from onewinner.contract import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA_VERSION: Final = 1
BUSY_TIMEOUT_S: Final = 5.0
_RETRY_S: Final = 0.005
_OLDEST_SQLITE: Final = (3, 35, 0)  # RETURNING
_WRITE_NOTHING: Final = "DELETE FROM rows WHERE 0"

_SCHEMA: Final = (
    """CREATE TABLE rows (
        plugin TEXT NOT NULL, namespace TEXT NOT NULL, key TEXT NOT NULL,
        value TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER,
        PRIMARY KEY (plugin, namespace, key)) WITHOUT ROWID""",
    "CREATE INDEX rows_by_age ON rows (plugin, namespace, created_at, key)",
    "CREATE INDEX rows_by_expiry ON rows (plugin, expires_at) WHERE expires_at IS NOT NULL",
    # How many rows a namespace holds, so that no claim has to count them.
    """CREATE TABLE sizes (
        plugin TEXT NOT NULL, namespace TEXT NOT NULL, held INTEGER NOT NULL,
        PRIMARY KEY (plugin, namespace)) WITHOUT ROWID""",
    """CREATE TRIGGER row_came AFTER INSERT ON rows BEGIN
        INSERT INTO sizes VALUES (NEW.plugin, NEW.namespace, 1)
        ON CONFLICT DO UPDATE SET held = held + 1; END""",
    """CREATE TRIGGER row_went AFTER DELETE ON rows BEGIN
        UPDATE sizes SET held = held - 1
        WHERE plugin = OLD.plugin AND namespace = OLD.namespace; END""",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


class SqliteFile:
    """The one connection of a handle; threads take turns, forks never see it open."""

    busy_timeout_s: ClassVar[float] = BUSY_TIMEOUT_S
    begin: ClassVar[str] = "BEGIN IMMEDIATE"

    def __init__(self, directory: str) -> None:
        self.path = Path(os.path.realpath(directory), "state.sqlite")
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._can_write = False
        with _FORKS.guard:
            _FORKS.files.add(self)
        with self._taken("open", "OPEN_FAILED"):
            pass  # what is wrong with the file is told now, not at the first claim

    @contextmanager
    def transaction(
        self, operation: str, code: str = "WRITE_FAILED"
    ) -> Iterator[sqlite3.Connection]:
        """Hold the write lock of the database; whatever raises inside leaves no trace.

        Raises StoreError with `code` for what SQLite could not do.
        """
        with self._taken(operation, code) as taken:
            connection = self._begun(taken)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def statement(self, operation: str) -> Iterator[sqlite3.Connection]:
        """Run a single reading statement, which is a snapshot by itself and waits for no writer."""
        with self._taken(operation, "READ_FAILED") as connection:
            yield connection

    def close(self) -> None:
        """Close the connection for good; a second call does nothing."""
        with self._lock:
            self._closed = True
            self._disconnect()

    def before_fork(self) -> None:
        """Let no thread in and close the connection, so that the fork copies none."""
        self._lock.acquire()
        self._disconnect()

    def after_fork(self) -> None:
        """Let threads in again; called in the parent and in the child."""
        self._lock.release()

    @contextmanager
    def _taken(self, operation: str, code: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._closed:
                raise StoreError(
                    code="OPEN_FAILED",
                    operation=operation,
                    message="this handle was closed; connect again",
                )
            if self._connection is None:
                self._connection = self._connect()
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise StoreError(
                    code=code, operation=operation, message=f"{self.path}: {error}"
                ) from error

    def _begun(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """Begin, and answer the connection: a new one where this one can only read."""
        try:
            self._begin(connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
                raise
            self._disconnect()
            self._connection = connection = self._connect()
            self._begin(connection)
        return connection

    def _begin(self, connection: sqlite3.Connection) -> None:
        connection.execute(self.begin)
        if self._can_write:
            return
        try:
            connection.execute(_WRITE_NOTHING)
        except sqlite3.Error:
            connection.execute("ROLLBACK")
            raise
        self._can_write = True

    def _connect(self) -> sqlite3.Connection:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise StoreError(
                code="SQLITE_UNAVAILABLE",
                operation="open",
                message=f"SQLite {sqlite3.sqlite_version} lacks RETURNING; use 3.35 or later",
            )
        try:
            _make_private_directory(self.path.parent)
            connection = sqlite3.connect(
                self.path,
                timeout=self.busy_timeout_s,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                code="OPEN_FAILED", operation="open", message=f"{self.path}: {error}"
            ) from error
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Bring the file to this release's form; another process may be doing the same."""
        give_up_ns = monotonic_ns() + int(self.busy_timeout_s * 1e9)
        while True:
            try:
                _make_private(self.path)
                migrate(connection)
            except sqlite3.OperationalError as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if not _is_contention(error) or monotonic_ns() > give_up_ns:
                    raise
                sleep(_RETRY_S)
            else:
                return

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._can_write = False


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to this release's schema and settings; one that has them is left as it is.

    Raises StoreError SCHEMA_UNSUPPORTED for a newer file, and sqlite3.OperationalError where
    another process holds the file.
    """
    version = _user_version(connection)
    if version not in (0, SCHEMA_VERSION):
        raise StoreError(
            code="SCHEMA_UNSUPPORTED",
            operation="open",
            message=f"the file has schema version {version}, this release knows {SCHEMA_VERSION}; "
            f"use the release that wrote it",
        )
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise sqlite3.NotSupportedError(f"journal mode stays {mode}; use a local file system")
    connection.execute("PRAGMA synchronous = NORMAL")
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    if _user_version(connection) == 0:
        for statement in _SCHEMA:
            connection.execute(statement)
    connection.execute("COMMIT")


def _user_version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _is_contention(error: sqlite3.OperationalError) -> bool:
    primary = error.sqlite_errorcode & 0xFF
    return primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)


def _make_private_directory(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_mode & 0o777 != 0o700:
        directory.chmod(0o700)


def _make_private(path: Path) -> None:
    """Give the file and its sidecars mode 0600; new sidecars inherit the mode of the file."""
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        with suppress(FileNotFoundError):  # a sidecar goes with the last connection of any process
            if file.stat().st_mode & 0o777 != 0o600:
                file.chmod(0o600)


class _Forks:
    """Closes the connections of every handle before a fork; see the module's docstring."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.files: weakref.WeakSet[SqliteFile] = weakref.WeakSet()
        self._held: list[SqliteFile] = []
        os.register_at_fork(
            before=self._before, after_in_parent=self._after, after_in_child=self._after
        )

    def _before(self) -> None:
        self.guard.acquire()
        self._held = list(self.files)
        for file in self._held:
            file.before_fork()

    def _after(self) -> None:
        for file in self._held:
            file.after_fork()
        self._held = []
        self.guard.release()


_FORKS: Final = _Forks()
