"""Tests of the reports of a pytest run: gathered by class, merged under xdist, written once."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from onewinner.suite import engine, registry
from test_report_json import VALIDATOR

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ("pytester",)

STORE = """
import onewinner
def my_connect(location, *, clock): ...
class TestMyStore(onewinner.StoreContract):
    connect = staticmethod(my_connect)
"""

ENGINE = """
import os
from onewinner.contract import Capabilities
from onewinner.contract.clauses import CLAUSES
from onewinner.suite import engine, registry
from onewinner.suite.registry import Check
from onewinner.suite.tree import CheckResult, Status, Violation

STATUSES = {"INPUT-3": Status.UNTESTED, "CLAIM-6": Status.FAIL, "INPUT-4": Status.FAIL}

class Fake(Check):
    def missing(self, capabilities):
        return CLAUSES[self.clauses[0]].missing(capabilities)

def run_check(check, target, capabilities, **more):
    if os.environ.get("DIES") == check.name:
        os._exit(1)
    return [result(check, clause) for clause in check.clauses]

def result(check, clause):
    status = STATUSES.get(clause, Status.PASS)
    told = Violation(clause=clause, summary="both won the key 'k'", happened=(), why="one may")
    return CheckResult(
        check=check.name, clause=clause, status=status, reason=status.label,
        evidence={"calls": 7}, seconds=0.1,
        violation=told if status is Status.FAIL else None,
    )

names = ["CLAIM-1", "CLAIM-2", "INPUT-1", "INPUT-2", "INPUT-3", "INPUT-4", "INPUT-5", "EVICT-1"]
checks = [Fake(f"case-{name}", (name,), "thread", "case") for name in names]
checks.append(Fake("race", ("CLAIM-6", "ERR-3"), "process", "race"))
registry.all_checks = lambda: tuple(checks)
engine.probe = lambda target, directory: Capabilities(eviction=None)
engine.run_check = run_check
"""

KNOWN = """
[[known]]
clause = "CLAIM-6"
reason = "one lock for each process"
issue = "https://example.org/1"
kind = "cannot"
signature = "both won the key"
"""
STALE = KNOWN.replace("CLAIM-6", "INPUT-2")


@pytest.fixture(autouse=True)
def engine_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back what the made-up engine replaces, where it runs in this process."""
    for owner, name in ((registry, "all_checks"), (engine, "probe"), (engine, "run_check")):
        monkeypatch.setattr(owner, name, getattr(owner, name))


def pytest_of(pytester: pytest.Pytester, *args: str, test: str = STORE) -> pytest.RunResult:
    """Run pytest on a store that a made-up engine judges, where it can be in this process."""
    pytester.makeconftest(ENGINE)
    pytester.makepyfile(test_store=test)
    alone = "no:xdist" in args
    start = pytester.runpytest_inprocess if alone else pytester.runpytest_subprocess
    return start(
        "--strict-markers", "-p", "no:cacheprovider", "-p", "no:hypothesispytest",
        "--onewinner-seed=1", *args,
    )  # fmt: skip


