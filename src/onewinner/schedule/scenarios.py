"""The canonical scenarios: what is prepared, which calls meet, and what is looked at afterwards.

They are data. Each call of `calls` is made by a claimant of its own; a sweep holds them at their
points in turn. Plugins are left empty here: every schedule has one that nobody used before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onewinner.generator import Call, Pass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Capabilities
    from onewinner.generator import Step

HOUR_MS: Final = 3_600_000
_SHORT_MS: Final = 40
_MARGIN_MS: Final = 60
_TICK_MS: Final = 2
_CAP_MOST: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One situation in which calls meet.

    `clauses` are what it judges, on threads and over processes; None where it says nothing there.
    `needs` are operations. `once` is done once for all schedules, which then share a plugin and
    make up for what they changed with `undo`. `fresh`: each schedule has a location of its own that
    does not exist yet, and the calls connect to it.
    """

    name: str
    clauses: tuple[str | None, str]
    calls: tuple[Call, ...]
    inspect: tuple[Call, ...]
    prepare: tuple[Step, ...] = ()
    needs: tuple[str, ...] = ()
    once: tuple[Step, ...] = ()
    undo: tuple[Call, ...] = ()
    fresh: bool = False

    def clause(self, *, processes: bool) -> str | None:
        """Answer the clause that it judges there."""
        return self.clauses[processes]

    def kinds(self) -> list[int]:
        """Answer a number for each call, equal for those that do the same.

        They do where they differ only in what they write, or in a key or a namespace that is new
        and that only one of them names: which of those is held makes no difference.
        """
        calls = [self._kind(call) for call in self.calls]
        return [calls.index(each) for each in calls]

    def _kind(self, call: Call) -> Call:
        known = [step for step in (*self.prepare, *self.once) if isinstance(step, Call)]
        known += [other for other in self.calls if other is not call]
        keys = {each.key for each in known}
        namespaces = {each.namespace for each in known}
        return call._replace(
            value=None,
            key=call.key if call.key in keys else None,
            namespace=call.namespace if call.namespace in namespaces else "",
        )


def scenarios(capabilities: Capabilities) -> tuple[Scenario, ...]:
    """Answer the scenarios that apply to a store with these capabilities."""
    sheet = _Sheet(capabilities)
    found = [*sheet.vacancies(), *sheet.removers(), *sheet.readers()]
    if capabilities.eviction is not None and capabilities.limits.overflow_policy == "evict-oldest":
        found += sheet.evictions()
    if capabilities.ttl_unit_ms is not None:
        found += sheet.expiries()
    found += sheet.caps()
    return tuple(each for each in found if capabilities.operations.issuperset(each.needs))


def _call(f: str, key: str | None = "k", *, max_entries: int = 100, space: str = "n") -> Call:
    return Call(f, "", space, key, max_entries=max_entries)


def _claim(
    value: str,
    key: str = "k",
    *,
    ttl_ms: int | None = None,
    max_entries: int = 100,
    space: str = "n",
    f: str = "register_if_absent",
) -> Call:
    return Call(f, "", space, key, value, ttl_ms, max_entries)


