"""Sessions: programs on a store and the model at once, and the scripts they leave behind."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from onewinner.adapters.targets import Target
from onewinner.clock import ManualClock
from onewinner.contract import ABSENT, NEWER, Capabilities, Entry, InvalidInput, StoreError
from onewinner.model import Call, Count, Listing, Refused, Row, Value
from onewinner.stores import memory, sqlite
from onewinner.suite.answers import (
    Broken,
    Raised,
    agrees,
    agrees_in_real_time,
    beside_others,
    names_its_operation,
    observe,
)
from onewinner.suite.cases import CASES, run_case
from onewinner.suite.diagnosis import blame, violation
from onewinner.suite.divergence import Divergence, Undecided
from onewinner.suite.script import program
from onewinner.suite.session import new_session
from onewinner.suite.tree import Status

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = Capabilities(virtual_clock=True)


class Deaf:
    """A memory store one of whose operations answers something else."""

    def __init__(self, backend, wrong):
        self._backend, self._wrong = backend, wrong
        self.capabilities = backend.capabilities

    def open(self, *args, **options):
        store = self._backend.open(*args, **options)
        for name, answer in self._wrong.items():
            setattr(self, name, answer)
        wrong = self._wrong

        class Half:
            def __getattr__(self, name):
                return wrong.get(name) or getattr(store, name)

        return Half()

    def sweep_expired(self):
        return self._backend.sweep_expired()

    def close(self):
        self._backend.close()


def deaf(**wrong):
    """Answer a target whose named operations are replaced."""

    def connect(location, *, clock):
        return Deaf(memory.connect(location, clock=clock), wrong)

    return Target("deaf", given=connect)


@pytest.fixture
def capabilities(tmp_path):
    """What the memory store declares."""
    from onewinner.clock import SystemClock

    backend = memory.connect(str(tmp_path), clock=SystemClock())
    backend.close()
    return backend.capabilities


def test_session_follows_a_right_store(tmp_path, capabilities):
    """A program on a right store ends without a divergence and knows the model's state."""
    session = new_session(Target("memory"), capabilities, str(tmp_path))
    space = session.open(max_entries=2)
    space.claim("a", 1, ttl_ms=5)
    session.advance(5)
    space.claim("a", 2)
    session.sweep()
    space.observe("a")
    assert session.state.plugin_rows("plugin", session.now) == 1
    session.close()


def test_first_wrong_answer_diverges(tmp_path, capabilities):
    """The first answer that the contract does not allow ends the program, with what was due."""
    session = new_session(deaf(lookup=lambda key: "nonsense"), capabilities, str(tmp_path))
    space = session.open()
    space.claim("k", 1)
    with pytest.raises(Divergence, match=r"lookup\('k'\) answered \"nonsense\", where .* has 1"):
        space.lookup("k")
    session.close()


def _use_everything(space):
    space.delete("a")
    space.claim("k", 1)
    space.entries()
    space.lookup("never")
    space.clear()
    space.consume("k")


@pytest.mark.parametrize(
    ("wrong", "clause"),
    [
        ({"register_if_absent": lambda *a, **k: False}, "CLAIM-1"),
        ({"register_if_absent": lambda *a, **k: None}, "CLAIM-1"),
        ({"lookup": lambda key: None}, "READ-1"),
        ({"delete": lambda key: True}, "DEL-1"),
        ({"clear": lambda: 1}, "DEL-5"),
        ({"consume": lambda key: 1 / 0}, "ERR-4"),
    ],
)
def test_undirected_programs_blame_a_likely_clause(tmp_path, capabilities, wrong, clause):
    """A divergence outside a directed case is put down to a clause that fits what was seen."""
    session = new_session(deaf(**wrong), capabilities, str(tmp_path))
    space = session.open()
    with pytest.raises(Divergence) as caught:
        _use_everything(space)
    assert blame(session, caught.value) == clause
    session.close()


