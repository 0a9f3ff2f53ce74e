"""Each judge flags what it is for, passes what is right, and holds nothing unknown against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from onewinner.checker.churn import churn
from onewinner.checker.contention import contention
from onewinner.checker.invariants import Broken, errors, one_consumer, one_winner
from onewinner.checker.limits import full_namespace, row_cap, within_cap
from onewinner.checker.readers import snapshots, visibility
from onewinner.contract import ABSENT, Entry
from onewinner.history import Fail, Info, Ok, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HOUR = 3_600_000
LIMIT = {"code": "LIMIT_EXCEEDED", "operation": "register", "message": "full"}
LOST = Info("OSError: gone")


def op(
    f: str,
    answer: Any = None,
    *,
    key: str | None = "k",
    by: int = 0,
    at: tuple[int, int | None] = (0, 10),
    phase: str = "volley",
    value: Any = None,
    ttl: int | None = None,
    epoch: int = 0,
    space: str = "n",
    worker: int | None = None,
) -> Operation:
    """Write an operation down; an answer that is no outcome is a result."""
    return Operation(
        process=by,
        f=f,
        value={"plugin": "p", "namespace": space, "key": key, "value": value, "ttl_ms": ttl},
        outcome=answer if isinstance(answer, Ok | Fail | Info) else Ok(answer),
        invoked_ns=at[0],
        completed_ns=at[1],
        extra={
            "round": 1,
            "phase": phase,
            "worker": by if worker is None else worker,
            "epoch": epoch,
        },
    )


def claim(answer: Any, by: int = 0, **more: Any) -> Operation:
    """Write a claim down; each client has its own value unless told otherwise."""
    return op("register_if_absent", answer, by=by, **{"value": {"by": by}, **more})


def read(answer: Any, **more: Any) -> Operation:
    """Write down what was looked up after the volley."""
    return op("lookup", answer, phase="inspect", **more)


def listing(*rows: Entry, **more: Any) -> Operation:
    """Write down what was listed after the volley."""
    return op("entries", rows, **{"phase": "inspect", "key": None, **more})


def kinds(found: Iterable[Broken]) -> list[str]:
    """Answer what was flagged; everything flagged says what, why and by which operations."""
    flagged = list(found)
    assert all(each.summary and each.why and each.operations for each in flagged)
    return [each.kind for each in flagged]


class TestOneWinner:
    def test_one_winner_whose_row_is_there(self) -> None:
        """One true, the others false, and the winner's row: nothing to say."""
        won = claim(True, 1, ttl=2 * HOUR)
        row = Entry("k", {"by": 1}, 1_000, 1_000 + 2 * HOUR)
        assert kinds(one_winner([claim(False), won, read({"by": 1}), listing(row)])) == []

    @pytest.mark.parametrize(
        ("operations", "kind"),
        [
            ([claim(True, 0), claim(True, 1)], "two-winners"),
            ([claim(False, 0), claim(False, 1)], "no-winner"),
            ([claim(True, 0), claim(False, 1), read({"by": 1})], "foreign-row"),
            ([claim(True, 0), read(ABSENT)], "lost-row"),
            ([claim(True, 0), listing()], "lost-row"),
            ([claim(True, 0), listing(Entry("k", {"by": 1}, 5))], "foreign-row"),
            ([claim(True, 0), listing(Entry("k", {"by": 0}, 5, 5 + HOUR))], "foreign-expiry"),
            ([claim(True, 0, ttl=HOUR), listing(Entry("k", {"by": 0}, 5))], "foreign-expiry"),
            (
                [claim(True, 0, ttl=HOUR), listing(Entry("k", {"by": 0}, 5, 5 + 2 * HOUR))],
                "foreign-expiry",
            ),
            ([claim(True, 9, phase="prepare"), claim(True, 0)], "two-winners"),
        ],
    )
    def test_violations(self, operations: list[Operation], kind: str) -> None:
        """Two winners, none, and a row that is not the winner's are each flagged."""
        assert [kind] == kinds(one_winner(operations))

    def test_planted_row_that_expired(self) -> None:
        """What the leader planted has expired: the volley needs a winner of its own."""
        planted = claim(True, 9, phase="prepare")
        assert kinds(one_winner([planted, claim(True, 0)], planted=False)) == []
        assert kinds(one_winner([planted, claim(False, 0)], planted=False)) == ["no-winner"]

    def test_unknown_claims_may_have_won(self) -> None:
        """A claim that raised may have won and be there; two certain winners are two."""
        assert kinds(one_winner([claim(LOST, 0), claim(False, 1), read({"by": 0})])) == []
        assert kinds(one_winner([claim(LOST), claim(True, 1), claim(True, 2)])) == ["two-winners"]

    def test_keys_are_apart(self) -> None:
        """Winners of different keys, namespaces or plugins do not meet."""
        assert (
            kinds(one_winner([claim(True), claim(True, key="other"), claim(True, space="m")])) == []
        )

    def test_reading_that_failed_says_nothing(self) -> None:
        """A look at the row that raised is no look."""
        no_listing = op("entries", LOST, phase="inspect", key=None)
        assert kinds(one_winner([claim(True), read(LOST), no_listing])) == []


