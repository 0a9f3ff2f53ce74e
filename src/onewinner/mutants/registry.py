"""How a mutant is defined: a decorated subclass of a part of a reference store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar, cast

from onewinner.adapters.memcached import MemcachedBackend, MemcachedStore
from onewinner.adapters.postgres import PostgresBackend, PostgresStore
from onewinner.adapters.redis import RedisBackend, RedisStore
from onewinner.stores.memory import MemoryBackend, MemoryStore
from onewinner.stores.newer_memory import NewerMemoryBackend, NewerMemoryStore
from onewinner.stores.newer_sqlite import NewerSqliteBackend, NewerSqliteStore
from onewinner.stores.sqlite import SqliteBackend, SqliteStore
from onewinner.stores.sqlite_file import SqliteFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from onewinner.contract import Connect

Shows: TypeAlias = Literal["alone", "threads", "processes", "faults"]

_Part = TypeVar("_Part", bound=type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One store with one known defect.

    Attributes:
        name: the defect in kebab-case, as in `mutant:NAME`.
        family: the module that holds it.
        lesson: how the defect goes wrong for the people who run it.
        seen: where it was seen in a real project, empty where it was not looked for.
        clauses: the clauses that may flag it, the one that must flag it first.
        shows: what it takes to see it: one caller alone, threads, processes, or the nemesis.
        connect: the target's factory.
        server: the kind of the server that it is a client of, empty for none.
    """

    name: str
    family: str
    lesson: str
    seen: str
    clauses: tuple[str, ...]
    shows: Shows
    connect: Connect
    server: str = ""


_BY_MODULE: Final[dict[str, list[Mutant]]] = {}


def mutant(*clauses: str, shows: Shows = "alone", seen: str = "") -> Callable[[_Part], _Part]:
    """Register a part of a store as a mutant; its name and lesson are the class's own."""

    def register(part: _Part) -> _Part:
        name = re.sub(r"(?<!^)(?=[A-Z])", "-", part.__name__).lower()
        lesson = " ".join((part.__doc__ or "").split())
        found = Mutant(
            name=name,
            family=part.__module__.rpartition(".")[2],
            lesson=lesson,
            seen=seen,
            clauses=clauses,
            shows=shows,
            connect=_factory(part),
            server=next((kind for of, kind in _SERVERS if issubclass(part, of)), ""),
        )
        _BY_MODULE.setdefault(part.__module__, []).append(found)
        return part

    return register


def collected(*modules: ModuleType) -> dict[str, Mutant]:
    """Answer the mutants of these modules by name, in the order in which they are written."""
    return {mutant.name: mutant for m in modules for mutant in _BY_MODULE[m.__name__]}


def changed(text: str, old: str, new: str) -> str:
    """Answer `text` with `old` replaced; raises ValueError where that would change nothing.

    A defect that is written as a change of the reference must not turn into no defect at all on
    the day on which the reference is worded in another way.
    """
    if old not in text or old == new:
        raise ValueError(f"{old!r} does not occur in {text!r}; reword the mutant")
    return text.replace(old, new)


def _factory(part: type) -> Connect:
    for kind, backend, slot in _SLOTS:
        if issubclass(part, kind):
            return cast("Connect", type(f"{part.__name__}Backend", (backend,), {slot: part}))
    return cast("Connect", part)  # a backend is its own factory


_SERVERS: Final[tuple[tuple[tuple[type, ...], str], ...]] = (
    ((RedisStore, RedisBackend), "redis"),
    ((PostgresStore, PostgresBackend), "postgres"),
    ((MemcachedStore, MemcachedBackend), "memcached"),
)

_SLOTS: Final[tuple[tuple[type, type, str], ...]] = (
    (RedisStore, RedisBackend, "store"),
    (PostgresStore, PostgresBackend, "store"),
    (MemcachedStore, MemcachedBackend, "store"),
    (NewerSqliteStore, NewerSqliteBackend, "store"),
    (NewerMemoryStore, NewerMemoryBackend, "store"),
    (SqliteStore, SqliteBackend, "store"),
    (SqliteFile, SqliteBackend, "file_type"),
    (MemoryStore, MemoryBackend, "store"),
)
