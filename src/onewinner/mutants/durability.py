"""What goes wrong when processes are killed, stopped or forked, or when a clock is set."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from onewinner.clock import Clock, monotonic_ns, sleep
from onewinner.contract import ABSENT, BASE, Capabilities, Profile, StoreError
from onewinner.mutants.atomicity import HELD
from onewinner.mutants.registry import changed, mutant
from onewinner.stores import input as rules
from onewinner.stores.sqlite import ROW, STAMP, SqliteStore
from onewinner.stores.sqlite_file import SqliteFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Absent, Json

_PATIENCE_S: Final = 0.5
_LOOK_S: Final = 0.005


@mutant(
    *("DUR-3", "DUR-8"),
    shows="faults",
    seen="redis with appendonly no: 200 of 200 claims are won twice after a kill",
)
class CommitsLate(SqliteFile):
    """Claims are answered first and committed later: whoever dies in between has won nothing."""

    late_s: ClassVar[float] = 0.02

    @contextmanager
    def transaction(
        self, operation: str, code: str = "WRITE_FAILED"
    ) -> Iterator[sqlite3.Connection]:
        """Begin where the last one was committed, and leave the commit to a timer."""
        with self._taken(operation, code) as connection:
            if connection.in_transaction:
                connection.execute("COMMIT")
            connection.execute(self.begin)
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            timer = threading.Timer(self.late_s, self._commit)
            timer.daemon = True
            timer.start()

    @contextmanager
    def statement(self, operation: str) -> Iterator[sqlite3.Connection]:
        """Read in a transaction, so that who reads waits for the commit that is late."""
        with self.transaction(operation, "READ_FAILED") as connection:
            yield connection

    def _commit(self) -> None:
        with self._lock:
            self._settle()

    def _settle(self) -> None:
        with suppress(sqlite3.Error):
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("COMMIT")

    def _disconnect(self) -> None:
        self._settle()
        super()._disconnect()


@mutant(
    *("DUR-5", "DUR-4"),
    shows="faults",
    seen="cachelib RedisCache.add (SETNX, then EXPIRE): 21 immortal keys of 40 kills; sentry#1509, "
    "beaker#164, redis-py#902, ShedLock#65, laravel/horizon#1747",
)
class TtlInASecondStep(SqliteStore):
    """The row comes first and its expiry after it: a worker that dies in between holds for ever."""

    EXPIRE: ClassVar[str] = f"UPDATE rows SET expires_at = :expires_at WHERE {ROW}"

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim without expiry, and then set it."""
        rules.expiry(self._clock.now_ms(), rules.ttl(ttl_ms, "register"), "register")
        won = super().register_if_absent(key, value)
        if won and ttl_ms is not None:
            with self._write("register", key, value, ttl_ms) as run:
                run(self.EXPIRE)
        return won


@mutant(
    "DUR-8",
    shows="faults",
    seen="pymemcache: 43 of 200 wrong answers after a fork, psycopg: 28 of 200; SQLite's own "
    "warning in 'How to corrupt a database file'",
)
class ConnectionSharedOverFork(SqliteFile):
    """A worker is forked with the connection open: when one side closes it, the other's rows go."""

    def before_fork(self) -> None:
        """Let the child have the connection too."""

    def after_fork(self) -> None:
        """Go on."""


class _LockFile(SqliteFile):
    """Writes under a lock file of its own beside the database."""

    @contextmanager
    def transaction(
        self, operation: str, code: str = "WRITE_FAILED"
    ) -> Iterator[sqlite3.Connection]:
        """Make the lock file, write, and remove it."""
        lock = self.path.with_suffix(".lock")
        until_ns = monotonic_ns() + int(_PATIENCE_S * 1e9)
        while True:
            try:
                os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
                break
            except FileExistsError:
                if monotonic_ns() > until_ns:
                    raise StoreError(
                        code=code, operation=operation, message=f"{lock} is held"
                    ) from None
                sleep(_LOOK_S)
        try:
            with super().transaction(operation, code) as connection:
                yield connection
        finally:
            lock.unlink(missing_ok=True)


@mutant(
    "DUR-6", "DUR-7", shows="faults", seen="every lock file that is removed by nobody but its maker"
)
class LockFileOutlivesItsHolder(_LockFile):
    """A worker that dies with the lock file leaves it there, and nobody is served any more."""


@mutant("DUR-6", shows="faults")
class SweepLockOutlivesSweeper(_LockFile):
    """A sweeper that dies leaves its lock file there, and whatever expires is swept no more."""

    @contextmanager
    def transaction(
        self, operation: str, code: str = "WRITE_FAILED"
    ) -> Iterator[sqlite3.Connection]:
        """Make the lock file for a sweep alone."""
        of = SweepLockOutlivesSweeper if operation == "sweep_expired" else _LockFile
        with super(of, self).transaction(operation, code) as connection:
            yield connection


