"""zarr's own store tests and state machine, run on a store with a claim.

Keys are keys of one namespace, `set_if_not_exists` is a claim whose answer is dropped, and what the
suite wants past the store's methods goes through a correct handle on the same rows. As in zarr's
own LocalStore, each call goes to a thread. PEERS_CLAIM names the store.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import pytest
from broken_claims import CLAIMS
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from zarr.abc.store import Store
from zarr.core.buffer import Buffer, cpu
from zarr.core.sync import sync
from zarr.storage._utils import _normalize_byte_range_index
from zarr.testing.stateful import ZarrStoreStateMachine
from zarr.testing.store import StoreTests

from onewinner import ABSENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

CLAIM = CLAIMS[os.environ["PEERS_CLAIM"]]
EXAMPLES = 50
ROWS = 1000


def opened(backend: Any) -> Any:
    """Answer the namespace that all handles of a location use."""
    return backend.open("zarr", "store", max_entries=ROWS)


class ClaimStore(Store):
    """A Zarr store on a store with a claim."""

    supports_writes = True
    supports_deletes = True
    supports_listing = True

    def __init__(self, location: str, *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        self.location = location
        self.rows = opened(CLAIM.connect(location))

    def __reduce__(self) -> Any:
        return _reopened, (self.location, self.read_only)

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, ClaimStore) and self.location == other.location
        return same and self.read_only == other.read_only

    __hash__ = None  # type: ignore[assignment]

    def with_read_only(self, read_only: bool = False) -> ClaimStore:
        return ClaimStore(self.location, read_only=read_only)

    async def _ready(self) -> None:
        if not self._is_open:
            await self._open()

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Buffer | None:
        await self._ready()
        text = await asyncio.to_thread(self.rows.lookup, key)
        if text is ABSENT:
            return None
        value = prototype.buffer.from_bytes(b64decode(text))
        start, stop = _normalize_byte_range_index(value, byte_range)
        return value[start:stop]

    async def get_partial_values(self, prototype: Any, key_ranges: Any) -> list[Buffer | None]:
        return [await self.get(key, prototype, wanted) for key, wanted in key_ranges]

    async def exists(self, key: str) -> bool:
        await self._ready()
        return await asyncio.to_thread(self.rows.lookup, key) is not ABSENT

    async def set(self, key: str, value: Buffer) -> None:
        await self._write(self.rows.register, key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        await self._write(self.rows.register_if_absent, key, value)

    async def _write(self, write: Any, key: str, value: Buffer) -> None:
        self._check_writable()
        await self._ready()
        await asyncio.to_thread(write, key, as_text(value))

    async def delete(self, key: str) -> None:
        self._check_writable()
        await self._ready()
        await asyncio.to_thread(self.rows.delete, key)

    async def clear(self) -> None:
        self._check_writable()
        await self._ready()
        await asyncio.to_thread(self.rows.clear)

    async def list(self) -> AsyncIterator[str]:
        await self._ready()
        for entry in await asyncio.to_thread(self.rows.entries):
            yield entry.key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        async for key in self.list():
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        folder = prefix.rstrip("/")
        start = f"{folder}/" if folder else ""
        seen: dict[str, None] = {}
        async for key in self.list_prefix(start):
            seen[key.removeprefix(start).split("/")[0]] = None
        for name in seen:
            yield name


def _reopened(location: str, read_only: bool) -> ClaimStore:
    return ClaimStore(location, read_only=read_only)


def as_text(value: Buffer) -> str:
    """Answer bytes as a JSON value."""
    return b64encode(value.to_bytes()).decode()


class TestStore(StoreTests[ClaimStore, cpu.Buffer]):
    """What zarr asks of a store."""

    store_cls = ClaimStore
    buffer_cls = cpu.Buffer

    @pytest.fixture
    def store_kwargs(self, tmp_path: Path) -> Iterator[dict[str, Any]]:
        backend = CLAIM.beside(tmp_path)
        self.beside = opened(backend)
        yield {"location": str(tmp_path)}
        backend.close()

    async def set(self, store: ClaimStore, key: str, value: Buffer) -> None:
        self.beside.register(key, as_text(value))

    async def get(self, store: ClaimStore, key: str) -> Buffer:
        return self.buffer_cls.from_bytes(b64decode(self.beside.lookup(key)))

    def test_store_repr(self, store: ClaimStore) -> None:
        assert "ClaimStore" in repr(store)

    def test_store_supports_writes(self, store: ClaimStore) -> None:
        assert store.supports_writes

    def test_store_supports_listing(self, store: ClaimStore) -> None:
        assert store.supports_listing


def test_state_machine(tmp_path: Path) -> None:
    """What zarr's state machine asks of a store."""
    store = sync(ClaimStore.open(str(tmp_path)))
    run_state_machine_as_test(
        lambda: ZarrStoreStateMachine(store),
        settings=settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
