"""pytest-run-parallel: one ordinary test, run by it on four threads, 500 times a session."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import pytest
from attempt import CLAIMANTS, Found, Limit, attempt
from bugs import Bug

ITERATIONS = 500


def hunt(bug: Bug, limit: Limit, home: Path) -> Found:
    """Run sessions until one fails."""
    sessions = 0
    file = Path(__file__).parent / "run_parallel_case.py"
    while not limit.over:
        sessions += 1
        os.environ["PEERS_BUG"], os.environ["PEERS_HOME"] = bug.name, str(home / str(sessions))
        words = ["-q", "-p", "no:cacheprovider", f"--rootdir={file.parent}", "-c", os.devnull]
        words += [f"--parallel-threads={CLAIMANTS}", f"--iterations={ITERATIONS}", str(file)]
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = pytest.main(words, plugins=[Fresh()])
        if code == pytest.ExitCode.TESTS_FAILED and "two winners" in said.getvalue():
            return Found(True, f"session {sessions}")
        if code != pytest.ExitCode.OK:
            raise SystemExit(said.getvalue())
    return Found(False, f"{sessions * ITERATIONS} iterations on {CLAIMANTS} threads")


class Fresh:
    """Has the test's module imported anew in each session."""

    def pytest_unconfigure(self) -> None:
        """Forget it."""
        import sys

        sys.modules.pop("run_parallel_case", None)


if __name__ == "__main__":
    attempt(hunt)
