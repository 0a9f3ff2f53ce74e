"""Level crash: the checks with faults pass the right store, and name what is wrong with others."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import file_stores
from onewinner.adapters.targets import Target
from onewinner.clock import SystemClock, monotonic_ns, sleep
from onewinner.contract import Capabilities
from onewinner.generator import Call
from onewinner.history import Info, Ok, Operation
from onewinner.model import State
from onewinner.mutants import MUTANTS
from onewinner.schedule.choice import refusal
from onewinner.schedule.nursery import Nursery
from onewinner.schedule.resident import Do
from onewinner.schedule.victims import Rage
from onewinner.stores import sqlite
from onewinner.suite.engine import Options, UsageError, verify
from onewinner.suite.faults import FAULTS, run_fault
from onewinner.suite.ground import HURT, CrashJudge
from onewinner.suite.tree import ExitCode, Status

if TYPE_CHECKING:
    from onewinner.suite.tree import CheckResult

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="n/a: processes are looked at in /proc, which takes Linux"
)

WHOLE = Capabilities(virtual_clock=True, private_files=True, damage=True)
TTL = 2_000


def judged(
    target: str, fault: str, tmp_path: Path, budget_s: float = 3, **more: bool
) -> list[CheckResult]:
    """Run one check with faults on a target that declares all that the SQLite store does."""
    capabilities = MUTANTS[target.removeprefix("mutant:")].connect if ":" in target else None
    declared = WHOLE
    if capabilities is not None:
        backend = capabilities(str(tmp_path / "probe"), clock=SystemClock())
        declared = backend.capabilities
        backend.close()
    return run_fault(
        fault, Target(target), declared, run_dir=tmp_path, budget_s=budget_s, seed=1, **more
    )


class TestRightStore:
    @pytest.mark.parametrize(
        ("fault", "floors"),
        [
            ("kills-at-points", {"killed inside a call": 5, "killed after an answer": 1}),
            ("kills-in-storms", {"storms": 3, "claims answered": 9}),
            ("stops-at-points", {"stopped inside a claim": 2}),
            ("forks", {"forks": 2, "calls of the child": 50}),
            ("kills-at-system-calls", {"killed inside a call": 5, "killed after an answer": 1}),
            (
                "failed-system-calls",
                {"claims with a failed call": 5, "answered with an error": 5, "rivals let in": 1},
            ),
            ("full-disk", {"claims failed by storage": 5, "rivals let in": 2}),
            ("files", {"files and directories": 1, "calls beside a damaged row": 14}),
        ],
    )
    def test_it_passes_and_the_evidence_is_counted(
        self, fault: str, floors: dict[str, int], tmp_path: Path
    ) -> None:
        """The SQLite store passes each check, and each tells what it did to it."""
        budget_s = 60 if fault == "failed-system-calls" else 3  # it ends when all were tried
        results = judged("sqlite", fault, tmp_path, budget_s)
        assert [result.reason for result in results if result.status is not Status.PASS] == []
        assert {result.clause for result in results} == set(FAULTS[fault].clauses)
        counted: Any = results[0].evidence
        assert {name for name, least in floors.items() if counted[name] < least} == set()

    def test_rows_that_go_with_the_last_handle_are_not_missed(self, tmp_path: Path) -> None:
        """Where rows need not outlast the last handle, somebody holds one while it is judged."""
        target = Target("python:volatile_stores:VolatileBackend")
        declared = dataclasses.replace(WHOLE, durable=False)
        results = run_fault("forks", target, declared, run_dir=tmp_path, budget_s=1, seed=1)
        assert [(each.clause, each.reason) for each in results] == [("DUR-8", "")]

    @pytest.mark.skipif(refusal() is not None, reason="n/a: the kernel refuses ptrace")
    def test_a_store_of_names_is_judged_by_its_system_calls(self, tmp_path: Path) -> None:
        """What writes to no file fails no claim on a full disk, and its own calls can be failed."""
        target = Target("python:file_stores:NameBackend")
        found = {}
        for fault in ("full-disk", "failed-system-calls"):
            results = run_fault(
                fault,
                target,
                file_stores.NameBackend.capabilities,
                run_dir=tmp_path,
                budget_s=3,
                seed=1,
            )
            found[fault] = {each.clause: each.status for each in results}
        assert found["full-disk"] == {"ERR-5": Status.NA, "ERR-6": Status.NA}
        assert found["failed-system-calls"] == {"ERR-5": Status.PASS, "ERR-6": Status.PASS}

    def test_strict_ages_run_ahead_of_the_clock(self, tmp_path: Path) -> None:
        """Of many claims in a millisecond each is said to be later, and none lives any longer."""
        target = Target("python:onewinner.stores.newer_sqlite:connect_strict")
        declared = dataclasses.replace(WHOLE, strict_ages=True)
        results = run_fault(
            "kills-in-storms", target, declared, run_dir=tmp_path, budget_s=1, seed=1
        )
        assert [result.reason for result in results if result.status is not Status.PASS] == []


class TestMutants:
    @pytest.mark.parametrize(
        ("name", "fault", "clause", "told"),
        [
            ("commits-late", "kills-at-points", "DUR-3", "right after its answer"),
            ("ttl-in-a-second-step", "kills-at-points", "DUR-5", "2000 ms pass"),
            ("half-written-rows", "kills-at-points", "DUR-4", "CORRUPT"),
            ("half-written-rows", "kills-at-system-calls", "DUR-4", "CORRUPT"),
            ("ttl-in-a-second-step", "kills-at-system-calls", "DUR-5", "2000 ms pass"),
            ("rename-error-swallowed", "failed-system-calls", "ERR-5", "`rename KEY.row` (EIO)"),
            (
                "undo-removes-whoever-is-there",
                "failed-system-calls",
                "ERR-6",
                "`link KEY.row` (EIO)",
            ),
            ("lock-taken-away-on-an-error", "failed-system-calls", "ERR-6", "is held at work"),
            ("unlink-error-swallowed", "failed-system-calls", "DEL-1", "delete('k') -> True"),
            ("lock-file-outlives-its-holder", "kills-at-points", "DUR-6", "is held"),
            ("lease-without-fence", "stops-at-points", "DUR-7", "p1 goes on (SIGCONT)"),
            ("connection-shared-over-fork", "forks", "DUR-8", "the child: register_if_absent"),
            ("files-for-everybody", "files", "DUR-9", "0644"),
            ("error-is-false", "full-disk", "ERR-5", "'v') -> False"),
            ("loses-its-lock-on-an-error", "full-disk", "ERR-6", "'r') -> True"),
            ("damaged-row-poisons-its-neighbours", "files", "ERR-7", "lookup('a') raised CORRUPT"),
            ("damaged-row-is-consumed", "files", "ERR-7", "delete('bad') -> False"),
            (
                *("damaged-row-poisons-many-lookups", "files", "ERR-7"),
                "lookup_many('c, a') raised CORRUPT",
            ),
            ("damaged-rows-are-not-counted", "files", "ERR-7", "count() -> 3"),
            ("damaged-row-is-updated-anew", "files", "ERR-7", "update('bad') -> True"),
            ("storage-errors-go-bare", "files", "ERR-1", "register_if_absent('j') raised"),
            ("write-errors-name-no-operation", "files", "ERR-1", "raised WRITE_FAILED"),
            ("corrupt-names-no-operation", "files", "ERR-1", "lookup('bad') raised CORRUPT"),
            ("damaged-rows-are-not-evicted", "files", "ERR-7", "register_if_absent('3') raised"),
            ("damaged-rows-never-expire", "files", "ERR-7", "register_if_absent('k') raised"),
            ("clears-in-two-steps", "kills-at-points", "DUR-4", "p9: clear()"),
            ("updates-by-deleting", "kills-at-points", "DUR-4", "p9: update("),
            ("sweep-puts-live-rows-back", "kills-at-points", "DUR-4", "p9: sweep_expired()"),
            ("sweep-lock-outlives-sweeper", "kills-at-points", "DUR-6", "p0: sweep_expired()"),
        ],
    )
    def test_each_is_flagged_by_the_clause_that_it_names(
        self, name: str, fault: str, clause: str, told: str, tmp_path: Path
    ) -> None:
        """A store with one defect breaks its clause, and the story shows how."""
        budget_s = 60 if fault == "failed-system-calls" else 3  # it ends when all were tried
        found = {each.clause: each for each in judged(f"mutant:{name}", fault, tmp_path, budget_s)}
        assert clause in MUTANTS[name].clauses
        assert found[clause].status is Status.FAIL
        violation = found[clause].violation
        assert violation is not None
        assert told in "\n".join(violation.happened)
        assert "--level crash" in violation.reproduce

    def test_to_stop_at_the_first_is_to_tell_what_is_broken_and_no_more(
        self, tmp_path: Path
    ) -> None:
        """With stop-at-first a check ends at what is broken; what is not has no result."""
        found = judged(
            "mutant:error-is-false", "failed-system-calls", tmp_path, 60, stop_at_first=True
        )
        assert [(each.clause, each.status) for each in found] == [("ERR-5", Status.FAIL)]
        assert found[0].evidence["claims with a failed call"] == 1

    @pytest.mark.parametrize("fault", ["kills-in-storms", "stops-at-points", "failed-system-calls"])
    def test_a_brief_look_accuses_nobody_and_proves_nothing(
        self, fault: str, tmp_path: Path
    ) -> None:
        """Of a right store a brief look answers nothing, so that it is no evidence."""
        assert judged("sqlite", fault, tmp_path, 0.5, brief=True) == []

    def test_a_brief_look_finds_what_is_broken_at_once(self, tmp_path: Path) -> None:
        """An error that is answered with False is seen in the first calls that fail."""
        found = judged("mutant:error-is-false", "failed-system-calls", tmp_path, 0.5, brief=True)
        assert {each.status for each in found} == {Status.FAIL}
        assert "ERR-5" in {each.clause for each in found}

    def test_a_clock_that_is_set_is_judged_by_cases(self) -> None:
        """A store that takes rows of the future for garbage breaks TTL-8, with a script."""
        result = verify(
            Target("mutant:rows-of-the-future-are-pruned"),
            Options(level="crash", select=("TTL-8",)),
        )
        (clause,) = result.clauses
        assert clause.status is Status.FAIL
        assert clause.violation is not None
        assert "clock.advance(-" in clause.violation.script


class TestLevel:
    def test_the_right_store_conforms_at_level_crash(self) -> None:
        """The level is judged where it is asked for, and each clause says what was done."""
        result = verify(
            Target("sqlite"), Options(level="crash", select=("DUR-8", "ERR-6", "TTL-8"))
        )
        assert result.exit_code == ExitCode.CONFORMS
        assert [clause.clause.id for clause in result.clauses] == ["TTL-8", "DUR-8", "ERR-6"]
        assert all(clause.checks for clause in result.clauses)

    def test_the_default_level_is_process(self) -> None:
        """Nobody is killed who did not ask for it."""
        result = verify(Target("sqlite"), Options(select=("DUR-1", "DUR-8")))
        assert result.level == "process"
        assert [clause.clause.id for clause in result.clauses] == ["DUR-1"]

    def test_a_store_for_threads_is_refused(self) -> None:
        """Where all lives in one process nothing survives it: the level cannot be reached."""
        with pytest.raises(UsageError, match="scope='thread'"):
            verify(Target("memory"), Options(level="crash"))

    def test_what_cannot_be_held_is_untested(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the system does not tell who sleeps nothing was tried, and that is no pass."""
        monkeypatch.setattr("onewinner.suite.faults.cannot_tell_who_sleeps", lambda: "no /proc")
        results = judged("sqlite", "stops-at-points", tmp_path)
        assert [(result.status, result.reason) for result in results] == [
            (Status.UNTESTED, "no /proc")
        ]

    def test_storage_of_a_server_is_left_out(self, tmp_path: Path) -> None:
        """The kit cannot fill the disk of a server: that is said, and is no pass."""
        results = run_fault(
            "full-disk",
            Target("sqlite", location=str(tmp_path)),
            WHOLE,
            run_dir=tmp_path,
            budget_s=3,
            seed=1,
        )
        assert {result.status for result in results} == {Status.NA}
        assert "server" in results[0].reason


