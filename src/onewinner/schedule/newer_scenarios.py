"""The scenarios of the newer operations: looks before writes, and readers of several rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import OPTIONAL_OPERATIONS
from onewinner.generator import Call, Pass
from onewinner.schedule.scenario import LONG_ROWS, Scenario, claim, long_rows, made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Capabilities, Json

_TICK: Final = Pass(2, 2)
_OBSERVE: Final = made("observe")
_REJECT: Final[dict[str, Any]] = {"max_entries": 2, "policy": "reject-new"}


def newer_scenarios(capabilities: Capabilities) -> Iterator[Scenario]:
    """Yield those for what is declared; their operations are needs like any other."""
    if OPTIONAL_OPERATIONS & capabilities.operations:
        yield from _updates()
        for f, expected in (("delete_if_equal", "mine"), ("delete_if", {"equals": "mine"})):
            yield from _deletes(f, expected)
        yield from _comparisons()
        yield from _readers(capabilities)
    if capabilities.overflow_option and capabilities.eviction is not None:
        yield from _rejections(capabilities)
    if capabilities.strict_ages:
        yield Scenario(
            name="two rows at once",
            clauses=("READ-11", "READ-12"),
            calls=(claim("v", "a"), claim("r", "b")),
            inspect=(made("entries", None),),
            needs=("entries",),
        )


def _scenario(
    name: str, clauses: tuple[str, str], *calls: Call, needs: tuple[str, ...], **more: Any
) -> Scenario:
    """Answer a scenario about the key `k`, at which all look in the end."""
    looks = (made("lookup"),)
    return Scenario(
        name=name, clauses=clauses, calls=calls, inspect=looks, needs=(*needs, "lookup"), **more
    )


def _updates() -> Iterator[Scenario]:
    clauses, counter = ("UPD-2", "UPD-3"), (claim(10),)
    update = claim({"increment": 1}, f="update")
    yield _scenario("two updates", clauses, update, update, prepare=counter, needs=("update",))
    yield _scenario("two updates of no row", clauses, update, update, needs=("update",))
    yield _scenario(
        "update against delete",
        clauses,
        update,
        made("delete"),
        prepare=counter,
        needs=("update", "delete"),
    )
    yield _scenario("update against claim", clauses, update, claim(10), needs=("update",))
    yield _scenario(
        "update against register",
        clauses,
        update,
        claim(20, f="register"),
        prepare=counter,
        needs=("update", "register"),
    )


def _deletes(f: str, expected: Any) -> Iterator[Scenario]:
    """Conditional deletes that meet one another, and a write of another value."""
    clauses = ("DEL-9", "DEL-10") if f == "delete_if_equal" else ("DEL-11", "DEL-12")
    mine, delete = (claim("mine"),), claim(expected, f=f)
    yield _scenario(f"two of {f}", clauses, delete, delete, prepare=mine, needs=(f,))
    yield _scenario(
        f"{f} against register",
        clauses,
        delete,
        claim("other", f="register"),
        prepare=mine,
        needs=(f, "register"),
    )


def _comparisons() -> Iterator[Scenario]:
    clauses, needs = ("CAS-4", "CAS-5"), ("observe", "compare_and_apply")
    observed: dict[str, Any] = {"prepare": (claim("old"),), "each": (_OBSERVE,)}
    one, other = (claim({"set": value}, f="compare_and_apply") for value in "vr")
    delete = claim({"delete": True}, f="compare_and_apply")
    yield _scenario("two comparisons", clauses, one, other, needs=needs, **observed)
    yield _scenario(
        "set and delete by one observation",
        clauses,
        one,
        delete,
        needs=needs,
        handed_on=True,
        **observed,
    )
    yield _scenario(
        "two sets by one observation of no row",
        clauses,
        one,
        other,
        needs=needs,
        handed_on=True,
        each=(_OBSERVE,),
    )
    yield _scenario("two comparisons of no row", clauses, one, other, needs=needs, each=(_OBSERVE,))
    yield _scenario("two that delete if observed", clauses, delete, delete, needs=needs, **observed)
    yield _scenario(
        "comparison against claim", clauses, one, claim("r"), needs=needs, each=(_OBSERVE,)
    )
    for name, compared in (("set", one), ("delete", delete)):
        yield _scenario(
            f"{name} if observed against register",
            clauses,
            compared,
            claim("new", f="register"),
            needs=(*needs, "register"),
            **observed,
        )


def _readers(capabilities: Capabilities) -> Iterator[Scenario]:
    """Readers of several rows while one goes and then another comes."""
    cap = capabilities.limits.plugin_row_cap
    both = Call("lookup_many", "", "n", None, ["a", "b"])
    for name, clause, reader in (
        ("many looked up", "READ-10", both),
        ("rows counted", "READ-8", made("count", None)),
    ):
        yield Scenario(
            name=f"{name} while rows change",
            clauses=(clause, clause),
            prepare=(claim("1", "a"),),
            calls=(reader, made("delete", "a"), claim("2", "b")),
            inspect=(reader,),
            needs=(reader.f, "delete"),
        )
    if capabilities.scope != "process" or (cap is not None and cap <= 2 * LONG_ROWS):
        return
    room: dict[str, Any] = {"max_entries": 10 * LONG_ROWS}
    keys: list[Json] = ["a", *(call.key for call in long_rows()), "b"]
    first, last = claim("1", "a", **room), claim("2", "b", **room)
    batches = Call("lookup_many", "", "n", None, keys, **room)
    yield Scenario(
        name="very many looked up while rows change",
        clauses=(None, "READ-10"),
        once=(first, *long_rows()),
        undo=(made("delete", "b", **room), first),
        calls=(batches, made("delete", "a", **room), last),
        inspect=(batches,),
        needs=("lookup_many", "delete"),
        long=True,
    )


def _rejections(capabilities: Capabilities) -> Iterator[Scenario]:
    """Inserts that meet where one place is left, and where none is."""
    keys = ("a", "b", "c", "d")
    looks = tuple(claim(None, key, f="lookup", **_REJECT) for key in keys)
    if "entries" in capabilities.operations:
        looks = (made("entries", None)._replace(**_REJECT),)
    first, second = claim("1", "a", **_REJECT), claim("2", "b", **_REJECT)
    c, d = claim("3", "c", **_REJECT), claim("4", "d", **_REJECT)

    def full(name: str, *calls: Call, prepare: tuple[Any, ...], **more: Any) -> Scenario:
        clauses = ("EVICT-10", "EVICT-11")
        return Scenario(
            name=name, clauses=clauses, prepare=prepare, calls=calls, inspect=looks, **more
        )

    yield full("one place left", c, d, prepare=(first, _TICK))
    yield full(
        "one place left, for a register",
        c,
        d._replace(f="register"),
        prepare=(first, _TICK),
        needs=("register",),
    )
    yield full(
        "no place left, against delete",
        c,
        made("delete", "a")._replace(**_REJECT),
        prepare=(first, _TICK, second, _TICK),
        needs=("delete",),
    )
