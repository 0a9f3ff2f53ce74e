"""The model of the newer operations: what each may answer, and what the state is then."""

from __future__ import annotations

import dataclasses
from typing import Any

from onewinner import ABSENT
from onewinner.contract import NEWER
from onewinner.model import (
    Call,
    Many,
    Refused,
    Rules,
    Size,
    State,
    Status,
    Value,
    describe_call,
    forgetting,
    outcomes,
)

T0 = 1_000_000


class Walk:
    """The model on one namespace: each step must have one outcome that answers as expected."""

    def __init__(self, rules: Rules | None = None, **opening: Any) -> None:
        self.rules = rules or Rules()
        self.state = State()
        self.now = T0
        self("open", None, **{"max_entries": 9, **opening})

    def all(self, f: str, **call: Any) -> list[Any]:
        """Answer all that may be answered."""
        made = Call(f=f, plugin="p", namespace="n", **call)
        return [answer for answer, _ in outcomes(self.rules, self.state, made, self.now)]

    def __call__(self, f: str, expected: Any, **call: Any) -> None:
        """Go on with the outcome that answers this."""
        made = Call(f=f, plugin="p", namespace="n", **call)
        found = outcomes(self.rules, self.state, made, self.now)
        (self.state,) = {after: 1 for answer, after in found if answer == expected}


