"""The canonical scenarios: what is prepared, which calls meet, and what is looked at afterwards.

They are data. Each call of `calls` is made by a claimant of its own; a sweep holds them at their
points in turn. Plugins are left empty here: every schedule has one that nobody used before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.generator import Call, Pass
from onewinner.schedule.newer_scenarios import newer_scenarios
from onewinner.schedule.scenario import LONG_ROWS, Scenario, claim, long_rows, made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Capabilities

HOUR_MS: Final = 3_600_000
_SHORT_MS: Final = 40
_MARGIN_MS: Final = 60
_TICK_MS: Final = 2
_CAP_MOST: Final = 2_000


def scenarios(capabilities: Capabilities) -> tuple[Scenario, ...]:
    """Answer the scenarios that apply to a store with these capabilities."""
    sheet = _Sheet(capabilities)
    found = [*sheet.vacancies(), *sheet.removers(), *sheet.readers()]
    if capabilities.eviction is not None and capabilities.limits.overflow_policy == "evict-oldest":
        found += sheet.evictions()
    if capabilities.ttl_unit_ms is not None:
        found += sheet.expiries()
    found += sheet.caps()
    found += newer_scenarios(capabilities)
    return tuple(each for each in found if capabilities.operations.issuperset(each.needs))


class _Sheet:
    """Writes the scenarios for one store."""

    def __init__(self, capabilities: Capabilities) -> None:
        self._capabilities = capabilities
        unit = capabilities.ttl_unit_ms or 1
        virtual = capabilities.virtual_clock
        self._short_ms = 5 * unit if virtual else -(-_SHORT_MS // unit) * unit
        self._lapse = Pass(self._short_ms, unit + _MARGIN_MS)
        self._tick = Pass(max(unit, _TICK_MS), _TICK_MS)

    def _look(self, *keys: str, max_entries: int = 100, space: str = "n") -> tuple[Call, ...]:
        """Look at all that is there, by whatever the store has."""
        if "entries" in self._capabilities.operations:
            return (made("entries", None, max_entries=max_entries, space=space),)
        if "lookup" in self._capabilities.operations:
            return tuple(made("lookup", key, max_entries=max_entries, space=space) for key in keys)
        return tuple(claim("late", key, max_entries=max_entries, space=space) for key in keys)

    def vacancies(self) -> Iterator[Scenario]:
        """Claims that meet on a vacant key, on a live one, and beside other claims.

        Claims of two keys have nothing to do with each other, unless something of the one is taken
        for the other's: what a call keeps on the handle, or in a file of a name that both use.
        A look may take away the lock of its whole process, when it closes a file that others hold.
        """
        look = self._look("k")
        both = (claim("v"), claim("r"))
        vacant = ("CLAIM-5", "CLAIM-6")
        yield Scenario(name="fresh", clauses=vacant, calls=both, inspect=look)
        life = None if self._capabilities.ttl_unit_ms is None else HOUR_MS
        yield Scenario(
            name="two keys",
            clauses=vacant,
            calls=(claim("v", ttl_ms=life), claim("r", "j")),
            inspect=self._look("k", "j"),
        )
        yield Scenario(
            name="live", clauses=vacant, prepare=(claim("old"),), calls=both, inspect=look
        )
        yield Scenario(
            name="claims beside a look",
            clauses=(None, "CLAIM-6"),
            calls=(claim("v"), made("lookup"), claim("r")),
            inspect=look,
            needs=("lookup",),
            beside=True,
        )
        yield Scenario(
            name="other namespace busy",
            clauses=vacant,
            calls=(claim("v"), claim("r", space="m")),
            inspect=(*look, claim("late", space="m")),
        )
        opens = Call("open", "", "n", max_entries=100)
        yield Scenario(
            name="first open",
            clauses=(None, "DUR-2"),
            calls=(opens, opens),
            inspect=(claim("first"), claim("second")),
            fresh=True,
        )

    def removers(self) -> Iterator[Scenario]:
        """A claim beside what frees its key or takes it, and two that consume one row."""
        old, look = (claim("old"),), self._look("k")
        churn = ("CLAIM-9", "CLAIM-10")
        for f in ("delete", "consume", "clear"):
            yield Scenario(
                name=f"claim against {f}",
                clauses=churn,
                prepare=old,
                calls=(claim("v"), made(f, None if f == "clear" else "k")),
                inspect=look,
                needs=(f,),
            )
        yield Scenario(
            name="claim against register",
            clauses=churn,
            calls=(claim("v"), claim("r", f="register")),
            inspect=look,
            needs=("register",),
        )
        yield Scenario(
            name="two consumers",
            clauses=("DEL-3", "DEL-4"),
            prepare=old,
            calls=(made("consume"), made("consume")),
            inspect=look,
            needs=("consume",),
        )

    def readers(self) -> Iterator[Scenario]:
        """A listing, and a clear, while rows come and go."""
        rows = (claim("1", "a"), self._tick, claim("2", "b"))
        yield Scenario(
            name="listing while rows change",
            clauses=("READ-5", "READ-5"),
            prepare=(claim("1", "a"),),
            calls=(made("entries", None), made("delete", "a"), claim("2", "b")),
            inspect=self._look("a", "b"),
            needs=("entries", "delete"),
        )
        yield Scenario(
            name="listing while rows are replaced",
            clauses=("READ-5", "READ-5"),
            prepare=rows,
            calls=(made("entries", None), made("delete", "a"), claim("3", "b", f="register")),
            inspect=self._look("a", "b"),
            needs=("entries", "delete", "register"),
        )
        yield Scenario(
            name="listing while all is cleared",
            clauses=("DEL-5", "DEL-5"),
            prepare=rows,
            calls=(made("clear", None), made("entries", None)),
            inspect=self._look("a", "b"),
            needs=("entries", "clear"),
        )
        cap = self._capabilities.limits.plugin_row_cap
        if self._capabilities.scope == "process" and (cap is None or cap > 2 * LONG_ROWS):
            yield self._long_listing()

    def _long_listing(self) -> Scenario:
        """A listing of more than a page; what it deletes is first in it, and what comes is last.

        In virtual time all rows are of one age and stand by their keys, so that the one that was
        deleted can be put back into its place, and the others be used again.
        """
        room: dict[str, Any] = {"max_entries": 10 * LONG_ROWS}
        first, last = claim("1", "a", **room), claim("2", "x", **room)
        again = self._capabilities.virtual_clock and not self._capabilities.strict_ages
        rows: dict[str, Any] = {"prepare": (first, self._tick, *long_rows(), self._tick)}
        if again:
            undo = (made("delete", "x", **room), first)
            rows = {"once": (first, *long_rows()), "undo": undo}
        return Scenario(
            name="long listing while rows change",
            clauses=(None, "READ-5"),
            calls=(made("entries", None, **room), made("delete", "a", **room), last),
            inspect=self._look("a", "x", **room),
            needs=("entries", "delete"),
            long=True,
            **rows,
        )

    def evictions(self) -> Iterator[Scenario]:
        """Claims that meet in a full namespace."""

        def full(name: str, *calls: Call, needs: tuple[str, ...] = ()) -> Scenario:
            return Scenario(
                name=name,
                clauses=("EVICT-6", "EVICT-7"),
                prepare=(
                    claim("1", "a", max_entries=2),
                    self._tick,
                    claim("2", "b", max_entries=2),
                    self._tick,
                ),
                calls=calls,
                inspect=self._look("a", "b", "c", "d", "e", max_entries=2),
                needs=needs,
            )

        c, d, e = (claim(key.upper(), key, max_entries=2) for key in "cde")
        yield full("full namespace", c, d)
        yield full("full namespace, one key", c, claim("other", "c", max_entries=2))
        yield full(
            "full namespace against delete",
            c,
            made("delete", "a", max_entries=2),
            needs=("delete",),
        )
        listing = made("entries", None, max_entries=2)
        yield full("full namespace against entries", c, listing, needs=("entries",))
        renew = claim("again", "a", max_entries=2, f="register")
        yield full("full namespace against register", c, renew, needs=("register",))
        yield full("full namespace, three claims", c, d, e)

    def expiries(self) -> Iterator[Scenario]:
        """Claims that meet at a row that has just expired, alone and beside others."""
        old = claim("old", ttl_ms=self._short_ms)
        others = tuple(claim("old", key, ttl_ms=self._short_ms) for key in ("j", "l"))
        both = (claim("v", ttl_ms=HOUR_MS), claim("r", ttl_ms=HOUR_MS))
        look = self._look("k")
        reclaim = ("CLAIM-7", "CLAIM-8")
        expired = (old, self._lapse)
        yield Scenario(
            name="just expired", clauses=reclaim, prepare=expired, calls=both, inspect=look
        )
        yield Scenario(
            name="expired among others",
            clauses=reclaim,
            prepare=(*others, old, self._lapse),
            calls=both,
            inspect=look,
        )
        for f in ("lookup", "entries", "sweep_expired", "delete", "consume"):
            yield Scenario(
                name=f"reclaim against {f}",
                clauses=reclaim,
                prepare=expired,
                calls=(both[0], made(f, "k" if f in {"lookup", "delete", "consume"} else None)),
                inspect=look,
                needs=(f,),
            )

    def caps(self) -> Iterator[Scenario]:
        """Claims that meet where one row is left in a plugin that then rejects."""
        limits = self._capabilities.limits
        cap = limits.plugin_row_cap
        if cap is None or cap > _CAP_MOST or limits.cap_policy != "reject":
            return
        once = tuple(
            claim("fill", f"f{number}", max_entries=cap + 10, space="full")
            for number in range(cap - 1)
        )
        for name, space in (("at the plugin cap", "n"), ("at the plugin cap, two namespaces", "m")):
            yield Scenario(
                name=name,
                clauses=(None, "CAP-5"),
                once=once,
                calls=(claim("v", "c"), claim("r", "d", space=space)),
                inspect=(*self._look("c", "d"), *self._look("d", space=space)),
                undo=(made("delete", "c"), made("delete", "d", space=space)),
                needs=("delete",),
            )
