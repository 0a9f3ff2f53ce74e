"""What only the store in SQLite does: files, processes, forks."""

from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from onewinner import ABSENT, Capabilities, LimitExceeded, ManualClock, StoreError, SystemClock
from onewinner.contract import NEWER
from onewinner.stores import sqlite_file
from onewinner.stores.sqlite import SqliteBackend, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Store

T0 = 1_000_000


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands still until a test moves it."""
    return ManualClock(T0)


@pytest.fixture
def backend(tmp_path: Path, clock: ManualClock) -> Iterator[SqliteBackend]:
    """A store in an empty directory."""
    made = SqliteBackend(str(tmp_path / "s"), clock=clock)
    yield made
    made.close()


@pytest.fixture
def store(backend: SqliteBackend) -> Store:
    """A namespace of that store."""
    return backend.open("p", "n", max_entries=100)


def modes(directory: Path) -> dict[str, str]:
    """Answer the modes of a directory and of what is in it."""
    found = {file.name: oct(file.stat().st_mode & 0o777) for file in directory.iterdir()}
    return {".": oct(directory.stat().st_mode & 0o777), **found}


def by_hand(backend: SqliteBackend, sql: str) -> list[Any]:
    """Run a statement on the file as another program would."""
    with closing(sqlite3.connect(backend.file.path, isolation_level=None)) as connection:
        return connection.execute(sql).fetchall()


class TestTheFile:
    def test_it_declares_what_it_is(self, tmp_path: Path, clock: ManualClock) -> None:
        """The store promises the whole contract, with the limits of its profile."""
        backend = connect(str(tmp_path), clock=clock, profile=NEWER)
        wanted = Capabilities(
            virtual_clock=True,
            plugin_row_cap=50_000,
            profile=NEWER,
            private_files=True,
            damage=True,
        )
        assert backend.capabilities == wanted
        backend.close()

    def test_nobody_else_can_read_it(self, backend: SqliteBackend, store: Store) -> None:
        """The directory has mode 0700; the file and its sidecars have 0600."""
        store.register("k", 1)
        sidecars = {f"state.sqlite{suffix}": "0o600" for suffix in ("", "-wal", "-shm")}
        assert modes(backend.file.path.parent) == {".": "0o700", **sidecars}

    def test_wide_modes_are_narrowed(self, tmp_path: Path, clock: ManualClock) -> None:
        """A store that was made readable for others is private again after the next open."""
        first = connect(str(tmp_path), clock=clock)
        for file in tmp_path.iterdir():
            file.chmod(0o644)
        tmp_path.chmod(0o755)
        second = connect(str(tmp_path), clock=clock)
        assert set(modes(tmp_path).values()) == {"0o700", "0o600"}
        first.close()
        second.close()

    def test_it_is_set_up_as_the_contract_says(self, backend: SqliteBackend) -> None:
        """WAL, `synchronous=NORMAL`, a busy timeout of 5,000 ms, and a schema version."""
        with backend.file.statement("lookup") as connection:
            pragmas = ("journal_mode", "synchronous", "busy_timeout", "user_version")
            found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
        assert found == ["wal", 1, 5000, 1]

    def test_rows_survive_closing(self, tmp_path: Path, clock: ManualClock) -> None:
        """What was stored is there, with its times, when the store is opened again."""
        first = connect(str(tmp_path), clock=clock)
        first.open("p", "n", max_entries=9).register("k", {"a": 1}, ttl_ms=5)
        first.close()
        second = connect(str(tmp_path), clock=clock)
        found = second.open("p", "n", max_entries=9).entries()
        assert [(e.key, e.value, e.created_at, e.expires_at) for e in found] == [
            ("k", {"a": 1}, T0, T0 + 5)
        ]
        second.close()

    def test_a_newer_schema_is_refused_and_left_alone(
        self, tmp_path: Path, clock: ManualClock
    ) -> None:
        """A file of a newer release gives SCHEMA_UNSUPPORTED, and its bytes stay what they were."""
        with closing(sqlite3.connect(tmp_path / "state.sqlite")) as connection:
            connection.execute("PRAGMA user_version = 2")
        before = (tmp_path / "state.sqlite").read_bytes()
        with pytest.raises(StoreError, match="schema version 2") as caught:
            connect(str(tmp_path), clock=clock)
        assert (caught.value.code, caught.value.operation) == ("SCHEMA_UNSUPPORTED", "open")
        assert (tmp_path / "state.sqlite").read_bytes() == before

    @pytest.mark.parametrize("obstacle", ["no database", "a directory", "a file above"])
    def test_what_cannot_be_opened(self, tmp_path: Path, clock: ManualClock, obstacle: str) -> None:
        """Whatever stands where the store should be gives OPEN_FAILED with the path."""
        if obstacle == "no database":
            (tmp_path / "state.sqlite").write_text("this is a text, not a database\n" * 99)
        elif obstacle == "a directory":
            (tmp_path / "state.sqlite").mkdir()
        else:
            (tmp_path / "above").write_text("")
        location = tmp_path / "above" if obstacle == "a file above" else tmp_path
        with pytest.raises(StoreError, match=r"state\.sqlite") as caught:
            connect(str(location), clock=clock)
        assert (caught.value.code, caught.value.operation) == ("OPEN_FAILED", "open")

    def test_an_old_sqlite_is_refused(
        self, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A SQLite without RETURNING gives SQLITE_UNAVAILABLE and not a syntax error later."""
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 9))
        with pytest.raises(StoreError) as caught:
            connect(str(tmp_path), clock=clock)
        assert caught.value.code == "SQLITE_UNAVAILABLE"


