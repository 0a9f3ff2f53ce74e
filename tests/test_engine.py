"""The gate as a whole: what it answers of right targets, wrong ones, and what is no target."""

from __future__ import annotations

import os
from itertools import groupby
from pathlib import Path

import pytest

import bad_targets
from onewinner.adapters.targets import Target, TargetError
from onewinner.clock import ManualClock
from onewinner.contract import Capabilities
from onewinner.contract.clauses import by_level
from onewinner.suite.engine import Options, UsageError, smoke, verify
from onewinner.suite.registry import all_checks, checks_for, under_control
from onewinner.suite.tree import ExitCode, Status

QUICK = Options(budget_s=1, seed=1, select=("DEL-1",), call_max_s=1)


def given(name):
    """Answer a target of `bad_targets`."""
    return Target(name, given=getattr(bad_targets, name))


def test_right_store_conforms():
    """The reference store conforms for the clauses asked for, and nothing else is listed."""
    result = verify(Target("memory"), Options(budget_s=1, seed=1, select=("CLAIM-1", "TTL-1")))
    assert [(c.clause.id, c.status) for c in result.clauses] == [
        ("CLAIM-1", Status.PASS),
        ("TTL-1", Status.PASS),
    ]
    assert (result.exit_code, result.level, result.seed) == (ExitCode.CONFORMS, "thread", 1)


def _rejecting(location, *, clock):
    from onewinner.mutants.eviction import REJECT_NEW
    from onewinner.stores import sqlite

    return sqlite.connect(location, clock=clock, profile=REJECT_NEW)


def test_profile_that_rejects_new_keys_is_judged_by_its_own_clause():
    """Under `reject-new` the clauses of eviction are left out, and the one of rejection holds."""
    result = verify(
        Target("rejecting", given=_rejecting), Options(budget_s=2, seed=1, select=("EVICT",))
    )
    statuses = {clause.clause.id: clause.status for clause in result.clauses}
    option = ("EVICT-9", "EVICT-10", "EVICT-11")  # of an opening, which is not declared here
    assert statuses == {"EVICT-8": Status.PASS, **dict.fromkeys(option, Status.NA)}
    assert result.exit_code == ExitCode.CONFORMS


def test_broken_store_does_not_conform():
    """A broken store fails the clause that it breaks, with a command that repeats the run."""
    result = verify(
        Target("mutant:claim-overwrites-live"), Options(budget_s=1, seed=7, select=("CLAIM-2",))
    )
    assert result.exit_code == ExitCode.VIOLATION
    violation = result.clauses[0].violation
    assert violation is not None
    assert violation.reproduce == (
        "onewinner verify mutant:claim-overwrites-live --level process -k CLAIM-2 --seed 0x7"
    )


def test_stop_at_first_leaves_out_what_did_not_run():
    """With stop-at-first the tree holds what was judged, and says that it is not whole."""
    result = verify(
        Target("mutant:claim-overwrites-live"), Options(budget_s=1, seed=7, stop_at_first=True)
    )
    assert result.stopped_early
    assert result.exit_code == ExitCode.VIOLATION
    assert len(result.clauses) < len(by_level("process"))


@pytest.mark.parametrize(
    ("depth", "rest"),
    [
        ("cases", []),
        ("control", ["early-clock", "schedules-on-threads"]),
        (
            "luck",
            [
                *("early-clock", "schedules-on-threads", "random_programs"),
                *("claims-on-threads", "random_programs"),
            ],
        ),
    ],
)
def test_what_tells_most_for_its_time_comes_first(depth, rest):
    """Cases, then what is under control and a few programs; what takes long or needs luck last."""
    told = []
    wanted = Options(budget_s=1, seed=1, select=("CLAIM-1", "CLAIM-5", "TTL-6"), depth=depth)
    verify(Target("memory"), wanted, on_progress=lambda each: told.append(each.check))
    kinds = {check.name: check.kind for check in all_checks()}
    shown = ("case" if kinds[name] == "case" else name for name in told if name in kinds)
    order = [name for name, _ in groupby(shown)]
    assert order == ["case", *rest]


@pytest.mark.parametrize("virtual", [True, False])
def test_what_waits_comes_after_what_does_not(virtual):
    """Files and forks come before sweeps; in virtual time kills and early clocks do."""
    names = [check.name for check in under_control(all_checks(), virtual=virtual)]
    sweep = names.index("schedules-on-processes")
    assert max(names.index("files"), names.index("forks")) < sweep
    for name in ("early-clock", "full-disk", "kills-at-points", "kills-at-system-calls"):
        assert (names.index(name) < sweep) is virtual
    for name in ("kills-in-storms", "stops-at-points", "failed-system-calls"):
        assert names.index(name) > sweep
    assert len(names) == len(set(names))


def test_cases_with_many_rows_come_last():
    """Of the cases those that write nearly a thousand rows come after all others."""
    many = [check.many for check in all_checks() if check.kind == "case"]
    assert many == sorted(many)
    assert True in many