@mutant(
    *("DUR-7", "DUR-6", "ERR-6"),
    shows="faults",
    seen="M. Kleppmann, How to do distributed locking: a lease without a fencing token",
)
class LeaseWithoutFence(SqliteStore):
    """A worker that pauses for longer than its lease writes all the same, beside its successor."""

    LEASE_MS: ClassVar[int] = 1_000
    MAKE: ClassVar[str] = (
        "CREATE TABLE IF NOT EXISTS leases (name TEXT PRIMARY KEY, until INTEGER NOT NULL)"
    )
    TAKE: ClassVar[str] = (
        "INSERT INTO leases VALUES ('claims', :now + {lease}) ON CONFLICT (name) "
        "DO UPDATE SET until = excluded.until WHERE until <= :now"
    )

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Look and write under the lease."""
        self._key(key, "register")
        until_ns = monotonic_ns() + int(2 * _PATIENCE_S * 1e9)
        while not self._taken():
            if monotonic_ns() > until_ns:
                raise StoreError(
                    code="WRITE_FAILED", operation="register", message="the lease is held"
                )
            sleep(_LOOK_S)
        try:
            with self._write("register", key, value, ttl_ms) as run:
                held = run(HELD).fetchone() is not None
            if not held:
                self.register(key, value, ttl_ms=ttl_ms)
            return not held
        finally:
            with self._transaction("register") as run:
                run("DELETE FROM leases")

    def _taken(self) -> bool:
        with self._transaction("register") as run:
            run(self.MAKE)
            return run(self.TAKE.format(lease=self.LEASE_MS)).rowcount > 0


@mutant("TTL-8", shows="faults", seen="clean-ups that take a time stamp in the future for garbage")
class RowsOfTheFutureArePruned(SqliteStore):
    """Once the clock is set back, what was claimed before looks like garbage, and is freed."""

    PRUNE: ClassVar[str] = changed(
        SqliteStore.PRUNE, "expires_at <= :now", "(expires_at <= :now OR created_at > :now)"
    )


@mutant("DUR-9", shows="faults")
class FilesForEverybody(SqliteFile):
    """Claims carry what their owners wrote; everybody on the machine can read them."""

    def _prepare(self, connection: sqlite3.Connection) -> None:
        super()._prepare(connection)
        self.path.chmod(0o644)


@mutant(
    *("DUR-4", "DUR-6", "ERR-6"),
    shows="faults",
    seen="file stores that open the final name and write to it",
)
class HalfWrittenRows:
    """The file has its name before it has its contents: a worker that dies leaves half a row."""

    def __init__(self, location: str, *, clock: Clock, profile: Profile = BASE) -> None:
        self.clock = clock
        self.profile = profile
        self.capabilities = Capabilities(
            operations=frozenset({"register_if_absent", "lookup"}),
            ttl_unit_ms=None,
            eviction=None,
            plugin_row_cap=None,
            validates_input=False,
        )
        self._root = Path(location)

    def open(self, plugin_id: str, namespace: str, **_: int | None) -> _Folder:
        """Open a folder for the namespace."""
        folder = self._root / _name(plugin_id, namespace)
        folder.mkdir(parents=True, exist_ok=True)
        return _Folder(folder)

    def close(self) -> None:
        """Nothing is held."""


class _Folder:
    """A namespace: a file a key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def register_if_absent(self, key: str, value: Json, **_: int | None) -> bool:
        """Make the file, then write what is to be in it."""
        text = json.dumps(value)
        try:
            file = os.open(self._folder / _name(key), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return False
        half = len(text) // 2
        os.write(file, text[:half].encode())
        os.write(file, text[half:].encode())
        os.close(file)
        return True

    def lookup(self, key: str) -> Json | Absent:
        """Read the file, if there is one."""
        try:
            found: Json = json.loads((self._folder / _name(key)).read_text())
        except FileNotFoundError:
            return ABSENT
        except ValueError as error:
            raise StoreError(code="CORRUPT", operation="lookup", message=str(error)) from error
        return found


def _name(*parts: str) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()


@mutant("TTL-8", shows="faults")
class RowsOfTheFutureAreTakenOver(SqliteStore):
    """Once the clock is set back, a claim takes a row from the future for one that is over."""

    INSERT: ClassVar[str] = changed(
        changed(SqliteStore.INSERT, STAMP, ":now"),
        "DO NOTHING",
        "DO UPDATE SET value = excluded.value, created_at = excluded.created_at, "
        "expires_at = excluded.expires_at WHERE created_at > excluded.created_at",
    )


@mutant("DUR-5", "DUR-4", shows="faults")
class ClaimThenRegisterWithTtl(SqliteStore):
    """The claim is made for ever and written again with its TTL: a death in between is for ever."""

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim, and register what was claimed."""
        rules.expiry(self._clock.now_ms(), rules.ttl(ttl_ms, "register"), "register")
        won = super().register_if_absent(key, value)
        if won and ttl_ms is not None:
            self.register(key, value, ttl_ms=ttl_ms)
        return won
