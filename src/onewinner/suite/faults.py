"""The register of the checks with faults: what each does, the clauses it judges, and how it tells.

Each check fills a `Tally`: what was done, how often, and by clause the first thing that nothing
explains. From that one place come status, evidence and violation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from onewinner.clock import monotonic_ns
from onewinner.contract.clauses import CLAUSES
from onewinner.runner import ChildError
from onewinner.schedule.asleep import cannot_tell_who_sleeps
from onewinner.suite.heat import reproduce
from onewinner.suite.kept import Kept
from onewinner.suite.linearity import model_for
from onewinner.suite.options import Progress
from onewinner.suite.rulings import DRIFT_MAX_MS
from onewinner.suite.traffic import Traffic
from onewinner.suite.tree import CheckResult, Status, Violation
from onewinner.suite.underway import CLAIMS
from onewinner.suite.underway import FAULTS as FAULTS_SURVIVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.suite.ground import Story
    from onewinner.suite.options import Listener


_FAULT: Final = re.compile(
    r"^(killed |storms$|restarts$|forks$|clock steps$|stopped inside|errors of storage$)"
    r"|with a failed call$|the disk was full$"
)
"""The counts that are of faults, not of what came of them."""


@dataclass(slots=True)
class Broken:
    """A clause that was seen broken: one sentence, what happened, and which rule it breaks.

    `story` is what happened as it is drawn and judged again, where it was made of calls.
    """

    summary: str
    happened: tuple[str, ...]
    why: str
    story: Story | None = None


@dataclass(slots=True)
class Tally:
    """What one check did: `counts` by name, what it found by clause, and what it could not do.

    `lacking` says by clause why nothing can be said about it; `left_out` why it does not apply.
    `notes` tell whoever reads the run what this machine did not allow. `heard` is called whenever
    something was counted.
    """

    counts: dict[str, int | str] = field(default_factory=dict)
    broken: dict[str, Broken] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    heard: Callable[[], None] = field(default=lambda: None)

    def count(self, name: str, by: int = 1) -> None:
        """Count what was done."""
        self.counts[name] = self.number(name) + by
        self.heard()

    @property
    def faults(self) -> int:
        """How often something was done to the store or to its clients."""
        return sum(self.number(name) for name in self.counts if _FAULT.search(name))

    def number(self, name: str) -> int:
        """Answer how often something was done."""
        counted = self.counts.get(name, 0)
        return counted if isinstance(counted, int) else 0

    def blame(self, clause: str, summary: str, happened: tuple[str, ...] | Story, why: str) -> None:
        """Note that a clause was seen broken; the first time counts."""
        if isinstance(happened, tuple):
            broken = Broken(summary, happened, why)
        else:
            broken = Broken(summary, happened.lines, why, happened)
        self.broken.setdefault(clause, broken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a check with faults is asked to do; `kept` takes the history of its calls and acts.

    `stop_at_first`: the first clause that is seen broken is enough. `brief`: only a first look is
    asked for, within the budget, so that what was found right is no evidence. `traffic` counts the
    calls that are made.
    """

    target: Target
    capabilities: Capabilities
    home: Path
    budget_s: float
    seed: int
    clauses: AbstractSet[str]
    kept: Kept | None = None
    stop_at_first: bool = False
    brief: bool = False
    traffic: Traffic = field(default_factory=Traffic)

    def time_s(self, least_s: float) -> float:
        """Answer the seconds that the check has, at least so many where it is to be evidence."""
        return self.budget_s if self.brief else max(self.budget_s, least_s)

    def told(self, tally: Tally) -> bool:
        """Tell whether nothing more is to be found out."""
        broken = tally.broken.keys()
        return self.clauses <= broken or (self.stop_at_first and bool(broken))

    def applies(self, clause: str) -> bool:
        """Tell whether a clause is asked for and the store declares what it needs."""
        return clause in self.clauses and CLAUSES[clause].missing(self.capabilities) is None


Run: TypeAlias = "Callable[[Ask, Tally], None]"


@dataclass(frozen=True, slots=True)
class Fault:
    """A check with faults: the clauses that it judges, and where its work stands in code.

    `holds`: it holds claimants at points, which takes a system that tells who sleeps. `long`: it
    waits, or goes on for as long as it has time. `real`: it is about stores that have a clock of
    their own; those that take their time from the kit have cases for it.
    """

    clauses: tuple[str, ...]
    find: Callable[[], Run]
    holds: bool = True
    long: bool = False
    real: bool = False


def _kills() -> Run:
    from onewinner.suite.kills import run_kills

    return run_kills


def _kills_at_system_calls() -> Run:
    from onewinner.suite.kills import run_kills_at_system_calls

    return run_kills_at_system_calls


def _storms() -> Run:
    from onewinner.suite.kill_storms import run_storms

    return run_storms


def _restarts() -> Run:
    from onewinner.suite.restarts import run_restarts

    return run_restarts


def _stops() -> Run:
    from onewinner.suite.stops import run_stops

    return run_stops


def _forks() -> Run:
    from onewinner.suite.forks import run_forks

    return run_forks


def _full_disk() -> Run:
    from onewinner.suite.full_disk import run_full_disk

    return run_full_disk


