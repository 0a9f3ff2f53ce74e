"""The model: its answers held against the contract's sentences, written out by hand."""

from __future__ import annotations

import dataclasses

import pytest

from onewinner.contract import ABSENT, NEWER, Capabilities, Profile
from onewinner.model import (
    Call,
    Count,
    Listing,
    Refused,
    Row,
    Rules,
    State,
    Value,
    as_code,
    describe_answer,
    describe_call,
    describe_state,
    outcomes,
)

RULES = Rules()


class World:
    """A model and its time; each call answers what the model answers and moves it on."""

    def __init__(self, rules: Rules = RULES, max_entries: int = 3, **options):
        self.rules, self.state, self.now = rules, State(), 1_000
        self.call("open", max_entries=max_entries, **options)

    def call(self, f, key=None, value=None, ttl_ms=None, *, plugin="p", namespace="n", **options):
        """Answer the usual outcome."""
        return self.all(f, key, value, ttl_ms, plugin=plugin, namespace=namespace, **options)[0]

    def all(self, f, key=None, value=None, ttl_ms=None, *, plugin="p", namespace="n", **options):
        """Answer all outcomes and take the first."""
        call = Call(
            f=f, plugin=plugin, namespace=namespace, key=key, value=value, ttl_ms=ttl_ms, **options
        )
        possible = outcomes(self.rules, self.state, call, self.now)
        self.state = possible[0][1]
        return [answer for answer, _ in possible]

    def keys(self, namespace="n"):
        """Answer the live keys in order."""
        return [row.key for row in self.call("entries", namespace=namespace).rows]


def test_claim_wins_once():
    """A claim of a vacant key answers true, of a live key false."""
    world = World()
    assert world.call("register_if_absent", "k", 1) is True
    assert world.call("register_if_absent", "k", 2) is False
    assert world.call("lookup", "k") == Value("1")


def test_refused_claim_leaves_the_state():
    """A refused claim answers the very state that it met."""
    world = World()
    world.call("register_if_absent", "k", 1, 50)
    before = world.state
    world.call("register_if_absent", "k", 2, 5_000)
    assert before.spaces == world.state.spaces


@pytest.mark.parametrize(("passed_ms", "live"), [(0, True), (9, True), (10, False), (11, False)])
def test_row_expires_at_its_expiry(passed_ms, live):
    """A row is live while now is less than its expiry, and expired at it."""
    world = World()
    world.call("register", "k", 1, 10)
    world.now += passed_ms
    assert (world.call("lookup", "k") == Value("1")) is live
    assert world.call("register_if_absent", "k", 2) is not live


def test_default_ttl_applies_and_is_overridden():
    """Without a TTL the namespace's default applies; an explicit one overrides it."""
    world = World(default_ttl_ms=10)
    world.call("register", "a", 1)
    world.call("register", "b", 1, 20)
    world.now += 10
    assert world.keys() == ["b"]


def test_oldest_is_evicted_by_age_then_key():
    """Over the limit the oldest by (created, key) goes, and never the row just written."""
    world = World(max_entries=2)
    for key in ("z", "y"):
        world.call("register", key, 1)
    world.call("register", "a", 1)
    assert world.keys() == ["a", "z"]


def test_keys_above_the_basic_plane_go_in_either_order():
    """By code points U+FFFF sorts first, by code units of UTF-16 the smile does."""
    world = World(max_entries=2)
    for key in ("\uffff", "\U0001f600"):
        world.call("register", key)
    call = Call(f="register", plugin="p", namespace="n", key="c", value=1)
    left = [
        [row.key for row in after.spaces[0].rows]
        for _, after in outcomes(RULES, world.state, call, world.now)
    ]
    assert left == [["c", "\U0001f600"], ["c", "\uffff"]]


def test_fresh_row_survives_a_clock_that_went_back():
    """The row just written stays though its stamp makes it the oldest."""
    world = World(max_entries=1)
    world.call("register", "a", 1)
    world.now -= 500
    world.call("register", "b", 1)
    assert world.keys() == ["b"]


def test_two_expired_rows_make_room_for_one():
    """With more room than the insert needs nobody goes: all live rows stay."""
    world = World(max_entries=4)
    for key, ttl in (("a", None), ("b", None), ("c", 5), ("d", 5)):
        world.call("register", key, 1, ttl)
    world.now += 5
    world.call("register", "new", 1)
    assert world.keys() == ["a", "b", "new"]


