"""The adapter for SQLAlchemy: claims in a table, in nothing but Core, for any database it knows.

A claim is one transaction: an `UPDATE` of the row if it has expired, else an `INSERT` that the
primary key lets through once; `IntegrityError` is a claim that was lost. The time is the client's,
read inside the transaction. On SQLite a transaction takes the write lock when it begins
(`BEGIN IMMEDIATE`), by the two events of SQLAlchemy's documentation. What is left undeclared:
`max_entries` and the plugin's cap, which the table has not.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from onewinner.adapters.servers import address, unreachable
from onewinner.contract import ABSENT, Absent, Capabilities, Entry, InvalidInput, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.clock import Clock
    from onewinner.contract import Backend, Json, Store

CAPABILITIES: Final = Capabilities(
    virtual_clock=True, eviction=None, plugin_row_cap=None, validates_input=False
)
_READS: Final = frozenset({"lookup", "entries"})


class SqlalchemyStore:
    """One namespace: an engine, and the first two parts of the primary key."""

    def __init__(
        self, backend: SqlalchemyBackend, plugin: str, namespace: str, default_ttl_ms: int | None
    ) -> None:
        self._backend = backend
        self._table = backend.table
        self._of_space = (backend.table.c.plugin == plugin) & (
            backend.table.c.namespace == namespace
        )
        self._where = {"plugin": plugin, "namespace": namespace}
        self._default_ttl_ms = default_ttl_ms

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Upsert: `UPDATE`, and `INSERT` where there was nothing to update."""
        for _ in range(2):  # whoever inserts in between leaves a row to update
            try:
                with self._transaction("register") as (connection, now):
                    row = self._row(value, ttl_ms, now)
                    changed = connection.execute(
                        self._table.update().where(self._is(key)).values(row)
                    )
                    if not changed.rowcount:
                        connection.execute(self._table.insert().values(self._new(key, row)))
            except _Taken:
                continue
            return
        raise StoreError(code="WRITE_FAILED", operation="register", message="rows come and go")

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim: take an expired row, or insert one."""
        try:
            with self._transaction("register") as (connection, now):
                row = self._row(value, ttl_ms, now)
                over = self._is(key) & (self._table.c.expires_at <= now)
                taken = connection.execute(self._table.update().where(over).values(row))
                if not taken.rowcount:
                    connection.execute(self._table.insert().values(self._new(key, row)))
        except _Taken:
            return False
        return True

    def lookup(self, key: str) -> Json | Absent:
        """Read the live row."""
        with self._transaction("lookup") as (connection, now):
            found: Json | Absent = self._read(connection, key, now)
        return found

    def consume(self, key: str) -> Json | Absent:
        """Read the live row for update, and remove it."""
        with self._transaction("consume") as (connection, now):
            found: Json | Absent = self._read(connection, key, now, for_update=True)
            if found is not ABSENT:
                connection.execute(self._table.delete().where(self._is(key)))
        return found

    def delete(self, key: str) -> bool:
        """Remove the live row."""
        with self._transaction("delete") as (connection, now):
            gone = connection.execute(self._table.delete().where(self._is(key) & self._live(now)))
        return cast("int", gone.rowcount) == 1

    def entries(self) -> list[Entry]:
        """List the live rows."""
        table = self._table
        with self._transaction("entries") as (connection, now):
            columns = (table.c.key, table.c.value, table.c.created_at, table.c.expires_at)
            wanted = table.select().with_only_columns(*columns)
            rows = connection.execute(wanted.where(self._of_space & self._live(now))).all()
        return sorted((Entry(*row) for row in rows), key=lambda row: (row.created_at, row.key))

    def clear(self) -> None:
        """Remove all rows of the namespace."""
        with self._transaction("clear") as (connection, _):
            connection.execute(self._table.delete().where(self._of_space))

    def _read(self, connection: Any, key: str, now: int, *, for_update: bool = False) -> Any:
        text = self._table.select().where(self._is(key) & self._live(now))
        found = connection.execute(text.with_for_update() if for_update else text).first()
        return ABSENT if found is None else found.value

    def _is(self, key: str) -> Any:
        return self._of_space & (self._table.c.key == key)

    def _live(self, now: int) -> Any:
        return self._table.c.expires_at.is_(None) | (self._table.c.expires_at > now)

    def _row(self, value: Json, ttl_ms: int | None, now: int) -> dict[str, Any]:
        life = self._default_ttl_ms if ttl_ms is None else ttl_ms
        expires_at = None if life is None else now + life
        return {"value": value, "created_at": now, "expires_at": expires_at}

    def _new(self, key: str, row: dict[str, Any]) -> dict[str, Any]:
        return {**self._where, "key": key, **row}

    def _transaction(self, operation: str) -> Any:
        return self._backend.transaction(operation)


class SqlalchemyBackend:
    """One engine, with its pool of connections; threads may share it."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._clock = clock
        self._engine = _engine(url)
        self.table = _table()
        self.capabilities = CAPABILITIES
        if self._engine.dialect.name != "sqlite":  # elsewhere it waits for a row after it looked
            self.capabilities = replace(CAPABILITIES, virtual_clock=False)
        self.table.metadata.create_all(self._engine)

    @contextmanager
    def transaction(self, operation: str) -> Iterator[tuple[Any, int]]:
        """Begin a transaction and answer its connection, and the time in milliseconds."""
        with _as_store_errors(operation), self._engine.begin() as connection:
            yield connection, self._clock.now_ms()

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open a namespace; `max_entries` is not declared and has no effect."""
        del max_entries
        return SqlalchemyStore(self, plugin_id, namespace, default_ttl_ms)

    def sweep_expired(self) -> int:
        """Remove all expired rows and answer how many."""
        with self.transaction("sweep_expired") as (connection, now):
            gone = connection.execute(self.table.delete().where(self.table.c.expires_at <= now))
        return cast("int", gone.rowcount)

    def close(self) -> None:
        """Close the connections; the rows stay."""
        self._engine.dispose()


class _Taken(Exception):  # noqa: N818 - an answer, on its way out of a transaction
    """The key is held by a row that has not expired."""


def connect(location: str, *, clock: Clock) -> Backend:
    """Connect to a database: `location` is a URL, or a directory in which SQLite makes one.

    Raises ModuleNotFoundError where SQLAlchemy is not installed, TargetError where the database
    cannot be reached.
    """
    url = location if "://" in location else f"sqlite:///{Path(location) / 'claims.sqlite3'}"
    return _connected("sqlalchemy", location, url, clock)


def connect_postgres(location: str, *, clock: Clock) -> Backend:
    """Connect to PostgreSQL at `postgresql://USER@HOST:PORT/DATABASE`, by psycopg.

    Raises as `connect` does.
    """
    _sqlalchemy()
    address("sqlalchemy-postgres", "postgres", location)
    url = location.replace("postgresql://", "postgresql+psycopg://", 1)
    return _connected("sqlalchemy-postgres", location, url, clock)


def _connected(target: str, location: str, url: str, clock: Clock) -> Backend:
    _sqlalchemy()
    try:
        return SqlalchemyBackend(url, clock)
    except ImportError as error:
        raise ModuleNotFoundError(
            f"{error}: install the driver of that database, as in pip install 'onewinner[postgres]'"
        ) from error
    except Exception as error:
        raise unreachable(target, location, error) from error


def _engine(url: str) -> Any:
    """Answer an engine; on SQLite its transactions begin with the write lock."""
    sqlalchemy = _sqlalchemy()
    engine = sqlalchemy.create_engine(url)
    if engine.dialect.name == "sqlite":
        sqlalchemy.event.listen(engine, "connect", _leave_transactions_alone)
        sqlalchemy.event.listen(engine, "begin", _lock)
    return engine


def _leave_transactions_alone(connection: Any, _: Any) -> None:
    connection.isolation_level = None


def _lock(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _table() -> Any:
    sa = _sqlalchemy()
    return sa.Table(
        "onewinner_claims",
        sa.MetaData(),
        sa.Column("plugin", sa.String(255), primary_key=True),
        sa.Column("namespace", sa.String(128), primary_key=True),
        sa.Column("key", sa.String(512), primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
    )


def _sqlalchemy() -> Any:
    try:
        import sqlalchemy
    except ImportError as error:
        raise ModuleNotFoundError(
            "sqlalchemy is not installed; run: pip install 'onewinner[sqlalchemy]'"
        ) from error
    return sqlalchemy


@contextmanager
def _as_store_errors(operation: str) -> Iterator[None]:
    """Turn what SQLAlchemy raises into the contract's errors."""
    exc = _sqlalchemy().exc
    try:
        yield
    except exc.IntegrityError as error:
        raise _Taken from error
    except (exc.DataError, UnicodeEncodeError, OverflowError) as error:
        raise InvalidInput(
            operation=operation, message=f"the database cannot keep it: {error}"
        ) from error
    except exc.SQLAlchemyError as error:
        code = "READ_FAILED" if operation in _READS else "WRITE_FAILED"
        raise StoreError(
            code=code, operation=operation, message=f"{type(error).__name__}: {error}"
        ) from error
