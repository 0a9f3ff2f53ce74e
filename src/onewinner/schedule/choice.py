"""Which boundary the claimants of a target are held at: what it shows decides, not its name.

A boundary is right where calls come to points at it, and the one that says most in a report is
taken. Statements come first: they are few, and whoever reads a report knows them. A server that was
given by its address is held at what goes to it and comes from it; whatever else goes on in a client
concerns nobody. Then come the lines of the store's own Python code, and last the system calls,
which every store makes that others can notice, whatever it is written in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onewinner.schedule import ptrace

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.schedule.gate import Boundary

    Count = Callable[[Boundary], int]

NAMES: Final[dict[str, str]] = {
    "sql": "SQL statements",
    "tail": "SQL statements and lines of Python after a commit",
    "line": "lines of Python",
    "opcode": "opcodes",
    "syscall": "system calls",
    "client": "client calls",
}
"""What reports call the boundaries."""

TRACED: Final = frozenset({"syscall", "client"})
"""The boundaries that are seen from outside a process, by whoever traces it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A boundary, why it is that one, and what is lost where it is not the one that it should be.

    `deeper` is a boundary that is worth a pass of its own after that, None where there is none.
    """

    boundary: Boundary
    because: str
    lost: tuple[str, ...] = ()
    deeper: Boundary | None = None

    def notes(self) -> tuple[str, ...]:
        """Answer what to tell about it, a sentence each."""
        return (f"held at {NAMES[self.boundary]}: {self.because}", *self.lost)


def refusal() -> str | None:
    """Answer why nothing can be held from outside here; None where it can."""
    return ptrace.ptrace_refusal()


def choice(count: Count, *, processes: bool, located: bool, served: bool = False) -> Choice:
    """Choose by `count`, which answers how many points an undisturbed schedule has at a boundary.

    `located`: the target was given with an address; `served`: a command serves its calls.
    Claimants on threads are never traced: where one was held, all would stand still.
    """
    if served:
        return command()
    if count("sql"):
        return Choice("sql", "its calls make statements")
    if located and count("client"):
        return _client(processes=processes)
    if count("line"):
        return _lines(processes=processes, located=located)
    return _system_calls(count, processes=processes)


def command() -> Choice:
    """Answer where the claimants of a command are held: at the system calls of its copies."""
    because = "a command serves its calls, and its copies are held"
    if (why := refusal()) is not None:
        return Choice("syscall", because, (f"not held at all: {why}",))
    return Choice("syscall", because)


def _client(*, processes: bool) -> Choice:
    because = "it was given with an address, and its calls send something there"
    lost = []
    if processes and (why := refusal()) is not None:
        lost.append(f"client calls are seen at Python's own sockets only, for {why}")
    return Choice("client", because, tuple(lost))


def _lines(*, processes: bool, located: bool) -> Choice:
    because = "its calls make no statement"
    if located:
        outside = processes and refusal() is None
        because += ", and send nothing" + ("" if outside else " through Python's own sockets")
    if not processes:
        return Choice("line", because)
    if (why := refusal()) is not None:
        return Choice("line", because, (f"not held at system calls besides, for {why}",))
    return Choice("line", because, deeper="syscall")


def _system_calls(count: Count, *, processes: bool) -> Choice:
    because = "its calls make no statement and run no line of its own Python code"
    if not processes:
        lost = "system calls are no points on threads, for the whole process would stand still"
        return Choice("line", because, (lost,))
    if (why := refusal()) is not None:
        return Choice("line", because, (f"not held at all: {why}",))
    if not count("syscall"):
        because += ", and no system call that others notice"
    return Choice("syscall", because)