def test_no_cap_is_no_limit():
    """A profile without a cap lets a plugin hold whatever its namespaces hold."""
    world = World(Rules(limits=Profile(plugin_row_cap=None)), max_entries=5)
    assert world.call("register_if_absent", "k", 1) is True


def test_expired_rows_take_no_place():
    """An expired row is not counted: the live one stays."""
    world = World(max_entries=2)
    world.call("register", "live", 1)
    world.call("register", "gone", 1, 5)
    world.now += 5
    world.call("register", "new", 1)
    assert world.keys() == ["live", "new"]


def test_rows_written_while_the_clock_is_behind_are_no_older():
    """After the clock was set back, eviction goes by the order of writing (EVICT-12)."""
    world = World()
    for key in "abc":
        world.call("register_if_absent", key, 1)
        world.now += 1
    world.now -= 500
    for key in "def":
        assert world.call("register_if_absent", key, 1) is True
        world.now += 1
    assert sorted(world.keys()) == ["d", "e", "f"]


def test_what_a_row_shows_while_the_clock_is_behind_is_left_open():
    """`createdAt` may be what the clock said, the newest one, or a millisecond more."""
    world = World()
    world.call("register_if_absent", "a", 1)
    world.now -= 500
    claim = Call(f="register_if_absent", plugin="p", namespace="n", key="b", value=1)
    look = Call(f="entries", plugin="p", namespace="n")
    listed = [
        outcomes(RULES, after, look, world.now)[0][0].rows
        for _, after in outcomes(RULES, world.state, claim, world.now)
    ]
    shown = [[(row.key, row.created_at) for row in rows] for rows in listed]
    assert shown == [
        [("b", 500), ("a", 1_000)],
        [("a", 1_000), ("b", 1_000)],
        [("a", 1_000), ("b", 1_001)],
    ]


def test_update_evicts_nobody():
    """Writing a live key of a full namespace removes no other row."""
    world = World(max_entries=2)
    world.call("register", "a", 1)
    world.now += 1
    world.call("register", "b", 1)
    world.now += 1
    world.call("register", "a", 2)
    assert world.keys() == ["b", "a"]


def test_cap_counts_all_namespaces_and_refuses():
    """At the plugin's cap an insert is refused and changes nothing; an update works."""
    world = World(Rules(limits=Profile(plugin_row_cap=2)), max_entries=5)
    world.call("open", namespace="m", max_entries=5)
    world.call("register", "a", 1)
    world.call("register", "b", 1, namespace="m")
    before = world.state
    assert world.call("register_if_absent", "c", 1) == Refused("LIMIT_EXCEEDED", "CAP-1")
    assert before.spaces == world.state.spaces
    assert world.call("register", "a", 2) is None
    assert world.call("register_if_absent", "b", 1, namespace="m") is False


def test_own_eviction_comes_before_the_cap():
    """A full namespace makes its own room under the plugin's cap."""
    world = World(Rules(limits=Profile(plugin_row_cap=2)), max_entries=1)
    world.call("open", namespace="m", max_entries=5)
    world.call("register", "a", 1)
    world.call("register", "x", 1, namespace="m")
    assert world.call("register_if_absent", "b", 1) is True
    assert world.keys() == ["b"]


def test_newer_profile_evicts_the_plugins_oldest():
    """Where the cap evicts, the plugin's oldest row goes; ties leave a choice of namespace."""
    limits = dataclasses.replace(NEWER, plugin_row_cap=2)
    world = World(Rules(limits=limits), max_entries=5)
    world.call("open", namespace="m", max_entries=5)
    world.call("register", "a", 1)
    world.call("register", "x", 1, namespace="m")
    world.now += 1
    call = Call(f="register", plugin="p", namespace="n", key="b", value=1)
    states = [state for _, state in outcomes(world.rules, world.state, call, world.now)]
    kept = [[row.key for space in state.spaces for row in space.rows] for state in states]
    assert sorted(sorted(keys) for keys in kept) == [["a", "b"], ["b", "x"]]


