"""Servers for tests: one of each kind for a test session, or one that the environment names.

`ONEWINNER_REDIS`, `ONEWINNER_POSTGRES`, `ONEWINNER_MEMCACHED` and `ONEWINNER_NATS` may hold the
address of a server that may be written to; else one is started. Run as a program this is a little
server of its own:

    python store_servers.py serve|fork|refuse|silent DIRECTORY PORT
    python store_servers.py kit DIRECTORY
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from onewinner.adapters.servers import RECIPES, Recipe
from onewinner.clock import sleep
from onewinner.runner.server import Server
from onewinner.suite.scratch import scratch_directory


class AtHand:
    """The servers that tests have asked for so far.

    They keep what they keep where those of a run do: pytest's directories are its own user's alone.
    """

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._stack = ExitStack()
        self._home = Path(self._stack.enter_context(scratch_directory()))

    def address(self, kind: str) -> str:
        """Answer the address of a server of a kind; the test is skipped where none can be had."""
        given = os.environ.get(f"ONEWINNER_{kind.upper()}")
        if given:
            return given
        if (lacking := RECIPES[kind].lacking()) is not None:
            pytest.skip(lacking)
        if kind not in self._found:
            server = self._stack.enter_context(Server(RECIPES[kind], self._home / kind))
            self._found[kind] = server.url
        return self._found[kind]

    def close(self) -> None:
        """Stop them all."""
        self._stack.close()


def recipe(how: str = "serve") -> Recipe:
    """Answer the recipe of the little server below, which does as `how` says."""

    def words(_program: str, directory: str, port: int) -> tuple[str, ...]:
        return (sys.executable, __file__, how, directory, str(port))

    return Recipe(
        name="tiny",
        scheme="tiny",
        port=1,
        programs=(sys.executable,),
        get="nothing",
        words=words,
        hello=b"?\n",
        ready=b"yes",
    )


def main(how: str, directory: str, port: int) -> None:
    """Be the little server: it counts in a file how often it was started, and answers that."""
    if how == "refuse":
        sys.exit("this port is not to my liking")
    file = Path(directory) / "starts"
    starts = int(file.read_text("ascii")) + 1 if file.exists() else 1
    file.write_text(str(starts), "ascii")
    with socket.create_server(("127.0.0.1", port)) as listening:
        while True:
            made, _ = listening.accept()
            with made:
                if how != "fork":
                    answer(made, b"no" if how == "silent" else f"yes {starts}".encode("ascii"))
                elif os.fork() == 0:
                    os.setsid()
                    while answer(made, f"yes {os.getpid()}".encode("ascii")):
                        pass
                    os._exit(0)


def answer(made: socket.socket, said: bytes) -> bool:
    """Answer one request; false for none, at the end of the connection."""
    asked = made.recv(100)
    made.sendall(said)
    return bool(asked)


def kit(directory: str) -> None:
    """Be a kit that starts a server, says its process id, and goes on until it is killed."""
    with Server(recipe(), Path(directory) / "server") as server:
        sys.stdout.write(f"{server.pid}\n")
        sys.stdout.flush()
        sleep(600)


if __name__ == "__main__":
    if sys.argv[1] == "kit":
        kit(sys.argv[2])
    else:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
