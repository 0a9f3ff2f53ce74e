"""Tests of the line that ends every report, and of the facts behind it."""

from __future__ import annotations

from dataclasses import replace

from onewinner.report import verdict
from onewinner.suite.tree import ExitCode, Known, RunResult, Status
from results import WHOLE, check, run, violation

PASS, FAIL, ERROR, UNTESTED = Status.PASS, Status.FAIL, Status.ERROR, Status.UNTESTED


def test_a_conforming_target_is_said_to_conform() -> None:
    """The line of a complete green run names target, level, counts, seed, time and cores."""
    result = run()
    count = len(result.clauses)
    assert verdict.line(result) == (
        f"onewinner: sqlite conforms at level process ({count} clauses pass, 0 fail, 0 n/a; "
        f"seed 0x51ab, 31.2 s, 2 cores)"
    )
    assert verdict.is_complete(result)


def test_a_violation_is_named() -> None:
    """The line of a red run names the violated clauses and those in error."""
    line = verdict.line(run({"CLAIM-6": FAIL, "ERR-3": FAIL, "DUR-1": ERROR}))
    assert "sqlite does NOT conform at level process: " in line
    assert "2 clauses violated (CLAIM-6, ERR-3), 1 clause in error (DUR-1)" in line


def test_errors_alone_are_not_called_violations() -> None:
    """Where nothing was seen broken, the line says that the target could not be judged."""
    line = verdict.line(run({"DUR-1": ERROR}))
    assert "sqlite could not be judged at level process: 1 clause in error (DUR-1)" in line


def test_many_violations_are_counted_and_some_named() -> None:
    """A line stays readable however many clauses fail."""
    everything = {clause.clause.id: FAIL for clause in run().clauses}
    line = verdict.line(run(everything))
    assert "CLAIM-8 and " in line
    assert "CLAIM-9" not in line


def test_an_untested_clause_is_inconclusive() -> None:
    """A run that could not say is never called conforming."""
    result = run({"CLAIM-6": UNTESTED})
    assert result.exit_code is ExitCode.INCONCLUSIVE
    assert "sqlite is inconclusive at level process: untested CLAIM-6" in verdict.line(result)


def test_partial_declarations_are_in_the_line() -> None:
    """What the target did not declare stands in the verdict, by capability."""
    result = run(capabilities=replace(WHOLE, eviction=None).without("consume"))
    assert verdict.line(result).endswith("partial: consume, eviction not declared")
    assert verdict.undeclared(result)["consume"] == ["DEL-2", "DEL-3", "DEL-4"]


def test_a_selection_is_no_verdict_on_the_level() -> None:
    """A green run of some clauses does not say that the target conforms."""
    result = run(only=("CLAIM-1", "CLAIM-6"))
    line = verdict.line(result)
    assert result.exit_code is ExitCode.CONFORMS
    assert "passes what was selected, 2 of the " in line
    assert "conforms" not in line
    assert not verdict.is_complete(result)


def test_a_capped_level_is_not_the_level_asked_for() -> None:
    """Where all clauses of the asked level are n/a, the line names the level that was reached."""
    result = run(capabilities=replace(WHOLE, scope="thread", durable=False))
    assert "conforms at level thread only, not at process" in verdict.line(result)


def test_an_early_stop_is_said() -> None:
    """A run that stopped at its first violation does not look like a whole one."""
    result = run({"CLAIM-1": FAIL}, stopped_early=True)
    assert "stopped there" in verdict.line(result)
    assert not verdict.is_complete(result)


def test_an_interrupted_run_has_no_verdict() -> None:
    """What was found before the interrupt is said, and that it is no verdict."""
    line = verdict.line(run({"CLAIM-1": FAIL}, interrupted=True))
    assert "interrupted, so there is no verdict on sqlite; so far 1 clause violated" in line


