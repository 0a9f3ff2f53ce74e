"""Stores that show no statement and no line of their own, as one that is written in C shows none.

Code that is compiled under a name like `<frozen ...>` counts as the interpreter's, so no line of it
is a point; what these do is to be seen in their system calls only.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from onewinner.contract import ABSENT, Capabilities

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.clock import Clock

CAPABILITIES = Capabilities(
    operations=frozenset({"register_if_absent", "lookup"}),
    ttl_unit_ms=None,
    eviction=None,
    plugin_row_cap=None,
    validates_input=False,
)

SOURCE = """
def racy_claim(self, key, value, *, ttl_ms=None):
    path = self.home / key
    if path.exists():
        return False
    path.write_text(json.dumps(value))
    return True

def good_claim(self, key, value, *, ttl_ms=None):
    whole = self.home / f"{key}.{os.getpid()}"
    whole.write_text(json.dumps(value))
    try:
        os.link(whole, self.home / key)
    except FileExistsError:
        return False
    finally:
        whole.unlink()
    return True

def threaded_claim(self, key, value, *, ttl_ms=None):
    return self.workers.submit(racy_claim, self, key, value).result()

def doomed_claim(self, key, value, *, ttl_ms=None):
    if key == "die":
        os.kill(os.getpid(), 9)
    while key == "hang":
        os.read(self.silence, 1)
    return good_claim(self, key, value)

def lookup(self, key):
    try:
        return json.loads((self.home / key).read_text())
    except FileNotFoundError:
        return ABSENT

def open_space(self, plugin_id, namespace, **_):
    home = Path(self.location, plugin_id, namespace)
    home.mkdir(parents=True, exist_ok=True)
    return self.store(home)
"""

_FOUND: dict[str, Any] = {"json": json, "os": os, "Path": Path, "ABSENT": ABSENT}
exec(compile(SOURCE, "<frozen opaque>", "exec"), _FOUND)  # see above


class GoodStore:
    """A claim is a link, made in one step."""

    register_if_absent = cast("Callable[..., bool]", _FOUND["good_claim"])
    lookup = cast("Callable[..., Any]", _FOUND["lookup"])

    def __init__(self, home: Path) -> None:
        self.home = home


class RacyStore(GoodStore):
    """A claim looks first and writes then."""

    register_if_absent = cast("Callable[..., bool]", _FOUND["racy_claim"])


class GoodBackend:
    capabilities = CAPABILITIES
    store: type[GoodStore] = GoodStore
    open = cast("Callable[..., GoodStore]", _FOUND["open_space"])

    def __init__(self, location: str, *, clock: Clock) -> None:
        self.location = location

    def close(self) -> None: ...


class RacyBackend(GoodBackend):
    store = RacyStore


class ThreadedStore(RacyStore):
    """A thread of its own makes the claim."""

    register_if_absent = cast("Callable[..., bool]", _FOUND["threaded_claim"])

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.workers = ThreadPoolExecutor(1)


class DoomedStore(GoodStore):
    """It dies, or hangs, at certain keys."""

    register_if_absent = cast("Callable[..., bool]", _FOUND["doomed_claim"])

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.silence, self.other = os.pipe()


class ThreadedBackend(GoodBackend):
    store = ThreadedStore


class DyingBackend(GoodBackend):
    store = DoomedStore
