"""What `onewinner init` writes works as it stands, is written over nothing, and says what next."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from onewinner import cli
from onewinner.starter import files
from onewinner.starter.files import LANGUAGES, SERVICES, TARGETS, start
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from onewinner.starter.files import Language, Service

Capture = pytest.CaptureFixture[str]

RECIPES = {
    "github": ".github/workflows/onewinner.yml",
    "gitlab": ".gitlab/onewinner.yml",
    "shell": "onewinner-ci.sh",
}


def written(directory: Path) -> set[str]:
    """Answer the files below a directory."""
    return {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()}


class TestWriting:
    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("service", SERVICES)
    def test_an_adapter_and_a_recipe_are_written(
        self, tmp_path: Path, capsys: Capture, language: Language, service: Service
    ) -> None:
        """There is an adapter in each language, a recipe for each service, and nothing else."""
        where = str(tmp_path / "new")
        assert cli.main(["init", "--language", language, "--ci", service, where]) == 0
        expected = {"onewinner_adapter.py", RECIPES.get(service, "onewinner_adapter.py")}
        expected |= {"test_conformance.py"} if language == "python" else set()
        assert written(tmp_path / "new") == expected
        told = capsys.readouterr().out
        assert [path for path in expected if f"wrote {where}/{path}\n" not in told] == []

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("service", SERVICES)
    def test_no_word_is_left_open(self, language: Language, service: Service) -> None:
        """Every place of a template is filled, and each recipe judges the adapter's target."""
        begun = start(language, service)
        for path, text in begun.files.items():
            assert re.findall(r"@[a-z]+@", text) == []
            assert path == "test_conformance.py" or TARGETS[language] in text

    def test_a_script_can_be_run(self, tmp_path: Path) -> None:
        """What begins as a program is one."""
        start("python", "shell").write(tmp_path)
        assert os.access(tmp_path / "onewinner-ci.sh", os.X_OK)
        assert not os.access(tmp_path / "onewinner_adapter.py", os.X_OK)

    @pytest.mark.parametrize(
        ("path", "more"),
        [
            ("onewinner_adapter.py", ""),
            (RECIPES["github"], ", or leave the CI file out (--ci none)"),
        ],
    )
    def test_nothing_is_written_over(
        self, tmp_path: Path, capsys: Capture, path: str, more: str
    ) -> None:
        """One file that is there is exit 4, is named with what to do, and nothing is written."""
        mine = tmp_path / path
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.write_text("mine\n", encoding="utf-8")
        assert cli.main(["init", str(tmp_path)]) == ExitCode.USAGE
        assert capsys.readouterr().err == (
            f"onewinner: {mine}: there already, and init overwrites nothing; move it away, or name "
            f"another directory (onewinner init DIR){more}\n"
        )
        assert (mine.read_text(encoding="utf-8"), written(tmp_path)) == ("mine\n", {path})

    def test_a_link_to_nowhere_is_a_file(self, tmp_path: Path, capsys: Capture) -> None:
        """A dangling link is not written through, into a place that nobody named."""
        (tmp_path / "onewinner_adapter.py").symlink_to(tmp_path / "elsewhere.py")
        assert cli.main(["init", str(tmp_path)]) == ExitCode.USAGE
        assert not (tmp_path / "elsewhere.py").exists()
        assert "onewinner_adapter.py: there already" in capsys.readouterr().err

    def test_a_file_that_comes_meanwhile_is_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also between the look and the write nothing is overwritten: it is one step."""
        begun = start("python", "none")
        begun.write(tmp_path)
        monkeypatch.setattr(files, "_is_there", lambda _: False)
        with pytest.raises(FileExistsError):
            begun.write(tmp_path)

    def test_a_place_that_cannot_be_is_told(self, tmp_path: Path, capsys: Capture) -> None:
        """A file where the directory should be is exit 4, with what to do."""
        (tmp_path / "file").write_text("", encoding="utf-8")
        assert cli.main(["init", str(tmp_path / "file")]) == ExitCode.USAGE
        assert "name a directory that you may write to" in capsys.readouterr().err


class TestWhatIsNext:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_the_next_two_commands_are_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, language: Language
    ) -> None:
        """The last two lines are commands that the command line understands, for this adapter."""
        monkeypatch.chdir(tmp_path)
        assert cli.main(["init", "--language", language]) == 0
        *_, before, smoke, verify = capsys.readouterr().out.splitlines()
        assert before.startswith("The adapter works as it stands.")
        for name, line in (("smoke", smoke), ("verify", verify)):
            words = shlex.split(line)
            assert words == ["onewinner", name, TARGETS[language]]
            assert cli.parser().parse_args(words[1:])

    def test_the_way_there_is_told(self, tmp_path: Path, capsys: Capture) -> None:
        """From another directory the commands begin with the way to it."""
        where = tmp_path / "my store"
        assert cli.main(["init", str(where)]) == 0
        assert f"  cd {shlex.quote(str(where))}\n" in capsys.readouterr().out

    def test_what_is_left_to_do_is_told(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
    ) -> None:
        """What a service needs besides is told, and what the package knows is not asked for."""
        assert "include .gitlab/onewinner.yml" in " ".join(start("python", "gitlab").todo)
        monkeypatch.setattr(files, "_repository", lambda: "OWNER/onewinner")
        assert cli.main(["init", str(tmp_path)]) == 0
        told = capsys.readouterr().out
        assert "To do: in .github/workflows/onewinner.yml write the account" in told
        monkeypatch.setattr(files, "_repository", lambda: "someone/onewinner")
        begun = start("python", "github")
        assert begun.todo == ()
        assert "uses: someone/onewinner@v" in begun.files[RECIPES["github"]]

    @pytest.mark.parametrize(
        ("stated", "found"),
        [
            (["Repository, https://github.com/a/b/"], "a/b"),
            (["Home, https://example.org", "Source, https://github.com/c/d"], "c/d"),
            (["Repository, https://example.org/a/b"], "OWNER/onewinner"),
            ([], "OWNER/onewinner"),
        ],
    )
    def test_the_repository_is_the_one_that_the_package_states(
        self, monkeypatch: pytest.MonkeyPatch, stated: list[str], found: str
    ) -> None:
        """The action is looked for where the installed package says that it comes from."""

        class Stated:
            def get_all(self, _: str) -> list[str]:
                return stated

        monkeypatch.setattr(files.metadata, "metadata", lambda _: Stated())
        assert files._repository() == found