def operation(f: str, answer: object, *, now: int, phase: str = "look", **arguments: Any) -> Any:
    """Answer one call as the judge sees it; without an answer its process was killed."""
    call = Call(f, "p", "n", "k", **arguments)
    return Operation(
        process=0,
        f=f,
        value=call._asdict(),
        outcome=Info("killed") if answer is None else Ok(answer),
        invoked_ns=0,
        completed_ns=1,
        extra={"phase": phase, "now": now},
    )


class TestJudge:
    def explained(self, *operations: Operation) -> bool:
        """Tell whether some state explains these calls."""
        return bool(CrashJudge(WHOLE).after([State()], operations))

    def test_a_claim_that_was_cut_off_may_be_there_or_not(self) -> None:
        """After the kill the key may be held by the dead, or vacant."""
        cut_off = operation("register_if_absent", None, now=5, phase=HURT, value="v", ttl_ms=TTL)
        for late in (True, False):
            again = operation("register_if_absent", late, now=5, value="late")
            assert self.explained(cut_off, again)

    def test_what_was_seen_once_does_not_change(self) -> None:
        """A claim that was refused for the dead one's row cannot be followed by a win."""
        cut_off = operation("register_if_absent", None, now=5, phase=HURT, value="v", ttl_ms=TTL)
        refused = operation("register_if_absent", False, now=5, value="late")
        won = operation("register_if_absent", True, now=5, value="later")
        assert not self.explained(cut_off, refused, won)

    def test_a_claim_that_was_cut_off_is_over_at_its_time(self) -> None:
        """At its expiry, and not before, the key of the dead is vacant again."""
        cut_off = operation("register_if_absent", None, now=5, phase=HURT, value="v", ttl_ms=TTL)
        refused = operation("register_if_absent", False, now=5, value="late")
        held = operation("register_if_absent", False, now=5 + TTL, value="again")
        assert not self.explained(cut_off, refused, held)

    def test_what_was_answered_is_there(self) -> None:
        """A claim that was answered before the kill is no call in doubt."""
        answered = operation("register_if_absent", True, now=5, phase=HURT, value="v")
        assert not self.explained(answered, operation("register_if_absent", True, now=5, value="x"))


