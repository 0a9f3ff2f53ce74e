"""Tests of the report for GitHub: the commands are parsed back, and so is the Markdown."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from onewinner import cli
from onewinner.contract.clauses import CLAUSES
from onewinner.report import github
from onewinner.suite import engine
from onewinner.suite.tree import Known, RunResult, Status
from results import check, run, violation

if TYPE_CHECKING:
    from pathlib import Path

Command = tuple[str, dict[str, str], str]
_COMMAND = re.compile(r"^::(?P<name>[a-z-]+)(?: (?P<properties>[^:]*(?::[^:]+)*?))?::(?P<data>.*)$")


def parsed(text: str) -> list[Command]:
    """Read workflow commands as the runner does: line by line, and then unescaped."""
    found = []
    for line in text.split("\n")[:-1]:
        command = _COMMAND.match(line)
        assert command, line
        told = (command["properties"] or "").split(",")
        properties = dict(each.split("=", 1) for each in told if each)
        for sign, code in ((":", "%3A"), (",", "%2C")):
            properties = {name: value.replace(code, sign) for name, value in properties.items()}
        properties = {name: _data(value) for name, value in properties.items()}
        found.append((command["name"], properties, _data(command["data"])))
    return found


def _data(value: str) -> str:
    return value.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


class _Tables(HTMLParser):
    """Collects the rows of tables as lists of the text of their cells, and all other text."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self._cell = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in {"td", "th"}

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] += data


def rendered(markdown: str) -> _Tables:
    """Answer the tables of a Markdown text, as somebody else's parser makes them."""
    tables = _Tables()
    tables.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))
    return tables


def red(*clauses: str, **changes: Any) -> RunResult:
    """Answer a run in which these clauses are violated."""
    return run(dict.fromkeys(clauses, Status.FAIL), **changes)