class TestErrors:
    def test_exception_to_a_claimant(self) -> None:
        """A call of the volley that raised is flagged, a definite error like an unknown one."""
        assert kinds(errors([claim(LOST), claim(Fail(LIMIT))])) == ["error", "error"]

    def test_failing_after_a_stall_is_told_apart(self) -> None:
        """A call that failed after a second of waiting says something about the machine."""
        assert kinds(errors([claim(LOST, at=(0, 1_000_000_000))])) == ["stalled"]
        assert kinds(errors([claim(LOST, at=(0, 999_999_999))])) == ["error"]

    def test_what_is_expected_is_none(self) -> None:
        """Provoked codes, and what the leader did alone, are not held against the store."""
        provoked = frozenset({"LIMIT_EXCEEDED"})
        alone = [claim(LOST, phase="prepare"), read(LOST)]
        assert kinds(errors([claim(Fail(LIMIT)), claim(False), *alone], provoked)) == []


def consume(answer: Any, by: int = 0, **more: Any) -> Operation:
    """Write a consumer down."""
    return op("consume", answer, by=by, **more)


class TestOneConsumer:
    planted = claim(True, 9, phase="prepare")

    def test_one_gets_it(self) -> None:
        """One consumer with the value, the others with nothing, no row left."""
        volley = [consume({"by": 9}), consume(ABSENT, 1)]
        assert kinds(one_consumer([self.planted, *volley, read(ABSENT)])) == []

    @pytest.mark.parametrize(
        ("volley", "flagged"),
        [
            ([consume({"by": 9}), consume({"by": 9}, 1)], ["two-consumers"]),
            ([consume(ABSENT), consume(ABSENT, 1)], ["no-consumer"]),
            ([consume({"by": 3}), consume(ABSENT, 1)], ["foreign-value"]),
            ([consume({"by": 9}), read({"by": 9})], ["left-behind"]),
        ],
    )
    def test_violations(self, volley: list[Operation], flagged: list[str]) -> None:
        """Two takers, none, a foreign value and a row left behind are each flagged."""
        assert flagged == kinds(one_consumer([self.planted, *volley]))

    def test_null_is_a_value(self) -> None:
        """A consumer that got JSON null got the row."""
        planted = claim(True, 9, phase="prepare", value=None)
        assert kinds(one_consumer([planted, consume(None), consume(ABSENT, 1)])) == []

    def test_unknown_consumer_may_have_it(self) -> None:
        """A consumer that raised may have taken the row."""
        assert kinds(one_consumer([self.planted, consume(LOST), consume(ABSENT, 1)])) == []


def delete(answer: Any, by: int = 0, **more: Any) -> Operation:
    """Write a delete down."""
    return op("delete", answer, by=by, **more)


