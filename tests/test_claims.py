"""The claim model: TTL, searches against brute force, zones, streams, listings, counterexamples."""

from __future__ import annotations

import dataclasses

import pytest

from brute_force import linearizable
from claim_histories import claim_history
from onewinner.checker import Budgets, check
from onewinner.checker import acts as acts_module
from onewinner.checker import presence as presence_module
from onewinner.checker.acts import acts_of
from onewinner.checker.claims import ClaimModel, grey_zone
from onewinner.checker.listings import mixed_listings
from onewinner.checker.narrate import sentence, timeline
from onewinner.checker.presence import PresenceSearch, Sweep
from onewinner.checker.search import NEVER, Allowance
from onewinner.checker.shrink import counterexample
from onewinner.checker.streaming import ClaimStream, NotStreamable
from onewinner.checker.zones import zones
from onewinner.contract import ABSENT, Entry
from onewinner.history import Info, Ok, Operation

MS = 1_000_000
EXACT = ClaimModel(eps_ms=0)


def op(process, f, result, invoked, completed, *, value=None, ttl_ms=None, key="k", info=False):
    """Answer an operation in few words; times in ms."""
    return Operation(
        process=process,
        f=f,
        value={"plugin": "p", "namespace": "n", "key": key, "value": value, "ttl_ms": ttl_ms},
        outcome=Info("lost") if info else Ok(result),
        invoked_ns=invoked * MS,
        completed_ns=None if completed is None else completed * MS,
    )


def claim(process, result, invoked, completed, value=None, **more):
    """Answer a claim."""
    given = f"v{process}" if value is None else value
    return op(process, "register_if_absent", result, invoked, completed, value=given, **more)


def decided(operations, model=EXACT):
    """Tell whether the search of the model finds a part right."""
    search = model.search(operations, Allowance(Budgets()))
    while not search.run(10**6):
        pass
    return search.valid


def disagreements(seeds, *, most=7):
    """Count histories on which the search and brute force differ, and those that are wrong."""
    differ = wrong = 0
    for seed in seeds:
        for part in EXACT.partition(claim_history(seed, most=most)).values():
            expected = linearizable(part, EXACT)
            wrong += not expected
            differ += decided(part) is not expected
    return differ, wrong


@pytest.mark.parametrize("share", range(4))
def test_search_agrees_with_brute_force(share):
    """On small histories with every operation, crashes and TTLs both answer alike."""
    differ, wrong = disagreements(range(share * 1000, share * 1000 + 1000))
    assert differ == 0
    assert wrong > 150  # else the generator has lost its teeth


@pytest.mark.parametrize("share", range(4))
def test_right_store_is_never_accused(share):
    """Whatever a right store did, with TTLs as short as its calls, is valid; listings too."""
    for seed in range(share * 500, share * 500 + 500):
        history = claim_history(10**6 + seed, keys=2, most=14, spoil=0)
        assert check(history, EXACT).valid is True, seed
        assert not list(mixed_listings(history)), seed


def test_general_search_agrees_too():
    """The model's `step` means the same as the search that is made for it."""

    class Plain:
        partition, initial = EXACT.partition, EXACT.initial
        step, observes = EXACT.step, EXACT.observes

    for seed in range(400):
        history = claim_history(seed)
        assert check(history, Plain()).valid is check(history, EXACT).valid, seed


# --- each reduction, broken -----------------------------------------------------------------------


def broken_settle(acts, _observed):
    """Take every uncertain write for one that happened."""
    for act in acts:
        if act.optional and act.kind <= acts_module.PUT and act.returned_ns < NEVER:
            act.optional = False


def broken_merge(acts, _observed):
    """Merge all values, observed ones too."""
    for act in acts:
        if act.kind <= acts_module.PUT:
            act.value = acts_module.SOME_VALUE