class TestVictims:
    def test_a_victim_dies_at_its_point(self, tmp_path: Path) -> None:
        """A process that is killed before COMMIT has made no row, and one after its answer has."""
        call = Call("register_if_absent", "p", "n", "k", "v")
        with Nursery(Target("sqlite"), SystemClock()) as nursery:
            whole = nursery.hurt(Do(call, None, "sql"), str(tmp_path / "whole"))
            assert whole.done is not None
            names = [point.name for point in whole.done.points]
            number = names.index("COMMIT") + 1
            cut = nursery.hurt(Do(call, number, "sql"), str(tmp_path / "cut"))
        assert cut.at is not None
        assert (cut.at.point.name, cut.at.number, cut.done) == ("COMMIT", number, None)
        for place, left in (("whole", ["k"]), ("cut", [])):
            backend = sqlite.connect(str(tmp_path / place), clock=SystemClock())
            rows = backend.open("p", "n", max_entries=9).entries()
            assert [row.key for row in rows] == left
            backend.close()

    def test_a_victim_that_cannot_connect_is_told(self, tmp_path: Path) -> None:
        """A process that ends before its call says so, and the nursery lives on."""
        (tmp_path / "file").write_text("")
        call = Call("register_if_absent", "p", "n", "k", "v")
        with Nursery(Target("sqlite"), SystemClock()) as nursery:
            fell = nursery.hurt(Do(call, None, "sql"), str(tmp_path / "file" / "below"))
            again = nursery.hurt(Do(call, None, "sql"), str(tmp_path / "there"))
        assert fell.done is None or fell.done.kind != 0
        assert again.done is not None
        assert again.done.answer is True

    def test_a_storm_ends_with_everybody_dead(self, tmp_path: Path) -> None:
        """All clients are killed at once, and what they were answered before is known."""
        calls = tuple(
            tuple(Call("register_if_absent", "p", "n", f"{who}-{n}", n) for n in range(30))
            for who in range(2)
        )
        with Nursery(Target("sqlite"), SystemClock()) as nursery:
            clients = nursery.rage(Rage(str(tmp_path), calls, answers=10))
        assert all(client.ready for client in clients)
        assert sum(len(client.answers) for client in clients) >= 10
        assert {answer for client in clients for _, _, answer in client.answers} == {True}