class TestChurn:
    @pytest.mark.parametrize(
        "operations",
        [
            [claim(True), delete(True), claim(True, 1), read({"by": 1})],
            [claim(True), consume({"by": 0}, 1), claim(False, 2), read(ABSENT)],
            [delete(False), claim(False), read(ABSENT)],
            [claim(True), listing(Entry("k", {"by": 0}, 1))],
            [claim(True), op("clear", key=None), claim(True, 1), read(ABSENT)],
            [claim(LOST), delete(True, 1), claim(True, 2), read({"by": 2})],
            [claim(True), delete(LOST, 1), claim(True, 2)],
        ],
    )
    def test_right_balances(self, operations: list[Operation]) -> None:
        """Puts and takes that some order explains, also where a call's effect is unknown."""
        assert kinds(churn(operations)) == []

    @pytest.mark.parametrize(
        ("operations", "flagged"),
        [
            ([claim(True), claim(True, 1)], ["unexplained-win"]),
            ([claim(True), delete(True), delete(True, 1)], ["unexplained-removal"]),
            ([claim(True), delete(True, 1), read({"by": 0})], ["balance"]),
            ([claim(True), read(ABSENT)], ["balance"]),
            ([claim(True), listing()], ["balance"]),
            ([claim(True), consume({"by": 7}, 1)], ["foreign-value"]),
            (
                [claim(True), consume({"by": 0}), consume({"by": 0}, 1), claim(True, 2)],
                ["two-consumers"],
            ),
        ],
    )
    def test_violations(self, operations: list[Operation], flagged: list[str]) -> None:
        """A win or a removal too many, and a row that should or should not be there."""
        assert flagged == kinds(churn(operations))


def rows(*keys: str) -> Operation:
    """Write down a listing of rows that client 0 won."""
    return listing(*(Entry(key, {"by": 0}, 5) for key in keys))


class TestFullNamespace:
    old = (
        claim(True, key="old1", phase="prepare"),
        claim(True, key="old2", phase="prepare"),
    )

    def test_new_rows_replace_the_oldest(self) -> None:
        """One row came, one of the older went."""
        new = claim(True, key="new", epoch=1)
        assert kinds(full_namespace([*self.old, new, rows("old2", "new")], max_entries=2)) == []

    @pytest.mark.parametrize(
        ("volley", "listed", "flagged"),
        [
            ([claim(True, key="a", epoch=1)], rows("old1", "old2"), ["lost-row"]),
            ([claim(True, key="a", epoch=1)], rows("old1", "old2", "a"), ["over-full"]),
            ([claim(True, key="a", epoch=1)], rows("a"), ["under-full"]),
            (
                [claim(True, key="a", epoch=1), claim(True, 1, key="a", epoch=1)],
                rows("a", "old2"),
                ["two-winners"],
            ),
            ([claim(True, 1, key="a", epoch=1)], rows("a", "old2"), ["foreign-row"]),
        ],
    )
    def test_violations(
        self, volley: list[Operation], listed: Operation, flagged: list[str]
    ) -> None:
        """A new row that is gone or foreign, two winners, too many rows, and too few."""
        assert flagged == kinds(full_namespace([*self.old, *volley, listed], max_entries=2))

    def test_overfilled_namespace_may_forget(self) -> None:
        """With more new keys than rows, keys can be won twice and rows be gone."""
        volley = [claim(True, key=key, epoch=1) for key in "abcc"]
        assert kinds(full_namespace([*self.old, *volley, rows("a", "c")], max_entries=2)) == []

    def test_lookups_do_for_a_listing(self) -> None:
        """A store without listing is judged by the keys that were looked up."""
        new = claim(True, key="new", epoch=1)
        looks = [read(ABSENT, key="old1"), read({"by": 0}, key="old2")]
        lost = full_namespace([*self.old, new, *looks, read(ABSENT, key="new")], max_entries=2)
        assert kinds(lost) == ["lost-row", "under-full"]
        there = [*looks, read({"by": 0}, key="new")]
        assert kinds(full_namespace([*self.old, new, *there], max_entries=2)) == []

    def test_unknown_outcomes_are_not_judged(self) -> None:
        """A claim that raised may have evicted somebody."""
        volley = [claim(LOST, key="a", epoch=1), claim(True, key="b", epoch=1)]
        assert kinds(full_namespace([*self.old, *volley, rows("a")], max_entries=2)) == []


