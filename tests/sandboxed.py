"""Run as a program with the name of a target: forbids itself ptrace by seccomp, and sweeps that.

It prints what was found and noted.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
import tempfile
from pathlib import Path

from onewinner.adapters.targets import Target
from onewinner.suite.engine import probe
from onewinner.suite.schedules import run_schedules

PTRACE = {"x86_64": 101, "aarch64": 117}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, ANSWER = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF_0000, 0x0005_0000


def forbid_ptrace() -> None:
    """Let the kernel answer EPERM to ptrace, as container run-times do."""
    code = b"".join(
        struct.pack("HBBI", *each)
        for each in (
            (LOAD, 0, 0, 0),  # the number of the system call
            (JUMP_IF_EQUAL, 0, 1, PTRACE[platform.machine()]),
            (ANSWER, 0, 0, FAIL | errno.EPERM),
            (ANSWER, 0, 0, ALLOW),
        )
    )
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HP", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0
    ):
        raise OSError(ctypes.get_errno(), "no seccomp here")


def sweep(name: str) -> None:
    """Print a line for each clause that was judged, and a line for each note."""
    forbid_ptrace()
    target = Target(name)
    with tempfile.TemporaryDirectory() as home:
        found = run_schedules(
            target,
            probe(target, Path(home)),
            run_dir=Path(home),
            processes=True,
            budget_s=3,
            chosen={"CLAIM-6"},
        )
    for each in found:
        sys.stdout.write(f"{each.clause} {each.status.label}\n")
    for note in found[0].notes:
        sys.stdout.write(f"{note}\n")


if __name__ == "__main__":
    sweep(sys.argv[1])