KIT = """
import sys
from pathlib import Path
from onewinner.adapters.targets import Target
from onewinner.contract import Capabilities
from onewinner.suite.faults import run_fault
if __name__ == "__main__":
    print("begun", flush=True)
    for number in range(50):
        home = Path(sys.argv[1]) / str(number)
        home.mkdir()
        run_fault(sys.argv[2], Target("sqlite"), Capabilities(virtual_clock=True), run_dir=home,
                  budget_s=30, seed=1)
"""


def in_session(session: int) -> list[int]:
    """Answer the processes of a session that are still alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its = stat.read_text("ascii", "replace").rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(its) == session and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


class TestNothingIsLeft:
    @pytest.mark.parametrize("fault", ["kills-in-storms", "stops-at-points", "forks"])
    def test_a_kit_that_is_killed_takes_all_with_it(self, fault: str, tmp_path: Path) -> None:
        """Victims, nursery, stopped claimants and forked children die with the kit."""
        script = tmp_path / "kit.py"
        script.write_text(KIT)
        kit = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path), fault],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert kit.stdout is not None
            kit.stdout.readline()
            until = monotonic_ns() + 60_000_000_000
            while len(in_session(kit.pid)) < 2 and monotonic_ns() < until:
                sleep(0.01)
            assert len(in_session(kit.pid)) >= 2
        finally:
            os.kill(kit.pid, signal.SIGKILL)
            kit.wait()
            kit.stdout.close()
        while in_session(kit.pid) and monotonic_ns() < until:
            sleep(0.01)
        assert in_session(kit.pid) == []
