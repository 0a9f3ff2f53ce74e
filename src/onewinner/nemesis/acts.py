"""What the nemesis can do, and how it stands in a history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from onewinner.clock import monotonic_ns
from onewinner.history import Ok, Operation, Remark

if TYPE_CHECKING:
    from collections.abc import Mapping

NEMESIS: Final = -1
"""The process under which acts stand in a history; it makes no calls of the store."""

Deed: TypeAlias = Literal[
    "kill", "stop", "continue", "advance", "step", "fill", "empty", "fail", "hold"
]

_WORDS: Final[Mapping[str, str]] = {
    "kill": "{whom} is killed (SIGKILL) {where}",
    "stop": "{whom} is stopped (SIGSTOP) {where}",
    "continue": "{whom} goes on (SIGCONT)",
    "advance": "{ms} ms pass",
    "step": "the wall clock is stepped by {ms:+,} ms",
    "fill": "{whom} has no room on its disk from here on, {where}: every write to a file fails",
    "hold": "{whom} is held at work, {where}",
    "fail": "a system call of {whom} fails, with nothing done: {where}",
    "empty": "{whom} has room on its disk again, {where}",
}


def act(deed: Deed, *, whom: str = "", where: str = "", ms: int = 0, at_ns: int = 0) -> Operation:
    """Answer an act that was done at `at_ns`, or just now, as an entry of a history.

    `whom` says who suffered it and `where` at which point; `ms` is the time that was let pass, or
    by how much a clock was set, back where it is negative.
    """
    now = at_ns or monotonic_ns()
    return Operation(
        process=NEMESIS,
        f=deed,
        value={"whom": whom, "where": where, "ms": ms},
        outcome=Ok(),
        invoked_ns=now,
        completed_ns=now,
        extra={"phase": "nemesis"},
    )


def is_act(operation: Operation) -> bool:
    """Tell whether an entry of a history is the nemesis's, and no call."""
    return operation.process == NEMESIS


def remark(operation: Operation) -> Remark:
    """Answer an act as it stands in a history file, which nobody takes for a call."""
    return Remark(
        process="nemesis", f=operation.f, value=operation.value, time_ns=operation.invoked_ns
    )


def words_of(entry: Operation | Remark) -> str:
    """Put an entry that is no call, of anybody's history, into words; the unknown is quoted."""
    try:
        return _WORDS[entry.f].format(**entry.value).strip()
    except (KeyError, TypeError):
        return entry.f if entry.value is None else f"{entry.f}: {entry.value}"


def told(operation: Operation) -> str:
    """Put an act into words."""
    return _WORDS[operation.f].format(**operation.value).strip()
