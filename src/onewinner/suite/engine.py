"""The gate: from a target and a level to a result tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from onewinner.contract.clauses import Level


class UsageError(Exception):
    """What was asked for cannot be: what was given, why not, what to do instead (exit 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is asked to do.

    `level` None: the highest level that has checks and that the target's scope allows. `select`
    holds clause ids or families; empty: all. `budget_s` bounds the time that is spent on what can
    be repeated for ever (programs and races); it is not a time-out for what must run.
    """

    level: Level | None = None
    budget_s: float = 40.0
    seed: int | None = None
    select: tuple[str, ...] = ()
    stop_at_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run is: told often, shown by whoever wants to."""

    check: str
    done: int
    total: int
    elapsed_s: float
    budget_s: float
    counters: Mapping[str, int] = field(default_factory=dict)


Listener: TypeAlias = Callable[[Progress], None]