class _Sheet:
    """Writes the scenarios for one store."""

    def __init__(self, capabilities: Capabilities) -> None:
        self._capabilities = capabilities
        unit = capabilities.ttl_unit_ms or 1
        virtual = capabilities.virtual_clock
        self._short_ms = 5 * unit if virtual else -(-_SHORT_MS // unit) * unit
        self._lapse = Pass(self._short_ms, unit + _MARGIN_MS)
        self._tick = Pass(max(unit, _TICK_MS), _TICK_MS)

    def _look(self, *keys: str, max_entries: int = 100) -> tuple[Call, ...]:
        """Look at all that is there, by whatever the store has."""
        if "entries" in self._capabilities.operations:
            return (_call("entries", None, max_entries=max_entries),)
        if "lookup" in self._capabilities.operations:
            return tuple(_call("lookup", key, max_entries=max_entries) for key in keys)
        return tuple(_claim("late", key, max_entries=max_entries) for key in keys)

    def vacancies(self) -> Iterator[Scenario]:
        """Claims that meet on a vacant key, on a live one, and beside another namespace."""
        look = self._look("k")
        both = (_claim("v"), _claim("r"))
        vacant = ("CLAIM-5", "CLAIM-6")
        yield Scenario(name="fresh", clauses=vacant, calls=both, inspect=look)
        yield Scenario(
            name="live", clauses=vacant, prepare=(_claim("old"),), calls=both, inspect=look
        )
        yield Scenario(
            name="other namespace busy",
            clauses=vacant,
            calls=(_claim("v"), _claim("r", space="m")),
            inspect=(*look, _claim("late", space="m")),
        )
        opens = Call("open", "", "n", max_entries=100)
        yield Scenario(
            name="first open",
            clauses=(None, "DUR-2"),
            calls=(opens, opens),
            inspect=(_claim("first"), _claim("second")),
            fresh=True,
        )

    def removers(self) -> Iterator[Scenario]:
        """A claim beside what frees its key or takes it, and two that consume one row."""
        old, look = (_claim("old"),), self._look("k")
        churn = ("CLAIM-9", "CLAIM-10")
        for f in ("delete", "consume", "clear"):
            yield Scenario(
                name=f"claim against {f}",
                clauses=churn,
                prepare=old,
                calls=(_claim("v"), _call(f, None if f == "clear" else "k")),
                inspect=look,
                needs=(f,),
            )
        yield Scenario(
            name="claim against register",
            clauses=churn,
            calls=(_claim("v"), _claim("r", f="register")),
            inspect=look,
            needs=("register",),
        )
        yield Scenario(
            name="two consumers",
            clauses=("DEL-3", "DEL-4"),
            prepare=old,
            calls=(_call("consume"), _call("consume")),
            inspect=look,
            needs=("consume",),
        )

    def readers(self) -> Iterator[Scenario]:
        """A listing, and a clear, while rows come and go."""
        rows = (_claim("1", "a"), self._tick, _claim("2", "b"))
        yield Scenario(
            name="listing while rows change",
            clauses=("READ-5", "READ-5"),
            prepare=(_claim("1", "a"),),
            calls=(_call("entries", None), _call("delete", "a"), _claim("2", "b")),
            inspect=self._look("a", "b"),
            needs=("entries", "delete"),
        )
        yield Scenario(
            name="listing while rows are replaced",
            clauses=("READ-5", "READ-5"),
            prepare=rows,
            calls=(_call("entries", None), _call("delete", "a"), _claim("3", "b", f="register")),
            inspect=self._look("a", "b"),
            needs=("entries", "delete", "register"),
        )
        yield Scenario(
            name="listing while all is cleared",
            clauses=("DEL-5", "DEL-5"),
            prepare=rows,
            calls=(_call("clear", None), _call("entries", None)),
            inspect=self._look("a", "b"),
            needs=("entries", "clear"),
        )

    def evictions(self) -> Iterator[Scenario]:
        """Claims that meet in a full namespace."""

        def full(name: str, *calls: Call, needs: tuple[str, ...] = ()) -> Scenario:
            return Scenario(
                name=name,
                clauses=("EVICT-6", "EVICT-7"),
                prepare=(
                    _claim("1", "a", max_entries=2),
                    self._tick,
                    _claim("2", "b", max_entries=2),
                    self._tick,
                ),
                calls=calls,
                inspect=self._look("a", "b", "c", "d", "e", max_entries=2),
                needs=needs,
            )

        c, d, e = (_claim(key.upper(), key, max_entries=2) for key in "cde")
        yield full("full namespace", c, d)
        yield full("full namespace, one key", c, _claim("other", "c", max_entries=2))
        yield full(
            "full namespace against delete",
            c,
            _call("delete", "a", max_entries=2),
            needs=("delete",),
        )
        listing = _call("entries", None, max_entries=2)
        yield full("full namespace against entries", c, listing, needs=("entries",))
        renew = _claim("again", "a", max_entries=2, f="register")
        yield full("full namespace against register", c, renew, needs=("register",))
        yield full("full namespace, three claims", c, d, e)

    def expiries(self) -> Iterator[Scenario]:
        """Claims that meet at a row that has just expired, alone and beside others."""
        old = _claim("old", ttl_ms=self._short_ms)
        others = tuple(_claim("old", key, ttl_ms=self._short_ms) for key in ("j", "l"))
        both = (_claim("v", ttl_ms=HOUR_MS), _claim("r", ttl_ms=HOUR_MS))
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
                calls=(both[0], _call(f, "k" if f in {"lookup", "delete", "consume"} else None)),
                inspect=look,
                needs=(f,),
            )

    def caps(self) -> Iterator[Scenario]:
        """Claims that meet where one row is left in a plugin that then rejects."""
        limits = self._capabilities.limits
        cap = limits.plugin_row_cap
        if cap is None or cap > _CAP_MOST or limits.cap_policy != "reject":
            return
        yield Scenario(
            name="at the plugin cap",
            clauses=(None, "CAP-5"),
            once=tuple(
                _claim("fill", f"f{number}", max_entries=cap + 10, space="full")
                for number in range(cap - 1)
            ),
            calls=(_claim("v", "c"), _claim("r", "d")),
            inspect=self._look("c", "d"),
            undo=(_call("delete", "c"), _call("delete", "d")),
            needs=("delete",),
        )