class TestDamage:
    @pytest.mark.parametrize("damaged", ["'{\"a\":'", "x'22ff22'", "''", "'[1] 2'"])
    def test_a_damaged_row_harms_no_other(
        self, backend: SqliteBackend, store: Store, damaged: str
    ) -> None:
        """Reads of a row whose JSON is damaged raise CORRUPT; other rows are read and written."""
        sibling = backend.open("p", "m", max_entries=9)
        for key in ("bad", "good"):
            store.register(key, 1)
        sibling.register("k", 1)
        by_hand(backend, f"UPDATE rows SET value = {damaged} WHERE key = 'bad'")
        for operation in (lambda: store.lookup("bad"), lambda: store.consume("bad"), store.entries):
            with pytest.raises(StoreError, match="'bad'") as caught:
                operation()
            assert caught.value.code == "CORRUPT"
        assert store.register_if_absent("bad", 2) is False
        assert store.lookup("good") == 1
        assert store.register_if_absent("new", 1) is True
        assert [e.key for e in sibling.entries()] == ["k"]
        store.register("bad", 3)
        assert [e.value for e in store.entries()] == [3, 1, 1]

    def test_a_damaged_row_can_be_deleted(self, backend: SqliteBackend, store: Store) -> None:
        """Delete mends a namespace that holds a damaged row."""
        store.register("bad", 1)
        by_hand(backend, "UPDATE rows SET value = '{'")
        assert store.delete("bad") is True
        assert store.entries() == []

    def test_sqlite_errors_become_store_errors(self, backend: SqliteBackend, store: Store) -> None:
        """A database that lost its table gives READ_FAILED and WRITE_FAILED with the operation."""
        by_hand(backend, "DROP TABLE rows")
        calls = {
            ("READ_FAILED", "lookup"): lambda: store.lookup("k"),
            ("READ_FAILED", "entries"): store.entries,
            ("WRITE_FAILED", "register"): lambda: store.register_if_absent("k", 1),
            ("WRITE_FAILED", "consume"): lambda: store.consume("k"),
            ("WRITE_FAILED", "sweep_expired"): backend.sweep_expired,
        }
        for wanted, call in calls.items():
            with pytest.raises(StoreError) as caught:
                call()
            assert (caught.value.code, caught.value.operation) == wanted


