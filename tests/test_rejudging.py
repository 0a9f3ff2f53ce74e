"""A recorded history is judged again: the same verdict each time, from a file too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import racy_stores
from onewinner import history
from onewinner.adapters.targets import Target
from onewinner.clock import ManualClock
from onewinner.contract import Capabilities
from onewinner.model import Call, State
from onewinner.mutants import MUTANTS
from onewinner.suite import sequence
from onewinner.suite.cases import CASES, run_case
from onewinner.suite.engine import Options, probe, verify
from onewinner.suite.faults import run_fault
from onewinner.suite.orders import ORDERS
from onewinner.suite.races import run_race
from onewinner.suite.registry import race_called
from onewinner.suite.rejudging import KEYS, RACE, rejudged
from onewinner.suite.tree import Recorded, Status

if TYPE_CHECKING:
    from pathlib import Path

    from onewinner.suite.session import Session
    from onewinner.suite.tree import Violation

DECLARED = Target("memory").connect("", ManualClock(0)).capabilities
APPLICABLE = sorted(name for name, case in CASES.items() if case.missing(DECLARED) is None)
SEQUENTIAL = ("claim-overwrites-live", "ttl-in-seconds", "evicts-youngest", "null-is-absent")


def from_file(recorded: Recorded, home: Path) -> Recorded:
    """Answer the history as it comes back from a file."""
    path = home / "history.jsonl"
    history.write(path, recorded.operations, eps_ms=recorded.eps_ms)
    return replace(recorded, operations=tuple(history.read(path).operations))


def holds(violation: Violation | None, capabilities: Capabilities, home: Path, judge: str) -> None:
    """Hold a violation to this: its history is invalid, twice from memory and from a file."""
    assert violation is not None
    assert violation.recorded is not None
    assert violation.recorded.judge == judge
    again = from_file(violation.recorded, home)
    verdicts = [rejudged(each, capabilities) for each in (violation.recorded, again, again)]
    assert verdicts == [False, False, False]


class TestSequences:
    @pytest.mark.parametrize("name", APPLICABLE)
    def test_what_a_right_store_answers_is_valid(self, name: str, tmp_path: Path) -> None:
        """The program of every case, driven against the reference store, is one that is allowed."""
        sessions: list[Session] = []
        target = Target("memory")
        results = run_case(CASES[name], target, DECLARED, str(tmp_path), on_session=sessions.append)
        assert [each.status for each in results] == [Status.PASS]
        made = sequence.operations_of(sessions[0].made)
        recorded = Recorded(operations=made, judge=sequence.JUDGE)
        verdict = rejudged(recorded, DECLARED)
        assert verdict is True or (verdict == "unknown" and unkept(made)) or not made
        if verdict is True:
            assert rejudged(from_file(recorded, tmp_path), DECLARED) is True

    @pytest.mark.parametrize("name", SEQUENTIAL)
    def test_what_a_broken_store_answered_is_invalid(self, name: str, tmp_path: Path) -> None:
        """The history of a case that failed fails again, without the store."""
        target = Target(f"mutant:{name}")
        clause = MUTANTS[name].clauses[0]
        result = verify(target, Options(budget_s=1, seed=1, select=(clause,), depth="cases"))
        (found,) = [each for each in result.clauses if each.clause.id == clause]
        holds(found.violation, probe(target, str(tmp_path)), tmp_path, sequence.JUDGE)

    def test_an_argument_that_is_no_json_leaves_the_verdict_open(self) -> None:
        """What a file cannot hold is not judged from one: unknown, and never valid."""
        call = Call(f="register", plugin="p", namespace="n", key="k", value={1, 2})
        made = sequence.Made(call, None, 0, State(), State())
        recorded = Recorded(operations=sequence.operations_of([made]), judge=sequence.JUDGE)
        assert rejudged(recorded, Capabilities()) == "unknown"

    def test_no_history_is_no_verdict(self) -> None:
        """An empty history proves nothing."""
        assert rejudged(Recorded(operations=(), judge=KEYS), Capabilities()) == "unknown"


def unkept(operations: tuple[history.Operation, ...]) -> bool:
    """Tell whether some argument is no JSON."""
    return any(each.extra.get(sequence.UNKEPT) for each in operations)


class TestParallel:
    def test_a_schedule_is_judged_again(self, tmp_path: Path) -> None:
        """The calls that met in a bad schedule are explained by no order of them."""
        target = Target("mutant:lookup-then-register")
        options = Options(budget_s=2, seed=1, select=("CLAIM-6",), depth="control")
        (found,) = verify(target, options).clauses
        holds(found.violation, probe(target, str(tmp_path)), tmp_path, ORDERS)

    def test_a_race_is_judged_again_key_by_key(self, tmp_path: Path) -> None:
        """Of a race for vacant keys the whole block's history is kept."""
        violation, capabilities = raced("claims-on-threads", "RacyDictBackend", tmp_path)
        holds(violation, capabilities, tmp_path, KEYS)

    def test_a_ruling_is_repeated_from_what_was_known_of_the_round(self, tmp_path: Path) -> None:
        """A race of a full namespace is judged by its ruling, with the facts of the round."""
        target = Target("mutant:max-entries-off-by-one")
        capabilities = probe(target, str(tmp_path))
        results = run_race(
            race_called("full-on-threads"),
            target,
            capabilities,
            run_dir=tmp_path,
            budget_s=5.0,
            seed=1,
        )
        (found,) = [each for each in results if each.clause == "EVICT-6"]
        holds(found.violation, capabilities, tmp_path, f"{RACE}full")

    def test_calls_that_were_cut_off_may_have_happened_or_not(self, tmp_path: Path) -> None:
        """What is left after a kill is explained by no order, with the cut-off call or without."""
        target = Target("mutant:clears-in-two-steps")
        capabilities = probe(target, str(tmp_path))
        results = run_fault(
            "kills-at-points",
            target,
            capabilities,
            run_dir=tmp_path,
            budget_s=60.0,  # until it is found
            seed=1,
            stop_at_first=True,
        )
        (found,) = [each for each in results if each.status is Status.FAIL]
        holds(found.violation, capabilities, tmp_path, "crash")


def raced(race: str, name: str, home: Path) -> tuple[Violation | None, Capabilities]:
    """Race a small racy store, and answer the first violation."""
    capabilities: Capabilities = getattr(racy_stores, name).capabilities
    results = run_race(
        race_called(race),
        Target(f"python:racy_stores:{name}"),
        capabilities,
        run_dir=home,
        budget_s=20.0,
        seed=1,
    )
    return results[0].violation, capabilities
