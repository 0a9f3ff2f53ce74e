"""Whole namespaces, judged exactly: the model, the judge that words its verdicts, and its races."""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING, Any

import pytest

import space_stores
from brute_force import linearizable
from onewinner import ABSENT, Entry, ManualClock
from onewinner.adapters.targets import Target
from onewinner.checker import Budgets, check
from onewinner.checker import campaign as judged
from onewinner.checker.campaign import campaign
from onewinner.checker.spaces import SpaceModel
from onewinner.contract import BASE, LimitExceeded
from onewinner.contract.capabilities import OPERATIONS
from onewinner.generator import Call, Shape, block
from onewinner.history import Fail, Info, Ok, Operation
from onewinner.model import Rules
from onewinner.mutants import MUTANTS
from onewinner.stores import memory, sqlite
from onewinner.suite.races import RACES, run_race
from onewinner.suite.tree import CheckResult, Status

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from onewinner.contract import Profile

MS = 1_000_000
REFUSED = Fail({"code": "LIMIT_EXCEEDED", "operation": "register", "message": "full"})
TWO = SpaceModel(max_entries=2)
REAL = SpaceModel(max_entries=2, virtual=False)


def op(
    f: str,
    key: str | None = None,
    answer: Any = None,
    at: tuple[float, float | None] = (0, 0),
    *,
    client: int = 0,
    space: str = "n",
    epoch: int = 0,
) -> Operation:
    """Answer an operation in few words: times in ms; what is written is the key in capitals."""
    outcome = answer if isinstance(answer, Fail | Info) else Ok(answer)
    value = key.upper() if key is not None and f.startswith("register") else None
    return Operation(
        process=client,
        f=f,
        value={"plugin": "p", "namespace": space, "key": key, "value": value, "ttl_ms": None},
        outcome=outcome,
        invoked_ns=int(at[0] * MS),
        completed_ns=None if at[1] is None else int(at[1] * MS),
        extra={"epoch": epoch, "phase": "volley", "round": 7},
    )


def claim(key: str, answer: Any, at: float, **where: Any) -> Operation:
    """Answer a claim that took one ms."""
    return op("register_if_absent", key, answer, (at, at + 1), **where)


def listing(
    keys: str, at: tuple[float, float], times: Iterable[int] = (), **where: Any
) -> Operation:
    """Answer a listing of these keys, in order, with the times at which they were written."""
    stamps = list(times) or [5] * len(keys)
    rows = zip(keys, stamps, strict=True)
    return op("entries", None, tuple(Entry(k, k.upper(), t, None) for k, t in rows), at, **where)


def capped(cap: int, **changes: Any) -> SpaceModel:
    """Answer the model of a plugin with a cap, whose namespaces are roomy."""
    return SpaceModel(max_entries=9, rules=Rules(dataclasses.replace(BASE, plugin_row_cap=cap)))


