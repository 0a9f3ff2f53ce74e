"""The gate counts the points of a call, and holds it at one by number or by name."""

from __future__ import annotations

import sqlite3
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from onewinner.schedule import gate as gates
from onewinner.schedule import tracing
from onewinner.schedule.claimant import Point
from onewinner.schedule.gate import Gate, statement_name
from onewinner.worker import noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.schedule.gate import Hold


class Watcher:
    """Lets a call go on at each hold, to the holds that were written down before."""

    def __init__(self, *nexts: Hold) -> None:
        self.nexts = list(nexts)
        self.held: list[tuple[Point, int]] = []
        self.gate = Gate(lambda point, number: self.held.append((point, number)), self._next)

    def _next(self) -> Hold:
        return self.nexts.pop(0) if self.nexts else None


def two(value: int) -> int:
    """Take two lines."""
    value += 1
    return value


def three(value: int) -> int:
    """Take three lines, two of which call the other function."""
    value = two(value)
    value += two(value)
    return value


def passed(act: Callable[[], object], *, opcodes: bool, hold: Hold = None) -> Watcher:
    """Make a call under watch and answer who watched it."""
    watcher = Watcher()
    watch = tracing.tracing(watcher.gate, opcodes=opcodes)
    watcher.gate.enter(hold)
    watch.start()
    try:
        act()
    finally:
        watch.stop()
    watcher.gate.leave()
    return watcher


class TestGate:
    def test_points_have_name_and_ordinal(self) -> None:
        """A point is named by what comes next, and by the how-manieth of that name it is."""
        gate = Watcher().gate
        gate.enter(None)
        for name in ("a", "b", "a"):
            gate.reach(name)
        assert gate.leave() == (Point("a", 1), Point("b", 1), Point("a", 2))

    @pytest.mark.parametrize("hold", [3, Point("a", 2)])
    def test_a_hold_is_a_number_or_a_name(self, hold: Hold) -> None:
        """The third point, the second of its name, is held by either."""
        watcher = Watcher()
        watcher.gate.enter(hold)
        for name in ("a", "b", "a", "a"):
            watcher.gate.reach(name)
        assert watcher.held == [(Point("a", 2), 3)]

    def test_a_held_call_is_held_again_further_on(self) -> None:
        """What lets a held call go on says where it is held next."""
        watcher = Watcher(Point("b", 1), None)
        watcher.gate.enter(1)
        for name in ("a", "a", "b", "b"):
            watcher.gate.reach(name)
        assert watcher.held == [(Point("a", 1), 1), (Point("b", 1), 3)]

    def test_nothing_is_counted_outside_a_call(self) -> None:
        """What a store does before and after its call is no point."""
        gate = Watcher().gate
        gate.reach("before")
        gate.enter(None)
        gate.leave()
        gate.reach("after")
        assert gate.points == []


class TestTail:
    def test_lines_count_once_a_transaction_has_ended(self) -> None:
        """Before the first statement, and inside a transaction, lines are no points."""
        gate = Gate(lambda _point, _number: None, lambda: None)
        gate.enter(None, "tail")
        gate.line("before")
        gate.statement("BEGIN IMMEDIATE")
        gate.line("inside")
        gate.statement("COMMIT;")
        gate.line("between")
        gate.statement("SELECT 1")
        gate.line("after")
        names = [point.name for point in gate.leave()]
        assert names == ["BEGIN IMMEDIATE", "COMMIT;", "between", "SELECT ?", "after"]

    def test_pauses_come_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Noise for processes pauses once a call, where a transaction has just ended."""
        paused: list[str] = []
        monkeypatch.setattr(noise, "_PAUSE_CHANCE", 1.0)
        monkeypatch.setattr(noise, "sleep", lambda _seconds: paused.append(line))
        pauses = noise.Pauses("seed")
        pauses.refill()
        for line, sql in (("a", "BEGIN"), ("b", "COMMIT"), ("c", "BEGIN"), ("d", "COMMIT")):
            pauses.statement(sql)
            pauses.line(line)
        assert paused == ["b"]


class TestStatements:
    @pytest.mark.parametrize(
        ("sql", "name"),
        [
            ("SELECT  1\n FROM rows WHERE k = 'it''s'", "SELECT ? FROM rows WHERE k = ?"),
            ("INSERT INTO r VALUES (X'00', 1.5)", "INSERT INTO r VALUES (?, ?)"),
            ("BEGIN IMMEDIATE", "BEGIN IMMEDIATE"),
            ("SELECT " + "a" * 80, "SELECT " + "a" * 50 + "..."),
        ],
    )
    def test_a_name_has_no_values(self, sql: str, name: str) -> None:
        """A statement keeps its name whatever values it is given, and fits into a line."""
        assert statement_name(sql) == name

    def test_each_statement_is_a_point(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A connection comes to a point before each statement; a trigger's bear its name too."""
        monkeypatch.setattr(sqlite3, "connect", sqlite3.connect)
        gates.watch_statements()
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            connection.execute("CREATE TABLE r (k)")
            connection.execute(
                "CREATE TRIGGER t AFTER INSERT ON r WHEN new.k > 0 "
                "BEGIN INSERT INTO r VALUES (0); END"
            )
            watcher = Watcher()
            watcher.gate.enter(Point("DELETE FROM r", 1), "sql")
            connection.execute("INSERT INTO r VALUES (?)", (7,))
            connection.execute("DELETE FROM r")
            points = watcher.gate.leave()
        insert = "INSERT INTO r VALUES (?)"
        assert list(dict.fromkeys(point.name for point in points)) == [insert, "DELETE FROM r"]
        assert points[:2] == (Point(insert, 1), Point(insert, 2))
        assert watcher.held == [(Point("DELETE FROM r", 1), len(points))]