def test_delete_of_an_expired_row_may_answer_either():
    """The contract leaves the answer open; in both cases the row is gone."""
    world = World()
    world.call("register", "k", 1, 5)
    world.now += 5
    assert world.all("delete", "k") == [True, False]
    assert world.all("delete", "k") == [False]


def test_sweep_counts_what_expired_since_the_last_operation():
    """Rows that expired earlier may have been swept by the store itself."""
    world = World()
    world.call("register", "old", 1, 5)
    world.call("register", "young", 1, 10)
    world.now += 5
    world.call("lookup", "never")
    world.now += 5
    assert world.call("sweep_expired") == Count(1, 2)
    assert world.call("sweep_expired") == Count(0, 0)


def test_consume_reads_and_removes():
    """Consume answers the value once."""
    world = World()
    world.call("register", "k", None)
    assert world.call("consume", "k") == Value("null")
    assert world.call("consume", "k") is ABSENT


def test_clear_stays_in_its_namespace():
    """Clear removes rows of its own namespace only."""
    world = World()
    world.call("open", namespace="m", max_entries=3)
    world.call("register", "k", 1)
    world.call("register", "k", 1, namespace="m")
    world.call("clear")
    assert (world.keys(), world.keys("m")) == ([], ["k"])


@pytest.mark.parametrize(
    ("key", "value", "ttl", "rule"),
    [
        ("", 1, None, "INPUT-4"),
        (" \t", 1, None, "INPUT-4"),
        ("k" * 513, 1, None, "INPUT-4"),
        ("é" * 257, 1, None, "INPUT-4"),
        (None, 1, None, "INPUT-4"),
        ("k", 1, 0, "INPUT-6"),
        ("k", 1, True, "INPUT-6"),
        ("k", 1, 1.5, "INPUT-6"),
        ("k", float("nan"), None, "INPUT-7"),
        ("k", {1: 1}, None, "INPUT-7"),
        ("k", object(), None, "INPUT-7"),
        ("k", "x" * 65_535, None, "INPUT-9"),
    ],
)
def test_wrong_arguments_are_refused(key, value, ttl, rule):
    """Each rule of section 5 refuses what breaks it."""
    answers = World().all("register_if_absent", key, value, ttl)
    assert rule in [answer.rule for answer in answers]
    assert all(isinstance(answer, Refused) for answer in answers)


def test_nesting_in_between_is_open():
    """What only one way of counting refuses may be accepted or refused."""

    def nested(depth, inside):
        for _ in range(depth):
            inside = [inside]
        return inside

    world = World()
    assert world.all("register", "a", nested(63, 0)) == [None]
    assert world.all("register", "b", nested(63, [])) == [None]
    assert world.all("register", "c", nested(64, 0)) == [None, Refused("LIMIT_EXCEEDED", "INPUT-8")]
    assert world.all("register", "d", nested(65, 0)) == [Refused("LIMIT_EXCEEDED", "INPUT-8")]
    assert world.all("register", "e", nested(99_999, 0)) == [Refused("LIMIT_EXCEEDED", "INPUT-8")]


def test_cycle_is_not_json():
    """A cycle is refused as invalid, not as too deep."""
    cycle: list = []
    cycle.append(cycle)
    assert World().all("register", "k", cycle) == [Refused("INVALID_INPUT", "INPUT-7")]


def test_unkeepable_text_may_be_refused_until_it_is_kept():
    """NUL and lone surrogates may be refused; once kept, the key must be found."""
    world = World()
    assert world.all("lookup", "a\0")[1:] == [Refused("INVALID_INPUT", "INPUT-10")]
    assert world.all("register_if_absent", "a\0", 1)[1:] == [Refused("INVALID_INPUT", "INPUT-10")]
    assert world.all("lookup", "a\0") == [Value("1")]


def test_a_plugin_whose_id_cannot_be_kept_may_be_refused_until_it_holds_a_row():
    """Opening may be refused, and so may what is asked of it then; once it holds a row, no more."""
    refused, rules = Refused("INVALID_INPUT", "INPUT-10"), Rules()
    place = {"plugin": "a\0b", "namespace": "n"}
    opened, other = outcomes(rules, State(), Call(f="open", **place, max_entries=3), 1)
    assert [opened[0], other] == [None, (refused, State(last_ms=1))]
    claim = Call(f="register_if_absent", **place, key="k", value=1)
    won, lost = outcomes(rules, opened[1], claim, 2)
    assert [won[0], lost[0]] == [True, refused]
    assert [answer for answer, _ in outcomes(rules, won[1], claim, 3)] == [False]
    entries = Call(f="entries", **place)
    assert [answer for answer, _ in outcomes(rules, lost[1], entries, 3)][1:] == [refused]


