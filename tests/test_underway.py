"""Tests of what a run tells of itself while it is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.adapters.targets import Target
from onewinner.clock import monotonic_ns
from onewinner.suite.engine import Options, verify
from onewinner.suite.faults import Tally
from onewinner.suite.registry import Check
from onewinner.suite.underway import CLAIMS, FAULTS, OVERLAPS, Underway

if TYPE_CHECKING:
    from onewinner.suite.options import Progress

CHECKS = (
    Check("one", ("CLAIM-1",), "thread", "case"),
    Check("two", ("CLAIM-5", "ERR-2"), "thread", "race"),
)


def test_what_checks_count_is_added_up() -> None:
    """Each check counts from nothing; what is told grows, also where one comes again."""
    told: list[Progress] = []
    run = Underway(told.append, CHECKS, 10.0, monotonic_ns())
    for check, claims in (("one", 3), ("one", 5), ("two", 2), ("two", 1), ("one", 4)):
        run.tell(check, {CLAIMS: claims, "rounds": 7})
    run.tell("one", {})
    assert [each.counters[CLAIMS] for each in told] == [3, 5, 7, 8, 12, 12]
    assert {name for each in told for name in each.counters} == {CLAIMS}


def test_a_check_is_told_with_its_clauses() -> None:
    """Whoever looks sees what is judged; what is no check of the contract has no clause."""
    told: list[Progress] = []
    run = Underway(told.append, CHECKS, 10.0, monotonic_ns())
    run.done = 1
    run.tell("two", {OVERLAPS: 2})
    run.tell("canaries", {})
    assert [(each.check, each.clauses) for each in told] == [
        ("two", ("CLAIM-5", "ERR-2")),
        ("canaries", ()),
    ]
    assert (told[0].done, told[0].total, told[0].budget_s) == (1, 2, 10.0)


def test_nobody_listens() -> None:
    """A run without a listener counts for nobody."""
    Underway(None, CHECKS, 10.0, monotonic_ns()).tell("one", {CLAIMS: 1})


def test_faults_are_counted_and_not_what_came_of_them() -> None:
    """Kills, stops, full disks and failed calls are faults; looks and claims are not."""
    heard: list[int] = []
    tally = Tally()
    tally.heard = lambda: heard.append(tally.faults)
    for name in ("killed inside a call", "storms", "claims while the disk was full", "looks"):
        tally.count(name, 2)
    tally.count("claims with a failed call")
    tally.count("claims answered", 100)
    assert tally.faults == 7
    assert heard == [2, 4, 6, 6, 7, 7]


def test_a_real_run_tells_what_it_does() -> None:
    """Of a race and of faults, claims, overlaps and faults survived are told, and only grow."""
    told: list[Progress] = []
    wanted = Options(level="crash", budget_s=1, seed=1, select=("CLAIM-6", "DUR-8"))
    verify(Target("sqlite"), wanted, on_progress=told.append)
    last = told[-1].counters
    assert last[CLAIMS] > 100
    assert last[OVERLAPS] > 10
    assert last[FAULTS] > 0
    for name in (CLAIMS, OVERLAPS, FAULTS):
        seen = [each.counters.get(name, 0) for each in told]
        assert seen == sorted(seen)