class TestCode:
    def test_each_line_is_a_point(self) -> None:
        """Lines of the store's functions are points, also where one calls another."""
        first = two.__code__.co_firstlineno
        outer = three.__code__.co_firstlineno
        watcher = passed(lambda: three(1), opcodes=False)
        told = [(p.name.rpartition(".py ")[2], p.ordinal) for p in watcher.gate.points]
        told = [(name, ordinal) for name, ordinal in told if name.startswith(("two:", "three:"))]
        assert told == [
            (f"three:{outer + 2}", 1),
            (f"two:{first + 2}", 1),
            (f"two:{first + 3}", 1),
            (f"three:{outer + 3}", 1),
            (f"two:{first + 2}", 2),
            (f"two:{first + 3}", 2),
            (f"three:{outer + 4}", 1),
        ]

    def test_opcodes_are_finer_than_lines(self) -> None:
        """Each opcode is a point of its own, named by line and offset."""
        lines = passed(lambda: two(1), opcodes=False).gate.points
        opcodes = passed(lambda: two(1), opcodes=True).gate.points
        assert len(opcodes) > len(lines)
        assert all("+" in point.name for point in opcodes)

    def test_a_line_can_be_held_by_name(self) -> None:
        """A name that one call passed holds the next."""
        point = passed(lambda: three(1), opcodes=False).gate.points[-1]
        watcher = passed(lambda: three(1), opcodes=False, hold=point)
        assert [held for held, _ in watcher.held] == [point]

    def test_lines_and_opcodes_may_follow_each_other(self) -> None:
        """A call at lines after one at opcodes comes to lines, and the other way round."""
        counts = [
            sum(" two:" in p.name for p in passed(lambda: two(1), opcodes=opcodes).gate.points)
            for opcodes in (False, True, False, True)
        ]
        assert counts[0] == counts[2] < counts[1] == counts[3]

    def test_the_standard_library_is_not_the_stores(self) -> None:
        """What the standard library does within a line belongs to that line."""
        import gc
        import json

        gc.disable()  # what it calls is whoever's: hooks of Hypothesis, and what others left behind
        try:
            names = {point.name.split()[0] for point in passed(_dumps, opcodes=False).gate.points}
        finally:
            gc.enable()
        assert json.dumps.__module__ == "json"
        assert names == {"test_schedule_gate.py"}

    def test_another_thread_comes_to_no_points(self) -> None:
        """A thread that is no claimant's is left alone."""

        def aside() -> None:
            thread = threading.Thread(target=three, args=(1,))
            thread.start()
            thread.join()

        names = {point.name for point in passed(aside, opcodes=False).gate.points}
        assert not any(" three:" in name for name in names)

    def test_the_means_are_those_of_the_version(self) -> None:
        """From Python 3.12 on code is watched by sys.monitoring, before by sys.settrace."""
        found = type(tracing.tracing(Watcher().gate, opcodes=False)).__name__
        assert found == ("Monitoring" if sys.version_info >= (3, 12) else "Settrace")


def _dumps() -> str:
    import json

    return json.dumps({"a": [1, 2, 3]}, indent=1)


def test_lines_of_adapters_are_the_stores():
    """An adapter that makes a claim of several steps is held between them; the kit's are not."""
    from onewinner.adapters import lmdb, targets
    from onewinner.adapters.stdio import backend
    from onewinner.contract import newer
    from onewinner.schedule.tracing import place_of

    assert place_of(lmdb.LmdbStore.register_if_absent.__code__) == (
        "lmdb.py LmdbStore.register_if_absent"
    )
    assert place_of(targets.Target.connect.__code__) == ""
    assert place_of(backend.connector.__code__) == ""
    assert place_of(newer.arguments.__code__) == ""


def test_making_a_tuple_is_no_point():
    """What named tuples and data classes have compiled of strings is none of a store's steps."""
    from onewinner.contract.newer import Compared
    from onewinner.history import Operation
    from onewinner.schedule.tracing import place_of

    for made in (Compared.__new__, Operation.__init__):
        assert made.__code__.co_filename == "<string>"
        assert place_of(made.__code__) == ""
    spelled: dict[str, Any] = {}
    exec("def claim(): return True", spelled)  # a store may be made so
    assert place_of(spelled["claim"].__code__) == "<string> claim"
