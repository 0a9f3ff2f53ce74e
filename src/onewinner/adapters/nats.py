"""The adapter for NATS: a JetStream key-value bucket, in which a claim is `create`.

`create` stores a key that has no revision, or whose last revision is a delete marker. Keys of NATS
are tokens of few characters, so plugin, namespace and key are written in base64. Removals name the
revision that they remove, and look again where another came in between. What is left undeclared:

* TTL: servers before 2.11 have none for a single key;
* `entries`, `clear`, `sweep_expired`: keys are watched one after the other, which is no snapshot;
* `max_entries` and the plugin's cap; virtual time.

The client is made for asyncio; a thread of its own runs its loop, and other threads share it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from onewinner.adapters.servers import address, too_old, unreachable
from onewinner.adapters.targets import TargetError
from onewinner.contract import ABSENT, Absent, Capabilities, InvalidInput, StoreError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from onewinner.clock import Clock
    from onewinner.contract import Backend, Json, Store

CAPABILITIES: Final = Capabilities(
    ttl_unit_ms=None, eviction=None, plugin_row_cap=None, validates_input=False
).without("entries", "clear", "sweep_expired")

BUCKET: Final = "onewinner"
OLDEST: Final = (2, 6)
"""The oldest server that can be used: it is the first with key-value buckets."""

_TIMEOUT_S: Final = 10.0
_Result = TypeVar("_Result")


class NatsStore:
    """One namespace: a bucket, and the first two tokens of its keys."""

    def __init__(self, backend: NatsBackend, plugin: str, namespace: str) -> None:
        self._backend = backend
        self._prefix = f"{_token(plugin)}.{_token(namespace)}"

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Upsert with `put`."""
        del ttl_ms
        with _as_store_errors("register"):
            name, body = self._name(key), json.dumps(value).encode()
            self._backend.run(self._backend.bucket.put(name, body))

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Claim with `create`, which raises where the key has a value."""
        del ttl_ms
        from nats.js.errors import KeyWrongLastSequenceError

        with _as_store_errors("register"):
            name, body = self._name(key), json.dumps(value).encode()
            try:
                self._backend.run(self._backend.bucket.create(name, body))
            except KeyWrongLastSequenceError:
                return False
        return True

    def lookup(self, key: str) -> Json | Absent:
        """Read with `get`."""
        with _as_store_errors("lookup"):
            found = self._get(self._name(key))
        return ABSENT if found is None else cast("Json", json.loads(found.value))

    def consume(self, key: str) -> Json | Absent:
        """Read with `get`, and remove that very revision."""
        with _as_store_errors("consume"):
            found = self._take(self._name(key))
        return ABSENT if found is None else cast("Json", json.loads(found.value))

    def delete(self, key: str) -> bool:
        """Remove the revision that is there."""
        with _as_store_errors("delete"):
            return self._take(self._name(key)) is not None

    def _get(self, name: str) -> Any:
        from nats.js.errors import KeyNotFoundError

        try:
            return self._backend.run(self._backend.bucket.get(name))
        except KeyNotFoundError:
            return None

    def _take(self, name: str) -> Any:
        from nats.js.errors import APIError

        while (found := self._get(name)) is not None:
            try:
                self._backend.run(self._backend.bucket.delete(name, last=found.revision))
            except APIError as error:
                if error.err_code != _WRONG_LAST_SEQUENCE:
                    raise
            else:
                return found
        return None

    def _name(self, key: str) -> str:
        return f"{self._prefix}.{_token(key)}"


_WRONG_LAST_SEQUENCE: Final = 10_071


class NatsBackend:
    """One client, and the thread that runs its loop."""

    capabilities = CAPABILITIES

    def __init__(self, location: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._client, self.bucket = self.run(_connected(location))
        except BaseException:
            self._end()
            raise

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Wait until the loop has done something; raises TimeoutError where it does not."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(2 * _TIMEOUT_S)

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Open a namespace; limits and TTL are not declared and have no effect."""
        del max_entries, default_ttl_ms
        with _as_store_errors("open"):
            return cast("Store", NatsStore(self, plugin_id, namespace))

    def close(self) -> None:
        """Close the connection; the rows stay."""
        with suppress(Exception):  # the server may be gone
            self.run(self._client.close())
        self._end()

    def _end(self) -> None:
        with suppress(Exception):
            self.run(_wound_up())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_TIMEOUT_S)
        self._loop.close()


def connect(location: str, *, clock: Clock) -> Backend:
    """Connect to the server at `nats://HOST:PORT`.

    Raises ModuleNotFoundError where nats-py is not installed, TargetError where no server that can
    be used answers there.
    """
    del clock
    try:
        import nats.errors
        import nats.js.errors
    except ImportError as error:
        raise ModuleNotFoundError(
            "nats-py is not installed; run: pip install 'onewinner[nats]'"
        ) from error
    where = address("nats", "nats", location)
    try:
        socket.create_connection(where, _TIMEOUT_S).close()  # the client would try for ever
        return cast("Backend", NatsBackend(location))
    except (nats.errors.Error, OSError) as error:
        raise unreachable("nats", location, error) from error


async def _connected(location: str) -> tuple[Any, Any]:
    import nats
    from nats.js.errors import BucketNotFoundError, ServiceUnavailableError

    client = await nats.connect(
        location, connect_timeout=_TIMEOUT_S, max_reconnect_attempts=-1, error_cb=_silent
    )
    version = client.connected_server_version
    if (version.major, version.minor) < OLDEST:
        await client.close()
        found = f"NATS {version.major}.{version.minor}"
        raise too_old("nats", location, found, "2.6 or newer, for buckets")
    stream = client.jetstream(timeout=_TIMEOUT_S)
    try:
        try:
            return client, await stream.key_value(BUCKET)
        except BucketNotFoundError:
            return client, await stream.create_key_value(bucket=BUCKET)
    except ServiceUnavailableError as error:
        await client.close()
        raise TargetError(
            f"target nats: the server at {location} has no JetStream; start it with `nats-server "
            f"-js`, or leave --location out, and one is started for the run"
        ) from error


async def _wound_up() -> None:
    """End what the client left running on the loop."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _silent(_: Exception) -> None:
    """Print nothing: whoever makes a call is told."""


def _token(text: str) -> str:
    return "t" + base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


@contextmanager
def _as_store_errors(operation: str) -> Iterator[None]:
    """Turn what nats-py raises into the contract's errors."""
    import nats.errors

    try:
        yield
    except UnicodeEncodeError as error:
        raise InvalidInput(operation=operation, message=f"keys are UTF-8: {error}") from error
    except (nats.errors.Error, OSError, TimeoutError) as error:
        code = "READ_FAILED" if operation == "lookup" else "WRITE_FAILED"
        raise StoreError(
            code=code, operation=operation, message=f"{type(error).__name__}: {error}"
        ) from error
