"""The mutants: well-formed, and each of them different from the reference in what callers see."""

from __future__ import annotations

import dataclasses
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from onewinner import ABSENT, ManualClock, StoreError
from onewinner.contract import BASE, Capabilities
from onewinner.contract.clauses import CLAUSES
from onewinner.mutants import MUTANTS
from onewinner.mutants.registry import changed
from onewinner.stores import memory, sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from onewinner.contract import Backend, Store

T0 = 1_000_000
SMALL = dataclasses.replace(BASE, plugin_row_cap=4, max_value_bytes=200)


class Scene:
    """A target at a location, with virtual time; what is seen is kept to be compared."""

    def __init__(self, connect: Callable[..., Backend], location: Path) -> None:
        self.clock = ManualClock(T0)
        self.seen: list[object] = []
        self._connect = connect
        self._location = str(location)
        self.reconnect()

    def reconnect(self) -> None:
        """Open one handle more; the first one stays."""
        self.backend = self._connect(self._location, clock=self.clock, profile=SMALL)

    def open(self, plugin: str = "p", namespace: str = "n", **options: Any) -> Store:
        """Open a namespace with room for a hundred rows."""
        return self.backend.open(plugin, namespace, **{"max_entries": 100, **options})

    def see(self, call: Callable[..., object], *arguments: Any, **options: Any) -> None:
        """Keep what a call answered or which error it raised."""
        try:
            self.seen.append(call(*arguments, **options))
        except StoreError as error:
            self.seen.append((error.code, error.operation))


def claims(scene: Scene) -> None:
    """Claim a key twice, and look at what the second claim left."""
    store = scene.open(default_ttl_ms=50)
    for value, ttl_ms in ((1, 10), (2, 20), (None, None)):
        scene.see(store.register_if_absent, "k", value, ttl_ms=ttl_ms)
        scene.see(store.entries)
        scene.clock.advance(3)
    scene.see(lambda: type(store.register_if_absent("new", 1)))
    scene.see(store.entries)


def upserts(scene: Scene) -> None:
    """Register over a live row, with and without TTL."""
    store = scene.open()
    for value, ttl_ms in ((1, 10), (2, 20), (3, None)):
        scene.see(store.register, "k", value, ttl_ms=ttl_ms)
        scene.see(store.entries)
        scene.clock.advance(3)


def time_to_live(scene: Scene) -> None:
    """Look at a row just before, at and after its expiry, then claim its key."""
    plain, with_default = scene.open(), scene.open(namespace="d", default_ttl_ms=2_000)
    for key in ("a", "b"):
        plain.register(key, 1, ttl_ms=1_999)
        with_default.register(key, 1, ttl_ms=1 if key == "a" else None)
    for step in (1, 1_997, 1, 1, 5_000_000):
        scene.clock.advance(step)
        for store in (plain, with_default):
            scene.see(store.entries)
            scene.see(store.lookup, "a")
    scene.see(plain.register_if_absent, "a", 2)
    scene.see(plain.register, "huge", 1, ttl_ms=2**53)
    scene.see(plain.entries)


def looks(scene: Scene) -> None:
    """Look at a row again and again until it must be gone."""
    store = scene.open()
    store.register("k", 1, ttl_ms=10)
    store.register("null", None)
    for _ in range(4):
        scene.see(store.lookup, "k")
        scene.see(store.lookup, "null")
        scene.clock.advance(4)


def sweeps(scene: Scene) -> None:
    """Sweep once something has expired, and something has not."""
    store = scene.open()
    for ttl_ms in (1, 2, None):
        store.register(f"k{ttl_ms}", 1, ttl_ms=ttl_ms)
    scene.clock.advance(1)
    scene.see(scene.backend.sweep_expired)
    scene.see(store.entries)


def full_namespace(scene: Scene) -> None:
    """Claim, upsert and lose claims in a namespace of two rows beside its siblings."""
    store, sibling = scene.open(max_entries=2), scene.open(namespace="m")
    other = scene.open(plugin="q")
    for quiet in (sibling, other):
        quiet.register("old", 1)
    scene.clock.advance(1)
    for operation, key in (
        ("register", "z"),
        ("register_if_absent", "y"),
        ("register_if_absent", "y"),
        ("register", "z"),
        ("register_if_absent", "x"),
        ("register", "w"),
        ("register", "zz"),
        ("register", "aa"),
        ("register", "mm"),
    ):
        scene.see(getattr(store, operation), key, 1)
        scene.see(lambda: [[e.key for e in s.entries()] for s in (store, sibling, other)])
        scene.clock.advance(int(key == "y" or len(key) > 1))