def broken_undominated(self, met):
    """Keep what used most instead of what used least."""
    kept = {}
    for config in met:
        rest = config & ~self._optional
        if config.bit_count() >= kept.get(rest, config).bit_count():
            kept[rest] = config
    return set(kept.values())


def broken_fits(kind, value, state):
    """Let a refused claim be explained by a vacant key."""
    return True if kind == acts_module.HELD else state == value if value else state <= 1


def broken_may_go(self, value, done):
    """Forbid that a value goes away before the end, observed or not."""
    return False


def broken_end_window(self, act):
    """Forget that a row has to be gone."""
    self._open.pop(act.value, None)
    return True


@pytest.mark.parametrize(
    ("where", "name", "broken"),
    [
        (acts_module, "_settle", broken_settle),
        (acts_module, "_merge_unobserved", broken_merge),
        (Sweep, "_undominated", broken_undominated),
        (presence_module, "_fits", broken_fits),
        (Sweep, "_may_go", broken_may_go),
        (Sweep, "_end_window", broken_end_window),
    ],
)
def test_broken_reduction_is_noticed(monkeypatch, where, name, broken):
    """Each reduction, made wrong, makes the search differ from brute force."""
    monkeypatch.setattr(where, name, broken)
    monkeypatch.setattr(presence_module, "zones", lambda acts: None)
    assert disagreements(range(1500))[0] > 0


def test_latest_deadline_first_is_noticed(monkeypatch):
    """Of identical acts the most urgent must be tried: the other way round is wrong."""
    original = Sweep._after

    def latest_first(self, config, goal):
        self._movers.reverse()
        try:
            return original(self, config, goal)
        finally:
            self._movers.reverse()

    monkeypatch.setattr(Sweep, "_after", latest_first)
    removals = [
        claim(0, True, 0, 1),
        op(1, "delete", True, 2, 9),
        op(2, "delete", True, 3, 30),
        claim(3, True, 2, 7, "b"),
        op(4, "lookup", "b", 20, 21),
    ]
    assert decided(removals) is False
    monkeypatch.undo()
    assert decided(removals) is True


# --- zones ----------------------------------------------------------------------------------------


def named_only(seed):
    """Answer a history of claims that won, look-ups and consumes."""
    return [
        each
        for each in claim_history(seed, crash=0)
        if each.f in {"lookup", "consume"}
        or (each.f == "register_if_absent" and each.outcome == Ok(True))
    ]


def test_zones_agree_with_brute_force():
    """Where the zone test applies it is exact."""
    seen = {True: 0, False: 0, None: 0}
    for seed in range(3000):
        for part in EXACT.partition(named_only(seed)).values():
            found = zones(acts_of(part))
            seen[found] += 1
            if found is not None:
                assert found is linearizable(part, EXACT), seed
    assert seen[True] > 500
    assert seen[False] > 500


def test_zones_leave_what_names_no_value():
    """A refused claim, a delete and a register do not say what they met."""
    for other in (
        claim(1, False, 5, 6),
        op(1, "delete", True, 5, 6),
        op(1, "register", None, 5, 6),
    ):
        assert zones(acts_of([claim(0, True, 0, 1), other])) is None


def test_zones_decide_what_the_search_cannot():
    """Sixty-four winners at a time, each consumed: no search, and the verdict says so."""
    history = []
    for wave in range(4):
        for number in range(64):
            name = f"{wave}-{number}"
            history.append(claim(number, True, wave * 100, wave * 100 + 90, name))
            history.append(op(100 + number, "consume", name, wave * 100, wave * 100 + 90))
    verdict = check(history, EXACT, budgets=Budgets(steps=10))
    assert verdict.valid is True
    assert verdict.partitions[0].decided_by == "zones"


# --- TTL ------------------------------------------------------------------------------------------


