"""dogpile.cache's own mutex and backend tests, run on a store with a claim.

The mutex is a claim, and releasing it a delete; values are rows. The lease (`lock_timeout`, as in
dogpile's Redis backend) is given only where a defect needs a TTL, because with one the suite
asserts less. PEERS_CLAIM names the store, PEERS_HOME is its directory.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from typing import Any, ClassVar

from broken_claims import CLAIMS
from dogpile.cache import register_backend
from dogpile.cache.api import NO_VALUE, BytesBackend, CacheMutex
from dogpile.testing.fixtures import _GenericBackendTestSuite, _GenericMutexTestSuite

from onewinner import ABSENT
from onewinner.clock import sleep

CLAIM = CLAIMS[os.environ["PEERS_CLAIM"]]
HOME = os.environ["PEERS_HOME"]
LEASE_MS = 10_000
LOOK_S = 0.001


class ClaimMutex(CacheMutex):
    """A mutex that is held by whoever claimed its key."""

    def __init__(self, locks: Any, key: str, lease_ms: int | None) -> None:
        self.locks, self.key, self.lease_ms = locks, key, lease_ms

    def acquire(self, wait: bool = True) -> bool:
        while not self.locks.register_if_absent(self.key, "held", ttl_ms=self.lease_ms):
            if not wait:
                return False
            sleep(LOOK_S)
        return True

    def release(self) -> None:
        self.locks.delete(self.key)

    def locked(self) -> bool:
        return self.locks.lookup(self.key) is not ABSENT


class ClaimBackend(BytesBackend):
    """Rows of one namespace, and mutexes in another."""

    def __init__(self, arguments: Any) -> None:
        self.lease_ms = arguments.get("lease_ms")
        store = CLAIM.connect(arguments["location"])
        self.rows = store.open("dogpile", "rows", max_entries=500)
        self.locks = store.open("dogpile", "locks", max_entries=100)

    def has_lock_timeout(self) -> bool:
        return self.lease_ms is not None

    def get_mutex(self, key: str) -> ClaimMutex:
        return ClaimMutex(self.locks, key, self.lease_ms)

    def get_serialized(self, key: str) -> Any:
        text = self.rows.lookup(key)
        return NO_VALUE if text is ABSENT else b64decode(text)

    def get_serialized_multi(self, keys: Any) -> list[Any]:
        return [self.get_serialized(key) for key in keys]

    def set_serialized(self, key: str, value: bytes) -> None:
        self.rows.register(key, b64encode(value).decode())

    def set_serialized_multi(self, mapping: Any) -> None:
        for key, value in mapping.items():
            self.set_serialized(key, value)

    def delete(self, key: str) -> None:
        self.rows.delete(key)

    def delete_multi(self, keys: Any) -> None:
        for key in keys:
            self.delete(key)


register_backend("claims", __name__, "ClaimBackend")


class _Fixture:
    backend = "claims"
    config_args: ClassVar = {
        "arguments": {"location": HOME, "lease_ms": LEASE_MS if "ttl" in CLAIM.needs else None}
    }


class TestMutex(_Fixture, _GenericMutexTestSuite):
    """What dogpile asks of a mutex."""


class TestBackend(_Fixture, _GenericBackendTestSuite):
    """What dogpile asks of a backend."""