def dead_rows(scene: Scene) -> None:
    """Fill a namespace and a plugin with rows that expire, then write live ones."""
    store, sibling = scene.open(max_entries=2), scene.open(namespace="m")
    store.register("live", 1)
    store.register("z", 1, ttl_ms=1)
    sibling.register("dead1", 1, ttl_ms=1)
    sibling.register("dead2", 1, ttl_ms=1)
    scene.clock.advance(1)
    scene.see(store.register_if_absent, "new", 1)
    scene.see(store.entries)
    scene.see(scene.open(namespace="o").register_if_absent, "new", 1)
    for key in ("a", "b"):
        scene.see(sibling.register_if_absent, key, 1)


def cap(scene: Scene) -> None:
    """Fill a plugin to its cap of four rows and go on, beside another plugin."""
    one, two = scene.open(max_entries=2), scene.open(namespace="m")
    foreign = scene.open(plugin="q")
    foreign.register("f", 1)
    for store, key in ((one, "a"), (one, "b"), (two, "a"), (two, "b"), (two, "c"), (one, "c")):
        scene.see(store.register_if_absent, key, 1)
        scene.see(lambda: [[e.key for e in s.entries()] for s in (one, two, foreign)])
    scene.see(two.register, "a", 2)
    scene.see(two.register_if_absent, "a", 3)
    scene.see(two.register, "d", 1)
    scene.see(foreign.register_if_absent, "g", 1)
    scene.see(two.delete, "a")
    scene.see(two.register, "e", 1)


def addresses(scene: Scene) -> None:
    """Claim under names that are alike, then clear one namespace."""
    names = [
        ("p", "n"),
        ("p", "n1"),
        ("q", "n"),
        ("p.n", "x"),
        ("p", "n.x"),
        ("p", "N"),
        ("q\0q", "n"),
    ]
    stores = [scene.open(plugin, namespace) for plugin, namespace in names]
    for store in stores:
        scene.see(store.register_if_absent, "k", 1)
    stores[0].clear()
    scene.see(lambda: [[e.key for e in store.entries()] for store in stores])


def keys(scene: Scene) -> None:
    """Claim keys that are alike, too long, or no Unicode."""
    store = scene.open(max_entries=3)
    for key in (
        *("k", "K", "\u00e9", "e\u0301", "a\0b", "\ud800", "\ud801"),
        *("x" * 513, "\u00e9" * 257, "", " t\n"),
    ):
        scene.see(store.register_if_absent, key, 1)
        scene.see(store.lookup, key)
        scene.see(lambda: [e.key for e in store.entries()])


def spellings(scene: Scene) -> None:
    """Look for, claim and delete what differs from a live key by white space or a wildcard."""
    store = scene.open()
    for key in (" k", "k\n", "_", "", "x" * 512 + "\n"):
        scene.see(store.register, "k", 1)
        scene.see(store.lookup, key)
        scene.see(store.register_if_absent, key, 2)
        scene.see(store.delete, key)
        scene.see(lambda: [e.key for e in store.entries()])


def values(scene: Scene) -> None:
    """Claim with values and TTLs that must be refused or are just allowed."""
    store = scene.open()
    deep: list[Any] = []
    for _ in range(40):
        deep = [deep]
    tags = ["x"]
    scene.see(store.register_if_absent, "shared", [tags, tags])
    too_deep: list[Any] = []
    for _ in range(90):
        too_deep = [too_deep]
    for value in (
        float("nan"),
        object(),
        b"x",
        "\u00e9" * 100,
        "x" * 198,
        "x" * 199,
        deep,
        too_deep,
    ):
        scene.see(store.register_if_absent, "k", value)
        scene.see(store.delete, "k")
    for ttl_ms in (0, 1.5):
        scene.see(store.register_if_absent, "k", 1, ttl_ms=ttl_ms)
        scene.see(store.entries)
    store.register("k", 1)
    scene.see(store.register, "k", float("nan"))
    scene.see(store.entries)


def openings(scene: Scene) -> None:
    """Open what must not be opened."""
    scene.see(lambda: type(scene.open("core:x")) is object)
    scene.see(lambda: type(scene.open("p", "n" * 129)) is object)
    scene.see(lambda: type(scene.open("p", "a b")) is object)
    scene.see(lambda: type(scene.open("p", "zero", max_entries=0)) is object)
    scene.open(max_entries=5)
    scene.see(lambda: type(scene.open(max_entries=6)) is object)
    scene.reconnect()
    scene.see(lambda: type(scene.open(max_entries=6)) is object)


def removals(scene: Scene) -> None:
    """Delete, consume and clear what is there and what is not."""
    store = scene.open()
    store.register("a", 1)
    store.register("b", 1, ttl_ms=50)
    for operation in ("consume", "lookup", "delete"):
        for key in ("a", "b", "none"):
            scene.see(getattr(store, operation), key)
    store.register("b", 1)
    scene.clock.advance(1)
    store.register("a", 1)
    scene.see(store.entries)
    store.clear()
    scene.see(store.entries)


