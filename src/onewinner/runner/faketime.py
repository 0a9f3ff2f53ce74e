"""The wall clock of children, to be stepped while they live: libfaketime, and the file it reads.

A time namespace of Linux shifts the monotonic clock and the time since boot, and never the wall
clock; the machine's own clock is everybody's. So a library is loaded into the children before all
others (`LD_PRELOAD`) that answers for the wall clock with an offset from a file. It reaches what
reads the clock through the C library: CPython, Node.js, Rust, in programs that are linked to it
dynamically. It does not reach static programs, nor Go, which asks the kernel by itself.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from onewinner.clock import FAKETIME_FILE
from onewinner.runner import guardian

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

HOW_TO_GET: Final = "install libfaketime (on Debian: apt-get install libfaketime)"
"""What to do where there is no such library."""

_NAME: Final = "libfaketimeMT.so.1"  # the one for programs with threads
_SLEEP: Final = """
import time
began = time.monotonic()
time.sleep(0.02)
assert time.monotonic() - began > 0.01
"""
_SHARED: Final = Path("/dev/shm")


def library() -> Path | None:
    """Answer libfaketime where it is in a usual place, or beside its program; None where not."""
    triplet = f"{platform.machine()}-linux-gnu"
    places = [f"/usr/lib/{triplet}", "/usr/lib", "/usr/lib64", "/usr/local/lib"]
    program = shutil.which("faketime")
    if program is not None:
        places.append(str(Path(program).resolve().parents[1] / "lib"))
    found = (Path(place) / "faketime" / _NAME for place in places)
    return next((path for path in found if path.is_file()), None)


class SteppedClock:
    """A wall clock for children that are started with its `environment`, and theirs.

    `offset_ms` is what it is ahead of the machine's. The monotonic clock is left as it is, and so
    are the times of files, which the kernel gives: they are those of the machine's clock. Use it as
    a context manager, `folder` being a directory that is there for as long.
    """

    def __init__(self, library: Path, folder: Path) -> None:
        self._file = folder / "offset"
        self._children: tuple[int, ...] = ()
        self.offset_ms = 0
        self.step(0)
        others = os.environ.get("LD_PRELOAD")
        self.environment: Final = {
            "LD_PRELOAD": f"{library}:{others}" if others else str(library),
            FAKETIME_FILE: str(self._file),
            "FAKETIME_NO_CACHE": "1",  # else the file is read every ten seconds
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",  # releases up to 0.9.10 do not know it: see `_left`
            "NO_FAKE_STAT": "1",
            "FAKE_UTIME": "0",
        }

    def step(self, by_ms: int) -> None:
        """Set the clock by so much, back where it is negative; each later look at it shows that."""
        self.offset_ms += by_ms
        draft = self._file.with_suffix(".draft")
        draft.write_text(f"{self.offset_ms / 1_000:+.3f}\n", "ascii")
        draft.replace(self._file)

    def given_to(self, children: Iterable[int]) -> None:
        """Be told of the children that have it, by process id, to tidy up after them."""
        self._children = tuple(children)
        for path in self._left():
            guardian.entrust_directory(str(path))

    def _left(self) -> list[Path]:
        """Answer what releases up to 0.9.10 leave in shared memory when a child is killed."""
        names = ("faketime_shm_{}", "sem.faketime_sem_{}")
        return [_SHARED / name.format(child) for child in self._children for name in names]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for path in self._left():
            path.unlink(missing_ok=True)
            guardian.release_directory(str(path))


def follows(pid: int) -> bool:
    """Tell whether the library is loaded into a process; no proof that it reads its clock there."""
    try:
        return _NAME in Path(f"/proc/{pid}/maps").read_text("utf-8", "replace")
    except OSError:
        return False


def sleep_fails(clock: SteppedClock, pids: Iterable[int]) -> bool:
    """Tell whether one of these processes may have failed where it slept, by the library's fault.

    Release 0.9.10 takes the end of a sleep by the monotonic clock for one by the wall clock. So
    CPython sleeps from 3.11 on; the kit's own processes are mended (`onewinner.clock`).
    """
    if not any(_is_python(pid) for pid in pids):
        return False
    tried = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _SLEEP],
        env={**os.environ, **clock.environment},
        capture_output=True,
        check=False,
    )
    return tried.returncode != 0


def _is_python(pid: int) -> bool:
    try:
        maps = Path(f"/proc/{pid}/maps").read_text("utf-8", "replace")
    except OSError:
        return True
    return "python" in maps


def has_sockets(pid: int) -> bool:
    """Tell whether a process has a socket open: then others may work for it, with their clock."""
    try:
        files = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
    return any(_link(each).startswith("socket:") for each in files)


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
