"""The newer operations: the functions they take, the model, the reference stores, the mutants."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from onewinner import ABSENT, InvalidInput, LimitExceeded, ManualClock
from onewinner.adapters.stdio.messages import BATCHED
from onewinner.adapters.targets import Target
from onewinner.contract import (
    OPTIONAL_OPERATIONS,
    Change,
    Compared,
    Condition,
    Intent,
    Observation,
)
from onewinner.contract.clauses import CLAUSES
from onewinner.contract.newer import arguments, change_of, condition_of, intent_of
from onewinner.generator import Call as GeneratedCall
from onewinner.history.plain import answer_of, comparison_of, plain_answer, shown
from onewinner.mutants import MUTANTS
from onewinner.stores import newer_memory, newer_sqlite
from onewinner.suite.cases import CASES, run_case
from onewinner.suite.tree import Status as Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BY_CASES = {"handles", "likenesses", "many_rows", "newer", "newer_writes", "widths"}
ROOT = Path(__file__).parents[1]
T0 = 1_000_000


class TestFunctions:
    @pytest.mark.parametrize(
        ("name", "argument", "current", "made"),
        [
            ("increment", 2, 3, 5),
            ("increment", 2, ABSENT, 2),
            ("increment", 2, "text", ABSENT),
            ("increment", 1, True, ABSENT),
            ("append", {"a": 1}, [0], [0, {"a": 1}]),
            ("append", 1, ABSENT, [1]),
            ("append", 1, None, ABSENT),
            ("replace", None, 1, None),
            ("replace", 2, ABSENT, ABSENT),
        ],
    )
    def test_a_change_makes_a_value_or_leaves_it(
        self, name: str, argument: Any, current: Any, made: Any
    ) -> None:
        """A change is a pure function; where it does not fit it leaves what is there."""
        assert Change(name, argument)(current) == made

    @pytest.mark.parametrize(
        ("name", "argument", "current", "holds"),
        [
            ("equals", 1, 1.0, True),
            ("equals", 1, True, False),
            ("equals", [1], [1.0], True),
            ("equals", {"b": 1, "a": 2}, {"a": 2, "b": 1}, True),
            ("equals", None, 0, False),
            ("above", 4, 5, True),
            ("above", 4, 4, False),
            ("above", 0, "text", False),
            ("above", 0, True, False),
        ],
    )
    def test_a_condition_holds_or_not(
        self, name: str, argument: Any, current: Any, holds: bool
    ) -> None:
        """A condition compares as JSON does."""
        assert Condition(name, argument)(current) is holds

    def test_they_are_written_as_one_member(self) -> None:
        """The plain form is an object of the name and its argument, and nothing else."""
        assert change_of({"increment": 1}) == Change("increment", 1)
        assert condition_of({"above": 1}) == Condition("above", 1)
        assert intent_of({"set": None}) == Intent("set", None)

    @pytest.mark.parametrize("plain", [{"increments": 1}, {}, {"set": 1, "keep": 1}, "keep", None])
    def test_what_is_none_is_refused(self, plain: Any) -> None:
        """What was given is repeated, with the names that there are."""
        with pytest.raises(ValueError, match="write one of"):
            intent_of(plain)

    @pytest.mark.parametrize(
        ("f", "given", "wanted"),
        [
            ("count", (), ()),
            ("lookup_many", (None, ["a"]), (["a"],)),
            ("delete_if_equal", ("k", 1), ("k", 1)),
            ("delete_if", ("k", {"above": 1}), ("k", Condition("above", 1))),
            ("observe", ("k",), ("k",)),
        ],
    )
    def test_a_call_is_made_with_what_its_method_takes(
        self, f: str, given: tuple[Any, ...], wanted: tuple[Any, ...]
    ) -> None:
        """One table says what each method of a store is called with."""
        assert arguments(f, *(given or (None,))) == (wanted, {})

    def test_a_ttl_goes_by_name(self) -> None:
        """What may be left out is given by its name."""
        change = Change("append", 1)
        assert arguments("update", "k", {"append": 1}, 5) == (("k", change), {"ttl_ms": 5})
        compared = ("k", "seen", Intent("delete", None))
        assert arguments("compare_and_apply", "k", {"delete": None}, None, "seen") == (compared, {})


class TestPlainAnswers:
    @pytest.mark.parametrize(
        ("f", "answer"),
        [
            ("lookup_many", [ABSENT, None, 1]),
            ("observe", Observation(ABSENT, "c1")),
            ("observe", Observation(None, "c2")),
            ("compare_and_apply", Compared("applied")),
            ("compare_and_apply", Compared("conflict", Observation([1], "c3"))),
            ("count", 3),
        ],
    )
    def test_they_come_back_as_they_were(self, f: str, answer: Any) -> None:
        """An answer survives its way through a history; null and absent stay apart."""
        assert answer_of(f, plain_answer(f, answer, "with")) == answer

    def test_a_comparison_stands_beside_its_answer(self) -> None:
        """Whoever judges a comparison finds what it was made with."""
        assert comparison_of(plain_answer("compare_and_apply", Compared("applied"), "c1")) == "c1"
        assert comparison_of(True) is None

    @pytest.mark.parametrize(
        ("f", "plain", "told"),
        [
            ("compare_and_apply", {"status": "applied", "with": "c", "current": None}, "applied"),
            (
                "compare_and_apply",
                {"status": "conflict", "current": {"value": [], "comparison": "c"}},
                "conflict, now no row",
            ),
            ("observe", {"value": [1], "comparison": "0123456789"}, "1, comparison 23456789"),
            ("lookup_many", [[None], []], "None, no row"),
            ("entries", [[1]], "[[1]]"),
        ],
    )
    def test_they_are_told_in_few_words(self, f: str, plain: Any, told: str) -> None:
        """A report shows what matters of an answer."""
        assert shown(f, plain) == told


@pytest.fixture(params=["memory", "sqlite"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open namespaces of a reference store, each on a handle of its own; `clock` moves its time."""
    module = {"memory": newer_memory, "sqlite": newer_sqlite}[request.param]
    clock, backends = ManualClock(T0), []

    def opened(*, strict: bool = False, **options: Any) -> Any:
        connect = module.connect_strict if strict else module.connect
        backends.append(connect(str(tmp_path / "store"), clock=clock))
        return backends[-1].open("p", "n", **{"max_entries": 99, **options})

    opened.clock = clock  # type: ignore[attr-defined]
    yield opened
    for backend in backends:
        backend.close()