class TestEviction:
    def test_the_oldest_goes(self) -> None:
        """Of rows of different ages the older one is evicted, whatever its key."""
        rows = [claim("z", True, 0), claim("a", True, 20, epoch=1), claim("m", True, 22, epoch=1)]
        gone = op("lookup", "z", ABSENT, (30, 31))
        assert check([*rows, gone], TWO).valid is True

    def test_the_wrong_row_goes(self) -> None:
        """A younger row that was evicted in place of the oldest cannot be explained."""
        rows = [claim("z", True, 0), claim("a", True, 20, epoch=1), claim("m", True, 22, epoch=1)]
        gone = op("lookup", "a", ABSENT, (30, 31))
        for model in (TWO, REAL):
            verdict = check([*rows, gone], model)
            assert verdict.valid is False
            assert verdict.partitions[0].failing is not None
            assert verdict.partitions[0].failing.f == "lookup"

    def test_ties_go_by_key(self) -> None:
        """Where time stands still, the key that sorts first goes; in real time, either."""
        rows = [claim("b", True, 0), claim("a", True, 2), claim("c", True, 4)]
        right = op("lookup", "a", ABSENT, (6, 7))
        wrong = op("lookup", "b", ABSENT, (6, 7))
        assert check([*rows, right], TWO).valid is True
        assert check([*rows, wrong], TWO).valid is False
        assert check([*rows, right], REAL).valid is True
        assert check([*rows, wrong], REAL).valid is True

    def test_real_rows_far_apart_do_not_tie(self) -> None:
        """What was written more than the slack apart is certainly older or younger."""
        rows = [claim("b", True, 0), claim("a", True, 20), claim("c", True, 40)]
        assert check([*rows, op("lookup", "a", ABSENT, (60, 61))], REAL).valid is False
        assert check([*rows, op("lookup", "b", ABSENT, (60, 61))], REAL).valid is True

    def test_a_slow_call_lets_all_tie(self) -> None:
        """While a write is under way nobody knows how old its row will be."""
        rows = [claim("b", True, 0), claim("a", True, 20), claim("c", True, 40)]
        slow = op("register", "a", None, (0, 39), client=1)
        assert check([*rows, slow, op("lookup", "a", ABSENT, (60, 61))], REAL).valid is True

    def test_a_listing_tells_who_ties(self) -> None:
        """Times that a listing shows rule out orders in which the rows would be of other ages."""
        rows = [claim("b", True, 0), claim("a", True, 2)]
        evicted = [claim("c", True, 8), op("lookup", "a", ABSENT, (10, 11))]
        tied, apart = listing("ab", (4, 5), (5, 5)), listing("ba", (4, 5), (5, 6))
        assert check([*rows, tied, *evicted], REAL).valid is True
        assert check([*rows, apart, *evicted], REAL).valid is False
        assert check([*rows, apart], TWO).valid is False

    def test_strict_ages_do_not_tie(self) -> None:
        """Where ages are strict, rows of one instant are as old as they were written."""
        strict = dataclasses.replace(TWO, rules=Rules(strict_ages=True))
        rows = [claim("b", True, 0), claim("a", True, 2)]
        right, wrong = listing("ba", (4, 5), (5, 6)), listing("ab", (4, 5), (5, 6))
        assert check([*rows, right], strict).valid is True
        assert check([*rows, right], TWO).valid is False
        assert check([*rows, wrong], strict).valid is False
        gone = [claim("c", True, 6), op("lookup", "b", ABSENT, (8, 9))]
        assert check([*rows, right, *gone], strict).valid is True
        gone = [claim("c", True, 6), op("lookup", "a", ABSENT, (8, 9))]
        assert check([*rows, right, *gone], strict).valid is False

    def test_nobody_evicts_itself(self) -> None:
        """A claim that won is found by who looks before anybody else wrote, also where ages tie."""
        rows = [claim("b", True, 0), claim("c", True, 2), claim("a", True, 4)]
        for model in (TWO, REAL):
            assert check([*rows, op("lookup", "a", ABSENT, (6, 7))], model).valid is False
            assert check([*rows, op("lookup", "a", "A", (6, 7))], model).valid is True

    def test_a_refused_claim_evicts_nobody(self) -> None:
        """After a claim that was refused all rows are there."""
        rows = [claim("a", True, 0), claim("b", True, 2), claim("b", False, 4)]
        for model in (TWO, REAL):
            assert check([*rows, listing("ab", (6, 7))], model).valid is True
            assert check([*rows, listing("b", (6, 7))], model).valid is False

    def test_siblings_are_apart(self) -> None:
        """A namespace is neither filled nor cleared by its siblings."""
        rows = [claim("a", True, 0), claim("b", True, 2), claim("c", True, 4, space="m")]
        wiped = op("clear", None, None, (6, 7), space="m")
        model = SpaceModel(max_entries={"n": 2, "m": 1})
        assert check([*rows, wiped, listing("ab", (8, 9))], model).valid is True
        assert check([*rows, wiped, listing("b", (8, 9))], model).valid is False

    def test_an_unknown_write_may_have_happened(self) -> None:
        """A write of unknown outcome explains an eviction; once it is bounded, only in its time."""
        rows = [claim("a", True, 0), claim("b", True, 2)]
        gone = op("lookup", "a", ABSENT, (60, 61))
        lost = Info("lost")
        for end in (None, 9.0):
            unknown = op("register", "c", lost, (4, end), client=1)
            for model in (TWO, REAL):
                assert check([*rows, unknown, gone], model).valid is True
        seen = op("lookup", "a", "A", (50, 51))
        bounded = op("register", "c", lost, (4, 9), client=1)
        assert check([*rows, bounded, seen, gone], TWO).valid is False
        never = op("register", "c", lost, (4, None), client=1)
        assert check([*rows, never, seen, gone], TWO).valid is True


