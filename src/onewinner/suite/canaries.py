"""Calibration: races that are certainly there, run on this machine before the races of a store.

A race that nobody lost is worth what the same harness finds on the same machine. So each canary is
raced for a fraction of a second, and how soon it was found is told beside the verdict. Where not
even the easiest one was found, the races of that level are `untested`, whatever they say.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from onewinner import generator
from onewinner.adapters.targets import Target
from onewinner.clock import SharedClock, monotonic_ns, virtual_start_ms
from onewinner.generator.vacancies import MANY_AT, MANY_EVERY
from onewinner.mutants import canaries
from onewinner.runner import Block, ChildError, WorkerLost, WorkerPool
from onewinner.suite.processors import processors
from onewinner.suite.rulings import RULINGS, sound_rounds
from onewinner.suite.tree import Canary, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from onewinner.contract.clauses import Level
    from onewinner.runner import PlayedBlock
    from onewinner.suite.tree import CheckResult

BOUND_S: Final = 0.5
"""How long one canary is raced where it is not found sooner."""

_HARD_S: Final = 5.0
_LEAST: Final = 60


@dataclass(frozen=True, slots=True)
class _Perch:
    """Where one canary sits: which store, which race, whose clients, and whether it is easy."""

    which: str
    name: str
    kind: str
    crew: tuple[int, ...]
    easiest: bool = False
    blocks: tuple[int, ...] = (0, 1, 2, 3, 4, 6)
    rounds: tuple[int, ...] = (2, 4, 8, 8, 8, 8)

    @property
    def level(self) -> Level:
        return "process" if max(self.crew) else "thread"


_PERCHES: Final = (
    _Perch(canaries.MEMORY, "check, then set, in memory", "claims", (0, 0, 0, 0), easiest=True),
    _Perch(canaries.LOOK, "look, then write", "claims", (0, 1, 2, 3), easiest=True),
    _Perch(canaries.PRUNE, "prune, then claim", "reclaims", (0, 1, 2, 3)),
    _Perch(
        canaries.SHARED,
        "check, then set, in shared memory",
        "claims",
        (0, 1, 2, 3),
        blocks=tuple(MANY_AT + MANY_EVERY * number for number in range(6)),
        rounds=(1, 1, 2, 2, 2, 2),  # with hundreds of keys each
    ),
)


def calibrate(
    run_dir: Path, levels: Iterable[Level], *, seed: int, bound_s: float = BOUND_S
) -> tuple[Canary, ...]:
    """Race the canaries of these levels, and answer how soon each was found.

    A canary that kills its workers was not found, nor were those after it.
    """
    wanted = [each for each in _PERCHES if each.level in set(levels)]
    found: list[Canary] = []
    if not wanted:
        return ()
    home = run_dir / "canaries"
    home.mkdir()
    try:
        with WorkerPool(
            Target(canaries.TARGET),
            processes=1 + max(max(each.crew) for each in wanted),
            threads=4,
            run_dir=home,
            clock=SharedClock(home / "clock", start_ms=virtual_start_ms(1)),
        ) as pool:
            found += (_race(pool, perch, seed, bound_s) for perch in wanted)
    except (ChildError, WorkerLost) as error:
        found += (
            replace(_unfound(perch, 0, 0.0), reason=str(error)) for perch in wanted[len(found) :]
        )
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return tuple(found)


def _race(pool: WorkerPool, perch: _Perch, seed: int, bound_s: float) -> Canary:
    """Race one canary until it is found.

    On a machine too busy for clients to meet often the easiest is raced for longer, like any store.
    """
    started = monotonic_ns()
    met = elapsed_s = 0.0
    while _goes_on(perch, met, elapsed_s, bound_s):
        for block in _blocks(perch, seed):
            played = pool.play(block)
            lost = _lost(perch, played)
            elapsed_s = (monotonic_ns() - started) / 1e9
            met += _met(perch, played)
            if lost:
                return replace(_unfound(perch, int(met), elapsed_s), found_ms=elapsed_s * 1e3)
            if not _goes_on(perch, met, elapsed_s, bound_s):
                break
        seed += 1
    return _unfound(perch, int(met), elapsed_s)


def _goes_on(perch: _Perch, met: float, elapsed_s: float, bound_s: float) -> bool:
    starved = perch.easiest and met < _LEAST and elapsed_s < _HARD_S
    return elapsed_s < bound_s or starved


def _unfound(perch: _Perch, rounds: int, seconds: float) -> Canary:
    return Canary(
        name=perch.name,
        level=perch.level,
        easiest=perch.easiest,
        found_ms=None,
        rounds=rounds,
        seconds=seconds,
    )


def _blocks(perch: _Perch, seed: int) -> Iterator[Block]:
    shape = generator.Shape(
        prefix=f"{perch.which}-{seed}",
        seed=seed,
        clients=len(perch.crew),
        operations=canaries.CAPABILITIES.operations,
        row_cap=None,
        virtual=True,
    )
    for number, rounds in zip(perch.blocks, perch.rounds, strict=True):
        yield Block(
            rounds=generator.block(perch.kind, shape, number, rounds),
            crew=perch.crew,
            noise=f"{seed}/{number}" if perch.level == "thread" else None,
            keep_open=True,
        )


def _lost(perch: _Perch, played: PlayedBlock) -> bool:
    broken = RULINGS[perch.kind].judge(sound_rounds(played, real_time=False))
    return next(iter(broken), None) is not None


def _met(perch: _Perch, played: PlayedBlock) -> int:
    met = RULINGS[perch.kind].meter(played.operations)
    return met.across if perch.level == "process" else met.contested


def sees(found: Iterable[Canary], level: Level) -> str:
    """Say why the races of a level are worth nothing on this machine; nothing where they are."""
    for each in found:
        if each.easiest and each.level == level and each.found_ms is None:
            more = f" ({each.reason})" if each.reason else ""
            return (
                f"this machine did not show a race that is certainly there: {each.name!r} was not "
                f"found in {each.rounds} rounds and {each.seconds:.1f} s{more}, so that nobody "
                f"lost the races proves nothing; try again on a less busy machine"
            )
    return ""


def calibrated(result: CheckResult, level: Level, found: tuple[Canary, ...]) -> CheckResult:
    """Answer the result of a race as it stands on this machine, with the canaries beside it."""
    if result.status is not Status.PASS or not found:
        return result
    own = [each for each in found if each.level == level]
    shown = {**result.evidence, "canaries": "; ".join(each.told for each in own)}
    blind = sees(found, level)
    if blind:
        return replace(result, status=Status.UNTESTED, reason=blind, evidence=shown)
    return replace(result, evidence=shown)


def left_to_control(result: CheckResult, earlier: Iterable[CheckResult]) -> CheckResult:
    """Leave to the sweeps what one processor cannot race: claimants meet on it by chance only.

    Only what a sweep has covered to its end and passed is left to it; all else stays `untested`.
    """
    if processors() > 1 or result.status is not Status.UNTESTED:
        return result
    passed = [e for e in earlier if e.clause == result.clause and e.status is Status.PASS]
    told = [(each.check, str(each.evidence.get("swept", ""))) for each in passed]
    swept = [check for check, covered in told if covered.startswith("all schedules ")]
    if not swept:
        return result
    reason = f"on one processor nothing runs at the same time: left to {swept[0]}"
    return replace(result, status=Status.NA, reason=reason)
