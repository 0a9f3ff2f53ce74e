"""The adapters in the package, each against the real thing: what they hand on and declare."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import store_servers
from onewinner import ABSENT, Capabilities, InvalidInput, StoreError, SystemClock
from onewinner.adapters.servers import RECIPES
from onewinner.adapters.targets import BUILT_IN, SERVED_BY, TargetError, resolve
from onewinner.clock import sleep, wall_ns
from onewinner.runner.server import Server
from onewinner.suite.scratch import scratch_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Backend

BASE = {"register", "register_if_absent", "lookup", "delete"}
WHOLE = BASE | {"consume", "entries", "clear", "sweep_expired"}

# What each declares: operations, scope, durable, the unit of a TTL, virtual time, handles.
OFFERS: dict[str, tuple[set[str], str, bool, int | None, bool, str]] = {
    "cachelib-file": (BASE, "process", True, 1_000, False, "process"),
    "cachelib-redis": (BASE, "process", True, 1_000, False, "process"),
    "cachelib-simple": (BASE, "thread", False, 1_000, False, "process"),
    "django-database": (BASE, "process", True, 1_000, False, "thread"),
    "django-file": (BASE, "process", True, 1, False, "thread"),
    "django-locmem": (BASE, "thread", False, 1, False, "thread"),
    "django-memcached": (BASE, "process", False, 1_000, False, "thread"),
    "django-redis": (BASE, "process", True, 1_000, False, "thread"),
    "fakeredis": (BASE | {"consume"}, "thread", False, 1, False, "process"),
    "lmdb": (WHOLE, "process", True, 1, True, "process"),
    "memcached": (BASE, "process", False, 1_000, False, "thread"),
    "nats": (BASE | {"consume"}, "process", True, None, False, "process"),
    "postgres": (WHOLE, "process", True, 1, False, "thread"),
    "redis": (BASE | {"consume", "clear"}, "process", True, 1, False, "process"),
    "sqlalchemy": (WHOLE, "process", True, 1, True, "process"),
    "sqlalchemy-postgres": (WHOLE, "process", True, 1, False, "process"),
}
# Text that these keep, where others refuse it: they write keys as JSON, or never encode them.
KEEPS_SURROGATES = {"cachelib-simple", "django-locmem", "memcached"}
EXTRAS = {
    **dict.fromkeys(("cachelib-file", "cachelib-redis", "cachelib-simple"), "cachelib"),
    **dict.fromkeys([name for name in OFFERS if name.startswith("django")], "django"),
    "sqlalchemy-postgres": "sqlalchemy",
}
DRIVERS = {"postgres": "psycopg", "memcached": "pymemcache"}


@pytest.fixture(scope="module")
def at_hand() -> Iterator[store_servers.AtHand]:
    """The servers of this module's tests."""
    found = store_servers.AtHand()
    yield found
    found.close()


@pytest.fixture(params=OFFERS)
def name(request: pytest.FixtureRequest) -> str:
    """The name of a target."""
    found: str = request.param
    return found


@pytest.fixture
def location(name: str, tmp_path: Path, at_hand: store_servers.AtHand) -> str:
    """Where the target's data lies."""
    return at_hand.address(SERVED_BY[name]) if name in SERVED_BY else str(tmp_path)


@pytest.fixture
def backend(name: str, location: str) -> Iterator[Backend]:
    """A connection to the target."""
    made = resolve(name)(location, clock=SystemClock())
    yield made
    made.close()


@pytest.fixture
def plugin() -> str:
    """A plugin that nobody has used: servers keep what earlier tests left."""
    return f"p{os.getpid()}-{wall_ns():x}"


def test_every_adapter_is_tested_here() -> None:
    """No adapter of the package is left out, but that of diskcache, which has its own tests."""
    assert set(OFFERS) == set(BUILT_IN) - {"memory", "sqlite", "diskcache"}
    assert set(SERVED_BY.values()) == set(RECIPES)


