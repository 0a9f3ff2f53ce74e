"""What a system call works on: the file, pipe or socket that its first words name."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from onewinner.schedule import syscalls

if TYPE_CHECKING:
    from onewinner.schedule.ptrace import Entry

_PAGE: Final = 4096


def target_of(tid: int, name: str, entry: Entry) -> str:
    """Answer the path, or the descriptor's link in /proc; empty where there is neither.

    A path is given as the program gave it. An empty one means the descriptor (AT_EMPTY_PATH).
    """
    place = syscalls.path_place(name)
    if place is not None and (text := _text_at(tid, entry.args[place])):
        return text
    if place is None and not syscalls.has_descriptor(name):
        return ""
    return _link(tid, entry.args[0] & 0xFFFF_FFFF)


def _link(tid: int, descriptor: int) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{tid}/fd/{descriptor}").removesuffix(" (deleted)")  # noqa: PTH115 - called at every system call
    return ""


def _text_at(tid: int, address: int) -> str:
    """Read a text of the traced process, page by page, for the next page may not be there."""
    found = b""
    with contextlib.suppress(OSError, OverflowError):
        memory = os.open(f"/proc/{tid}/mem", os.O_RDONLY)
        try:
            while b"\0" not in found and len(found) < _PAGE:
                at = address + len(found)
                found += os.pread(memory, _PAGE - at % _PAGE, at)
        finally:
            os.close(memory)
    return found.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def short_name(target: str) -> str:
    """Answer a target in a word: a file's base name, or the kind of what is no file."""
    if "/" in target:
        return target.rstrip("/").rpartition("/")[2] or "/"
    kind, colon, rest = target.partition(":")
    if kind == "anon_inode" and colon:
        return rest.strip("[]")
    return kind