class TestListingsAndClears:
    def test_a_listing_of_two_instants(self) -> None:
        """Rows that were never live together cannot be listed together."""
        moved = [claim("a", True, 0), op("delete", "a", True, (10, 11)), claim("b", True, 12)]
        for model in (TWO, REAL):
            assert check([*moved, listing("b", (5, 20), client=1)], model).valid is True
            assert check([*moved, listing("ab", (5, 20), client=1)], model).valid is False

    def test_a_listing_that_is_too_long(self) -> None:
        """No instant has more rows than the namespace may hold."""
        rows = [claim("a", True, 0), claim("b", True, 0, client=1), claim("c", True, 0, client=2)]
        assert check([*rows, listing("abc", (0, 9), client=3)], TWO).valid is False

    def test_a_clear_leaves_nothing(self) -> None:
        """What was there before a clear is gone after it, what came after is there."""
        wiped = [claim("a", True, 0), op("clear", None, None, (2, 3)), claim("b", True, 4)]
        assert check([*wiped, listing("b", (6, 7))], TWO).valid is True
        assert check([*wiped, listing("ab", (6, 7))], TWO).valid is False

    def test_a_clear_is_one_step(self) -> None:
        """A key that could be claimed anew shows that the clear is over, for all other keys too."""
        rows = [claim("a", True, 0), claim("b", True, 2)]
        wiping = op("clear", None, None, (4, 30), client=1)
        again = [claim("a", True, 10), op("lookup", "b", "B", (12, 13))]
        assert check([*rows, wiping, *again], TWO).valid is False
        assert check([*rows, wiping, *reversed(again)], TWO).valid is False
        assert check([*rows, wiping, again[0], op("lookup", "b", ABSENT, (12, 13))], TWO)


class TestCaps:
    def test_a_refusal_shows_a_full_plugin(self) -> None:
        """A refused insert saw as many rows as the cap, over all namespaces."""
        rows = [claim("a", True, 0), claim("b", True, 2, space="m")]
        refused = claim("c", REFUSED, 4, space="m")
        assert check([*rows, refused], capped(2)).valid is True
        assert check([rows[0], refused], capped(1)).valid is True
        assert check([*rows, refused], capped(3)).valid is False

    def test_the_cap_is_exceeded(self) -> None:
        """More rows than the cap cannot be won, unless one was removed in between."""
        rows = [claim("a", True, 0), claim("b", True, 2, space="m"), claim("c", True, 6)]
        removed = op("delete", "a", True, (4, 5))
        assert check(rows, capped(2)).valid is False
        assert check([*rows, removed], capped(2)).valid is True

    def test_a_refusal_changes_nothing(self) -> None:
        """The key of a refused insert is vacant, and a live key is refused by `false`."""
        full = [claim("a", True, 0), claim("b", REFUSED, 2), op("lookup", "b", ABSENT, (4, 5))]
        assert check([*full, claim("a", False, 6)], capped(1)).valid is True
        assert check([*full, claim("a", REFUSED, 6)], capped(1)).valid is False
        assert check([*full[:2], op("lookup", "b", "B", (4, 5))], capped(1)).valid is False

    def test_a_plugin_that_evicts(self) -> None:
        """By the other policy the plugin's oldest row goes, in whichever namespace it is."""
        limits = dataclasses.replace(BASE, plugin_row_cap=2, cap_policy="evict-oldest")
        model = SpaceModel(max_entries=9, rules=Rules(limits))
        rows = [
            claim("z", True, 0, space="m"),
            claim("a", True, 20, epoch=1),
            claim("b", True, 22, epoch=1),
        ]
        assert check([*rows, op("lookup", "z", ABSENT, (30, 31), space="m")], model).valid is True
        assert check([*rows, op("lookup", "a", ABSENT, (30, 31))], model).valid is False