def test_it_declares_what_the_store_has(name: str, backend: Backend) -> None:
    """Nothing is promised that the store does not promise; none limits rows."""
    operations, scope, durable, unit, virtual, handles = OFFERS[name]
    assert backend.capabilities == Capabilities(
        operations=frozenset(operations),
        scope=scope,  # type: ignore[arg-type] # a parameter, so any text
        durable=durable,
        ttl_unit_ms=unit,
        virtual_clock=virtual,
        handle_scope=handles,  # type: ignore[arg-type] # a parameter, so any text
        eviction=None,
        plugin_row_cap=None,
        validates_input=False,
    )


def test_the_operations_do_what_the_contract_says(name: str, backend: Backend, plugin: str) -> None:
    """Claim, upsert, read and removal answer in the contract's words."""
    store: Any = backend.open(plugin, "n", max_entries=9)
    assert store.register_if_absent("k", {"by": [1, None]}) is True
    assert store.register_if_absent("k", 2) is False
    assert store.lookup("k") == {"by": [1, None]}
    assert store.register("k", "again") is None
    assert store.lookup("k") == "again"
    # cachelib takes a file that is not there for one that it has deleted.
    assert [store.delete("k"), store.delete("k")] == [True, name == "cachelib-file"]
    assert store.lookup("k") is ABSENT
    assert store.register_if_absent("k", 3) is True


def test_what_else_is_declared_is_there(backend: Backend, plugin: str) -> None:
    """Consuming removes, a listing is in order, clearing spares the neighbours."""
    offered = backend.capabilities.operations
    store: Any = backend.open(plugin, "n", max_entries=9)
    other: Any = backend.open(plugin, "n2", max_entries=9)
    for key in "ba":
        store.register_if_absent(key, key)
    other.register_if_absent("a", 1)
    if "consume" in offered:
        assert (store.consume("a"), store.consume("a")) == ("a", ABSENT)
        assert store.register_if_absent("a", "a") is True
    if "entries" in offered:
        rows = store.entries()
        assert [(row.created_at, row.key) for row in rows] == sorted(
            (row.created_at, row.key) for row in rows
        )
        assert {row.key: (row.value, row.expires_at) for row in rows} == {
            "a": ("a", None),
            "b": ("b", None),
        }
    if "clear" in offered:
        store.clear()
        assert [store.lookup("a"), store.lookup("b"), other.lookup("a")] == [ABSENT, ABSENT, 1]


def test_namespaces_and_plugins_are_apart(backend: Backend, plugin: str) -> None:
    """Names that join to one text are two addresses."""
    names = ((f"{plugin}a", "b.c"), (f"{plugin}a.b", "c"), (f"{plugin}a", "b:c"), (plugin, "a:b"))
    stores = [backend.open(*where, max_entries=9) for where in names]
    assert [store.register_if_absent("k", 1) for store in stores] == [True] * 4
    assert [store.register_if_absent("c:k", 1) for store in stores] == [True] * 4


def test_a_life_ends(name: str, backend: Backend, plugin: str) -> None:
    """A short TTL ends, the default counts, and a longer one overrides it.

    Of cachelib's files the end is another: what has expired there is never claimed again.
    """
    unit = OFFERS[name][3]
    if unit is None:
        pytest.skip("n/a: rows of this store do not expire")
    plain: Any = backend.open(plugin, "plain", max_entries=9)
    brief: Any = backend.open(plugin, "brief", max_entries=9, default_ttl_ms=unit)
    plain.register("k", 1, ttl_ms=unit)
    brief.register_if_absent("k", 1)
    brief.register_if_absent("long", 1, ttl_ms=3_600_000)
    for store in (plain, brief):
        while store.lookup("k") is not ABSENT:
            sleep(0.01)
        assert store.register_if_absent("k", 2) is (name != "cachelib-file")
    assert brief.lookup("long") == 1


