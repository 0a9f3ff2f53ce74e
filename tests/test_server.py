"""Servers that the kit starts: how they begin, come back and end, and what is said where not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import store_servers
from kits import gone, is_gone
from onewinner.adapters import servers
from onewinner.adapters.servers import RECIPES
from onewinner.adapters.targets import Target, TargetError
from onewinner.runner import server as runner
from onewinner.runner.server import Server, ServerError, running
from onewinner.suite.servers import ephemeral, lacking, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Server]:
    """A little server that runs."""
    with Server(store_servers.recipe(), tmp_path / "tiny") as server:
        yield server


def asked(port: int) -> bytes:
    """Answer what the server on a port answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as made:
        made.sendall(b"?\n")
        return made.recv(100)


class TestServer:
    def test_it_serves_at_its_address_and_is_gone_afterwards(self, tmp_path: Path) -> None:
        """Within the block it answers on a loopback port; after it no process is left."""
        with Server(store_servers.recipe(), tmp_path / "tiny") as server:
            assert server.url == f"tiny://127.0.0.1:{server.port}"
            assert asked(server.port) == b"yes 1"
            assert running(server.url) is server
            pid = server.pid
        assert gone([pid]) == []
        assert running(server.url) is None

    def test_it_comes_back_after_a_kill(self, tiny: Server) -> None:
        """Killed and started again it is another process, at the same address and on its files."""
        before, url = tiny.pid, tiny.url
        tiny.kill()
        assert gone([before]) == []
        tiny.restart()
        assert (tiny.url, asked(tiny.port)) == (url, b"yes 2")
        assert tiny.pid != before

    def test_a_kill_takes_what_it_started_too(self, tmp_path: Path) -> None:
        """When the kill returns, a process of the server's in a session of its own is gone too."""
        with (
            Server(store_servers.recipe("fork"), tmp_path / "tiny") as server,
            socket.create_connection(("127.0.0.1", server.port), timeout=10) as made,
        ):
            made.sendall(b"?\n")
            one = int(made.recv(100).split()[1])
            assert one != server.pid
            server.kill()
            assert is_gone(one)

    def test_a_killed_kit_leaves_none_behind(self, tmp_path: Path) -> None:
        """Where the kit is killed with SIGKILL, its server goes too."""
        words = [sys.executable, store_servers.__file__, "kit", str(tmp_path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as kit:
            assert kit.stdout is not None
            pid = int(kit.stdout.readline())
            os.kill(kit.pid, signal.SIGKILL)
        assert gone([pid]) == []

    def test_one_that_ends_is_told_with_its_last_words(self, tmp_path: Path) -> None:
        """The command, how it ended and what it printed are in the error."""
        with (
            pytest.raises(ServerError, match=r"refuse .*exit code 1: this port is not to my"),
            Server(store_servers.recipe("refuse"), tmp_path / "tiny"),
        ):
            pass

    def test_one_that_is_never_ready_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its patience has an end, and what it answered instead is told."""
        monkeypatch.setattr(runner, "START_S", 0.5)
        with (
            pytest.raises(ServerError, match=r"not ready within 0\.5 s"),
            Server(store_servers.recipe("silent"), tmp_path / "tiny"),
        ):
            pass

    def test_without_its_program_it_is_said_how_to_get_it(self, tmp_path: Path) -> None:
        """The program, where it was looked for, and the command that installs it."""
        absent = replace(RECIPES["redis"], programs=("no-such-program",), wheels=())
        with pytest.raises(ServerError, match=r"no no-such-program was found .* apt-get install"):
            Server(absent, tmp_path)

    def test_root_becomes_somebody_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What refuses root is run as another user; where there is none, that is said."""
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(runner, "_USERS", ("nobody-of-this-name",))
        strict = replace(store_servers.recipe(), refuses_root=True)
        with pytest.raises(ServerError, match="refuses to be run by root"):
            Server(strict, tmp_path)


class TestPrograms:
    def test_a_package_that_brings_it_is_found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without one on PATH the program comes from a package of this Python."""
        package = tmp_path / "brings_a_server"
        (package / "bin").mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "bin" / "no-such-program").touch()
        monkeypatch.syspath_prepend(tmp_path)
        found = replace(
            RECIPES["redis"],
            programs=("no-such-program",),
            wheels=(("brings_a_server", "bin/no-such-program"),),
        )
        assert found.program() == str(package / "bin" / "no-such-program")

    def test_the_newest_of_several_is_taken(self, tmp_path: Path) -> None:
        """PostgreSQL 15 is newer than 9."""
        made = [tmp_path / number / "bin" / "postgres" for number in ("9", "15", "14")]
        assert max(made, key=servers._version) == made[1]

    @pytest.mark.parametrize("kind", RECIPES)
    def test_every_recipe_has_an_address(self, kind: str) -> None:
        """The address that a server gets is one that its adapter reads."""
        made = RECIPES[kind].url(4711)
        assert servers.address("x", kind, made) == ("127.0.0.1", 4711)
        without = made.replace(":4711", "")
        assert servers.address("x", kind, without) == ("127.0.0.1", RECIPES[kind].port)

    @pytest.mark.parametrize("wrong", ["/a/directory", "http://127.0.0.1:80", "redis://h:port/0"])
    def test_other_addresses_are_refused(self, wrong: str) -> None:
        """What is no address of the kind is named, with one that would be."""
        with pytest.raises(TargetError, match=r"no address of a redis server; write --location"):
            servers.address("redis", "redis", wrong)


class TestServed:
    def test_who_needs_none_gets_none(self, tmp_path: Path) -> None:
        """Targets without a server, and those with an address, are left alone."""
        for target in (Target("sqlite"), Target("redis", location="redis://127.0.0.1:1/0")):
            assert lacking(target) is None
            with served(target, str(tmp_path)) as found:
                assert found is target
        assert list(tmp_path.iterdir()) == []

    def test_who_needs_one_gets_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A client without address gets that of a server; it is not one that the user gave."""
        monkeypatch.setitem(RECIPES, "redis", store_servers.recipe())
        with served(Target("redis"), str(tmp_path)) as found:
            assert found.started
            assert found.address is None
            assert running(found.location) is not None
        with ephemeral("mutant:redis-get-then-set") as address:
            assert asked(int(address.rpartition(":")[2])) == b"yes 1"

    def test_what_cannot_start_is_a_target_that_cannot_be_had(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error names the target, and what was tried."""
        monkeypatch.setitem(RECIPES, "redis", store_servers.recipe("refuse"))
        with (
            pytest.raises(TargetError, match=r"target redis: `.*refuse.*did not start"),
            served(Target("redis"), str(tmp_path)),
        ):
            pass

    def test_an_address_that_was_given_is_given_again(self) -> None:
        """What reproduces a violation names the user's address, and no address of the kit's."""
        assert Target("redis", location="redis://h:1/0").address == "redis://h:1/0"
        assert Target("redis", location="redis://h:1/0", started=True).address is None

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("redis", "redis"),
            ("django-memcached", "memcached"),
            ("mutant:postgres-update-without-guard", "postgres"),
            ("mutant:redis-without-append-only-file", "redis"),
            ("mutant:claim-always-true", None),
            ("mutant:no-such-mutant", None),
            ("sqlite", None),
            ("python:my_store:connect", None),
        ],
    )
    def test_a_target_knows_its_server(self, name: str, kind: str | None) -> None:
        """Built-in clients and the mutants made from them take a server of that kind."""
        assert Target(name).server == kind