class TestReferenceStores:
    def test_a_comparison_is_of_one_row_and_one_key(self, stores: Callable[..., Any]) -> None:
        """It holds on another handle, once, and for no other key."""
        store, other = stores(), stores()
        seen = store.observe("k")
        assert seen.value is ABSENT
        assert store.compare_and_apply("j", seen.comparison, Intent("set", 1)).status == "conflict"
        assert other.compare_and_apply("k", seen.comparison, Intent("set", 1)) == Compared(
            "applied"
        )
        found = store.compare_and_apply("k", seen.comparison, Intent("set", 2))
        assert (found.status, found.current) == ("conflict", other.observe("k"))
        assert store.lookup("k") == 1

    def test_plain_functions_will_do(self, stores: Callable[..., Any]) -> None:
        """In Python an update is given any function, and so is a conditional delete."""
        store = stores()
        assert store.update("k", lambda value: [] if value is ABSENT else ABSENT) is True
        assert store.update("k", lambda _: ABSENT) is False
        assert store.delete_if("k", lambda value: value == [1]) is False
        assert store.delete_if("k", lambda value: value == []) is True
        assert store.count() == 0

    def test_a_function_that_raises_changes_nothing(self, stores: Callable[..., Any]) -> None:
        """What the caller's own function raises comes back to it, and the store goes on."""
        store = stores()
        store.register("k", 1)
        with pytest.raises(ZeroDivisionError):
            store.update("k", lambda value: value / 0)
        assert store.lookup("k") == 1
        assert store.update("k", Change("increment", 1)) is True

    def test_what_is_no_scalar_is_refused(self, stores: Callable[..., Any]) -> None:
        """`delete_if_equal` compares with scalars alone."""
        store = stores()
        store.register("k", [1])
        with pytest.raises(InvalidInput, match="no scalar"):
            store.delete_if_equal("k", [1])
        assert store.delete_if_equal("k", "[1]") is False

    def test_parallel_updates_all_count(self, stores: Callable[..., Any]) -> None:
        """Threads that count up one number, on handles of their own, lose nothing."""
        many = [stores() for _ in range(4)]
        threads = [
            threading.Thread(
                target=lambda store=store: [
                    store.update("k", Change("increment", 1)) for _ in range(25)
                ]
            )
            for store in many
        ]
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(before)
        assert many[0].lookup("k") == 100

    def test_strict_ages_are_all_different(self, stores: Callable[..., Any]) -> None:
        """Rows of one millisecond, and rows after the clock went back, are still in order."""
        store = stores(strict=True)
        for key in "cab":
            store.register(key, 1)
        stores.clock.advance(-500)  # type: ignore[attr-defined]
        store.register("c", 2, ttl_ms=10)
        rows = [(row.key, row.created_at - T0) for row in store.entries()]
        assert rows == [("a", 1), ("b", 2), ("c", 3)]
        assert store.entries()[-1].expires_at == T0 - 490

    def test_a_full_namespace_refuses_where_it_was_opened_so(
        self, stores: Callable[..., Any]
    ) -> None:
        """Nobody is evicted, and what is there can be written."""
        store = stores(max_entries=1, overflow_policy="reject-new")
        store.register("a", 1)
        with pytest.raises(LimitExceeded):
            store.compare_and_apply("b", store.observe("b").comparison, Intent("set", 1))
        assert store.compare_and_apply(
            "a", store.observe("a").comparison, Intent("set", 2)
        ) == Compared("applied")
        assert store.lookup("a") == 2