@pytest.mark.parametrize(
    ("name", "mutant", "clause"),
    [
        ("fresh_key_is_won", "null-is-absent", "READ-2"),
        ("fresh_key_is_won", "lookup-wants-expiry", "READ-1"),
        ("fresh_key_is_won", "lookup-removes", "READ-4"),
        ("fresh_key_is_won", "ttl-in-seconds", "TTL-1"),
        ("fresh_key_is_won", "hidden-default-ttl", "TTL-3"),
        ("fresh_key_is_won", "claim-answers-none", "CLAIM-1"),
        ("near_equal_keys_are_rows_of_their_own", "keys-with-spaces-refused", "CLAIM-1"),
        ("near_equal_keys_are_rows_of_their_own", "case-folded-keys", "ISO-1"),
        ("every_kind_of_value_can_be_claimed_with", "claim-always-true", "CLAIM-2"),
        ("every_kind_of_value_can_be_claimed_with", "loser-releases", "CLAIM-3"),
        ("live_key_is_refused", "refused-claim-makes-row-newest", "CLAIM-3"),
        ("live_key_is_refused", "won-if-value-is-mine", "CLAIM-2"),
        ("registered_key_is_refused", "register-only-updates", "REG-1"),
        ("register_writes_over_absent_and_live", "register-keeps-created-at", "REG-2"),
        ("refused_claim_does_not_renew", "expired-row-blocks-claim", "TTL-5"),
        ("refused_claim_does_not_renew", "entries-unordered", "READ-4"),
        ("refused_claim_does_not_renew", "refused-claim-refreshes-ttl", "CLAIM-3"),
        ("refused_claim_evicts_nobody", "refused-claim-evicts", "CLAIM-4"),
        ("refused_claim_in_a_namespace_of_one", "max-entries-off-by-one", "EVICT-1"),
        ("readers_change_nothing", "evicts-youngest", "EVICT-1"),
        ("readers_change_nothing", "lookup-removes", "READ-3"),
        ("fresh_row_survives_ties", "ties-go-the-other-way", "EVICT-3"),
        ("fresh_row_survives_ties", "evicts-row-just-written", "EVICT-2"),
        ("oldest_row_is_evicted", "evicts-in-batches", "EVICT-1"),
        ("huge_ttl_is_refused_or_works", "refusal-leaves-transaction-open", "ERR-4"),
        ("huge_ttl_is_refused_or_works", "huge-ttl-poison", "TTL-7"),
    ],
)
def test_case_blames_its_clause_where_that_can_be(tmp_path, name, mutant, clause):
    """A divergence of a case breaks the case's clause, or what its answer shows is another one."""
    target = Target(f"mutant:{mutant}")
    declared = target.connect(str(tmp_path / "probe"), ManualClock(0)).capabilities
    found = run_case(CASES[name], target, declared, str(tmp_path))
    assert [each.clause for each in found if each.status is Status.FAIL] == [clause]


def test_case_whose_set_up_breaks_is_untested(tmp_path, capabilities):
    """What breaks before the case's point is the other clause's violation."""
    target = deaf(register_if_absent=lambda *a, **k: False)
    results = run_case(CASES["refused_claim_evicts_nobody"], target, capabilities, str(tmp_path))
    assert [(r.clause, r.status) for r in results] == [
        ("CLAIM-1", Status.FAIL),
        ("CLAIM-4", Status.UNTESTED),
    ]


@pytest.mark.parametrize(
    ("target", "case"),
    [
        ("mutant:claim-overwrites-live", "live_key_is_refused"),
        ("mutant:expiry-off-by-one-ms", "life_ends_exactly_at_expiry"),
        ("mutant:cap-refusal-leaves-row", "refusal_at_the_cap_changes_nothing"),
        ("mutant:null-is-absent", "null_is_a_value"),
        ("mutant:entries-unordered", "entries_are_ordered_by_age_then_key"),
    ],
)
def test_script_fails_on_the_mutant_and_passes_on_the_reference(tmp_path, target, case):
    """The printed program shows the violation when it is run; the reference store has none."""
    from onewinner.clock import SystemClock

    mutant = Target(target)
    backend = mutant.connect(str(tmp_path / "probe"), SystemClock())
    backend.close()
    results = run_case(CASES[case], mutant, backend.capabilities, str(tmp_path))
    script = next(r.violation.script for r in results if r.violation is not None)
    reference = script.replace(f"resolve({target!r})", "resolve('sqlite')")
    assert reference != script
    for text, code in ((script, 1), (reference, 0)):
        ended = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == code, ended.stderr
        assert ("Error" in ended.stderr) == (code == 1)


def test_violation_tells_what_happened(tmp_path, capabilities):
    """A violation carries the clause's sentence, a timeline and a script."""
    session = new_session(deaf(lookup=lambda key: 7), capabilities, str(tmp_path))
    space = session.open()
    with pytest.raises(Divergence) as caught:
        space.lookup("k")
    told = violation(session, caught.value, "READ-1")
    assert "lookup" in told.happened[-1]
    assert told.why.startswith("the rows before")
    assert "import onewinner" in told.script
    session.close()


