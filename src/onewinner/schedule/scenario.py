"""One situation in which calls meet, as data, and the calls that it is written with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onewinner.generator import Call

if TYPE_CHECKING:
    from onewinner.contract import Json
    from onewinner.generator import Step

LONG_ROWS: Final = 130
"""Rows of a scenario that is long: more than a page of a hundred, or of 128."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One situation in which calls meet.

    `clauses` are what it judges, on threads and over processes; None where it says nothing there.
    `needs` are operations. `each` is done by every claimant after the preparation, and held by
    nobody: what each observes, before they meet. `handed_on`: the first alone does it, and all
    compare with what that one observed. `once` is done once for all schedules, which then
    share a plugin and make up for what they changed with `undo`. `fresh`: each schedule has a
    location of its own that does not exist yet, and the calls connect to it. `long`: it has more
    rows than a page, which take time to prepare, so it is swept at statements alone. `beside`: it
    is about two threads of one process and another process, and is swept by such a crew alone.
    """

    name: str
    clauses: tuple[str | None, str]
    calls: tuple[Call, ...]
    inspect: tuple[Call, ...]
    prepare: tuple[Step, ...] = ()
    needs: tuple[str, ...] = ()
    each: tuple[Call, ...] = ()
    handed_on: bool = False
    once: tuple[Step, ...] = ()
    undo: tuple[Call, ...] = ()
    fresh: bool = False
    long: bool = False
    beside: bool = False

    def clause(self, *, processes: bool) -> str | None:
        """Answer the clause that it judges there."""
        return self.clauses[processes]

    def kinds(self) -> list[int]:
        """Answer a number for each call, equal for those that do the same.

        They do where they differ only in what they write, or in a key or a namespace that is new
        and that only one of them names: which of those is held makes no difference. Where an
        observation is handed on, it does: one compares with its own, and the others do not.
        """
        if self.handed_on:
            return [*range(len(self.calls))]
        calls = [self._kind(call) for call in self.calls]
        return [calls.index(each) for each in calls]

    def _kind(self, call: Call) -> Call:
        known = [step for step in (*self.prepare, *self.once) if isinstance(step, Call)]
        known += [other for other in self.calls if other is not call]
        keys = {each.key for each in known}
        namespaces = {each.namespace for each in known}
        named = [*call.value] if isinstance(call.value, dict) else None  # of a change or an intent
        return call._replace(
            value=named,
            key=call.key if call.key in keys else None,
            namespace=call.namespace if call.namespace in namespaces else "",
        )


def made(f: str, key: str | None = "k", *, max_entries: int = 100, space: str = "n") -> Call:
    """Write a call that stores nothing."""
    return Call(f, "", space, key, max_entries=max_entries)


def claim(
    value: Json,
    key: str = "k",
    *,
    ttl_ms: int | None = None,
    max_entries: int = 100,
    space: str = "n",
    f: str = "register_if_absent",
    policy: str | None = None,
) -> Call:
    """Write a claim, or with `f` another call that takes a value."""
    return Call(f, "", space, key, value, ttl_ms, max_entries, policy)


def long_rows() -> tuple[Call, ...]:
    """Write the claims that make a namespace longer than a page or a batch of a hundred."""
    return tuple(
        claim("fill", f"f{number:03}", max_entries=10 * LONG_ROWS) for number in range(LONG_ROWS)
    )
