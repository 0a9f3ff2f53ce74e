"""Tests of paths as reports tell them."""

from __future__ import annotations

import sys
import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onewinner.report.places import LOCATION, shareable

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory and a home, both of which lie in a temporary directory."""
    here, home = tmp_path / "project", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    return tmp_path


class TestPaths:
    def test_the_current_directory_is_left_away(self, project: Path) -> None:
        """What lies here is told from here on, and here itself is a point."""
        here = project / "project"
        assert shareable(f'File "{here}/src/adapter.py", line 3') == 'File "src/adapter.py", line 3'
        assert shareable(f"run in {here}") == "run in ."
        assert shareable(f"exec:{here}/adapter --x") == "exec:adapter --x"

    def test_the_home_directory_has_its_sign(self, project: Path) -> None:
        """Nobody's name stands in a report."""
        assert shareable(f"'{project}/home/data.db' is locked") == "'~/data.db' is locked"
        assert shareable(f"{project}/home") == "~"

    def test_a_temporary_directory_is_a_location(self, project: Path) -> None:
        """What is gone when the run is over has no name of its own."""
        temporary = tempfile.gettempdir()
        assert shareable(f"no such file: {temporary}/x1/y.db, sorry") == (
            f"no such file: {LOCATION}, sorry"
        )
        scratch = "/dev/" + "shm/onewinner-abc123/races/pool-1/store.sqlite3"
        assert shareable(f"open({scratch!r})") == f"open('{LOCATION}')"
        assert shareable("at /mnt/fast/onewinner-abc/x: locked") == f"at {LOCATION}: locked"

    def test_what_is_installed_is_told_by_its_package(self, project: Path) -> None:
        """A traceback through a driver names the driver."""
        inside = "/opt/kit/lib/python3.11/site-packages/driver/core.py"
        assert shareable(f'File "{inside}", line 9') == 'File "driver/core.py", line 9'
        standard = "/usr/lib/python3.11/json/decoder.py"
        assert (
            shareable(f'File "{standard}", line 9') == 'File "python3.11/json/decoder.py", line 9'
        )

    def test_what_is_imported_is_told_by_its_module(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An adapter that lies elsewhere is told as it is imported."""
        monkeypatch.setattr(sys, "path", [*sys.path, "/srv/ada/store"])
        assert shareable('File "/srv/ada/store/kit/adapter.py"') == 'File "kit/adapter.py"'

    def test_any_other_program_is_told_by_its_name(self, project: Path) -> None:
        """A command may lie anywhere, and its errors say where."""
        assert shareable("at open (/srv/ada/adapter.mjs:3:14)") == "at open (adapter.mjs:3:14)"

    @pytest.mark.parametrize(
        "said",
        [
            "the key 'a/b' and '../a' and './a'",
            "redis://localhost:6379/0",
            "and/or, 3/4 of all",
            "GET /v1/kv/key answered 404",
            "a/",
        ],
    )
    def test_what_is_no_path_of_this_machine_stays(self, project: Path, said: str) -> None:
        """Keys, addresses and fractions are told as they are."""
        assert shareable(said) == said

    def test_a_longer_name_is_another_directory(self, project: Path) -> None:
        """A directory whose name only begins like one is not cut in two."""
        assert "project2" in shareable(f"{project}/project2".replace(tempfile.gettempdir(), "/x"))
        assert shareable("/usr/homer/x") == "/usr/homer/x"

    @given(st.text())
    def test_twice_is_once(self, said: str) -> None:
        """A text that was made ready is ready, so that writers may come one after the other."""
        once = shareable(said)
        assert shareable(once) == once
