"""The pytest doors: `StoreContract` for the implementer's own tests, and `onewinner.conformance`.

This module is imported in every pytest run of an environment that holds onewinner, so it imports
nothing that pytest has not imported already; the engine is loaded by the first test that needs it.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from onewinner.adapters.targets import Target
    from onewinner.conformance.gathering import Gathering
    from onewinner.conformance.subject import Subject
    from onewinner.contract import Connect
    from onewinner.contract.clauses import Level
    from onewinner.suite.registry import Check
    from onewinner.suite.tree import Known

LEVEL_NAMES: Final = ("thread", "process", "crash")  # contract.clauses.LEVELS, not imported here
_OPTIONS: Final = {
    "target": "the store to judge: sqlite, python:package.module:connect, ...",
    "level": f"the highest level to judge: {', '.join(LEVEL_NAMES)}",
    "budget": "time for all programs and races together: 60s, 2m",
    "seed": "repeat the choices of a run: a number, or 0x and hex",
    "location": "where a server listens: a URL",
}
_REPORTS: Final = ("json", "html")
_FILES: Final = {
    "json": "write what was found as JSON",
    "html": "write what was found as one HTML file",
    "baseline": "failures that are known, from `onewinner baseline`",
}
_ATTRIBUTES: Final = {"budget": "budget_s"}
_CONFORMANCE: Final = ("onewinner.conformance", f"onewinner{os.sep}conformance")
_SEED: Final = pytest.StashKey[int]()
_KNOWN: Final = pytest.StashKey["tuple[Known, ...]"]()
_COLLECTED: Final = pytest.StashKey["dict[str, set[str]]"]()
_GATHERING: Final = pytest.StashKey["Gathering"]()
_TOLD: Final = pytest.StashKey["list[str]"]()


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
        onewinner_subject: Subject,
        request: pytest.FixtureRequest,
        record_property: Any,
    ) -> None:
        """One check of the contract finds no violation, and exercised what it judges."""
        for name, value in onewinner_subject.judge(onewinner_check, request.node.nodeid):
            record_property(name, value)


# --- hooks ---------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--onewinner-target` and its companions, those with a value also as ini values."""
    group = parser.getgroup("onewinner", "onewinner, conformance of a store")
    for name, meaning in _OPTIONS.items():
        group.addoption(f"--onewinner-{name}", metavar=name.upper(), default=None, help=meaning)
        parser.addini(f"onewinner_{name}", meaning, default=None)
    for name, meaning in _FILES.items():
        group.addoption(f"--onewinner-{name}", metavar="FILE", default=None, help=meaning)
        parser.addini(f"onewinner_{name}", meaning, default=None)
    group.addoption(
        "--onewinner-no-github",
        action="store_true",
        help="write no annotations and no job summary in a GitHub workflow",
    )


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
        _asked(config, StoreContract, name)
    _known(config)
    for name in _REPORTS:
        _emptied(config, name)
    level = _asked(config, StoreContract, "level")
    if any(name in arg for arg in config.args for name in _CONFORMANCE):
        from onewinner.conformance import subject

        try:
            subject.probe(_target(StoreContract, config), level)
        except subject.Unusable as error:
            raise pytest.UsageError(str(error)) from None


@pytest.fixture(scope="class")
def onewinner_subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """The store that the class judges, connected to once to learn what it declares.

    Where it is the client of a server and no address is given, one is started for the class.
    """
    from onewinner.conformance import subject

    config, contract = request.config, request.cls
    level, seed = (_asked(config, contract, name) for name in ("level", "seed"))
    with contextlib.ExitStack() as stack:
        try:
            target = stack.enter_context(subject.located(_target(contract, config)))
            capabilities = subject.probe(target, level)
        except subject.Unusable as error:
            pytest.fail(str(error), pytrace=False)
        budget_s = _asked(config, contract, "budget")
        seed = _run_seed(config) if seed is None else seed
        judged = _gathering(config).begin(
            request.node.nodeid, target, capabilities, level=level, budget_s=budget_s, seed=seed
        )
        yield subject.Subject(
            target=target,
            capabilities=capabilities,
            budget_s=budget_s,
            level=level,
            seed=seed,
            shared=hasattr(config, "workerinput"),
            judged=judged,
            known={entry.clause: entry for entry in _known(config)},
        )


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
        # The marker is xdist's, so --strict-markers knows it only where xdist is; workers load
        # xdist under another name.
        config = metafunc.config
        grouped = hasattr(config, "workerinput") or config.pluginmanager.hasplugin("xdist")
        checks = _checks(_asked(config, contract, "level"))
        metafunc.parametrize("onewinner_check", [_param(check, grouped) for check in checks])