def test_quick_cases_end_as_a_group():
    """With stop-at-first the cases that are as quick as the first that failed are run as well."""
    found = verify(Target("mutant:null-is-absent"), Options(seed=1, stop_at_first=True))
    ran = {check.check for clause in found.clauses for check in clause.checks}
    known = checks_for("process", Capabilities(virtual_clock=True))
    quick = {check.name for check in known if check.kind == "case" and not check.many}
    assert ran == quick
    failed = {clause.clause.id for clause in found.clauses if clause.status is Status.FAIL}
    assert "READ-2" in failed


def test_a_sweep_stops_at_the_first_that_goes_wrong():
    """With stop-at-first a lookup before a write is told by its sweep, and nothing else is."""
    found = verify(Target("mutant:lookup-then-register"), Options(seed=1, stop_at_first=True))
    failed = {c.clause.id for c in found.clauses if c.status is Status.FAIL}
    assert failed == {"CLAIM-6"}
    assert not any(c.status is Status.UNTESTED for c in found.clauses)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("hangs", "did not return within 1 s"),
        ("exits", "exit code 9"),
        ("killed", "SIGKILL"),
    ],
)
def test_target_that_hangs_or_dies_is_an_error_of_the_check(name, why):
    """A target that hangs or dies in an operation is blamed in that check, and the run goes on."""
    result = verify(given(name), QUICK)
    assert [clause.status for clause in result.clauses] == [Status.ERROR]
    assert why in result.clauses[0].reason
    assert result.exit_code == ExitCode.VIOLATION


def test_target_that_leaves_the_interpreter_is_wrong():
    """SystemExit raised by an operation is an answer that no operation may give."""
    result = verify(given("leaves"), QUICK)
    assert result.clauses[0].status is Status.FAIL
    assert "SystemExit" in result.clauses[0].reason


def test_target_that_prints_is_judged_all_the_same(capfd):
    """What a target prints neither disturbs the gate nor reaches its standard output."""
    assert verify(given("prints"), QUICK).exit_code == ExitCode.CONFORMS
    assert "noise" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("raises", "RuntimeError: no database here"),
        ("answers_none", "NoneType, which is not a Backend"),
        ("no_claim", "declares register_if_absent, but Lacking has no such method"),
        ("wrong_signature", "unexpected keyword argument 'clock'"),
    ],
)
def test_target_that_cannot_be_judged_is_refused(name, why):
    """What is no store is refused with its name, what is wrong, and what to do."""
    with pytest.raises(TargetError, match=why):
        verify(given(name), QUICK)


def test_scope_caps_the_level():
    """A store for threads cannot be judged at process level; by default it is judged below."""
    with pytest.raises(UsageError, match="scope='thread'"):
        verify(Target("memory"), Options(level="process"))


def test_unknown_clause_is_refused_with_the_nearest():
    """A selection that matches nothing is refused, and the nearest ids are named."""
    with pytest.raises(UsageError, match="CLAIM"):
        verify(Target("memory"), Options(select=("CLAIN-1",)))


def test_smoke_tells_what_it_saw():
    """Smoke connects, wins one claim and loses one."""
    seen = smoke(Target("sqlite"))
    assert seen.ok
    assert any("first claim of one key answered True" in line for line in seen.lines)
    assert not smoke(Target("mutant:claim-overwrites-live")).ok


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    """Whatever the target did, no directory of the run is left."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    verify(given("exits"), QUICK)
    with pytest.raises(TargetError):
        verify(given("raises"), QUICK)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - a plain listing
    assert Path(tmp_path).exists()


def test_programs_that_come_to_no_end_are_no_pass_of_what_was_asked_for():
    """Random programs judge many clauses; one that was asked for is told that they were not run."""
    result = verify(given("exits"), Options(budget_s=2, seed=1, select=("DEL-2",), call_max_s=5))
    assert result.exit_code == ExitCode.VIOLATION
    assert [c.clause.id for c in result.clauses if c.status is Status.ERROR] == ["DEL-2"]


def test_programs_share_an_address(tmp_path):
    """Where all programs have one location, each has plugins of its own, also after reopening."""
    from onewinner.stores import sqlite
    from onewinner.suite.programs import run_programs

    target = Target("sqlite", location=str(tmp_path))
    capabilities = sqlite.connect(str(tmp_path), clock=ManualClock()).capabilities
    found = run_programs(target, capabilities, str(tmp_path), budget_s=1, seed=5)
    assert [(each.clause, each.reason) for each in found if each.status is not Status.PASS] == []
    assert found


def test_a_store_without_a_claim_is_asked_for_none():
    """Of what is made of claims nothing runs; first opens race with what the store has."""
    offered = Capabilities(virtual_clock=True, private_files=True).without("register_if_absent")
    checks = checks_for("crash", offered)
    assert [check.name for check in checks if check.kind != "case"] == ["first-opens"]
    assert {"EVICT-2", "TTL-7", "INPUT-10"} <= {c for check in checks for c in check.clauses}
