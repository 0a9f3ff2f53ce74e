"""What `onewinner init` writes passes as it stands, and a claim that is broken in it is caught."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from documents import programs, shell
from onewinner.starter.files import start
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from onewinner.starter.files import Language

LANGUAGES = ("python", "stdio")


@pytest.mark.xdist_group("onewinner-stress")  # one race at a time, as in the plugin
class TestAdapters:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_the_adapter_passes_as_it_stands(self, tmp_path: Path, language: Language) -> None:
        """`smoke` finds nothing wrong, and the store behind it conforms on threads."""
        begun = start(language, "none")
        begun.write(tmp_path)
        programs(tmp_path / "bin")
        smoke, verify = begun.commands
        done = shell(smoke, tmp_path, tmp_path / "bin")
        assert (done.returncode, "WRONG" in done.stdout) == (0, False), done.stdout + done.stderr
        done = shell(f"{verify} --level thread --budget 1s", tmp_path, tmp_path / "bin")
        assert done.returncode == ExitCode.CONFORMS, done.stdout + done.stderr

    def test_a_broken_claim_is_caught_in_it(self, tmp_path: Path) -> None:
        """The same adapter around a claim that looks first does not pass: `smoke` is not enough."""
        begun = start("python", "none")
        begun.write(tmp_path)
        adapter = tmp_path / "onewinner_adapter.py"
        text = adapter.read_text(encoding="utf-8")
        claim = "        with self.transaction() as run:\n            return run(CLAIM"
        assert claim in text
        look = "        if self.holder(name) is not None:\n            return False\n"
        text = text.replace(claim, look + claim.replace("CLAIM", "TAKE"))
        take = 'TAKE = CLAIM.replace(f" WHERE NOT {LIVE}", "")'
        text = text.replace("\nLOOKUP = ", f"\n{take}\nLOOKUP = ")
        adapter.write_text(text, encoding="utf-8")
        programs(tmp_path / "bin")
        smoke, verify = begun.commands
        assert shell(smoke, tmp_path, tmp_path / "bin").returncode == 0
        done = shell(f"{verify} -k CLAIM-5 -x --budget 3s", tmp_path, tmp_path / "bin")
        assert done.returncode == ExitCode.VIOLATION, done.stdout + done.stderr

    @pytest.mark.parametrize("level", ["process"])
    def test_the_pytest_door_opens(self, tmp_path: Path, level: str) -> None:
        """The test file runs the checks of the contract against the adapter beside it."""
        start("python", "none").write(tmp_path)
        programs(tmp_path / "bin")
        done = shell("pytest -q test_conformance.py -k CLAIM-2", tmp_path, tmp_path / "bin")
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"[1-9][0-9]* passed", done.stdout), done.stdout
        assert f'level = "{level}"' in (tmp_path / "test_conformance.py").read_text("utf-8")