def played(seed: int, *, virtual: bool, profile: Profile = BASE) -> list[Operation]:
    """Answer a short history of the reference store in memory, one in two with a wrong answer."""
    draw = random.Random(seed)
    clock = ManualClock(1_000)
    backend = memory.connect(f"spaces-{seed}-{virtual}", clock=clock, profile=profile)
    spaces = {name: backend.open("p", name, max_entries=2) for name in "nm"}
    free, points = dict.fromkeys(range(3), 0.0), []
    for _ in range(draw.randint(3, 7)):
        client = draw.randrange(3)
        begun = free[client] + draw.choice((0, 1, 1, 20))
        ended = begun + draw.randint(0, 6)
        free[client] = ended + 1
        points.append((draw.uniform(begun, ended), begun, ended, client))
    history = []
    for instant, begun, ended, client in sorted(points):
        if not virtual:
            clock.advance(max(0, int(instant) - (clock.now_ms() - 1_000)))
        f = draw.choice(["register_if_absent"] * 4 + ["register", "delete", "entries", "clear"])
        f = draw.choice([f, f, "lookup", "consume"])
        key = None if f in {"entries", "clear"} else draw.choice("abc")
        space = draw.choice("nnm") if profile is not BASE else "n"
        arguments = [key, str(key).upper()] if f.startswith("register") else [key] * (key != None)  # noqa: E711
        answer: Any
        try:
            answer = getattr(spaces[space], f)(*arguments)
        except LimitExceeded:
            answer = REFUSED
        answer = tuple(answer) if isinstance(answer, list) else answer
        if draw.random() < 0.1:
            answer = Info("lost")
        history.append(op(f, key, answer, (begun, ended), client=client, space=space))
    backend.close()
    return spoilt(draw, history) if seed % 2 else history


def spoilt(draw: random.Random, history: list[Operation]) -> list[Operation]:
    """Answer the history with one answer changed."""
    index = draw.randrange(len(history))
    each = history[index]
    wrong: Any = each.outcome
    match each.outcome:
        case Ok(bool(result)):
            wrong = Ok(not result)
        case Ok(tuple(rows)):
            wrong = Ok(rows[1:])
        case Ok(None) | Info():
            pass
        case Ok(result) if each.f in {"lookup", "consume"}:
            wrong = Ok(each.value["key"].upper() if result is ABSENT else ABSENT)
        case Fail():
            wrong = Ok(True)
    return [*history[:index], dataclasses.replace(each, outcome=wrong), *history[index + 1 :]]


class TestBruteForce:
    @pytest.mark.parametrize("virtual", [True, False])
    @pytest.mark.parametrize("cap", [None, 2])
    def test_the_search_agrees(self, virtual: bool, cap: int | None) -> None:
        """The search and the enumerator of all orders answer alike; right stores are explained."""
        profile = BASE if cap is None else dataclasses.replace(BASE, plugin_row_cap=cap)
        model = SpaceModel(max_entries=2, rules=Rules(profile), virtual=virtual)
        invalid = 0
        for seed in range(400):
            history = played(seed, virtual=virtual, profile=profile)
            parts = model.partition(history).values()
            expected = all(linearizable(part, model) for part in parts)
            assert check(history, model).valid is expected, f"seed {seed}: {history}"
            assert expected or seed % 2, f"seed {seed}: {history}"
            invalid += not expected
        assert invalid > 50  # else the generator has lost its teeth

    def test_observers_are_only_a_hint(self) -> None:
        """Without the hint which operations change nothing, the verdicts are the same."""

        class Plain(SpaceModel):
            def observes(self, operation: Operation) -> bool:
                return False

        for seed in range(200):
            history = played(seed, virtual=False)
            plain = Plain(max_entries=2, virtual=False)
            assert check(history, plain).valid == check(history, REAL).valid


