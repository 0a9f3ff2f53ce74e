"""What a run is asked to do, and how it tells where it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    from onewinner.contract.clauses import Level

DEFAULT: Final[Level] = "process"
"""The level of a run that asks for none, where the target's scope allows it."""

BUDGET_S: Final[dict[Level, float]] = {"thread": 14.0, "process": 36.0, "crash": 60.0}
"""The time for programs and races of a whole run at each level, in seconds."""

PROGRAM_SHARE: Final = 0.3
"""The part of the budget that random programs get; the races share the rest."""

FIRST_SHARE: Final = 0.02
"""The part of the budget that random programs get before the races, out of their share."""

SWEEP_SHARE: Final = 0.12
"""The part of the budget that each sweep of schedules may take at most."""

FAULT_SHARE: Final = 0.12
"""The part of the budget that each check with faults may take for what can be repeated."""

CALL_MAX_S: Final = 15.0
"""A sequential call that takes longer hangs: nothing else is at work on its location."""


Depth: TypeAlias = Literal["cases", "control", "luck"]


class UsageError(Exception):
    """What was asked for cannot be: what was given, why not, what to do instead (exit 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is asked to do.

    `level` None: `process`, or `thread` where the target's scope allows no more; with `at_most` a
    level that the scope does not allow is lowered, not refused. `select` holds clause ids or
    families; empty: all. `budget_s` bounds the time that is spent on what can be repeated for ever
    (programs and races), None for the level's own (`BUDGET_S`); it is not a time-out for what must
    run. With `stop_at_first` the first violation is the last, but that cases
    end as a group (see `Run`). `call_max_s` is the time after which a sequential call counts as
    hung. `histories` is a folder that exists, in which the histories of races and faults are kept.
    A run goes as far as `depth` says: the cases alone, these and what is under control, or all,
    with the random programs and races that live on luck.
    """

    level: Level | None = None
    at_most: bool = False
    budget_s: float | None = None
    seed: int | None = None
    select: tuple[str, ...] = ()
    stop_at_first: bool = False
    call_max_s: float = CALL_MAX_S
    histories: Path | None = None
    depth: Depth = "luck"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where something is that takes long: told often, shown by whoever wants to.

    `check` is what is under way, with the `clauses` that it judges; `done` of `total` are `unit`,
    where it is known how many there will be (else `total` is 0). `budget_s` 0: there is none.
    """

    check: str
    done: int
    total: int
    elapsed_s: float
    budget_s: float
    counters: Mapping[str, int] = field(default_factory=dict)
    clauses: tuple[str, ...] = ()
    unit: str = "checks"


Listener: TypeAlias = Callable[[Progress], None]
