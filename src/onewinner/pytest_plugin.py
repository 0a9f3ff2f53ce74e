"""The pytest doors: `StoreContract` for the implementer's own tests, and `onewinner.conformance`.

This module is imported in every pytest run of an environment that holds onewinner, so it imports
nothing that pytest has not imported already; the engine is loaded by the first test that needs it.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities, Connect
    from onewinner.contract.clauses import Level
    from onewinner.suite.registry import Check
    from onewinner.suite.tree import CheckResult

LEVEL_NAMES: Final = ("thread", "process", "crash")  # contract.clauses.LEVELS, not imported here
GROUP: Final = "onewinner-stress"
_PROGRAM_SHARE: Final = 0.3  # of the budget, as the command line has it; the races get the rest
_OPTIONS: Final = {
    "target": "the store to judge: sqlite, python:package.module:connect, ...",
    "level": f"the highest level to judge: {', '.join(LEVEL_NAMES)}",
    "budget": "time for all programs and races together: 60s, 2m",
    "seed": "repeat the choices of a run: a number, or 0x and hex",
    "location": "where a server listens: a URL",
}
_ATTRIBUTES: Final = {"budget": "budget_s"}
_CONFORMANCE: Final = ("onewinner.conformance", f"onewinner{os.sep}conformance")
_SEED: Final = pytest.StashKey[int]()


class StoreContract:
    """The contract as tests of a store: subclass it and say how to connect.

        class TestMyStore(onewinner.StoreContract):
            connect = staticmethod(my_connect)

    Each check is one test, whose id carries the clauses that it judges. A check that needs what
    the store does not declare is skipped; one that could not exercise the store enough fails.
    `connect` must be importable by the worker processes. `level`, `budget_s` (seconds for all
    programs and races together), `seed` and `location` are optional, and the command line's
    `--onewinner-...` beats them. Without `connect`, `--onewinner-target` is judged.
    """

    __test__ = False  # for this class itself; every subclass is a test

    connect: ClassVar[Connect | None] = None
    level: ClassVar[Level | None] = None
    budget_s: ClassVar[float | None] = None
    seed: ClassVar[int | None] = None
    location: ClassVar[str | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__test__" not in cls.__dict__:
            cls.__test__ = True

    def test_check(
        self,
        onewinner_check: Check,
        onewinner_subject: _Subject,
        request: pytest.FixtureRequest,
        record_property: Any,
    ) -> None:
        """One check of the contract finds no violation, and exercised what it judges."""
        __tracebackhide__ = True
        subject = onewinner_subject
        missing = onewinner_check.missing(subject.capabilities)
        if missing is not None:
            pytest.skip(f"n/a: {missing}")
        results = subject.run(onewinner_check)
        for name, value in _properties(onewinner_check, results, subject):
            record_property(name, value)
        _report(onewinner_check, results, subject, request.node.nodeid)


# --- hooks ---------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--onewinner-target` and its companions, each with an ini value of the same name."""
    group = parser.getgroup("onewinner", "onewinner, conformance of a store")
    for name, meaning in _OPTIONS.items():
        group.addoption(f"--onewinner-{name}", metavar=name.upper(), default=None, help=meaning)
        parser.addini(f"onewinner_{name}", meaning, default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, so that `--strict-markers` works."""
    for level in LEVEL_NAMES:
        config.addinivalue_line(
            "markers", f"onewinner_level_{level}: a check of onewinner at level {level}"
        )


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse what cannot be carried out before any test runs and any worker starts (exit 4)."""
    config = session.config
    if hasattr(config, "workerinput"):
        return
    for name in _OPTIONS:
        given = _asked(config, StoreContract, name)
        if given is not None and name == "level":
            _checks(given)  # refuses a level that has no checks yet
    if any(name in arg for arg in config.args for name in _CONFORMANCE):
        try:
            with _run_directory() as directory:
                _probe(_target(StoreContract, config), directory)
        except _Unusable as error:
            raise pytest.UsageError(str(error)) from None


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which target is judged, and with which seed it can be judged so again."""
    target = _asked(config, StoreContract, "target")
    return f"onewinner: target {target}, seed {_run_seed(config):#x}" if target else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Let all workers of pytest-xdist use one seed."""
    node.workerinput["onewinner_seed"] = _run_seed(node.config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of every check, the same ones whatever the target declares."""
    contract = metafunc.cls
    if contract is None or "onewinner_check" not in metafunc.fixturenames:
        return
    if issubclass(contract, StoreContract):
        grouped = metafunc.config.pluginmanager.hasplugin("xdist")
        checks = _checks(_asked(metafunc.config, contract, "level"))
        metafunc.parametrize("onewinner_check", [_param(check, grouped) for check in checks])


def _param(check: Check, grouped: bool) -> Any:
    marks = [getattr(pytest.mark, f"onewinner_level_{check.level}")]
    if check.kind == "race" and grouped:
        # Several workers that each start several processes on the same cores would starve them.
        marks.append(pytest.mark.xdist_group(GROUP))
    # The random programs exercise so many clauses that naming them would hide the name.
    clauses = "ALL" if check.kind == "program" else "+".join(check.clauses)
    return pytest.param(check, id=f"{clauses}-{check.name}", marks=marks)


def _checks(level: Level | None) -> Sequence[Check]:
    from onewinner.suite.engine import BUILT
    from onewinner.suite.registry import all_checks

    if level is not None and level not in BUILT:
        raise pytest.UsageError(
            f"level {level!r} has no checks in this release, so it cannot be shown to hold; "
            f"ask for {' or '.join(BUILT)}"
        )
    reach = LEVEL_NAMES if level is None else LEVEL_NAMES[: LEVEL_NAMES.index(level) + 1]
    return [check for check in all_checks() if check.level in reach]


# --- what was asked ------------------------------------------------------------------------------


class _Unusable(Exception):  # noqa: N818 - never seen outside this module
    """The target or what was asked cannot be had; the text says what to do instead."""


def _asked(config: pytest.Config, contract: type[StoreContract], name: str) -> Any:
    """Answer one setting: the command line beats the class, which beats the ini file."""
    given, where = config.getoption(f"onewinner_{name}"), f"--onewinner-{name}"
    if given is None:
        own = getattr(contract, _ATTRIBUTES.get(name, name), None)
        if own is not None:
            return own
        given, where = config.getini(f"onewinner_{name}"), f"onewinner_{name} in the ini file"
    if not given:
        return None
    try:
        return _parsed(name, given)
    except ValueError as error:
        raise pytest.UsageError(f"{where}: {error}") from None


def _parsed(name: str, given: str) -> Any:
    from onewinner.cli import duration, seed_number

    match name:
        case "budget":
            return duration(given)
        case "seed":
            return seed_number(given)
        case "level" if given not in LEVEL_NAMES:
            raise ValueError(f"{given!r} is no level; choose from {', '.join(LEVEL_NAMES)}")
        case _:
            return given


def _run_seed(config: pytest.Config) -> int:
    """Answer the seed of this run: the one asked for, the controller's, or a new one."""
    if _SEED not in config.stash:
        asked = _asked(config, StoreContract, "seed")
        told = getattr(config, "workerinput", {}).get("onewinner_seed")
        fresh = int.from_bytes(os.urandom(4))
        config.stash[_SEED] = next(s for s in (asked, told, fresh) if s is not None)
    return config.stash[_SEED]


def _target(contract: type[StoreContract], config: pytest.Config) -> Target:
    from onewinner.adapters.targets import Target

    location = _asked(config, contract, "location")
    if contract.connect is not None:
        name = f"{contract.__module__}.{contract.__qualname__}"
        return Target(name, given=contract.connect, location=location)
    name = _asked(config, contract, "target")
    if name is None:
        raise _Unusable(
            "there is no target to judge: give --onewinner-target (sqlite, "
            "python:package.module:connect), set onewinner_target in the ini file, or write "
            f"connect = staticmethod(...) in {contract.__name__}"
        )
    return Target(name, location=location)


def _run_directory() -> Any:
    import tempfile

    # Not pytest's tmp_path, which keeps the directories of the last runs.
    return tempfile.TemporaryDirectory(prefix="onewinner-", ignore_cleanup_errors=True)


def _probe(target: Target, directory: str) -> Capabilities:
    from onewinner.adapters.targets import TargetError
    from onewinner.runner import ChildError
    from onewinner.suite import engine

    try:
        return engine.probe(target, directory)
    except (TargetError, ChildError) as error:
        raise _Unusable(str(error)) from None


# --- one check -----------------------------------------------------------------------------------


class _Subject:
    """The store under test as one class sees it in one process.

    Not a dataclass: making one takes longer than the rest of this module takes to import.
    """

    def __init__(
        self,
        target: Target,
        capabilities: Capabilities,
        budget_s: float | None,
        level: Level | None,
        seed: int,
    ) -> None:
        self.target = target
        self.capabilities = capabilities
        self.budget_s = budget_s
        self.level = level
        self.seed = seed

    def run(self, check: Check) -> list[CheckResult]:
        """Run the check; what the author of a target can put right fails without a traceback."""
        from onewinner.adapters.targets import TargetError
        from onewinner.runner import ChildError
        from onewinner.suite import engine

        __tracebackhide__ = True
        with _run_directory() as directory:
            try:
                return engine.run_check(
                    check,
                    self.target,
                    self.capabilities,
                    budget_s=_share(check, self.budget_s, self.level),
                    seed=self.seed,
                    run_dir=directory,
                )
            except (TargetError, ChildError) as error:
                pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="class")
def onewinner_subject(request: pytest.FixtureRequest) -> _Subject:
    """The store that the class judges, connected to once to learn what it declares."""
    config, contract = request.config, request.cls
    seed = _asked(config, contract, "seed")
    try:
        target = _target(contract, config)
        with _run_directory() as directory:
            capabilities = _probe(target, directory)
    except _Unusable as error:
        pytest.fail(str(error), pytrace=False)
    level = _asked(config, contract, "level")
    if level not in (None, "thread") and capabilities.scope == "thread":
        pytest.fail(
            f"level {level!r} was asked for, but {target.name} declares scope='thread'; ask for "
            f"level 'thread', or declare scope='process'",
            pytrace=False,
        )
    budget_s = _asked(config, contract, "budget")
    seed = _run_seed(config) if seed is None else seed
    return _Subject(target, capabilities, budget_s, level, seed)


def _share(check: Check, budget_s: float | None, level: Level | None) -> float:
    """Answer the seconds of the budget that are for this check; a case takes what it takes."""
    from onewinner.suite.engine import BUDGET_S, BUILT

    whole = BUDGET_S[level or BUILT[-1]] if budget_s is None else budget_s
    races = sum(other.kind == "race" for other in _checks(level))
    part = 1 - _PROGRAM_SHARE if check.kind == "race" else _PROGRAM_SHARE
    return whole * part / (max(1, races) if check.kind == "race" else 1)


def _report(check: Check, results: list[CheckResult], subject: _Subject, nodeid: str) -> None:
    """End the test as its worst result says."""
    from onewinner.suite.tree import Status, worst

    __tracebackhide__ = True
    if not results:
        pytest.fail(f"untested: {check.name} reported nothing", pytrace=False)
    status = worst(result.status for result in results)
    if status is Status.PASS:
        return
    if status is Status.NA:
        pytest.skip(f"n/a: {results[0].reason}")
    telling = [result for result in results if result.status is status]
    if status is Status.XFAIL:
        pytest.xfail(telling[0].reason)
    command = _reproduce(telling[0], subject, nodeid)
    pytest.fail("\n".join(["", *_story(telling), f"Reproduce:  {command}"]), pytrace=False)


def _story(telling: list[CheckResult]) -> Iterator[str]:
    from onewinner.contract.clauses import CLAUSES
    from onewinner.report.console import violation_lines
    from onewinner.report.text import printable

    for result in telling:
        yield f"{result.status.label.upper()} {result.clause}  {CLAUSES[result.clause].sentence}"
        if result.violation is None:
            yield printable(result.reason)
            continue
        yield from violation_lines(result.violation)
        if result.violation.script:
            yield f"# --- a program that shows {result.clause}"
            yield printable(result.violation.script.strip("\n"), keep="\n\t")
            yield "# --- end"


def _reproduce(result: CheckResult, subject: _Subject, nodeid: str) -> str:
    if subject.target.given is None:
        found = result.violation
        if found is not None and found.reproduce:
            return found.reproduce
        target = shlex.quote(subject.target.name)
        return f"onewinner verify {target} -k {result.clause} --seed {subject.seed:#x}"
    # A factory without a name is known to its own tests only.
    name = shlex.quote(nodeid.removesuffix(f"@{GROUP}"))
    return f"pytest {name} --onewinner-seed {subject.seed:#x}"


def _properties(
    check: Check, results: list[CheckResult], subject: _Subject
) -> Iterator[tuple[str, str]]:
    yield "check", check.name
    yield "clause", " ".join(check.clauses)
    yield "seed", f"{subject.seed:#x}"
    for result in results:
        for name, value in result.evidence.items():
            yield f"evidence.{result.clause}.{name}", str(value)
