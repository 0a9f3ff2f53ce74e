"""A sweep runs every schedule, finds what goes wrong in one, and says nothing of a right store."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

import racy_stores
import scheduled_stores
from onewinner.adapters.targets import Target
from onewinner.contract.clauses import CLAUSES
from onewinner.generator import Call
from onewinner.schedule import crew as crews
from onewinner.schedule.claimant import Point, Returned
from onewinner.schedule.play import Segment
from onewinner.schedule.scenario import Scenario
from onewinner.schedule.scenarios import scenarios
from onewinner.schedule.sweep import shapes
from onewinner.schedule.telling import spread, telling
from onewinner.suite.engine import probe
from onewinner.suite.held import bad_of
from onewinner.suite.orders import Judge
from onewinner.suite.schedules import Sweeps, Swept, crew_for, swept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from onewinner.contract import Capabilities
    from onewinner.schedule.gate import Boundary
    from onewinner.schedule.sweep import Stage

Staged = "Callable[..., tuple[Stage, Judge]]"


@pytest.fixture
def staged(tmp_path: Path) -> Iterator[Callable[..., tuple[Stage, Judge]]]:
    """Answer a stage for a scenario of a small store, and its judge."""
    with ExitStack() as stack:

        def stage(
            store: str,
            scenario: str = "fresh",
            boundary: Boundary = "line",
            *,
            processes: bool = False,
        ) -> tuple[Stage, Judge]:
            module = scheduled_stores if hasattr(scheduled_stores, store) else racy_stores
            capabilities: Capabilities = getattr(module, store).capabilities
            target = Target(f"python:{module.__name__}:{store}")
            crew, clock = crew_for(stack, target, capabilities, tmp_path, processes=processes)
            sweeps = Sweeps(target, capabilities, tmp_path, processes, frozenset(CLAUSES))
            named = {each.name: each for each in scenarios(capabilities)}
            return sweeps.stage(crew, clock, named[scenario], boundary), Judge(capabilities)

        yield stage


def never() -> bool:
    """Never say that it is enough."""
    return False


def sweep(stage: Stage, judge: Judge, preemptions: int = 1) -> Swept:
    """Sweep to the end."""
    return swept(stage, judge, preemptions, never)


class TestShapes:
    def test_two_like_calls(self) -> None:
        """Where both make the same call one of them is held, for the other would be no other."""
        assert shapes([0, 0], 0) == [(0, 1)]
        assert shapes([0, 0], 1) == [(0, 1, 0)]
        assert shapes([0, 0], 2) == [(0, 1, 0, 1)]

    def test_victims_and_rivals_are_swapped(self) -> None:
        """Where the calls differ each is held in turn."""
        assert shapes([0, 1], 0) == [(0, 1), (1, 0)]
        assert shapes([0, 1], 1) == [(0, 1, 0), (1, 0, 1)]
        assert shapes([0, 1], 2) == [(0, 1, 0, 1), (1, 0, 1, 0)]

    def test_three(self) -> None:
        """Of three calls each is held while the other two run."""
        assert shapes([0, 1, 2], 1) == [(0, 1, 2, 0), (1, 0, 2, 1), (2, 0, 1, 2)]

    def test_new_names_make_no_difference(self, tmp_path: Path) -> None:
        """Calls do the same but for values and new names; what is there already is not new."""
        capabilities = probe(Target("sqlite"), tmp_path)
        found = {each.name: each.kinds() for each in scenarios(capabilities)}
        assert found["fresh"] == found["other namespace busy"] == [0, 0]
        assert found["full namespace, three claims"] == [0, 0, 0]
        assert found["claim against register"] == [0, 1]
        old, new = (Call("register_if_absent", "", "n", key, "v") for key in ("old", "new"))
        made = Scenario(name="", clauses=("", ""), calls=(old, new), prepare=(old,), inspect=())
        assert made.kinds() == [0, 1]

    def test_spread(self) -> None:
        """Any beginning is spread over the whole."""
        assert spread(8) == [8, 4, 2, 6, 1, 5, 3, 7]
        assert spread(0) == []

    def test_telling(self) -> None:
        """Between transactions first, in turns with the rest.

        Without any what changes something comes first, then the last point, then the method's own
        lines, the last of each step, from the end on: its own and what it overrides in turns.
        """

        def of(*names: str) -> list[int]:
            return telling([Point(name, 1) for name in names])

        assert of("BEGIN", "SELECT", "COMMIT", "BEGIN", "INSERT", "COMMIT") == [4, 5, 2, 1, 6, 3]
        assert of("a:1", "a:2", "a:3", "a:4", "a:5") == [5, 4, 2, 1, 3]
        assert of("f g:1", "h i:2", "h i:3", "f g:4", "h i:5", "h i:6") == [6, 4, 1, 2, 5, 3]
        over = ("f A.g:1", "h i:2", "f A.g:3", "f B.g:4", "h i:5", "f B.g:6", "f A.g:7", "h i:8")
        assert of(*over)[:4] == [8, 7, 4, 1]
        inner = ("f A.g:1", "h i:2", "f A.g.<locals>.<listcomp>:1", "h i:4", "h i:5", "h i:6")
        assert of(*inner)[:3] == [6, 3, 1]
        assert of("openat a", "read a", "write a", "read a", "close a")[:3] == [1, 3, 5]
        made = ("openat a", "openat b", "openat b", "write b", "close b")
        assert of(*made)[:3] == [3, 4, 5]
        again = ("openat b", "read b", "close b", "openat b", "write b", "close b")
        assert of(*again)[:3] == [5, 4, 6]
        tail = ("BEGIN", "INSERT", "COMMIT", "h i:1", "f g:2", "f g:3")
        assert of(*tail)[0] == 6
        made = ("SELECT", "CREATE", "PRAGMA", "PRAGMA", "BEGIN", "CREATE", "COMMIT")
        assert of(*made) == [2, 5, 6, 3, 1, 7, 4]
        assert of("a:1") == [1]
        assert of() == []


class TestControl:
    def test_a_hold_that_nobody_heard_of_is_let_go(
        self, staged: Callable[..., tuple[Stage, Judge]]
    ) -> None:
        """Who comes to its hold after it was taken to wait goes on, and keeps no lock for ever."""
        stage, _ = staged("LockedBackend")
        first, second = stage.cast[:2]
        call = stage.scenario.calls[0]._replace(plugin="unheard")
        first.begin(call, 2)
        while not first.inbox:
            stage.crew.hear(0.01)
        second.begin(call, free=True)
        first.let_go()
        assert {type(each.finish()) for each in (second, first)} == {Returned}

    def test_every_point_is_held_once(self, staged: Callable[..., tuple[Stage, Judge]]) -> None:
        """One preemption: a schedule for each point of the victim, and one that passes them all."""
        stage, judge = staged("UnlockedBackend")
        found = sweep(stage, judge)
        numbers = [stop.number for ran in found.rans for stop in ran.stops]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))
        assert len(found.rans) == len(numbers) + 2

    def test_two_preemptions(self, staged: Callable[..., tuple[Stage, Judge]]) -> None:
        """Two preemptions: each point of the victim with each point of the rival inside it."""
        stage, judge = staged("InlineBackend")
        pairs = {
            tuple((stop.who, stop.number) for stop in ran.stops)
            for ran in sweep(stage, judge, 2).rans
            if ran.reached
        }
        assert {((0, 1), (1, 1)), ((0, 1), (1, 2)), ((0, 2), (1, 1))} & pairs

    def test_a_rival_waits_for_the_victim(self, staged: Callable[..., tuple[Stage, Judge]]) -> None:
        """A rival that needs the victim's lock sleeps, is told so, and wins or loses afterwards."""
        stage, judge = staged("LockedBackend")
        inside = Point("scheduled_stores.py Locked.register_if_absent:0", 1)
        free = stage.unheld()
        inside = free.points[0][2]
        ran = stage.run((Segment(0, inside), Segment(1), Segment(0)))
        assert [stop.point for stop in ran.stops] == [inside]
        assert ran.waited == (1,)
        assert judge.explains(ran)

    def test_a_hold_that_is_not_reached_is_told(
        self, staged: Callable[..., tuple[Stage, Judge]]
    ) -> None:
        """A schedule whose hold was not come to is not taken for the one that was asked for."""
        stage, _ = staged("LockedBackend")
        ran = stage.run((Segment(0, 999), Segment(1), Segment(0)))
        assert (ran.missed, ran.stops, ran.reached) == ((0,), (), False)

    def test_statements_over_processes(self, staged: Callable[..., tuple[Stage, Judge]]) -> None:
        """A victim process is held at a statement, and a rival process wins in between."""
        stage, judge = staged("RacySqliteBackend", boundary="sql", processes=True)
        found = sweep(stage, judge)
        assert found.bad is not None
        assert found.bad.summary == "2 claims of the key 'k' won"
        assert [stop.point.name for stop in found.bad.ran.stops] == [
            "INSERT OR REPLACE INTO rows VALUES (?, ?, ?)"
        ]

    @pytest.mark.parametrize("boundary", ["line", "opcode"])
    def test_a_victim_process_with_a_free_rival(
        self, boundary: Boundary, staged: Callable[..., tuple[Stage, Judge]]
    ) -> None:
        """Lines and opcodes of a victim process are points, and its rival runs untraced."""
        stage, judge = staged("FileBackend", boundary=boundary, processes=True)
        found = sweep(stage, judge)
        assert found.bad is not None
        assert found.bad.ran.points[0]
        assert found.bad.ran.points[1] == ()
        assert [bool(points) for points in stage.unheld().points] == [True, False]


