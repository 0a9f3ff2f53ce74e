"""The linearizability checker: textbook histories, budgets, faults of models, and brute force."""

from __future__ import annotations

import random

import pytest

from brute_force import linearizable
from onewinner.checker import Budgets, KeyValueModel, RegisterModel, check
from onewinner.checker.verdict import merge
from onewinner.history import Fail, Info, Ok, Operation


def op(process, f, value, result, invoked, completed, *, info=False, fail=False):
    """Answer an operation in few words."""
    outcome = Info("lost") if info else Fail("no") if fail else Ok(result)
    return Operation(
        process=process,
        f=f,
        value=value,
        outcome=outcome,
        invoked_ns=invoked,
        completed_ns=completed,
    )


def test_sequential_history_is_valid():
    """What one process did alone and in order is explained by that order."""
    history = [op(0, "write", 1, None, 0, 1), op(0, "read", None, 1, 2, 3)]
    verdict = check(history, RegisterModel())
    assert (verdict.valid, verdict.name, bool(verdict)) == (True, "valid", True)


def test_stale_read_is_invalid_and_named():
    """A read that starts after a write returned must see it; the read is named."""
    stale = op(1, "read", None, None, 2, 3)
    verdict = check([op(0, "write", 1, None, 0, 1), stale], RegisterModel())
    assert verdict.valid is False
    assert verdict.partitions[0].failing is stale
    assert "read of process 1" in verdict.reason


def test_touching_intervals_are_concurrent():
    """Intervals are closed: operations that share an instant may take effect in either order."""
    history = [op(0, "write", 1, None, 0, 2), op(1, "read", None, None, 2, 3)]
    assert check(history, RegisterModel()).valid is True


def test_crashed_write_may_have_happened_or_not():
    """A write whose outcome is unknown explains a later read, and its absence explains another."""
    write = op(0, "write", 1, None, 0, None, info=True)
    assert check([write, op(1, "read", None, 1, 5, 6)], RegisterModel()).valid is True
    assert check([write, op(1, "read", None, None, 5, 6)], RegisterModel()).valid is True
    twice = [write, op(1, "read", None, 1, 5, 6), op(1, "read", None, None, 7, 8)]
    assert check(twice, RegisterModel()).valid is False


def test_bounded_crash_cannot_act_after_its_bound():
    """A call of a process that is known to be dead acts before the death or not at all."""
    write = op(0, "write", 1, None, 0, 3, info=True)
    history = [write, op(1, "read", None, None, 5, 6), op(1, "read", None, 1, 7, 8)]
    assert check(history, RegisterModel()).valid is False


def test_failed_operation_did_not_happen():
    """A definite failure has no effect."""
    history = [op(0, "write", 1, None, 0, 1, fail=True), op(1, "read", None, 1, 2, 3)]
    assert check(history, RegisterModel()).valid is False


def test_compare_and_set_tells_both_ways():
    """A cas that answered false has seen another value than it expected."""
    history = [op(0, "write", 1, None, 0, 1), op(0, "cas", (1, 2), False, 2, 3)]
    assert check(history, RegisterModel()).valid is False
    history = [op(0, "write", 1, None, 0, 1), op(0, "cas", (1, 2), True, 2, 3)]
    assert check([*history, op(0, "read", None, 2, 4, 5)], RegisterModel()).valid is True


def test_keys_are_judged_by_themselves():
    """A violation on one key makes the history invalid; the verdict names the key."""
    history = [
        op(0, "put", ("a", "1"), None, 0, 1),
        op(0, "get", ("a", None), "1", 2, 3),
        op(1, "append", ("b", "x"), None, 0, 1),
        op(1, "get", ("b", None), "", 2, 3),
    ]
    verdict = check(history, KeyValueModel())
    assert verdict.valid is False
    assert [part.key for part in verdict.partitions if part.valid is False] == ["b"]


def test_empty_history_proves_nothing():
    """A history without an operation is unknown, never a pass."""
    assert check([], RegisterModel()).valid == "unknown"
    assert not check([], RegisterModel())


