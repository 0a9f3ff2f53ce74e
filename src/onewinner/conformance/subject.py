"""The store under test as a pytest test sees it: how one check is run, and what the test then says.

Imported by the first test that judges a store, so that the plugin itself stays light.
"""

from __future__ import annotations

import shlex
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from onewinner import artefacts
from onewinner.adapters.targets import TargetError
from onewinner.clock import monotonic_ns
from onewinner.contract.clauses import CLAUSES, LEVELS
from onewinner.report import failure, verdict
from onewinner.report.text import printable
from onewinner.runner import ChildError
from onewinner.suite import engine, host, registry
from onewinner.suite.servers import served
from onewinner.suite.tree import Status, worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from onewinner.adapters.targets import Target
    from onewinner.conformance.gathering import Judged
    from onewinner.contract import Capabilities
    from onewinner.contract.clauses import Level
    from onewinner.suite.registry import Check
    from onewinner.suite.tree import CheckResult, Known

GROUP: Final = "onewinner-stress"


class Unusable(Exception):  # noqa: N818 - a request is, not the kit
    """The target or what was asked cannot be had; the text says what to do instead."""


def checks(level: Level | None) -> Sequence[Check]:
    """Answer the checks up to `level`; None stands for the default of a run."""
    reach = LEVELS[: LEVELS.index(level or engine.DEFAULT) + 1]
    return [check for check in registry.all_checks() if check.level in reach]


def identity(check: Check) -> str:
    """Answer the id of a check's test: its clauses and its name."""
    # The random programs exercise so many clauses that naming them would hide the name.
    clauses = "ALL" if check.kind == "program" else "+".join(check.clauses)
    return f"{clauses}-{check.name}"


def probe(target: Target, level: Level | None) -> Capabilities:
    """Answer what the target declares; Unusable where it cannot be had or cannot reach `level`."""
    try:
        with _run_directory() as directory, served(target, directory) as located:
            capabilities = engine.probe(located, directory)
    except (TargetError, ChildError) as error:
        raise Unusable(str(error)) from None
    if level not in (None, "thread") and capabilities.scope == "thread":
        raise Unusable(
            f"level {level!r} was asked for, but {target.name} declares scope='thread'; ask for "
            f"level 'thread', or declare scope='process'"
        )
    return capabilities