class TestRowCap:
    def test_the_free_rows_are_taken(self) -> None:
        """As many inserts as there is room for, and refusals."""
        volley = [claim(True, key="a"), claim(True, key="b"), claim(Fail(LIMIT), key="c")]
        assert kinds(row_cap(volley, free=2, cap=10)) == []

    def test_one_too_many(self) -> None:
        """More inserts than there was room for."""
        volley = [claim(True, key=key) for key in "abc"]
        assert kinds(row_cap(volley, free=2, cap=10)) == ["over-cap"]

    def test_refused_with_room(self) -> None:
        """A refusal although the cap was never reached; an unknown insert may have reached it."""
        volley = [claim(True, key="a"), claim(Fail(LIMIT), key="b")]
        assert kinds(row_cap(volley, free=2, cap=10)) == ["refused-with-room"]
        assert kinds(row_cap([*volley, claim(LOST, key="c")], free=2, cap=10)) == []

    def test_evicting_at_the_cap(self) -> None:
        """A plugin that evicts at its cap holds no more rows than that over its namespaces."""
        listings = [
            listing(Entry("a", 1, 1), Entry("b", 1, 1)),
            listing(Entry("a", 1, 1), space="m"),
        ]
        assert kinds(within_cap(listings, cap=3)) == []
        assert kinds(within_cap(listings, cap=2)) == ["over-cap"]


def write(value: Any, at: tuple[int, int | None], **more: Any) -> Operation:
    """Write down what the writer, client 0, registered."""
    return op("register", None, value=value, at=at, **more)


def look(answer: Any, at: tuple[int, int | None], **more: Any) -> Operation:
    """Write down what a reader, client 1, looked up."""
    return op("lookup", answer, by=1, at=at, **more)


class TestVisibility:
    writes = (write("a", (10, 20)), write("b", (30, 40)), delete(True, at=(50, 60)))

    @pytest.mark.parametrize(
        "reading",
        [
            look(ABSENT, (0, 5)),
            look("a", (15, 16)),
            look(ABSENT, (15, 16)),
            look("a", (20, 21)),
            look("a", (25, 26)),
            look("a", (25, 35)),
            look("b", (25, 35)),
            look("b", (40, 41)),
            look(ABSENT, (5, 70)),
            look("a", (5, 70)),
            look(ABSENT, (61, 62)),
            look(LOST, (61, 62)),
            look("nonsense", (61, None)),
        ],
    )
    def test_what_some_order_explains(self, reading: Operation) -> None:
        """A reading may show each state between the last write before it and the last beside it."""
        assert kinds(visibility([*self.writes, reading])) == []

    @pytest.mark.parametrize(
        "reading",
        [
            look("a", (0, 5)),
            look(ABSENT, (21, 22)),
            look("b", (21, 22)),
            look("a", (41, 42)),
            look("b", (61, 62)),
            look("nonsense", (5, 70)),
        ],
    )
    def test_stale_and_foreign_readings(self, reading: Operation) -> None:
        """A reading from before the last write that had returned, or from the future."""
        assert kinds(visibility([*self.writes, reading])) == ["stale-read"]

    def test_challenge_of_a_live_key(self) -> None:
        """A claim of a key that was certainly live must be refused; of another it may win."""
        won = claim(True, 1, at=(41, 45))
        assert kinds(visibility([*self.writes[:2], won])) == ["stale-claim"]
        assert kinds(visibility([*self.writes[:2], claim(False, 1, at=(41, 45))])) == []
        assert kinds(visibility([*self.writes, claim(True, 1, at=(45, 55))])) == []

    def test_nothing_is_known_after_a_foreign_row(self) -> None:
        """Where another client's claim may have put a row, lookups are not judged any more."""
        foreign = claim(True, 1, at=(61, 65))
        assert kinds(visibility([*self.writes, foreign, look({"by": 1}, (66, 67))])) == []

    def test_nothing_is_known_after_an_unknown_write(self) -> None:
        """A write that raised may take effect at any later time."""
        unknown = op("register", LOST, value="c", at=(70, 80))
        readings = [look(ABSENT, (90, 91)), look("c", (92, 93))]
        assert kinds(visibility([*self.writes, unknown, *readings])) == []


