"""What a run adds up to: the facts that every report states, and the line that ends them all."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING, Final

from onewinner.contract import OPTIONAL_OPERATIONS
from onewinner.contract.clauses import by_level
from onewinner.report import text
from onewinner.suite.tree import ExitCode, Status, rule_of_three

if TYPE_CHECKING:
    from onewinner.suite.tree import CheckResult, ClauseResult, RunResult, Violation

_NAMED: Final = 8

OPTIONAL: Final = OPTIONAL_OPERATIONS | {"overflow-option", "strict-ages"}
"""What a store need not declare to be one of the whole contract."""

# Several checks of one clause may report these; the largest is the truth, a sum would not be.
_NOT_ADDED: Final = frozenset({"processes", "threads", "handles", "cores", "claimants"})


_OVERFLOW: Final = frozenset({"eviction", "reject-new"})


def line(result: RunResult) -> str:
    """Answer the verdict in one line: what was judged, at which level, and what that stands on."""
    parts = [f"onewinner: {_judgement(result)}", f"({_counts(result)})"]
    lost = [w for w in undeclared(result) if w not in OPTIONAL and " or " not in w]
    if lost:
        parts.append(f"partial: {', '.join(lost)} not declared")
    return text.printable("; ".join([" ".join(parts[:2]), *parts[2:]]), keep="")


def is_complete(result: RunResult) -> bool:
    """Tell whether every clause of the level was looked at: no selection, no early stop."""
    judged = {clause.clause.id for clause in result.clauses}
    # Which clauses are about overflow depends on the profile; the run itself knows (`whole`).
    whole = {c.id for c in by_level(result.level) if not _OVERFLOW & set(c.needs)}
    ended = not result.stopped_early and not result.interrupted
    return result.whole and whole <= judged and ended


def status_of(check: CheckResult, clause: ClauseResult) -> Status:
    """Answer the status of a check as its clause has it: a failure that was expected is `xfail`."""
    expected = clause.status is Status.XFAIL and check.status is Status.FAIL
    return Status.XFAIL if expected else check.status


def undeclared(result: RunResult) -> dict[str, list[str]]:
    """Answer what the target did not declare, each with the ids of the clauses it cost."""
    lost: dict[str, list[str]] = {}
    for clause in result.clauses:
        if clause.missing is not None:
            word = clause.missing.removesuffix(" is not declared").removeprefix("operation ")
            lost.setdefault(word, []).append(clause.clause.id)
    return lost


def left_out(result: RunResult) -> dict[str, list[str]]:
    """Answer why checks left clauses out that are declared, each with the ids of the clauses."""
    reasons: dict[str, list[str]] = {}
    for clause in result.clauses:
        if clause.status is Status.NA and clause.missing is None:
            reasons.setdefault(clause.reason, []).append(clause.clause.id)
    return reasons


def tally(result: RunResult) -> Counter[str]:
    """Answer how many clauses have each status, by the status's label."""
    return Counter(clause.status.label for clause in result.clauses)


def evidence(clause: ClauseResult) -> dict[str, int | float | str]:
    """Answer what all checks of the clause exercised together: counts are added up."""
    total: dict[str, int | float | str] = {}
    for check in clause.checks:
        for name, value in check.evidence.items():
            before = total.get(name)
            if before is None or isinstance(value, str) or isinstance(before, str):
                total[name] = value
            else:
                total[name] = max(before, value) if name in _NOT_ADDED else before + value
    rounds = total.get("stress rounds", 0)
    if clause.status is Status.PASS and isinstance(rounds, int) and rounds:
        total["stress"] = rule_of_three(rounds)
    return total


def calibration(result: RunResult) -> list[str]:
    """Answer what stands beside the verdict of the races: what this machine was shown to see."""
    lines = []
    if result.canaries:
        told = "; ".join(canary.told for canary in result.canaries)
        cores = text.count(result.cores, "core")
        lines.append(f"Canaries, races that are certainly there, on this machine ({cores}): {told}")
    return lines


