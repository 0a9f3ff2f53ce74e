"""Kills at points: which of many points are taken, and that not all were is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from onewinner.adapters.targets import Target
from onewinner.contract import Capabilities
from onewinner.suite import kills
from onewinner.suite.faults import Ask, Tally

if TYPE_CHECKING:
    import pytest

FEW = Capabilities(operations=frozenset({"register_if_absent"}), eviction=None, ttl_unit_ms=None)


def killed_at(points: int, monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], object]:
    """Answer where a process is killed in a call of so many points, and what is told of it."""
    held: list[int] = []

    def kill(_self: Any, _situation: Any, hold: int | None) -> None:
        held.extend([] if hold is None else [hold])

    monkeypatch.setattr(kills._Kills, "_kill", kill)
    monkeypatch.setattr(kills._Kills, "_points", lambda *_: range(1, points + 1))
    tally = Tally()
    ask = Ask(
        target=Target("memory"),
        capabilities=FEW,
        home=Path(),
        budget_s=60.0,
        seed=1,
        clauses=frozenset({"DUR-4"}),
    )
    kills._Kills(ask, tally, None, None, "line").run()  # type: ignore[arg-type]
    return sorted(held), tally.counts["all points"]


def test_a_few_points_are_all_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of forty points is cut off at each."""
    assert killed_at(40, monkeypatch) == ([*range(1, 41)], "yes")


def test_of_many_points_some_are_taken_over_the_whole_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A driver runs hundreds of lines; what goes wrong may be in any part of them."""
    held, told = killed_at(866, monkeypatch)
    assert len(held) == kills._POINTS_MOST
    assert max(b - a for a, b in zip([0, *held], [*held, 867], strict=True)) <= 32
    assert told != "yes"
