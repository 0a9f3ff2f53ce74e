"""The checks that need parallelism: each races the clients of a pool and judges what they saw.

A race passes only on evidence: its clients must truly have met at so many keys. Where the machine
is too busy for that it goes on beyond its share of the budget, and says `untested` if in vain.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from onewinner.clock import SharedClock, SystemClock, virtual_start_ms, wall_ns
from onewinner.contract.clauses import CLAUSES, missing_need
from onewinner.runner import ChildError, WorkerLost, WorkerPool
from onewinner.suite import early_clock
from onewinner.suite.heat import Heat
from onewinner.suite.kept import Kept
from onewinner.suite.linearity import model_for
from onewinner.suite.rulings import DRIFT_MAX_MS
from onewinner.suite.tree import CheckResult, Status

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.contract import Capabilities
    from onewinner.contract.clauses import Level
    from onewinner.suite.engine import Listener


_CLAIM: Final = "register_if_absent"
_CROWD: Final = 4
_COARSE_FLOOR: Final = 24
_FEW: Final = 24
"""The floor of the races of newer operations, which are judged exactly, a namespace at a time."""


@dataclass(frozen=True, slots=True)
class Mode:
    """Where the clients live (`crew[client]` is a worker), and how they are treated."""

    crew: tuple[int, ...]
    shared_handle: bool = False
    noise: bool = False


_ON_THREADS: Final = (
    Mode((0, 0, 0, 0), shared_handle=True, noise=True),
    Mode((0, 0, 0, 0), noise=True),
    Mode((0, 0, 0, 0)),
    Mode((0, 0, 0, 0), shared_handle=True),
)
_PAUSES: Final = Mode((0, 1, 2, 3), noise=True)
_PLAINLY: Final = (
    Mode((0, 1, 2, 3)),
    Mode((0, 1, 2, 3)),
    Mode((0, 0, 1, 1)),
    Mode((0, 0, 1, 1), shared_handle=True),
)
_ON_PROCESSES: Final = (*_PLAINLY, _PAUSES)
_PAUSES_FIRST: Final = (_PAUSES, *_PLAINLY)
"""Where a call is nothing but the race: elsewhere most pauses cost time and show nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """One race: the clauses it judges, the first being what it is about.

    `needs` are operations that it cannot do without (`a|b`: one of them).
    `floor` is the least number of keys at which clients must have met, in different processes where
    the level is `process`; without as many nothing passes.
    """

    name: str
    kind: str
    level: Level
    clauses: tuple[str, ...]
    needs: tuple[str, ...] = ()
    floor: int = 100
    modes: tuple[Mode, ...] = field(default=_ON_THREADS)

    @property
    def stress(self) -> bool:
        """Whether it lives on luck: all do but the one that interrupts calls on purpose."""
        return self.kind != early_clock.NAME

    def missing(self, capabilities: Capabilities) -> str | None:
        """Say what the race lacks to be run against a store, None if nothing."""
        if self.level == "process" and capabilities.scope != "process":
            return f"{self.name} needs a store that processes can share"
        if (lacks := CLAUSES[self.clauses[0]].missing(capabilities)) is not None:
            return lacks
        if self.kind in {"full", "spaces"} and (lacks := missing_need("eviction", capabilities)):
            return lacks
        for need in self.needs:
            if not capabilities.operations.intersection(need.split("|")):
                return f"{self.name} needs the operation {need.replace('|', ' or ')}"
        return None

    def modes_for(self, capabilities: Capabilities) -> list[Mode]:
        """The modes that a store allows: handles are shared by threads only where it says so."""
        shared = capabilities.handle_scope == "process"
        return [mode for mode in self.modes if shared or not mode.shared_handle]

    @property
    def processes(self) -> int:
        """How many workers it takes."""
        return 1 + max(max(mode.crew) for mode in self.modes)

    def floor_for(self, capabilities: Capabilities) -> int:
        """The floor; lower where each round must wait out a TTL of a second or more."""
        coarse = (capabilities.ttl_unit_ms or 1) >= 1_000 and not capabilities.virtual_clock
        return min(self.floor, _COARSE_FLOOR) if coarse and self.kind == "reclaims" else self.floor