def test_answers_are_told_apart_by_type():
    """One is not true, null is not absent, and an error agrees only with its refusal."""
    assert agrees(True, True)
    assert not agrees(True, 1)
    assert not agrees(None, ABSENT)
    assert not agrees(ABSENT, Value("null"))
    assert agrees(Count(1, 2), 2)
    assert not agrees(Count(1, 2), True)
    assert agrees(Refused("CORRUPT", "X"), Raised("CORRUPT", "lookup", ""))
    assert not agrees(Refused("CORRUPT", "X"), Broken("raised X"))


def test_real_time_listings_agree_by_life_and_own_order():
    """In real time a listing must have the keys, values and lengths of life, in its own order."""
    wanted = Listing((Row("a", "1", 0, 100), Row("b", "2", 1, None)))
    right = Listing((Row("a", "1", 5_000, 5_101), Row("b", "2", 5_000, None)))
    assert agrees_in_real_time(wanted, right, 1)
    for rows in (
        right.rows[::-1],
        right.rows[:1],
        (Row("a", "1", 5_000, 5_200), right.rows[1]),
        (Row("a", "1", 5_000, None), right.rows[1]),
        (Row("a", "9", 5_000, 5_100), right.rows[1]),
    ):
        assert not agrees_in_real_time(wanted, Listing(rows), 1)


@pytest.mark.parametrize(
    ("f", "answer", "seen"),
    [
        ("register_if_absent", True, True),
        ("register_if_absent", 1, Broken("answered 1")),
        ("lookup", {"b": 1, "a": 2.0}, Value('{"a":2,"b":1}')),
        ("lookup", object, Broken("answered <class 'object'>")),
        ("entries", [Entry("k", 1, 2, None)], Listing((Row("k", "1", 2, None),))),
        ("entries", 5, Broken("answered 5, not a list of Entry")),
        ("entries", [("k", 1)], Broken("listed ('k', 1), not an Entry with a JSON value")),
        ("sweep_expired", True, Broken("answered True")),
    ],
)
def test_answers_of_a_wrong_type_are_broken(f, answer, seen):
    """What an operation may not answer is told as broken, not compared."""
    assert observe(f, lambda: answer)[0] == seen


def test_errors_are_observed():
    """Contract errors keep code and operation; anything else that is raised is broken."""

    def refuse():
        raise InvalidInput(operation="lookup", message="no")

    def leave():
        raise SystemExit(3)

    assert observe("lookup", refuse)[0] == Raised("INVALID_INPUT", "lookup", "no")
    assert observe("lookup", leave)[0] == Broken("raised SystemExit: 3")


def test_errors_must_name_their_operation():
    """A claim's error may name `register`; any other operation names itself."""
    error = StoreError(code="X", operation="register")
    assert names_its_operation("register_if_absent", Raised(error.code, error.operation, ""))
    assert not names_its_operation("lookup", Raised(error.code, error.operation, ""))


def test_wrongly_named_operation_breaks_err_1(tmp_path, capabilities):
    """A refusal with the right code and the wrong operation is a violation of ERR-1."""

    def refuse(key):
        raise InvalidInput(operation="teleport")

    session = new_session(deaf(lookup=refuse), capabilities, str(tmp_path))
    space = session.open()
    with pytest.raises(Divergence) as caught:
        space.lookup("")
    assert caught.value.clause == "ERR-1"
    session.close()


def test_an_operation_is_named_where_errors_are_declared(tmp_path, capabilities):
    """Of a store that declares no rules for input nothing is asked about how its errors are."""

    def refuse(key):
        raise InvalidInput(operation="teleport")

    capabilities = dataclasses.replace(capabilities, validates_input=False)
    session = new_session(deaf(lookup=refuse), capabilities, str(tmp_path))
    session.open().lookup("\ud800")
    session.close()


def test_call_is_a_value():
    """Calls can be hashed and compared."""
    assert hash(Call(f="lookup", key="k")) == hash(Call(f="lookup", key="k"))


class OtherTies(sqlite.SqliteStore):
    """At the plugin's cap, of the rows of one age the last goes and not the first."""

    EVICT_FROM_PLUGIN = sqlite.SqliteStore.EVICT_FROM_PLUGIN.replace(
        "created_at, key, namespace", "created_at, key DESC, namespace DESC"
    )


class YoungestGoes(sqlite.SqliteStore):
    """At the plugin's cap the youngest row goes, which is wrong."""

    EVICT_FROM_PLUGIN = sqlite.SqliteStore.EVICT_FROM_PLUGIN.replace(
        "created_at, key", "created_at DESC, key"
    )


