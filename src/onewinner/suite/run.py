"""One run of the gate under way: checks in, results out."""

from __future__ import annotations

import dataclasses
import shlex
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from onewinner.clock import monotonic_ns, wall_ns
from onewinner.contract.clauses import CLAUSES, Level, by_level
from onewinner.runner import call_in_child
from onewinner.suite import host
from onewinner.suite.options import (
    BUDGET_S,
    FAULT_SHARE,
    FIRST_SHARE,
    PROGRAM_SHARE,
    SWEEP_SHARE,
    Listener,
    Options,
)
from onewinner.suite.processors import processors
from onewinner.suite.provenance import as_plain, notes, versions
from onewinner.suite.registry import Check, checks_for, race_called, stresses, under_control
from onewinner.suite.traffic import merged
from onewinner.suite.tree import REPLAY, CheckResult, ClauseResult, RunResult, Status
from onewinner.suite.underway import Underway

if TYPE_CHECKING:
    from onewinner.adapters.targets import Target
    from onewinner.runner import Ended
    from onewinner.suite.races import Course, Race
    from onewinner.suite.tree import Canary

_DEATHS_MAX = 3
_BRIEF_S = 0.3
_BRIEF_FAULT_S = 1.0
_GROUP_S = 5.0
_SEEDS_APART = 1_000  # more than one part of the programs ever uses


