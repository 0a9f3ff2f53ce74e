"""Tests of the report for people."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest

from onewinner.contract import Capabilities
from onewinner.contract.clauses import CLAUSES
from onewinner.report import console, verdict
from onewinner.report.terminal import Terminal
from onewinner.suite.tree import Known, Status
from results import SCRIPT, WHOLE, check, run, violation

ESCAPE = "\x1b"


@pytest.mark.parametrize("width", [20, 40, 60, 100])
def test_a_failure_has_all_that_is_needed(width: int) -> None:
    """The block of a failure says the clause, what happened, why, and how to see it again."""
    result = run({"CLAIM-6": Status.FAIL})
    shown = console.render(result, Terminal(width=width))
    joined = " ".join(shown.split())
    assert f"FAIL CLAIM-6 {CLAUSES['CLAIM-6'].sentence}" in joined
    assert 'key "k17" has 2 winners, process 1 and process 3' in joined
    assert "p1 11.204 - 11.219 ms" in joined
    assert "Why: between two successful claims there was no removal" in joined
    assert "\nReproduce:  onewinner verify sqlite -k CLAIM-6 --seed 0x51ab\n" in shown
    assert shown.endswith(f"\n{verdict.line(result)}\n")


@pytest.mark.parametrize("width", [20, 40, 60, 100])
def test_lines_fit_but_those_to_copy(width: int) -> None:
    """Every line fits the terminal, but the program, the command and the verdict stay whole."""
    shown = console.render(run({"CLAIM-6": Status.FAIL}), Terminal(width=width))
    assert SCRIPT.strip() in shown
    rest = shown.replace(SCRIPT.strip(), "").splitlines()
    wide = [line for line in rest if len(line) > width]
    assert all(line.startswith(("Reproduce:", "onewinner: ", "# ---")) for line in wide)


def test_a_terminal_gets_the_verdict_in_whole_words() -> None:
    """A file gets the verdict as one line that can be searched for; a terminal gets it wrapped."""
    result = run({"CLAIM-6": Status.FAIL})
    shown = console.render(result, Terminal(width=40, live=True))
    last = shown[shown.rindex("onewinner: ") :].splitlines()
    assert " ".join(last) == verdict.line(result)
    assert all(len(line) <= 40 for line in last)


def test_the_program_runs_as_it_is_pasted() -> None:
    """What stands between the comments of the frame is the program, frame included."""
    shown = console.render(run({"CLAIM-6": Status.FAIL}), Terminal(width=40))
    start, end = shown.index("# --- a program"), shown.index("# --- end")
    compile(shown[start:end], "pasted", "exec")


def test_what_a_check_left_out_is_told_with_its_reason() -> None:
    """A clause that is declared and was not judged does not vanish: it is named, and why."""
    result = run({"TTL-6": Status.NA, "DEL-4": Status.NA})
    shown = " ".join(console.render(result, Terminal(width=100)).split())
    assert "n/a DEL-4 TTL-6: it is n/a" in shown or "n/a TTL-6 DEL-4: it is n/a" in shown


def test_every_clause_is_in_the_table() -> None:
    """The table has a row for each clause that applies, with status and evidence."""
    result = run({"CLAIM-6": Status.UNTESTED})
    shown = console.render(result)
    for clause in result.clauses:
        assert re.search(rf"^{clause.clause.id} +{clause.status.label} ", shown, re.MULTILINE)
    assert re.search(r"^CLAIM-5 +pass +1,182 overlaps, 4", shown, re.MULTILINE)


def test_what_does_not_apply_takes_a_line_for_each_capability() -> None:
    """Clauses that are n/a are grouped by what is not declared."""
    shown = console.render(run(capabilities=replace(WHOLE, plugin_row_cap=None)))
    assert "\nn/a  row-cap is not declared: CAP-1 CAP-2 CAP-3 CAP-4 CAP-5\n" in shown


def test_what_is_optional_takes_one_line() -> None:
    """What need not be declared is told together, and makes no store partial."""
    result = run(capabilities=Capabilities(virtual_clock=True))
    shown = console.render(result)
    (told,) = [line for line in shown.splitlines() if line.startswith("n/a")]
    assert told.startswith("n/a  optional and not declared (count, lookup_many, strict-ages, ")
    assert "partial" not in verdict.line(result)


def test_a_baseline_is_told() -> None:
    """What was expected, what was expected otherwise, and what is over have a line each."""
    result = run({"CLAIM-6": Status.FAIL, "CLAIM-5": Status.FAIL}, stale=("CLAIM-7 passes: go",))
    entries = {
        "CLAIM-6": Known(
            clause="CLAIM-6", reason="one lock", kind="cannot", signature="has 2 winners",
            issue="https://example.org/1",
        ),
        "CLAIM-5": Known(clause="CLAIM-5", reason="old", kind="not-yet", signature="is lost"),
    }  # fmt: skip
    clauses = tuple(replace(each, known=entries.get(each.clause.id)) for each in result.clauses)
    shown = console.render(replace(result, clauses=clauses), Terminal(width=200))
    assert "\nKnown: CLAIM-6 (cannot: one lock, see https://example.org/1)\n" in shown
    assert (
        "\nKnown otherwise: CLAIM-5 is fail, and not because of 'is lost' (not-yet: old)\n" in shown
    )
    assert "\nStale: CLAIM-7 passes: go\n" in shown
    assert "\nFAIL CLAIM-5  " in shown
    assert "\nFAIL CLAIM-6  " not in shown


@pytest.mark.parametrize("status", [Status.UNTESTED, Status.ERROR])
def test_what_could_not_be_judged_says_why(status: Status) -> None:
    """A clause that is untested or in error has a block with the reason."""
    checks = {"CLAIM-6": (check("CLAIM-6", status, reason="the worker died with signal 11"),)}
    shown = console.render(run(checks=checks))
    assert f"{status.label.upper()} CLAIM-6  " in shown
    assert "  the worker died with signal 11\n  Checks: race_vacant\nReproduce:  " in shown


def test_what_another_program_shows_is_told_in_a_line() -> None:
    """A clause may be broken in two ways: the second has its line, a race's second sight none."""
    other = violation("INPUT-10", summary="the key ends at its NUL")
    raced = violation("INPUT-10", summary="seen in a race", script="")
    found = (
        check("INPUT-10", Status.FAIL, check="surrogates"),
        check("INPUT-10", Status.FAIL, check="nul", violation=other),
        check("INPUT-10", Status.FAIL, check="race", violation=raced),
    )
    shown = console.render(run(checks={"INPUT-10": found}))
    assert "Checks: surrogates, nul, race\n  nul: the key ends at its NUL\nReproduce:" in shown