class TestJudge:
    def found(self, history: list[Operation], model: SpaceModel = TWO) -> Any:
        """Answer the one finding of the judge."""
        (broken,) = campaign(history, model)
        return broken

    def test_a_right_history_has_no_finding(self) -> None:
        """Nothing is said of what can be explained, nor of nothing."""
        assert list(campaign([claim("a", True, 0)], TWO)) == []
        assert list(campaign([], TWO)) == []

    def test_a_torn_listing_is_named(self) -> None:
        """Where looking at key after key would explain it, the listing is to blame."""
        moved = [claim("a", True, 0), op("delete", "a", True, (10, 11)), claim("b", True, 12)]
        broken = self.found([*moved, listing("ab", (5, 20), client=1)])
        assert broken.kind == judged.TORN
        assert broken.summary.startswith("entries() of client 1 listed 'a', 'b'")

    def test_a_clear_in_steps_is_named(self) -> None:
        """Where removing row by row would explain it, the clear is to blame."""
        rows = [
            claim("a", True, 0),
            claim("b", True, 2),
            op("clear", None, None, (4, 30), client=1),
        ]
        broken = self.found([*rows, claim("a", True, 10), op("lookup", "b", "B", (12, 13))])
        assert broken.kind == judged.IN_STEPS

    def test_wrong_ages_are_named(self) -> None:
        """Where only the times of the rows listed are wrong, the listing is no torn one."""
        rows = [claim("a", True, 0), claim("b", True, 2), listing("ab", (4, 5), (5, 6))]
        assert self.found(rows).kind == judged.AGES

    def test_too_many_rows_are_named(self) -> None:
        """A listing longer than the namespace is no matter of snapshots."""
        rows = [claim("a", True, 0), claim("b", True, 0, client=1), claim("c", True, 0, client=2)]
        assert self.found([*rows, listing("abc", (0, 9), client=3)]).kind == judged.OVER_FULL

    def test_a_cap_that_does_not_hold_is_named(self) -> None:
        """Where it could be explained without the cap, it is the cap."""
        rows = [claim("a", True, 0), claim("b", True, 2), claim("c", REFUSED, 4)]
        assert self.found(rows, capped(1)).kind == judged.AT_CAP

    def test_a_wrong_eviction_shows_little(self) -> None:
        """A violation is shown by the calls that it takes; of the others only their number is."""
        rows = [claim("z", True, 0), claim("a", True, 20, epoch=1), claim("m", True, 22, epoch=1)]
        idle = [op("lookup", "k", ABSENT, (at, at + 0.5), client=2) for at in range(25)]
        gone = op("lookup", "a", ABSENT, (30, 31))
        broken = self.found([*rows, *idle, gone])
        assert broken.kind == judged.NO_ORDER
        assert list(map(id, broken.operations)) == list(map(id, [rows[1], gone]))
        assert broken.drawn[-1].startswith("and 2 more calls")

    def test_a_budget_that_runs_out_is_no_violation(self) -> None:
        """What cannot be decided is said, and is neither right nor wrong."""
        history = [claim(key, True, 0, client=n) for n, key in enumerate("abcdefgh")]
        (broken,) = campaign(history, TWO, budgets=Budgets(steps=3))
        assert broken.kind == judged.UNDECIDED
        assert "steps" in broken.why


class TestRounds:
    def test_rounds_are_small(self) -> None:
        """At most 200 calls, 4 rows a namespace and 12 rounds a block, so that a search can end."""
        shape = Shape(prefix="t", seed=1, clients=4, operations=OPERATIONS)
        rounds = block("spaces", shape, 3, 100)
        assert len(rounds) == 12
        for each in rounds:
            calls = [call for plan in each.volley for call in plan]
            calls += [step for step in (*each.prepare, *each.inspect) if isinstance(step, Call)]
            assert len(calls) <= 200
            assert max(call.max_entries for call in calls) <= 4

    def test_all_kinds_of_calls_are_made(self) -> None:
        """Over a few blocks every operation that crosses keys meets every other one."""
        shape = Shape(prefix="t", seed=1, clients=4, operations=OPERATIONS)
        rounds = [each for number in range(4) for each in block("spaces", shape, number, 12)]
        made = {call.f for each in rounds for plan in each.volley for call in plan}
        assert made == OPERATIONS - {"sweep_expired"}
        assert {"n", "sibling"} == {c.namespace for r in rounds for plan in r.volley for c in plan}
        assert {1, 2, 3, 4} == {each.facts["n"] for each in rounds}


def run(race: str, target: Target, home: Path, *, budget_s: float = 20.0) -> dict[str, CheckResult]:
    """Run a race and answer the results by clause."""
    (home / "probe").mkdir()
    backend = target.connect(str(home / "probe"), ManualClock())
    capabilities = backend.capabilities
    backend.close()
    (found,) = [each for each in RACES if each.name == race]
    results = run_race(found, target, capabilities, run_dir=home, budget_s=budget_s, seed=1)
    return {each.clause: each for each in results}


