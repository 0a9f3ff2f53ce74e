"""The races of the newer operations: what is played, what a client remembers, how it is judged."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from onewinner import ABSENT, Entry, ManualClock
from onewinner.adapters.targets import Target
from onewinner.contract import OPERATIONS, OPTIONAL_OPERATIONS
from onewinner.generator import Call, Round, Shape, block
from onewinner.history import Fail, Info, Ok, Operation
from onewinner.runner.plan import Played
from onewinner.suite.newer_rulings import aged, exact, rejecting
from onewinner.suite.races import RACES
from onewinner.suite.rulings import RULINGS
from onewinner.worker.acts import Acts
from onewinner.worker.handles import Handles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KINDS = {
    "updates": {"update"},
    "equal-deletes": {"delete_if_equal"},
    "conditional-deletes": {"delete_if"},
    "comparisons": {"observe", "compare_and_apply"},
    "many-lookups": {"lookup_many"},
    "counts": {"count"},
    "rejects": set(),
    "ages": set(),
}
ALL = OPERATIONS | OPTIONAL_OPERATIONS


def shape(operations: frozenset[str] = ALL) -> Shape:
    """Answer a stream for three clients."""
    return Shape(prefix="r", seed=7, clients=3, operations=operations)


class TestRounds:
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_block_is_the_same_each_time(self, kind: str) -> None:
        """Seed, kind and number decide all; the calls are of declared operations alone."""
        made = block(kind, shape(), 3, 5)
        assert made == block(kind, shape(), 3, 5)
        assert len(made) == 5
        called = {call.f for each in made for calls in each.volley for call in calls}
        assert KINDS[kind] <= called <= ALL
        assert all(len(each.volley) == 3 and all(each.volley) for each in made)

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_store_with_little_is_asked_for_little(self, kind: str) -> None:
        """Beside what the race is about only claims and one reader are needed."""
        offered = frozenset({"register_if_absent", "entries", "delete", *KINDS[kind]})
        made = block(kind, shape(offered), 1, 6)
        steps = [s for each in made for s in (*each.prepare, *each.inspect) if isinstance(s, Call)]
        steps += [call for each in made for calls in each.volley for call in calls]
        assert {call.f for call in steps} <= offered

    def test_each_kind_is_raced_on_threads_and_processes(self) -> None:
        """No kind is left without a race, nor without a ruling."""
        levels = {(race.kind, race.level) for race in RACES}
        assert {(k, level) for k in KINDS for level in ("thread", "process")} <= levels
        assert KINDS.keys() <= RULINGS.keys()


class TestActs:
    @pytest.fixture
    def acts(self, tmp_path: Path) -> Iterator[Callable[[], Acts]]:
        """Make clients of one store, each with handles of its own."""
        opened: list[Handles] = []

        def client() -> Acts:
            opened.append(Handles(Target("memory"), str(tmp_path), ManualClock(1_000)))
            return Acts(opened[-1])

        yield client
        for handles in opened:
            handles.close()

    def test_a_client_compares_with_what_it_saw_last(self, acts: Callable[[], Acts]) -> None:
        """Of two that saw the same one applies, and the other is told what is there."""
        one, other = acts(), acts()
        observe = Call("observe", "p", "n", "k")
        assert one.act(observe)()["value"] == other.act(observe)()["value"] == []
        applied = one.act(Call("compare_and_apply", "p", "n", "k", {"set": 1}))()
        conflict = other.act(Call("compare_and_apply", "p", "n", "k", {"set": 2}))()
        assert (applied["status"], conflict["status"]) == ("applied", "conflict")
        assert applied["with"] == conflict["with"]
        assert conflict["current"]["value"] == [1]

    def test_a_client_compares_with_what_it_was_told(self, acts: Callable[[], Acts]) -> None:
        """What another observed holds for a client that has looked at nothing, for that key."""
        one, other = acts(), acts()
        observe = Call("observe", "p", "n", "k")
        other.learn(observe, one.act(observe)()["comparison"])
        unknown = other.act(Call("compare_and_apply", "p", "n", "j", {"set": 1}))()
        applied = other.act(Call("compare_and_apply", "p", "n", "k", {"set": 1}))()
        assert (unknown["status"], applied["status"]) == ("conflict", "applied")

    def test_other_calls_are_the_methods_of_the_store(self, acts: Callable[[], Acts]) -> None:
        """A change is made of its plain form, and the policy opens the namespace."""
        client = acts()
        update = Call("update", "p", "n", "k", {"increment": 2}, None, 1, "reject-new")
        assert client.act(update)() is True
        assert client.act(Call("lookup_many", "p", "n", None, ["k", "j"]))() == [2, ABSENT]
        assert client.act(Call("count", "p", "n"))() == 1
        claim = client.act(Call("register_if_absent", "p", "n", "j", 1))
        with pytest.raises(Exception, match="LIMIT_EXCEEDED"):
            claim()


def played(*operations: Operation, **facts: int) -> list[Played]:
    """Answer one round as it was played."""
    each = Round(volley=((),), facts=facts)
    return [Played(round=each, serial=0, operations=operations, drift_ms=0)]


class Script:
    """Writes operations down, one after the other or all at once."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.operations: list[Operation] = []

    def __call__(
        self, process: int, f: str, key: str | None, outcome: Any, value: Any = None, **how: Any
    ) -> None:
        """Add a call; with `at` it lies around that instant, else after all others."""
        number = 10 * next(self._numbers)
        first, last = (0, 10_000) if how.get("together") else (20_000 + number, 20_001 + number)
        if how.get("first"):
            first, last = -20_000 + number, -19_999 + number
        self.operations.append(
            Operation(
                process=process,
                f=f,
                value={"plugin": "p", "namespace": "n", "key": key, "value": value, "ttl_ms": None},
                outcome=outcome if isinstance(outcome, Ok | Fail | Info) else Ok(outcome),
                invoked_ns=first + process,
                completed_ns=last + process,
                extra={"round": 0, "phase": "volley", "worker": process, "epoch": 0},
            )
        )