def reproduce(result: RunResult, clause: str, violation: Violation | None = None) -> str:
    """Answer the command that runs the checks of one clause again with the same seed."""
    if violation is not None and violation.reproduce:
        return violation.reproduce
    target = shlex.quote(result.target)
    return f"onewinner verify {target} -k {clause} --seed {seed_text(result.seed)}"


def seed_text(seed: int) -> str:
    """Answer a seed as reports show it and as the command line takes it."""
    return f"{seed:#x}"


def _judgement(result: RunResult) -> str:
    target, level = result.target, result.level
    match result.exit_code:
        case ExitCode.INTERRUPTED:
            return f"interrupted, so there is no verdict on {target}{_broken_so_far(result)}"
        case ExitCode.NOTHING_RAN:
            return f"nothing ran: no clause that was asked for applies to {target}"
        case ExitCode.VIOLATION if result.status < Status.FAIL:
            return f"the baseline of {target} is stale: {_stale(result)}"
        case ExitCode.VIOLATION if result.count(Status.FAIL) == 0:
            return f"{target} could not be judged at level {level}: {_broken(result)}"
        case ExitCode.VIOLATION:
            return f"{target} does NOT conform at level {level}: {_broken(result)}"
        case ExitCode.INCONCLUSIVE:
            ids = _ids(result, Status.UNTESTED)
            return f"{target} is inconclusive at level {level}: untested {_named(ids)}"
        case _ if not is_complete(result):
            whole = len(by_level(level))
            return (
                f"{target} passes what was selected{_with_known(result)}, {len(result.clauses)} of "
                f"the {whole} clauses of level {level}; that is no verdict on the level"
            )
        case _ if result.count(Status.XFAIL):
            reached = result.reached or "none"
            return (
                f"{target} passes{_with_known(result)} at level {level}; level reached: {reached}"
            )
        case _ if result.reached != level:
            return f"{target} conforms at level {result.reached or 'none'} only, not at {level}"
        case _:
            return f"{target} conforms at level {level}"


def _broken(result: RunResult) -> str:
    failed, errors = _ids(result, Status.FAIL), _ids(result, Status.ERROR)
    said = []
    if failed:
        said.append(f"{text.count(len(failed), 'clause')} violated ({_named(failed)})")
    if errors:
        said.append(f"{text.count(len(errors), 'clause')} in error ({_named(errors)})")
    if result.stopped_early:
        said.append("stopped there")
    return ", ".join(said)


def _stale(result: RunResult) -> str:
    more = len(result.stale) - 1
    return text.shorten(result.stale[0]) + (f" (and {more} more)" if more else "")


def _with_known(result: RunResult) -> str:
    ids = _ids(result, Status.XFAIL)
    return f" with {text.count(len(ids), 'known failure')} ({_named(ids)})" if ids else ""


def _broken_so_far(result: RunResult) -> str:
    broken = _broken(result)
    return f"; so far {broken}" if broken else ""


def _counts(result: RunResult) -> str:
    found = tally(result)
    shown = [text.count(found["pass"], "clause") + (" passes" if found["pass"] == 1 else " pass")]
    shown += [
        f"{found[status.label]} {status.label}"
        for status in (Status.XFAIL, Status.UNTESTED, Status.FAIL, Status.ERROR, Status.NA)
        if found[status.label] or status in (Status.FAIL, Status.NA)
    ]
    cores = text.count(result.cores, "core")
    return f"{', '.join(shown)}; seed {seed_text(result.seed)}, {result.seconds:.1f} s, {cores}"


def _ids(result: RunResult, status: Status) -> list[str]:
    return [clause.clause.id for clause in result.clauses if clause.status is status]


def _named(ids: list[str]) -> str:
    more = len(ids) - _NAMED
    return ", ".join(ids[:_NAMED]) + (f" and {more} more" if more > 0 else "")
