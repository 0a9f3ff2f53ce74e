"""The reference adapters of `adapters/`, ready to be run as targets."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ADAPTERS: Final = Path(__file__).parents[1] / "adapters"

TOOLS: Final = {
    "node": ("node", "install Node.js 18 or newer (on Debian: apt-get install nodejs)"),
    "rust": ("rustc", "install a Rust compiler (on Debian: apt-get install rustc)"),
}
LANGUAGES: Final = ("python", "node", "rust")


def missing(language: str) -> str | None:
    """Answer what must be installed to run an adapter, None where nothing is missing."""
    tool, remedy = TOOLS.get(language, (sys.executable, ""))
    return None if shutil.which(tool) else f"{tool} is not on PATH; {remedy}"


def target(language: str, directory: Path, *words: str) -> str:
    """Answer the target of an adapter, compiled into `directory` where that must be."""
    match language:
        case "python":
            command = [sys.executable, str(ADAPTERS / "python" / "adapter.py")]
        case "node":
            command = ["node", str(ADAPTERS / "node" / "adapter.mjs")]
        case _:
            command = [str(_compiled(directory))]
    return "exec:" + shlex.join([*command, *words])


def _compiled(directory: Path) -> Path:
    program = directory / "rust-adapter"
    if not program.exists():
        made = directory / "rust-adapter.new"
        words = ["rustc", "--edition", "2021", "-O", "-D", "warnings", "-o", str(made)]
        subprocess.run([*words, str(ADAPTERS / "rust" / "adapter.rs")], check=True)
        made.rename(program)
    return program