def compared(status: str, comparison: str, value: list[Any] | None = None) -> dict[str, Any]:
    """Answer an answer of `compare_and_apply` in its plain form."""
    current = None if value is None else {"value": value, "comparison": f"now-{value}"}
    return {"status": status, "with": comparison, "current": current}


class TestRulings:
    @pytest.mark.parametrize(("left", "right"), [(102, True), (101, False), (100, False)])
    def test_updates_must_all_count(self, left: int, right: bool) -> None:
        """Of two updates that answered true both are in the value."""
        script = Script()
        script(0, "register_if_absent", "k", True, 100, first=True)
        for client in (0, 1):
            script(client, "update", "k", True, {"increment": 1}, together=True)
        script(0, "lookup", "k", left)
        assert (list(exact(played(*script.operations))) == []) is right

    @pytest.mark.parametrize(
        ("answers", "right"),
        [((True, False), True), ((True, True), False), ((False, False), False)],
    )
    def test_one_of_two_deletes_removes(self, answers: tuple[bool, bool], right: bool) -> None:
        """Exactly one of those that release a row is told that it did."""
        script = Script()
        script(0, "register_if_absent", "k", True, "mine", first=True)
        for client, answer in enumerate(answers):
            script(client, "delete_if_equal", "k", answer, "mine", together=True)
        assert (list(exact(played(*script.operations))) == []) is right

    @pytest.mark.parametrize(
        ("second", "left", "right"),
        [
            (compared("conflict", "c1", [0]), 0, True),
            (compared("applied", "c1"), 1, False),
            (compared("applied", "c1"), 0, False),
            (compared("conflict", "c1", [9]), 0, False),
            (Info("gone"), 1, True),
        ],
    )
    def test_one_of_two_comparisons_applies(self, second: Any, left: int, right: bool) -> None:
        """Of two that compare with one observation one is applied; what never answered may be."""
        script = Script()
        script(0, "observe", "k", {"value": [], "comparison": "c1"}, first=True)
        outcomes = (compared("applied", "c1"), second)
        if isinstance(second, Info):
            outcomes = (compared("conflict", "c1", [1]), second)
        for client, answer in enumerate(outcomes):
            script(client, "compare_and_apply", "k", answer, {"set": client}, together=True)
        script(0, "lookup", "k", left)
        found = [each for each in exact(played(*script.operations)) if each.kind != "error"]
        assert (found == []) is right

    @pytest.mark.parametrize(
        ("seen", "right"), [([[1], []], True), ([[1], [2]], True), ([[], []], False)]
    )
    def test_many_are_looked_up_at_one_instant(self, seen: list[Any], right: bool) -> None:
        """A token that is added before it is removed is always at some place."""
        script = Script()
        script(0, "register_if_absent", "a", True, 1, first=True)
        script(0, "register_if_absent", "b", True, 2)
        script(0, "delete", "a", True)
        script.operations[-2:] = [
            Operation(**{**vars_of(each), "invoked_ns": at, "completed_ns": at + 1})
            for each, at in zip(script.operations[-2:], (100, 200), strict=True)
        ]
        script(1, "lookup_many", None, seen, ["a", "b"], together=True)
        assert (list(exact(played(*script.operations))) == []) is right

    def test_a_full_namespace_refuses_and_keeps(self) -> None:
        """A refusal while there is room is wrong, and so is a row that is gone."""
        refused = Fail({"code": "LIMIT_EXCEEDED", "operation": "register", "message": ""})
        script = Script()
        script(0, "register_if_absent", "a", True, 1, first=True)
        script(0, "register_if_absent", "b", True, 1, together=True)
        script(1, "register_if_absent", "c", refused, 1, together=True)
        full = script.operations
        assert list(rejecting(played(*full, max_entries=2))) == []
        assert len(list(rejecting(played(*full, max_entries=3)))) == 1
        script(0, "entries", None, (Entry("b", 1, 5), Entry("x", 1, 6)))
        assert len(list(rejecting(played(*script.operations, max_entries=2)))) == 1

    @pytest.mark.parametrize(("ages", "right"), [((5, 6), True), ((5, 5), False)])
    def test_rows_of_one_age_are_told(self, ages: tuple[int, int], right: bool) -> None:
        """Two rows of a listing with one age break the rule, whatever their order."""
        script = Script()
        for client, key in enumerate("ba"):
            script(client, "register_if_absent", key, True, 1, together=True)
        script(0, "entries", None, tuple(Entry(k, 1, at) for k, at in zip("ba", ages, strict=True)))
        found = list(aged(played(*script.operations)))
        assert (found == []) is right
        assert right or found[0].kind == "tie"


def vars_of(operation: Operation) -> dict[str, Any]:
    """Answer the fields of an operation."""
    return {name: getattr(operation, name) for name in Operation.__dataclass_fields__}
