"""The house style is a test: rules for the source, and what ties clauses, checks and mutants."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import pytest

import tidy
from onewinner.contract import OPERATIONS, OPTIONAL_OPERATIONS, Capabilities
from onewinner.contract import WHOLE as ALL
from onewinner.contract.clauses import CLAUSES, FAMILIES, by_level
from tidy import ROOT, SOURCE, SOURCE_RULES, Module, Rule

if TYPE_CHECKING:
    from pathlib import Path

MODULES = [Module.read(path) for path in sorted(SOURCE.rglob("*.py"))]
TESTS = [Module.read(path, ROOT / "tests") for path in sorted((ROOT / "tests").glob("*.py"))]
STRESS = [Module.read(path, ROOT / "stress") for path in sorted((ROOT / "stress").glob("*.py"))]
SPECS = [Module.read(path, ROOT / "specs") for path in sorted((ROOT / "specs").rglob("*.py"))]
WRITTEN = ("src", "tests", "stress", "specs", "docs", "adapters", ".ci")
TEXT = {".py", ".mjs", ".rs", ".md", ".toml", ".json", ".jsonl", ".txt", ".sh", ".yml", ""}


WHOLE = Capabilities(virtual_clock=True)
BARE = Capabilities(
    scope="thread",
    durable=False,
    operations=frozenset({"register_if_absent"}),
    ttl_unit_ms=None,
    eviction=None,
    plugin_row_cap=None,
    validates_input=False,
)
NEWER = dataclasses.replace(ALL, virtual_clock=True)
OFFERS = {
    "whole": WHOLE,
    "all that is newer": NEWER,
    "all that is newer, no virtual clock": ALL,
    "all that is newer, threads only": dataclasses.replace(NEWER, scope="thread", durable=False),
    **{
        f"newer without {f}": NEWER.without(f)
        for f in sorted(OPTIONAL_OPERATIONS | OPERATIONS - BARE.operations)
    },
    **{f"bare with newer {f}": BARE.having(f) for f in sorted(OPTIONAL_OPERATIONS)},
    "bare": BARE,
    "no virtual clock": Capabilities(),
    "threads only": dataclasses.replace(WHOLE, scope="thread", durable=False),
    "seconds": dataclasses.replace(WHOLE, ttl_unit_ms=1000),
    "no ttl": dataclasses.replace(WHOLE, ttl_unit_ms=None),
    "no eviction": dataclasses.replace(WHOLE, eviction=None),
    "no cap": dataclasses.replace(WHOLE, plugin_row_cap=None),
    "no limits": dataclasses.replace(WHOLE, eviction=None, plugin_row_cap=None),
    "no input rules": dataclasses.replace(WHOLE, validates_input=False),
    "bare with processes": dataclasses.replace(BARE, scope="process", durable=True),
    "bare with ttl": dataclasses.replace(BARE, ttl_unit_ms=1),
    **{f"no {name}": WHOLE.without(name) for name in sorted(OPERATIONS - BARE.operations)},
    **{
        f"bare with {name}": dataclasses.replace(BARE, operations=BARE.operations | {name})
        for name in sorted(OPERATIONS - BARE.operations)
    },
}


def committed() -> list[Path]:
    """Answer the text files of the project, without what tools leave behind."""
    inside = [path for top in WRITTEN for path in sorted((ROOT / top).rglob("*"))]
    return [
        path
        for path in (*sorted(ROOT.glob("*")), *inside)
        if path.is_file()
        and path.suffix in TEXT
        and not any(part.startswith(".") for part in path.relative_to(ROOT).parts[1:])
    ]


def broken(rule: Rule, modules: list[Module]) -> dict[str, list[str]]:
    """Answer what the rule complains about, by module."""
    return {module.name: wrong for module in modules if (wrong := list(rule(module)))}


class TestProject:
    @pytest.mark.parametrize("rule", SOURCE_RULES, ids=lambda rule: rule.__name__)
    def test_the_source_keeps_the_rule(self, rule: Rule) -> None:
        """No module of the package breaks a rule of the house."""
        assert broken(rule, MODULES) == {}

    def test_every_test_states_its_property(self) -> None:
        """A test without a sentence holds nobody knows what."""
        assert broken(tidy.tests_say_what_they_hold, TESTS) == {}

    def test_what_is_not_shipped_is_well_named(self) -> None:
        """The names of tests and stress runs say what they are about."""
        assert broken(tidy.named, [*TESTS, *STRESS, *SPECS]) == {}

    @pytest.mark.parametrize("rule", [tidy.short, tidy.documented], ids=lambda rule: rule.__name__)
    def test_a_stress_run_is_readable(self, rule: Rule) -> None:
        """Stress runs, and what runs the formal model, are short and documented like the source."""
        assert broken(rule, [*STRESS, *SPECS]) == {}

    def test_every_exemption_is_still_needed(self) -> None:
        """A module that is allowed to be long is long; else the exemption goes."""
        lines = {module.name: module.text.count("\n") for module in MODULES}
        assert [m for m in tidy.LONG_BY_NATURE if lines.get(m, 0) <= tidy.LINES_MAX] == []

    def test_no_path_of_a_machine_is_committed(self) -> None:
        """A clone works anywhere: no file names a place on the machine it was written on."""
        found = {
            str(path.relative_to(ROOT)): wrong
            for path in committed()
            if (wrong := list(tidy.portable(path.read_text(encoding="utf-8"))))
        }
        assert found == {}

    def test_there_is_something_to_hold(self) -> None:
        """The rules see the whole package, so that they cannot pass by seeing nothing."""
        assert {"onewinner", "onewinner.clock", "onewinner.suite.tree"} <= {m.name for m in MODULES}
        assert ROOT / "pyproject.toml" in committed()
        assert ROOT / ".ci" / "run" in committed()


class TestClauses:
    def test_every_clause_that_is_mentioned_exists(self) -> None:
        """Source, specifications and documents cite only clauses of the registry."""
        made_up = {ROOT / "tests", ROOT / "stress" / "walks"}
        cited = re.compile(rf"\b(?:{'|'.join(FAMILIES)})-[0-9]+\b")
        unknown = {
            f"{path.relative_to(ROOT)}: {name}"
            for path in committed()
            if path.suffix in {".py", ".md", ".toml"} and path.parent not in made_up
            for name in cited.findall(path.read_text(encoding="utf-8"))
            if name not in CLAUSES
        }
        assert unknown == set()

    def test_every_clause_is_judged_by_a_check(self) -> None:
        """A clause without a check would be shown untested for ever."""
        from onewinner.suite.registry import all_checks

        judged = {name for check in all_checks() for name in check.clauses}
        assert [name for name in CLAUSES if name not in judged] == []

    @pytest.mark.parametrize("offer", OFFERS)
    def test_a_clause_that_applies_can_be_judged(self, offer: str) -> None:
        """Whatever a store leaves out, no clause stays untested for want of a check."""
        from onewinner.suite.registry import all_checks

        offered = OFFERS[offer]
        checks = [check for check in all_checks() if check.missing(offered) is None]
        judged = {name for check in checks for name in check.clauses}
        applying = by_level("process" if offered.scope == "process" else "thread")
        assert [c.id for c in applying if not c.missing(offered) and c.id not in judged] == []

    @pytest.mark.parametrize("clause", ["CLAIM-4", "ISO-4"])
    def test_without_limits_a_case_judges_what_limits_are_about(self, clause: str) -> None:
        """Random programs come upon no limit then, so a case must do without."""
        from onewinner.suite.cases import CASES

        offered = OFFERS["no limits"]
        cases = [case for case in CASES.values() if case.clause == clause]
        assert [case.name for case in cases if case.missing(offered) is None] != []

    def test_every_check_judges_clauses_that_exist(self) -> None:
        """A check names clauses of the registry, and at least one."""
        from onewinner.suite.registry import all_checks

        assert {name for check in all_checks() for name in check.clauses} <= CLAUSES.keys()
        assert all(check.clauses for check in all_checks())

    def test_every_mutant_names_clauses_that_exist(self) -> None:
        """A mutant names at least one clause that must flag it, and the registry knows it."""
        from onewinner.mutants import MUTANTS

        assert {name for mutant in MUTANTS.values() for name in mutant.clauses} <= CLAUSES.keys()
        assert [name for name, mutant in MUTANTS.items() if not mutant.clauses] == []


BREAKERS: list[tuple[Rule, str, str, str]] = [
    (tidy.floors, "onewinner.model", "import onewinner.suite.tree", "higher floor"),
    (tidy.floors, "onewinner.model", "from onewinner import cli", "higher floor"),
    (tidy.floors, "onewinner.suite.engine", "from onewinner import StoreError", "higher floor"),
    (tidy.floors, "onewinner.clock", "def f():\n    import onewinner.model", "higher floor"),
    (tidy.floors, "onewinner.history", "from onewinner.nowhere import x", "higher floor"),
    (tidy.floors, "onewinner.runner", "from onewinner.checker import check", "how a history"),
    (tidy.floors, "onewinner.worker", "import onewinner.checker.verdict", "how a history"),
    (tidy.floors, "onewinner.checker.search", "import onewinner.runner", "how a history"),
    (tidy.floors, "onewinner.checker", "from onewinner.worker import main", "how a history"),
    (tidy.floors, "onewinner.stores.sqlite", "from onewinner.model import step", "judge each"),
    (tidy.floors, "onewinner.stores.memory", "import onewinner.contract.values", "judge each"),
    (tidy.floors, "onewinner.suite.engine", "from . import tree", "relative import"),
    (tidy.floors, "onewinner.attic", "", "has no floor"),
    (tidy.drivers, "onewinner.adapters.redis", "import redis", "inside the function"),
    (tidy.drivers, "onewinner.adapters.targets", "def f():\n    import redis", "adapters/redis.py"),
    (tidy.drivers, "onewinner.cli", "from psycopg.rows import dict_row", "adapters/postgres.py"),
    (tidy.one_clock, "onewinner.runner", "import time", "imports time"),
    (tidy.one_clock, "onewinner.runner", "def f():\n    from time import sleep", "imports time"),
    (tidy.quiet, "onewinner.suite.engine", "print('found')", "prints"),
    (tidy.quiet, "onewinner.suite.engine", "tell = print", "prints"),
    (tidy.documented, "onewinner.model", "X = 1", "module has no docstring"),
    (tidy.documented, "onewinner.model", "def step(): ...", "step is public"),
    (tidy.documented, "onewinner.model", "async def step(): ...", "step is public"),
    (tidy.documented, "onewinner.model", "class State: ...", "State is public"),
    (
        tidy.documented,
        "onewinner.model",
        'class State:\n    """A state."""\n    def live(self): ...',
        "live is public",
    ),
    (tidy.short, "onewinner.model", "x = 1\n" * 401, "401 lines"),
    (tidy.short, "onewinner.model", "def long():\n" + "    x = 1\n" * 70, "long has 71 lines"),
    (tidy.named, "onewinner.suite.utils", "", "'utils'"),
    (tidy.named, "onewinner.helpers.text", "", "'helpers'"),
    (tidy.named, "onewinner._common", "", "'_common'"),
    (tidy.named, "onewinner.manager", "", "'manager'"),
    (tidy.tests_say_what_they_hold, "test_x", "def test_a(): ...", "test_a has no docstring"),
    (tidy.tests_say_what_they_hold, "test_x", 'def test_a():\n    "words"', "test_a has no"),
]

KEEPERS: list[tuple[Rule, str, str]] = [
    (tidy.floors, "onewinner.suite.engine", "from onewinner.contract import StoreError"),
    (tidy.floors, "onewinner.mutants", "from onewinner.stores import sqlite"),
    (tidy.floors, "onewinner", "from onewinner.pytest_plugin import StoreContract"),
    (tidy.floors, "onewinner.checker", "import json"),
    (tidy.floors, "onewinner.stores.sqlite", "from onewinner.contract import InvalidInput"),
    (tidy.drivers, "onewinner.adapters.redis", "def connect():\n    import redis.asyncio"),
    (tidy.drivers, "onewinner.strategies", "import hypothesis.strategies"),
    (tidy.one_clock, "onewinner.clock", "import time"),
    (tidy.one_clock, "onewinner.runner", "import timeit"),
    (tidy.quiet, "onewinner.cli", "print('a table')"),
    (tidy.quiet, "onewinner.model", "def fingerprint(): ..."),
    (tidy.documented, "onewinner.model", '"""Words."""\ndef _step(): ...\nclass _State: ...'),
    (tidy.short, "onewinner.model", "def fits():\n" + "    x = 1\n" * 69 + "x = 1\n" * 330),
    (tidy.named, "onewinner.stores.memory", ""),
    (tidy.tests_say_what_they_hold, "test_x", 'def test_a():\n    """It holds."""'),
]


class TestRules:
    @pytest.mark.parametrize(("rule", "name", "text", "told"), BREAKERS)
    def test_a_rule_sees_what_breaks_it(self, rule: Rule, name: str, text: str, told: str) -> None:
        """Each rule complains about a snippet that breaks it, and says what is wrong."""
        assert any(told in wrong for wrong in rule(Module(name, text)))

    @pytest.mark.parametrize(("rule", "name", "text"), KEEPERS)
    def test_a_rule_leaves_the_rest_alone(self, rule: Rule, name: str, text: str) -> None:
        """Each rule is silent about a snippet that keeps it."""
        assert list(rule(Module(name, text))) == []

    def test_every_rule_is_tested(self) -> None:
        """A rule that nothing breaks may have stopped working."""
        assert set(SOURCE_RULES) <= {breaker[0] for breaker in BREAKERS}
        assert set(SOURCE_RULES) <= {keeper[0] for keeper in KEEPERS}

    @pytest.mark.parametrize("place", ["work", "root", "farm", "home/someone"])
    def test_a_path_of_a_machine_is_seen(self, place: str) -> None:
        """A path into somebody's directory is found, with its line."""
        wrong = list(tidy.portable(f"first\nsee /{place}/main\n"))
        assert [line.startswith("line 2: ") for line in wrong] == [True]

    @pytest.mark.parametrize("text", ["/tmp", "src/onewinner", "https://example.org/rooted/", "~"])
    def test_other_paths_are_not(self, text: str) -> None:
        """Paths that mean the same everywhere are fine."""
        assert list(tidy.portable(text)) == []