class TestRaces:
    @pytest.mark.parametrize("name", ["rejecting", "evicting", "real", "strict"])
    def test_right_stores_pass(self, name: str, tmp_path: Path) -> None:
        """Stores with a small cap of either policy, and in real time, pass on evidence."""
        assert hasattr(space_stores, name)
        target = Target(f"python:space_stores:{name}")
        found = run("spaces-on-processes", target, tmp_path, budget_s=0.3)
        assert {each.status for each in found.values()} == {Status.PASS}
        assert int(found["EVICT-7"].evidence["contested across processes"]) >= 24

    @pytest.mark.parametrize(
        ("name", "clause"),
        [
            ("mutant:evicts-after-commit", "EVICT-6"),
            ("mutant:evicts-by-key", "EVICT-6"),
            ("mutant:clear-goes-row-by-row", "DEL-5"),
            ("mutant:entries-not-a-snapshot", "READ-5"),
            ("python:space_stores:uncapped", "EVICT-6"),
            # Wrong in sequence: what is listed may be blamed on a listing or a `clear` beside it.
            ("python:space_stores:real_and_wrong", "EVICT-6|READ-5|DEL-5"),
        ],
    )
    def test_wrong_stores_are_flagged(self, name: str, clause: str, tmp_path: Path) -> None:
        """A store that is wrong only for those who meet is flagged by the clause that it breaks."""
        found = run("spaces-on-threads", Target(name), tmp_path)
        (failed,) = [each for each in found.values() if each.status == Status.FAIL]
        assert failed.clause in clause.split("|")
        assert failed.violation is not None
        assert "which no order of the calls explains" in failed.violation.summary

    def test_undecided_rounds_are_no_evidence(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where no round can be decided nothing passes, and the result says how many there were."""
        monkeypatch.setattr("onewinner.suite.heat._HARD_LEAST_S", 0.5)
        monkeypatch.setattr("onewinner.suite.rulings.campaign", undecided)
        found = run("spaces-on-threads", Target("memory"), tmp_path, budget_s=0.1)
        assert {each.status for each in found.values()} == {Status.UNTESTED}
        assert int(found["EVICT-6"].evidence["rounds undecided"]) > 0
        assert "rounds were not decided" in found["EVICT-6"].reason


def undecided(operations: list[Operation], model: SpaceModel) -> Any:
    """Judge without any budget."""
    return campaign(operations, model, budgets=Budgets(steps=0))


class TestMutants:
    """The windows of the mutants that only whole namespaces show, entered on purpose."""

    def rivals(self, name: str, home: Path) -> Any:
        """Answer a mutant's namespace of two rows, and the reference's handle on the same one."""
        clock = ManualClock(1_000)
        connects: Any = (MUTANTS[name].connect, sqlite.connect)
        stores = [c(str(home), clock=clock).open("p", "n", max_entries=2) for c in connects]
        for key in "ab":
            stores[1].register(key, 1)
            clock.advance(1)
        return stores

    def before(self, store: Any, step: str, count: int, act: Any) -> None:
        """Let a rival act just before the store takes its `count`th step of a kind."""
        real, left = getattr(store._file, step), [act] + [None] * (count - 1)

        def stepping(*arguments: Any, **options: Any) -> Any:
            now = left.pop() if left else None
            if now is not None:
                now()
            return real(*arguments, **options)

        setattr(store._file, step, stepping)

    def test_too_many_rows_between_two_transactions(self, tmp_path: Path) -> None:
        """A rival who looks before the eviction sees three rows where two are allowed."""
        mutant, rival = self.rivals("evicts-after-commit", tmp_path)
        seen: list[Any] = []
        self.before(mutant, "transaction", 2, lambda: seen.append(len(rival.entries())))
        assert mutant.register_if_absent("c", 1) is True
        assert seen == [3]
        assert [row.key for row in rival.entries()] == ["b", "c"]

    def test_a_renewed_row_is_evicted(self, tmp_path: Path) -> None:
        """A rival who renews the oldest row loses it all the same, and an older one stays."""
        mutant, rival = self.rivals("victim-chosen-before-lock", tmp_path)
        self.before(mutant, "transaction", 1, lambda: rival.register("a", 2))
        assert mutant.register_if_absent("c", 1) is True
        assert [row.key for row in rival.entries()] == ["b", "c"]

    def test_a_clear_that_others_can_look_into(self, tmp_path: Path) -> None:
        """A rival sees one row gone and the other one still there."""
        mutant, rival = self.rivals("clear-goes-row-by-row", tmp_path)
        seen: list[Any] = []
        look = lambda: seen.append([row.key for row in rival.entries()])  # noqa: E731
        self.before(mutant, "transaction", 3, look)
        mutant.clear()
        assert seen == [["b"]]
        assert rival.entries() == []
