"""Forks a process that has a handle open, and lets parent and child go on with it.

Everything is told as `Went`: who called what, and what came of it. The child tells it by a pipe.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onewinner.clock import wall_ns
from onewinner.worker.child import read_frame, write_frame
from onewinner.worker.journal import OK
from onewinner.worker.recorder import failure, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.contract import Backend, Store

_MANY: Final = 25
_ROOMY: Final = 100
_PR_SET_PDEATHSIG: Final = 1


class Went(NamedTuple):
    """One call: who made it (`parent`, `child`, `later`), on a handle of before the fork or a new.

    `kind` and `answer` are as in a `Record`.
    """

    who: str
    new: bool
    f: str
    key: str
    kind: int
    answer: Any


def forked(
    send: Callable[[object], None],
    target: Target,
    location: str,
    clock: Clock,
    leaver: str,
    lasting: bool,
) -> None:
    """Open a handle, fork, and let both sides claim; then `leaver` closes its handle, and is gone.

    The other goes on. At last a new connection looks up what has been claimed. Where rows need not
    outlast the last handle (`lasting` is false), that connection is made before the other closes.
    """
    plugin = f"fork-{leaver}-{wall_ns():x}"

    def said(who: str, new: bool, f: str, key: str, made: tuple[int, Any]) -> None:
        send(Went(who, new, f, key, *made))

    backend = target.connect(location, clock)
    store = backend.open(plugin, "n", max_entries=_ROOMY)
    said("parent", False, "register_if_absent", "before", _claim(store, "before", "parent"))
    orders, ordering = os.pipe()
    answers, answering = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.close(ordering)
            os.close(answers)
            _Child(target, location, clock, plugin, backend, store).live(orders, answering)
        os._exit(0)
    os.close(orders)
    os.close(answering)

    def child(*order: Any) -> None:
        write_frame(ordering, order)

    def heard() -> None:
        for went in read_frame(answers):
            send(went)

    def mine(key: str) -> None:
        said("parent", False, "register_if_absent", key, _claim(store, key, "parent"))

    child("claim", ["child 1"])
    heard()
    mine("parent 1")
    child("claim", ["both", *[f"child many {number}" for number in range(_MANY)]])
    for key in ("both", *[f"parent many {number}" for number in range(_MANY)]):
        mine(key)
    heard()
    if leaver == "parent":
        backend.close()
    child("close" if leaver == "child" else "claim", ["child last 1", "child last 2"])
    heard()
    watcher = None if lasting else target.connect(location, clock)
    child("end")
    os.waitpid(pid, 0)
    if leaver == "child":
        for key in ("parent last 1", "parent last 2"):
            mine(key)
        backend.close()
    _look(said, target.connect(location, clock) if watcher is None else watcher, plugin)


def _look(
    said: Callable[[str, bool, str, str, tuple[int, Any]], None], backend: Backend, plugin: str
) -> None:
    """Claim everything again, by a connection of its own: what is there refuses it."""
    store = backend.open(plugin, "n", max_entries=_ROOMY)
    many = [f"{who} many {number}" for who in ("parent", "child") for number in range(_MANY)]
    few = [f"{who} {what}" for who in ("parent", "child") for what in ("1", "last 1", "last 2")]
    for key in ("before", "both", *few, *many):
        said("later", True, "register_if_absent", key, _claim(store, key, "later"))
    backend.close()


def _claim(store: Store, key: str, by: str) -> tuple[int, Any]:
    try:
        return plain("register_if_absent", store.register_if_absent(key, by))
    except BaseException as error:
        return failure(error)


class _Child:
    """The child's side: it does as ordered, and connects anew where its handle is refused."""

    def __init__(
        self,
        target: Target,
        location: str,
        clock: Clock,
        plugin: str,
        backend: Backend,
        store: Store,
    ) -> None:
        self._target = target
        self._location = location
        self._clock = clock
        self._plugin = plugin
        self._backend = backend
        self._store = store
        self._new = False

    def live(self, orders: int, answering: int) -> None:
        """Carry out orders until the last; it ends without closing anything."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        while True:
            what, *keys = read_frame(orders)
            if what == "end":
                return
            if what == "close":
                with contextlib.suppress(Exception):
                    self._backend.close()
                write_frame(answering, [])
                continue
            write_frame(answering, [self._went(key) for key in keys[0]])

    def _went(self, key: str) -> Went:
        made = _claim(self._store, key, "child")
        if made[0] != OK and not self._new:
            self._new = True
            self._backend = self._target.connect(self._location, self._clock)
            self._store = self._backend.open(self._plugin, "n", max_entries=_ROOMY)
            made = _claim(self._store, key, "child")
        return Went("child", self._new, "register_if_absent", key, *made)
