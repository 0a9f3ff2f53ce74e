"""A journal holds each call before it is made, and outlives whoever wrote it."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import multiprocess
import pytest

from onewinner.adapters.stdio.backend import Fired
from onewinner.adapters.targets import Target
from onewinner.clock import SystemClock, monotonic_ns
from onewinner.contract import ABSENT, Entry, InvalidInput, StoreError
from onewinner.generator import Call, Round
from onewinner.history import Fail, Info, Ok, Operation, read
from onewinner.runner import Block, WorkerLost, WorkerPool
from onewinner.worker.journal import FAIL, INFO, OK, Journal, recovered
from onewinner.worker.recorder import Prepared, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLAIM = Call("register_if_absent", "p%", "n", "k%d", {"a": "%s"}, 5)


class LateRecorder(Recorder):
    """A broken recorder: it journals a call when it is over."""

    def make(self, prepared: Prepared) -> None:
        prepared.act()
        self.begin(prepared.words)
        self.journal.complete(prepared.call.f, OK, True, monotonic_ns())


def die() -> None:
    """Die as if by the hand of another."""
    os.kill(os.getpid(), signal.SIGKILL)


def one_call(path: Path, recorder: type[Recorder], act: Callable[[], Any]) -> None:
    """Make one call with a journal."""
    made = recorder(memoryview(bytearray(8)).cast("q"), 0, Journal(path, 3))
    made.make(made.prepare(CLAIM, act))


def one_batch(path: Path, fire: Callable[[], Any]) -> None:
    """Have three calls made at once, with a journal."""
    made = Recorder(memoryview(bytearray(8)).cast("q"), 0, Journal(path, 3))
    calls = [CLAIM._replace(key=f"k{number}") for number in range(3)]
    made.make_all([made.prepare(call, die) for call in calls], fire)
    made.journal.flush()


def killed_in(recorder: type[Recorder], path: Path) -> list[Operation]:
    """Answer what is known of a process that was killed inside its only call."""
    context = multiprocess.get_context("fork")
    process = context.Process(target=one_call, args=(path, recorder, die))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    return recovered(path, monotonic_ns())


class TestJournal:
    def test_call_of_a_killed_process_is_there(self, tmp_path: Path) -> None:
        """The call in which a process was killed is known, unknown in its end, and bounded."""
        (operation,) = killed_in(Recorder, tmp_path / "j")
        assert (operation.process, operation.f) == (3, "register_if_absent")
        assert operation.value == {
            "plugin": "p%",
            "namespace": "n",
            "key": "k%d",
            "value": {"a": "%s"},
            "ttl_ms": 5,
        }
        assert isinstance(operation.outcome, Info)
        assert operation.completed_ns is not None
        assert operation.invoked_ns <= operation.completed_ns

    def test_every_call_of_a_batch_is_in_doubt(self, tmp_path: Path) -> None:
        """Whoever is killed while others make its calls leaves all of them open, none missing."""
        context = multiprocess.get_context("fork")
        process = context.Process(target=one_batch, args=(tmp_path / "j", die))
        process.start()
        process.join()
        operations = recovered(tmp_path / "j", None)
        assert sorted(each.value["key"] for each in operations) == ["k0", "k1", "k2"]
        assert all(isinstance(each.outcome, Info) for each in operations)
        assert len({each.process for each in operations}) == 3

    def test_the_ends_of_a_batch_are_told(self, tmp_path: Path) -> None:
        """A batch that came back is a history of calls that ended, each in its own way."""

        def refused() -> bool:
            raise InvalidInput(operation="register", message="no")

        def lost() -> bool:
            raise StoreError(code="GONE", operation="register", message="who knows")

        fired = [Fired(each, 1, 2) for each in (lambda: True, refused, lost)]
        one_batch(tmp_path / "j", lambda: fired)
        outcomes = [each.outcome for each in read(tmp_path / "j")]
        assert [type(each) for each in outcomes] == [Ok, Fail, Info]

    def test_a_batch_that_fails_leaves_all_in_doubt(self, tmp_path: Path) -> None:
        """Where the batch itself fails, nobody knows what became of its calls."""

        def failing() -> Any:
            raise StoreError(code="OPEN_FAILED", operation="batch", message="gone")

        made = Recorder(memoryview(bytearray(8)).cast("q"), 0, Journal(tmp_path / "j", 3))
        made.make_all([made.prepare(CLAIM, die)], failing)
        assert [record.kind for record in made.take()] == [INFO]

    def test_a_recorder_that_journals_too_late_is_found_out(self, tmp_path: Path) -> None:
        """The test above can fail: a recorder that writes after the call loses it."""
        assert killed_in(LateRecorder, tmp_path / "j") == []

    def test_at_a_server_the_call_has_no_end(self, tmp_path: Path) -> None:
        """Where the store lives on, a call may have its effect after its caller died."""
        journal = Journal(tmp_path / "j", 0)
        journal.invoke(journal.words(CLAIM))
        (operation,) = recovered(tmp_path / "j", None)
        assert operation.completed_ns is None

    def test_no_journal_is_no_operations(self, tmp_path: Path) -> None:
        """A client that never began has done nothing."""
        assert recovered(tmp_path / "none", None) == []

    @pytest.mark.parametrize(
        ("kind", "answer", "outcome"),
        [
            (OK, True, Ok(True)),
            (OK, False, Ok(False)),
            (OK, None, Ok(None)),
            (OK, 1, Ok(1)),
            (OK, 0, Ok(0)),
            (OK, ABSENT, Ok(ABSENT)),
            (OK, {"a": [1, "ü%d"]}, Ok({"a": [1, "ü%d"]})),
            (OK, (Entry("k", 1, 2, None),), Ok((Entry("k", 1, 2, None),))),
            (FAIL, ("C", "f", "m%s"), Fail({"code": "C", "operation": "f", "message": "m%s"})),
            (INFO, "lost 100%", Info("lost 100%")),
        ],
    )
    def test_what_is_written_is_read(
        self, tmp_path: Path, kind: int, answer: Any, outcome: Any
    ) -> None:
        """Every kind of answer survives the way through the file."""
        journal = Journal(tmp_path / "j", 0)
        journal.enter(round=4, phase="volley", worker=1, epoch=2)
        journal.invoke(journal.words(CLAIM))
        journal.complete(CLAIM.f, kind, answer, now := monotonic_ns())
        journal.flush()
        (operation,) = recovered(tmp_path / "j", None)
        assert operation.outcome == outcome
        assert type(getattr(operation.outcome, "result", None)) is type(
            getattr(outcome, "result", None)
        )
        assert operation.completed_ns == now
        assert operation.extra == {"round": 4, "phase": "volley", "worker": 1, "epoch": 2}

    def test_cleared_journal_begins_anew(self, tmp_path: Path) -> None:
        """What was reported is not told twice."""
        journal = Journal(tmp_path / "j", 0)
        for _ in range(2):
            journal.invoke(journal.words(CLAIM))
            journal.complete(CLAIM.f, OK, True, monotonic_ns())
            journal.clear()
        journal.close()
        assert recovered(tmp_path / "j", None) == []

    def test_the_end_of_a_call_waits_for_the_next(self, tmp_path: Path) -> None:
        """One write a call: until the next call it is not known how the last one ended."""
        journal = Journal(tmp_path / "j", 0)
        seen = []
        for _ in range(2):
            journal.invoke(journal.words(CLAIM))
            journal.complete(CLAIM.f, OK, True, monotonic_ns())
            seen.append([type(each.outcome) for each in recovered(tmp_path / "j", None)])
        journal.flush()
        seen.append([type(each.outcome) for each in recovered(tmp_path / "j", None)])
        assert seen == [[Info], [Ok, Info], [Ok, Ok]]

    def test_torn_line_is_left_out(self, tmp_path: Path) -> None:
        """Half a line was no call: it is written whole before the call is made."""
        journal = Journal(tmp_path / "j", 0)
        journal.invoke(journal.words(CLAIM))
        text = (tmp_path / "j").read_bytes()
        for length in range(len(text) - 1):  # without its newline it is whole
            (tmp_path / "torn").write_bytes(text[:length])
            assert recovered(tmp_path / "torn", None) == []


class TestPool:
    def test_a_lost_block_is_told_by_its_journals(self, tmp_path: Path) -> None:
        """What all clients of a block did is known, though one of their processes was killed."""
        volley = tuple(
            tuple(Call("register_if_absent", "p", "n", f"k{n}", client) for n in range(4))
            for client in range(2)
        )
        with (
            pytest.raises(WorkerLost, match="SIGKILL") as lost,
            WorkerPool(
                Target("python:racy_stores:SharedThenDeath"),
                processes=2,
                threads=1,
                run_dir=tmp_path,
                clock=SystemClock(),
            ) as pool,
        ):
            pool.play(Block(rounds=(Round(volley=volley),) * 3, crew=(0, 1)))
        assert lost.value.played is not None
        claims = [each for each in lost.value.played.operations if each.f == "register_if_absent"]
        open_calls = [each for each in claims if isinstance(each.outcome, Info)]
        assert 1 <= len(open_calls) <= 2
        assert all(each.completed_ns is not None for each in lost.value.played.operations)

    def test_records_and_journals_agree(self, tmp_path: Path) -> None:
        """The journal of a client and what it reports are the same calls with the same answers."""
        volley = tuple(
            (
                Call("register_if_absent", "p", "n", f"k{client}", {"v": client}),
                Call("lookup", "p", "n", f"k{client}"),
                Call("lookup", "p", "n", "nobody"),
            )
            for client in range(2)
        )
        with WorkerPool(
            Target("sqlite"), processes=2, threads=1, run_dir=tmp_path, clock=SystemClock()
        ) as pool:
            (played,) = pool.play(Block(rounds=(Round(volley=volley),), crew=(0, 1))).played
            journals = [
                each for client in (0, 1) for each in read(tmp_path / f"journal-{client}.jsonl")
            ]

        def told(operations: Any) -> list[Any]:
            return sorted(
                (
                    (e.process, e.f, json.dumps(e.value), repr(e.outcome), e.extra)
                    for e in operations
                ),
                key=repr,
            )

        assert told(played.operations) == told(journals)
        ends = {(each.process, each.completed_ns) for each in played.operations}
        assert ends == {(each.process, each.completed_ns) for each in journals}