class TestMutants:
    @pytest.mark.parametrize(
        "name", [m.name for m in MUTANTS.values() if m.family in BY_CASES and m.shows == "alone"]
    )
    def test_a_case_of_its_clause_flags_it(self, name: str, tmp_path: Path) -> None:
        """What one caller can see is seen by a case of the clause that the mutant names first."""
        (clause, *_), target = MUTANTS[name].clauses, Target(f"mutant:{name}")
        backend = target.connect(str(tmp_path / "probe"), ManualClock(T0))
        found = [
            result
            for case in CASES.values()
            if case.clause == clause and case.missing(backend.capabilities) is None
            for result in run_case(case, target, backend.capabilities, str(tmp_path))
        ]
        backend.close()
        assert any(r.clause == clause and r.status is Verdict.FAIL for r in found)

    @pytest.mark.parametrize("name", ["newer_memory", "newer_sqlite"])
    @pytest.mark.parametrize("connect", ["connect", "connect_strict"])
    def test_the_right_stores_pass_the_same_cases(
        self, name: str, connect: str, tmp_path: Path
    ) -> None:
        """The references pass what flags the mutants."""
        target = Target(f"python:onewinner.stores.{name}:{connect}")
        backend = target.connect(str(tmp_path / "probe"), ManualClock(T0))
        newer = ("READ-8", "READ-9", "READ-11", "DEL-7", "DEL-8", "INPUT-12", "EVICT-9")
        found = [
            result
            for case in CASES.values()
            if case.clause in newer or case.clause.startswith(("UPD", "CAS", "EVICT"))
            if case.missing(backend.capabilities) is None
            for result in run_case(case, target, backend.capabilities, str(tmp_path))
        ]
        backend.close()
        assert {r.status for r in found} == {Verdict.PASS}
        assert len(found) >= 29


class TestOverStdio:
    def test_the_adapter_of_the_project_passes_every_case(self, tmp_path: Path) -> None:
        """Operations, functions by name and comparisons go through the protocol and back."""
        target = Target(f"exec:{sys.executable} {ROOT / 'adapters' / 'python' / 'adapter.py'}")
        backend = target.connect(str(tmp_path), ManualClock(T0))
        assert backend.capabilities.operations >= OPTIONAL_OPERATIONS
        found = [
            result
            for case in CASES.values()
            if OPTIONAL_OPERATIONS.intersection(CLAUSES[case.clause].needs)
            if case.missing(backend.capabilities) is None
            for result in run_case(case, target, backend.capabilities, str(tmp_path))
        ]
        backend.close()
        assert {r.status for r in found} == {Verdict.PASS}
        assert len(found) >= 24

    def test_a_batch_holds_all_but_comparisons(self, tmp_path: Path) -> None:
        """What needs no answer of an earlier call can be fired at an instant."""
        target = Target(f"exec:{sys.executable} {ROOT / 'adapters' / 'python' / 'adapter.py'}")
        backend: Any = target.connect(str(tmp_path), ManualClock(T0))
        store = backend.open("p", "n", max_entries=9)
        calls = [
            GeneratedCall("update", "p", "n", "k", {"increment": 1}),
            GeneratedCall("count", "p", "n"),
            GeneratedCall("lookup_many", "p", "n", None, ["k", "j"]),
            GeneratedCall("delete_if", "p", "n", "k", {"above": 1}),
            GeneratedCall("delete_if_equal", "p", "n", "k", 1),
        ]
        fired = backend.batch(0, [(store, call) for call in calls])
        backend.close()
        assert [each.came_to() for each in fired] == [True, 1, [1, ABSENT], False, True]
        assert {"observe", "compare_and_apply"}.isdisjoint(BATCHED)
