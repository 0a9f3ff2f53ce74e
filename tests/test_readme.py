"""What the documents show works: README's code runs, its commands parse, its tables are true."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from onewinner.contract.clauses import CLAUSES, LEVELS
from onewinner.suite.tree import ExitCode, Status

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
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


def first_column(heading: str) -> list[str]:
    """Answer the first column of the table whose head begins with `heading`."""
    return [row[0].strip("`") for row in rows(heading)]


def rows(heading: str) -> list[list[str]]:
    """Answer the cells of the table whose head begins with `heading`."""
    table = re.search(rf"^\| {heading} .*\n\|.*\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert table, heading
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in table[1].splitlines()]


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """Write README's Python files, each named by its first line, into a directory."""
    for block in blocks("python"):
        name = block.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(block, encoding="utf-8")
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
    def test_smoke_finds_nothing_wrong_with_it(self, workplace: Path) -> None:
        """The adapter that README shows is a whole one."""
        done = run(["onewinner", "smoke", "python:my_store:connect"], workplace)
        assert (done.returncode, "WRONG" in done.stdout) == (0, False), done.stdout + done.stderr

    def test_the_store_behind_it_keeps_what_it_declares(self, workplace: Path) -> None:
        """The store that README shows conforms where one caller at a time is enough to see it."""
        done = run([*VERIFY, "-k", "READ", "-k", "ISO", "-k", "INPUT", "-k", "DUR-1"], workplace)
        assert done.returncode == ExitCode.CONFORMS, done.stdout + done.stderr

    def test_no_two_processes_win(self, workplace: Path) -> None:
        """No violation is found in the races, however much of a race a busy machine allows."""
        done = run([*VERIFY, "-k", "CLAIM-6", "-k", "REG-3"], workplace)
        expected = {ExitCode.CONFORMS, ExitCode.INCONCLUSIVE}
        assert done.returncode in expected, done.stdout + done.stderr

    def test_the_pytest_door_opens(self, workplace: Path) -> None:
        """The test class that README shows runs the checks of a clause and passes."""
        options = ["-q", "-p", "no:cacheprovider", "-k", "CLAIM-2 or CLAIM-3"]
        done = run(["pytest", *options, "test_my_store.py"], workplace)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"[1-9][0-9]* passed", done.stdout), done.stdout


class TestCommands:
    def test_the_two_commands_stand_there_as_ci_runs_them(self) -> None:
        """`.ci/run` takes the two commands of a fresh machine from README, in this order."""
        assert commands("python3") == [MAIN_JOB, TESTS]

    @pytest.mark.parametrize("command", commands("onewinner"))
    def test_a_command_that_is_shown_is_understood(self, command: str) -> None:
        """The command line understands every command that README shows."""
        from onewinner.cli import parser

        assert parser().parse_args(shlex.split(command)[1:])

    def test_every_option_that_is_described_exists(self) -> None:
        """The command line understands every option that README describes."""
        from onewinner.cli import parser

        values = {"N": "7", "CLAUSE": "TTL", "FILE": "result", "URL": "redis://localhost"}
        shown = ", ".join(first_column("Option")).replace("`", "").split(", ")
        for option in shown:
            words = [values.get(word, word) for word in option.split()]
            assert parser().parse_args(["verify", "sqlite", *words])


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
        for row in rows("Target"):
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
        assert first_column("Exit code") == [str(int(code)) for code in ExitCode]

    def test_statuses(self) -> None:
        """Every status is explained, from the best to the worst."""
        assert first_column("Status") == [status.label for status in Status]

    def test_levels(self) -> None:
        """Every level is explained."""
        assert first_column("Level") == list(LEVELS)


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
