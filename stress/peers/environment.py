"""A virtual environment for the tools of others, and documents that figures are written into."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Final

PEERS: Final = Path(__file__).parent
ROOT: Final = PEERS.parents[1]


class Environment:
    """onewinner of this tree and packages of others, in a directory that is thrown away."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bin = home / "bin"
        self.refused: dict[str, str] = {}
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        self.install(str(ROOT))

    def pip(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run this environment's pip."""
        command = [str(self.bin / "python"), "-m", "pip", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def install(self, *packages: str) -> bool:
        """Install together; what pip says against it is kept in `refused`, by each package."""
        done = self.pip("install", "-q", *packages)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            self.refused |= dict.fromkeys(packages, (lines or ["pip failed"])[-1])
        return not done.returncode

    def versions(self, names: set[str]) -> str:
        """Answer what was installed of these, as pip names it."""
        listed = json.loads(self.pip("list", "--format=json").stdout)
        return ", ".join(f"{p['name']} {p['version']}" for p in listed if p["name"] in names)

    def variables(self, **more: str) -> dict[str, str]:
        """Answer the variables of a program that runs in here, beside the other peers."""
        return {
            **os.environ,
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(PEERS),
            "PYTHONDONTWRITEBYTECODE": "1",
            **more,
        }


def machine() -> str:
    """Say how many cores of what kind there are, and which Python runs."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores ({platform.machine()}), Python {platform.python_version()}"


def write(path: Path, text: str, mark: str = "figures") -> None:
    """Put a text between the marks of a document."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, found, rest = path.read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{path} has no {begin} and {end}: write them where the table is to go")
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", "utf-8")