def _pair(
    kind: str, on_threads: str, on_processes: str, *needs: str, floor: int
) -> tuple[Race, Race]:
    return (
        Race(
            name=f"{kind}-on-threads",
            kind=kind,
            level="thread",
            clauses=(on_threads, "ERR-2"),
            needs=(_CLAIM, *needs),
            floor=floor,
        ),
        Race(
            name=f"{kind}-on-processes",
            kind=kind,
            level="process",
            clauses=(on_processes, "ERR-3"),
            needs=(_CLAIM, *needs),
            floor=floor,
            modes=_PAUSES_FIRST if kind == "claims" else _ON_PROCESSES,
        ),
    )


def _on_processes(kind: str, clauses: tuple[str, ...], *needs: str, floor: int) -> Race:
    return Race(
        name=f"{kind}-on-processes",
        kind=kind,
        level="process",
        clauses=clauses,
        needs=(_CLAIM, *needs),
        floor=floor,
        modes=_ON_PROCESSES,
    )


RACES: Final[tuple[Race, ...]] = (
    *_pair("claims", "CLAIM-5", "CLAIM-6", floor=100),
    *_pair("reclaims", "CLAIM-7", "CLAIM-8", floor=100),
    *_pair("churn", "CLAIM-9", "CLAIM-10", floor=100),
    *_pair("consumers", "DEL-3", "DEL-4", "consume", floor=100),
    *_pair("full", "EVICT-6", "EVICT-7", "entries|lookup", floor=60),
    *_pair("snapshots", "READ-5", "READ-5", "entries", "delete|consume", floor=40),
    Race(
        name="spaces-on-threads",
        kind="spaces",
        level="thread",
        clauses=("EVICT-6", "READ-5", "DEL-5", "ERR-2"),
        needs=(_CLAIM,),
        floor=24,
    ),
    _on_processes("spaces", ("EVICT-7", "READ-5", "DEL-5", "ERR-3"), floor=24),
    *_pair("updates", "UPD-2", "UPD-3", "entries|lookup", floor=_FEW),
    *_pair("equal-deletes", "DEL-9", "DEL-10", "entries|lookup", floor=_FEW),
    *_pair("conditional-deletes", "DEL-11", "DEL-12", "entries|lookup", floor=_FEW),
    *_pair("comparisons", "CAS-4", "CAS-5", "entries|lookup", floor=_FEW),
    *_pair("many-lookups", "READ-10", "READ-10", "delete|consume", floor=_FEW),
    *_pair("counts", "READ-8", "READ-8", "delete|consume", floor=_FEW),
    *_pair("rejects", "EVICT-10", "EVICT-11", "entries|lookup", floor=_FEW),
    *_pair("ages", "READ-11", "READ-12", floor=_FEW),
    _on_processes("row-cap", ("CAP-5", "ERR-3"), floor=20),
    _on_processes("visible", ("REG-3", "ERR-3"), "lookup", floor=100),
    Race(
        name=early_clock.NAME,
        kind=early_clock.NAME,
        level="thread",
        clauses=("TTL-6", "READ-5"),
        needs=(_CLAIM, "delete", "entries|lookup"),
        floor=early_clock.FLOOR,
    ),
    Race(
        name="first-opens",
        kind="first-opens",
        level="process",
        clauses=("DUR-2",),
        needs=(f"{_CLAIM}|register",),
        floor=15,
        modes=(Mode((0, 1, 2, 3)),),
    ),
)


def _silent(_: object) -> None:
    """Listen to no progress."""


