"""The adapter for fakeredis: Redis in memory, in Python, for the threads of one process.

It is the adapter for Redis with another client. Nothing is shared between processes, and what
lies at a location is gone when the process is, so neither is declared.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, cast

from onewinner.adapters.redis import CAPABILITIES as OF_REDIS
from onewinner.adapters.redis import RedisBackend

if TYPE_CHECKING:
    from onewinner.clock import Clock
    from onewinner.contract import Backend

CAPABILITIES: Final = dataclasses.replace(OF_REDIS, scope="thread", durable=False).without("clear")
"""Without `clear`, whose script takes a Lua interpreter that fakeredis does not bring."""

_SERVERS: Final[dict[str, Any]] = {}


class FakeredisBackend(RedisBackend):
    """A client of the server in memory that belongs to a location."""

    capabilities = CAPABILITIES

    def __init__(self, location: str, *, clock: Clock) -> None:
        del clock
        import fakeredis

        server = _SERVERS.setdefault(location, fakeredis.FakeServer())
        self._client = fakeredis.FakeRedis(server=server)


def connect(location: str, *, clock: Clock) -> Backend:
    """Connect to the fake server of a location; the clock is the machine's own.

    Raises ModuleNotFoundError where fakeredis is not installed.
    """
    try:
        return cast("Backend", FakeredisBackend(location, clock=clock))
    except ImportError as error:
        raise ModuleNotFoundError(
            "fakeredis is not installed; run: pip install 'onewinner[fakeredis]'"
        ) from error
