"""Rounds are pure: the same seed writes the same rounds, and each kind is what it says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from onewinner.contract.capabilities import OPERATIONS, OPTIONAL_OPERATIONS
from onewinner.generator import KINDS, Call, Pass, Round, Shape, block, limits, vacancies

SHAPE = Shape(prefix="t", seed=1, clients=4, operations=OPERATIONS)

# Kinds whose rounds differ in names only.
ALIKE = {"alone", "first-opens", "snapshots", "many-lookups", "counts"}


def shaped(**changes: object) -> Shape:
    """Answer the usual shape with some changes."""
    return Shape(
        **{
            "prefix": "t",
            "seed": 1,
            "clients": 4,
            "operations": OPERATIONS,
            **changes,  # type: ignore[arg-type]
        }
    )


def calls(rounds: tuple[Round, ...]) -> list[Call]:
    """Answer all calls, whoever makes them."""
    steps = [
        step
        for each in rounds
        for step in (*each.prepare, *(call for plan in each.volley for call in plan), *each.inspect)
    ]
    return [step for step in steps if isinstance(step, Call)]


class TestEveryKind:
    @pytest.mark.parametrize("kind", sorted(KINDS))
    def test_same_seed_same_rounds(self, kind: str) -> None:
        """A block depends on its kind, shape, seed and number, and on nothing else."""
        assert block(kind, SHAPE, 5, 12) == block(kind, SHAPE, 5, 12)

    @pytest.mark.parametrize("kind", sorted({*KINDS} - ALIKE))
    def test_another_seed_other_rounds(self, kind: str) -> None:
        """Seeds and numbers of blocks lead to different rounds."""
        first = block(kind, SHAPE, 5, 12)
        assert first != block(kind, shaped(seed=2), 5, 12)
        assert first != block(kind, SHAPE, 6, 12)

    def test_same_in_another_process(self) -> None:
        """Hash randomisation and the like have no say in what a seed means."""
        script = (
            "from onewinner.contract.capabilities import OPERATIONS\n"
            "from onewinner.generator import Shape, block\n"
            "shape = Shape(prefix='t', seed=1, clients=4, operations=OPERATIONS)\n"
            "print(repr(block('churn', shape, 3, 5)))\n"
        )
        said = [
            subprocess.run(
                [sys.executable, "-c", script], capture_output=True, check=True, text=True
            ).stdout
            for _ in range(2)
        ]
        assert said[0] == said[1] == repr(block("churn", SHAPE, 3, 5)) + "\n"

    @pytest.mark.parametrize("kind", sorted({*KINDS} - {"alone"}))
    def test_every_client_has_a_part(self, kind: str) -> None:
        """A volley names the calls of each client, in a number that the shape gives."""
        for clients in (2, 5):
            rounds = block(kind, shaped(clients=clients), 1, 6)
            assert rounds
            assert {clients} == {len(each.volley) for each in rounds}

    @pytest.mark.parametrize("kind", sorted(KINDS))
    def test_only_declared_operations(self, kind: str) -> None:
        """A store is asked for nothing that it does not declare, but what the race needs."""
        declared = frozenset({"register_if_absent", "lookup", "entries", "delete", "consume"})
        rounds = block(kind, shaped(operations=declared), 1, 12)
        needed = OPTIONAL_OPERATIONS  # each by the race that is about it (test_newer_races.py)
        assert {call.f for call in calls(rounds)} <= {*declared, "open", *needed}

    @pytest.mark.parametrize("kind", sorted(KINDS))
    def test_no_ttl_where_there_is_none(self, kind: str) -> None:
        """A store without TTL is given none, except where expiry is what the race is about."""
        rounds = block(kind, shaped(ttl_unit_ms=None), 1, 12)
        given = [call for call in calls(rounds) if call.ttl_ms is not None]
        assert not given or kind == "reclaims"

    @pytest.mark.parametrize("kind", sorted({*KINDS} - {"row-cap"}))
    @pytest.mark.parametrize("cap", [20, 1_000])
    def test_no_plugin_comes_near_its_cap(self, kind: str, cap: int) -> None:
        """But for the race about the cap no verdict depends on it."""
        rows: dict[str, set[tuple[str, str | None]]] = {}
        for call in calls(block(kind, shaped(row_cap=cap), 1, 40)):
            if call.f in {"register", "register_if_absent"} and call.max_entries >= cap:
                rows.setdefault(call.plugin, set()).add((call.namespace, call.key))
        assert all(len(keys) <= cap for keys in rows.values())


class TestKinds:
    def test_claimants_meet_at_every_key(self) -> None:
        """In a race for vacant keys all clients claim the same keys, each with its own value."""
        for each in block("claims", SHAPE, 0, 20):
            keys = [sorted(str(call.key) for call in plan) for plan in each.volley]
            assert all(own == keys[0] for own in keys)
        values = [repr(call.value) for call in calls(block("claims", SHAPE, 0, 20)) if call.value]
        assert len(values) == len(set(values))

    def test_ttls_tell_claimants_apart(self) -> None:
        """No two claimants of a key ask for the same TTL, and none ends during a run."""
        for each in block("claims", SHAPE, 0, 20):
            for column in zip(*(sorted(plan, key=str) for plan in each.volley), strict=True):
                asked = [call.ttl_ms for call in column if call.ttl_ms is not None]
                assert len(asked) == len(set(asked))
                assert all(ttl >= 3_600_000 for ttl in asked)

    def test_rounds_alternate_between_cold_and_warm(self) -> None:
        """After the first blocks every second round of few keys is cold, and of eight one fresh."""
        assert not any(each.cold for each in block("claims", SHAPE, 0, 8))
        rounds = block("claims", SHAPE, 6, 16)
        assert [each.cold for each in rounds] == [True, False] * 8
        assert [index for index, each in enumerate(rounds) if each.fresh] == [2, 10]
        assert [each.fresh for each in block("reclaims", SHAPE, 0, 16)].count(True) == 2

    def test_a_new_database_shares_no_plugin(self) -> None:
        """What is listed on one location was claimed there: fresh rounds have their own plugins."""
        rounds = block("claims", SHAPE, 6, 64)
        fresh = {call.plugin for call in calls(tuple(r for r in rounds if r.fresh))}
        usual = {call.plugin for call in calls(tuple(r for r in rounds if not r.fresh))}
        assert fresh.isdisjoint(usual)
        assert len(fresh) == 8

    def test_blocks_have_few_keys_or_many(self) -> None:
        """From some block on each third claims many keys a round; the others few, so all meet."""
        widest = [max(len(r.volley[0]) for r in block("claims", SHAPE, n, 30)) for n in range(12)]
        assert [n for n, width in enumerate(widest) if width > 16] == [8, 11]
        assert (vacancies.MANY_AT, vacancies.MANY_EVERY) == (8, 3)

    @pytest.mark.parametrize("virtual", [True, False])
    def test_each_expired_row_has_a_namespace(self, *, virtual: bool) -> None:
        """A prune of one namespace cannot end the race for another row; some rows are all alone."""
        rounds = block("reclaims", shaped(virtual=virtual), 0, 60)
        planted = [[s for s in each.prepare if isinstance(s, Call)] for each in rounds]
        for plants in planted:
            assert len(plants) == len({(call.plugin, call.namespace) for call in plants})
        assert 1 in {len(plants) for plants in planted}
        assert max(len(plants) for plants in planted) > 1

    @pytest.mark.parametrize("unit", [1, 2, 1_000])
    def test_expiry_is_certain_before_the_volley(self, unit: int) -> None:
        """Time passes by the TTL, a rounded unit, and where it is real a unit and 50 ms more."""
        for virtual in (True, False):
            for each in block("reclaims", shaped(virtual=virtual, ttl_unit_ms=unit), 0, 30):
                step = each.prepare[-1]
                assert isinstance(step, Pass)
                ttls = [s.ttl_ms for s in each.prepare if isinstance(s, Call) and s.ttl_ms]
                assert ttls
                assert all(ttl % unit == 0 for ttl in ttls)
                assert step.ms >= max(ttls) + unit - 1
                assert step.margin_ms >= unit + 50

    def test_exact_rounds_fit(self) -> None:
        """In an exact round of a full namespace no new row may go: it has room for all of them."""
        rounds = block("full", SHAPE, 0, 60)
        exact = [each for each in rounds if each.facts["exact"]]
        assert 0 < len(exact) < len(rounds)
        for each in exact:
            most = each.facts["max_entries"]
            assert {most} == {call.max_entries for call in calls((each,))}
            assert most == sum(isinstance(step, Call) for step in each.prepare)
            assert len(each.volley[0]) <= most

    def test_plugin_is_filled_to_its_cap(self) -> None:
        """The blocks that fill leave as much room as the rounds that follow believe."""
        shape = shaped(row_cap=2_500)
        filled, number = 0, 0
        while not (rounds := block("row-cap", shape, number, 3))[0].facts:
            filled += len(rounds[0].prepare)
            number += 1
        assert filled == 2_500 - limits.FREE
        assert len(rounds) == 3
        wanted = {call.key for plan in rounds[0].volley for call in plan}
        assert len(wanted) > limits.FREE == rounds[0].facts["free"]

    def test_full_plugin_without_clear_is_used_once(self) -> None:
        """Where rows cannot be cleared each round fills a plugin of its own."""
        shape = shaped(row_cap=100, operations=OPERATIONS - {"clear"})
        plugins = []
        for number in range(6):
            rounds = block("row-cap", shape, number, 3)
            assert len(rounds) == 1
            plugins.append({call.plugin for call in calls(rounds)})
        assert [plugins[0]] * 2 + [plugins[2]] * 2 + [plugins[4]] * 2 == plugins
        assert plugins[0] != plugins[2]

    def test_no_cap_no_rounds(self) -> None:
        """Without a cap there is nothing to race for."""
        assert block("row-cap", shaped(row_cap=None), 0, 3) == ()

    def test_each_watched_key_has_one_writer(self) -> None:
        """In a race about visibility only challenges, of keys that are live, come from others."""
        writers: dict[str | None, set[int]] = {}
        for each in block("visible", SHAPE, 0, 30):
            for step in each.prepare:
                assert isinstance(step, Call)
                writers.setdefault(step.key, set()).add(0)
            for client, plan in enumerate(each.volley):
                for call in plan:
                    if call.f in {"register", "delete", "consume"}:
                        writers.setdefault(call.key, set()).add(client)
        assert all(len(who) == 1 for who in writers.values())

    def test_token_is_always_somewhere(self) -> None:
        """The writer of a snapshot race adds a row before it removes the one before."""
        for each in block("snapshots", SHAPE, 0, 5):
            live = {step.key for step in each.prepare if isinstance(step, Call)}
            for call in each.volley[0]:
                live = live | {call.key} if call.f == "register" else live - {call.key}
                assert live

    @pytest.mark.parametrize("kind", ["snapshots", "counts", "many-lookups"])
    def test_some_namespaces_are_long(self, kind: str) -> None:
        """One round in every other block has more rows than a page, and changes both its ends."""
        wide = shaped(operations=OPERATIONS | OPTIONAL_OPERATIONS)
        planted = [len(block(kind, wide, number, 2)[0].prepare) for number in range(4)]
        assert planted == [1, 150, 1, 150]
        (long, short) = block(kind, wide, 1, 2)
        assert len(short.prepare) == 1
        rows = [step.key for step in long.prepare if isinstance(step, Call)]
        for call in long.volley[0]:
            if call.f in {"delete", "consume"}:
                assert call.key == rows.pop(0)
            else:
                rows.append(call.key)
            assert len(rows) in {150, 151}

    def test_first_opens_are_fresh(self) -> None:
        """Each round of first opens has a location of its own, opened within the volley."""
        for each in block("first-opens", SHAPE, 0, 5):
            assert each.fresh
            assert {"open"} == {plan[0].f for plan in each.volley}