def hard_history():
    """Answer many concurrent writes and a read of none of them."""
    writes = [op(n, "write", n, None, 0, 1_000) for n in range(14)]
    return [*writes, op(20, "read", None, "never", 1_500, 2_000)]


@pytest.mark.parametrize(
    ("budgets", "why"),
    [
        (Budgets(steps=50), "50 steps"),
        (Budgets(configurations=100), "100 configurations"),
        (Budgets(timeout_s=0.0), "0 s"),
    ],
)
def test_budget_that_runs_out_is_unknown(budgets, why):
    """What cannot be decided within a budget is unknown, and the budget is named."""
    verdict = check(hard_history(), RegisterModel(), budgets=budgets)
    assert verdict.valid == "unknown"
    assert why in verdict.reason


def test_timeout_is_a_budget():
    """`timeout_s` is short for the budget of that name."""
    assert check(hard_history(), RegisterModel(), timeout_s=0).valid == "unknown"


class Raising(RegisterModel):
    """A register whose step fails."""

    def step(self, state, operation):
        return [1 / 0]


class Moody(RegisterModel):
    """A register whose step is not a function."""

    def step(self, state, operation):
        return (random.random(),)


class Unhashable(RegisterModel):
    """A register whose states cannot be remembered."""

    def step(self, state, operation):
        return ([operation.value],)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (Raising(), "ZeroDivisionError"),
        (Moody(), "must be a pure function"),
        (Unhashable(), "cannot be hashed"),
    ],
)
def test_faults_of_the_model_are_named(model, why):
    """A model that breaks its contract is named; the verdict is unknown."""
    verdict = check([op(0, "write", 1, None, 0, 1)], model)
    assert verdict.valid == "unknown"
    assert "the model is at fault" in verdict.reason
    assert why in verdict.reason


def test_verdicts_merge_worst_first():
    """Invalid beats unknown beats valid."""
    assert merge([True, "unknown", False]) is False
    assert merge([True, "unknown"]) == "unknown"
    assert merge([True]) is True


def random_history(seed):
    """Answer a short history of a register with crashes, sometimes spoilt."""
    rng = random.Random(seed)
    free = dict.fromkeys(range(3), 0)
    raw = []
    for _ in range(rng.randint(2, 7)):
        process = rng.randrange(3)
        invoked = free[process] + rng.randint(0, 3)
        completed = invoked + rng.randint(0, 6)
        free[process] = completed + 1
        raw.append((rng.randint(invoked, completed), invoked, completed, process))
    value, history = None, []
    for _, invoked, completed, process in sorted(raw):
        f = rng.choice(["read", "read", "write", "cas"])
        crashed, wrong = rng.random() < 0.15, rng.random() < 0.12
        if f == "read":
            seen = rng.randint(0, 2) if wrong else value
            history.append(op(process, f, None, seen, invoked, completed))
            continue
        given = rng.randint(0, 2) if f == "write" else (rng.randint(0, 2), rng.randint(0, 2))
        done = f == "write" or value == given[0]
        if crashed:
            end = completed if rng.random() < 0.5 else None
            history.append(op(process, f, given, None, invoked, end, info=True))
            done = done and rng.random() < 0.5
        else:
            answer = None if f == "write" else done is not wrong
            history.append(op(process, f, given, answer, invoked, completed))
        if done:
            value = given if f == "write" else given[1]
    return history


@pytest.mark.parametrize("share", range(4))
def test_checker_agrees_with_brute_force(share):
    """On small random histories the search and the enumerator answer alike."""
    model, invalid = RegisterModel(), 0
    for seed in range(share * 400, share * 400 + 400):
        history = random_history(seed)
        expected = linearizable(history, model)
        assert check(history, model).valid is expected, f"seed {seed}: {history}"
        invalid += not expected
    assert invalid > 40  # else the generator has lost its teeth


def test_observers_are_only_a_hint():
    """Without the hint which operations change nothing, the verdicts are the same."""

    class Plain(RegisterModel):
        def observes(self, operation):
            return False

    for seed in range(300):
        history = random_history(seed)
        assert check(history, Plain()).valid == check(history, RegisterModel()).valid