def objects(scene: Scene) -> None:
    """Change the objects that were passed in and got back."""
    store = scene.open()
    given = {"list": [1]}
    store.register("k", given)
    given["list"].append(2)
    got: Any = store.lookup("k")
    got["list"].append(3)
    scene.see(lambda: repr(store.lookup("k")))


def handles(scene: Scene) -> None:
    """Write with one handle and read with another, then close all and open again."""
    first, writer = scene.backend, scene.open()
    writer.register("k", 1, ttl_ms=50)
    scene.reconnect()
    reader = scene.open()
    scene.see(reader.lookup, "new")
    writer.register("new", 1, ttl_ms=50)
    scene.see(reader.lookup, "new")
    scene.see(reader.lookup, "k")
    writer.register("k", 2, ttl_ms=50)
    scene.see(reader.lookup, "k")
    first.close()
    scene.backend.close()
    scene.clock.advance(5)
    scene.reconnect()
    scene.see(scene.open().entries)


def kinds_of_values(scene: Scene) -> None:
    """Claim twice with one value, read it, and take it; then ask for what is not there."""
    store = scene.open()
    for value in (None, 0, True, 0.5, {"a": None}):
        for _ in range(2):
            scene.see(store.register_if_absent, "k", value)
        for operation in ("lookup", "consume", "consume", "lookup"):
            scene.see(lambda name=operation: repr(getattr(store, name)("k")))


def reclaims(scene: Scene) -> None:
    """Claim again what was deleted, upserted or has expired, and what was not."""
    store = scene.open()
    store.register("k", 1, ttl_ms=9)
    store.register("k", 2)
    store.register("gone", 1, ttl_ms=90)
    store.delete("gone")
    scene.see(store.register_if_absent, "gone", 1)
    scene.clock.advance(9)
    scene.see(store.entries)
    store.clear()
    for life, key in enumerate("abcd", 1):
        store.register(key, 1, ttl_ms=life)
    scene.clock.advance(4)
    scene.see(store.register_if_absent, "d", 1)
    scene.see(store.consume, "c")
    scene.see(store.entries)


def consumed_late(scene: Scene) -> None:
    """Consume what has expired, before anybody else looks."""
    store = scene.open()
    store.register("k", 1, ttl_ms=1)
    scene.clock.advance(1)
    scene.see(store.consume, "k")


def long_lives(scene: Scene) -> None:
    """Look at rows that live for long, and for ever, a while later."""
    store = scene.open()
    store.register("long", 1, ttl_ms=2**32)
    store.register("ever", 1)
    for _ in range(2):
        scene.clock.advance(2**30 if scene.seen == [] else 2**36)
        scene.see(store.entries)


def many_rows(scene: Scene) -> None:
    """List more rows than fit on a page."""
    store = scene._connect(scene._location, clock=scene.clock).open("p", "many", max_entries=100)
    for number in range(60):
        store.register(f"k{number}", 1)
    scene.see(lambda: len(store.entries()))


def victims(scene: Scene) -> None:
    """Overfill namespaces whose rows differ in age, life, use and order of insertion."""
    for name, steps in (("a", (1, 1, 1)), ("b", (0, 0, 0)), ("c", (1, -9, 1))):
        store = scene.open(namespace=name, max_entries=2)
        for key, step in zip("zya", steps, strict=True):
            scene.see(store.register_if_absent, key, 1, ttl_ms=9_000 if key == "y" else None)
            scene.see(store.lookup, "z")
            scene.clock.advance(1)
            scene.see(store.lookup, "z")
            scene.clock.advance(step - 1)
        scene.see(lambda store=store: [entry.key for entry in store.entries()])
        store.clear()
    store = scene.open(namespace="back", max_entries=2)
    for key, step in (("old", 1), ("renewed", -9), ("renewed", 0)):
        store.register(key, step)
        scene.clock.advance(step)
    for key in ("new", "newer"):
        scene.see(store.register_if_absent, key, 1)
        scene.see(lambda: sorted(entry.key for entry in store.entries()))


def signs(scene: Scene) -> None:
    """Claim keys that look alike or are no Unicode, and read text that might be changed."""
    store = scene.open(max_entries=3)
    for key in ("\ufb01", "fi", "\U0001f600", "\U0001f601", "k\u200bk", "kk", "x\ud800", "x"):
        scene.see(store.register_if_absent, key, key)
        scene.see(store.lookup, key)
    for value in ("e\u0301", "a\ud800", None):
        scene.see(store.register, "k", value)
        scene.see(store.lookup, "k")
    scene.see(lambda: [entry.key for entry in store.entries()])
    scene.see(store.register_if_absent, "k", 1)


