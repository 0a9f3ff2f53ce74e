"""The judge of one schedule: some order of its calls explains every answer, or nothing does."""

from __future__ import annotations

import dataclasses

import pytest

from onewinner.contract import ABSENT, Capabilities, Entry
from onewinner.history import Fail, Info, Ok, Operation
from onewinner.schedule.play import Segment
from onewinner.schedule.scenarios import scenarios
from onewinner.schedule.sweep import Ran
from onewinner.suite.held import bad_of
from onewinner.suite.orders import Judge

CAPABILITIES = Capabilities()
(FRESH,) = (each for each in scenarios(CAPABILITIES) if each.name == "fresh")


def operation(
    who: int, f: str, answer: object, begun: int, ended: int, phase: str = "meet"
) -> Operation:
    """Write down a call on the key `k` that took from `begun` to `ended`."""
    value = {"plugin": "p", "namespace": "n", "key": "k", "value": f"v{who}", "ttl_ms": None}
    return Operation(
        process=who,
        f=f,
        value={**value, "max_entries": 100},
        outcome=Info("locked") if answer == "locked" else Ok(answer),
        invoked_ns=begun,
        completed_ns=ended,
        extra={"phase": phase, "now": 0},
    )


def ran(*operations: Operation) -> Ran:
    """Answer a schedule that went so."""
    return Ran(
        scenario=FRESH,
        boundary="sql",
        segments=(Segment(0), Segment(1)),
        operations=operations,
        stops=(),
        waited=(),
        points=((), ()),
    )


def claims(first: object, second: object, left: object, *, apart: bool = False) -> Ran:
    """Answer two claims that meet, or follow each other, and the look at the end."""
    return ran(
        operation(0, "register_if_absent", first, 0, 10),
        operation(1, "register_if_absent", second, 20 if apart else 5, 30),
        operation(0, "lookup", left, 40, 50, "inspect"),
    )


@pytest.mark.parametrize(
    ("schedule", "right"),
    [
        (claims(True, False, "v0"), True),
        (claims(False, True, "v1"), True),
        (claims(True, True, "v1"), False),
        (claims(False, False, ABSENT), False),
        (claims(True, False, "v1"), False),
        (claims(True, False, ABSENT), False),
        (claims(False, True, "v1", apart=True), False),
    ],
)
def test_two_claims(schedule: Ran, right: bool) -> None:
    """One wins and its row is there; of two that follow each other the first wins."""
    judge = Judge(CAPABILITIES)
    assert judge.explains(schedule) is right
    assert (bad_of(schedule, judge) is None) is right


def test_an_error_is_told_as_one() -> None:
    """A claimant that is told of a lock is an error, whoever won."""
    bad = bad_of(claims(True, "locked", "v0"), Judge(CAPABILITIES))
    assert bad is not None
    assert (bad.error, bad.error_clause(processes=True)) == (True, "ERR-3")


def test_a_store_that_cannot_be_opened_then_breaks_the_clause_about_opens() -> None:
    """Stores that open with their first call say OPEN_FAILED there; it is an open that failed."""
    locked = Fail({"code": "OPEN_FAILED", "operation": "register", "message": "locked"})
    first, second, *looked = claims(True, "locked", "v0").operations
    schedule = ran(first, dataclasses.replace(second, outcome=locked), *looked)
    bad = bad_of(schedule, Judge(CAPABILITIES))
    assert bad is not None
    assert bad.error_clause(processes=True) == "DUR-2"
    assert bad.error_clause(processes=False) == "ERR-2"


def test_nothing_is_said_after_a_preparation_that_failed() -> None:
    """Where what was prepared did not go as it must, the schedule judges nothing."""
    schedule = ran(
        operation(0, "register_if_absent", False, 0, 1, "prepare"),
        *claims(True, True, "v1").operations,
    )
    assert bad_of(schedule, Judge(CAPABILITIES)) is None


def test_strict_ages_may_run_ahead_of_a_store_s_own_clock() -> None:
    """Rows of one millisecond are said to be later each, and expire when they would have anyway."""
    ttl_ms = 1_000

    def listed(*lives: int) -> bool:
        written = [
            operation(0, "register_if_absent", True, at, at + 1, "prepare") for at in range(3)
        ]
        for key, each in zip("abc", written, strict=True):
            each.value.update(key=key, ttl_ms=ttl_ms)
        rows = tuple(
            Entry(key, "v0", 5 + at, 5 + at + life)
            for at, (key, life) in enumerate(zip("abc", lives, strict=True))
        )
        schedule = ran(*written, operation(0, "entries", rows, 20, 30, "inspect"))
        return Judge(Capabilities(strict_ages=True)).explains(schedule)

    assert listed(ttl_ms, ttl_ms - 1, ttl_ms - 2)
    assert not listed(ttl_ms, ttl_ms - 1, ttl_ms - 100)
    assert not listed(ttl_ms, ttl_ms, ttl_ms + 100)
