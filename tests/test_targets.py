"""Targets: from what a user writes to a factory, and errors that tell what to do instead."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any

import pytest

from onewinner.adapters.targets import BUILT_IN, Target, TargetError, resolve
from onewinner.clock import ManualClock
from onewinner.contract import Capabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from onewinner.clock import Clock
    from onewinner.contract import Connect

MODULE = """
from onewinner import Capabilities

class Backend:
    capabilities = Capabilities().without("sweep_expired")

    def __init__(self, location, clock):
        self.location, self.clock = location, clock

    def open(self, plugin_id, namespace, *, max_entries, default_ttl_ms=None):
        return self

    def close(self):
        pass

def connect(location, *, clock):
    return Backend(location, clock)

class Factories:
    connect = staticmethod(connect)

NOT_CALLABLE = 1
"""


class Complete:
    """A backend with all that the interface asks for."""

    capabilities = Capabilities()

    def open(self) -> None: ...

    def close(self) -> None: ...

    def sweep_expired(self) -> int:
        return 0


class NoSweeper:
    """A backend that declares an operation which it has not."""

    capabilities = Capabilities()

    def open(self) -> None: ...

    def close(self) -> None: ...


class NoCapabilities:
    """A backend that does not say what it offers."""

    def open(self) -> None: ...

    def close(self) -> None: ...


def answering(make: Callable[[], Any]) -> Connect:
    """Answer a factory that answers what `make` answers."""

    def connect(location: str, *, clock: Clock) -> Any:
        return make()

    return connect


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Write a user's module into the current directory and answer its name."""
    name = "a_users_store"
    (tmp_path / f"{name}.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "broken_store.py").write_text("import no_such_driver", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield name
    for written in (name, "broken_store"):
        sys.modules.pop(written, None)


class TestResolve:
    @pytest.mark.parametrize("name", BUILT_IN)
    def test_a_built_in_name_is_a_factory(self, name: str) -> None:
        """Every built-in name leads to a factory, whether or not its driver is installed."""
        assert callable(resolve(name))

    def test_a_users_module_is_found_in_the_current_directory(self, user_module: str) -> None:
        """`python:module:connect` works from the directory that holds the module."""
        assert resolve(f"python:{user_module}:connect").__name__ == "connect"

    def test_an_attribute_of_a_class_is_found(self, user_module: str) -> None:
        """The factory may sit inside a class."""
        assert callable(resolve(f"python:{user_module}:Factories.connect"))

    @pytest.mark.parametrize(
        ("spec", "told"),
        [
            ("sqlit", "cachelib-file, "),
            ("", "unknown"),
            ("exec:", "write exec:COMMAND"),
            ("exec:'unfinished", "quote the command"),
            ("python:", "python:package.module:connect"),
            ("python:module_only", "python:package.module:connect"),
            ("python::connect", "python:package.module:connect"),
            ("python:no_such_module:connect", "install it"),
            ("python:broken_store:connect", "no_such_driver"),
            ("python:a_users_store:missing", "define connect"),
            ("python:a_users_store:NOT_CALLABLE", "define connect"),
            ("python:a_users_store:Factories.missing.more", "define connect"),
            ("mutant:no-such-bug", "known: "),
        ],
    )
    def test_a_target_that_cannot_be_had_tells_what_to_do(
        self, user_module: str, spec: str, told: str
    ) -> None:
        """Each way of naming no factory is a TargetError that repeats the target and helps."""
        with pytest.raises(TargetError) as raised:
            resolve(spec)
        assert repr(spec) in str(raised.value)
        assert told in str(raised.value)

    def test_a_slip_in_a_mutants_name_names_the_nearest(self) -> None:
        """A mutant's name that is nearly right is answered with the right one."""
        from onewinner.mutants import MUTANTS

        name = min(MUTANTS)
        with pytest.raises(TargetError, match=f"did you mean .*{name}"):
            resolve(f"mutant:{name}x")

    def test_a_mutant_is_a_target(self) -> None:
        """Every mutant can be verified like a store."""
        from onewinner.mutants import MUTANTS

        assert all(callable(resolve(f"mutant:{name}")) for name in MUTANTS)


class TestConnect:
    def test_the_factory_gets_location_and_clock(self, user_module: str) -> None:
        """A target calls its factory as the interface says."""
        clock = ManualClock()
        backend = Target(f"python:{user_module}:connect").connect("/somewhere", clock)
        assert (backend.location, backend.clock) == ("/somewhere", clock)

    def test_a_factory_that_was_given_is_used_as_it_is(self) -> None:
        """A factory without a name needs none."""
        target = Target("a function", given=answering(Complete))
        assert isinstance(target.connect("x", ManualClock()), Complete)

    def test_a_named_target_travels_between_processes(self) -> None:
        """A target that is resolved by name is pickled as that name."""
        target = Target("sqlite", location="somewhere")
        assert pickle.loads(pickle.dumps(target)) == target

    def test_a_factory_that_raises_is_blamed(self) -> None:
        """The error names target, location, and what the factory raised, and keeps the cause."""

        def connect(location: str, *, clock: object) -> Complete:
            raise ConnectionRefusedError("nobody listens")

        with pytest.raises(TargetError, match="ConnectionRefusedError: nobody listens") as raised:
            Target("mine", given=connect).connect("redis://nowhere", ManualClock())
        assert "target mine: connect('redis://nowhere'" in str(raised.value)
        assert isinstance(raised.value.__cause__, ConnectionRefusedError)

    @pytest.mark.parametrize(
        ("backend", "told"),
        [
            (NoSweeper, "without('sweep_expired')"),
            (NoCapabilities, "onewinner.Capabilities"),
            (object, "its open is missing"),
            (lambda: None, "NoneType"),
        ],
    )
    def test_what_is_no_backend_is_refused(self, backend: type, told: str) -> None:
        """What a factory answers is held against the interface before anything runs."""
        target = Target("mine", given=answering(backend))
        with pytest.raises(TargetError, match="not a Backend") as raised:
            target.connect("x", ManualClock())
        assert told in str(raised.value)

    def test_all_that_is_wrong_is_told_at_once(self) -> None:
        """An adapter's author hears of every fault in one error."""
        target = Target("mine", given=answering(object))
        with pytest.raises(TargetError) as raised:
            target.connect("x", ManualClock())
        assert all(word in str(raised.value) for word in ("its open", "its close", "capabilities"))