def _param(check: Check, grouped: bool) -> Any:
    marks = [getattr(pytest.mark, f"onewinner_level_{check.level}")]
    if check.kind in {"race", "sweep", "fault"} and grouped:
        # Where xdist keeps a group together the other workers have better to do than wait.
        marks.append(pytest.mark.xdist_group("onewinner-stress"))
    return pytest.param(check, id=_identity(check), marks=marks)


def _identity(check: Check) -> str:
    from onewinner.conformance import subject

    return subject.identity(check)


def _checks(level: Level | None) -> Sequence[Check]:
    from onewinner.conformance import subject

    return subject.checks(level)


# --- what was found ---------------------------------------------------------------------------


def pytest_collection_finish(session: pytest.Session) -> None:
    """Remember which checks are to run: what is chosen and not run is open, not green."""
    found = session.config.stash.setdefault(_COLLECTED, {})
    for item in session.items:
        owner = item.getparent(pytest.Class)
        if owner is not None and item.name.startswith("test_check["):
            identity = item.name.removeprefix("test_check[").removesuffix("]")
            found.setdefault(owner.nodeid, set()).add(identity)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of pytest-xdist has gathered."""
    packed = getattr(node, "workeroutput", {}).get("onewinner")
    if packed is not None:
        _gathering(node.config).merge(packed)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Hand on what was gathered; who was started by the user writes the reports, once."""
    config = session.config
    gathering = config.stash.get(_GATHERING, None)
    if gathering is None:
        return
    collected: dict[str, set[str]] = config.stash.setdefault(_COLLECTED, {})
    gathering.collected.update(collected)
    if hasattr(config, "workeroutput"):
        config.workeroutput["onewinner"] = gathering.packed()
        return
    from onewinner.conformance import reporting

    interrupted = exitstatus == pytest.ExitCode.INTERRUPTED
    trees = reporting.held(gathering.trees(interrupted=interrupted), _known(config))
    for name in _REPORTS:
        path = _file(config, name)
        if path is not None:
            reporting.write(path, name, trees)
    stale = reporting.stale(trees)
    if stale and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    told = [f"onewinner: stale baseline: {line}" for line in stale]
    if os.environ.get("GITHUB_ACTIONS") == "true" and not config.getoption("onewinner_no_github"):
        told += reporting.on_github(trees)
    config.stash[_TOLD] = told


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what is stale, and annotate the change in a workflow of GitHub."""
    for line in config.stash.get(_TOLD, []):
        terminalreporter.write_line(line)


def _gathering(config: pytest.Config) -> Gathering:
    if _GATHERING not in config.stash:
        from onewinner.conformance.gathering import Gathering

        config.stash[_GATHERING] = Gathering()
    return config.stash[_GATHERING]


def _known(config: pytest.Config) -> tuple[Known, ...]:
    """Answer the failures that are known; raises UsageError where the file does not say them."""
    if _KNOWN not in config.stash:
        path = _file(config, "baseline")
        known: tuple[Known, ...] = ()
        if path is not None:
            from onewinner.baseline.reading import BaselineError, read

            try:
                known = read(path.read_text(encoding="utf-8"), str(path))
            except (BaselineError, OSError, ValueError) as error:
                raise pytest.UsageError(f"--onewinner-baseline: {error}") from None
        config.stash[_KNOWN] = known
    return config.stash[_KNOWN]


def _emptied(config: pytest.Config, name: str) -> None:
    """Empty a report, so that an earlier run's cannot be taken for this one's."""
    path = _file(config, name)
    if path is not None:
        try:
            path.write_text("", encoding="utf-8")
        except OSError as error:
            raise pytest.UsageError(f"--onewinner-{name}: {error}") from None


def _file(config: pytest.Config, name: str) -> Path | None:
    """Answer a file: the command line's is told from here, the ini file's from the root."""
    given = config.getoption(f"onewinner_{name}")
    if given:
        return config.invocation_params.dir / str(given)
    given = config.getini(f"onewinner_{name}")
    return config.rootpath / str(given) if given else None


# --- what was asked ------------------------------------------------------------------------------


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
    from onewinner.arguments import duration, seed_number

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
    from onewinner.conformance.subject import Unusable

    location = _asked(config, contract, "location")
    if contract.connect is not None:
        # A name that others can resolve too, where the test module can be imported.
        name = f"python:{contract.__module__}:{contract.__qualname__}.connect"
        return Target(name, given=contract.connect, location=location)
    name = _asked(config, contract, "target")
    if name is None:
        raise Unusable(
            "there is no target to judge: give --onewinner-target (sqlite, "
            "python:package.module:connect), set onewinner_target in the ini file, or write "
            f"connect = staticmethod(...) in {contract.__name__}"
        )
    return Target(name, location=location)
