"""The checks that need parallelism: each races the clients of a pool and judges what they saw.

A race passes only on evidence: its clients must truly have met at so many keys. Where the machine is
too busy for that it goes on beyond its share of the budget, and says `untested` if that is in vain.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onewinner import generator
from onewinner.checker.contention import Contention
from onewinner.clock import SharedClock, SystemClock, monotonic_ns, wall_ns
from onewinner.contract.clauses import CLAUSES
from onewinner.history import Ok
from onewinner.runner import Block, WorkerLost, WorkerPool
from onewinner.suite.engine import Progress
from onewinner.suite.rulings import RULINGS, broken_chain, happened, sound_rounds
from onewinner.suite.tree import CheckResult, Status, Violation

if TYPE_CHECKING:
    from onewinner.adapters.targets import Target
    from onewinner.checker.invariants import Broken
    from onewinner.clock import Clock
    from onewinner.contract import Capabilities
    from onewinner.contract.clauses import Level
    from onewinner.runner import PlayedBlock
    from onewinner.suite.engine import Listener

VIRTUAL_START_MS: Final = 1_700_000_000_000

_PROCESSES: Final = 4
_THREADS: Final = 4
_HARD_FACTOR: Final = 4.0
_HARD_LEAST_S: Final = 10.0
_BLOCK_S: Final = 0.2
_ROUNDS_FIRST: Final = 6
_ROUNDS_MOST: Final = 200
_COARSE_FLOOR: Final = 24


@dataclass(frozen=True, slots=True)
class Mode:
    """Where the clients live (`crew[client]` is a worker), and how they are treated."""

    crew: tuple[int, ...]
    shared_handle: bool = False
    noise: bool = False


_ON_THREADS: Final = (
    Mode((0, 0, 0, 0), shared_handle=True, noise=True),
    Mode((0, 0, 0, 0)),
    Mode((0, 0, 0, 0), noise=True),
    Mode((0, 0, 0, 0), shared_handle=True),
)
_ON_PROCESSES: Final = (
    Mode((0, 1, 2, 3)),
    Mode((0, 0, 1, 1)),
    Mode((0, 1, 2, 3)),
    Mode((0, 0, 1, 1), shared_handle=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """One race: the clauses it judges, the first being what it is about.

    `needs` are operations that it cannot do without (`a|b`: one of them) or `virtual-clock`.
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

    def missing(self, capabilities: Capabilities) -> str | None:
        """Say what the race lacks to be run against a store, None if nothing."""
        if self.level == "process" and capabilities.scope != "process":
            return f"{self.name} needs a store that processes can share"
        for need in self.needs:
            if need == "virtual-clock":
                if not capabilities.virtual_clock:
                    return f"{self.name} needs a store that takes its time from the kit"
            elif not capabilities.operations.intersection(need.split("|")):
                return f"{self.name} needs the operation {need.replace('|', ' or ')}"
        return None

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
            needs=needs,
            floor=floor,
        ),
        Race(
            name=f"{kind}-on-processes",
            kind=kind,
            level="process",
            clauses=(on_processes, "ERR-3"),
            needs=needs,
            floor=floor,
            modes=_ON_PROCESSES,
        ),
    )


def _on_processes(kind: str, clauses: tuple[str, ...], *needs: str, floor: int) -> Race:
    return Race(
        name=f"{kind}-on-processes",
        kind=kind,
        level="process",
        clauses=clauses,
        needs=needs,
        floor=floor,
        modes=_ON_PROCESSES,
    )


RACES: Final[tuple[Race, ...]] = (
    *_pair("claims", "CLAIM-5", "CLAIM-6", floor=200),
    *_pair("reclaims", "CLAIM-7", "CLAIM-8", floor=100),
    *_pair("churn", "CLAIM-9", "CLAIM-10", floor=100),
    *_pair("consumers", "DEL-3", "DEL-4", "consume", floor=100),
    *_pair("full", "EVICT-6", "EVICT-7", "entries|lookup", floor=60),
    *_pair("snapshots", "READ-5", "READ-5", "entries", "delete|consume", floor=40),
    _on_processes("row-cap", ("CAP-5", "ERR-3"), floor=20),
    _on_processes("visible", ("REG-3", "ERR-3"), "lookup", floor=100),
    Race(
        name="first-opens",
        kind="first-opens",
        level="process",
        clauses=("DUR-2",),
        floor=15,
        modes=(Mode((0, 1, 2, 3)),),
    ),
)


