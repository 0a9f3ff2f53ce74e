"""Kills at points: which of many points are taken, and that not all were is told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from onewinner.adapters.targets import Target
from onewinner.contract import Capabilities
from onewinner.schedule.claimant import Point
from onewinner.schedule.resident import Done
from onewinner.schedule.victims import Fell
from onewinner.suite import kills
from onewinner.suite.faults import Ask, Tally, run_fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from onewinner.nemesis.situations import Situation

FEW = Capabilities(operations=frozenset({"register_if_absent"}), eviction=None, ttl_unit_ms=None)
TWO = Capabilities(
    operations=frozenset({"register_if_absent", "register"}), eviction=None, ttl_unit_ms=None
)
CLAIM, UPSERT = "claim of a vacant key", "register over a live row"
GROUND: Any = SimpleNamespace(place=lambda: None, prepare=lambda *_: None)


def killed_at(
    names: Sequence[str],
    monkeypatch: pytest.MonkeyPatch,
    capabilities: Capabilities = FEW,
    budget_s: float = 60.0,
) -> tuple[dict[str, list[int]], object]:
    """Answer by situation where a process is killed in a call with these points, and what is told.

    A budget below zero is over before it began.
    """
    held: dict[str, list[int]] = {}

    def kill(_self: Any, situation: Situation, hold: int | None) -> None:
        held.setdefault(situation.name, []).extend([] if hold is None else [hold])

    done = Done(0, True, 0, 0, tuple(Point(name, 1) for name in names))
    monkeypatch.setattr(kills._Kills, "_kill", kill)
    monkeypatch.setattr(kills._Kills, "_fell", lambda *_: Fell(None, done))
    monkeypatch.setattr(kills, "_LEAST_S", min(budget_s, 3.0))
    tally = Tally()
    ask = Ask(
        target=Target("memory"),
        capabilities=capabilities,
        home=Path(),
        budget_s=budget_s,
        seed=1,
        clauses=frozenset({"DUR-4"}),
    )
    kills._Kills(ask, tally, GROUND, None, "line").run()  # type: ignore[arg-type]
    return held, tally.counts["all points"]


def lines(count: int) -> list[str]:
    """Answer the names of so many lines of Python."""
    return [f"store.py other:{number}" for number in range(1, count + 1)]


def test_a_few_points_are_all_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of forty points is cut off at each."""
    held, told = killed_at(lines(40), monkeypatch)
    assert (sorted(held[CLAIM]), told) == ([*range(1, 41)], "yes")


def test_of_many_points_some_are_taken_over_the_whole_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A driver runs hundreds of lines; what goes wrong may be in any part of them."""
    found, told = killed_at(lines(866), monkeypatch)
    held = sorted(found[CLAIM])
    assert len(held) == kills._POINTS_MOST
    assert max(b - a for a, b in zip([0, *held], [*held, 867], strict=True)) <= 32
    assert told != "yes"


def test_each_situation_gets_some_points_whatever_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the time is over, processes are killed where most is told: between transactions."""
    two = ("BEGIN", "DELETE", "SELECT", "COMMIT", "BEGIN", "SELECT", "INSERT", "COMMIT")
    held, told = killed_at(two, monkeypatch, TWO, budget_s=-1.0)
    assert sorted(held[CLAIM]) == [*range(1, 9)]
    assert held[UPSERT][0] == 5
    assert len(held[UPSERT]) == kills._POINTS_LEAST
    assert told == "as far as the time went"


def test_a_call_that_nobody_was_killed_in_is_not_called_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A situation without a kill inside its call leaves the clauses about it untested."""
    killing = kills._Kills._kill

    def kill(self: Any, situation: Situation, hold: int | None) -> Any:
        spared = situation.name == UPSERT and hold is not None
        return None if spared else killing(self, situation, hold)

    monkeypatch.setattr(kills._Kills, "_kill", kill)
    declared = Capabilities(virtual_clock=True)
    results = run_fault(
        "kills-at-points", Target("sqlite"), declared, run_dir=tmp_path, budget_s=1, seed=1
    )
    found = {each.clause: (each.status.label, each.reason) for each in results}
    why = f"no kill inside its call could be judged: {UPSERT}"
    assert found["DUR-4"] == found["DUR-6"] == ("untested", why)
    assert found["DUR-3"] == found["DUR-5"] == ("pass", "")
