"""Tests of the pytest doors: `StoreContract` and `onewinner.conformance`.

What the engine would find is made by hand where a test is about what pytest then shows; the last
tests judge a real store.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from onewinner import pytest_plugin
from onewinner.adapters.targets import TargetError
from onewinner.contract import Capabilities
from onewinner.contract.clauses import CLAUSES, LEVELS
from onewinner.suite import engine, registry
from onewinner.suite.tree import CheckResult, Status
from results import check as found
from results import violation

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ("pytester",)

SUBCLASS = """
import onewinner
def my_connect(location, *, clock): ...
class TestMyStore(onewinner.StoreContract):
    connect = staticmethod(my_connect)
"""


@dataclass(frozen=True)
class FakeCheck:
    """A check of the registry, as the plugin sees it."""

    name: str
    clauses: tuple[str, ...]
    level: str = "thread"
    kind: str = "case"

    def missing(self, capabilities: Capabilities) -> str | None:
        """Say what the first clause needs and the store has not."""
        return CLAUSES[self.clauses[0]].missing(capabilities)


CHECKS = (
    FakeCheck("refused_claim_changes_nothing", ("CLAIM-3",)),
    FakeCheck("oldest_goes", ("EVICT-1",)),
    FakeCheck("random_programs", ("CLAIM-1", "CLAIM-2"), kind="program"),
    FakeCheck("race_vacant", ("CLAIM-6", "ERR-3"), level="process", kind="race"),
)


@dataclass
class Engine:
    """An engine that answers what a test wants, and remembers what it was asked."""

    results: dict[str, list[CheckResult]] = field(default_factory=dict)
    capabilities: Capabilities = field(default_factory=Capabilities)
    refusal: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)

    def probe(self, target: Any, run_dir: str) -> Capabilities:
        """Answer the capabilities, or refuse."""
        if self.refusal:
            raise TargetError(self.refusal)
        return self.capabilities

    def run_check(self, check: FakeCheck, target: Any, _: Any, **asked: Any) -> list[CheckResult]:
        """Answer what the test wants for this check, by default a pass of its clauses."""
        self.asked.append({"check": check.name, "target": target, **asked})
        passed = [found(clause, check=check.name) for clause in check.clauses]
        return self.results.get(check.name, passed)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine in place of the real one, for a pytest that runs in this process."""
    made = Engine()
    monkeypatch.setattr(registry, "all_checks", lambda: CHECKS)
    monkeypatch.setattr(engine, "probe", made.probe)
    monkeypatch.setattr(engine, "run_check", made.run_check)
    return made


def run(pytester: pytest.Pytester, *args: str, test: str = SUBCLASS) -> pytest.RunResult:
    """Run pytest on a test file in this process, without what the outer run brings."""
    pytester.makepyfile(test_store=test)
    without = [word for name in ("xdist", "hypothesispytest") for word in ("-p", f"no:{name}")]
    return pytester.runpytest_inprocess("--strict-markers", *without, *args)


def text_of(result: pytest.RunResult) -> str:
    """Answer all that pytest printed."""
    return result.stdout.str() + result.stderr.str()


def test_the_levels_are_those_of_the_contract() -> None:
    """The plugin's own list, kept so that it imports nothing, is the contract's."""
    assert LEVELS == pytest_plugin.LEVEL_NAMES


