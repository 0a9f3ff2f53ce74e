"""The check of when a TTL starts: a call is held where it read its clock, and a rival is let in.

Why it is sound for every store: the key is live without TTL until the rival deletes it, and the
rival's delete is not begun before the store's clock shows `freed`. A claim that answers true did so
at an instant at which the key was free, which is after that; its row lives for a TTL from that very
instant on, so not less than until `freed + ttl`, whichever order the calls took effect in and
however often the store reads its clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns
from onewinner.contract import ABSENT
from onewinner.runner import ChildError, call_in_child
from onewinner.suite.engine import Progress
from onewinner.suite.heat import reproduce
from onewinner.suite.tree import CheckResult, Status, Violation
from onewinner.worker.preemption import Plan, Trial, preempt

if TYPE_CHECKING:
    from pathlib import Path

    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.suite.engine import Listener

NAME: Final = "early-clock"
FLOOR: Final = 3
"""Interrupted claims that it takes at least, where clock reads are the points."""

_TOLD: Final = (
    "the time goes with each request to a command, so it was read before the call by the kit"
)
_POINTS: Final = 3
_LINES_FLOOR: Final = 60
_SILENCE_S: Final = 30.0
_HARD_LEAST_S: Final = 10.0
_HARD_FACTOR: Final = 4.0
_REAL_SLACK_MS: Final = 2


class _Findings:
    """What the trials showed so far."""

    def __init__(self, capabilities: Capabilities) -> None:
        self._unit_ms = capabilities.ttl_unit_ms or 1
        self._slack_ms = self._unit_ms - 1
        if not capabilities.virtual_clock:
            self._slack_ms += _REAL_SLACK_MS
        self.claims = self.listings = self.inside = self.points = 0
        self.broken: dict[str, tuple[Trial, str]] = {}

    def add(self, trial: Trial) -> None:
        """Judge one trial."""
        self.points = max(self.points, trial.points)
        if not trial.reached or not trial.sound:
            return
        self.inside += trial.inside
        if trial.what == "claim":
            self.claims += 1
            early = self._too_early(trial)
            if early:
                self.broken.setdefault("TTL-6", (trial, early))
        else:
            self.listings += 1
            if trial.answer == ["a", "b"]:
                self.broken.setdefault("READ-5", (trial, ""))

    def _too_early(self, trial: Trial) -> str:
        """Say what shows that the row ends before it may; nothing where nothing does."""
        if trial.answer is not True or trial.removed is not True:
            return ""
        due = trial.freed_ms + trial.ttl_ms - self._slack_ms
        if trial.expires_ms is not None and trial.expires_ms < due:
            return f"entries shows that its row expires at {trial.expires_ms}"
        if trial.found is ABSENT and trial.seen_ms < due:
            return f"at {trial.seen_ms} its row is gone"
        return ""


def run_early_clock(
    target: Target,
    capabilities: Capabilities,
    *,
    home: Path,
    budget_s: float,
    seed: int,
    on_progress: Listener,
) -> list[CheckResult]:
    """Interrupt claims and listings of a target, with one handle and with two.

    Answers a result for TTL-6, and one for READ-5 where listings were interrupted.
    """
    if target.served:
        return [CheckResult(check=NAME, clause="TTL-6", status=Status.NA, reason=_TOLD)]
    run = _Run(target, capabilities, home, budget_s, on_progress)
    run.go()
    return run.results(seed)


class _Run:
    """One run of the check."""

    def __init__(
        self,
        target: Target,
        capabilities: Capabilities,
        home: Path,
        budget_s: float,
        on_progress: Listener,
    ) -> None:
        self._target = target
        self._capabilities = capabilities
        self._home = home
        self._budget_s = budget_s
        self._on_progress = on_progress
        self._started = monotonic_ns()
        self._hard_s = max(_HARD_LEAST_S, budget_s * _HARD_FACTOR)
        self._findings = _Findings(capabilities)
        self._failure = ""

    def over(self) -> bool:
        """Whether there is nothing to be learnt any more."""
        told = "TTL-6" in self._findings.broken
        return bool(self._failure) or (told and not self._capabilities.virtual_clock)

    def go(self) -> None:
        """Interrupt calls in a child, and keep what was learnt."""
        capabilities = self._capabilities
        plan = Plan(
            location=self._target.location or str(self._home),
            unit_ms=capabilities.ttl_unit_ms or 1,
            virtual=capabilities.virtual_clock,
            sharing=(False, True) if capabilities.handle_scope == "process" else (False,),
            operations=capabilities.operations,
            local=self._target.location is None,
            points=_POINTS if capabilities.virtual_clock else None,
            stop_ns=self._started + int(self._hard_s * 1e9),
        )
        try:
            ended = call_in_child(
                preempt,
                self._target,
                plan,
                on_message=self._hear,
                silence_s=_SILENCE_S,
                stop=self.over,
            )
        except ChildError as error:
            self._failure = str(error)
            return
        if not ended.ok and ended.how != "stopped":
            self._failure = f"while a claim was held at one point, {ended.describe()}"

    def _hear(self, trial: Trial) -> None:
        self._findings.add(trial)
        self._on_progress(
            Progress(
                check=NAME,
                done=self._findings.claims,
                total=self._floor(),
                elapsed_s=self._elapsed_s(),
                budget_s=self._budget_s,
                counters={"claims": self._findings.claims, "listings": self._findings.listings},
            )
        )

    def _elapsed_s(self) -> float:
        return (monotonic_ns() - self._started) / 1e9

    def _floor(self) -> int:
        if self._capabilities.virtual_clock:
            return FLOOR
        return max(1, min(self._findings.points, _LINES_FLOOR))

    def results(self, seed: int) -> list[CheckResult]:
        """Answer what was found out."""
        results = [self._result("TTL-6", seed)]
        enough = self._findings.listings >= FLOOR and not self._failure
        if enough or "READ-5" in self._findings.broken:
            results.append(self._result("READ-5", seed))
        return results

    def _result(self, clause: str, seed: int) -> CheckResult:
        findings = self._findings
        violation = None
        status, reason = Status.PASS, ""
        if clause in findings.broken:
            violation = self._violation(clause, *findings.broken[clause], seed)
            status, reason = Status.FAIL, violation.summary
        elif self._failure:
            status, reason = Status.ERROR, self._failure
        elif clause == "TTL-6" and findings.claims < self._floor():
            status, reason = Status.UNTESTED, self._too_little()
        return CheckResult(
            check=NAME,
            clause=clause,
            status=status,
            reason=reason,
            evidence={
                "claims interrupted": findings.claims,
                "listings interrupted": findings.listings,
                "rival let in": findings.inside,
                "held at": "clock reads" if self._capabilities.virtual_clock else "lines",
            },
            violation=violation,
            seconds=self._elapsed_s(),
        )

    def _too_little(self) -> str:
        claims = self._findings.claims
        if not claims and self._capabilities.virtual_clock:
            return "the store never asked the kit's clock inside a claim"
        return (
            f"{claims} claims could be interrupted in {self._elapsed_s():.1f} s, "
            f"{self._floor()} are needed: give it a larger budget or a less busy machine"
        )

    def _violation(self, clause: str, trial: Trial, shown: str, seed: int) -> Violation:
        at = "clock read" if self._capabilities.virtual_clock else "line"
        if clause == "TTL-6":
            summary = f"a claim won a key that was freed at {trial.freed_ms}, and {shown}"
            why = (
                f"the key was not free before {trial.freed_ms}, so the win happened then or later, "
                f"and a TTL of {trial.ttl_ms} ms from there ends at "
                f"{trial.freed_ms + trial.ttl_ms} or later"
            )
            happened = _claim_lines(trial, at)
        else:
            summary = "entries listed two rows together that were never live together"
            why = "the first had expired before the second was claimed"
            happened = _listing_lines(trial, at)
        return Violation(
            clause=clause,
            summary=summary,
            happened=happened,
            why=why,
            reproduce=reproduce(self._target, clause, seed),
        )


def _claim_lines(trial: Trial, at: str) -> tuple[str, ...]:
    """Write what happened in the store's own time, in milliseconds."""
    handles = "the same handle" if trial.shared else "a handle of its own"
    claim = f"register_if_absent('k', 'new', ttl_ms={trial.ttl_ms})"
    expiry = "" if trial.expires_ms is None else f", expiry {trial.expires_ms}"
    return (
        f"{trial.told_ms}: a live row without TTL holds 'k'",
        f"{trial.told_ms}: {claim} begins and is held at its {at} {trial.point}",
        f"{trial.freed_ms}: another thread, on {handles}, calls delete('k') -> {trial.removed!r}",
        f"       the claim goes on, with the time it was told -> {trial.answer!r}",
        f"{trial.seen_ms}: lookup('k') -> {trial.found!r}{expiry}",
    )


def _listing_lines(trial: Trial, at: str) -> tuple[str, ...]:
    """Write what happened in the store's own time, in milliseconds."""
    handles = "the same handle" if trial.shared else "a handle of its own"
    return (
        f"{trial.told_ms}: register_if_absent('a', 1, ttl_ms={trial.ttl_ms}) -> True",
        f"{trial.told_ms}: entries() begins and is held at its {at} {trial.point}",
        f"{trial.freed_ms}: another thread, on {handles}, calls register_if_absent('b', 2)",
        f"       entries goes on, with the time it was told -> keys {trial.answer!r}",
    )