class Course:
    """Where races are run: one target, and one pool of workers that is kept from race to race.

    Use it as a context manager; leaving it kills the workers and removes what they left in
    `run_dir`. Every history is kept in `histories`, where given; clauses that are `expected` to be
    broken end no race.
    """

    def __init__(
        self,
        target: Target,
        capabilities: Capabilities,
        *,
        run_dir: Path,
        histories: Path | None = None,
        expected: frozenset[str] = frozenset(),
    ) -> None:
        self._target = target
        self._expected = expected
        self._capabilities = capabilities
        self._home = run_dir / "races"
        self._histories = histories
        self._pool: WorkerPool | None = None
        self._size = self._homes = self._runs = 0

    def __enter__(self) -> Self:
        self._home.mkdir(parents=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close_pool()
        shutil.rmtree(self._home, ignore_errors=True)

    def run(
        self,
        race: Race,
        *,
        budget_s: float,
        seed: int,
        on_progress: Listener = _silent,
        brief: bool = False,
    ) -> list[CheckResult]:
        """Run one race and answer a result for each of its clauses that applies.

        Where the clause that it is about does not apply the race is not run and answers nothing. It
        runs for `budget_s`, up to four times as long (and at least ten seconds) while its floor is
        not reached (if not `brief`), and ends at the first violation. A worker that hangs or dies
        makes an `error`.
        """
        clauses = [c for c in race.clauses if CLAUSES[c].missing(self._capabilities) is None]
        about = race.clauses[0]
        alone = race.level == "process" and self._capabilities.scope != "process"
        if about not in clauses or alone:
            return []
        lacks = race.missing(self._capabilities)
        if lacks is not None:
            untested = Status.UNTESTED
            return [CheckResult(check=race.name, clause=about, status=untested, reason=lacks)]
        if race.kind == early_clock.NAME:
            return self._early_clock(budget_s, seed, on_progress)
        heat = Heat(
            race,
            self._target,
            self._capabilities,
            prefix=self._prefix(race),
            budget_s=budget_s,
            seed=seed,
            on_progress=on_progress,
            kept=self._kept(race),
            brief=brief,
            expected=self._expected,
        )
        failure = self._play(heat, race)
        return [heat.result(clause, failure) for clause in clauses]

    def _early_clock(self, budget_s: float, seed: int, on_progress: Listener) -> list[CheckResult]:
        home = self._new_home("early-clock")
        try:
            return early_clock.run_early_clock(
                self._target,
                self._capabilities,
                home=home,
                budget_s=budget_s,
                seed=seed,
                on_progress=on_progress,
            )
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _kept(self, race: Race) -> Kept | None:
        if self._histories is None:
            return None
        eps_ms = model_for(self._capabilities, DRIFT_MAX_MS).eps_ms
        return Kept(self._histories, race.name, eps_ms)

    def _prefix(self, race: Race) -> str:
        """A name that no run before used: a server remembers, and a pool is kept."""
        self._runs += 1
        unique = self._runs if self._target.location is None else f"{wall_ns():x}"
        return f"{race.kind}-{unique}"

    def _new_home(self, name: str) -> Path:
        self._homes += 1
        home = self._home / f"{name}-{self._homes}"
        home.mkdir()
        return home

    def _play(self, heat: Heat, race: Race) -> str:
        try:
            return heat.play(self._pool_of(race.processes))
        except ChildError as error:
            return str(error)
        except WorkerLost as lost:
            self._close_pool()
            if lost.played is not None:
                heat.recover(lost.played)
            said = f"; it printed last: {lost.tail[-1]}" if lost.tail and not lost.hung else ""
            return f"{lost}{said}"

    def _pool_of(self, processes: int) -> WorkerPool:
        if self._pool is not None and self._size >= processes:
            return self._pool
        self._close_pool()
        home = self._new_home("pool")
        pool = WorkerPool(
            self._target,
            processes=processes,
            threads=_CROWD,
            run_dir=home,
            clock=self._clock(home),
        )
        self._pool, self._size = pool.__enter__(), processes
        return self._pool

    def _clock(self, home: Path) -> Clock:
        if self._capabilities.virtual_clock:
            start_ms = virtual_start_ms(self._capabilities.ttl_unit_ms)
            return SharedClock(home / "clock", start_ms=start_ms)
        return SystemClock()

    def _close_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()


def run_race(
    race: Race,
    target: Target,
    capabilities: Capabilities,
    *,
    run_dir: Path,
    budget_s: float,
    seed: int,
    on_progress: Listener = _silent,
    histories: Path | None = None,
    expected: frozenset[str] = frozenset(),
) -> list[CheckResult]:
    """Run one race on a course of its own; see `Course`."""
    with Course(
        target, capabilities, run_dir=run_dir, histories=histories, expected=expected
    ) as course:
        return course.run(race, budget_s=budget_s, seed=seed, on_progress=on_progress)
