"""System calls that fail, or at which a process is killed: one at a time, nothing of it done."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import jsonschema
import pytest

from onewinner.adapters.targets import Target
from onewinner.checker.verdict import Budgets
from onewinner.clock import SharedClock
from onewinner.contract import Capabilities
from onewinner.generator import Call
from onewinner.history import Info, Ok
from onewinner.mutants.file_rows import FileRowsBackend
from onewinner.schedule import ptrace
from onewinner.schedule.claimant import Point, Returned
from onewinner.schedule.crew import Crew
from onewinner.schedule.failing import Failing, can_lack_room
from onewinner.schedule.nursery import Nursery
from onewinner.schedule.resident import Do
from onewinner.suite.faults import FAULTS, run_fault
from onewinner.suite.offline import judge_file
from onewinner.suite.tree import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.schedule.traced import TracedClaimant
    from onewinner.suite.tree import CheckResult

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "specs" / "history.schema.json").read_text("utf-8"))
ROWS = Target("python:onewinner.mutants.file_rows:FileRowsBackend")
RELATIVE = Target("python:file_stores:RelativeBackend")
WHOLE = Capabilities(virtual_clock=True, private_files=True, damage=True)
FEW = Capabilities(
    operations=frozenset({"register_if_absent", "lookup"}),
    ttl_unit_ms=None,
    eviction=None,
    plugin_row_cap=None,
)
CLAIM = Call("register_if_absent", "p", "n", "k", "v")
REFUSED = "system calls cannot be traced here: somebody said so"

pytestmark = pytest.mark.skipif(
    ptrace.ptrace_refusal() is not None, reason=f"n/a: {ptrace.ptrace_refusal()}"
)


class Traced:
    """One traced claimant of a target, whose system calls can be made to fail."""

    def __init__(self, crew: Crew, home: Path) -> None:
        self.home = home
        self.claimant = cast("TracedClaimant", crew.claimants[0])
        self.claimant.boundary = "syscall"

    def claim(self, failing: Failing | None, call: Call = CLAIM) -> Returned:
        """Make a claim while it is watched for what could fail."""
        self.claimant.watch(failing)
        self.claimant.begin(call)
        ended = self.claimant.finish()
        assert isinstance(ended, Returned)
        return ended


@pytest.fixture
def traced(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Traced]:
    """A claimant that has its namespace open."""
    target = getattr(request, "param", ROWS)
    clock = SharedClock(tmp_path / "clock", start_ms=1_000)
    home = tmp_path / "store"
    home.mkdir()
    with Crew(target, location=str(home), clock=clock, claimants=1, processes=True) as crew:
        assert crew.trace() is None
        crew.claimants[0].make(CLAIM._replace(f="open"))
        yield Traced(crew, home)


class TestFailing:
    def test_calls_that_change_a_file_are_told(self, traced: Traced) -> None:
        """What a claim changes below the location is told, with the numbers of its points."""
        failing = Failing(str(traced.home))
        ended = traced.claim(failing)
        assert ended.outcome == Ok(True)
        assert [point.name for _, point in failing.changes] == [
            "openat .lock",
            "openat KEY.new",
            "write KEY.new",
            "rename KEY.row",
        ]
        assert [ended.points[number - 1] for number, _ in failing.changes] == [
            point for _, point in failing.changes
        ]
        assert failing.failed is None

    @pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
    def test_the_chosen_call_fails_and_nothing_of_it_is_done(
        self, error: int, traced: Traced
    ) -> None:
        """The store sees the error that was asked for, once, and the file has no name."""
        failing = Failing(str(traced.home), 4, error)
        ended = traced.claim(failing)
        assert failing.failed == Point("rename KEY.row", 1)
        assert ended.invoked_ns < failing.failed_ns < ended.completed_ns
        assert isinstance(ended.outcome, Info)
        assert f"[Errno {error}]" in ended.outcome.reason
        assert sorted(each.name for each in (traced.home / "p" / "n").iterdir()) == [
            ".lock",
            "k.new",
        ]
        assert traced.claim(None).outcome == Ok(True)

    def test_what_lies_elsewhere_does_not_fail(self, traced: Traced, tmp_path: Path) -> None:
        """A file outside of the directory is nobody's business, though its name begins alike."""
        failing = Failing(str(tmp_path / "sto"), 1, errno.EIO)
        assert traced.claim(failing).outcome == Ok(True)
        assert failing.changes == []

    @pytest.mark.parametrize("traced", [RELATIVE], indirect=True)
    def test_names_are_seen_relative_to_a_directory(self, traced: Traced) -> None:
        """Files that are named within an open directory count, by whichever thread."""
        failing = Failing(str(traced.home), 4, errno.EIO)
        ended = traced.claim(failing)
        assert [point.name for _, point in failing.changes] == [
            "unlinkat KEY.#.draft",
            "openat KEY.#.draft",
            "write KEY.#.draft",
            "linkat KEY",
            "unlinkat KEY.#.draft",
        ]
        assert isinstance(ended.outcome, Info)
        assert "[Errno 5]" in ended.outcome.reason
        assert os.listdir(traced.home / "p" / "n") == []  # noqa: PTH208 - names are enough

    def test_a_full_disk_fails_nothing_that_gives_room_back(self) -> None:
        """Whatever removes a file or directory is not asked to fail for want of room."""
        assert can_lack_room(Point("pwrite64 a", 1))
        assert can_lack_room(Point("rename a", 2))
        assert not can_lack_room(Point("unlink a", 1))
        assert not can_lack_room(Point("unlinkat a", 1))