def run_race(
    race: Race,
    target: Target,
    capabilities: Capabilities,
    *,
    run_dir: Path,
    budget_s: float,
    seed: int,
    on_progress: Listener = lambda _: None,
) -> list[CheckResult]:
    """Run one race against a target and answer a result for each of its clauses that applies.

    Where the clause that it is about does not apply the race is not run and answers nothing.
    It runs for `budget_s`, up to four times as long (and at least ten seconds) while its floor is
    not reached, and ends at the first violation. A worker that hangs or dies makes an `error`.
    """
    clauses = [each for each in race.clauses if CLAUSES[each].missing(capabilities) is None]
    about = race.clauses[0]
    if about not in clauses:
        return []
    lacks = race.missing(capabilities)
    if lacks is not None:
        return [CheckResult(check=race.name, clause=about, status=Status.UNTESTED, reason=lacks)]
    home = run_dir / race.name
    home.mkdir(parents=True)
    try:
        heat = _Heat(race, target, capabilities, home, budget_s, seed, on_progress)
        return heat.run(clauses)
    finally:
        shutil.rmtree(home, ignore_errors=True)


class _Heat:
    """One run of one race."""

    def __init__(
        self,
        race: Race,
        target: Target,
        capabilities: Capabilities,
        home: Path,
        budget_s: float,
        seed: int,
        on_progress: Listener,
    ) -> None:
        self._race = race
        self._target = target
        self._capabilities = capabilities
        self._home = home
        self._budget_s = budget_s
        self._hard_s = max(budget_s * _HARD_FACTOR, _HARD_LEAST_S)
        self._seed = seed
        self._on_progress = on_progress
        self._floor = race.floor_for(capabilities)
        self._started = monotonic_ns()
        self._met = Contention()
        self._handles = self._processes = self._unsound = 0
        self._broken: dict[str, Broken] = {}
        self._stumble = ""
        # A server remembers earlier runs; a directory of our own has seen none.
        self._prefix = "race" if target.location is None else f"race{wall_ns():x}"
        self._modes = [
            mode
            for mode in race.modes
            if not (mode.shared_handle and capabilities.handle_scope == "thread")
        ]

    def run(self, clauses: list[str]) -> list[CheckResult]:
        """Play blocks until there is a verdict, and answer it."""
        processes = max(max(mode.crew) for mode in self._modes) + 1
        failure = ""
        try:
            with WorkerPool(
                self._target,
                processes=processes,
                threads=_THREADS if processes == 1 else 2,
                run_dir=self._home,
                clock=self._clock(),
            ) as pool:
                self._started = monotonic_ns()
                failure = self._alone(pool)
                if not failure:
                    self._play(pool)
        except WorkerLost as lost:
            last = f"; it printed last: {lost.tail[-1]}" if lost.tail else ""
            failure = f"{lost}{last}"
        return [self._result(clause, failure) for clause in clauses]

    def _clock(self) -> Clock:
        if self._capabilities.virtual_clock:
            return SharedClock(self._home / "clock", start_ms=VIRTUAL_START_MS)
        return SystemClock()

    def _shape(self, clients: int) -> generator.Shape:
        limits = self._capabilities.limits
        return generator.Shape(
            prefix=self._prefix,
            seed=self._seed,
            clients=clients,
            operations=self._capabilities.operations,
            ttl_unit_ms=self._capabilities.ttl_unit_ms,
            row_cap=limits.plugin_row_cap,
            evicts_at_cap=limits.cap_policy == "evict-oldest",
            virtual=self._capabilities.virtual_clock,
        )

    def _alone(self, pool: WorkerPool) -> str:
        """Make each operation once outside any race; answer what is wrong with that."""
        rounds = generator.block("alone", self._shape(1), 0, 1)
        block = pool.play(Block(rounds=rounds, crew=(0,)))
        for operation in block.operations:
            if not isinstance(operation.outcome, Ok):
                raised = happened([operation])[0].partition("  ")[2]
                return f"before any race, one client alone: {raised}"
        return ""

    def _play(self, pool: WorkerPool) -> None:
        shapes = {len(mode.crew): self._shape(len(mode.crew)) for mode in self._modes}
        rounds, number = _ROUNDS_FIRST, 0
        while not self._over():
            mode = self._modes[number % len(self._modes)]
            written = generator.block(self._race.kind, shapes[len(mode.crew)], number, rounds)
            block = pool.play(
                Block(
                    rounds=written,
                    crew=mode.crew,
                    shared_handle=mode.shared_handle,
                    noise=f"{self._seed}/{number}" if mode.noise else None,
                    stop_after_s=max(self._hard_s - self._elapsed_s(), 0.1),
                )
            )
            self._judge(block)
            self._report()
            number += 1
            rounds = _next_rounds(len(block.played), block.seconds)

    def _over(self) -> bool:
        elapsed_s = self._elapsed_s()
        reached = self._evidence() >= self._floor and elapsed_s >= self._budget_s
        return bool(self._broken or self._stumble) or reached or elapsed_s >= self._hard_s

    def _judge(self, block: PlayedBlock) -> None:
        ruling = RULINGS[self._race.kind]
        rounds = sound_rounds(
            block, real_time=ruling.timed and not self._capabilities.virtual_clock
        )
        self._unsound += len(block.played) - len(rounds)
        if ruling.chained:
            self._stumble = broken_chain(block)
        for broken in ruling.judge(rounds):
            self._broken.setdefault(self._clause_of(broken), broken)
        self._met += ruling.meter([each for played in rounds for each in played.operations])
        self._handles = max(self._handles, block.handles)
        self._processes = max(self._processes, block.processes)

    def _clause_of(self, broken: Broken) -> str:
        failed = broken.kind in {"error", "refused-with-room"}
        return self._race.clauses[-1 if failed else 0]

    def _elapsed_s(self) -> float:
        return (monotonic_ns() - self._started) / 1e9

    def _evidence(self) -> int:
        return self._met.across if self._race.level == "process" else self._met.contested

    def _report(self) -> None:
        self._on_progress(
            Progress(
                check=self._race.name,
                done=self._evidence(),
                total=self._floor,
                elapsed_s=self._elapsed_s(),
                budget_s=self._budget_s,
                counters={"rounds": self._met.rounds, "calls": self._met.calls},
            )
        )

    def _result(self, clause: str, failure: str) -> CheckResult:
        violation = None
        if clause in self._broken:
            status, reason = Status.FAIL, self._broken[clause].summary
            violation = self._violation(clause, self._broken[clause])
        elif failure:
            status, reason = Status.ERROR, failure
        elif self._evidence() >= self._floor:
            status, reason = Status.PASS, ""
        else:
            status, reason = Status.UNTESTED, self._too_little()
        return CheckResult(
            check=self._race.name,
            clause=clause,
            status=status,
            reason=reason,
            evidence={
                "rounds": self._met.rounds,
                "calls": self._met.calls,
                "contested keys": self._met.contested,
                "contested across processes": self._met.across,
                "overlapping pairs": self._met.pairs,
                "handles": self._handles,
                "processes": self._processes,
                "rounds not judged": self._unsound,
            },
            violation=violation,
            seconds=self._elapsed_s(),
        )

    def _too_little(self) -> str:
        if self._stumble:
            return self._stumble
        if self._broken:
            return "the race ended at a violation of another clause before it reached its floor"
        where = "in different processes " if self._race.level == "process" else ""
        return (
            f"clients {where}met at {self._evidence()} keys in {self._elapsed_s():.1f} s on "
            f"{os.cpu_count()} cores; {self._floor} are needed: give it a larger budget or a less "
            f"busy machine"
        )

    def _violation(self, clause: str, broken: Broken) -> Violation:
        location = f" --location {self._target.location}" if self._target.location else ""
        return Violation(
            clause=clause,
            summary=broken.summary,
            happened=happened(broken.operations),
            why=broken.why,
            reproduce=f"onewinner verify {self._target.name} -k {clause} --seed {self._seed}"
            + location,
        )


def _next_rounds(played: int, seconds: float) -> int:
    """Answer how many rounds fit into a block: long enough to be worth it, short enough to stop."""
    wanted = int(max(played, 1) * _BLOCK_S / max(seconds, 0.001))
    return max(1, min(wanted, _ROUNDS_MOST, played * 3 + 1))