def test_importing_the_plugin_loads_nothing_heavy() -> None:
    """A pytest run that does not use onewinner does not pay for it."""
    code = (
        "import sys, pytest; before = set(sys.modules); import onewinner.pytest_plugin;"
        "print(sorted(m for m in set(sys.modules) - before if not m.startswith('onewinner.c')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = set(eval(done.stdout))
    assert new <= {"onewinner", "onewinner.pytest_plugin", "mmap", "_struct"}


def test_each_check_is_a_test_with_its_clauses_in_the_id(
    pytester: pytest.Pytester, fake: Engine
) -> None:
    """The ids name clause and check, so that -k finds them and reports can be compared."""
    shown = text_of(run(pytester, "--collect-only", "-q"))
    for identity in (
        "test_check[CLAIM-3-refused_claim_changes_nothing]",
        "test_check[ALL-random_programs]",
        "test_check[CLAIM-6+ERR-3-race_vacant]",
    ):
        assert f"test_store.py::TestMyStore::{identity}" in shown


def test_a_conforming_store_passes(pytester: pytest.Pytester, fake: Engine) -> None:
    """Every check that passes is a passed test."""
    run(pytester).assert_outcomes(passed=4)


def test_checks_are_chosen_by_level(pytester: pytest.Pytester, fake: Engine) -> None:
    """A level leaves out the checks above it, and each check carries its level's marker."""
    run(pytester, "--onewinner-level", "thread").assert_outcomes(passed=3)
    run(pytester, "-m", "onewinner_level_process").assert_outcomes(passed=1, deselected=3)


def test_what_is_not_declared_is_skipped(pytester: pytest.Pytester, fake: Engine) -> None:
    """A check that does not apply is skipped, and the reason names the capability."""
    fake.capabilities = Capabilities(eviction=None)
    result = run(pytester, "-rs")
    result.assert_outcomes(passed=3, skipped=1)
    assert "n/a: eviction is not declared" in text_of(result)


def test_a_violation_fails_with_all_that_is_needed(pytester: pytest.Pytester, fake: Engine) -> None:
    """A failure shows clause, story, program and command, and no traceback of the kit."""
    broken = found("CLAIM-3", Status.FAIL, violation=violation("CLAIM-3"))
    fake.results = {CHECKS[0].name: [broken]}
    result = run(pytester, "--onewinner-seed", "0x51ab")
    result.assert_outcomes(passed=3, failed=1)
    shown = text_of(result)
    assert f"FAIL CLAIM-3  {CLAUSES['CLAIM-3'].sentence}" in shown
    assert 'key "k17" has 2 winners' in shown
    assert "Why: between two successful claims there was no removal" in shown
    assert "# --- a program that shows CLAIM-3" in shown
    assert (
        "Reproduce:  pytest 'test_store.py::TestMyStore::"
        "test_check[CLAIM-3-refused_claim_changes_nothing]' --onewinner-seed 0x51ab"
    ) in shown
    assert "pytest_plugin.py" not in shown
    (kept,) = (pytester.path / ".onewinner").glob("*/failure.json")
    assert f"Kept: .onewinner/{kept.parent.name} " in shown


@pytest.mark.parametrize("status", [Status.UNTESTED, Status.ERROR])
def test_what_could_not_be_judged_is_not_green(
    pytester: pytest.Pytester, fake: Engine, status: Status
) -> None:
    """An untested check and one in error fail, with the reason."""
    fake.results = {"race_vacant": [found("CLAIM-6", status, reason="only 3 claims overlapped")]}
    result = run(pytester)
    result.assert_outcomes(passed=3, failed=1)
    assert f"{status.label.upper()} CLAIM-6" in text_of(result)
    assert "only 3 claims overlapped" in text_of(result)


def test_a_check_that_reports_nothing_is_not_green(pytester: pytest.Pytester, fake: Engine) -> None:
    """Silence of a check that applies is a failure, not a pass and not a skip."""
    fake.results = {"race_vacant": []}
    run(pytester).assert_outcomes(passed=3, failed=1)


def test_a_known_failure_is_an_xfail(pytester: pytest.Pytester, fake: Engine) -> None:
    """A clause whose violation is known and listed is shown as pytest shows it."""
    fake.results = {"race_vacant": [found("CLAIM-6", Status.XFAIL, reason="known: #12")]}
    run(pytester).assert_outcomes(passed=3, xfailed=1)


def test_a_target_that_cannot_be_had_fails_without_a_traceback(
    pytester: pytest.Pytester, fake: Engine
) -> None:
    """The message for the author of the target is all that is shown."""
    fake.refusal = "target x: connect raised OSError: no such host; start the server"
    result = run(pytester)
    result.assert_outcomes(errors=4)
    assert "connect raised OSError: no such host" in text_of(result)
    assert "Traceback" not in text_of(result)


def test_a_contract_without_a_target_fails(pytester: pytest.Pytester, fake: Engine) -> None:
    """A class that says neither how to connect nor what to judge is told to, not skipped."""
    test = "import onewinner\nclass TestNothing(onewinner.StoreContract): pass\n"
    result = run(pytester, test=test)
    result.assert_outcomes(errors=4)
    assert "there is no target to judge: give --onewinner-target" in text_of(result)
    run(pytester, "--onewinner-target", "memory", test=test).assert_outcomes(passed=4)
    assert fake.asked[-1]["target"].name == "memory"


def test_the_command_line_beats_the_class_and_the_class_the_ini_file(
    pytester: pytest.Pytester, fake: Engine
) -> None:
    """Settings come from the nearest place: seed and budget of all three are told apart."""
    pytester.makeini("[pytest]\nonewinner_seed = 1\nonewinner_location = redis://ini\n")
    own = SUBCLASS + "    seed = 2\n    location = 'redis://class'\n    budget_s = 10.0\n"
    run(pytester, test=SUBCLASS)
    assert fake.asked[-1]["seed"] == 1
    assert fake.asked[-1]["target"].location == "redis://ini"
    run(pytester, test=own)
    assert fake.asked[-1]["seed"] == 2
    assert fake.asked[-1]["target"].location == "redis://class"
    assert fake.asked[-1]["budget_s"] == pytest.approx(7.0), "one race gets what programs leave"
    run(pytester, "--onewinner-seed", "3", "--onewinner-budget", "100s", test=own)
    assert fake.asked[-1]["seed"] == 3
    assert fake.asked[-1]["budget_s"] == pytest.approx(70.0)


@pytest.mark.parametrize(
    ("option", "given", "said"),
    [
        ("level", "galaxy", "'galaxy' is no level"),
        ("budget", "soon", "'soon' is no duration"),
        ("seed", "-1", "'-1' is no seed"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(
    pytester: pytest.Pytester, fake: Engine, option: str, given: str, said: str
) -> None:
    """A wrong setting ends pytest as a usage error that says what to write."""
    result = run(pytester, f"--onewinner-{option}={given}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in text_of(result)


def test_a_level_above_the_declared_scope_is_refused(
    pytester: pytest.Pytester, fake: Engine
) -> None:
    """Asking a store of threads for the process level is an error, not a row of skips."""
    fake.capabilities = Capabilities(scope="thread", durable=False)
    result = run(pytester, "--onewinner-level=process")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "declares scope='thread'" in text_of(result)


def test_evidence_is_recorded(pytester: pytest.Pytester, fake: Engine, tmp_path: Path) -> None:
    """Pytest's own JUnit file carries check, clause, seed and evidence of each test."""
    path = tmp_path / "junit.xml"
    run(pytester, "--onewinner-seed=7", f"--junitxml={path}", "-o", "junit_family=xunit1")
    cases = {case.attrib["name"]: case for case in ElementTree.parse(path).iter("testcase")}
    case = cases["test_check[CLAIM-6+ERR-3-race_vacant]"]
    told = {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
    assert (told["check"], told["clause"], told["seed"]) == ("race_vacant", "CLAIM-6 ERR-3", "0x7")
    assert told["evidence.CLAIM-6.overlaps"] == "1182"


def test_the_base_class_is_no_test(pytester: pytest.Pytester, fake: Engine) -> None:
    """Importing the base class into a test module adds no tests, whatever the class pattern."""
    result = run(pytester, "-o", "python_classes=*", test="from onewinner import StoreContract\n")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_the_conformance_package_needs_a_target(pytester: pytest.Pytester, fake: Engine) -> None:
    """Without a target it is a usage error, never a green run of nothing."""
    result = run(pytester, "--pyargs", "onewinner.conformance")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "there is no target to judge" in text_of(result)


def test_the_conformance_package_judges_the_target_of_the_ini_file(
    pytester: pytest.Pytester, fake: Engine
) -> None:
    """The target may stand in the ini file, and the header says which is judged."""
    pytester.makeini("[pytest]\nonewinner_target = memory\n")
    result = run(pytester, "--pyargs", "onewinner.conformance")
    result.assert_outcomes(passed=4)
    assert "onewinner: target memory, seed 0x" in text_of(result)
    assert {asked["target"].name for asked in fake.asked} == {"memory"}


def test_a_conformance_target_that_cannot_be_had_is_a_usage_error(
    pytester: pytest.Pytester, fake: Engine
) -> None:
    """A target that does not start ends the run before the first test (exit 4)."""
    fake.refusal = "target x: connect raised OSError: no such host; start the server"
    result = run(pytester, "--pyargs", "onewinner.conformance", "--onewinner-target", "x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "connect raised OSError: no such host" in text_of(result)


def test_a_named_target_is_reproduced_by_the_command_line(
    pytester: pytest.Pytester, fake: Engine
) -> None:
    """Where the target has a name, the command needs no pytest."""
    fake.results = {"race_vacant": [found("CLAIM-6", Status.ERROR)]}
    result = run(
        pytester, "--pyargs", "onewinner.conformance", "--onewinner-target=python:a b:c",
        "--onewinner-seed=9",
    )  # fmt: skip
    assert "Reproduce:  onewinner verify 'python:a b:c' -k CLAIM-6 --seed 0x9" in text_of(result)