def limits(scene: Scene) -> None:
    """Use what is just within a limit, and what is one over."""
    store = scene.open()
    for key in ("x" * 512, "x" * 513):
        scene.see(store.register_if_absent, key, 1)
    scene.see(lambda: type(scene.open("p", "n" * 128)) is object)
    deep: list[Any] = []
    for _ in range(63):
        deep = [deep]
    for value in (deep, [deep], [[deep]]):
        scene.see(store.register_if_absent, "deep", value)
        scene.see(store.delete, "deep")


def listings(scene: Scene) -> None:
    """Change the objects that were listed."""
    store = scene.open()
    store.register("k", [1])
    listed: Any = store.entries()
    listed[0].value.append(2)
    scene.see(lambda: repr(store.entries()))


# Families whose mutants a case of their clause shows; see test_newer.py.
BY_CASES = {"handles", "likenesses", "many_rows", "newer", "newer_writes", "widths"}

# Broken under a profile of their own, so not comparable with the base profile's reference store.
OTHER_PROFILE = {
    "reject-new-evicts-anyway": "full_namespace_rejects_new_keys",
    "reject-new-refuses-duplicates": "full_namespace_rejects_new_keys",
    "reject-new-counts-expired-rows": "expired_rows_leave_room_where_new_keys_are_rejected",
    "cap-sheds-youngest": "oldest_rows_of_the_plugin_are_at_stake_at_the_cap",
    "cap-sheds-from-own-namespace": "oldest_rows_of_the_plugin_are_at_stake_at_the_cap",
    "reject-new-refuses-updates": "full_namespace_rejects_new_keys",
}

SEEN_IN: dict[Callable[[Scene], None], str] = {
    claims: """claim-overwrites-live refused-claim-overwrites-value refused-claim-makes-row-newest
        claim-always-true claim-answers-none claim-answers-count refused-claim-refreshes-ttl
        default-ttl-ignored default-ttl-overrides-given claims-ignore-default-ttl loser-releases""",
    upserts: """register-keeps-created-at register-keeps-expiry register-keeps-old-value
        register-replaces-value-only hidden-default-ttl register-only-updates""",
    time_to_live: """expiry-off-by-one-ms expired-row-blocks-claim ttl-in-seconds huge-ttl-poison
        expiry-rounded-to-seconds entries-show-expired reclaim-keeps-created-at""",
    looks: """lookup-extends-life null-is-absent lookup-removes
        lookup-wants-expiry lookup-answers-expired""",
    sweeps: "sweep-takes-live-rows sweep-answers-zero",
    full_namespace: """evicts-row-just-written refused-claim-evicts register-on-full-evicts-other
        eviction-reaches-sibling-namespace eviction-reaches-other-plugin evicts-youngest
        siblings-count-towards-max-entries evicts-by-key ties-go-the-other-way evicts-in-batches
        max-entries-off-by-one claims-never-evict refused-claim-sheds-oldest
        evicts-in-order-of-insertion""",
    dead_rows: """expired-rows-fill-namespace expired-rows-linger cap-counts-expired-rows
        cap-counts-other-expired-keys""",
    cap: """cap-refusal-leaves-row cap-per-namespace cap-off-by-one cap-of-all-plugins
        claims-ignore-cap cap-ignores-own-eviction cap-checked-first error-swallowed-as-false
        cap-refuses-duplicates cap-refusal-loses-old-row cap-refusal-is-for-good
        refusal-leaves-transaction-open""",
    addresses: """joined-key-collision clear-uses-like clear-reaches-other-plugin
        clear-takes-whole-plugin plugins-share-namespaces clear-ignores-case
        plugin-ends-at-nul""",
    keys: """case-folded-keys normalised-keys lone-surrogates-collide key-ends-at-nul
        key-not-trimmed-in-lookup key-length-in-characters long-keys-truncated
        error-names-no-operation error-code-of-its-own""",
    spellings: """key-length-before-trimming key-not-trimmed-in-delete key-trimmed-at-its-end-only
        lookup-uses-like delete-uses-like refusal-poisons-the-handle
        error-names-inner-operation lock-kept-on-refusal""",
    values: """ttl-zero-means-forever nan-becomes-null value-limit-in-characters
        shared-part-is-a-cycle
        value-limit-off-by-one depth-unchecked refused-input-half-written
        ttl-truncated-to-integer objects-become-text depth-limit-too-low value-limit-one-over
        refused-value-removes-row bytes-become-text""",
    openings: """namespace-length-unchecked reserved-plugins-open options-not-compared
        options-per-connection namespace-cut-at-bad-character reserved-plugins-renamed
        max-entries-zero-is-one""",
    removals: """delete-always-true consume-leaves-row clear-spares-permanent-rows
        entries-unordered delete-answers-none""",
    objects: "value-aliasing parsed-values-shared shallow-copy-kept",
    handles: """not-durable times-start-anew-at-open stale-read-cache absence-remembered
        expiries-lost-at-open""",
    kinds_of_values: """falsy-value-is-absent consumed-null-is-absent absent-is-null
        true-becomes-one null-members-dropped fractions-cut consumed-absent-is-null
        won-if-value-is-mine""",
    reclaims: """reclaim-keeps-expiry delete-leaves-tombstone clean-up-in-batches
        inherited-expiry timers-not-cancelled""",
    consumed_late: "consume-answers-expired",
    long_lives: """long-ttl-is-absolute-time entries-tell-rest-of-life ttl-wraps-at-thirty-two-bits
        forever-is-a-year""",
    many_rows: "entries-stop-at-fifty",
    signs: """compatibility-forms-folded wide-signs-become-question-marks zero-width-signs-dropped
        lone-surrogates-dropped lone-surrogates-in-values-replaced values-normalised
        null-row-is-vacant null-left-out-of-listing""",
    limits: """key-limit-one-over key-limit-one-short namespace-limit-one-short
        depth-limit-one-over""",
    listings: "listed-rows-shared",
    victims: """evicts-least-recently-read evicts-soonest-to-expire ties-go-by-insertion
        newest-by-age-is-protected clock-set-back-evicts-new-row
        clock-set-back-ages-new-rows clock-set-back-ages-renewed-rows""",
}
ALONE = {name: scenario for scenario, names in SEEN_IN.items() for name in names.split()}


