"""Looks at what a store does with its files: whom they are for, and what their failures come to."""

from __future__ import annotations

import os
import resource
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onewinner.clock import SystemClock, sleep, wall_ns
from onewinner.contract import StoreError
from onewinner.contract.newer import arguments
from onewinner.history.plain import OBSERVES, plain_answer
from onewinner.worker.journal import FAIL
from onewinner.worker.recorder import failure, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities

_ROOMY: Final = 100
_SHORT_MS: Final = 50
_MARGIN_MS: Final = 60


class Seen(NamedTuple):
    """A file or directory below the location, by its path from there, and its permission bits."""

    path: str
    directory: bool
    mode: int


class Answered(NamedTuple):
    """A call and what came of it, `kind` and `answer` as in a `Record`."""

    f: str
    key: str | None
    kind: int
    answer: Any


def modes(_send: Callable[[object], None], target: Target, location: str) -> list[Seen]:
    """Claim under a umask that forbids nothing, and answer what is there while a handle is open."""
    os.umask(0)
    backend = target.connect(location, SystemClock())
    store = backend.open("files", "n", max_entries=_ROOMY)
    store.register_if_absent("k", "v")
    seen = []
    for folder, folders, names in os.walk(location):
        for name in (*folders, *names):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
                told = str(path.relative_to(location))
                seen.append(Seen(told, stat.S_ISDIR(mode), stat.S_IMODE(mode)))
    backend.close()
    return seen


def damaged(
    _send: Callable[[object], None], target: Target, location: str, operations: frozenset[str]
) -> list[Answered]:
    """Damage the value of one row of three, and answer what calls come to, in order."""
    backend: Any = target.connect(location, SystemClock())
    plugin = f"damage-{wall_ns():x}"
    store = backend.open(plugin, "n", max_entries=_ROOMY)
    other = backend.open(plugin, "m", max_entries=_ROOMY)
    for key in ("a", "bad", "c"):
        store.register_if_absent(key, [key])
    other.register_if_absent("bad", ["other"])
    backend.damage(plugin, "n", "bad")
    told = []

    def call(on: Any, f: str, *arguments: Any) -> None:
        told.append(_answered(on, f, *arguments))

    call(store, "lookup", "bad")
    call(store, "lookup", "a")
    call(store, "lookup", "c")
    call(other, "lookup", "bad")
    call(store, "register_if_absent", "a", "late")
    call(store, "register_if_absent", "d", ["d"])
    call(store, "lookup", "d")
    if "consume" in operations:
        call(store, "consume", "bad")
    if "entries" in operations:
        call(other, "entries")
        call(store, "entries")
    told += _newer_beside(store, other, operations)
    call(store, "delete", "bad")
    call(store, "register_if_absent", "bad", ["new"])
    call(store, "lookup", "bad")
    if "entries" in operations:
        call(store, "entries")
    backend.close()
    return told


def _newer_beside(store: Any, other: Any, operations: frozenset[str]) -> Iterator[Answered]:
    """Yield what the newer operations come to beside a damaged row, and on it."""
    comparison = ""
    calls: tuple[tuple[Any, str, str | None, Any], ...] = (
        (store, "lookup_many", None, ["c", "a"]),
        (store, "lookup_many", None, ["a", "bad"]),
        (other, "count", None, None),
        (store, "count", None, None),
        (store, "delete_if_equal", "a", 1),
        (store, "delete_if", "c", {"equals": 1}),
        (store, "delete_if", "bad", {"equals": 1}),
        (store, "update", "c", {"append": 1}),
        (store, "update", "bad", {"append": 1}),
        (store, "observe", "bad", None),
        (store, "observe", "a", None),
        (store, "compare_and_apply", "a", {"set": ["set"]}),
    )
    for on, f, key, value in calls:
        if f not in operations or (f == "compare_and_apply" and "observe" not in operations):
            continue
        by_place, _ = arguments(f, key, value, comparison=comparison)
        answered = _answered(on, f, *by_place)
        if f == "observe" and isinstance(answered.answer, dict):
            comparison = answered.answer["comparison"]
        named = ", ".join(value) if f == "lookup_many" else key
        yield answered._replace(key=named)


def outlived(
    _send: Callable[[object], None], target: Target, location: str, capabilities: Capabilities
) -> list[Answered]:
    """Damage rows whose time has come: one that is evicted and one that expires."""
    backend: Any = target.connect(location, SystemClock())
    plugin = f"outlived-{wall_ns():x}"
    told: list[Answered] = []
    if evicts(capabilities):
        store = backend.open(plugin, "full", max_entries=2)
        for key in ("1", "2"):
            store.register_if_absent(key, [key])
        backend.damage(plugin, "full", "1")
        told += (_answered(store, "register_if_absent", "3", ["3"]),)
        told += (_answered(store, "lookup", key) for key in ("2", "3"))
    unit_ms = capabilities.ttl_unit_ms
    if unit_ms is not None:
        ttl_ms = -(-_SHORT_MS // unit_ms) * unit_ms
        store = backend.open(plugin, "short", max_entries=_ROOMY)
        store.register_if_absent("k", ["old"], ttl_ms=ttl_ms)
        with suppress(Exception):  # on a slow machine it is gone already
            backend.damage(plugin, "short", "k")
        sleep((ttl_ms + unit_ms + _MARGIN_MS) / 1000)
        told.append(_answered(store, "register_if_absent", "k", ["new"]))
        told.append(_answered(store, "lookup", "k"))
    backend.close()
    return told


def evicts(capabilities: Capabilities) -> bool:
    """Tell whether a full namespace sheds its oldest row."""
    policy = capabilities.limits.overflow_policy
    return capabilities.eviction is not None and policy == "evict-oldest"


def _answered(store: Any, f: str, *given: Any) -> Answered:
    try:
        answer = getattr(store, f)(*given)
        made = plain(f, plain_answer(f, answer) if f in OBSERVES else answer)
    except BaseException as error:
        made = failure(error)
    return Answered(f, given[0] if given else None, *made)


def failing(
    _send: Callable[[object], None], target: Target, location: str, operations: frozenset[str]
) -> list[Answered]:
    """Let each write of this process to a file fail, and answer what the writing calls come to.

    Every `StoreError` is told as FAIL, whatever may be concluded from it.
    """
    store: Any = target.connect(location, SystemClock()).open("full", "n", max_entries=_ROOMY)
    store.register_if_absent("k", "v")
    told = []

    def call(f: str, *arguments: Any) -> None:
        try:
            made = plain(f, getattr(store, f)(*arguments))
        except StoreError as error:
            made = FAIL, (error.code, error.operation, error.message)
        except Exception as error:
            made = failure(error)
        told.append(Answered(f, arguments[0] if arguments else None, *made))

    writes = {"register": ("k", "w"), "register_if_absent": ("j", "v")}
    with _no_room():
        for f in ("register", "register_if_absent", "consume", "delete", "clear"):
            if f in operations:
                call(f, *writes.get(f, () if f == "clear" else ("k",)))
    return told


@contextmanager
def _no_room() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
