"""The adapter for PostgreSQL, by psycopg: a table, and an upsert that an expired row lets through.

A claim is one statement, `INSERT ... ON CONFLICT DO UPDATE ... WHERE` the row has expired, at the
default isolation level and in a transaction of its own; the time is the server's. `createdAt` and
`expiresAt` are whole milliseconds, so that rows are listed in the order that their times tell. What
is left undeclared:

* `max_entries` and the plugin's cap: the table has neither;
* virtual time: the server reads the clock of its machine.

Each thread needs a handle of its own: psycopg lets one statement at a time through a connection.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from onewinner.adapters.servers import address, too_old, unreachable
from onewinner.contract import ABSENT, Absent, Capabilities, Entry, InvalidInput, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.clock import Clock
    from onewinner.contract import Backend, Json, Store

CAPABILITIES: Final = Capabilities(
    eviction=None, plugin_row_cap=None, validates_input=False, handle_scope="thread"
)

OLDEST: Final = 120_000
"""The oldest server that can be used, as PostgreSQL numbers its versions."""

NOW: Final = "(extract(epoch from clock_timestamp()) * 1000)::bigint"
"""The server's time in milliseconds, when the row is looked at."""

TABLE: Final = """
CREATE TABLE IF NOT EXISTS onewinner (
    plugin text, namespace text, key text,
    value json NOT NULL, created_at bigint NOT NULL, expires_at bigint,
    PRIMARY KEY (plugin, namespace, key)
)"""

WRITE: Final = f"""
INSERT INTO onewinner AS held VALUES (%s, %s, %s, %s, {NOW}, {NOW} + %s)
ON CONFLICT (plugin, namespace, key) DO UPDATE
SET value = excluded.value, created_at = {NOW}, expires_at = {NOW} + %s"""

CLAIM: Final = f"{WRITE}\nWHERE held.expires_at <= {NOW}"

_ROW: Final = "plugin = %s AND namespace = %s AND key = %s"
_LIVE: Final = f"(expires_at IS NULL OR expires_at > {NOW})"

LIST: Final = f"""
WITH this AS MATERIALIZED (SELECT {NOW} AS now)
SELECT key, value, created_at, expires_at FROM onewinner, this
WHERE plugin = %s AND namespace = %s AND (expires_at IS NULL OR expires_at > this.now)
ORDER BY created_at, key COLLATE "C\""""

_TIMEOUT_S: Final = 10
_READS: Final = frozenset({"lookup", "entries"})


class PostgresStore:
    """One namespace: a connection, and the first two parts of the primary key."""

    def __init__(
        self, backend: PostgresBackend, plugin: str, namespace: str, default_ttl_ms: int | None
    ) -> None:
        self._backend = backend
        self._where = (plugin, namespace)
        self._default_ttl_ms = default_ttl_ms

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Upsert."""
        self._run("register", WRITE, self._row(key, value, ttl_ms))

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim: a row was written unless a live one is in the way."""
        won: bool = self._run("register", CLAIM, self._row(key, value, ttl_ms)).rowcount == 1
        return won

    def lookup(self, key: str) -> Json | Absent:
        """Read the live row."""
        found = self._run(
            "lookup", f"SELECT value FROM onewinner WHERE {_ROW} AND {_LIVE}", (*self._where, key)
        ).fetchone()
        return _value(found)

    def consume(self, key: str) -> Json | Absent:
        """Remove the live row and answer what it held."""
        removed = self._run(
            "consume",
            f"DELETE FROM onewinner WHERE {_ROW} AND {_LIVE} RETURNING value",
            (*self._where, key),
        ).fetchone()
        return _value(removed)

    def delete(self, key: str) -> bool:
        """Remove the live row."""
        text = f"DELETE FROM onewinner WHERE {_ROW} AND {_LIVE}"
        removed: bool = self._run("delete", text, (*self._where, key)).rowcount == 1
        return removed

    def entries(self) -> list[Entry]:
        """List the live rows of one snapshot."""
        return [Entry(*row) for row in self._run("entries", LIST, self._where).fetchall()]

    def clear(self) -> None:
        """Remove all rows of the namespace."""
        text = "DELETE FROM onewinner WHERE plugin = %s AND namespace = %s"
        self._run("clear", text, self._where)

    def _row(self, key: str, value: Json, ttl_ms: int | None) -> Sequence[Any]:
        from psycopg.types.json import Json as AsJson

        life = self._default_ttl_ms if ttl_ms is None else ttl_ms
        return (*self._where, key, AsJson(value), life, life)

    def _run(self, operation: str, text: str, values: Sequence[Any]) -> Any:
        with _as_store_errors(operation):
            return self._backend.connection().execute(text, values)