def watch(scenario: Callable[[Scene], None], connect: Any, location: Path) -> list[object]:
    """Play a scenario on a target and answer what was seen."""
    scene = Scene(connect, location)
    scenario(scene)
    scene.backend.close()
    return scene.seen


class TestTheRegistry:
    def test_there_are_enough(self) -> None:
        """All that the plan for the first mutants names is there."""
        wanted = """lookup-then-register thread-lock-only claim-overwrites-live
            refused-claim-refreshes-ttl refused-claim-evicts expiry-off-by-one-ms
            expired-row-blocks-claim evicts-row-just-written eviction-reaches-sibling-namespace
            cap-counts-expired-rows cap-refusal-leaves-row joined-key-collision clear-uses-like
            consume-reads-then-deletes entries-unordered"""
        assert set(wanted.split()) <= set(MUTANTS)

    @pytest.mark.parametrize("name", MUTANTS)
    def test_an_entry_is_well_formed(self, name: str) -> None:
        """A mutant has a kebab-case name, a lesson, clauses that exist, and how it is seen."""
        mutant = MUTANTS[name]
        assert mutant.name == name
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", name)
        assert mutant.clauses
        assert len(set(mutant.clauses)) == len(mutant.clauses)
        assert set(mutant.clauses) <= set(CLAUSES)
        assert re.fullmatch(r"[A-Z`].{20,110}\.", mutant.lesson)
        assert mutant.shows in {"alone", "threads", "processes", "faults"}
        assert mutant.family in {"answers", "atomicity", "caps", "eviction", "expiry"} | {
            *("durability", "errors", "file_errors", "file_rows", "files", "inputs", "isolation"),
            *(
                *BY_CASES,
                "crashes",
                "locks",
                "newer_races",
                "opening",
                "readers",
                "servers",
                "upserts",
                "values",
            ),
        }

    @pytest.mark.parametrize("name", [m.name for m in MUTANTS.values() if not m.server])
    def test_every_factory_connects(self, name: str, tmp_path: Path) -> None:
        """A mutant is a target: it declares capabilities under which its clause applies."""
        backend = MUTANTS[name].connect(str(tmp_path), clock=ManualClock(T0))
        assert isinstance(backend.capabilities, Capabilities)
        assert CLAUSES[MUTANTS[name].clauses[0]].missing(backend.capabilities) is None
        backend.open("p", "n", max_entries=9).register_if_absent("k", 1)
        backend.close()

    def test_what_one_caller_sees_is_listed(self) -> None:
        """Every mutant that one caller alone can see has a scenario here."""
        alone = {
            m.name
            for m in MUTANTS.values()
            if m.shows == "alone" and not m.server and m.family not in BY_CASES
        }
        by_its_case = {"keys-with-spaces-refused"}  # of files; see test_session.py
        assert set(ALONE) == alone - set(OTHER_PROFILE) - by_its_case

    def test_importing_them_is_light(self) -> None:
        """The registry can be read without Hypothesis."""
        script = "import sys, onewinner.mutants; sys.exit('hypothesis' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

    def test_a_change_must_change(self) -> None:
        """A defect that no longer changes its reference is refused."""
        assert changed("a b", "a", "c") == "c b"
        with pytest.raises(ValueError, match="reword"):
            changed("a b", "x", "c")


