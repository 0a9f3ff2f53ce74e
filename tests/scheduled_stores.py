"""Small stores for the tests of controlled schedules: each goes wrong in one way, or in none.

They are used on threads; what they lack they do not declare.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any, ClassVar

from onewinner.clock import sleep
from onewinner.contract import ABSENT, Capabilities, LimitExceeded

if TYPE_CHECKING:
    from onewinner.clock import Clock

ONLY_CLAIMS = Capabilities(
    scope="thread",
    durable=False,
    operations=frozenset({"register_if_absent", "lookup"}),
    ttl_unit_ms=None,
    eviction=None,
    plugin_row_cap=None,
    validates_input=False,
)


class Locked:
    """Right: a claim looks and writes under one lock."""

    def __init__(self, rows: dict[str, Any], lock: threading.Lock) -> None:
        self.rows = rows
        self.lock = lock

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        with self.lock:
            if key in self.rows:
                return False
            self.rows[key] = value
            return True

    def lookup(self, key: str) -> Any:
        return self.rows.get(key, ABSENT)


class Inline(Locked):
    """Two winners, but only between the opcodes of one line."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        return key not in self.rows and (self.rows.update({key: value}) or True)


class Unlocked(Locked):
    """Two winners, between two lines."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        if key in self.rows:
            return False
        self.rows[key] = value
        return True


class GivesWay(Locked):
    """No winner: who sees that there is another gives way, and so do both."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        bids = self.rows.setdefault(f"bids for {key}", [])
        bids.append(value)
        if len(bids) > 1:
            return False
        self.rows[key] = value
        return True


class Raises(Locked):
    """An error where the contract has none: who meets another is told of a lock."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        if self.lock.locked():
            raise RuntimeError("the database is locked")
        return super().register_if_absent(key, value)


class Loses(Locked):
    """A lost row: who lost the race takes the winner's row for what it left behind."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        vacant = key not in self.rows
        won = self.rows.setdefault(key, value) == value and vacant
        if vacant and not won:
            del self.rows[key]
        return won


class Refuses(Locked):
    """A wrong refusal: a limit is told where there is none."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        if self.lock.locked():
            raise LimitExceeded(operation="register", message="too many at once")
        return super().register_if_absent(key, value)


class Hangs(Locked):
    """A hang: whoever has to wait sleeps through its turn."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        if self.lock.locked():
            sleep(1_000)
        return super().register_if_absent(key, value)


class Spins(Locked):
    """Right: whoever has to wait looks again and again, and never sleeps."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        while not self.lock.acquire(blocking=False):
            pass
        try:
            if key in self.rows:
                return False
            self.rows[key] = value
            return True
        finally:
            self.lock.release()


class Dies(Locked):
    """Its process dies in the second claim."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        if key in self.rows:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().register_if_absent(key, value)


class Backend:
    """All connections of a process to one location share their rows."""

    capabilities = ONLY_CLAIMS
    store: ClassVar[type[Locked]] = Locked
    spaces: ClassVar[dict[tuple[str, ...], tuple[dict[str, Any], threading.Lock]]] = {}

    def __init__(self, location: str, *, clock: Clock) -> None:
        self.location = location

    def open(self, plugin_id: str, namespace: str, **_: Any) -> Locked:
        where = (type(self).__name__, self.location, plugin_id, namespace)
        return self.store(*self.spaces.setdefault(where, ({}, threading.Lock())))

    def close(self) -> None: ...


def _with(kind: type[Locked]) -> type[Backend]:
    return type(f"{kind.__name__}Backend", (Backend,), {"store": kind})


LockedBackend = _with(Locked)
InlineBackend = _with(Inline)
UnlockedBackend = _with(Unlocked)
GivesWayBackend = _with(GivesWay)
RaisesBackend = _with(Raises)
LosesBackend = _with(Loses)
RefusesBackend = _with(Refuses)
HangsBackend = _with(Hangs)
SpinsBackend = _with(Spins)
DiesBackend = _with(Dies)

# Right, and nowhere in code that counts as the store's: there is no point at which it can be held.
_WITHOUT_POINTS = compile(
    "class Pointless(Locked):\n"
    "    def register_if_absent(self, key, value, *, ttl_ms=None):\n"
    "        return self.rows.setdefault(key, value) == value\n"
    "    def lookup(self, key):\n"
    "        return self.rows.get(key, ABSENT)\n",
    "<frozen pointless>",
    "exec",
)
exec(_WITHOUT_POINTS)
PointlessBackend = _with(globals()["Pointless"])