def judged(
    fault: str, target: Target, capabilities: Capabilities, home: Path, **more: Any
) -> list[CheckResult]:
    """Run one check with faults."""
    return run_fault(fault, target, capabilities, run_dir=home, budget_s=3, seed=1, **more)


class TestRightStores:
    @pytest.mark.parametrize("fault", ["failed-system-calls", "kills-at-system-calls"])
    @pytest.mark.parametrize(
        ("target", "capabilities"), [(ROWS, FileRowsBackend.capabilities), (RELATIVE, FEW)]
    )
    def test_right_stores_of_files_pass(
        self, target: Target, capabilities: Capabilities, fault: str, tmp_path: Path
    ) -> None:
        """A file store that takes no error for an answer is not accused, and was judged."""
        results = judged(fault, target, capabilities, tmp_path)
        assert [result.reason for result in results if result.status is not Status.PASS] == []
        expected = set(FAULTS[fault].clauses) - (set() if target is ROWS else {"DEL-1", "DUR-5"})
        assert {result.clause for result in results} == expected


class TestKilled:
    def test_a_victim_dies_at_its_system_call(self, tmp_path: Path) -> None:
        """Killed where it would give the row its name, a process has left none."""
        clock = SharedClock(tmp_path / "clock", start_ms=1_000)
        order = Do(CLAIM, None, "syscall", traced=True)
        with Nursery(ROWS, clock) as nursery:
            whole = nursery.hurt(order, str(tmp_path / "whole"))
            assert whole.done is not None
            assert whole.done.answer is True
            number = whole.changes[-1]
            assert whole.done.points[number - 1].name == "rename KEY.row"
            cut = nursery.hurt(order._replace(hold=number), str(tmp_path / "cut"))
        assert cut.at is not None
        assert cut.at.point == Point("rename KEY.row", 1)
        names = [
            sorted(each.name for each in (tmp_path / at / "p" / "n").iterdir())
            for at in ("whole", "cut")
        ]
        assert names == [[".lock", "k.row"], [".lock", "k.new"]]

    def test_a_victim_that_ends_by_itself_is_told(self, tmp_path: Path) -> None:
        """A process that ends inside its call is told of with how, and the nursery lives on."""
        clock = SharedClock(tmp_path / "clock", start_ms=1_000)
        order = Do(CLAIM._replace(key="die"), None, "syscall", traced=True)
        with Nursery(Target("python:opaque_stores:DyingBackend"), clock) as nursery:
            left = nursery.hurt(order, str(tmp_path / "a"))
            stayed = nursery.hurt(order._replace(call=CLAIM), str(tmp_path / "b"))
        assert (left.at, left.done, left.how) == (None, None, "it ended with exit code -9")
        assert stayed.done is not None


