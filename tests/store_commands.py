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


# What makes an adapter read its machine's clock: the time of the requests is not taken any more.
_RUST_NOW: Final = (
    "std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64"
)
_OWN_CLOCK: Final = {
    "python": [
        ('"virtualClock": True', '"virtualClock": False'),
        ('p["now"]', "time.time_ns() // 1_000_000"),
    ],
    "node": [
        ("virtualClock: true", "virtualClock: false"),
        ("handle, now, key", "handle, now = Date.now(), key"),
    ],
    "rust": [
        ('"virtualClock":true', '"virtualClock":false'),
        ('number(p, "now").unwrap_or(0), number', f"{_RUST_NOW}, number"),
    ],
}


def on_its_own_clock(
    language: str, directory: Path, *changes: tuple[str, str], rustc: tuple[str, ...] = ()
) -> str:
    """Answer the target of an adapter in real time, with these changes made to its sources."""
    folder = directory / language
    shutil.copytree(ADAPTERS / language, folder)
    for old, new in (*_OWN_CLOCK[language], *changes):
        holders = [path for path in folder.iterdir() if old in path.read_text("utf-8")]
        assert holders, f"{old!r} is in no file of the adapter"
        for path in holders:
            path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    if language == "rust":
        built = str(folder / "adapter")
        words = ["rustc", "--edition", "2021", *rustc, "-o", built, str(folder / "adapter.rs")]
        subprocess.run(words, check=True)
        return f"exec:{shlex.quote(built)}"
    program, script = {"python": (sys.executable, "adapter.py"), "node": ("node", "adapter.mjs")}[
        language
    ]
    return f"exec:{shlex.quote(program)} {shlex.quote(str(folder / script))}"


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
