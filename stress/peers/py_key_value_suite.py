"""py-key-value's own `BaseStoreTests`, from a checkout of it, run on a store with a claim.

Its interface has no claim: `put` is `register`, with its TTL, and a collection is a namespace,
named by a hash because collections may have any name. A row's expiry is what the store lists, so
that the suite sees the store's clock work and not the adapter's. PEERS_CLAIM names the store.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from broken_claims import CLAIMS
from key_value.aio._utils.managed_entry import ManagedEntry
from key_value.aio._utils.sanitization import AlwaysHashStrategy, HashExcessLengthStrategy
from key_value.aio.stores.base import BaseStore
from tests.stores.base import BaseStoreTests

from onewinner import ABSENT
from onewinner.contract import BASE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLAIM = CLAIMS[os.environ["PEERS_CLAIM"]]
ROWS = 500  # as its own tests of its MemoryStore have it
PROFILE = replace(BASE, max_value_bytes=1 << 24)


class ClaimStore(BaseStore):
    """A store of py-key-value on a store with a claim."""

    def __init__(self, location: str) -> None:
        self.backend = CLAIM.connect(location, profile=PROFILE)
        super().__init__(
            collection_sanitization_strategy=AlwaysHashStrategy(hash_length=32),
            key_sanitization_strategy=HashExcessLengthStrategy(max_length=240),
            stable_api=True,
        )

    def _rows(self, collection: str) -> Any:
        return self.backend.open("kv", self._sanitize_collection(collection), max_entries=ROWS)

    async def _get_managed_entry(self, *, collection: str, key: str) -> ManagedEntry | None:
        rows, name = self._rows(collection), self._sanitize_key(key)
        value = rows.lookup(name)
        if value is ABSENT:
            return None
        expiries = [entry.expires_at for entry in rows.entries() if entry.key == name]
        return ManagedEntry(value=value, expires_at=_moment(expiries[0]) if expiries else None)

    async def _put_managed_entry(
        self, *, collection: str, key: str, managed_entry: ManagedEntry
    ) -> None:
        self._serialization_adapter.dump_json(entry=managed_entry)  # refuses what is no JSON
        ttl_ms = None if managed_entry.ttl is None else max(1, round(managed_entry.ttl * 1000))
        rows, name = self._rows(collection), self._sanitize_key(key)
        rows.register(name, dict(managed_entry.value), ttl_ms=ttl_ms)

    async def _delete_managed_entry(self, *, key: str, collection: str) -> bool:
        return bool(self._rows(collection).delete(self._sanitize_key(key)))


def _moment(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, tz=UTC)


class TestStore(BaseStoreTests):
    """What py-key-value asks of a store."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[ClaimStore]:
        store = ClaimStore(str(tmp_path))
        yield store
        store.backend.close()
