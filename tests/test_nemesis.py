"""The nemesis as values: what its acts look like in a history, and what it plans."""

from __future__ import annotations

from onewinner.contract import Capabilities
from onewinner.history import Ok
from onewinner.nemesis import NEMESIS, act, is_act, remark, situations, storm, told
from onewinner.nemesis.situations import KEY

VIRTUAL = Capabilities(virtual_clock=True)


def test_an_act_is_an_entry_of_the_history() -> None:
    """An act stands in a history like a call, under a process that no client has."""
    killed = act("kill", whom="p9", where="before `COMMIT`")
    assert is_act(killed)
    assert (killed.process, killed.f, killed.outcome) == (NEMESIS, "kill", Ok())
    assert killed.invoked_ns == killed.completed_ns
    assert told(killed) == "p9 is killed (SIGKILL) before `COMMIT`"


def test_every_act_is_put_into_words() -> None:
    """What is done is told with whom it was done to, where, and how long it took."""
    assert told(act("stop", whom="p1", where="here")) == "p1 is stopped (SIGSTOP) here"
    assert told(act("continue", whom="p1")) == "p1 goes on (SIGCONT)"
    assert told(act("advance", ms=40)) == "40 ms pass"
    assert told(act("step", ms=-7_200_000)) == "the wall clock is stepped by -7,200,000 ms"
    assert told(act("step", ms=40)) == "the wall clock is stepped by +40 ms"
    assert "every write to a file fails" in told(act("fill", whom="p1", where="here"))
    assert told(act("empty", whom="p1", where="here")) == "p1 has room on its disk again, here"
    assert told(act("hold", whom="p0", where="here")) == "p0 is held at work, here"
    assert told(act("fail", whom="p1", where="here")) == (
        "a system call of p1 fails, with nothing done: here"
    )


def test_in_a_file_an_act_is_no_call() -> None:
    """In a history file an act is a remark of the nemesis, at the time at which it was done."""
    failed = act("fail", whom="p1", where="`unlink a` (EIO)", at_ns=7)
    noted = remark(failed)
    assert (noted.process, noted.f, noted.time_ns) == ("nemesis", "fail", 7)
    assert noted.value == {"whom": "p1", "where": "`unlink a` (EIO)", "ms": 0}


def test_situations_are_those_that_the_store_can_be_in() -> None:
    """What a store does not declare is not asked of it when it is killed either."""
    assert [each.name for each in situations(VIRTUAL)] == [
        "claim of a vacant key",
        "claim of a key that has just expired",
        "register over a live row",
        "consume of a live row",
        "clear of several rows",
        "sweep beside live rows",
        "claim in a full namespace",
    ]
    assert "update of a live row" in {each.name for each in situations(VIRTUAL.having("update"))}
    few = Capabilities(
        operations=frozenset({"register_if_absent", "lookup"}), ttl_unit_ms=None, eviction=None
    )
    assert [(each.name, each.ttl_ms) for each in situations(few)] == [
        ("claim of a vacant key", None)
    ]


def test_every_row_on_the_key_is_over_at_its_time() -> None:
    """All that is written on the key has one TTL, so that none may be there after it."""
    for each in situations(VIRTUAL):
        steps = [step for step in (*each.prepare, each.call) if getattr(step, "key", "") == KEY]
        assert {step.ttl_ms for step in steps if step.f != "consume"} <= {each.ttl_ms}


def test_a_storm_is_named_by_its_seed() -> None:
    """The same seed and number make the same storm, another number another one."""
    one = storm(7, 1, "p", 1000)
    assert one == storm(7, 1, "p", 1000)
    assert {storm(7, number, "p", 1000).answers for number in range(8)} != {one.answers}


def test_clients_of_a_storm_meet_on_every_third_key() -> None:
    """Of six keys two are claimed by all clients, and every value names its writer."""
    came = storm(7, 1, "p", None, claims=6)
    shared = [key for key, calls in came.keys.items() if len(calls) == 3]
    assert shared == ["all0", "all3"]
    assert [call.value for call in came.keys["all3"]] == [{"by": c, "n": 3} for c in range(3)]