def test_nothing_ran_is_said() -> None:
    """A run in which every clause is n/a judged nothing."""
    result = run(only=("DEL-2",), capabilities=WHOLE.without("consume"))
    assert result.exit_code is ExitCode.NOTHING_RAN
    assert "nothing ran" in verdict.line(result)


def test_evidence_is_added_up_where_that_is_true() -> None:
    """Counts of several checks are added, sizes like the number of processes are not."""
    two = tuple(check("CLAIM-6", evidence={"overlaps": 10, "processes": 4}) for _ in range(2))
    found = run(only=("CLAIM-6",), checks={"CLAIM-6": two}).clauses[0]
    assert verdict.evidence(found) == {"overlaps": 20, "processes": 4}


def test_a_command_that_reproduces_is_always_there() -> None:
    """The check's own command wins; else one is made that a shell reads back as it is."""
    result = replace(run(), target="python:a b:connect")
    own = violation("CLAIM-6", reproduce="onewinner verify x -k CLAIM-6")
    assert verdict.reproduce(result, "CLAIM-6", own) == "onewinner verify x -k CLAIM-6"
    assert verdict.reproduce(result, "CLAIM-6") == (
        "onewinner verify 'python:a b:connect' -k CLAIM-6 --seed 0x51ab"
    )


def test_the_line_is_one_line() -> None:
    """No target name can break the line that ends a report."""
    assert "\n" not in verdict.line(run(target="a\nb\x1b[2J"))


def expecting(result: RunResult, *clauses: str) -> RunResult:
    """Answer the run with these failures known."""
    entries = {
        name: Known(clause=name, reason="why", kind="not-yet", signature="has 2 winners")
        for name in clauses
    }
    found = tuple(replace(c, known=entries.get(c.clause.id)) for c in result.clauses)
    return replace(result, clauses=found)


def test_known_failures_are_in_the_line() -> None:
    """A run that passes with known failures says how many, and which level that reaches."""
    result = expecting(run({"CLAIM-6": FAIL, "ERR-3": FAIL}), "CLAIM-6", "ERR-3")
    assert result.exit_code is ExitCode.CONFORMS
    assert verdict.line(result).startswith(
        "onewinner: sqlite passes with 2 known failures (CLAIM-6, ERR-3) at level process; "
        "level reached: thread ("
    )
    assert ", 2 xfail, 0 fail," in verdict.line(result)
    assert "conforms" not in verdict.line(result)


def test_a_selection_with_known_failures_says_both() -> None:
    """What was selected and passes with known failures is no verdict on the level either."""
    line = verdict.line(expecting(run({"CLAIM-6": FAIL}, only=("CLAIM-1", "CLAIM-6")), "CLAIM-6"))
    assert "passes what was selected with 1 known failure (CLAIM-6), 2 of the " in line


def test_another_failure_beside_a_known_one_is_red() -> None:
    """The line names what is violated, and not what was expected."""
    line = verdict.line(expecting(run({"CLAIM-6": FAIL, "CLAIM-5": FAIL}), "CLAIM-6"))
    assert "does NOT conform at level process: 1 clause violated (CLAIM-5)" in line


def test_a_stale_baseline_is_in_the_line() -> None:
    """A run that is red for its baseline alone says so."""
    line = verdict.line(run(stale=("CLAIM-6 passes: remove it", "CLAIM-5 passes: remove it")))
    assert "the baseline of sqlite is stale: CLAIM-6 passes: remove it (and 1 more)" in line


def test_a_check_is_told_as_its_clause() -> None:
    """What failed in a clause whose failure was expected is xfail in every report."""
    clause = next(
        c for c in expecting(run({"CLAIM-6": FAIL}), "CLAIM-6").clauses if c.clause.id == "CLAIM-6"
    )
    assert verdict.status_of(clause.checks[0], clause) is Status.XFAIL
    assert verdict.status_of(check("CLAIM-6", UNTESTED), clause) is UNTESTED