class TestAlone:
    @pytest.mark.parametrize("scenario", SEEN_IN, ids=lambda scenario: scenario.__name__)
    def test_the_references_agree(self, scenario: Callable[[Scene], None], tmp_path: Path) -> None:
        """Both reference stores show the same in every scenario, but for what survives closing."""
        in_memory = watch(scenario, memory.connect, tmp_path / "m")
        in_sqlite = watch(scenario, sqlite.connect, tmp_path / "s")
        if scenario is handles:
            assert in_memory.pop() == []
            assert len(in_sqlite.pop()) == 2
        assert in_memory == in_sqlite

    @pytest.mark.parametrize("name", ALONE)
    def test_a_mutant_shows(self, name: str, tmp_path: Path) -> None:
        """One caller sees the defect: the scenario goes another way than on the reference."""
        expected = watch(ALONE[name], sqlite.connect, tmp_path / "reference")
        assert watch(ALONE[name], MUTANTS[name].connect, tmp_path / "mutant") != expected


class Rivals:
    """A mutant's namespace, and a handle of the reference on the same one."""

    def __init__(self, name: str, location: Path) -> None:
        self.clock = ManualClock(T0)
        reference = memory.connect if name == "dict-check-then-set" else sqlite.connect
        self.backends = [
            connect(str(location), clock=self.clock, profile=SMALL)  # type: ignore[call-arg]
            for connect in (MUTANTS[name].connect, reference)
        ]
        self.mutant, self.rival = (b.open("p", "n", max_entries=100) for b in self.backends)

    def before(self, count: int, step: str, act: Callable[[], object], owner: Any = None) -> None:
        """Let the rival act just before the mutant takes its `count`th step of a kind."""
        owner = self.mutant._file if owner is None else owner  # type: ignore[attr-defined]
        real, left = getattr(owner, step), list(range(count))

        def stepping(*arguments: Any, **options: Any) -> Any:
            if left:
                left.pop()
                if not left:
                    act()
            return real(*arguments, **options)

        setattr(owner, step, stepping)


@pytest.fixture
def rivals(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rivals]:
    """The mutant that the test is marked with."""
    made = Rivals(request.param, tmp_path)
    yield made
    for backend in made.backends:
        backend.close()


def against(*names: str) -> Any:
    """Run a test against these mutants."""
    return pytest.mark.parametrize("rivals", names, indirect=True)


