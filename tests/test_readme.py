"""What README shows is true, and what holds for all documents; `test_docs.py` carries them out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from documents import File, steps
from onewinner.contract.clauses import CLAUSES
from onewinner.suite.tree import ExitCode

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ADAPTER = (ROOT / "docs" / "how-to" / "adapter.md").read_text(encoding="utf-8")
SERVERS = (ROOT / "docs" / "how-to" / "servers.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("specs/**/*.md")])

MAIN_JOB = (
    "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/onewinner verify sqlite"
)
TESTS = (
    "python3 -m venv .venv && .venv/bin/pip install -q '.[test]' && "
    ".venv/bin/python -m pytest -q -n auto --dist loadgroup"
)
VERIFY = ["onewinner", "verify", "python:my_store:connect", "--quiet", "--budget", "5s"]


def blocks(language: str) -> list[str]:
    """Answer README's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands(program: str) -> list[str]:
    """Answer README's commands that begin with `program`."""
    typed = "".join(blocks("sh")).splitlines()
    typed += [line[2:] for line in "".join(blocks("console")).splitlines() if line[:2] == "$ "]
    return [line for line in typed if line.startswith(program + " ")]


def rows(heading: str, document: str = README) -> list[list[str]]:
    """Answer the cells of the table whose head begins with `heading`."""
    table = re.search(rf"^\| {heading} .*\n\|.*\n((?:\|.*\n)+)", document, re.MULTILINE)
    assert table, heading
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in table[1].splitlines()]


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """Write the adapter that the documents explain into a directory."""
    for step in steps(ADAPTER):
        if isinstance(step, File):
            (tmp_path / step.name).write_text(step.text, encoding="utf-8")
    return tmp_path


def run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a directory as a user would."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=directory,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120"},
        capture_output=True,
        check=False,
        text=True,
        timeout=110,
    )


@pytest.mark.xdist_group("onewinner-stress")  # one race at a time, as in the plugin
class TestAdapter:
    def test_the_store_behind_it_keeps_what_it_declares(self, workplace: Path) -> None:
        """The store that is shown conforms where one caller at a time is enough to see it."""
        done = run([*VERIFY, "-k", "READ", "-k", "ISO", "-k", "INPUT", "-k", "DUR-1"], workplace)
        assert done.returncode == ExitCode.CONFORMS, done.stdout + done.stderr


class TestCommands:
    def test_the_two_commands_stand_there_as_ci_runs_them(self) -> None:
        """`.ci/run` takes the two commands of a fresh machine from README, in this order."""
        assert commands("python3") == [MAIN_JOB, TESTS]


class TestFailure:
    def test_the_failure_that_is_shown_is_of_this_release(self) -> None:
        """The failure names a mutant that exists, and quotes the clause as it stands."""
        from onewinner.mutants import MUTANTS

        shown = " ".join("".join(blocks("console")).split())
        name, clause = re.search(r"verify mutant:(\S+) -k (\S+)", shown).groups()
        assert clause in MUTANTS[name].clauses
        assert f"FAIL {clause} {CLAUSES[clause].sentence}" in shown


class TestTables:
    def test_adapters(self) -> None:
        """Every store that has an adapter is in the table, with the extras of its driver."""
        from onewinner.adapters.targets import BUILT_IN

        extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
            "optional-dependencies"
        ]
        shown: dict[str, str] = {}
        for row in rows("Target", SERVERS):
            first, *others = re.findall(r"`([^`]+)`", row[0])
            if "@" in first:  # releases that are fetched, and have no driver
                continue
            if first.startswith("openclaw@"):
                continue  # not built in: its releases are downloaded
            names = [first, *(first.partition("-")[0] + each for each in others)]
            shown |= dict.fromkeys(names, row[2])
        assert sorted(shown) == sorted(set(BUILT_IN) - {"memory", "sqlite"})
        named = {name for cell in shown.values() for name in re.findall(r"`([^`]+)`", cell)}
        assert named <= set(extras)
        assert all(re.findall(r"`([^`]+)`", cell) for cell in shown.values())

    def test_exit_codes(self) -> None:
        """Every exit code is explained, and none that does not exist."""
        assert [row[0] for row in rows("Exit code")] == [str(int(code)) for code in ExitCode]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """Every link to a file of the project names a file that exists."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_prose_has_one_sentence_a_line(document: Path) -> None:
    """Outside tables and code no line of a document holds two sentences."""
    text = document.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$|^\|.*?$|<!--.*?-->", "", text, flags=re.DOTALL | re.MULTILINE)
    two = re.compile(
        r"(?<![A-Z])(?<!^[0-9])(?<!^[0-9][0-9])[.!?] +[A-Z`*]"
    )  # neither initials nor list numbers
    assert [line for line in prose.splitlines() if two.search(line)] == []