def test_row_seen_after_its_expiry_is_a_zombie():
    """A row must be gone when the latest instant of its write, its TTL and eps have passed."""
    history = [claim(0, True, 0, 2, ttl_ms=10), op(1, "lookup", "v0", 40, 41)]
    verdict = check(history, ClaimModel(eps_ms=5))
    assert verdict.valid is False
    assert check(history, ClaimModel(eps_ms=50)).valid is True  # then it is in the grey zone
    assert check(history, ClaimModel(eps_ms=5, grace_ms=40)).valid is True


def test_row_gone_before_its_expiry_was_lost():
    """Until the earliest instant of its write, its TTL, less eps, it has to be there."""
    history = [claim(0, True, 0, 2, ttl_ms=50), op(1, "lookup", ABSENT, 10, 11)]
    assert check(history, ClaimModel(eps_ms=5)).valid is False
    assert check(history, ClaimModel(eps_ms=45)).valid is True


def test_renewal_replaces_the_expiry():
    """A register writes a row of its own: the old one's expiry takes nothing away."""
    history = [
        claim(0, True, 0, 1, ttl_ms=20),
        op(0, "register", None, 10, 11, value="renewed", ttl_ms=100),
        op(1, "lookup", "renewed", 60, 61),
    ]
    assert check(history, EXACT).valid is True


def test_value_written_twice_has_no_certain_expiry():
    """Which of two equal writes expires nobody can tell: nothing is held against the store."""
    history = [
        claim(0, True, 0, 1, "same", ttl_ms=20),
        op(0, "register", None, 10, 11, value="same", ttl_ms=100),
        op(1, "lookup", "same", 60, 61),
    ]
    assert check(history, EXACT).valid is True


def advance(ms, at):
    """Answer a step of virtual time."""
    return Operation(
        process=9, f="advance", value={"ms": ms}, outcome=Ok(), invoked_ns=at, completed_ns=at + 1
    )


@pytest.mark.parametrize(("passed", "seen"), [(9, "v0"), (10, ABSENT), (11, ABSENT)])
def test_virtual_time_is_exact(passed, seen):
    """With `advance` operations a row expires in the very step that reaches its expiry."""
    for answered in ("v0", ABSENT):
        history = [
            claim(0, True, 0, 1, ttl_ms=10),
            advance(passed, 2 * MS),
            op(1, "lookup", answered, 4, 5),
        ]
        assert check(history, ClaimModel(eps_ms=99)).valid is (answered == seen)


def test_grey_zone_is_counted():
    """A run in which every answer overlaps an expiry proves nothing, and can be told."""
    write = claim(0, True, 0, 2, ttl_ms=10)
    grey = grey_zone([write, op(1, "lookup", ABSENT, 11, 12)], ClaimModel(eps_ms=5))
    assert (grey.expiries, grey.grey) == (1, 1)
    crisp = grey_zone([write, op(1, "lookup", ABSENT, 40, 41)], ClaimModel(eps_ms=5))
    assert (crisp.grey, crisp.crisp) == (0, 2)


# --- streams --------------------------------------------------------------------------------------


def streamed(history):
    """Judge a history as a file would give it."""
    stream = ClaimStream(EXACT, Allowance(Budgets()))
    left = sorted(history, key=lambda each: (each.completed_ns is None, each.completed_ns or 0))
    while left:
        first, left = left[0], left[1:]
        before = min((each.invoked_ns for each in left), default=NEVER)
        if not stream.feed(first, before):
            return False
    return stream.finish()


def test_stream_agrees_with_the_whole(monkeypatch):
    """Cut wherever it can be, a history gets the verdict that it gets as a whole."""
    monkeypatch.setattr("onewinner.checker.streaming._PIECE", 1)
    for seed in range(2000):
        history = claim_history(seed, keys=1 + seed % 2, most=16)
        whole = all(decided(part) for part in EXACT.partition(history).values())
        assert streamed(history) is whole, seed


