"""Tests of what all reports that may be shared have in common: no place, no long value."""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onewinner.report import console, github, json, junit, sharing
from onewinner.report.terminal import Terminal
from onewinner.suite.timeline import Bar, Mark, Timeline
from onewinner.suite.tree import Canary, Known, RunResult, Status
from results import SCRIPT, check, run, violation

if TYPE_CHECKING:
    from collections.abc import Callable


def _traceback(path: Path) -> str:
    try:
        path.read_text("utf-8")
    except OSError:
        return traceback.format_exc()
    raise AssertionError(path)


def telling(said: str, command: str = "x") -> RunResult:
    """Answer a run in which a text stands wherever a text of the target or the machine can.

    What is to be pasted holds the `command`.
    """
    bar = Bar(
        process="p1", call=said, answer=said, kind="ok", begun_ns=0, ended_ns=1, before=said,
        after=said,
    )  # fmt: skip
    drawn = Timeline(bars=(bar,), marks=(Mark(told=said, at_ns=0),))
    broken = violation(
        "CLAIM-6", summary=said, happened=(said,), why=said, script="", history=said,
        reproduce=f"replay {command}", timeline=drawn,
    )  # fmt: skip
    found = {
        "CLAIM-6": (
            check("CLAIM-6", Status.FAIL, violation=broken, reason=said, evidence={"x": said}),
        ),
        "CLAIM-5": (check("CLAIM-5", Status.ERROR, reason=said),),
    }
    canary = Canary(
        name="c", level="thread", easiest=True, found_ms=None, rounds=1, seconds=1.0, reason=said
    )
    return run(
        checks=found, target=f"exec:{command}", notes=(said,), stale=(f"X-1 {said}",),
        canaries=(canary,), source=("adapter.py", 1),
    )  # fmt: skip


WRITERS: dict[str, Callable[[RunResult], str]] = {
    "json": json.dumps,
    "junit": junit.dumps,
    "annotations": lambda result: github.commands([result], str(Path.cwd())),
    "summary": github.summary,
    "file": lambda result: console.render(result, Terminal()),
}


class TestWriters:
    @pytest.mark.parametrize("writer", WRITERS)
    def test_no_report_names_a_place_of_this_machine(
        self, writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A traceback stands in every field, and neither home, nor here, nor the kit in any."""
        home, here = tmp_path / "ada", tmp_path / "here"
        here.mkdir()
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.chdir(here)
        said = _traceback(home / "secret.db") + _traceback(here / "store.db")
        assert str(tmp_path) in said
        told = said.replace("\n", " ")
        written = WRITERS[writer](telling(told, command=told))
        assert str(tmp_path) not in written
        assert str(Path(json.__file__).parents[2]) not in written
        assert "secret.db" in written

    @pytest.mark.parametrize("writer", WRITERS)
    def test_no_report_holds_a_long_value(self, writer: str) -> None:
        """What a store was given takes 200 bytes at most, quoted or not."""
        said = f"register('k', {'v' * 5_000!r}) -> {'w' * 5_000} and 'it is {'x ' * 900}'"
        written = WRITERS[writer](telling(said))
        assert "v" * 201 not in written
        assert "w" * 201 not in written
        assert "x " * 101 not in written

    def test_a_terminal_is_told_where_things_are(self, tmp_path: Path) -> None:
        """Whoever sits before the terminal may see the paths of the own machine."""
        said = f"cannot open {tmp_path}/a.db"
        assert f"{tmp_path}/a.db" in console.render(telling(said), Terminal(live=True, width=400))

    def test_the_command_is_whole(self) -> None:
        """A token to replay is one long word, and is not cut."""
        token = "ow1:" + "a" * 500
        broken = violation("CLAIM-6", reproduce=f"onewinner replay {token}")
        result = run(checks={"CLAIM-6": (check("CLAIM-6", Status.FAIL, violation=broken),)})
        for write in (json.dumps, junit.dumps, github.summary):
            assert token in write(result)

    def test_a_program_with_long_values_is_left_out(self) -> None:
        """A program is shown whole, or not at all with a word about it."""
        long = violation("CLAIM-6", script=SCRIPT + f"store.lookup({'k' * 300!r})\n")
        result = run(checks={"CLAIM-6": (check("CLAIM-6", Status.FAIL, violation=long),)})
        assert "kkk" not in junit.dumps(result)
        assert "holds values of more than 200 bytes" in junit.dumps(result)
        assert SCRIPT.splitlines()[0] in junit.dumps(run({"CLAIM-6": Status.FAIL}))


class TestStatus:
    @settings(max_examples=50)
    @given(st.text(min_size=1), st.sampled_from(["{}", "/tmp/{}", "'{}" + "x" * 250 + "'"]))
    def test_a_status_does_not_change_by_being_shared(self, word: str, form: str) -> None:
        """A signature may be a part of what is rewritten; the verdict is the one that was found."""
        summary = f"the store said {form.format(word)} and more"
        broken = check("CLAIM-6", Status.FAIL, violation=violation("CLAIM-6", summary=summary))
        result = run(only=("CLAIM-6",), checks={"CLAIM-6": (broken,)})
        for signature in (word, summary[-30:], "another", "LOCATION"):
            known = Known(clause="CLAIM-6", reason="r", kind="cannot", signature=signature)
            clauses = tuple(
                replace(each, known=known) if each.clause.id == "CLAIM-6" else each
                for each in result.clauses
            )
            before = replace(result, clauses=clauses)
            after = sharing.shared(before)
            assert [c.status for c in after.clauses] == [c.status for c in before.clauses]
            assert after.exit_code is before.exit_code

    def test_what_has_nothing_to_hide_is_the_same(self) -> None:
        """A tree without paths is written as it was found."""
        result = run({"CLAIM-6": Status.FAIL})
        assert sharing.shared(result) == result
