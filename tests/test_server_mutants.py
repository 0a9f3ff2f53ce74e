"""Mutants that are clients of servers: each shows its defect by one interleaving, made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import store_servers
from onewinner import ABSENT, Capabilities, SystemClock
from onewinner.adapters.targets import resolve
from onewinner.clock import sleep, wall_ns
from onewinner.contract.clauses import CLAUSES
from onewinner.mutants import MUTANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OF_SERVERS = {name: mutant for name, mutant in MUTANTS.items() if mutant.server}
LATE_CLAIMS = {
    "memcached-get-then-set": "lookup",
    "postgres-locks-row-that-is-missing": "_run",
    "postgres-update-without-guard": "_run",
    "redis-get-then-set": "lookup",
}


@pytest.fixture(scope="module")
def at_hand() -> Iterator[store_servers.AtHand]:
    """The servers of this module's tests."""
    found = store_servers.AtHand()
    yield found
    found.close()


class Pair:
    """A mutant's namespace and one of the adapter that it was made from, for the same rows."""

    def __init__(self, name: str, address: str) -> None:
        kind = MUTANTS[name].server
        self.backends = [
            resolve(target)(address, clock=SystemClock()) for target in (f"mutant:{name}", kind)
        ]
        plugin = f"{name}-{wall_ns():x}"
        self.mutant, self.rival = (b.open(plugin, "n", max_entries=9) for b in self.backends)

    def after(self, step: str, act: Callable[[], object]) -> None:
        """Let the rival act once, right after the mutant's first step of this name."""
        original, done = getattr(self.mutant, step), []

        def stepped(*args: Any, **options: Any) -> Any:
            answer = original(*args, **options)
            if not done:
                done.append(act())
            return answer

        setattr(self.mutant, step, stepped)

    def close(self) -> None:
        """Close both connections."""
        for backend in self.backends:
            backend.close()


@pytest.fixture
def pair(request: pytest.FixtureRequest, at_hand: store_servers.AtHand) -> Iterator[Pair]:
    """The pair of the mutant that the test names."""
    name = request.param
    made = Pair(name, at_hand.address(MUTANTS[name].server))
    yield made
    made.close()


@pytest.mark.parametrize("name", OF_SERVERS)
def test_every_factory_connects(name: str, at_hand: store_servers.AtHand) -> None:
    """A mutant declares capabilities under which its clause applies."""
    backend = MUTANTS[name].connect(at_hand.address(MUTANTS[name].server), clock=SystemClock())
    assert isinstance(backend.capabilities, Capabilities)
    assert CLAUSES[MUTANTS[name].clauses[0]].missing(backend.capabilities) is None
    backend.close()


@pytest.mark.parametrize("pair", LATE_CLAIMS, indirect=True)
def test_a_rival_between_look_and_write_wins_too(
    pair: Pair, request: pytest.FixtureRequest
) -> None:
    """Whoever claims after the mutant has looked wins, and the mutant wins as well."""
    name = request.node.callspec.params["pair"]
    key = "k"
    if name == "postgres-update-without-guard":
        pair.rival.register(key, "old", ttl_ms=1)
        while pair.rival.lookup(key) is not ABSENT:
            sleep(0.001)
    answers: list[bool] = []
    pair.after(LATE_CLAIMS[name], lambda: answers.append(pair.rival.register_if_absent(key, 1)))
    assert pair.mutant.register_if_absent(key, 2) is True
    assert answers == [True]
    assert pair.rival.lookup(key) == 2


@pytest.mark.parametrize("pair", ["redis-get-then-delete"], indirect=True)
def test_two_consumers_get_one_row(pair: Pair) -> None:
    """A rival that consumes after the mutant has read gets the row too."""
    pair.rival.register("k", 1)
    answers: list[object] = []
    pair.after("lookup", lambda: answers.append(pair.rival.consume("k")))
    assert [pair.mutant.consume("k"), *answers] == [1, 1]


@pytest.mark.parametrize("pair", ["redis-setnx-then-expire"], indirect=True)
def test_a_claim_without_its_second_command_is_for_ever(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the client is gone before EXPIRE, the row has no expiry."""

    def gone(*_: object) -> None:
        raise SystemExit

    store: Any = pair.mutant
    monkeypatch.setattr(store._client, "pexpire", gone)
    with pytest.raises(SystemExit):
        store.register_if_absent("k", 1, ttl_ms=1)
    assert store._client.ttl(store._name("k")) == -1


@pytest.mark.parametrize("pair", ["memcached-add-without-reply"], indirect=True)
def test_everybody_wins_who_waits_for_no_answer(pair: Pair) -> None:
    """A claim of a key that is held answers true."""
    pair.rival.register("k", 1)
    assert pair.mutant.register_if_absent("k", 2) is True


@pytest.mark.parametrize("pair", ["postgres-keeps-old-expiry"], indirect=True)
def test_an_upsert_keeps_the_old_expiry(pair: Pair) -> None:
    """A row that is registered for good goes when its predecessor would have gone."""
    pair.rival.register("k", "old", ttl_ms=1)
    while pair.rival.lookup("k") is not ABSENT:
        sleep(0.001)
    pair.mutant.register("k", "new")
    assert pair.mutant.lookup("k") is ABSENT


@pytest.mark.parametrize("pair", ["redis-without-append-only-file"], indirect=True)
def test_the_server_writes_nothing_down(pair: Pair) -> None:
    """The mutant turns the server's file off; the server is only this module's."""
    client = pair.mutant._client  # type: ignore[attr-defined]
    assert client.config_get("appendonly") == {"appendonly": "no"}
    client.config_set("appendonly", "yes")