def test_colour_only_where_asked() -> None:
    """A report for a file holds no escape sequence; one for a terminal does."""
    assert ESCAPE not in console.render(run({"CLAIM-6": Status.FAIL}))
    assert ESCAPE in console.render(run({"CLAIM-6": Status.FAIL}), Terminal(colour=True))


def test_nothing_that_a_target_says_reaches_the_terminal_raw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Escape sequences of the target are shown, not obeyed, and mark-up is text."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    said = "[bold]x[/bold] \x1b[2J\x07\u202e\ud800"
    broken = violation("CLAIM-6", summary=said, happened=(said,), why=said, script=said)
    found = check("CLAIM-6", Status.FAIL, violation=broken, reason=said, evidence={said: said})
    shown = console.render(run(checks={"CLAIM-6": (found,)}, target=said))
    assert ESCAPE not in shown
    assert "[bold]x[/bold] \\x1b[2J\\x07\\u202e\\ud800" in shown


def test_an_ascii_terminal_gets_ascii() -> None:
    """What the encoding cannot show is escaped; nothing of the kit's own text needs more."""
    broken = violation("CLAIM-6", summary='key "鍵"')
    checks = {"CLAIM-6": (check("CLAIM-6", Status.FAIL, violation=broken),)}
    shown = console.render(run(checks=checks), Terminal(encoding="ascii"))
    assert shown.isascii()
    assert 'key "\\u9375"' in shown
    assert console.render(run({"CLAIM-6": Status.FAIL})).isascii()


@pytest.mark.parametrize("width", [40, 100])
def test_the_list_shows_levels_and_needs(width: int) -> None:
    """`onewinner list` shows what a clause asks of a store."""
    shown = console.render_list([CLAUSES["CLAIM-6"]], Terminal(width=width))
    joined = " ".join(shown.split())
    assert "CLAIM-6 process critical; needs" in joined
    assert "process-scope" in joined


@dataclass
class Smoke:
    """What the engine answers about an adapter."""

    target: str
    ok: bool
    lines: tuple[str, ...]
    seconds: float = 0.4


def test_smoke_says_what_it_saw() -> None:
    """The look at an adapter is shown line by line, with a verdict on the adapter alone."""
    good = console.render_smoke(Smoke("sqlite", True, ("connected", "one win")))
    assert good == "connected\none win\nonewinner: sqlite answers as an adapter must (0.4 s)\n"
    assert "does NOT answer" in console.render_smoke(Smoke("sqlite", False, ()))
