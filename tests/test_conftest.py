"""In CI a skip without an allowed reason fails, wherever it is raised and under xdist too."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

MODULES = {
    "mark": "@pytest.mark.skip(reason='no redis here')\ndef test_it(): pass",
    "call": "def test_it(): pytest.skip('no redis here')",
    "fixture": (
        "@pytest.fixture\ndef store(): pytest.skip('no redis here')\ndef test_it(store): pass"
    ),
    "module": "pytest.skip('no redis here', allow_module_level=True)",
    "allowed": "def test_it(): pytest.skip('n/a: ttl is not declared')",
    "xfail": "@pytest.mark.xfail(reason='known')\ndef test_it(): assert False",
    "passes": "def test_it(): pass",
}


def run(directory: Path, *more: str, ci: str) -> tuple[int, set[str]]:
    """Run the modules beside the project's conftest; answer the exit code and which failed."""
    shutil.copy(Path(__file__).with_name("conftest.py"), directory)
    for name, body in MODULES.items():
        (directory / f"test_{name}.py").write_text(f"import pytest\n{body}\n", encoding="utf-8")
    options = ["-q", "-rfE", "-p", "no:cacheprovider", "-p", "no:onewinner", *more]
    options += ["--continue-on-collection-errors", "--rootdir", str(directory)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=directory,
        env={**os.environ, "CI": ci, "COLUMNS": "200"},
        capture_output=True,
        check=False,
        timeout=100,
        text=True,
    )
    failed = re.findall(r"^(?:FAILED|ERROR) test_([a-z]+)\.py.*in CI", done.stdout, re.MULTILINE)
    return done.returncode, set(failed)


def test_a_skip_fails_in_ci(tmp_path: Path) -> None:
    """Every way to skip fails in CI, but for an allowed reason and an expected failure."""
    assert run(tmp_path, "-n", "1", ci="true") == (1, {"mark", "call", "fixture", "module"})


def test_a_skip_is_fine_on_a_desk(tmp_path: Path) -> None:
    """Outside CI a skip is a skip."""
    assert run(tmp_path, "-p", "no:xdist", ci="") == (0, set())