class TestRivals:
    """The window of each racy mutant, entered on purpose: no luck is needed to see the defect."""

    @against("lookup-then-register", "thread-lock-only")
    def test_two_win_between_look_and_write(self, rivals: Rivals) -> None:
        """A rival who claims between the two transactions wins, and so does the mutant."""
        won: list[bool] = []
        rivals.before(2, "transaction", lambda: won.append(rivals.rival.register_if_absent("k", 1)))
        assert [rivals.mutant.register_if_absent("k", 2), *won] == [True, True]

    @against("dict-check-then-set")
    def test_two_win_between_check_and_set(self, rivals: Rivals) -> None:
        """A rival who claims between check and assignment wins, and so does the mutant."""
        won: list[bool] = []
        act = lambda: won.append(rivals.rival.register_if_absent("k", 1))  # noqa: E731
        rivals.before(2, "_step", act, rivals.mutant)
        assert [rivals.mutant.register_if_absent("k", 2), *won] == [True, True]

    @against(
        *("stale-row-removed-before-claim", "reclaim-without-guard", "reclaim-locked-in-process")
    )
    def test_a_fresh_row_is_removed_as_stale(self, rivals: Rivals) -> None:
        """A rival who reclaims the expired key loses the row to the mutant."""
        rivals.mutant.register("k", 0, ttl_ms=1)
        rivals.clock.advance(1)
        won: list[bool] = []
        rivals.before(1, "transaction", lambda: won.append(rivals.rival.register_if_absent("k", 1)))
        assert [rivals.mutant.register_if_absent("k", 2), *won] == [True, True]

    @against("lookup-removes-expired-by-key")
    def test_a_reader_removes_the_new_owner(self, rivals: Rivals) -> None:
        """A rival who reclaims the expired key loses the row to a mere lookup."""
        rivals.mutant.register("k", 0, ttl_ms=1)
        rivals.clock.advance(1)
        won: list[bool] = []
        rivals.before(1, "transaction", lambda: won.append(rivals.rival.register_if_absent("k", 1)))
        assert rivals.mutant.lookup("k") is ABSENT
        assert [rivals.rival.register_if_absent("k", 2), *won] == [True, True]

    @against("consume-reads-then-deletes")
    def test_two_consume_one_row(self, rivals: Rivals) -> None:
        """A rival who consumes between read and delete gets the same value."""
        rivals.rival.register("k", 7)
        got: list[object] = []
        rivals.before(2, "transaction", lambda: got.append(rivals.rival.consume("k")))
        assert [rivals.mutant.consume("k"), *got] == [7, 7]

    @against("register-deletes-then-inserts")
    def test_a_register_frees_its_key(self, rivals: Rivals) -> None:
        """A rival who claims between the two steps of an upsert wins a key that was never free."""
        rivals.rival.register("k", 0)
        won: list[bool] = []
        rivals.before(2, "transaction", lambda: won.append(rivals.rival.register_if_absent("k", 1)))
        rivals.mutant.register("k", 2)
        assert [won, rivals.rival.lookup("k")] == [[True], 1]

    @against("loser-gets-unique-violation")
    def test_the_loser_is_given_an_error(self, rivals: Rivals) -> None:
        """A rival who claims between look and insert leaves the mutant with an exception."""
        rivals.before(2, "transaction", lambda: rivals.rival.register_if_absent("k", 1))
        with pytest.raises(StoreError, match="UNIQUE"):
            rivals.mutant.register_if_absent("k", 2)

    @against("delete-again-if-found", "delete-again-locked-in-process")
    def test_delete_takes_the_next_owner(self, rivals: Rivals) -> None:
        """A rival who claims the key that was just deleted loses it to the same delete."""
        rivals.rival.register("k", 0)
        won: list[bool] = []
        rivals.before(1, "statement", lambda: won.append(rivals.rival.register_if_absent("k", 1)))
        assert rivals.mutant.delete("k") is True
        assert [rivals.rival.register_if_absent("k", 2), *won] == [True, True]

    @against("consume-again-if-found")
    def test_consume_takes_the_next_owner(self, rivals: Rivals) -> None:
        """A rival who claims the key that was just consumed loses it to the same consume."""
        rivals.rival.register("k", 0)
        won: list[bool] = []
        rivals.before(1, "statement", lambda: won.append(rivals.rival.register_if_absent("k", 1)))
        assert rivals.mutant.consume("k") == 0
        assert [rivals.rival.register_if_absent("k", 2), *won] == [True, True]

    @against("consume-locked-in-process")
    def test_another_process_consumes_too(self, rivals: Rivals) -> None:
        """A rival whom the lock does not stop gets the same value."""
        rivals.rival.register("k", 7)
        got: list[object] = []
        rivals.before(1, "transaction", lambda: got.append(rivals.rival.consume("k")))
        assert [rivals.mutant.consume("k"), *got] == [7, 7]

    @against("cap-outside-transaction", "cap-counted-in-process")
    def test_the_cap_is_passed(self, rivals: Rivals) -> None:
        """A rival who takes the last place does not keep the mutant from inserting."""
        for key in "abc":
            rivals.rival.register(key, 1)
        rivals.before(2, "transaction", lambda: rivals.rival.register("d", 1))
        assert rivals.mutant.register_if_absent("e", 1) is True
        assert len(rivals.rival.entries()) == 5

    @against("cap-counts-others-first")
    def test_the_cap_is_passed_by_two_namespaces(self, rivals: Rivals) -> None:
        """A rival who takes the last place elsewhere does not keep the mutant from inserting."""
        other = rivals.backends[1].open("p", "m", max_entries=100)
        for key in "abc":
            other.register(key, 1)
        rivals.before(1, "transaction", lambda: other.register("d", 1))
        assert rivals.mutant.register_if_absent("e", 1) is True
        assert len(other.entries()) == 4

    @against("victim-chosen-before-lock", "victim-locked-in-process")
    def test_a_renewed_row_is_evicted(self, rivals: Rivals) -> None:
        """A rival who renews the oldest row before the mutant writes loses it all the same."""
        store, rival = (b.open("p", "full", max_entries=2) for b in rivals.backends)
        for key in "ab":
            rival.register(key, 1)
            rivals.clock.advance(1)
        act = lambda: rival.register("a", 2)  # noqa: E731
        rivals.before(1, "transaction", act, store._file)  # type: ignore[attr-defined]
        assert store.register_if_absent("c", 1) is True
        assert [entry.key for entry in rival.entries()] == ["b", "c"]

    @against("entries-not-a-snapshot")
    def test_a_listing_of_two_instants(self, rivals: Rivals) -> None:
        """The list shows the old value of one row beside the new value of another."""
        rivals.rival.register("a", 1)
        rivals.rival.register("b", 1)
        rivals.before(3, "statement", lambda: [rivals.rival.register(key, 2) for key in "ab"])
        assert [entry.value for entry in rivals.mutant.entries()] == [1, 2]

    @against("early-clock")
    def test_a_claim_that_was_over_before_it_was_won(self, rivals: Rivals) -> None:
        """Time that passes while the mutant waits for the lock is taken from the TTL."""
        rivals.before(1, "transaction", lambda: rivals.clock.advance(10))
        assert rivals.mutant.register_if_absent("k", 1, ttl_ms=5) is True
        assert rivals.rival.lookup("k") is ABSENT

    @against("deferred-transaction")
    def test_a_reader_cannot_become_a_writer(self, rivals: Rivals) -> None:
        """A rival who writes after the mutant's first read makes the mutant's write fail."""
        rivals.before(1, "now_ms", lambda: rivals.rival.register("other", 1), rivals.clock)
        with pytest.raises(StoreError, match="locked") as caught:
            rivals.mutant.register_if_absent("k", 1)
        assert caught.value.code == "WRITE_FAILED"
        assert rivals.mutant.register_if_absent("k", 1) is True


