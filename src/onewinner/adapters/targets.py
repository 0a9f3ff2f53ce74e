"""Targets: from what a user writes on the command line to a factory that can be called anywhere.

A target is carried to worker processes as its specification, a text, and resolved in each of them;
a factory that has no such text (a function given to the pytest door) is carried as it is.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from onewinner.contract import Capabilities

if TYPE_CHECKING:
    from onewinner.clock import Clock
    from onewinner.contract import Backend, Connect

BUILT_IN: Final[dict[str, str]] = {
    "memory": "onewinner.stores.newer_memory:connect",
    "sqlite": "onewinner.stores.newer_sqlite:connect",
    "cachelib-file": "onewinner.adapters.cachelib:connect_file",
    "cachelib-redis": "onewinner.adapters.cachelib:connect_redis",
    "cachelib-simple": "onewinner.adapters.cachelib:connect_simple",
    "diskcache": "onewinner.adapters.diskcache:connect",
    "django-database": "onewinner.adapters.django:connect_database",
    "django-file": "onewinner.adapters.django:connect_file",
    "django-locmem": "onewinner.adapters.django:connect_locmem",
    "django-memcached": "onewinner.adapters.django:connect_memcached",
    "django-redis": "onewinner.adapters.django:connect_redis",
    "fakeredis": "onewinner.adapters.fakeredis:connect",
    "lmdb": "onewinner.adapters.lmdb:connect",
    "memcached": "onewinner.adapters.memcached:connect",
    "nats": "onewinner.adapters.nats:connect",
    "postgres": "onewinner.adapters.postgres:connect",
    "redis": "onewinner.adapters.redis:connect",
    "sqlalchemy": "onewinner.adapters.sqlalchemy:connect",
    "sqlalchemy-postgres": "onewinner.adapters.sqlalchemy:connect_postgres",
}

SERVED_BY: Final[dict[str, str]] = {
    "cachelib-redis": "redis",
    "django-memcached": "memcached",
    "django-redis": "redis",
    "memcached": "memcached",
    "nats": "nats",
    "postgres": "postgres",
    "redis": "redis",
    "sqlalchemy-postgres": "postgres",
}
"""The built-in stores that are clients of a server, and its kind (`adapters.servers.RECIPES`)."""


_SERVED: Final = ("exec:", "openclaw@")


class TargetError(Exception):
    """The target cannot be had: what was given, why it cannot be, what to do instead (exit 4)."""


@dataclass(frozen=True, slots=True)
class Target:
    """A store under test: its name in reports, and how any process gets its factory.

    `given` is the factory itself where it has no name, else None.
    `location` is the address given with `--location`, else None: the kit then makes a directory.
    `started`: nobody gave that address, it is the one of a server that the kit has started.
    `faults` is a file in which word is left of an adapter that does not keep its protocol.
    """

    name: str
    given: Connect | None = None
    location: str | None = None
    faults: str | None = None
    started: bool = False

    @property
    def address(self) -> str | None:
        """The address that a user gave, and would give again to have the same."""
        return None if self.started else self.location

    @property
    def server(self) -> str | None:
        """The kind of the server that the target is a client of; None where it needs none."""
        kind, colon, rest = self.name.partition(":")
        if self.given is not None:
            return None
        if colon and kind == "mutant":
            from onewinner.mutants import MUTANTS

            return MUTANTS[rest].server or None if rest in MUTANTS else None
        return SERVED_BY.get(self.name)

    @property
    def served(self) -> bool:
        """Whether the store lives in a process of its own, behind a command."""
        return self.given is None and self.name.startswith(_SERVED)

    def copy(self, location: str) -> tuple[int, tuple[str, ...]]:
        """Answer the copy of the command that serves a location for this process, or will.

        It is told by its process id, and its standard streams as /proc/PID/fd names them.
        """
        from onewinner.adapters.stdio.backend import copy_for

        return copy_for(self.name, location, self.faults)

    def fault(self) -> TargetError | None:
        """Answer what an adapter has done that its protocol forbids, None where nothing is known.

        The call in which it happened may be anywhere, and its error taken for one of the store.
        """
        if not self.served or self.faults is None or not Path(self.faults).exists():
            return None
        return TargetError(Path(self.faults).read_text("utf-8"))

    def load(self) -> None:
        """Import what the first connection would, so that it is no slower than those that follow.

        Of a command: its calls are watched by whoever started this process (see `Registry`). What
        is wrong with the target is left for `connect` to say.
        """
        with contextlib.suppress(Exception):
            self.given or resolve(self.name, self.faults)
        if self.served:
            from onewinner.adapters.stdio.copies import REGISTRY

            REGISTRY.watched = True

    def connect(self, location: str, clock: Clock) -> Backend:
        """Call the factory and hold what it answers against the interface.

        Raises TargetError where the factory cannot be found, raises, or answers something that is
        not a backend.
        """
        factory = self.given or resolve(self.name, self.faults)
        try:
            backend = factory(location, clock=clock)
        except TargetError:
            raise
        except Exception as error:
            raise TargetError(
                f"target {self.name}: connect({location!r}, clock=...) raised "
                f"{type(error).__name__}: {error}; a factory must answer a Backend"
            ) from error
        _require_backend(self.name, backend)
        return backend


def resolve(spec: str, faults: str | None = None) -> Connect:
    """Answer the factory that `spec` names; `faults` as in `Target`.

    Raises TargetError: unknown name, module that cannot be imported, attribute that is missing or
    cannot be called.
    """
    kind, colon, rest = spec.partition(":")
    if spec in BUILT_IN:
        return _import(spec, BUILT_IN[spec])
    if colon and kind == "python":
        return _import(spec, rest)
    if colon and kind == "mutant":
        return _mutant(spec, rest)
    if spec.startswith(_SERVED):
        from onewinner.adapters.stdio.backend import connector

        return connector(spec, command_of(spec), faults)
    raise TargetError(
        f"target {spec!r} is unknown: use a built-in name ({', '.join(sorted(BUILT_IN))}), "
        f"openclaw@VERSION, python:package.module:connect, exec:COMMAND, or mutant:NAME"
    )


def source_of(target: Target) -> tuple[str, int] | None:
    """Answer the file and the line where the code of an adapter begins, None where nobody knows.

    Of a command that is its first word that names a file from here.
    """
    if target.served:
        words = command_of(target.name) if target.name.startswith("exec:") else ()
        own = [word for word in words if Path(word).is_file() and not Path(word).is_absolute()]
        return (own[0], 1) if own else None
    factory: Any = target.given or resolve(target.name)
    code = getattr(inspect.unwrap(factory), "__code__", None)
    return None if code is None else (code.co_filename, code.co_firstlineno)


def command_of(spec: str) -> tuple[str, ...]:
    """Answer the command that serves a target: as a shell would split it, or that of a release.

    A release that is not on this machine yet is downloaded. Raises TargetError where there is no
    such command.
    """
    kind, _, rest = spec.partition(":")
    if kind != "exec":
        from onewinner.adapters.openclaw.install import command

        return command(spec)
    try:
        words = tuple(shlex.split(rest))
    except ValueError as error:
        raise TargetError(f"target {spec!r}: {error}; quote the command for a shell") from error
    if not words:
        raise TargetError(f"target {spec!r}: write exec:COMMAND, as in exec:'node adapter.mjs'")
    return words


def _import(spec: str, path: str) -> Connect:
    module_name, colon, attribute = path.partition(":")
    if not colon or not module_name or not attribute:
        raise TargetError(f"target {spec!r}: write python:package.module:connect")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        raise TargetError(
            f"target {spec!r}: importing {module_name} raised {type(error).__name__}: {error}; "
            f"run from the directory that holds it, or install it"
        ) from error
    for name in attribute.split("."):
        found = getattr(found, name, None)
    if not callable(found):
        raise TargetError(
            f"target {spec!r}: {module_name} has no callable {attribute!r}; "
            f"define connect(location, *, clock) there"
        )
    return cast("Connect", found)


def _mutant(spec: str, name: str) -> Connect:
    from onewinner.mutants import MUTANTS

    if name not in MUTANTS:
        import difflib

        near = difflib.get_close_matches(name, MUTANTS, n=3)
        hint = (
            f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(sorted(MUTANTS))}"
        )
        raise TargetError(f"target {spec!r}: no mutant has that name; {hint}")
    return MUTANTS[name].connect


def _require_backend(name: str, backend: Any) -> None:
    wrong = [
        f"its {attribute} is missing or cannot be called"
        for attribute in ("open", "close")
        if not callable(getattr(backend, attribute, None))
    ]
    capabilities = getattr(backend, "capabilities", None)
    if not isinstance(capabilities, Capabilities):
        wrong.append(f"its capabilities are {capabilities!r}, not onewinner.Capabilities(...)")
    elif "sweep_expired" in capabilities.operations and not callable(
        getattr(backend, "sweep_expired", None)
    ):
        wrong.append(
            "it declares sweep_expired and has no such method; add it or declare "
            "Capabilities(...).without('sweep_expired')"
        )
    if wrong:
        raise TargetError(
            f"target {name}: connect answered {type(backend).__name__}, which is not a Backend: "
            + "; ".join(wrong)
        )