class TestTransactions:
    def test_a_connection_that_can_only_read_is_replaced(
        self, backend: SqliteBackend, store: Store
    ) -> None:
        """SQLite opens for reading what it cannot open for writing; the next claim is served."""
        reading = sqlite3.connect(
            f"file:{backend.file.path}?mode=ro", uri=True, isolation_level=None
        )
        backend.file.close()
        backend.file._closed = False
        backend.file._connection = reading
        assert store.register_if_absent("k", 1)
        assert store.register_if_absent("k", 2) is False
        assert backend.file._connection is not reading

    def test_a_refusal_leaves_none_open(self, backend: SqliteBackend, store: Store) -> None:
        """After a refusal inside a transaction the write lock is free for others at once."""
        limited = connect(str(backend.file.path.parent), clock=backend.clock)
        wide = limited.open("p", "w", max_entries=9_999)
        for number in range(1_000):
            wide.register(f"k{number}", number)
        for refused in (
            lambda: wide.register("new", 1),
            lambda: wide.register_if_absent("new", 1),
            lambda: wide.register("k0", 1, ttl_ms=2**53),
        ):
            with pytest.raises((LimitExceeded, StoreError)):
                refused()
            with closing(sqlite3.connect(backend.file.path, timeout=0)) as other:
                other.execute("BEGIN IMMEDIATE")
        assert wide.register_if_absent("k0", 1) is False
        assert store.lookup("new") is ABSENT
        limited.close()

    def test_the_clock_is_read_after_the_wait(
        self, backend: SqliteBackend, store: Store, clock: ManualClock
    ) -> None:
        """A claim that waits for the write lock starts its TTL when it has the lock."""
        holder = sqlite3.connect(backend.file.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        waiting = threading.Event()
        real = backend.file.transaction

        def transaction(*arguments: Any) -> Any:
            waiting.set()
            return real(*arguments)

        backend.file.transaction = transaction  # type: ignore[method-assign]
        claimant = threading.Thread(
            target=store.register_if_absent, args=("k", 1), kwargs={"ttl_ms": 5}
        )
        claimant.start()
        waiting.wait()
        clock.advance(100)
        holder.execute("COMMIT")
        holder.close()
        claimant.join()
        assert [(e.created_at, e.expires_at) for e in store.entries()] == [(T0 + 100, T0 + 105)]

    def test_a_lock_that_is_never_freed(
        self, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A writer who waited in vain gets WRITE_FAILED; readers do not wait for writers."""
        monkeypatch.setattr(sqlite_file.SqliteFile, "busy_timeout_s", 0.05)
        backend = SqliteBackend(str(tmp_path), clock=clock)
        store = backend.open("p", "n", max_entries=9)
        store.register("k", 1)
        with closing(sqlite3.connect(backend.file.path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked") as caught:
                store.register_if_absent("new", 1)
            assert caught.value.code == "WRITE_FAILED"
            assert store.lookup("k") == 1
        assert store.register_if_absent("new", 1) is True
        backend.close()

    def test_opening_is_tried_again_while_others_set_up(
        self, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """BUSY during set-up is no error: the handle opens once the other one is done."""
        real, failures = sqlite_file.migrate, [1, 2, 3]

        def migrate(connection: sqlite3.Connection) -> None:
            if failures:
                failures.pop()
                connection.execute("BEGIN")
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error
            real(connection)

        monkeypatch.setattr(sqlite_file, "migrate", migrate)
        backend = connect(str(tmp_path), clock=clock)
        assert backend.open("p", "n", max_entries=9).register_if_absent("k", 1) is True
        backend.close()


def race_to_open(root: str, rounds: int, number: int) -> list[str]:
    """Open fresh directories together with other processes, and claim one key in each."""
    failures = []
    for turn in range(rounds):
        _BARRIER.wait(60)
        try:
            backend = connect(f"{root}/{turn}", clock=SystemClock())
            backend.open("p", "n", max_entries=9).register(f"k{number}", number)
            backend.close()
        except StoreError as error:
            failures.append(str(error))
    return failures


def meet(barrier: Any) -> None:
    """Give a worker the barrier at which all of them meet."""
    globals()["_BARRIER"] = barrier


_BARRIER: Any = None


def run_script(script: str, tmp_path: Path) -> str:
    """Run a script in a process of its own, which may fork, and answer what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestProcesses:
    def test_first_opens_that_race_all_succeed(self, tmp_path: Path) -> None:
        """Processes that create one store together all open it, and all write to the same one."""
        workers, rounds = 4, 12
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(workers)
        with context.Pool(workers, initializer=meet, initargs=(barrier,)) as pool:
            calls = [(str(tmp_path), rounds, number) for number in range(workers)]
            failures = pool.starmap(race_to_open, calls, chunksize=1)
            pool.close()
            pool.join()
        assert failures == [[]] * workers
        for turn in range(rounds):
            with closing(connect(str(tmp_path / str(turn)), clock=SystemClock())) as backend:
                found = backend.open("p", "n", max_entries=9).entries()
            assert sorted(entry.key for entry in found) == [f"k{n}" for n in range(workers)]

    def test_a_child_has_a_connection_of_its_own(self, tmp_path: Path) -> None:
        """Both sides of a fork go on, and no write of the child is lost when the parent closes.

        A child that opened its own connection beside the inherited one would believe that it holds
        the parent's file locks; the parent would then remove the log that the child writes to.
        """
        printed = run_script(
            """
            import os, sys
            from onewinner import SystemClock
            from onewinner.stores.sqlite import connect

            backend = connect(sys.argv[1], clock=SystemClock())
            store = backend.open("p", "n", max_entries=9)
            store.register("parent", 1)
            ready, go, done = os.pipe(), os.pipe(), os.pipe()
            if os.fork() == 0:
                won = store.register_if_absent("child", 1)
                os.write(ready[1], b"x")
                os.read(go[0], 1)
                again = store.register_if_absent("late", 1)
                os.write(done[1], b"x")
                os.read(go[0], 1)
                os._exit(0 if won and again and not store.register_if_absent("parent", 2) else 1)
            os.read(ready[0], 1)
            backend.close()
            os.write(go[1], b"x")
            os.read(done[0], 1)
            third = connect(sys.argv[1], clock=SystemClock())
            print(sorted(e.key for e in third.open("p", "n", max_entries=9).entries()))
            os.write(go[1], b"x")
            assert os.wait()[1] == 0
            third.close()
            """,
            tmp_path,
        )
        assert printed == "['child', 'late', 'parent']\n"

    def test_a_fork_may_come_at_any_time(self, tmp_path: Path) -> None:
        """A child that was forked while other threads were inside the store is not stuck."""
        printed = run_script(
            """
            import os, sys, threading, warnings
            from onewinner import SystemClock
            from onewinner.stores.sqlite import connect

            warnings.simplefilter("ignore", DeprecationWarning)
            backend = connect(sys.argv[1], clock=SystemClock())
            store = backend.open("p", "n", max_entries=500)
            stop, claims = threading.Event(), []

            def claim():
                while not stop.is_set():
                    claims.append(store.register_if_absent(f"t{len(claims)}", 1))

            thread = threading.Thread(target=claim)
            thread.start()
            for number in range(15):
                if os.fork() == 0:
                    os._exit(0 if store.register_if_absent(f"child{number}", 1) else 1)
            codes = {os.wait()[1] for _ in range(15)}
            stop.set()
            thread.join()
            backend.close()
            print(codes, all(claims))
            """,
            tmp_path,
        )
        assert printed == "{0} True\n"

    def test_a_killed_claimant_leaves_its_win(self, tmp_path: Path) -> None:
        """A claim that answered true is there after the claimant was killed in the next moment."""
        run_script(
            """
            import os, signal, sys
            from onewinner import SystemClock
            from onewinner.stores.sqlite import connect

            if os.fork() == 0:
                store = connect(sys.argv[1], clock=SystemClock()).open("p", "n", max_entries=9)
                if store.register_if_absent("k", "winner"):
                    os.kill(os.getpid(), signal.SIGKILL)
            assert os.waitstatus_to_exitcode(os.wait()[1]) == -signal.SIGKILL
            """,
            tmp_path,
        )
        with closing(connect(str(tmp_path), clock=SystemClock())) as backend:
            store = backend.open("p", "n", max_entries=9)
            assert store.register_if_absent("k", "late") is False
            assert store.lookup("k") == "winner"


def test_descriptors_do_not_pile_up(tmp_path: Path, clock: ManualClock) -> None:
    """A closed handle leaves no file open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        backend = connect(str(tmp_path), clock=clock)
        backend.open("p", "n", max_entries=9).register("k", 1)
        backend.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