def evicting(cap, store=sqlite.SqliteStore):
    """Answer a target with an evicting cap, and what it declares."""
    kind = type("Evicting", (sqlite.SqliteBackend,), {"store": store})
    profile = dataclasses.replace(NEWER, plugin_row_cap=cap)

    def connect(location, *, clock):
        return kind(location, clock=clock, profile=profile)

    declared = dataclasses.replace(WHOLE, plugin_row_cap=cap, profile=profile)
    return Target("evicting", given=connect), declared


class TestWhatTheContractLeavesOpen:
    @pytest.mark.parametrize("store", [sqlite.SqliteStore, OtherTies])
    @pytest.mark.parametrize(
        "name", ["near_equal_places_are_rows_of_their_own", "clear_spares_every_other_place"]
    )
    def test_whoever_goes_of_one_age_is_right(self, tmp_path, name, store):
        """Rows of one age may be let go in any order: no store is accused of its own."""
        target, declared = evicting(8, store)
        (result,) = run_case(CASES[name], target, declared, str(tmp_path))
        assert result.status < Status.FAIL, result.reason

    def test_whoever_lets_the_youngest_go_is_wrong(self, tmp_path):
        """An older row that is still there, while a younger one went, is a divergence."""
        target, declared = evicting(2, YoungestGoes)
        session = new_session(target, declared, str(tmp_path))
        space = session.open(max_entries=9)
        for key in "abc":
            space.claim(key, 1)
            session.tick()
        with pytest.raises(Divergence):
            space.observe("a", "b", "c")
        session.close()

    def test_more_explanations_than_are_kept_accuse_nobody(self, tmp_path):
        """Where some of many explanations were dropped, what no other explains is open."""
        target, declared = evicting(100, OtherTies)
        session = new_session(target, declared, str(tmp_path))
        space = session.open(max_entries=200)
        session.fill(space, 100)
        session.tick()
        space.claim("one over", 1)
        with pytest.raises(Undecided):
            space.observe("fill000099")
        session.close()


@pytest.mark.parametrize(
    ("target", "made"),
    [
        (Target("sqlite"), "with tempfile.TemporaryDirectory() as location:"),
        (
            Target("redis", location="redis://h:1/0"),
            "with contextlib.nullcontext('redis://h:1/0') as location:",
        ),
        (
            Target("redis", location="redis://127.0.0.1:1/0", started=True),
            "with ephemeral('redis') as location:",
        ),
    ],
)
def test_a_script_connects_where_the_run_did(target, made):
    """A directory of its own, the address that was given, or a server that is started for it."""
    text = program(target, [], "assert True", start_ms=None)
    assert made in text
    compile(text, "script", "exec")
    assert text.index("import ") < text.index(made)


def test_a_sweep_beside_others_may_count_theirs():
    """On one address what others left is swept too; how much, nobody can know."""
    widened = beside_others(Count(2, 3), alone=True)
    assert [agrees(widened, seen) for seen in (1, 2, 901)] == [False, True, True]
    assert agrees(beside_others(Count(2, 3), alone=False), 0)
    assert not agrees(beside_others(Count(2, 3), alone=False), -1)
    assert beside_others(True, alone=False) is True


class EndsKeysAtNul(sqlite.SqliteStore):
    """Keeps keys whole, and lists them up to their NUL."""

    def register_if_absent(self, key, value, *, ttl_ms=None):
        return super().register_if_absent(key.replace("\0", "%"), value, ttl_ms=ttl_ms)

    def entries(self):
        rows = super().entries()
        return [dataclasses.replace(row, key=row.key.partition("%")[0]) for row in rows]


def test_a_key_that_is_listed_cut_off_is_text_that_was_not_kept(tmp_path, capabilities):
    """A listing with as many rows as are due, but another key, is no wrong listing of rows."""

    def connect(location, *, clock):
        backend = sqlite.SqliteBackend(location, clock=clock)
        backend.store = EndsKeysAtNul
        return backend

    session = new_session(Target("given", connect), capabilities, str(tmp_path))
    space = session.open()
    space.claim("a\0b", 1)
    with pytest.raises(Divergence) as caught:
        space.entries()
    assert blame(session, caught.value) == "INPUT-10"
    session.close()


class RefusesNulAtOpen(memory.MemoryBackend):
    """A store that says at once which plugins it cannot keep."""

    def open(self, plugin_id, namespace, **options):
        if "\0" in plugin_id:
            raise InvalidInput(operation="open", message="NUL in a plugin's id")
        return super().open(plugin_id, namespace, **options)