class TestRefused:
    @pytest.mark.parametrize("fault", ["failed-system-calls", "kills-at-system-calls"])
    def test_it_is_said_and_is_no_pass(
        self, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the kernel refuses ptrace nothing is judged here, with its reason and a note."""
        monkeypatch.setattr(ptrace, "ptrace_refusal", lambda: REFUSED)
        results = judged(fault, Target("sqlite"), WHOLE, tmp_path)
        assert {(each.status, each.reason) for each in results} == {(Status.NA, REFUSED)}
        (notes,) = {each.notes for each in results}
        assert notes[0].startswith(f"{fault}: no ")
        assert notes[0].endswith(REFUSED)

    def test_claimants_that_cannot_be_traced_are_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A kernel that refuses to trace these very processes makes a note, not a crash."""

        def refuse(_: int) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(ptrace, "seize", refuse)
        results = judged("failed-system-calls", Target("sqlite"), WHOLE, tmp_path)
        assert {each.status for each in results} == {Status.NA}
        assert "Operation not permitted" in results[0].notes[0]

    @pytest.mark.parametrize("fault", ["failed-system-calls", "kills-at-system-calls"])
    def test_a_server_is_left_out(self, fault: str, tmp_path: Path) -> None:
        """The system calls of a server are not the kit's to change: n/a, with the reason."""
        target = Target("sqlite", location=str(tmp_path))
        results = judged(fault, target, WHOLE, tmp_path)
        assert {each.status for each in results} == {Status.NA}
        assert "server" in results[0].reason


class TestHistories:
    def test_a_storm_keeps_no_history(self, tmp_path: Path) -> None:
        """What the clients of a storm did is not recorded; without it the rest would look wrong."""
        (tmp_path / "kept").mkdir()
        judged("kills-in-storms", Target("sqlite"), WHOLE, tmp_path, histories=tmp_path / "kept")
        assert list((tmp_path / "kept").iterdir()) == []

    @pytest.mark.parametrize(
        ("fault", "deed"),
        [
            ("failed-system-calls", "fail"),
            ("kills-at-system-calls", "kill"),
            ("kills-at-points", "kill"),
            ("stops-at-points", "stop"),
            ("full-disk", "fill"),
        ],
    )
    def test_what_was_done_is_part_of_the_history(
        self, fault: str, deed: str, tmp_path: Path
    ) -> None:
        """A kept history of faults has its acts, follows the schema, and is judged to be valid."""
        (tmp_path / "kept").mkdir()
        judged(fault, Target("sqlite"), WHOLE, tmp_path, histories=tmp_path / "kept")
        (path,) = (tmp_path / "kept").iterdir()
        assert path.name == f"{fault}-0001.jsonl"
        events = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        validator = jsonschema.Draft202012Validator(SCHEMA)
        assert [each for each in events if not validator.is_valid(each)] == []
        acts = {each["f"] for each in events if each["process"] == "nemesis"}
        assert deed in acts
        assert "advance" not in acts  # virtual time moves in operations
        verdict = judge_file(str(path), model=None, budgets=Budgets(), eps_ms=None, grace_ms=0)
        assert verdict.verdict.valid is True

    def test_a_broken_store_is_judged_by_its_history_too(self, tmp_path: Path) -> None:
        """What the check says of a store that swallows an error its history says to anybody."""
        (tmp_path / "kept").mkdir()
        target = Target("mutant:rename-error-swallowed")
        results = judged(
            "failed-system-calls",
            target,
            FileRowsBackend.capabilities,
            tmp_path,
            histories=tmp_path / "kept",
        )
        assert Status.FAIL in {each.status for each in results}
        (path,) = (tmp_path / "kept").iterdir()
        verdict = judge_file(str(path), model=None, budgets=Budgets(), eps_ms=None, grace_ms=0)
        assert verdict.verdict.valid is False
