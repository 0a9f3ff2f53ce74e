"""What every report of the doctor says in the same words."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from onewinner.doctor.findings import Outcome
from onewinner.report import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.doctor.findings import Examination, Finding, Trial
    from onewinner.doctor.matrix import Line
    from onewinner.doctor.measured import Measured


def seconds(value: float | None) -> str:
    """Answer `1.24 s`, or `-` where there is no time."""
    return "-" if value is None else f"{value:.2f} s"


def operations(finding: Finding) -> str:
    """Answer the calls; `>=` where some checks did not count theirs, `-` where none did."""
    if finding.operations is None:
        return "-"
    return f"{'' if finding.counted else '>= '}{finding.operations:,}"


def clauses(finding: Finding) -> str:
    """Answer the clauses that flagged it, with how often where that was not in every trial."""
    trials = len(finding.trials)
    return ", ".join(
        clause if times == trials else f"{clause} ({times}/{trials})"
        for clause, times in finding.flagged.items()
    )


def trial_line(target: str, trial: Trial) -> str:
    """Answer one trial in a line, as it is told while the examination goes on."""
    by = f" by {', '.join(trial.flagged)}" if trial.flagged else ""
    line = f"{target}: {trial.outcome.told}{by} after {trial.seconds:.1f} s"
    return text.printable(f"{line}; {trial.reason}" if trial.reason else line, keep="")


def machine(examined: Examination) -> str:
    """Answer the machine and what ran on it."""
    found = examined.versions
    return (
        f"{text.count(examined.cores, 'core')}, Python {found.get('python', '?')}, "
        f"SQLite {found.get('sqlite', '?')}, {found.get('platform', '?')}, "
        f"onewinner {found.get('onewinner', '?')}"
    )


def summary(examined: Examination) -> tuple[str, ...]:
    """Answer the whole in a few sentences."""
    mutants, (accused, runs) = examined.mutants, examined.accusations
    told = [f"{len(examined.caught)} of {text.count(len(mutants), 'mutant')} caught"]
    if examined.repeat > 1:
        told[0] += f" in each of {examined.repeat} trials"
    kinds = {outcome: sum(f.outcome is outcome for f in mutants) for outcome in Outcome}
    told.append(
        f"by the expected clause {kinds[Outcome.EXPECTED]}, by another that the mutant names "
        f"{kinds[Outcome.NAMED]}, by one that it does not name {kinds[Outcome.UNNAMED]}; "
        f"missed {kinds[Outcome.MISSED]}, error {kinds[Outcome.ERROR]}"
    )
    medians = [f.median_s for f in mutants if f.median_s is not None]
    worst = max((f.worst_s for f in mutants if f.worst_s is not None), default=None)
    if medians:
        middle = statistics.median(medians)
        most = sorted(medians)[math.ceil(0.95 * len(medians)) - 1]
        told.append(
            f"time to detection: median {seconds(middle)}, 95 % within {seconds(most)}, "
            f"worst {seconds(worst)}"
            + (f" ({examined.jobs} trials at once)" if examined.jobs > 1 else "")
        )
    if examined.not_run:
        told.append(f"not run: {text.count(len(examined.not_run), 'mutant')}")
        told += [f"  {each.target}: {each.reason}" for each in examined.not_run]
    told.append(f"false alarms: {accused} in {text.count(runs, 'run')} of correct stores")
    return tuple(told)


def why_wrong(finding: Finding) -> str:
    """Answer what went wrong with a target, and in how many of its trials."""
    worst = finding.worst
    often = f"{finding.times(worst.outcome)} of {text.count(len(finding.trials), 'trial')}"
    return f"{finding.target}: {worst.outcome.told} in {often}; {text.shorten(worst.reason)}"


def measured_line(measured: Measured) -> str:
    """Answer one mutant that was run to the end in a line, as it is told while that goes on."""
    by = ", ".join(measured.flagged) or "no clause"
    return f"mutant:{measured.mutant.name}: flagged by {by} after {measured.seconds:.1f} s"


def why_short(line: Line) -> str:
    """Answer why a row of the matrix is short; empty where it is not."""
    return (line.because or "NOT EXPLAINED") if line.short else ""


def matrix_summary(lines: Sequence[Line]) -> str:
    """Answer how many clauses have enough mutants of their own, and which others are explained."""
    short = [line for line in lines if line.short]
    unexplained = [line.clause.id for line in short if not line.because]
    told = (
        f"{len(lines) - len(short)} of {text.count(len(lines), 'clause')} flag two or more mutants "
        f"that no other family flags; of {len(short)} it is explained why not"
    )
    return f"{told}, but not of {', '.join(unexplained)}" if unexplained else told