def while_locked(path: Path, lock: str, call: Callable[[], object]) -> list[object]:
    """Call while another connection holds a lock, which is released once the caller waits."""
    answers: list[object] = []

    def calling() -> None:
        try:
            answers.append(call())
        except StoreError as error:
            answers.append(error.code)

    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as holder:
        holder.execute(lock)
        caller = threading.Thread(target=calling)
        caller.start()
        caller.join(0.3)  # a caller who waits is let in then; one who does not has his error by now
        holder.execute("COMMIT")
        caller.join()
    return answers


class TestLocks:
    @pytest.mark.parametrize(("name", "answer"), [("first-open-race", "OPEN_FAILED"), (None, None)])
    def test_opening_a_file_that_is_being_made(
        self, name: str | None, answer: str | None, tmp_path: Path
    ) -> None:
        """The reference waits for the process that makes the file, the mutant gives up."""
        connect = MUTANTS[name].connect if name else sqlite.connect

        def opening() -> None:
            connect(str(tmp_path), clock=ManualClock()).close()

        assert while_locked(tmp_path / "state.sqlite", "BEGIN EXCLUSIVE", opening) == [answer]

    @pytest.mark.parametrize(
        ("name", "answer"), [("no-busy-timeout", "WRITE_FAILED"), (None, True)]
    )
    def test_claiming_while_another_writes(
        self, name: str | None, answer: object, tmp_path: Path
    ) -> None:
        """The reference waits for the writer, the mutant raises."""
        connect = MUTANTS[name].connect if name else sqlite.connect
        backend = connect(str(tmp_path), clock=ManualClock())
        store = backend.open("p", "n", max_entries=9)
        seen = while_locked(
            tmp_path / "state.sqlite", "BEGIN IMMEDIATE", lambda: store.register_if_absent("k", 1)
        )
        assert seen == [answer]
        backend.close()

    def test_a_heap_of_its_own(self, tmp_path: Path) -> None:
        """Two processes with `heap-per-process` both win one key."""
        script = f"""
from onewinner import SystemClock
from onewinner.mutants import MUTANTS
backend = MUTANTS["heap-per-process"].connect({str(tmp_path)!r}, clock=SystemClock())
print(backend.open("p", "n", max_entries=9).register_if_absent("k", 1))
"""
        runs = [
            subprocess.run(
                [sys.executable, "-c", script], capture_output=True, text=True, check=True
            )
            for _ in range(2)
        ]
        assert [run.stdout for run in runs] == ["True\n", "True\n"]


class TestOtherProfiles:
    """Mutants of stores that reject new keys at capacity, or evict at the plugin's cap."""

    @pytest.mark.parametrize(("name", "case"), OTHER_PROFILE.items())
    def test_its_case_tells_it_from_the_right_store(
        self, name: str, case: str, tmp_path: Path
    ) -> None:
        """Its case fails on the mutant and passes on the reference in that profile."""
        from onewinner.adapters.targets import Target
        from onewinner.clock import SystemClock
        from onewinner.mutants.caps import EVICTING
        from onewinner.mutants.eviction import REJECT_NEW
        from onewinner.stores import sqlite
        from onewinner.suite.cases import CASES, run_case

        def right(location: str, *, clock: Any) -> Any:
            profile = EVICTING if name.startswith("cap-") else REJECT_NEW
            return sqlite.connect(location, clock=clock, profile=profile)

        for target, status in ((Target(f"mutant:{name}"), "fail"), (Target("x", right), "pass")):
            backend = target.connect(str(tmp_path / "probe"), SystemClock())
            backend.close()
            results = run_case(CASES[case], target, backend.capabilities, str(tmp_path))
            assert [result.status.label for result in results] == [status]


class TestFiles:
    def test_the_store_that_is_changed_is_right(self, tmp_path: Path) -> None:
        """A defect in files is a change of a store on which every case passes that applies."""
        from onewinner.adapters.targets import Target
        from onewinner.mutants.file_rows import FileRowsBackend
        from onewinner.suite.cases import CASES, run_case

        target = Target("files", given=FileRowsBackend)
        applies = [
            case for case in CASES.values() if case.missing(FileRowsBackend.capabilities) is None
        ]
        results = [
            result
            for case in applies
            for result in run_case(case, target, FileRowsBackend.capabilities, str(tmp_path))
        ]
        assert len(applies) > 20
        assert [(r.check, r.reason) for r in results if r.status.label != "pass"] == []