def lists(at: tuple[int, int | None], *rows: Entry) -> Operation:
    """Write down what a reader, client 1, listed in the volley."""
    return op("entries", rows, key=None, by=1, at=at)


A, B = Entry("a", 1, 1), Entry("b", 2, 1)


class TestSnapshots:
    moves = (
        write(1, (0, 5), key="a", phase="prepare"),
        write(2, (10, 20), key="b"),
        delete(True, key="a", at=(30, 40)),
    )

    @pytest.mark.parametrize(
        "reading",
        [
            lists((6, 7), A),
            lists((12, 13), A),
            lists((12, 13), A, B),
            lists((12, 35), B),
            lists((41, 42), B),
            lists((0, 1)),
        ],
    )
    def test_states_of_the_call(self, reading: Operation) -> None:
        """A listing that is the state at some instant of the call."""
        assert kinds(snapshots([*self.moves, reading])) == []

    @pytest.mark.parametrize(
        "reading",
        [
            lists((12, 35)),
            lists((6, 7), A, B),
            lists((25, 26), B),
            lists((41, 42), A, B),
            lists((25, 26), A, Entry("b", 1, 1)),
            lists((25, 26), A, A, B),
        ],
    )
    def test_torn_listings(self, reading: Operation) -> None:
        """No row while the token moves, rows that were never live together, a wrong value."""
        assert kinds(snapshots([*self.moves, reading])) == ["torn-snapshot"]

    def test_nothing_is_known_after_an_unknown_write(self) -> None:
        """A write that raised may or may not be in any later listing."""
        unknown = op("register", LOST, value=3, key="c", at=(50, 60))
        assert kinds(snapshots([*self.moves, unknown, lists((70, 71))])) == []


class TestContention:
    def test_overlaps_of_different_clients_count(self) -> None:
        """Calls meet at a key when their intervals overlap, be it in one instant."""
        met = contention(
            [
                claim(True, 0, at=(0, 10)),
                claim(False, 1, at=(10, 20)),
                claim(False, 2, at=(11, 12), worker=1),
                claim(True, 3, key="alone", at=(0, 10)),
                claim(True, 3, at=(0, 9), phase="prepare"),
            ]
        )
        assert (met.rounds, met.calls) == (1, 4)
        assert (met.contested, met.pairs, met.across) == (1, 2, 1)

    def test_one_process_is_not_two(self) -> None:
        """Clients that share a process meet, but not across processes."""
        met = contention([claim(True, 0, worker=0), claim(False, 1, worker=0)])
        assert (met.contested, met.across) == (1, 0)

    def test_reads_meet_writes_only(self) -> None:
        """Two listings that overlap are no race; a listing and a write of its namespace are."""
        how: dict[str, Any] = {
            "writes": frozenset({"register"}),
            "reads": frozenset({"entries"}),
            "by_key": False,
        }
        listings = [lists((0, 10)), op("entries", (), key=None, by=2, at=(0, 10))]
        assert contention(listings, **how).pairs == 0
        assert contention([*listings, write(1, (5, 6))], **how).pairs == 2

    def test_a_call_that_never_returned_overlaps_all_after_it(self) -> None:
        """An open interval has no end."""
        met = contention([claim(LOST, 0, at=(0, None)), claim(True, 1, at=(900, 901))])
        assert met.pairs == 1

    def test_counts_add_up(self) -> None:
        """Contention of two blocks is the sum."""
        one = contention([claim(True, 0), claim(False, 1)])
        assert ((one + one).rounds, (one + one).calls, (one + one).contested) == (2, 4, 2)


JUDGES: list[Callable[[list[Operation]], Iterable[Broken]]] = [
    one_winner,
    one_consumer,
    churn,
    errors,
    visibility,
    snapshots,
    lambda operations: full_namespace(operations, max_entries=2),
    lambda operations: row_cap(operations, free=2, cap=2),
    lambda operations: within_cap(operations, cap=2),
]


@pytest.mark.parametrize("judge", JUDGES)
def test_nothing_happened_nothing_is_wrong(
    judge: Callable[[list[Operation]], Iterable[Broken]],
) -> None:
    """An empty history breaks nothing."""
    assert kinds(judge([])) == []