def test_stream_keeps_nothing_that_is_over(monkeypatch):
    """What is kept of a key does not grow with its history."""
    monkeypatch.setattr("onewinner.checker.streaming._PIECE", 4)
    stream = ClaimStream(EXACT, Allowance(Budgets()))
    for turn in range(500):
        at = turn * 10
        each = f"v{turn}"
        assert stream.feed(claim(0, True, at, at + 1, each), (at + 2) * MS)
        assert stream.feed(op(0, "consume", each, at + 3, at + 4), (at + 5) * MS)
    (key,) = stream._keys.values()
    assert len(key.waiting) < 10
    assert len(key.values._numbers) < 10


def test_stream_refuses_virtual_time():
    """When a row expires is then known only at the end: the caller must judge the whole."""
    stream = ClaimStream(EXACT, Allowance(Budgets()))
    with pytest.raises(NotStreamable):
        stream.feed(advance(5, 0), 1)


# --- listings -------------------------------------------------------------------------------------


def entries(invoked, completed, **rows):
    """Answer a listing."""
    listed = tuple(Entry(key, value, 0, None) for key, value in rows.items())
    return op(9, "entries", listed, invoked, completed, key=None)


def test_listing_of_two_instants_is_found():
    """Key by key it is right: a was there before, b afterwards, but never both at once."""
    history = [
        claim(0, True, 0, 1, "a1", key="a"),
        op(0, "consume", "a1", 10, 11, key="a"),
        claim(0, True, 20, 21, "b1", key="b"),
        entries(5, 30, a="a1", b="b1"),
    ]
    assert check(history, EXACT).valid is True
    (shown,) = mixed_listings(history)
    assert shown[0] is history[3]


def test_listing_that_leaves_out_what_was_always_there_is_found():
    """One of two keys is held at every instant; a listing of neither has no instant."""
    history = [
        claim(0, True, 0, 1, "a1", key="a"),
        claim(0, True, 10, 11, "b1", key="b"),
        op(1, "lookup", "a1", 12, 13, key="a"),
        op(1, "consume", "a1", 14, 15, key="a"),
        op(1, "lookup", "b1", 40, 41, key="b"),
        entries(5, 30, a="a1"),
        entries(5, 30),
    ]
    (shown,) = mixed_listings(history)
    assert shown[0] is history[6]


# --- counterexamples ------------------------------------------------------------------------------


def example_of(history, model=EXACT):
    """Answer the counterexample of an invalid history."""
    verdict = check(history, model)
    failed = next(part for part in verdict.partitions if part.valid is False)
    part = model.partition(history)[failed.key]
    return counterexample(failed.key, part, failed.failing, model)


def noise(count):
    """Answer what other clients did, on the same key and earlier: all of it right."""
    rows = [claim(50 + n, True, 10 * n - 200, 10 * n - 198) for n in range(count)]
    taken = [op(60 + n, "consume", f"v{50 + n}", 10 * n - 197, 10 * n - 195) for n in range(count)]
    return [*rows, *taken]


TOLD = {
    "p1 and p2 both won, and nothing removed": [claim(1, True, 0, 9), claim(2, True, 3, 12)],
    "was refused while no row was there": [claim(1, False, 0, 9)],
    "found no row where one had to be: the claim of p1": [
        claim(1, True, 0, 9), op(2, "lookup", ABSENT, 20, 22),
    ],
    "'v7', which nobody had written": [claim(1, True, 0, 9), op(2, "lookup", "v7", 20, 22)],
    "which had been consumed before": [
        claim(1, True, 0, 9), op(2, "consume", "v1", 10, 12), op(3, "consume", "v1", 20, 22),
    ],
    "which had been removed before": [
        claim(1, True, 0, 9), op(2, "delete", True, 10, 12), op(3, "lookup", "v1", 20, 22),
    ],
    "which had expired by then": [
        claim(1, True, 0, 2, ttl_ms=5), op(3, "lookup", "v1", 20, 22),
    ],
    "delete of p2 answered True, but no row was there": [op(2, "delete", True, 0, 4)],
}  # fmt: skip


