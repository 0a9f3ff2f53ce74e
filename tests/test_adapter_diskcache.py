"""The adapter for diskcache: what it hands on and what it declares."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import diskcache
import pytest

from onewinner import ABSENT, Capabilities, InvalidInput, StoreError, SystemClock
from onewinner.adapters.diskcache import connect
from onewinner.clock import sleep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from onewinner.contract import Backend


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    """The caches of an empty directory."""
    made = connect(str(tmp_path), clock=SystemClock())
    yield made
    made.close()


def test_it_declares_what_diskcache_has(backend: Backend) -> None:
    """Nothing is promised that diskcache does not promise: no listing, no limits on items."""
    assert backend.capabilities == Capabilities(
        operations=frozenset({"register", "register_if_absent", "lookup", "consume", "delete"}),
        eviction=None,
        plugin_row_cap=None,
        validates_input=False,
    )


def test_the_operations_do_what_the_contract_says(backend: Backend) -> None:
    """Claim, upsert, readers and removers answer in the contract's words."""
    store = backend.open("p", "n", max_entries=9)
    assert store.register_if_absent("k", {"by": [1, None]}) is True
    assert store.register_if_absent("k", 2) is False
    assert store.lookup("k") == {"by": [1, None]}
    assert store.register("k", None) is None
    assert store.lookup("k") is None
    assert store.consume("k") is None
    assert store.consume("k") is ABSENT
    assert store.lookup("k") is ABSENT
    store.register("k", 1)
    assert [store.delete("k"), store.delete("k")] == [True, False]


def test_namespaces_and_plugins_are_apart(backend: Backend) -> None:
    """Names that join to one text are two addresses."""
    stores = [backend.open(p, n, max_entries=9) for p, n in (("a", "b.c"), ("a.b", "c"), ("", "."))]
    assert [store.register_if_absent("k", 1) for store in stores] == [True, True, True]


def test_ttls_are_milliseconds(backend: Backend) -> None:
    """A TTL ends, the namespace's default counts, and an explicit TTL overrides it."""
    plain = backend.open("p", "plain", max_entries=9)
    brief = backend.open("p", "brief", max_entries=9, default_ttl_ms=1)
    plain.register("k", 1, ttl_ms=1)
    brief.register("k", 1)
    brief.register_if_absent("c", 1)
    brief.register("long", 1, ttl_ms=3_600_000)
    brief.register_if_absent("long2", 1, ttl_ms=3_600_000)
    clock = SystemClock()
    end = clock.now_ms() + 5
    while clock.now_ms() < end:
        sleep(0.001)
    assert [plain.lookup("k"), brief.lookup("k"), brief.lookup("c")] == [ABSENT] * 3
    assert [brief.lookup("long"), brief.lookup("long2")] == [1, 1]
    assert plain.register_if_absent("k", 2) is True


def test_items_survive_closing(tmp_path: Path) -> None:
    """What was stored is there for the next handle."""
    for expected in (True, False):
        backend = connect(str(tmp_path), clock=SystemClock())
        assert backend.open("p", "n", max_entries=9).register_if_absent("k", 1) is expected
        backend.close()


def test_errors_are_the_contracts(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that SQLite cannot keep is INVALID_INPUT, a lock that stays is a failed write."""
    store = backend.open("p", "n", max_entries=9)
    with pytest.raises(InvalidInput) as refused:
        store.register_if_absent("\ud800", 1)
    assert refused.value.operation == "register"

    def locked(*_: object, **__: object) -> None:
        raise diskcache.Timeout

    monkeypatch.setattr(diskcache.Cache, "add", locked)
    monkeypatch.setattr(diskcache.Cache, "get", locked)
    with pytest.raises(StoreError, match="WRITE_FAILED in register"):
        store.register_if_absent("k", 1)
    with pytest.raises(StoreError, match="READ_FAILED in lookup"):
        store.lookup("k")


def test_a_missing_diskcache_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without diskcache the adapter names the command that installs it."""
    monkeypatch.setitem(sys.modules, "diskcache", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'onewinner\[diskcache\]'"):
        connect(str(tmp_path), clock=SystemClock())