def test_rows_survive_closing(name: str, location: str, plugin: str) -> None:
    """A claim refuses another after the backend was closed, where the store keeps its rows."""
    if not OFFERS[name][2]:
        pytest.skip("n/a: this store keeps nothing")
    for expected in (True, False):
        backend = resolve(name)(location, clock=SystemClock())
        assert backend.open(plugin, "n", max_entries=9).register_if_absent("k", 1) is expected
        backend.close()


def test_text_that_is_not_kept_is_refused(name: str, backend: Backend, plugin: str) -> None:
    """A lone surrogate in a key is kept apart from others, or is INVALID_INPUT."""
    store = backend.open(plugin, "n", max_entries=9)
    if name in KEEPS_SURROGATES:
        assert [store.register_if_absent(key, 1) for key in ("\ud800", "\ud801")] == [True, True]
        return
    with pytest.raises(InvalidInput) as refused:
        store.register_if_absent("\ud800", 1)
    assert refused.value.operation == "register"


def test_a_missing_driver_says_how_to_get_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its driver an adapter names the command that installs it."""
    extra = EXTRAS.get(name, name)
    driver = DRIVERS.get(extra, extra)
    for module in [each for each in sys.modules if each.partition(".")[0] == driver]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'onewinner\[{extra}\]'"):
        resolve(name)(str(tmp_path), clock=SystemClock())


class TestServers:
    @pytest.fixture(params=SERVED_BY)
    def name(self, request: pytest.FixtureRequest) -> str:
        """The name of a client of a server."""
        found: str = request.param
        return found

    def test_nobody_at_an_address_is_said(self, name: str) -> None:
        """Where no server answers, the address, what happened and what to do are told."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # it does not listen
            nowhere = RECIPES[SERVED_BY[name]].url(taken.getsockname()[1])
            with pytest.raises(TargetError) as refused:
                resolve(name)(nowhere, clock=SystemClock())
        told = str(refused.value)
        assert told.startswith(f"target {name}: connecting to {nowhere} failed with ")
        assert "leave --location out, and one is started for the run" in told

    def test_what_is_no_address_is_said(self, name: str, tmp_path: Path) -> None:
        """A directory is no address of a server; what one looks like is told."""
        with pytest.raises(TargetError, match=f"target {name}: .* is no address of a "):
            resolve(name)(str(tmp_path), clock=SystemClock())

    def test_a_server_that_is_gone_is_an_error_of_the_store(self, name: str) -> None:
        """A claim that the server cannot answer raises WRITE_FAILED, and none answers false."""
        kind = SERVED_BY[name]
        if (lacking := RECIPES[kind].lacking()) is not None:
            pytest.skip(lacking)
        with scratch_directory() as home, Server(RECIPES[kind], Path(home) / "own") as server:
            backend = resolve(name)(server.url, clock=SystemClock())
            with closing(backend):
                store = backend.open("p", "n", max_entries=9)
                assert store.register_if_absent("k", 1) is True
                server.kill()
                with pytest.raises(StoreError) as failed:
                    store.register_if_absent("k2", 1)
                assert failed.value.code == "WRITE_FAILED"

    @pytest.mark.parametrize(
        ("module", "version", "said"),
        [
            ("redis", (99, 0), "is Redis .*, and the adapter needs 6.2 or newer"),
            ("postgres", 990_000, "is PostgreSQL .*, and the adapter needs 12 or newer"),
            ("nats", (99, 0), "is NATS .*, and the adapter needs 2.6 or newer"),
        ],
    )
    def test_an_old_server_is_said(
        self,
        module: str,
        version: Any,
        said: str,
        at_hand: store_servers.AtHand,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The version that was found, the one that is needed, and what to do."""
        monkeypatch.setattr(f"onewinner.adapters.{module}.OLDEST", version)
        with pytest.raises(TargetError, match=said):
            resolve(module)(at_hand.address(module), clock=SystemClock())