def test_huge_ttl_may_be_refused():
    """An expiry beyond 2^53 works or is refused."""
    answers = World().all("register_if_absent", "k", 1, 2**53 - 1)
    assert answers[0] is True
    assert {answer.rule for answer in answers[1:]} == {"TTL-7"}


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"namespace": "a b", "max_entries": 1}, "INPUT-1"),
        ({"namespace": "n" * 129, "max_entries": 1}, "INPUT-1"),
        ({"namespace": None, "max_entries": 1}, "INPUT-1"),
        ({"plugin": "core:x", "max_entries": 1}, "INPUT-2"),
        ({"max_entries": 0}, "INPUT-3"),
        ({"max_entries": True}, "INPUT-3"),
        ({"max_entries": 9}, "INPUT-3"),
        ({"max_entries": 3, "default_ttl_ms": 5}, "INPUT-3"),
        ({"max_entries": 3, "default_ttl_ms": 0}, "INPUT-6"),
    ],
)
def test_wrong_openings_are_refused(options, rule):
    """A namespace opens only with a right name, right options, and the same options again."""
    assert World().call("open", **options).rule == rule


def test_trimmed_keys_and_namespaces_are_one():
    """White space around keys and namespaces does not count."""
    world = World()
    world.call("register", " k\n", 1)
    assert world.call("lookup", "k", namespace="\tn ") == Value("1")


def test_store_without_input_rules_keeps_keys_as_they_are():
    """Where a store declares no input rules, keys are not trimmed and nothing is refused."""
    world = World(Rules(validates=False))
    world.call("register", " k", 1)
    assert world.call("lookup", "k") is ABSENT
    assert world.call("lookup", " k") == Value("1")


def test_store_without_eviction_keeps_all():
    """Where a store declares no eviction, `maxEntries` removes nothing."""
    world = World(Rules.of(Capabilities(eviction=None)), max_entries=1)
    world.call("register", "a", 1)
    world.call("register", "b", 1)
    assert world.keys() == ["a", "b"]


def test_unknown_operations_and_places_are_the_callers_mistake():
    """The model blames its caller, not a store."""
    with pytest.raises(ValueError, match="knows no operation 'steal'"):
        outcomes(RULES, State(), Call(f="steal"), 0)
    with pytest.raises(ValueError, match="never opened"):
        outcomes(RULES, State(), Call(f="lookup", plugin="p", namespace="n", key="k"), 0)


def test_states_are_values():
    """Equal states are equal and hash alike, however they came about."""
    one, two = World(), World()
    one.call("register", "a", 1, 5)
    one.call("register", "a", 1)
    two.call("register", "a", 1)
    assert one.state == two.state
    assert hash(one.state) == hash(two.state)


def test_descriptions_speak_python():
    """Calls, answers and states are put into words that a person can paste or read."""
    assert describe_call(Call(f="register", key="k", value=[1], ttl_ms=5)) == (
        "register('k', [1], ttl_ms=5)"
    )
    assert describe_call(Call(f="open", plugin="p", namespace="n", max_entries=1)) == (
        "open('p', 'n', max_entries=1)"
    )
    assert describe_answer(Listing((Row("k", "1", 5, None),))) == "['k'=1 (5..never)]"
    assert describe_answer(Count(1, 2)) == "1 to 2"
    assert describe_state(State(), 0) == "nothing was opened"
    cycle: list = []
    cycle.append(cycle)
    for value in ("x" * 500, [[[[[[[[[[0]]]]]]]]]], float("inf")):
        assert eval(as_code(value)) == value


def test_a_part_that_comes_twice_is_written_as_one():
    """The expression for a value that shares a part makes a value that shares it too."""
    part = [1]
    left, right = eval(as_code([part, part]))
    assert left == part
    assert left is right