class TestAnnotations:
    def test_a_violation_stands_on_the_adapter(self, tmp_path: Path) -> None:
        """The error names file, line and clause, and says what happened and how to see it again."""
        source = (str(tmp_path / "src" / "adapter.py"), 12)
        told = parsed(github.commands([red("CLAIM-6", source=source)], str(tmp_path)))
        ((name, properties, message),) = told
        assert name == "error"
        assert properties == {"file": "src/adapter.py", "line": "12", "title": "CLAIM-6"}
        first, happened, again = message.split("\n")
        assert first == CLAUSES["CLAIM-6"].sentence
        assert happened == 'fail: key "k17" has 2 winners, process 1 and process 3'
        assert again == "Reproduce: onewinner verify sqlite -k CLAIM-6 --seed 0x51ab"

    @pytest.mark.parametrize(
        "file", ["../elsewhere/a.py", ".venv/lib/python3.11/site-packages/kit/a.py"]
    )
    def test_a_file_that_is_not_the_users_is_not_named(self, tmp_path: Path, file: str) -> None:
        """Outside the workspace, and in what is installed, there is nothing to annotate."""
        result = red("CLAIM-6", source=(str(tmp_path / file), 1))
        ((_, properties, _),) = parsed(github.commands([result], str(tmp_path)))
        assert properties == {"title": "CLAIM-6"}

    def test_a_relative_file_is_told_from_the_workspace(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A command that was given from a directory below is found there."""
        (tmp_path / "below").mkdir()
        monkeypatch.chdir(tmp_path / "below")
        result = red("CLAIM-6", source=("adapter.mjs", 1))
        ((_, properties, _),) = parsed(github.commands([result], str(tmp_path)))
        assert properties["file"] == "below/adapter.mjs"

    def test_nine_are_shown_and_the_rest_is_counted(self) -> None:
        """GitHub would drop the eleventh without a word; the worst come first, of all runs."""
        clauses = [clause for clause in list(CLAUSES) if CLAUSES[clause].level == "thread"][:20]
        told = parsed(github.commands([red(*clauses[:12]), red(*clauses[12:])], ""))
        assert [name for name, _, _ in told] == ["error"] * 9 + ["notice"]
        assert told[-1][2].startswith("11 more are not shown here")

    def test_the_worst_come_first(self) -> None:
        """Violations stand before what could not be judged, and critical ones before others."""
        statuses = {"INPUT-2": Status.FAIL, "CLAIM-1": Status.UNTESTED, "CLAIM-6": Status.FAIL}
        told = parsed(github.commands([run(statuses)], ""))
        assert [properties["title"] for _, properties, _ in told] == [
            "CLAIM-6",
            "INPUT-2",
            "CLAIM-1",
        ]

    def test_what_is_green_says_nothing(self) -> None:
        """No command for a run that passes, nor for a failure that is known."""
        known = Known(clause="CLAIM-6", reason="r", kind="cannot", signature="has 2 winners")
        result = red("CLAIM-6")
        clauses = tuple(
            replace(each, known=known) if each.clause.id == "CLAIM-6" else each
            for each in result.clauses
        )
        assert github.commands([run(), replace(result, clauses=clauses)], "") == ""

    def test_a_stale_baseline_is_an_error(self) -> None:
        """Whoever looks at the change alone sees why the job is red."""
        ((name, properties, message),) = parsed(github.commands([run(stale=("X-1 passes",))], ""))
        assert (name, properties, message) == ("error", {"title": "baseline"}, "X-1 passes")

    @given(st.text())
    def test_nothing_that_a_target_says_is_a_command(self, said: str) -> None:
        """Whatever is quoted, each line is the one command that was meant, and is read back."""
        broken = violation("CLAIM-6", summary=f"{said}\n::error::x", script="")
        found = check("CLAIM-6", Status.FAIL, violation=broken)
        result = run(only=("CLAIM-6",), checks={"CLAIM-6": (found,)})
        ((name, properties, message),) = parsed(github.commands([result], ""))
        assert (name, properties) == ("error", {"title": "CLAIM-6"})
        assert "::error::x" in message or "more bytes" in message

    def test_a_report_is_fenced(self) -> None:
        """What the report for people quotes is between a word that nobody can guess."""
        one, other = github.quoted("::error::x\n"), github.quoted("")
        first, middle, last = one.splitlines()
        assert middle == "::error::x"
        assert first == f"::stop-commands::{last.strip(':')}"
        assert last not in other


class TestSummary:
    def test_the_table_is_a_table(self) -> None:
        """Each clause has its row: what is red above with what happened, the rest below."""
        tables = rendered(github.summary(run({"CLAIM-6": Status.FAIL})))
        red_head, red_row, head, *rows = tables.rows
        assert red_head == ["Clause", "Status", "What happened"]
        assert red_row[0] == f"CLAIM-6 {CLAUSES['CLAIM-6'].sentence}"
        assert red_row[1].endswith("fail")
        assert red_row[2] == 'key "k17" has 2 winners, process 1 and process 3'
        assert head == ["Clause", "Status", "Evidence"]
        assert len(rows) + 1 == len(run().clauses)
        assert {"details", "summary"} <= set(tables.tags)

    def test_the_commands_are_there_to_paste(self) -> None:
        """Commands stand in a block of code, as they are."""
        text = github.summary(run({"CLAIM-6": Status.FAIL}, target="python:a b`|:connect"))
        (block,) = [each for each in MarkdownIt().parse(text) if each.type == "fence"]
        assert block.content == (
            "onewinner verify 'python:a b`|:connect' -k CLAIM-6 --seed 0x51ab\n"
        )

    @settings(max_examples=60)
    @given(st.text())
    def test_nothing_that_a_target_says_is_mark_up(self, said: str) -> None:
        """Pipes, tags, links, code and line ends of the target are text in one cell."""
        summary = f"<b>|{said}|`x` [a](b) ~~c~~ https://d.example @e #1 $f$"
        broken = violation("CLAIM-6", summary=summary, script="")
        found = check("CLAIM-6", Status.FAIL, violation=broken)
        result = run(only=("CLAIM-6", "CLAIM-5"), checks={"CLAIM-6": (found,)})
        tables = rendered(github.summary(result))
        assert [len(row) for row in tables.rows] == [3, 3, 3, 3]
        assert tables.rows[1][2].startswith("<b>|")
        assert not {"b", "a", "em", "strong", "s"} & set(tables.tags)

    @pytest.mark.parametrize("at_most", [0, 400, 2_000, 8_000, 20_000])
    def test_it_fits(self, at_most: int) -> None:
        """What has no room is left out by whole lines and counted, and nothing is left open."""
        everything = {clause.clause.id: Status.FAIL for clause in run().clauses[:40]}
        text = github.summary(run(everything), at_most=at_most)
        assert len(text.encode()) <= at_most
        assert text.count("<details>") == text.count("</details>")
        assert not text or "more lines had no room here" in text
        assert text.count("```") % 2 == 0

    def test_it_is_written_behind_what_is_there(self, tmp_path: Path) -> None:
        """Other commands of the same step write there too, and the room is for all."""
        path = tmp_path / "summary.md"
        path.write_text("before\n" + "x" * (github.SUMMARY_BYTES - 3_000), "utf-8")
        github.append_summary(run(), str(path))
        assert path.read_text("utf-8").startswith("before\n")
        assert path.stat().st_size <= github.SUMMARY_BYTES
        assert "more lines had no room here" in path.read_text("utf-8")


class TestCommandLine:
    @pytest.fixture
    def workflow(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        """Make this process a step of a workflow; answers the file of its summary."""
        path = tmp_path / "summary.md"
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
        monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
        monkeypatch.setattr(engine, "verify", lambda *_, **__: red("CLAIM-6"))
        return path

    def test_a_workflow_is_told(self, workflow: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Annotations stand on standard output behind the report, the table in the summary."""
        assert cli.main(["verify", "sqlite", "--quiet"]) == 1
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("::stop-commands::")
        assert lines[-2] == f"::{lines[0].removeprefix('::stop-commands::')}::"
        assert [name for name, _, _ in parsed(lines[-1] + "\n")] == ["error"]
        assert "### onewinner" in workflow.read_text("utf-8")

    def test_nobody_is_told_who_does_not_want_it(
        self, workflow: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`--no-github` writes the report alone."""
        cli.main(["verify", "sqlite", "--quiet", "--no-github"])
        assert "::error" not in capsys.readouterr().out
        assert not workflow.exists()

    def test_elsewhere_nothing_is_written(
        self,
        workflow: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Outside a workflow no command is printed."""
        monkeypatch.delenv("GITHUB_ACTIONS")
        cli.main(["verify", "sqlite", "--quiet"])
        assert "::" not in capsys.readouterr().out
        assert not workflow.exists()

    def test_a_summary_that_cannot_be_written_changes_no_verdict(
        self,
        workflow: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """It is said, and the exit code is the verdict's."""
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(workflow.parent))
        assert cli.main(["verify", "sqlite", "--quiet"]) == 1
        assert "the summary of the job could not be written" in capsys.readouterr().err
