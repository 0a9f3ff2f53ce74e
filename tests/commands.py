"""The demonstration claimants of `claimants/`, ready to be run as commands and as targets."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

CLAIMANTS = Path(__file__).parent / "claimants"


def missing(name: str) -> str | None:
    """Answer what must be installed to run a claimant, None where nothing is missing."""
    program, what = ("cc", "a C compiler") if name.endswith(".c") else ("node", "Node.js")
    if shutil.which(program):
        return None
    return f"{program} is not on PATH; install {what} (on Debian: apt-get install gcc nodejs)"


def built(name: str, directory: Path) -> list[str]:
    """Answer the command of a claimant, compiled into `directory` where it is written in C."""
    source = CLAIMANTS / name
    if source.suffix != ".c":
        return ["node", str(source)]
    program = directory / source.stem
    if not program.exists():
        made = directory / f"{source.stem}.new"
        words = ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", str(made)]
        subprocess.run([*words, str(source)], check=True)
        made.rename(program)
    return [str(program)]


def target(name: str, directory: Path, *words: str) -> str:
    """Answer the target of a claimant."""
    return "exec:" + shlex.join([*built(name, directory), *words])