def _failed_calls() -> Run:
    from onewinner.suite.failed_calls import run_failed_calls

    return run_failed_calls


def _files() -> Run:
    from onewinner.suite.files import run_files

    return run_files


def _clock_steps() -> Run:
    from onewinner.suite.clock_steps import run_clock_steps

    return run_clock_steps


FAULTS: Final[dict[str, Fault]] = {
    "files": Fault(("DUR-9", "ERR-7", "ERR-1"), _files, holds=False),
    "server-restarts": Fault(("DUR-3", "DUR-4", "DUR-6"), _restarts, holds=False),
    "forks": Fault(("DUR-8",), _forks, holds=False),
    "clock-steps": Fault(("TTL-8", "EVICT-2"), _clock_steps, holds=False, real=True),
    "full-disk": Fault(("ERR-5", "ERR-6"), _full_disk),
    "kills-at-points": Fault(("DUR-4", "DUR-3", "DUR-5", "DUR-6"), _kills),
    "kills-at-system-calls": Fault(("DUR-4", "DUR-3", "DUR-5", "DUR-6"), _kills_at_system_calls),
    "kills-in-storms": Fault(("DUR-3", "DUR-4", "DUR-6"), _storms, long=True),
    "stops-at-points": Fault(("DUR-7",), _stops, long=True),
    "failed-system-calls": Fault(("ERR-5", "ERR-6", "DEL-1"), _failed_calls, long=True),
}


def run_fault(
    name: str,
    target: Target,
    capabilities: Capabilities,
    *,
    run_dir: Path,
    budget_s: float,
    seed: int,
    chosen: AbstractSet[str] = frozenset(CLAUSES),
    histories: Path | None = None,
    stop_at_first: bool = False,
    brief: bool = False,
    on_progress: Listener | None = None,
) -> list[CheckResult]:
    """Run one check with faults, and answer a result for each of its clauses that applies.

    Its history is kept in `histories`, where given. With `stop_at_first` the first clause that is
    seen broken ends it, and with `brief` it only has a first look, as long as the budget says: then
    only what is broken has a result.
    """
    started = monotonic_ns()
    fault = FAULTS[name]
    ask = Ask(
        target=target,
        capabilities=capabilities,
        home=run_dir / name,
        budget_s=budget_s,
        seed=seed,
        clauses=frozenset(fault.clauses) & chosen,
        kept=None if histories is None else Kept(histories, name, _eps_ms(capabilities)),
        stop_at_first=stop_at_first,
        brief=brief,
    )
    tally = Tally()
    if on_progress is not None:
        tally.heard = lambda: on_progress(_progress(name, ask, tally, started))
    failure = ""
    refusal = cannot_tell_who_sleeps() if fault.holds else None
    try:
        if refusal is None:
            fault.find()(ask, tally)
        else:
            tally.lacking = dict.fromkeys(fault.clauses, refusal)
    except (ChildError, RuntimeError) as error:
        failure = str(error)
    seconds = (monotonic_ns() - started) / 1e9
    results = _results(name, ask, tally, failure, seconds)
    cut_off = brief or (stop_at_first and tally.broken)
    return [each for each in results if not cut_off or each.status is Status.FAIL]


def _progress(name: str, ask: Ask, tally: Tally, started_ns: int) -> Progress:
    made = ask.traffic.calls.items()
    claims = sum(classes.total() for (_, f), classes in made if f == "register_if_absent")
    return Progress(
        check=name,
        done=0,
        total=0,
        elapsed_s=(monotonic_ns() - started_ns) / 1e9,
        budget_s=ask.budget_s,
        counters={CLAIMS: claims, FAULTS_SURVIVED: tally.faults},
    )


def _eps_ms(capabilities: Capabilities) -> int:
    return model_for(capabilities, DRIFT_MAX_MS).eps_ms


def _results(
    name: str, ask: Ask, tally: Tally, failure: str, seconds: float
) -> Iterator[CheckResult]:
    for clause in FAULTS[name].clauses:
        broken = tally.broken.get(clause)
        if not ask.applies(clause):
            continue
        status, reason = Status.PASS, ""
        if broken is not None:
            status, reason = Status.FAIL, broken.summary
        elif failure:
            status, reason = Status.ERROR, failure
        elif clause in tally.left_out:
            status, reason = Status.NA, tally.left_out[clause]
        elif clause in tally.lacking:
            status, reason = Status.UNTESTED, tally.lacking[clause]
        yield CheckResult(
            check=name,
            clause=clause,
            status=status,
            reason=reason,
            evidence=dict(tally.counts),
            violation=None if broken is None else _violation(clause, broken, ask),
            seconds=seconds,
            traffic=ask.traffic if clause == FAULTS[name].clauses[0] else None,
            notes=tuple(f"{name}: {note}" for note in tally.notes),
        )


def _violation(clause: str, broken: Broken, ask: Ask) -> Violation:
    return Violation(
        clause=clause,
        summary=broken.summary,
        happened=broken.happened,
        why=broken.why,
        reproduce=f"{reproduce(ask.target, clause, ask.seed)} --level crash",
        timeline=None if broken.story is None else broken.story.timeline,
        recorded=None if broken.story is None else broken.story.recorded,
    )