def report(path: Path) -> dict[str, Any]:
    """Read a report, which is one by the schema."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    VALIDATOR.validate(found)
    return found


def clauses(found: dict[str, Any]) -> dict[str, Any]:
    """Answer what a report says clause by clause, without the names of what each run kept."""
    told = json.loads(re.sub(r'"artefact": "\w+"', '"artefact": ""', json.dumps(found["clauses"])))
    return {clause["id"]: clause for clause in told}


def test_one_worker_or_two_tell_the_same(pytester: pytest.Pytester) -> None:
    """What two workers gathered is, clause by clause, what one process finds, and written once."""
    one, two = pytester.path / "one.json", pytester.path / "two.json"
    pytest_of(pytester, f"--onewinner-json={one}", "-p", "no:xdist")
    done = pytest_of(pytester, f"--onewinner-json={two}", "-n", "2")
    done.assert_outcomes(passed=5, failed=3, skipped=1)
    serial, merged = report(one), report(two)
    assert clauses(merged) == clauses(serial)
    assert len(clauses(serial)) > 40
    for name in ("target", "level", "reached", "exit_code", "counts", "seed", "capabilities"):
        assert merged[name] == serial[name]
    assert clauses(serial)["CLAIM-6"]["status"] == "fail"
    assert clauses(serial)["EVICT-1"]["missing"] == "eviction is not declared"


def test_a_failure_says_the_command_that_its_test_says(pytester: pytest.Pytester) -> None:
    """Report and test hand on the same command to reproduce a violation."""
    path = pytester.path / "one.json"
    pytest_of(pytester, f"--onewinner-json={path}", "-p", "no:xdist")
    told = clauses(report(path))["INPUT-4"]["checks"][0]["violation"]["reproduce"]
    assert told.startswith("pytest 'test_store.py::TestMyStore::test_check[INPUT-4-case-INPUT-4]'")


def test_a_selection_tells_of_what_was_selected(pytester: pytest.Pytester) -> None:
    """With -k the report holds those clauses, and is no verdict on the level."""
    path = pytester.path / "one.json"
    pytest_of(pytester, f"--onewinner-json={path}", "-p", "no:xdist", "-k", "INPUT-1 or EVICT-1")
    found = report(path)
    assert {name: clause["status"] for name, clause in clauses(found).items()} == {
        "EVICT-1": "n/a",
        "INPUT-1": "pass",
    }
    assert (found["complete"], found["reached"], found["exit_code"]) == (False, None, 0)


def test_a_worker_that_dies_leaves_its_checks_open(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a lost worker had begun is untested in the report, however many others passed."""
    path = pytester.path / "one.json"
    monkeypatch.setenv("DIES", "case-INPUT-1")
    pytest_of(
        pytester, f"--onewinner-json={path}", "-n", "2", "-k", "INPUT-1 or INPUT-2 or INPUT-5"
    )
    found = report(path)
    told = clauses(found)["INPUT-1"]
    assert (told["status"], told["reason"]) == ("untested", "its test did not come to an end")
    assert found["exit_code"] == 7


def test_a_run_that_stops_early_is_no_verdict(pytester: pytest.Pytester) -> None:
    """With -x what was not run is untested, not forgotten."""
    path = pytester.path / "one.json"
    pytest_of(pytester, f"--onewinner-json={path}", "-p", "no:xdist", "-x")
    found = report(path)
    assert found["exit_code"] == 7
    assert clauses(found)["INPUT-5"]["status"] == "untested"


def test_a_known_failure_is_an_xfail(pytester: pytest.Pytester) -> None:
    """A baseline entry makes the test xfail, with its reason, and the report says so too."""
    (pytester.path / "known.toml").write_text(KNOWN, "utf-8")
    path = pytester.path / "one.json"
    done = pytest_of(
        pytester, f"--onewinner-json={path}", "--onewinner-baseline=known.toml", "-rx",
        "-p", "no:xdist", "-k", "CLAIM-6 or INPUT-1",
    )  # fmt: skip
    assert done.ret == 0
    done.assert_outcomes(passed=1, xfailed=1, deselected=7)
    done.stdout.fnmatch_lines(["*CLAIM-6 is known to fail (cannot, https://example.org/1): one l*"])
    found = report(path)
    assert (clauses(found)["CLAIM-6"]["status"], found["exit_code"]) == ("xfail", 0)


def test_a_known_failure_is_one_under_xdist(pytester: pytest.Pytester) -> None:
    """Workers know the baseline, which may stand in the ini file."""
    (pytester.path / "known.toml").write_text(KNOWN, "utf-8")
    pytester.makeini("[pytest]\nonewinner_baseline = known.toml\nonewinner_json = one.json\n")
    done = pytest_of(pytester, "-n", "2", "-k", "CLAIM-6 or INPUT-1")
    assert done.parseoutcomes() == {"passed": 1, "xfailed": 1}
    assert clauses(report(pytester.path / "one.json"))["CLAIM-6"]["status"] == "xfail"


