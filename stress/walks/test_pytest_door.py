"""The pytest doors with real stores and real workers: races take turns, and both doors judge."""

from __future__ import annotations

import itertools

import pytest

pytest_plugins = ["pytester"]

SUBCLASS = """
import onewinner
def my_connect(location, *, clock): ...
class TestMyStore(onewinner.StoreContract):
    connect = staticmethod(my_connect)
"""

FAKE_RACES = """
import pathlib
import pytest
from onewinner.clock import monotonic_ns, sleep
from onewinner.contract import Capabilities
from onewinner.suite import engine, registry
from onewinner.suite.tree import CheckResult, Status

def run_check(check, *args, **more):
    started = monotonic_ns()
    sleep(0.2)
    line = f"{started} {monotonic_ns()}"
    (pathlib.Path(__file__).parent / f"{check.name}.race").write_text(line)
    return [CheckResult(check=check.name, clause="CLAIM-5", status=Status.PASS)]

class Race(registry.Check):
    def missing(self, capabilities):
        return None

checks = tuple(Race(f"race{i}", ("CLAIM-5",), "thread", "race") for i in range(6))
registry.all_checks = lambda: checks
engine.probe = lambda target, directory: Capabilities()
engine.run_check = run_check
"""


@pytest.mark.parametrize("dist", ["load", "loadgroup"])
def test_races_take_turns(pytester: pytest.Pytester, dist: str) -> None:
    """However the workers share the tests out, no two races run at once and starve each other."""
    pytester.makeconftest(FAKE_RACES)
    pytester.makepyfile(test_store=SUBCLASS)
    result = pytester.runpytest_subprocess("-n", "2", "--dist", dist, "--strict-markers")
    result.assert_outcomes(passed=6)
    spans = [path.read_text("utf-8").split() for path in pytester.path.glob("*.race")]
    ordered = sorted((int(start), int(end)) for start, end in spans)
    assert len(ordered) == 6
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ordered))


REAL = """
import onewinner
from onewinner.stores import memory

def my_connect(location, *, clock):
    return memory.connect(location, clock=clock)

class TestMyStore(onewinner.StoreContract):
    connect = staticmethod(my_connect)
    budget_s = 4.0
"""


@pytest.mark.parametrize("workers", [("-p", "no:xdist"), ("-n", "2", "--dist", "loadgroup")])
def test_a_real_store_is_judged(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """A factory of a test module is carried to worker processes, with and without xdist."""
    pytester.makepyfile(test_store=REAL)
    wanted = "INPUT-2 or claims-on-threads or CLAIM-6"
    result = pytester.runpytest_subprocess("-v", "-rs", "-k", wanted, "--strict-markers", *workers)
    outcomes = result.parseoutcomes()
    assert set(outcomes) <= {"passed", "skipped", "deselected"}, result.stdout.str()
    assert outcomes["passed"] >= 2
    assert "n/a: claims-on-processes needs a store that processes can share" in (
        result.stdout.str()
    )


def test_the_conformance_package_judges_a_real_store(pytester: pytest.Pytester) -> None:
    """The other door leads to the same checks, also with xdist."""
    result = pytester.runpytest_subprocess(
        "--pyargs", "onewinner.conformance", "--onewinner-target=sqlite", "--onewinner-budget=4s",
        "-k", "INPUT-2 or first-opens", "-n", "2", "--dist", "loadgroup",
    )  # fmt: skip
    assert set(result.parseoutcomes()) == {"passed"}, result.stdout.str()