@pytest.mark.parametrize("told", TOLD)
def test_counterexample_is_small_and_told(told):
    """Among many other calls the few that show it are found, and said in words."""
    example = example_of([*noise(8), *TOLD[told]])
    assert len(example.operations) <= 4
    assert told in sentence(example)
    lines = timeline(example)
    assert sum(line.startswith("!") for line in lines) == 1


def test_shrinking_is_sound():
    """What is shown is wrong by itself: with the rest optional no order explains it."""
    sizes = []
    for seed in range(600):
        history = claim_history(seed, most=14, spoil=0.08)
        if check(history, EXACT).valid is not False:
            continue
        example = example_of(history)
        shown = [*example.operations, *example.optional]
        assert len(shown) > 7 or not linearizable(shown, EXACT), seed
        assert not decided(shown), seed
        sizes.append(len(example.operations))
    assert len(sizes) > 100
    assert sorted(sizes)[len(sizes) // 2] <= 3


def test_failing_operation_is_the_earliest():
    """The operation that is named is the first at whose return nothing is left."""
    history = [
        claim(1, True, 0, 9),
        claim(2, True, 3, 12),
        op(3, "lookup", "v2", 20, 22),
        op(3, "lookup", "v1", 30, 32),
    ]
    verdict = check(history, EXACT)
    assert verdict.partitions[0].failing is history[1]


@pytest.mark.parametrize(
    ("budgets", "why"),
    [(Budgets(steps=5), "5 steps"), (Budgets(timeout_s=0.0), "0 s")],
)
def test_budgets_are_honoured(budgets, why):
    """A search that may not go on is unknown, and says which budget ended it."""
    history = [op(n, "register", None, 0, 50, value=n) for n in range(9)]
    verdict = check([*history, op(10, "lookup", "x", 60, 61)], EXACT, budgets=budgets)
    assert verdict.valid == "unknown"
    assert why in verdict.reason


def test_unknown_operation_is_the_callers():
    """An operation that the model does not know makes no verdict."""
    verdict = check([op(0, "increment", 1, 0, 1)], EXACT)
    assert verdict.valid == "unknown"
    assert "increment" in verdict.reason


def test_contradiction_of_two_tests_is_no_verdict(monkeypatch):
    """If the zone test and the search ever differed nobody would be accused."""
    monkeypatch.setattr(presence_module, "zones", lambda acts: False)
    verdict = check([claim(0, True, 0, 1)], EXACT)
    assert verdict.valid == "unknown"
    assert "contradict" in verdict.reason


def test_search_can_be_sliced():
    """The verdict does not depend on how often the search is interrupted."""
    for seed in range(200):
        for part in EXACT.partition(claim_history(seed)).values():
            search = PresenceSearch(part, Allowance(Budgets()))
            while not search.run(1):
                pass
            assert search.valid is decided(part)


def test_projection_keeps_plugins_apart():
    """A clear of one plugin's namespace says nothing about another's."""
    other = dataclasses.replace(
        op(1, "clear", None, 10, 11, key=None),
        value={"plugin": "q", "namespace": "n", "key": None, "value": None, "ttl_ms": None},
    )
    history = [claim(0, True, 0, 1), other, op(0, "lookup", "v0", 20, 21)]
    assert check(history, EXACT).valid is True
    same = op(1, "clear", None, 10, 11, key=None)
    assert check([history[0], same, history[2]], EXACT).valid is False


@pytest.mark.parametrize("seed", [15698, 40696, 43123])
def test_what_long_comparisons_found_stays_found(seed):
    """A listing that meets a new key after a clear; a value written twice that expires once."""
    history = claim_history(seed, keys=1 + (seed % 3 == 0), most=6 if seed % 3 == 0 else 7)
    whole = all(linearizable(part, EXACT) for part in EXACT.partition(history).values())
    assert check(history, EXACT).valid is whole
    assert streamed(history) is whole