@contextmanager
def located(target: Target) -> Iterator[Target]:
    """Answer the target with an address, where it needs one; Unusable where it cannot be had."""
    with ExitStack() as stack:
        try:
            directory = stack.enter_context(_run_directory())
            found = stack.enter_context(served(target, directory))
        except TargetError as error:
            raise Unusable(str(error)) from None
        yield found


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is judged, and how: `budget_s` is for all programs and races of the class together.

    `shared` says whether other workers judge the same store at the same time. `known` are the
    failures that a baseline expects, by clause, and `judged` takes what is found.
    """

    target: Target
    capabilities: Capabilities
    budget_s: float | None
    level: Level | None
    seed: int
    shared: bool
    judged: Judged
    known: Mapping[str, Known] = field(default_factory=dict)

    def judge(self, check: Check, nodeid: str) -> Iterator[tuple[str, str]]:
        """Run the check, yield the properties to record, and then end the test as it came out."""
        missing = check.missing(self.capabilities)
        if missing is not None:
            self.judged.add(check.name, (), 0.0)
            pytest.skip(f"n/a: {missing}")
        began = monotonic_ns()
        found, refusal = self._run(check)
        results = [self._kept(result) for result in found]
        told = [self._with_command(result, nodeid) for result in results]
        self.judged.add(check.name, told, (monotonic_ns() - began) / 1e9)
        if refusal:
            pytest.fail(refusal, pytrace=False)
        yield "check", check.name
        yield "clause", " ".join(check.clauses)
        yield "seed", verdict.seed_text(self.seed)
        for result in results:
            for name, value in result.evidence.items():
                yield f"evidence.{result.clause}.{name}", str(value)
        self._end(check, results, nodeid)

    def _run(self, check: Check) -> tuple[list[CheckResult], str]:
        """Answer what a check found, and why its target could not be had, if so."""
        with _run_directory() as directory, _turn(check, self.shared):
            try:
                results = engine.run_check(
                    check,
                    self.target,
                    self.capabilities,
                    budget_s=self._share_s(check),
                    seed=self.seed,
                    run_dir=directory,
                )
            except (TargetError, ChildError) as error:
                return [host.hung_result(check, check.clauses[0], str(error))], str(error)
            return results, ""

    def _kept(self, result: CheckResult) -> CheckResult:
        """Keep a failure; where nothing can be written the test fails all the same."""
        with suppress(OSError):
            location = self.target.address
            return artefacts.kept_result(result, self.judged.frame(), location=location)
        return result

    def _with_command(self, result: CheckResult, nodeid: str) -> CheckResult:
        """Answer a result whose violation is reproduced by the command that its test shows."""
        if result.violation is None:
            return result
        again = replace(result.violation, reproduce=self._command(result, nodeid))
        return replace(result, violation=again)

    def _share_s(self, check: Check) -> float:
        """Answer the seconds of the budget that are for this check; a case takes what it takes."""
        highest: Level = "process" if self.capabilities.scope == "process" else "thread"
        level = self.level or highest
        whole = engine.BUDGET_S[level] if self.budget_s is None else self.budget_s
        if check.kind == "sweep":
            return whole * engine.SWEEP_SHARE
        if check.kind == "fault":
            return whole * engine.FAULT_SHARE
        if check.kind != "race":
            return whole * engine.PROGRAM_SHARE
        races = sum(other.kind == "race" for other in checks(level))
        return whole * (1 - engine.PROGRAM_SHARE) / max(1, races)

    def _end(self, check: Check, results: list[CheckResult], nodeid: str) -> None:
        if not results:
            pytest.fail(f"untested: {check.name} reported nothing", pytrace=False)
        status = worst(map(self._status, results))
        telling = [result for result in results if self._status(result) is status]
        match status:
            case Status.PASS:
                return
            case Status.NA:
                pytest.skip(f"n/a: {telling[0].reason}")
            case Status.XFAIL:
                pytest.xfail("; ".join(map(self._expected, telling)))
            case _:
                lines = ["", *_story(telling), f"Reproduce:  {self._command(telling[0], nodeid)}"]
                pytest.fail("\n".join(lines), pytrace=False)

    def _status(self, result: CheckResult) -> Status:
        """Answer the status of a result; a failure that was expected is `xfail`."""
        entry = self.known.get(result.clause)
        expected = entry is not None and entry.explains([result])
        return Status.XFAIL if result.status is Status.FAIL and expected else result.status

    def _expected(self, result: CheckResult) -> str:
        entry = self.known.get(result.clause)
        if entry is None:
            return result.reason
        issue = f", {entry.issue}" if entry.issue else ""
        return f"{entry.clause} is known to fail ({entry.kind}{issue}): {entry.reason}"

    def _command(self, result: CheckResult, nodeid: str) -> str:
        seed = verdict.seed_text(self.seed)
        if self.target.given is not None:
            # A factory without a name is known to its own tests only.
            return f"pytest {shlex.quote(nodeid.removesuffix(f'@{GROUP}'))} --onewinner-seed {seed}"
        if result.violation is not None and result.violation.reproduce:
            return result.violation.reproduce
        address = self.target.address
        place = f" --location {shlex.quote(address)}" if address else ""
        target = shlex.quote(self.target.name)
        return f"onewinner verify {target}{place} -k {result.clause} --seed {seed}"


def _story(telling: list[CheckResult]) -> Iterator[str]:
    for result in telling:
        yield f"{result.status.label.upper()} {result.clause}  {CLAUSES[result.clause].sentence}"
        if result.violation is None:
            yield printable(result.reason)
        else:
            yield from failure.story(result.violation)
            yield from failure.program(result.violation)


def _run_directory() -> tempfile.TemporaryDirectory[str]:
    # Not pytest's tmp_path, which keeps the directories of the last runs.
    return tempfile.TemporaryDirectory(prefix="onewinner-", ignore_cleanup_errors=True)


@contextmanager
def _turn(check: Check, shared: bool) -> Iterator[None]:
    """Let one race run at a time, whichever way the workers share the tests out.

    Several workers that each start several processes on the same cores would starve each other's
    races. The group is meant to prevent that, but it needs `--dist loadgroup`, and pytest-xdist
    3.8 does not keep groups together under pytest 9.
    """
    if check.kind not in {"race", "sweep", "fault"} or not shared:
        yield
        return
    import fcntl

    with Path(__file__).open("rb") as file:  # any file that all workers can read
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