class TestModel:
    def test_counts_and_many_lookups_see_live_rows(self) -> None:
        """Expired rows are not counted and are absent, and null is a value."""
        walk = Walk()
        walk("register", None, key="a", value=None)
        walk("register", None, key="b", value=2, ttl_ms=5)
        walk("count", Size(2))
        walk.now += 5
        walk("count", Size(1))
        walk("lookup_many", Many((ABSENT, Value("null"), ABSENT)), value=["b", " a", "c"])
        walk("lookup_many", Refused("INVALID_INPUT", "INPUT-4"), value=["a", ""])

    def test_conditional_deletes(self) -> None:
        """What is equal or meets the condition goes, and nothing else."""
        walk = Walk()
        walk("register", None, key="a", value=1)
        assert walk.all("delete_if_equal", key="a", value=True) == [False]
        assert walk.all("delete_if", key="a", value={"above": 1}) == [False]
        walk("delete_if_equal", True, key="a", value=1.0)
        walk("delete_if_equal", False, key="a", value=1)

    def test_updates_are_upserts(self) -> None:
        """A change is stored with the age of now; one that leaves the value stores nothing."""
        walk = Walk()
        walk("update", True, key="a", value={"increment": 2}, ttl_ms=9)
        walk.now += 1
        walk("update", False, key="a", value={"append": 2})
        walk("update", True, key="a", value={"increment": 2})
        walk("lookup", Value("4"), key="a")
        assert [(row.created_at, row.expires_at) for row in walk.state.spaces[0].rows] == [
            (T0 + 1, None)
        ]

    def test_large_numbers_are_added_exactly_or_in_doubles(self) -> None:
        """Beyond 2^53 - 1 a sum may be rounded as doubles are; up to there it is exact."""
        for held, sums in ((2**53 - 3, {2**53 - 1}), (2**53, {2**53, 2**53 + 1}), (-1e300, None)):
            walk = Walk()
            walk("register", None, key="a", value=held)
            by = 2 if sums == {2**53 - 1} else 1
            call = Call(f="update", plugin="p", namespace="n", key="a", value={"increment": by})
            found = outcomes(walk.rules, walk.state, call, T0)
            made = {int(after.spaces[0].rows[0].value) for _, after in found}
            assert made == (sums or {int(-1e300), int(-1e300) + 1})

    def test_what_an_update_makes_must_fit(self) -> None:
        """A value that is too large is refused, though the change is small."""
        walk = Walk(Rules(limits=dataclasses.replace(Rules().limits, max_value_bytes=5)))
        walk("register", None, key="a", value=[1])
        refused = Refused("LIMIT_EXCEEDED", "INPUT-9")
        assert walk.all("update", key="a", value={"append": 22}) == [refused]

    def test_a_comparison_holds_until_something_changes(self) -> None:
        """It is applied once; afterwards the row is another one."""
        walk = Walk()
        walk("register", None, key="a", value=1)
        walk("observe", Value("1"), key="a", noted="c1")
        compared = {"key": "a", "value": {"set": 2}, "comparison": "c1"}
        assert walk.all("compare_and_apply", **compared) == [Status("applied")]
        walk("compare_and_apply", Status("applied"), **compared)
        conflict = Status("conflict", Value("2"))
        assert walk.all("compare_and_apply", **compared) == [conflict]
        walk("compare_and_apply", conflict, **compared, noted="c2")
        again = {"key": "a", "value": {"delete": None}, "comparison": "c2"}
        walk("compare_and_apply", Status("applied"), **again)
        assert walk.all("compare_and_apply", **again) == [Status("conflict", ABSENT)]

    def test_a_row_that_is_all_the_same_again_may_be_either(self) -> None:
        """Written anew with one value, age and expiry it may be taken for the one observed."""
        walk = Walk()
        walk("register", None, key="a", value=1)
        walk("observe", Value("1"), key="a", noted="c1")
        walk("register", None, key="a", value=1)
        compared = {"key": "a", "value": {"keep": None}, "comparison": "c1"}
        either = [Status("unchanged"), Status("conflict", Value("1"))]
        assert walk.all("compare_and_apply", **compared) == either
        walk.now += 1
        walk("register", None, key="a", value=1)
        assert walk.all("compare_and_apply", **compared) == [Status("conflict", Value("1"))]

    def test_where_time_is_real_ages_may_tie(self) -> None:
        """A value that was written again may be of one millisecond, whatever the model says."""
        walk = Walk(Rules(exact=False))
        walk("register", None, key="a", value=1)
        walk("observe", Value("1"), key="a", noted="c1")
        walk.now += 1
        walk("register", None, key="a", value=1)
        compared = {"key": "a", "value": {"keep": None}, "comparison": "c1"}
        assert len(walk.all("compare_and_apply", **compared)) == 2

    def test_expiry_is_a_change(self) -> None:
        """What was observed alive is gone when its time has come; absent stays absent."""
        walk = Walk()
        walk("register", None, key="a", value=1, ttl_ms=5)
        walk("observe", Value("1"), key="a", noted="c1")
        walk.now += 5
        compared = {"key": "a", "value": {"set": 2}, "comparison": "c1"}
        assert walk.all("compare_and_apply", **compared) == [Status("conflict", ABSENT)]
        walk("observe", ABSENT, key="a", noted="c2")
        walk("sweep_expired", walk.all("sweep_expired")[0])
        compared["comparison"] = "c2"
        assert walk.all("compare_and_apply", **compared) == [Status("applied")]

    def test_a_comparison_of_another_key_is_none(self) -> None:
        """It may be refused or be a conflict, and is never applied."""
        walk = Walk()
        walk("observe", ABSENT, key="a", noted="c1")
        compared = {"key": "b", "value": {"set": 2}, "comparison": "c1"}
        refused = Refused("INVALID_INPUT", "CAS-6")
        assert walk.all("compare_and_apply", **compared) == [refused, Status("conflict", ABSENT)]

    def test_a_call_that_never_answered_may_have_been_applied(self) -> None:
        """Where nobody knows the comparison, every end is possible."""
        walk = Walk()
        assert Status("applied") in walk.all("compare_and_apply", key="a", value={"set": 2})

    def test_closing_may_forget_comparisons(self) -> None:
        """After all handles were closed a comparison holds or not."""
        walk = Walk()
        walk("observe", ABSENT, key="a", noted="c1")
        walk.state = forgetting(walk.state)
        compared = {"key": "a", "value": {"set": 2}, "comparison": "c1"}
        assert walk.all("compare_and_apply", **compared) == [
            Status("applied"),
            Status("conflict", ABSENT),
        ]

    def test_closing_lets_a_namespace_be_opened_otherwise(self) -> None:
        """Then other options are taken, or refused; an insert, and no update, evicts the excess."""
        walk = Walk(max_entries=3)
        for key in "abc":
            walk("register", None, key=key, value=1)
        walk.state = forgetting(walk.state)
        refused = Refused("INVALID_INPUT", "INPUT-3")
        assert walk.all("open", max_entries=1) == [None, refused]
        walk("open", None, max_entries=1)
        assert walk.all("open", max_entries=3) == [refused]
        walk("register", None, key="a", value=2)
        walk("count", Size(3))
        walk("register_if_absent", True, key="d", value=1)
        walk("count", Size(1))

    def test_an_opening_decides_what_a_full_namespace_does(self) -> None:
        """The policy of the opening counts, and the profile's where it has none."""
        walk = Walk(max_entries=1, overflow_policy="reject-new")
        walk("register", None, key="a", value=1)
        refused = Refused("LIMIT_EXCEEDED", "EVICT-9")
        assert walk.all("register_if_absent", key="b", value=1) == [refused]
        assert walk.all("update", key="b", value={"increment": 1}) == [refused]
        assert walk.all("register", key="a", value=2) == [None]
        rule = Refused("INVALID_INPUT", "INPUT-12")
        assert walk.all("open", max_entries=1) == [rule]
        assert walk.all("open", max_entries=1, overflow_policy="other") == [rule]

    def test_strict_ages_grow(self) -> None:
        """Each row is younger than all others; whether those that are gone count is left open."""
        walk = Walk(Rules(strict_ages=True))
        for key in "ab":
            walk("register", None, key=key, value=1)
        walk("delete", True, key="b")
        found = outcomes(
            walk.rules,
            walk.state,
            Call(f="register", plugin="p", namespace="n", key="c", value=1),
            T0 - 50,
        )
        born = [after.spaces[0].rows[-1].created_at for _, after in found]
        assert born == [T0 + 1, T0 + 2]

    def test_strict_ages_may_make_room_first(self) -> None:
        """What a write itself replaces or drives out is gone, and may count or not."""
        for full, key in ((1, "b"), (9, "a")):
            walk = Walk(Rules(strict_ages=True), max_entries=full)
            walk("register", None, key="a", value=1)
            call = Call(f="register", plugin="p", namespace="n", key=key, value=2)
            found = outcomes(walk.rules, walk.state, call, T0)
            born = [after.spaces[0].rows[-1].created_at for _, after in found]
            assert born == [T0, T0 + 1]

    def test_strict_ages_are_later_than_those_that_stay(self) -> None:
        """With room for two, the one that stays counts, though the other is driven out."""
        walk = Walk(Rules(strict_ages=True), max_entries=2)
        for key in "ab":
            walk("register", None, key=key, value=1)
        call = Call(f="register", plugin="p", namespace="n", key="c", value=1)
        found = outcomes(walk.rules, walk.state, call, T0)
        assert [after.spaces[0].rows[-1].created_at for _, after in found] == [T0 + 2]

    def test_strict_ages_may_not_count_what_the_cap_drives_out(self) -> None:
        """At the cap of the plugin its oldest row goes, which may be the only one here."""
        limits = dataclasses.replace(NEWER, plugin_row_cap=1)
        walk = Walk(Rules(limits=limits, strict_ages=True))
        walk("register", None, key="a", value=1)
        call = Call(f="register", plugin="p", namespace="n", key="b", value=1)
        found = outcomes(walk.rules, walk.state, call, T0)
        assert [after.spaces[0].rows[-1].created_at for _, after in found] == [T0, T0 + 1]

    def test_calls_are_written_as_python(self) -> None:
        """A program can be pasted: functions are objects of the package."""
        call = Call(f="update", key="k", value={"append": {"a": 1}}, ttl_ms=5)
        told = "update('k', onewinner.Change('append', {'a': 1}), ttl_ms=5)"
        assert describe_call(call) == told
