"""One run of one race: blocks of rounds are played and judged until there is a verdict."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from onewinner import generator
from onewinner.checker.campaign import UNDECIDED
from onewinner.checker.contention import Contention
from onewinner.clock import monotonic_ns
from onewinner.contract.clauses import CLAUSES
from onewinner.generator.vacancies import MANY_EVERY
from onewinner.history import Ok
from onewinner.runner import Block
from onewinner.suite.engine import Progress
from onewinner.suite.linearity import history_of, judged, model_for, of_one_location
from onewinner.suite.processors import processors
from onewinner.suite.rejudging import KEYS, RACE, facts_of
from onewinner.suite.rulings import (
    DRIFT_MAX_MS,
    RULINGS,
    broken_chain,
    drawn,
    happened,
    sound_rounds,
)
from onewinner.suite.traffic import Traffic
from onewinner.suite.tree import CheckResult, Recorded, Status, Violation, rule_of_three
from onewinner.suite.underway import CLAIMS, OVERLAPS, claims_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from onewinner.adapters.targets import Target
    from onewinner.checker.invariants import Broken
    from onewinner.contract import Capabilities
    from onewinner.runner import Played, PlayedBlock, WorkerPool
    from onewinner.suite.engine import Listener
    from onewinner.suite.kept import Kept
    from onewinner.suite.races import Mode, Race

_HARD_FACTOR: Final = 4.0
_HARD_LEAST_S: Final = 10.0
_BLOCK_S: Final = 0.3
_PROCESSES_FIRST: Final = (3, 3, 4, 6, 8, 8)
_COUNTED_FIRST: Final = (12, 12, 12, 12, 12, 12)
_ROUNDS_FIRST: Final = {
    "thread": (2, 10, 8, 8, 8, 8),
    "process": _PROCESSES_FIRST,
    "crash": _PROCESSES_FIRST,
}
_AHEAD: Final = 2
_STALLS_TOO_MANY: Final = 3
_ROUNDS_MOST: Final = 200


class Heat:
    """One run of one race against one target.

    `prefix` begins every plugin id that it uses. The budget counts from `play` on; a `brief` one is
    over when it is spent, whatever was reached.
    """

    def __init__(
        self,
        race: Race,
        target: Target,
        capabilities: Capabilities,
        *,
        prefix: str,
        budget_s: float,
        seed: int,
        on_progress: Listener,
        kept: Kept | None = None,
        brief: bool = False,
    ) -> None:
        self._race = race
        self._target = target
        self._capabilities = capabilities
        self._prefix = prefix
        self._budget_s = budget_s
        self._hard_s = budget_s if brief else max(budget_s * _HARD_FACTOR, _HARD_LEAST_S)
        self._seed = seed
        self._on_progress = on_progress
        self._kept = kept
        self._where: dict[str, Path] = {}
        self._floor = race.floor_for(capabilities)
        self._ruling = RULINGS[race.kind]
        self._first = _COUNTED_FIRST if self._ruling.counted else _ROUNDS_FIRST[race.level]
        self._modes = race.modes_for(capabilities)
        self._created = self._started = monotonic_ns()
        self._met = Contention()
        self._handles = self._processes = self._unsound = self._claims = 0
        self._undecided: set[int] = set()
        self._keys = self._keys_undecided = 0
        self._broken: dict[str, Broken] = {}
        self._hits: dict[str, set[tuple[object, ...]]] = {}
        self._racing_ns = self._found_ns = 0
        self._stalls: set[int] = set()
        self._stumble = ""
        self._recorded: dict[str, Recorded] = {}
        self._traffic = Traffic()

    def play(self, pool: WorkerPool) -> str:
        """Play until there is a verdict; answer why it cannot be had, nothing where it can.

        Raises WorkerLost where a worker hangs or dies.
        """
        self._started = monotonic_ns()
        failure = self._alone(pool)
        if failure:
            return failure
        number, playing = 0, deque[int]()
        pace = dict(enumerate(self._first))
        self._racing_ns = monotonic_ns()
        while pool.under_way or not self._over():
            # The first block is judged at once, for most bugs show in it; later ones are played
            # while the one before is judged.
            while pool.under_way < max(1, min(number, _AHEAD)) and not self._over():
                pool.start(self._block(number, pace.get(number, 2)))
                playing.append(number)
                number += 1
            played = pool.finish()
            again = playing.popleft() + MANY_EVERY  # many keys a round and few: a pace for each
            pace[again] = _next_rounds(len(played.played), played.seconds)
            self._judge(played)
            self._report()
        return ""

    def _alone(self, pool: WorkerPool) -> str:
        """Make each operation once outside any race; answer what is wrong with that."""
        rounds = generator.block("alone", self._shape(1), 0, 1)
        block = pool.play(Block(rounds=rounds, crew=(0,)))
        for operation in block.operations:
            if not isinstance(operation.outcome, Ok):
                raised = happened([operation])[0].partition("  ")[2]
                return f"before any race, one client alone: {raised}"
        return ""

    def _block(self, number: int, rounds: int) -> Block:
        mode = self._modes[number % len(self._modes)]
        return Block(
            rounds=generator.block(self._race.kind, self._shape(len(mode.crew)), number, rounds),
            crew=mode.crew,
            shared_handle=mode.shared_handle,
            noise=f"{self._seed}/{number}" if mode.noise else None,
            keep_open=True,  # a database that was closed is for the rounds that have a new one
            sitting=self._prefix if number < len(self._first) and self._sits(mode) else None,
            stop_after_s=max(self._hard_s - self._elapsed_s(), 0.1),
        )

    def _sits(self, mode: Mode) -> bool:
        """Tell whether clients may go on with connections that others of their name have made.

        Each block has threads of its own; only who is alone in a process is always the same one.
        """
        alone = len(set(mode.crew)) == len(mode.crew)
        return not mode.noise and (alone or self._capabilities.handle_scope == "process")

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
            strict_ages=self._capabilities.strict_ages,
        )

    def _over(self) -> bool:
        elapsed_s = self._elapsed_s()
        reached = self._evidence() >= self._floor and elapsed_s >= self._budget_s
        return bool(self._broken or self._stumble) or reached or elapsed_s >= self._hard_s

    def _judge(self, block: PlayedBlock) -> None:
        real_time = self._ruling.timed and not self._capabilities.virtual_clock
        rounds = sound_rounds(block, real_time=real_time)
        self._unsound += len(block.played) - len(rounds)
        if self._ruling.chained:
            self._stumble = broken_chain(block)
        if not self._stumble:
            for broken in self._ruling.judge(rounds):
                self._note(broken, rounds)
        self._met += self._ruling.meter(
            [
                each
                for played in rounds
                if played.serial not in self._undecided
                for each in played.operations
            ]
        )
        self._judge_histories(block)
        self._claims += claims_in(block.operations)
        self._traffic.note(each for each in block.operations if each.extra["phase"] == "volley")
        self._handles = max(self._handles, block.handles)
        self._processes = max(self._processes, block.processes)

    def _judge_histories(self, block: PlayedBlock) -> None:
        """Let the linearizability checker look at the whole block; it needs no round to be sound.

        Where time is real, a wall clock that was set makes TTLs impossible to judge.
        """
        virtual = self._capabilities.virtual_clock
        steady = virtual or all(each.drift_ms <= DRIFT_MAX_MS for each in block.played)
        if not self._ruling.keyed or not steady:
            return
        server = self._target.location is not None
        model = model_for(self._capabilities, DRIFT_MAX_MS)
        for rounds in of_one_location(block.played):
            history = list(history_of(rounds, virtual=virtual, server=server))
            path = self._kept.write(history) if self._kept is not None else None
            found = judged(history, model)
            self._keys += found.keys - found.undecided
            self._keys_undecided += found.undecided
            if found.broken is not None:
                clause = self._note_history(found.broken)
                self._recorded[clause] = Recorded(
                    operations=tuple(history), judge=KEYS, eps_ms=model.eps_ms
                )
                if path is not None:
                    self._where.setdefault(clause, path)

    def recover(self, block: PlayedBlock) -> None:
        """Judge a block whose workers are gone by what their journals tell.

        Only as histories: the rulings count on rounds that were played to their end.
        """
        self._judge_histories(block)

    def _note_history(self, broken: Broken) -> str:
        """Answer the clause; what a ruling has told in many calls is shown by the checker's few."""
        clause = self._clause_of(broken)
        known = self._broken.get(clause)
        self._hit(clause, broken)
        if known is None:
            self._broken[clause] = broken
        elif len(known.operations) > len(broken.operations):
            self._broken[clause] = replace(broken, why=known.why)
        return clause

    def _note(self, broken: Broken, rounds: Sequence[Played]) -> None:
        """Keep a violation; failures after a stall count only if they come again and again.

        A round on which the judge's budget ran out is neither a violation nor evidence.
        """
        if broken.kind == UNDECIDED:
            self._undecided.add(broken.operations[0].extra["round"])
            return
        if broken.kind == "stalled":
            self._stalls.add(broken.operations[0].extra["round"])
            if len(self._stalls) < _STALLS_TOO_MANY:
                return
        clause = self._clause_of(broken)
        known = self._broken.get(clause)
        self._hit(clause, broken)
        if known is None or len(broken.operations) < len(known.operations):
            self._broken[clause] = broken  # of a block's violations the one that is told fastest
        if clause not in self._recorded:
            serials = {each.extra.get("round") for each in broken.operations}
            seen = [each for each in rounds if each.serial in serials]
            self._recorded[clause] = Recorded(
                operations=tuple(each for played in seen for each in played.operations),
                judge=f"{RACE}{self._race.kind}",
                rounds=facts_of(seen),
            )

    def _hit(self, clause: str, broken: Broken) -> None:
        """Count the round, which is one key of one volley, in which something was wrong."""
        self._found_ns = self._found_ns or monotonic_ns()
        first = broken.operations[0]
        value = first.value
        where = (first.extra.get("round"), value["plugin"], value["namespace"], value["key"])
        self._hits.setdefault(clause, set()).add(where)

    @property
    def found_ms(self) -> float | None:
        """How long after the start of the first block the first violation was known, if any."""
        return (self._found_ns - self._racing_ns) / 1e6 if self._found_ns else None

    def _clause_of(self, broken: Broken) -> str:
        about = self._ruling.elsewhere.get(broken.kind)
        if about is not None and CLAUSES[about].missing(self._capabilities) is None:
            return about
        failed = broken.kind in {"error", "stalled", "refused-with-room"}
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
                counters={CLAIMS: self._claims, OVERLAPS: self._met.contested},
            )
        )

    def result(self, clause: str, failure: str) -> CheckResult:
        """Answer what was found out about a clause; `failure` says why the race was cut short."""
        violation = None
        if clause in self._broken:
            status, reason = Status.FAIL, self._broken[clause].summary
            violation = self._violation(clause, self._broken[clause])
        elif failure:
            status, reason = Status.ERROR, failure
        elif self._evidence() >= self._floor and not self._stumble:
            status, reason = Status.PASS, ""
        else:
            status, reason = Status.UNTESTED, self._too_little()
        return CheckResult(
            check=self._race.name,
            clause=clause,
            status=status,
            reason=reason,
            evidence={**self._stress(clause, status), **self._counts()},
            violation=violation,
            seconds=(monotonic_ns() - self._created) / 1e9,
            traffic=self._traffic if clause == self._race.clauses[0] else None,
        )

    def _stress(self, clause: str, status: Status) -> dict[str, int | str]:
        """Say how often it went wrong; a round is one contested key (or namespace)."""
        wrong = len(self._hits.get(clause, ()))
        rounds = max(self._evidence(), wrong)
        if status is Status.PASS:
            return {"stress": rule_of_three(rounds), "stress rounds": rounds}
        return {"stress": f"wrong in {wrong:,} of {rounds:,} rounds", "stress rounds": rounds}

    def _counts(self) -> dict[str, int | float | str]:
        return {
            "rounds": self._met.rounds,
            "calls": self._met.calls,
            "contested keys": self._met.contested,
            "contested across processes": self._met.across,
            "overlapping pairs": self._met.pairs,
            "handles": self._handles,
            "processes": self._processes,
            "rounds not judged": self._unsound,
            "rounds stalled": len(self._stalls),
            **({"keys judged as histories": self._keys} if self._ruling.keyed else {}),
            **({"keys undecided": self._keys_undecided} if self._keys_undecided else {}),
            **({"rounds undecided": len(self._undecided)} if self._undecided else {}),
        }

    def _too_little(self) -> str:
        if self._stumble:
            return self._stumble
        if self._broken:
            return "the race ended at a violation of another clause before it reached its floor"
        unjudged = f"; {len(self._undecided)} rounds were not decided" if self._undecided else ""
        where = "in different processes " if self._race.level == "process" else ""
        return (
            f"clients {where}met at {self._evidence()} keys in {self._elapsed_s():.1f} s on "
            f"{processors()} cores; {self._floor} are needed{unjudged}: give it a larger budget "
            f"or a less busy machine"
        )

    def _violation(self, clause: str, broken: Broken) -> Violation:
        return Violation(
            clause=clause,
            summary=broken.summary,
            happened=broken.drawn or happened(broken.operations),
            why=broken.why,
            reproduce=reproduce(self._target, clause, self._seed),
            history=str(self._where.get(clause, "")),
            timeline=drawn(broken),
            recorded=self._recorded.get(clause),
        )


def reproduce(target: Target, clause: str, seed: int) -> str:
    """Answer the command that runs a clause's checks again."""
    location = f" --location {target.address}" if target.address else ""
    return f"onewinner verify {target.name} -k {clause} --seed {seed}{location}"


def _next_rounds(played: int, seconds: float) -> int:
    """Answer how many rounds fit into a block: long enough to be worth it, short enough to stop."""
    wanted = int(max(played, 1) * _BLOCK_S / max(seconds, 0.001))
    return max(1, min(wanted, _ROUNDS_MOST, played * 2 + 1))
