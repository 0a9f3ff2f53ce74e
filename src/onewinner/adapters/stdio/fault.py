"""What is wrong with an adapter, as opposed to the store behind it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from onewinner.adapters.targets import TargetError

_SHOWN: Final = 200
_SEE: Final = "see specs/protocol.md"


class AdapterFault(TargetError):  # noqa: N818 - it is the adapter's, not the call's
    """A command does not keep the protocol: what was expected and what came (exit 4).

    It says nothing about the store, so no clause is judged by it.
    """


def fault(target: str, happened: str, tail: tuple[str, ...] = ()) -> AdapterFault:
    """Answer the fault, in words; `tail` is the last that the command wrote on standard error."""
    return AdapterFault(f"target {target}: {happened}; {_SEE}{last_words(tail)}")


def last_words(tail: tuple[str, ...]) -> str:
    """Answer what a command wrote last on standard error, to follow a sentence; empty: nothing."""
    if not tail:
        return ""
    return "; it last wrote on standard error:\n  " + "\n  ".join(tail)


def shown(line: bytes | str) -> str:
    """Answer a line that came, short enough to be read."""
    text = line if isinstance(line, str) else line.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def note_fault(path: str | None, error: AdapterFault) -> None:
    """Leave word of a fault where the engine looks: a call's own error may be taken for a store's.

    Only the first counts, and a file that cannot be written is no reason to fail another way.
    """
    if path is not None:
        with contextlib.suppress(OSError), Path(path).open("x", encoding="utf-8") as file:
            file.write(str(error))
