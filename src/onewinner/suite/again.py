"""One schedule run again, as a replay token tells it."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onewinner.contract.clauses import CLAUSES
from onewinner.schedule.asleep import cannot_tell_who_sleeps
from onewinner.schedule.scenarios import scenarios
from onewinner.suite.engine import probe
from onewinner.suite.held import bad_of, violation
from onewinner.suite.orders import Judge
from onewinner.suite.replay import TokenError
from onewinner.suite.schedules import Sweeps, crew_for
from onewinner.suite.scratch import scratch_directory
from onewinner.suite.servers import served
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.schedule.scenario import Scenario
    from onewinner.schedule.sweep import Ran
    from onewinner.suite.replay import Token
    from onewinner.suite.tree import Violation

_RUNS_OF_A_CREW: Final = 10


@dataclass(frozen=True, slots=True)
class Replayed:
    """One schedule run again, so many times: how often it went wrong, and how it went."""

    token: Token
    times: int
    wrong: int
    unreached: int
    shown: Violation | None

    @property
    def exit_code(self) -> ExitCode:
        """1 where it went wrong at all, 7 where the schedule could not be run as told, else 0."""
        if self.wrong:
            return ExitCode.VIOLATION
        return ExitCode.INCONCLUSIVE if self.unreached else ExitCode.CONFORMS

    def lines(self) -> Iterator[str]:
        """Yield what to print: how it went, and the count."""
        if self.shown is not None:
            yield self.shown.summary
            yield from (f"  {line}" for line in self.shown.happened)
            yield f"Why: {self.shown.why}"
        elif self.unreached:
            yield "a claimant did not come to the point at which it was to be held"
        yield (
            f"onewinner: {self.token.target}, {self.token.scenario}: "
            f"went wrong {self.wrong} of {self.times} times"
        )


def replayed(
    target: Target, token: Token, times: int, *, on_run: Callable[[int], None] = lambda _: None
) -> Replayed:
    """Run a schedule again on a fresh store with a fresh crew, both replaced after each ten runs.

    Each run has a plugin of its own, which nobody used before. `on_run` is told how many were made.

    Raises TokenError where the target has no such scenario or nothing can be held here, TargetError
    where it cannot be had.
    """
    if (refusal := cannot_tell_who_sleeps()) is not None:
        raise TokenError(refusal)
    wrong = unreached = 0
    shown: Violation | None = None
    with scratch_directory() as run_dir, served(target, run_dir) as located:
        capabilities = probe(located, run_dir)
        by_name = {each.name: each for each in scenarios(capabilities)}
        if token.scenario not in by_name:
            raise TokenError(
                f"{token.target} has no scenario {token.scenario!r} with what it declares now"
            )
        judge, made = Judge(capabilities), 0
        while made < times:
            home, runs = Path(run_dir) / f"{made}", min(_RUNS_OF_A_CREW, times - made)
            for ran in _again(located, capabilities, home, token, by_name, runs):
                made += 1
                on_run(made)
                bad = bad_of(ran, judge)
                wrong += bad is not None
                unreached += bad is None and not ran.reached
                if bad is not None and shown is None:
                    clause = str(ran.scenario.clause(processes=token.processes))
                    shown = violation(bad, target.name, clause, token.processes)
    return Replayed(token, times, wrong, unreached, shown)


def _again(
    target: Target,
    capabilities: Capabilities,
    home: Path,
    token: Token,
    by_name: dict[str, Scenario],
    runs: int,
) -> Iterator[Ran]:
    """Run it so often with one crew, or until a claimant dies of it."""
    home.mkdir()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        crew, clock = crew_for(
            stack,
            target,
            capabilities,
            home,
            processes=token.processes,
            shared=token.shared,
        )
        sweeps = Sweeps(target, capabilities, home, token.processes, frozenset(CLAUSES))
        stage = sweeps.stage(crew, clock, by_name[token.scenario], token.boundary)
        stage.unheld()  # the first calls of a process differ from all that follow
        for _ in range(runs):
            ran = stage.run(token.segments)
            yield ran
            if ran.died:
                return