def test_a_stale_entry_fails_the_run(pytester: pytest.Pytester) -> None:
    """All tests may pass: an entry whose clause holds ends the run with 1, and is told."""
    (pytester.path / "known.toml").write_text(
        STALE + KNOWN + KNOWN.replace("CLAIM-6", "INPUT-4"), "utf-8"
    )
    path = pytester.path / "one.json"
    done = pytest_of(
        pytester, "--onewinner-baseline=known.toml", f"--onewinner-json={path}", "-p", "no:xdist",
        "--deselect", "none", test=STORE,
    )  # fmt: skip
    assert done.ret == 1
    done.stdout.fnmatch_lines(["onewinner: stale baseline: test_store.py::TestMyStore: INPUT-2 *"])
    assert len(report(path)["stale"]) == 1


def test_a_part_of_the_checks_makes_nothing_stale(pytester: pytest.Pytester) -> None:
    """Whoever runs some tests is told nothing of entries that others may be about."""
    (pytester.path / "known.toml").write_text(STALE, "utf-8")
    done = pytest_of(pytester, "--onewinner-baseline=known.toml", "-p", "no:xdist", "-k", "INPUT-2")
    assert done.ret == 0


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--onewinner-baseline=known.toml", "no clause is called 'CLAIM-66'"),
        ("--onewinner-baseline=nowhere.toml", "--onewinner-baseline: "),
        ("--onewinner-json=no/such/place.json", "--onewinner-json: "),
    ],
)
def test_a_file_that_cannot_be_is_refused(
    pytester: pytest.Pytester, option: str, said: str
) -> None:
    """A baseline or a report that cannot be had is a usage error before any test runs."""
    (pytester.path / "known.toml").write_text(KNOWN.replace("CLAIM-6", "CLAIM-66"), "utf-8")
    done = pytest_of(pytester, option, "-p", "no:xdist")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"*{said}*"])


def test_two_classes_are_two_reports(pytester: pytest.Pytester) -> None:
    """Each class has a report of its own; none of them has the name that was given."""
    (pytester.path / "r.json").write_text("{}", "utf-8")
    more = STORE + "\nclass TestOther(TestMyStore):\n    pass\n"
    pytest_of(pytester, "--onewinner-json=r.json", "-p", "no:xdist", "-k", "INPUT-1", test=more)
    assert sorted(path.name for path in pytester.path.glob("*.json")) == [
        "r-test_store.TestMyStore.json",
        "r-test_store.TestOther.json",
    ]


def test_an_earlier_report_is_not_left(pytester: pytest.Pytester) -> None:
    """A run in which no store was judged does not leave the report of the run before."""
    path = pytester.path / "r.json"
    path.write_text('{"exit_code": 0}', "utf-8")
    pytest_of(pytester, "--onewinner-json=r.json", "-p", "no:xdist", "-k", "nothing at all")
    assert not path.read_text("utf-8")
    with pytest.raises(ValueError, match="Expecting value"):
        report(path)


@pytest.mark.parametrize("workers", [("-p", "no:xdist"), ("-n", "2")])
def test_a_workflow_is_told_once(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    """Annotations and summary come from the process that was started, not from each worker."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    done = pytest_of(pytester, *workers, "-k", "INPUT-4 or INPUT-1")
    (told,) = [line for line in done.stdout.lines if line.startswith("::")]
    assert told.startswith("::error file=test_store.py,line=2,title=INPUT-4::")
    assert (pytester.path / "summary.md").read_text("utf-8").count("### onewinner") == 1
    quiet = pytest_of(pytester, *workers, "-k", "INPUT-4", "--onewinner-no-github")
    assert not [line for line in quiet.stdout.lines if line.startswith("::")]


def test_html_is_written_by_its_own_writer(pytester: pytest.Pytester) -> None:
    """`--onewinner-html` is what the writer of HTML makes of the same tree."""
    pytest_of(pytester, "--onewinner-html=r.html", "-p", "no:xdist", "-k", "INPUT-1")
    assert "INPUT-1" in (pytester.path / "r.html").read_text("utf-8")


def test_the_schema_refuses_what_is_no_report() -> None:
    """The reader of these tests would see a report that is none."""
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({"exit_code": 0})