class PostgresBackend:
    """One connection, in which each statement is a transaction; a broken one is made anew."""

    capabilities = CAPABILITIES
    store: type[PostgresStore] = PostgresStore

    def __init__(self, location: str, *, clock: Clock) -> None:
        del clock
        _psycopg()
        address("postgres", "postgres", location)
        self._location = location
        self._connection = _connection(location)
        self._connection.execute(TABLE)

    def connection(self) -> Any:
        """Answer the connection; raises psycopg.Error where there is none to be had."""
        if self._connection.closed:
            self._connection = _psycopg().connect(
                self._location, autocommit=True, connect_timeout=_TIMEOUT_S
            )
        return self._connection

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open a namespace; `max_entries` is not declared and has no effect."""
        del max_entries
        return self.store(self, plugin_id, namespace, default_ttl_ms)

    def sweep_expired(self) -> int:
        """Remove all expired rows and answer how many."""
        with _as_store_errors("sweep_expired"):
            removed: int = (
                self.connection()
                .execute(f"DELETE FROM onewinner WHERE expires_at <= {NOW}")
                .rowcount
            )
        return removed

    def close(self) -> None:
        """Close the connection; the rows stay."""
        self._connection.close()


def connect(location: str, *, clock: Clock) -> Backend:
    """Connect to the server at `postgresql://USER@HOST:PORT/DATABASE`; the clock is its own.

    Raises ModuleNotFoundError where psycopg is not installed, TargetError where no server that can
    be used answers there.
    """
    return cast("Backend", PostgresBackend(location, clock=clock))


def _connection(location: str) -> Any:
    psycopg = _psycopg()
    try:
        made = psycopg.connect(location, autocommit=True, connect_timeout=_TIMEOUT_S)
    except psycopg.Error as error:
        raise unreachable("postgres", location, error) from error
    if made.info.server_version < OLDEST:
        found = f"PostgreSQL {made.info.server_version // 10_000}"
        made.close()
        raise too_old("postgres", location, found, "12 or newer, for MATERIALIZED")
    return made


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise ModuleNotFoundError(
            "psycopg is not installed; run: pip install 'onewinner[postgres]'"
        ) from error
    return psycopg


def _value(row: tuple[Any] | None) -> Json | Absent:
    if row is None:
        return ABSENT
    value: Json = row[0]
    return value


@contextmanager
def _as_store_errors(operation: str) -> Iterator[None]:
    """Turn what psycopg raises into the contract's errors.

    A `DataError` is PostgreSQL's word for a value that it cannot keep, such as a NUL in a text or
    a number out of range.
    """
    psycopg = _psycopg()
    try:
        yield
    except (UnicodeEncodeError, psycopg.DataError) as error:
        raise InvalidInput(
            operation=operation, message=f"PostgreSQL cannot keep it: {error}"
        ) from error
    except psycopg.Error as error:
        code = "READ_FAILED" if operation in _READS else "WRITE_FAILED"
        raise StoreError(
            code=code, operation=operation, message=f"{type(error).__name__}: {error}"
        ) from error