class Run:
    """One run under way: what was found so far, and the time that is left."""

    def __init__(
        self,
        target: Target,
        probed: host.Probed,
        level: Level,
        options: Options,
        chosen: frozenset[str],
        run_dir: str,
        on_progress: Listener | None,
    ) -> None:
        self.target = target
        self.capabilities, self.probed = probed.declared, probed
        self.level = level
        self.options = options
        self.chosen = chosen
        self.run_dir = run_dir
        self.budget_s = BUDGET_S[level] if options.budget_s is None else options.budget_s
        self.seed = options.seed if options.seed is not None else wall_ns() & 0xFFFFFFFF
        self.started = monotonic_ns()
        self.results: list[CheckResult] = []
        self._deaths = 0
        self._failed: tuple[Check, int] | None = None
        self.checks = [c for c in checks_for(level, self.capabilities) if chosen & set(c.clauses)]
        asked = [
            dataclasses.replace(c, clauses=tuple(filter(chosen.__contains__, c.clauses)))
            for c in self.checks
        ]
        self.underway = Underway(on_progress, asked, self.budget_s, self.started)
        self._tell = self.underway.tell
        self.stopped = False
        self.canaries: tuple[Canary, ...] = ()

    def run(self) -> None:
        """Run all checks, those first that tell the most for their time.

        Cases and what is under control (see `under_control`), then a few random programs. After
        that what needs luck: races, and the other programs, which hardly ever find what all those
        have missed.
        """
        self._cases(many=False)
        if self.options.depth == "cases":
            self._cases(many=True)
            return
        stress = [check for check in self.checks if stresses(check)]
        self._all_controls(len(stress))
        if self.options.depth == "control":
            return
        self._host(self._programs(), late=False)
        if stress and not self._enough():
            self._calibrate(stress)
            self._race_all(stress)
        self._host(self._programs(), late=True)

    def _all_controls(self, more: int) -> None:
        """Run what is quick, the cases that write many rows, and what is under control besides.

        To stop at the first, the last waits until all faults had a look.
        """
        checks = under_control(self.checks, virtual=self.capabilities.virtual_clock)
        quick = list(takewhile(lambda check: check.kind != "sweep", checks))
        for check in quick:
            if not self._enough():
                self._control(check, more=more)
        self._cases(many=True)
        for check in checks[len(quick) :] if self.options.stop_at_first else ():
            if check.kind == "fault" and not self._enough():
                self._fault(check, brief=True)
        for check in checks[len(quick) :]:
            if not self._enough():
                self._control(check, more=more)

    def _cases(self, *, many: bool) -> None:
        cases = [check for check in self.checks if check.kind == "case" and check.many is many]
        self._host(cases, late=False)

    def _control(self, check: Check, *, more: int) -> None:
        if check.kind == "sweep":
            self._sweep(check)
        elif check.kind == "fault":
            self._fault(check)
        else:
            self._race_all([check], more=more)

    def tree(self) -> RunResult:
        """Answer what was found as the one value that reports are written from."""
        noted = (note for result in self.results for note in result.notes)
        return RunResult(
            target=self.target.name,
            level=self.level,
            clauses=tuple(self._clause_results()),
            capabilities=as_plain(self.capabilities),
            seed=self.seed,
            budget_s=self.budget_s,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=self._elapsed_s(),
            cores=processors(),
            versions=versions(),
            notes=tuple(dict.fromkeys([*notes(), *self.probed.notes, *noted])),
            stopped_early=self.stopped,
            whole=not self.stopped and len(self.chosen) == len(CLAUSES),
            canaries=self.canaries,
            traffic=merged(result.traffic for result in self.results),
            source=self.probed.source,
        )

    def _clause_results(self) -> list[ClauseResult]:
        found = []
        for clause in by_level(self.level):
            own = tuple(result for result in self.results if result.clause == clause.id)
            bad = any(result.status >= Status.FAIL for result in own)
            if clause.id not in self.chosen and not bad:
                continue
            if clause.of_another_profile(self.capabilities):
                continue
            missing = None if bad else clause.missing(self.capabilities)
            if self.stopped and not own and missing is None:
                continue
            found.append(ClauseResult(clause=clause, checks=own, missing=missing))
        return found

    # --- sequential checks --------------------------------------------------------------------

    def _programs(self) -> list[Check]:
        """Answer the check of random programs, unless it has failed or goes too far."""
        if self.options.depth != "luck":
            return []
        failed = {result.check for result in self.results}
        return [each for each in self.checks if each.kind == "program" and each.name not in failed]

    def _host(self, checks: list[Check], *, late: bool) -> None:
        """Run checks in a child; where it dies, say so of the check and go on with a new one."""
        while checks and not self._enough():
            if self._deaths >= _DEATHS_MAX:
                for check in checks:
                    self._error(check, "not run: the target had hung or died three times before")
                return
            ended, reached = self._one_child(checks, late=late)
            if ended.ok or ended.how == "stopped":
                return
            if reached is None:
                reached = checks[0]
            self._blame(reached, ended)
            checks = checks[checks.index(reached) + 1 :]
            self._deaths += 1

    def _one_child(self, checks: list[Check], *, late: bool) -> tuple[Ended, Check | None]:
        by_name = {check.name: check for check in checks}
        reached: Check | None = None

        def hear(message: object) -> None:
            nonlocal reached
            if isinstance(message, host.Began):
                reached = by_name[message.check]
                self._tell(reached.name, {})
            elif isinstance(message, host.Found):
                check = by_name[message.check]
                failed = any(each.status >= Status.FAIL for each in message.results)
                if late or failed or check.kind == "case":  # else more of it is to come
                    self.underway.done += 1
                    self._add(check, message.results)
            elif isinstance(message, host.Alive) and reached is not None:
                self._tell(reached.name, message.counters)

        job = host.Job(
            run_dir=self.run_dir,
            budget_s=self.budget_s * (PROGRAM_SHARE - FIRST_SHARE if late else FIRST_SHARE),
            seed=self.seed + _SEEDS_APART * late,
            call_max_s=self.options.call_max_s,
        )
        ended = call_in_child(
            host.host,
            self.target,
            self.capabilities,
            checks,
            job,
            on_message=hear,
            silence_s=2 * self.options.call_max_s + 5,
            stop=lambda: self._enough() and not self._within(reached),
        )
        return ended, reached

    def _within(self, reached: Check | None) -> bool:
        """Tell whether the cases are still under way of which one was the first that failed.

        Most defects break several, and the first of them is seldom the one that is about it. They
        take a second; where a store's own time makes them long, they are left after a few.
        """
        if self._failed is None or reached is None or reached.kind != "case":
            return False
        failed, since_ns = self._failed
        return failed.kind == "case" and monotonic_ns() - since_ns < _GROUP_S * 1e9

    def _blame(self, check: Check, ended: Ended) -> None:
        if isinstance(ended.last_message, host.Hung):
            why = f"{ended.last_message.call} did not return within {self.options.call_max_s:g} s"
        else:
            why = f"while it ran, {ended.describe()}{host.last_words(ended)}"
        self._error(check, why)

    def _error(self, check: Check, why: str) -> None:
        self.underway.done += 1
        asked = [clause for clause in check.clauses if clause in self.chosen]
        clauses = check.clauses if check.kind == "case" else asked[:1]
        self._add(check, tuple(host.hung_result(check, clause, why) for clause in clauses))

    # --- what runs in parallel -------------------------------------------------------------------

    def _sweep(self, check: Check) -> None:
        from onewinner.suite.schedules import PROCESSES, run_schedules

        self._tell(check.name, {})
        results = run_schedules(
            self.target,
            self.capabilities,
            run_dir=Path(self.run_dir),
            processes=check.name == PROCESSES,
            budget_s=self.budget_s * SWEEP_SHARE,
            chosen=self.chosen,
            stop_at_first=self.options.stop_at_first,
            on_progress=lambda progress: self._tell(check.name, progress.counters),
        )
        self.underway.done += 1
        self._add(check, tuple(results))

    def _fault(self, check: Check, *, brief: bool = False) -> None:
        from onewinner.suite.faults import run_fault

        self._tell(check.name, {})
        results = run_fault(
            check.name,
            self.target,
            self.capabilities,
            run_dir=Path(self.run_dir),
            budget_s=_BRIEF_FAULT_S if brief else self.budget_s * FAULT_SHARE,
            seed=self.seed,
            chosen=self.chosen,
            histories=None if brief else self.options.histories,
            stop_at_first=self.options.stop_at_first,
            brief=brief,
            on_progress=lambda progress: self._tell(check.name, progress.counters),
        )
        self.underway.done += not brief
        self._add(check, tuple(results))

    def _calibrate(self, races: list[Check]) -> None:
        from onewinner.suite.canaries import calibrate

        self._tell("canaries", {})
        levels = {race_called(check.name).level for check in races}
        self.canaries = calibrate(Path(self.run_dir), levels, seed=self.seed)

    def _race_all(self, races: list[Check], *, more: int = 0) -> None:
        """Race on one course, for it takes seconds to start a pool; `more` will share the time."""
        from onewinner.suite.races import Course

        with Course(
            self.target,
            self.capabilities,
            run_dir=Path(self.run_dir),
            histories=self.options.histories,
            expected=self.options.expected,
        ) as course:
            if self.options.stop_at_first:
                self._race_briefly(course, races)
            for number, check in enumerate(races):
                if self._enough():
                    return
                self._race(course, check, len(races) - number + more)

    def _race_briefly(self, course: Course, races: list[Check]) -> None:
        """Give each race a moment, for most bugs show at once; what went right is no evidence."""
        for check in filter(stresses, races):
            if self._enough():
                return
            race = race_called(check.name)
            found = course.run(race, budget_s=_BRIEF_S, seed=self.seed, brief=True)
            wrong = [result for result in found if result.status is Status.FAIL]
            self._add(check, tuple(self._weighed(race, result) for result in wrong))

    def _race(self, course: Course, check: Check, left: int) -> None:
        race = race_called(check.name)
        kept = PROGRAM_SHARE - FIRST_SHARE if self._programs() else 0.0
        spare_s = self.budget_s * (1 - kept) - self._elapsed_s()
        share_s = max(spare_s / left, 0.2)
        self._tell(check.name, {})
        results = course.run(
            race,
            budget_s=share_s,
            seed=self.seed,
            on_progress=lambda progress: self._tell(check.name, progress.counters),
        )
        self.underway.done += 1
        self._add(check, tuple(self._weighed(race, result) for result in results))

    def _weighed(self, race: Race, result: CheckResult) -> CheckResult:
        """Answer a race's result with its witness, and as it stands on this machine."""
        from onewinner.suite.canaries import calibrated, left_to_control
        from onewinner.suite.witness import confirmed

        if not race.stress:
            return result
        shown = confirmed(
            result,
            self.results,
            self.target,
            self.capabilities,
            run_dir=Path(self.run_dir),
            processes=race.level == "process",
        )
        return left_to_control(calibrated(shown, race.level, self.canaries), self.results)

    # --- plumbing -------------------------------------------------------------------------------

    def _add(self, check: Check, results: tuple[CheckResult, ...]) -> None:
        command = self._command()
        for result in results:
            if result.violation is not None:
                again = f"{command} -k {result.clause} --seed {self.seed:#x}"
                if result.violation.reproduce.startswith(REPLAY):
                    again = result.violation.reproduce  # one schedule, told exactly
                violation = dataclasses.replace(result.violation, reproduce=again)
                result = dataclasses.replace(result, violation=violation)  # noqa: PLW2901 - the same result, completed
            self.results.append(result)
            if self._failed is None and result.status >= Status.FAIL:
                self._failed = check, monotonic_ns()
        self._tell(check.name, {})

    def _command(self) -> str:
        words = ["onewinner", "verify", self.target.name]
        if self.target.address:
            words += ["--location", self.target.address]
        return shlex.join([*words, "--level", self.level])

    def _enough(self) -> bool:
        """Tell whether to stop; raises TargetError where the adapter keeps no protocol."""
        if (fault := self.target.fault()) is not None:
            raise fault
        failed = self._failed is not None
        self.stopped = self.stopped or (self.options.stop_at_first and failed)
        return self.stopped

    def _elapsed_s(self) -> float:
        return (monotonic_ns() - self.started) / 1e9
