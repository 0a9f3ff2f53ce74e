"""A replay token is one word, says which schedule it is, and repeats it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from onewinner.adapters.targets import Target
from onewinner.cli import main
from onewinner.schedule.claimant import Point
from onewinner.schedule.play import Segment
from onewinner.suite.again import replayed
from onewinner.suite.replay import Token, TokenError, read_token
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from onewinner.schedule.gate import Hold


def token(target: str, hold: Hold, *, scenario: str = "fresh", processes: bool = False) -> Token:
    """Name the schedule in which the first claimant is held there."""
    return Token(
        target=target,
        scenario=scenario,
        boundary="sql" if target == "mutant:lookup-then-register" else "line",
        processes=processes,
        segments=(Segment(0, hold), Segment(1), Segment(0)),
    )


RACY = token("mutant:lookup-then-register", Point("BEGIN IMMEDIATE", 2), processes=True)


class TestToken:
    @pytest.mark.parametrize("hold", [Point("SELECT ?", 3), 7, None])
    def test_round_trip(self, hold: Hold) -> None:
        """What was written is read, and it is one word."""
        written = token("python:my_store:connect", hold)
        text = written.text()
        assert read_token(text) == written
        assert text.split() == [text]
        assert text.startswith("ow1:")
        shared = dataclasses.replace(written, shared=True)
        assert read_token(shared.text()) == shared

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "ow1:",
            "ow1:!!!",
            "ow2:eNo",
            RACY.text()[:-5],
            RACY.text()[4:],
            "ow1:eJyrrgUAAXUA-Q",  # {}
            "ow1:eJyLjgUAARUAuQ",  # []
            "ow1:é",
        ],
    )
    def test_malformed(self, text: str) -> None:
        """A word that is no token is refused with what to do instead."""
        with pytest.raises(TokenError, match="paste the whole word"):
            read_token(text)


class TestReplay:
    def test_it_goes_wrong_again(self) -> None:
        """A schedule that two claimants won is won by two each time, on a fresh store."""
        found = replayed(Target(RACY.target), RACY, 2)
        assert (found.wrong, found.unreached, found.exit_code) == (2, 0, ExitCode.VIOLATION)
        assert "2 claims of the key 'k' won" in "\n".join(found.lines())
        assert found.shown is not None
        assert found.shown.reproduce == f"onewinner replay {RACY.text()}"

    def test_of_a_python_target(self) -> None:
        """A target of one's own is replayed like any other."""
        again = token("python:scheduled_stores:UnlockedBackend", 2)
        found = replayed(Target(again.target), again, 1)
        assert (found.wrong, found.exit_code) == (1, ExitCode.VIOLATION)

    def test_it_goes_right(self) -> None:
        """A store that is right by now answers 0."""
        again = token("python:scheduled_stores:LockedBackend", 2)
        assert replayed(Target(again.target), again, 1).exit_code is ExitCode.CONFORMS

    def test_a_point_that_is_gone(self) -> None:
        """Where nobody comes to the point nothing was repeated, and nothing is said."""
        again = token("python:scheduled_stores:LockedBackend", Point("nowhere", 1))
        found = replayed(Target(again.target), again, 1)
        assert (found.unreached, found.exit_code) == (1, ExitCode.INCONCLUSIVE)

    def test_a_scenario_that_is_gone(self) -> None:
        """A scenario that does not apply to the store any more is an error of usage."""
        again = token("python:scheduled_stores:LockedBackend", 1, scenario="two consumers")
        with pytest.raises(TokenError, match="has no scenario 'two consumers'"):
            replayed(Target(again.target), again, 1)

    def test_exit_codes_of_the_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The command answers 1 where it goes wrong, and 4 where the word is no token."""
        again = token("python:scheduled_stores:UnlockedBackend", 2)
        assert main(["replay", again.text()]) == 1
        assert "went wrong 1 of 1 times" in capsys.readouterr().out
        assert main(["replay", "ow1:x"]) == 4
