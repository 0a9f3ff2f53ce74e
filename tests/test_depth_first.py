"""The depth-first search, and its race with the frontier."""

from __future__ import annotations

import pytest

from brute_force import linearizable
from onewinner.checker import Budgets, KeyValueModel, RegisterModel, check
from onewinner.checker import frontier as frontier_module
from onewinner.checker.depth_first import DepthFirst
from onewinner.checker.frontier import Frontier
from onewinner.checker.linearizable import Dovetail
from onewinner.checker.search import Allowance, Exhausted, prepare
from onewinner.history import Ok, Operation
from test_linearizable import hard_history, random_history

MODEL = RegisterModel()


def searched(kind, history, model=MODEL, slice_=10**6):
    """Answer a search of some kind that is decided."""
    search = kind(model, prepare(history), Allowance(Budgets()))
    while not search.run(slice_):
        pass
    return search


@pytest.mark.parametrize("kind", [DepthFirst, Frontier, Dovetail])
def test_each_search_agrees_with_brute_force(kind):
    """On small random histories with crashes each search by itself is right."""
    invalid = 0
    for seed in range(1200):
        history = random_history(seed)
        expected = linearizable(history, MODEL)
        assert searched(kind, history).valid is expected, f"seed {seed}: {history}"
        invalid += not expected
    assert invalid > 100


def test_both_name_the_same_return():
    """What fails first does not depend on how it was searched for."""
    named = 0
    for seed in range(800):
        history = random_history(seed)
        deep, wide = searched(DepthFirst, history), searched(Frontier, history)
        if not wide.valid:
            ends = [each.prepared[each.failing].returned_ns for each in (deep, wide)]
            assert ends[0] == ends[1], seed
            named += 1
    assert named > 60


@pytest.mark.parametrize("kind", [DepthFirst, Frontier, Dovetail])
def test_searches_can_be_sliced(kind):
    """However often it is interrupted, a search decides alike."""
    for seed in range(200):
        history = random_history(seed)
        assert searched(kind, history, slice_=1).valid is searched(Frontier, history).valid


@pytest.mark.parametrize("kind", [DepthFirst, Frontier])
@pytest.mark.parametrize(
    ("budgets", "why"),
    [
        (Budgets(steps=50), "50 steps"),
        (Budgets(configurations=100), "100 configurations"),
        (Budgets(timeout_s=0.0), "0 s"),
    ],
)
def test_budgets_end_each_search(kind, budgets, why):
    """Steps, memory and time are counted in both searches."""
    search = kind(MODEL, prepare(hard_history()), Allowance(budgets))
    with pytest.raises(Exhausted, match=why):
        search.run(10**9)


def appends(count, read_of):
    """Answer many concurrent appends to one key, and what was read afterwards."""
    calls = [
        Operation(
            process=n, f="append", value=("k", chr(97 + n)), outcome=Ok(),
            invoked_ns=n, completed_ns=1_000 + n,
        )
        for n in range(count)
    ]  # fmt: skip
    text = "".join(chr(97 + n) for n in read_of)
    read = Operation(
        process=99, f="get", value=("k", ""), outcome=Ok(text), invoked_ns=5_000, completed_ns=6_000
    )
    return [*calls, read]


def test_depth_first_decides_where_the_frontier_explodes():
    """Eleven concurrent appends have forty million orders; one of them is found."""
    history = appends(11, range(11))
    verdict = check(history, KeyValueModel(), budgets=Budgets(configurations=200_000))
    assert verdict.valid is True
    assert verdict.partitions[0].decided_by == "depth-first"


def broken_least(self, config):
    """Drop whatever used fewer."""
    used = config[1] & self._optional
    taken = self._used.setdefault((config[0], config[1] ^ used), [])
    if any(less & used == used and less != used for less in taken) or used in taken:
        return False
    if taken:
        return False
    taken.append(used)
    return used != 0 or not self._optional


def broken_eager(self, state, done):
    """Mark every observer as satisfied."""
    for bit in self._observers:
        done |= bit
    return done


def broken_return(original):
    """Forget that an operation which may have happened may also not have."""

    def returning(self, index):
        each = self.prepared[index]
        if each.optional:
            object.__setattr__(each, "optional", False)
        return original(self, index)

    return returning


@pytest.mark.parametrize(
    ("where", "name", "broken"),
    [
        (frontier_module._Least, "takes", broken_least),
        (Frontier, "_eager", broken_eager),
        (Frontier, "_return", broken_return(Frontier._return)),
    ],
)
def test_broken_reduction_of_the_frontier_is_noticed(monkeypatch, where, name, broken):
    """Dominance, eager observers and bounded crashes, each made wrong, change verdicts."""
    monkeypatch.setattr(where, name, broken)
    assert any(
        searched(Frontier, history).valid is not linearizable(history, MODEL)
        for history in map(random_history, range(1200))
    )


def test_less_urgent_of_equal_operations_is_noticed(monkeypatch):
    """Of equal writes the one that returns first must be tried first."""
    original = Frontier._after

    def latest_first(self, config, goal):
        self._movers.reverse()
        try:
            return original(self, config, goal)
        finally:
            self._movers.reverse()

    def call(process, f, value, result, invoked, completed):
        return Operation(
            process=process, f=f, value=value, outcome=Ok(result),
            invoked_ns=invoked, completed_ns=completed,
        )  # fmt: skip

    history = [
        call(1, "write", 1, None, 0, 9),
        call(2, "write", 1, None, 0, 30),
        call(3, "read", None, 1, 1, 3),
        call(4, "write", 2, None, 4, 5),
        call(5, "read", None, 2, 10, 12),
        call(5, "read", None, 1, 20, 22),
        call(5, "write", 3, None, 23, 24),
        call(5, "read", None, 3, 35, 36),
    ]
    assert searched(Frontier, history).valid is True
    monkeypatch.setattr(Frontier, "_after", latest_first)
    assert searched(Frontier, history).valid is False
