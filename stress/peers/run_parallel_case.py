"""The test that pytest-run-parallel runs on many threads at once."""

from __future__ import annotations

import os
from pathlib import Path

from bugs import BUGS, Field

BUG = BUGS[os.environ["PEERS_BUG"]]
HOME = Path(os.environ["PEERS_HOME"])
HOME.mkdir()
FIELD = Field(BUG, HOME)
FIELD.vacate(*range(500))
WINNERS: dict[int, list[int]] = {number: [] for number in range(500)}


def test_one_winner(thread_index: int, iteration_index: int) -> None:
    """Of all threads that claim the key of an iteration no second one wins."""
    if FIELD.claim(iteration_index, thread_index)():
        WINNERS[iteration_index].append(thread_index)
    assert len(WINNERS[iteration_index]) <= 1, "two winners"