class TestJudgement:
    @pytest.mark.parametrize(
        ("store", "summary"),
        [
            ("UnlockedBackend", "2 claims of the key 'k' won"),
            ("GivesWayBackend", "no claim of the key 'k' won"),
            ("RaisesBackend", "raised RuntimeError: the database is locked"),
            ("LosesBackend", "no order explains that"),
            ("RefusesBackend", "raised LIMIT_EXCEEDED: too many at once"),
        ],
    )
    def test_what_goes_wrong(
        self, store: str, summary: str, staged: Callable[..., tuple[Stage, Judge]]
    ) -> None:
        """Two winners, none, an error, a lost row and a wrong refusal are found at a line."""
        found = sweep(*staged(store))
        assert found.bad is not None
        assert summary in found.bad.summary
        assert not found.bad.fatal

    def test_a_row_that_is_lost(self, staged: Callable[..., tuple[Stage, Judge]]) -> None:
        """A won claim whose row is not there afterwards is told with what was looked at."""
        found = sweep(*staged("LosesBackend"))
        assert found.bad is not None
        (looked,) = [each for each in found.bad.ran.operations if each.extra["phase"] == "inspect"]
        assert "ABSENT" in repr(looked.outcome)

    def test_one_line_is_finer_at_opcodes(self, staged: Callable[..., tuple[Stage, Judge]]) -> None:
        """What goes wrong within one line goes right at lines, and wrong at opcodes."""
        stage, judge = staged("InlineBackend")
        assert sweep(stage, judge).ended
        stage.crew.close()

    def test_opcodes_find_it(self, staged: Callable[..., tuple[Stage, Judge]]) -> None:
        """The look and the write of one line are two opcodes."""
        found = sweep(*staged("InlineBackend", boundary="opcode"))
        assert found.bad is not None
        assert found.bad.summary == "2 claims of the key 'k' won"

    def test_a_hang(
        self, staged: Callable[..., tuple[Stage, Judge]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A call that sleeps when nobody is held any more is an error about that call."""
        monkeypatch.setattr(crews, "PATIENCE_S", 1.0)
        found = sweep(*staged("HangsBackend"))
        assert found.bad is not None
        assert (found.bad.error, found.bad.fatal) == (True, False)
        assert "did not return within 1 s" in found.bad.summary

    def test_who_spins_for_what_a_held_one_has_is_let_wait(
        self, staged: Callable[..., tuple[Stage, Judge]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A call that does not return while another is held has not hung."""
        monkeypatch.setattr(crews, "PATIENCE_S", 1.0)
        stage, judge = staged("SpinsBackend")
        ran = stage.run((Segment(0, 4), Segment(1), Segment(0)))
        assert (ran.waited, ran.missed, bad_of(ran, judge)) == ((1,), (), None)

    def test_a_death(self, staged: Callable[..., tuple[Stage, Judge]]) -> None:
        """A claimant whose process dies is no answer at all, and ends the sweep."""
        found = sweep(*staged("DiesBackend"))
        assert found.bad is not None
        assert found.bad.fatal
        assert "killed by SIGKILL" in found.bad.summary

    @pytest.mark.parametrize("preemptions", [1, 2])
    def test_a_right_store(
        self, preemptions: int, staged: Callable[..., tuple[Stage, Judge]]
    ) -> None:
        """A store with a lock goes right in every schedule, and the sweep comes to its end."""
        found = sweep(*staged("LockedBackend"), preemptions)
        assert (found.bad, found.ended) == (None, True)

    def test_time_runs_out(self, staged: Callable[..., tuple[Stage, Judge]]) -> None:
        """A sweep that was stopped has not ended."""
        stage, judge = staged("LockedBackend")
        assert not swept(stage, judge, 1, lambda: True).ended
