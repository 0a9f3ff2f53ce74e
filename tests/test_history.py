"""Histories: operations are values that say what was called, when, and what is known of it."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from onewinner.history import Fail, Info, Ok, Operation, Outcome

OUTCOMES = [Ok(True), Ok(), Fail("LIMIT_EXCEEDED"), Info("killed")]


def operation(outcome: Outcome, completed_ns: int | None = 20) -> Operation:
    """Answer a claim with this outcome."""
    return Operation(
        process=1,
        f="register_if_absent",
        value={"key": "k", "value": 1},
        outcome=outcome,
        invoked_ns=10,
        completed_ns=completed_ns,
    )


@pytest.mark.parametrize("outcome", OUTCOMES, ids=repr)
def test_an_operation_is_a_value(outcome: Outcome) -> None:
    """Operations are compared by what they say, and survive the way between processes."""
    assert operation(outcome) == operation(outcome)
    assert pickle.loads(pickle.dumps(operation(outcome))) == operation(outcome)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=repr)
def test_what_happened_cannot_be_changed_afterwards(outcome: Outcome) -> None:
    """Operations and outcomes are frozen."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        operation(outcome).completed_ns = 5
    field = dataclasses.fields(outcome)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(outcome, field, None)


def test_outcomes_of_other_kinds_are_never_equal() -> None:
    """Ok, Fail and Info stay apart also where they carry the same."""
    assert len({Ok(None), Fail(None), Info(None)}) == 3


def test_an_operation_is_made_with_keywords_only() -> None:
    """The order of the fields is no part of the interface."""
    with pytest.raises(TypeError):
        Operation(1, "lookup", "k", Ok(), 1, 2)


def test_what_is_known_besides_defaults_to_nothing() -> None:
    """`extra` is empty, and `completed_ns` is None where the call never returned."""
    lost = operation(Info("no answer"), completed_ns=None)
    assert (dict(lost.extra), lost.completed_ns) == ({}, None)
