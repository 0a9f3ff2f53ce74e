"""A kept failure again: its history is judged once more, and its check is driven many times."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from onewinner.clock import monotonic_ns
from onewinner.runner import call_in_child
from onewinner.suite import engine, host
from onewinner.suite.again import replayed
from onewinner.suite.registry import Check, all_checks
from onewinner.suite.rejudging import rejudged
from onewinner.suite.replay import read_token
from onewinner.suite.scratch import scratch_directory
from onewinner.suite.servers import served
from onewinner.suite.tree import ExitCode, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onewinner.adapters.targets import Target
    from onewinner.artefacts.artefact import Artefact
    from onewinner.checker.verdict import Validity
    from onewinner.contract import Capabilities
    from onewinner.suite.tree import CheckResult

TIMES: Final = 200
"""How often a failure is driven again, as far as `LONGEST_S` allows."""

LONGEST_S: Final = 30.0

_SHARES_S: Final = {"case": 0.0, "program": 2.0, "sweep": 4.0, "fault": 4.0, "race": 0.5}
_SILENCE_S: Final = 60.0
_SAID: Final = {
    True: "is valid: this onewinner does not accuse the store by it any more",
    False: "is invalid, as it was judged before",
    "unknown": "cannot be judged by itself: what was wrong is not to be seen in the calls alone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """A failure judged and driven again: how often the clause was broken again, of so many times.

    `undecided` counts the times in which nothing could be said. `how` tells what was repeated.
    """

    artefact: Artefact
    verdict: Validity
    how: str
    times: int = 0
    wrong: int = 0
    undecided: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """1 where it failed again at all, 7 where nothing could be said, else 0."""
        if self.wrong:
            return ExitCode.VIOLATION
        return ExitCode.INCONCLUSIVE if self.undecided == self.times else ExitCode.CONFORMS

    def lines(self) -> Iterator[str]:
        """Yield what to print: the verdict on the history, and the count."""
        kept = self.artefact
        if kept.recorded is not None and kept.recorded.operations:
            calls = f"{len(kept.recorded.operations):,} calls"
            yield f"history {kept.id} ({calls}) {_SAID[self.verdict]}"
        else:
            yield f"failure {kept.id} rests on no history of calls: {kept.reason}"
        vain = f", nothing can be said of {self.undecided}" if self.undecided else ""
        yield (
            f"onewinner: {kept.target}, {kept.clause}: {self.how} went wrong "
            f"{self.wrong} of {self.times} times{vain}"
        )


def silent(_made: int, _wrong: int | None) -> None:
    """Listen to no progress."""


def driven(
    artefact: Artefact,
    target: Target,
    *,
    times: int | None = None,
    on_time: Callable[[int, int | None], None] = silent,
) -> Driven:
    """Judge the history again, and drive the same thing again on fresh locations.

    A schedule is driven by its token, anything else by its check with the same seed. It ends after
    so many `times`; without a number after `TIMES`, and a check after half a minute. `on_time` is
    told how often it was driven and how often it went wrong, None where that is told in the end.

    Raises TokenError and TargetError as `replayed` does.
    """
    verdict: Validity = "unknown"
    if artefact.recorded is not None:
        verdict = rejudged(artefact.recorded, artefact.capabilities)
    if artefact.token:
        token = replace(read_token(artefact.token), target=target.name)
        found = replayed(target, token, times or TIMES, on_run=lambda made: on_time(made, None))
        return Driven(
            artefact=artefact,
            verdict=verdict,
            how="the same schedule",
            times=found.times,
            wrong=found.wrong,
            undecided=found.unreached,
        )
    check = next((each for each in all_checks() if each.name == artefact.check), None)
    if check is None:
        return Driven(artefact=artefact, verdict=verdict, how=f"{artefact.check}, unknown here,")
    made, wrong, undecided = _repeated(artefact, target, check, times, on_time)
    return Driven(
        artefact=artefact,
        verdict=verdict,
        how=f"{check.name} with the same seed",
        times=made,
        wrong=wrong,
        undecided=undecided,
    )


def _repeated(
    artefact: Artefact,
    target: Target,
    check: Check,
    times: int | None,
    on_time: Callable[[int, int | None], None],
) -> tuple[int, int, int]:
    began_ns = monotonic_ns()
    made = wrong = undecided = 0
    with scratch_directory() as run_dir, served(target, run_dir) as located:
        capabilities = engine.probe(located, run_dir)
        while made < (times or TIMES):
            if times is None and made and monotonic_ns() - began_ns > LONGEST_S * 1e9:
                break
            found = _once(artefact, located, capabilities, check, run_dir)
            made += 1
            wrong += found is True
            undecided += found is None
            on_time(made, wrong)
    return made, wrong, undecided


def _once(
    artefact: Artefact, target: Target, capabilities: Capabilities, check: Check, run_dir: str
) -> bool | None:
    """Run the check once; answer whether it failed the clause, None where it does not tell."""
    home = tempfile.mkdtemp(prefix="again-", dir=run_dir)
    seed = int(artefact.provenance.get("seed", 0))
    budget_s = _SHARES_S[check.kind]
    if check.kind in {"case", "program"}:
        results, died = _in_child(target, capabilities, check, home, budget_s, seed)
        if died:
            return True if artefact.status == Status.ERROR.label else None
    else:
        results = engine.run_check(
            check, target, capabilities, budget_s=budget_s, seed=seed, run_dir=home
        )
    own = [each for each in results if each.clause == artefact.clause]
    if any(each.status >= Status.FAIL for each in own):
        return True
    return False if any(each.status is Status.PASS for each in own) else None


def _in_child(
    target: Target,
    capabilities: Capabilities,
    check: Check,
    home: str,
    budget_s: float,
    seed: int,
) -> tuple[list[CheckResult], bool]:
    """Run a case or the programs in a child; answer what it found, and whether it died of it."""
    results: list[CheckResult] = []

    def hear(message: object) -> None:
        if isinstance(message, host.Found):
            results.extend(message.results)

    job = host.Job(run_dir=home, budget_s=budget_s, seed=seed)
    ended = call_in_child(
        host.host, target, capabilities, [check], job, on_message=hear, silence_s=_SILENCE_S
    )
    return results, not ended.ok
