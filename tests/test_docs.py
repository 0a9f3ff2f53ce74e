"""What the documents show works: each page is carried out, and what is generated is current."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from documents import (
    PAGES,
    ROOT,
    SPECS,
    Command,
    Session,
    commands,
    parsers,
    steps,
    words_of,
)
from onewinner.contract.clauses import LEVELS
from onewinner.suite.tree import ExitCode, Status

if TYPE_CHECKING:
    from pathlib import Path

sys.path.append(str(ROOT / "docs"))  # what no package holds

import generate
import hooks

SHOWN = [(page, each) for page in (*PAGES, *SPECS) for each in commands(page)]


def named(page: Path) -> str:
    """Answer the name of a page in the project."""
    return str(page.relative_to(ROOT))


class TestCommands:
    @pytest.mark.parametrize(
        ("page", "command"), SHOWN, ids=lambda each: each.shown if isinstance(each, Command) else ""
    )
    def test_a_command_that_is_shown_is_understood(self, page: Path, command: Command) -> None:
        """The command line understands what a page shows."""
        words = words_of(command.shown)
        if words[0] == "onewinner":
            assert parsers()[words[1]].parse_args(words[2:]), named(page)

    @pytest.mark.parametrize(
        ("page", "command"),
        [(page, each) for page, each in SHOWN if each.elsewhere],
        ids=lambda each: each.shown if isinstance(each, Command) else "",
    )
    def test_what_is_run_elsewhere_is_run_there(self, page: Path, command: Command) -> None:
        """The file that is said to run a command instead is there, and holds the words named."""
        file, _, words = command.elsewhere.partition(": ")
        assert words in (ROOT / file).read_text(encoding="utf-8"), f"{named(page)}, {command}"
        assert words


class TestGenerated:
    @pytest.mark.parametrize("path", sorted(generate.rendered()), ids=named)
    def test_a_generated_part_is_current(self, path: Path) -> None:
        """What is written from the code is as it has it; `python docs/generate.py` writes it."""
        assert path.read_text(encoding="utf-8") == generate.rendered()[path]

    def test_every_option_is_described(self) -> None:
        """The page of the command line has every option of every command."""
        page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
        for name, parser in parsers().items():
            section = re.split(rf"^## {name}$", page, flags=re.MULTILINE)[1].partition("\n## ")[0]
            options = parser._option_string_actions.keys() - {"-h", "--help"}
            assert [option for option in options if f"`{option}" not in section] == []

    def test_a_page_that_is_old_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`--check` ends with 1 where a page differs from the code, and writes nothing."""
        old = tmp_path / "docs" / "old.md"
        old.parent.mkdir()
        old.write_text("old\n", encoding="utf-8")
        monkeypatch.setattr(generate, "ROOT", tmp_path)
        monkeypatch.setattr(generate, "rendered", lambda: {old: "new\n"})
        assert generate.main(["--check"]) == 1
        assert old.read_text(encoding="utf-8") == "old\n"
        assert generate.main([]) == 0
        assert generate.main(["--check"]) == 0


class TestTables:
    @pytest.mark.parametrize(
        ("heading", "expected"),
        [
            ("Exit code", [str(int(code)) for code in ExitCode]),
            ("Status", [status.label for status in Status]),
            ("Level", list(LEVELS)),
        ],
    )
    def test_what_an_answer_means_is_complete(self, heading: str, expected: list[str]) -> None:
        """Every exit code, status and level is explained, in order, and no other."""
        page = (ROOT / "docs" / "reference" / "answers.md").read_text(encoding="utf-8")
        table = re.search(rf"^\| {heading} .*\n\|.*\n((?:\|.*\n)+)", page, re.MULTILINE)
        assert table, heading
        assert [row.split("|")[1].strip().strip("`") for row in table[1].splitlines()] == expected


class TestSite:
    @pytest.mark.parametrize(
        ("link", "led"),
        [
            ("[c](../../specs/contract.md#claim-3)", "[c](../specs/contract.md#claim-3)"),
            ("[a](../../ARCHITECTURE.md)", "[a](../architecture.md)"),
            ("[n](replay.md)", "[n](replay.md)"),
            ("[r](../../README.md)", "[r](../index.md)"),
            ("[l](../../LICENSE)", "[l](../files/LICENSE)"),
            ("[d](../../specs/)", "d"),
            ("[w](https://example.org/a.md)", "[w](https://example.org/a.md)"),
            ("[h](#here)", "[h](#here)"),
            ("```text\n[c](../../LICENSE)\n```\n", "```text\n[c](../../LICENSE)\n```\n"),
        ],
    )
    def test_a_link_is_led_to_its_place_in_the_site(self, link: str, led: str) -> None:
        """Links between files of the repository lead to the pages that show them."""
        assert hooks.relinked(link, "docs/how-to/ci.md", "how-to/ci.md") == led

    def test_a_link_within_what_comes_from_elsewhere_is_led_too(self) -> None:
        """A page that lies elsewhere in the repository has its links led from there."""
        link = "[m](docs/mutation.md) [s](specs/history.md)"
        led = "[m](mutation.md) [s](specs/history.md)"
        assert hooks.relinked(link, "ARCHITECTURE.md", "architecture.md") == led

    def test_every_file_that_is_linked_comes_along(self) -> None:
        """Files that are no pages are put into the site where a document links to them."""
        assert {"specs/history.schema.json", "specs/protocol.schema.json"} <= hooks.linked_files()
        assert all((ROOT / each).is_file() for each in hooks.linked_files())


class TestReading:
    def test_a_block_is_told_what_it_may_end_with(self) -> None:
        """What stands before a block holds for all of its commands, or for the one it counts."""
        page = "<!-- test: exits 1 or 7; second adds -x -->\n```sh\nonewinner a\nonewinner b\n```\n"
        first, second = steps(page)
        assert (first.run, first.exits) == ("onewinner a", {1, 7})
        assert (second.run, second.exits) == ("onewinner b -x", {1, 7})

    def test_files_and_sessions_are_read(self) -> None:
        """A block with a title is a file, and of a session the lines behind a dollar are run."""
        page = '```python title="a.py"\nx = 1\n```\n```console\n$ onewinner list\nCLAIM-1\n```\n'
        file, command = steps(page)
        assert (file.name, file.text) == ("a.py", "x = 1\n")
        assert command.run == "onewinner list"

    @pytest.mark.parametrize("told", ["exists 1", "drops -z"])
    def test_a_slip_is_told(self, told: str) -> None:
        """A word that means nothing is no silent pass."""
        with pytest.raises(AssertionError):
            list(steps(f"<!-- test: {told} -->\n```sh\nonewinner list\n```\n"))

    def test_a_command_that_ends_otherwise_fails(self, tmp_path: Path) -> None:
        """A page whose command ends with another code than it says is not held to be right."""
        session = Session(tmp_path)
        with pytest.raises(AssertionError, match="ended with 4"):
            session.run(Command(shown="", run="onewinner check nothing.jsonl"))