class LooksAtThePluginLate(memory.MemoryStore):
    """A store that says it of each call."""

    def _key(self, key, operation):
        if "\0" in self._opening.plugin:
            raise InvalidInput(operation=operation, message="NUL in a plugin's id")
        return super()._key(key, operation)


class RefusesNulLater(memory.MemoryBackend):
    """A store that opens whatever it is asked for."""

    store = LooksAtThePluginLate


@pytest.mark.parametrize("connect", [RefusesNulAtOpen, RefusesNulLater])
def test_a_plugin_that_cannot_be_kept_may_be_refused(connect, tmp_path, capabilities):
    """A store is right to refuse it, when its namespace is opened or when it is used."""
    case = CASES["plugins_with_nul_are_refused_or_distinct"]
    (result,) = run_case(case, Target("given", connect), capabilities, str(tmp_path))
    assert result.status is Status.PASS


class TestOneWriter:
    @pytest.mark.parametrize(
        ("declared", "made"),
        [("register", "register"), ("register_if_absent", "register_if_absent")],
    )
    def test_a_store_with_one_writer_is_written_to_with_that(self, tmp_path, declared, made):
        """Cases write with what is declared, and never call what is not."""
        capabilities = Capabilities(
            virtual_clock=True, operations=frozenset({declared, "lookup", "entries"})
        )
        session = new_session(Target("sqlite"), capabilities, str(tmp_path))
        space = session.open()
        space.register("a", 1)
        space.claim("b", 1)
        session.close()
        written = [step.code for step in session.steps if step.code.startswith("s1.")]
        assert written == [f"s1.{made}('a', 1)", f"s1.{made}('b', 1)"]


def test_listings_may_sort_keys_by_either_order() -> None:
    """Keys of one age go by code points or by code units of UTF-16; no other order is right."""
    rows = tuple(Row(key, "1", 5, None) for key in ("a", "\uffff", "\U0001f600"))
    others = (rows[0], rows[2], rows[1])
    for judged in (agrees, partial(agrees_in_real_time, unit_ms=1)):
        assert judged(Listing(rows), Listing(rows))
        assert judged(Listing(rows), Listing(others))
        assert not judged(Listing(rows), Listing((rows[1], rows[0], rows[2])))
        assert not judged(Listing(rows), Listing((rows[2], rows[0], rows[1])))


@pytest.mark.parametrize("rounds", ["Up", "Minutes", "Down"])
def test_a_store_that_rounds_to_its_unit_passes(rounds: str, tmp_path: Path) -> None:
    """Virtual time begins at a whole unit, and an end may be off by less than one (TTL-1)."""
    target = Target(f"python:coarse_stores:{rounds}Backend")
    backend = target.connect(str(tmp_path), ManualClock())
    wrong = [
        (name, result.clause, result.violation and result.violation.summary)
        for name, each in CASES.items()
        if each.clause.startswith(("TTL", "CLAIM", "READ")) and not each.many
        if each.missing(backend.capabilities) is None
        for result in run_case(each, target, backend.capabilities, str(tmp_path))
        if result.status is not Status.PASS
    ]
    assert wrong == []


def test_an_expiry_is_off_by_less_than_a_unit() -> None:
    """What is a whole unit off is wrong, and so is the time of writing where it is off at all."""
    wanted = Listing((Row("a", "1", 5_000, 7_500),))
    for expires_at, right in ((7_500, True), (8_000, True), (8_499, True), (8_500, False)):
        seen = Listing((Row("a", "1", 5_000, expires_at),))
        assert agrees(wanted, seen, 1_000) is right
        assert agrees(wanted, seen) is (expires_at == 7_500)
    assert not agrees(wanted, Listing((Row("a", "1", 5_001, 7_500),)), 1_000)
    assert not agrees(wanted, Listing((Row("a", "1", 5_000, None),)), 1_000)


def test_a_row_that_went_before_the_sweep_is_not_missed(tmp_path: Path) -> None:
    """Where calls take longer than a row lives, the next of them may remove it (DEL-6)."""
    target = Target("python:clock_stores:SlowBackend")
    declared = dataclasses.replace(WHOLE, virtual_clock=False)
    name = "sweep_removes_expired_rows_of_all_plugins"
    (result,) = run_case(CASES[name], target, declared, str(tmp_path))
    assert (result.status, result.reason) == (Status.PASS, "")
