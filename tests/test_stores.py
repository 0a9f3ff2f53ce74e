"""What both reference stores do, in memory and in SQLite."""

from __future__ import annotations

import dataclasses
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from onewinner import ABSENT, InvalidInput, LimitExceeded, ManualClock, StoreError
from onewinner.contract import BASE, NEWER
from onewinner.stores import memory, sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from onewinner.contract import Backend, Profile, Store

SMALL = dataclasses.replace(BASE, plugin_row_cap=4)
T0 = 1_000_000


@dataclasses.dataclass
class Place:
    """One location, its clock, and the handles that a test opened on it."""

    connect: Callable[..., Backend]
    location: str
    clock: ManualClock
    backends: list[Backend] = dataclasses.field(default_factory=list)

    def backend(self, profile: Profile = BASE) -> Backend:
        self.backends.append(self.connect(self.location, clock=self.clock, profile=profile))
        return self.backends[-1]

    def store(self, profile: Profile = BASE, **options: Any) -> Store:
        return self.backend(profile).open("p", "n", **{"max_entries": 100, **options})


@pytest.fixture(params=[memory.connect, sqlite.connect], ids=["memory", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A store of each kind, closed afterwards."""
    made = Place(request.param, str(tmp_path / "store"), ManualClock(T0))
    yield made
    for backend in made.backends:
        backend.close()


def rows(store: Store) -> list[tuple[Any, ...]]:
    """Answer all that `entries` shows."""
    return [(e.key, e.value, e.created_at, e.expires_at) for e in store.entries()]


def keys(store: Store) -> list[str]:
    """Answer the keys, the oldest first."""
    return [entry.key for entry in store.entries()]


class TestClaims:
    def test_the_first_claim_wins_and_the_second_changes_nothing(self, place: Place) -> None:
        """A refused claim leaves value, `created_at` and `expires_at` as the winner wrote them."""
        store = place.store()
        assert store.register_if_absent("k", {"by": 1}, ttl_ms=10) is True
        place.clock.advance(9)
        assert store.register_if_absent("k", {"by": 2}, ttl_ms=1000) is False
        assert rows(store) == [("k", {"by": 1}, T0, T0 + 10)]

    def test_an_expired_key_is_vacant_at_the_millisecond_of_its_expiry(self, place: Place) -> None:
        """At `now == expires_at` the row is gone for readers and free for claimants."""
        store = place.store()
        store.register_if_absent("k", 1, ttl_ms=10)
        place.clock.advance(10)
        assert store.lookup("k") is ABSENT
        assert store.consume("k") is ABSENT
        assert store.entries() == []
        assert store.register_if_absent("k", 2) is True
        assert rows(store) == [("k", 2, T0 + 10, None)]

    def test_null_is_a_value(self, place: Place) -> None:
        """A row that holds JSON null is found, refuses a claim and is consumed once."""
        store = place.store()
        assert store.register_if_absent("k", None) is True
        assert store.lookup("k") is None
        assert store.register_if_absent("k", 1) is False
        assert store.consume("k") is None
        assert store.consume("k") is ABSENT

    def test_of_many_threads_one_wins_every_key(self, place: Place) -> None:
        """Threads that share one handle, and threads with a handle each, have one winner a key."""
        shared = place.store()
        stores = [shared, shared, place.store(), place.store()]
        wins: list[list[int]] = [[] for _ in range(25)]
        start = threading.Barrier(len(stores))

        def claim(number: int, store: Store) -> None:
            start.wait()
            for key, winners in enumerate(wins):
                if store.register_if_absent(f"k{key}", number):
                    winners.append(number)

        run_threads([(claim, (number, store)) for number, store in enumerate(stores)])
        assert [len(winners) for winners in wins] == [1] * len(wins)
        assert [shared.lookup(f"k{key}") for key in range(len(wins))] == [w[0] for w in wins]


class TestUpserts:
    def test_register_replaces_value_age_and_expiry_together(self, place: Place) -> None:
        """A register without TTL on a row that had one leaves a row that never expires."""
        store = place.store()
        store.register("k", 1, ttl_ms=5)
        place.clock.advance(3)
        assert store.register("k", 2) is None
        assert rows(store) == [("k", 2, T0 + 3, None)]

    def test_default_ttl_applies_unless_one_is_given(self, place: Place) -> None:
        """The namespace's default TTL counts for claims and registers without one."""
        store = place.store(default_ttl_ms=7)
        store.register("a", 1)
        store.register_if_absent("b", 1)
        store.register("c", 1, ttl_ms=2)
        assert [row[3] for row in rows(store)] == [T0 + 7, T0 + 7, T0 + 2]


class TestRemovals:
    def test_delete_is_true_once(self, place: Place) -> None:
        """Delete answers true for a live row and false where there is none."""
        store = place.store()
        store.register("k", 1)
        assert store.delete("k") is True
        assert store.delete("k") is False
        assert store.lookup("k") is ABSENT

    def test_delete_takes_an_expired_row_away(self, place: Place) -> None:
        """An expired row is not live, so delete answers false, and the row is gone."""
        store = place.store()
        store.register("k", 1, ttl_ms=1)
        place.clock.advance(1)
        assert store.delete("k") is False
        assert place.backends[0].sweep_expired() == 0

    def test_sweep_counts_expired_rows_of_all_plugins(self, place: Place) -> None:
        """Sweep removes what has expired, whoever owns it, and no live row."""
        backend = place.backend()
        stores = [backend.open(p, n, max_entries=9) for p in "ab" for n in "xy"]
        for store in stores:
            store.register("gone", 1, ttl_ms=1)
            store.register("kept", 1, ttl_ms=2)
        place.clock.advance(1)
        assert backend.sweep_expired() == 4
        assert backend.sweep_expired() == 0
        assert [keys(store) for store in stores] == [["kept"]] * 4

    def test_clear_stays_in_its_namespace(self, place: Place) -> None:
        """Clear touches neither a namespace whose name begins alike nor another plugin."""
        backend = place.backend()
        named = [("p", "n"), ("p", "n1"), ("p", "n_"), ("p%", "n"), ("P", "n"), ("p", "N")]
        stores = [backend.open(p, n, max_entries=9) for p, n in named]
        for store in stores:
            store.register("k", 1)
        stores[0].clear()
        assert [keys(store) for store in stores] == [[]] + [["k"]] * 5


class TestLimits:
    def test_the_oldest_goes_and_ties_go_by_key(self, place: Place) -> None:
        """Eviction takes the oldest by (created_at, key), never the row just written."""
        store = place.store(max_entries=2)
        store.register("b", 1)
        store.register("c", 1)
        assert store.register_if_absent("a", 1) is True
        assert keys(store) == ["a", "c"]
        place.clock.advance(1)
        store.register("a", 2)
        store.register("z", 1)
        assert keys(store) == ["a", "z"]

    def test_the_row_just_written_stays_when_the_clock_goes_back(self, place: Place) -> None:
        """A claim that was won at an earlier time than all others is there after it."""
        store = place.store(max_entries=1)
        store.register("old", 1)
        place.clock.advance(-500)
        assert store.register_if_absent("new", 2) is True
        assert keys(store) == ["new"]

    def test_expired_rows_cost_no_live_row(self, place: Place) -> None:
        """Expired rows count neither towards `max_entries` nor towards the plugin's cap."""
        backend = place.backend(SMALL)
        one, other = (backend.open("p", n, max_entries=2) for n in "xy")
        one.register("live", 1)
        one.register("dead", 1, ttl_ms=1)
        other.register("dead1", 1, ttl_ms=1)
        other.register("dead2", 1, ttl_ms=1)
        place.clock.advance(1)
        assert one.register_if_absent("new", 1) is True
        assert keys(one) == ["live", "new"]
        assert other.register_if_absent("a", 1) is True
        assert other.register_if_absent("b", 1) is True

    def test_a_refused_insert_leaves_everything_as_it_was(self, place: Place) -> None:
        """At the cap a new key fails, evicting nobody; what needs no new row works."""
        backend = place.backend(SMALL)
        full, wide = backend.open("p", "full", max_entries=2), backend.open("p", "w", max_entries=9)
        for store in (full, wide):
            store.register("a", 1)
            store.register("b", 1)
        before = rows(full), rows(wide)
        for insert in (wide.register, wide.register_if_absent):
            with pytest.raises(LimitExceeded) as caught:
                insert("c", 1)
            assert (caught.value.code, caught.value.operation) == ("LIMIT_EXCEEDED", "register")
        assert (rows(full), rows(wide)) == before
        assert wide.register_if_absent("a", 2) is False
        wide.register("a", 2)
        assert full.register_if_absent("c", 1) is True
        assert keys(full) == ["b", "c"]
        assert backend.open("q", "w", max_entries=9).register_if_absent("c", 1) is True

    def test_an_insert_over_the_cap_gives_back_what_it_evicted(self, place: Place) -> None:
        """Where a namespace is over-full and the cap still refuses, its evicted rows are back."""
        backend = place.backend()
        wide = backend.open("p", "wide", max_entries=9)
        for number in range(8):
            wide.register(f"k{number}", number)
        tight = place.backend(SMALL).open("p", "tight", max_entries=1)
        with pytest.raises(LimitExceeded):
            tight.register("new", 1)
        assert len(keys(wide)) == 8
        assert keys(tight) == []

    def test_newer_profile_evicts_the_oldest_of_the_plugin(self, place: Place) -> None:
        """With the policy `evict-oldest` the cap drives out the plugin's oldest row."""
        backend = place.backend(dataclasses.replace(NEWER, plugin_row_cap=2))
        one, other = (backend.open("p", n, max_entries=9) for n in "xy")
        foreign = backend.open("q", "x", max_entries=9)
        foreign.register("f", 1)
        for number, store in enumerate((one, other, one)):
            place.clock.advance(1)
            assert store.register_if_absent(f"k{number}", number) is True
        assert (keys(one), keys(other), keys(foreign)) == (["k2"], ["k1"], ["f"])

    def test_no_cap_at_all(self, place: Place) -> None:
        """A profile without a cap refuses and evicts nothing."""
        store = place.store(dataclasses.replace(BASE, plugin_row_cap=None))
        for number in range(20):
            store.register(f"k{number}", number)
        assert len(keys(store)) == 20

    def test_a_limit_of_any_size_works(self, place: Place) -> None:
        """`max_entries` has no upper bound."""
        assert place.store(max_entries=2**80).register_if_absent("k", 1) is True


class TestIsolation:
    def test_triples_never_collide(self, place: Place) -> None:
        """Keys that differ in case, Unicode form, wildcards or separators are different keys."""
        store = place.store()
        nasty = [*("a", "A", "a:b", "a%", "a_", "a'b", 'a"b', "a\\0", "\u00e9", "e\u0301")]
        nasty += ["\u00df", "ss", "\ufffd", "\U0001f600", "x" * 511, "x" * 512]
        assert [store.register_if_absent(key, key) for key in nasty] == [True] * len(nasty)
        assert [store.lookup(key) for key in nasty] == nasty
        assert sorted(keys(store)) == sorted(nasty)

    def test_values_are_copies(self, place: Place) -> None:
        """What the caller does to an object that it stored or got back changes no row."""
        store = place.store()
        value = {"list": [1]}
        store.register("k", value)
        value["list"].append(2)
        got: Any = store.lookup("k")
        got["list"].append(3)
        listed: Any = store.entries()[0].value
        listed["list"].append(4)
        assert store.consume("k") == {"list": [1]}

    @pytest.mark.parametrize(
        "value",
        [
            *(None, True, False, 0, -1, 2**70, 0.1, -0.0, 1e300, "", "\0", "\ud800", "é😀"),
            *([], {}, [[], {}], {"": {"\udfff": [None, "a\u2028"]}}),
        ],
        ids=ascii,
    )
    def test_values_come_back_as_they_were(self, place: Place, value: Any) -> None:
        """Every JSON value comes back equal and of the same type, also text with odd characters."""
        store = place.store()
        store.register("k", value)
        got = store.lookup("k")
        assert got == value
        assert type(got) is type(value)


def cyclic() -> list[Any]:
    """Answer a list that holds itself."""
    holds_itself: list[Any] = []
    holds_itself.append(holds_itself)
    return holds_itself


def nested(levels: int) -> list[Any]:
    """Answer an array whose innermost array is at the given level."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def doubled(levels: int) -> list[Any]:
    """Answer a small value whose JSON has two to the power of `levels` arrays."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value, value]
    return value


def kind(given: object) -> str:
    """Name a parameter by its type."""
    return given.__name__ if isinstance(given, type) else type(given).__name__


class TestInput:
    @pytest.mark.parametrize(
        ("plugin", "namespace", "options"),
        [
            ("core:x", "n", {}),
            (None, "n", {}),
            ("\ud800", "n", {}),
            ("p", "", {}),
            ("p", " \t", {}),
            ("p", "-n", {}),
            ("p", "n/m", {}),
            ("p", "n\n\nm", {}),
            ("p", "é", {}),
            ("p", "\u212a", {}),
            ("p", "n" * 129, {}),
            ("p", 7, {}),
            *(("p", "n", {"max_entries": bad}) for bad in (0, -1, True, 1.0, "1", None)),
            *(("p", "n", {"default_ttl_ms": bad}) for bad in (0, -1, True, 1.5, "1")),
        ],
    )
    def test_open_refuses(self, place: Place, plugin: Any, namespace: Any, options: Any) -> None:
        """What section 5 refuses at opening is INVALID_INPUT of the operation `open`."""
        with pytest.raises(InvalidInput) as caught:
            place.backend().open(plugin, namespace, **{"max_entries": 1, **options})
        assert (caught.value.code, caught.value.operation) == ("INVALID_INPUT", "open")

    def test_open_accepts_the_edges(self, place: Place) -> None:
        """A namespace is trimmed, keeps its case, and may have 128 bytes."""
        backend = place.backend()
        backend.open("p", " \r\nA.b_c-9\t", max_entries=1).register("k", 1)
        assert backend.open("p", "A.b_c-9", max_entries=1).lookup("k") == 1
        assert backend.open("p", "a.b_c-9", max_entries=1).lookup("k") is ABSENT
        assert backend.open("", "n" * 128, max_entries=1).register_if_absent("k", 1) is True

    def test_other_options_are_refused_while_a_handle_is_open(self, place: Place) -> None:
        """One process sees a namespace with one set of options, until the last handle is closed."""
        first, second = place.backend(), place.backend()
        first.open("p", "n", max_entries=5, default_ttl_ms=9)
        second.open("p", " n ", max_entries=5, default_ttl_ms=9)
        for options in ({"max_entries": 6, "default_ttl_ms": 9}, {"max_entries": 5}):
            with pytest.raises(InvalidInput, match="the same options"):
                second.open("p", "n", **options)
        first.close()
        first.close()
        with pytest.raises(InvalidInput):
            second.open("p", "n", max_entries=6)
        second.close()
        place.backend().open("p", "n", max_entries=6)

    @pytest.mark.parametrize(
        "key", ["", " \t\r\n", "k" * 513, "é" * 257, "a\0b", "\ud800", None, 7]
    )
    def test_keys_refused(self, place: Place, key: Any) -> None:
        """A key that is empty, too long, not text or not safe to keep is refused everywhere."""
        store = place.store()
        calls = {
            "register": [lambda: store.register(key, 1), lambda: store.register_if_absent(key, 1)],
            "lookup": [lambda: store.lookup(key)],
            "consume": [lambda: store.consume(key)],
            "delete": [lambda: store.delete(key)],
        }
        for operation, attempts in calls.items():
            for attempt in attempts:
                with pytest.raises(InvalidInput) as caught:
                    attempt()
                assert caught.value.operation == operation
        assert store.entries() == []

    def test_keys_that_trim_to_one_are_one(self, place: Place) -> None:
        """White space around a key does not count, for any operation; 512 bytes are allowed."""
        store = place.store()
        longest = "é" * 256
        assert store.register_if_absent(f" {longest}\n", 1) is True
        assert store.register_if_absent(f"\t{longest}\r", 2) is False
        assert store.lookup(longest) == 1
        assert keys(store) == [longest]
        assert store.consume(f"{longest} ") == 1
        store.register("k", 1)
        assert store.delete(" k") is True

    @pytest.mark.parametrize(
        "ttl_ms", [0, -1, True, 1.0, "5", 2**53, 2**63, 2**80, 10**5000], ids=kind
    )
    def test_ttls_refused(self, place: Place, ttl_ms: Any) -> None:
        """A TTL that is no positive integer, or ends too late to be kept exactly, is refused."""
        store = place.store()
        store.register("held", 1)
        for write in (store.register, store.register_if_absent):
            for key in ("held", "new"):
                with pytest.raises(InvalidInput) as caught:
                    write(key, 2, ttl_ms=ttl_ms)
                assert caught.value.operation == "register"
        assert rows(store) == [("held", 1, T0, None)]

    def test_the_longest_ttl_works(self, place: Place) -> None:
        """A TTL that ends at the last exact millisecond is kept, and poisons no reader."""
        store = place.store()
        assert store.register_if_absent("k", 1, ttl_ms=2**53 - 1 - T0) is True
        assert rows(store) == [("k", 1, T0, 2**53 - 1)]

    @pytest.mark.parametrize(
        ("value", "error"),
        [
            (float("nan"), InvalidInput),
            ([float("inf")], InvalidInput),
            ({1: 2}, InvalidInput),
            ({"a": {1, 2}}, InvalidInput),
            (b"a", InvalidInput),
            (object(), InvalidInput),
            (10**5000, InvalidInput),
            ("\ud83d\ude00", InvalidInput),
            (cyclic(), InvalidInput),
            (nested(65), LimitExceeded),
            (nested(10_000), LimitExceeded),
            (doubled(60), LimitExceeded),
            ("x" * 65_535, LimitExceeded),
            ("é" * 32_768, LimitExceeded),
        ],
        ids=kind,
    )
    def test_values_refused(self, place: Place, value: Any, error: type[StoreError]) -> None:
        """What is no JSON, too deep or too large is refused, and nothing is written."""
        store = place.store()
        store.register("held", 1, ttl_ms=5)
        for write in (store.register, store.register_if_absent):
            for key in ("held", "new"):
                with pytest.raises(error) as caught:
                    write(key, value)
                assert caught.value.operation == "register"
        assert rows(store) == [("held", 1, T0, T0 + 5)]

    def test_values_at_the_edges_are_kept(self, place: Place) -> None:
        """64 levels below the root and 65,536 bytes of compact UTF-8 are allowed."""
        store = place.store()
        for value in (nested(64), "x" * 65_534, "é" * 32_767, [0] * 32_766 + [10]):
            store.register("k", value)
            assert store.lookup("k") == value


class TestClosing:
    def test_a_closed_handle_says_so(self, place: Place) -> None:
        """Every operation after `close` raises OPEN_FAILED with its own name."""
        store = place.store()
        place.backends[0].close()
        for operation in ("lookup", "consume", "delete"):
            with pytest.raises(StoreError, match="closed") as caught:
                getattr(store, operation)("k")
            assert (caught.value.code, caught.value.operation) == ("OPEN_FAILED", operation)
        for operation in ("entries", "clear"):
            with pytest.raises(StoreError, match="closed"):
                getattr(store, operation)()
        for operation in ("register", "register_if_absent"):
            with pytest.raises(StoreError, match="closed"):
                getattr(store, operation)("k", 1)

    def test_handles_of_one_location_share_data(self, place: Place) -> None:
        """What one handle wrote another one of the same location sees at once."""
        one, other = place.store(), place.store()
        assert one.register_if_absent("k", 1) is True
        assert other.register_if_absent("k", 2) is False
        assert other.lookup("k") == 1


def run_threads(calls: list[tuple[Callable[..., None], tuple[Any, ...]]]) -> None:
    """Run the calls in parallel with frequent switches, and raise what one of them raised."""
    raised: list[BaseException] = []

    def run(call: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        try:
            call(*arguments)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=call) for call in calls]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if raised:
        raise raised[0]
