"""How long calls took is counted in classes, and percentiles are told from them."""

from __future__ import annotations

from onewinner.history import Ok, Operation
from onewinner.suite.traffic import Traffic, by_operation, fault_times, merged, over_time

SECOND = 1_000_000_000


def call(at_ns: int, took_ns: int | None, f: str = "lookup") -> Operation:
    """Answer a call that was made then and took so long."""
    ended = None if took_ns is None else at_ns + took_ns
    return Operation(process=0, f=f, outcome=Ok(), invoked_ns=at_ns, completed_ns=ended)


def counted(*operations: Operation) -> Traffic:
    """Answer what was counted of these calls."""
    traffic = Traffic()
    traffic.note(operations)
    return traffic


class TestPercentiles:
    def test_they_are_right_to_within_a_class(self) -> None:
        """Of 99 calls of 100 us and one of 10 ms, 95 % take 100, and the worst ten thousand."""
        calls = [call(0, 100_000) for _ in range(99)] + [call(0, 10_000_000)]
        (found,) = by_operation(counted(*calls))
        assert (found.operation, found.calls) == ("lookup", 100)
        assert 100 <= found.us[50] <= 110
        assert found.us[50] == found.us[95] == found.us[99]
        assert 10_000 <= found.worst_us <= 11_000

    def test_what_never_returned_has_no_time(self) -> None:
        """A call without return is not counted."""
        assert counted(call(0, None)).total == 0

    def test_the_most_frequent_operation_comes_first(self) -> None:
        """Operations are told apart."""
        found = by_operation(counted(call(0, 1, "delete"), call(0, 1), call(0, 1)))
        assert [(each.operation, each.calls) for each in found] == [("lookup", 2), ("delete", 1)]


class TestOverTime:
    def test_seconds_count_from_the_first_call(self) -> None:
        """A second in which nothing was called is left out."""
        found = over_time(counted(call(7 * SECOND, 5), call(9 * SECOND, 5), call(9 * SECOND, 5)))
        assert [(each.second, each.calls) for each in found] == [(0, 1), (2, 2)]

    def test_faults_stand_on_the_same_axis(self) -> None:
        """A kill in the middle of the second second is at 1.5."""
        traffic = counted(call(7 * SECOND, 5))
        traffic.faults.append((8 * SECOND + SECOND // 2, "p1 is killed"))
        assert list(fault_times(traffic)) == [(1.5, "p1 is killed")]

    def test_nothing_is_told_of_nothing(self) -> None:
        """Without a call there is no percentile."""
        assert list(over_time(Traffic())) == list(by_operation(Traffic())) == []


def test_parts_are_added_up() -> None:
    """What several checks counted is told together, and what they left is unchanged."""
    one, other = counted(call(0, 5)), counted(call(0, 5), call(SECOND, 5))
    assert merged([one, None, other]).total == 3
    assert (one.total, other.total) == (1, 2)
