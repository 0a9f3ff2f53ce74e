"""The kit's side of the nursery: it orders victims, and hears what became of them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from onewinner.clock import monotonic_ns
from onewinner.runner.process import STARTUP_S, Child, wait_readable
from onewinner.schedule import victims
from onewinner.worker.child import MESSAGE, RAISED

if TYPE_CHECKING:
    from types import TracebackType

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.schedule.resident import Do
    from onewinner.schedule.victims import Client, Fell


class Nursery:
    """One process from which victims are forked; use it as a context manager.

    Raises RuntimeError where it does not start, or is gone.
    """

    def __init__(self, target: Target, clock: Clock) -> None:
        with ExitStack() as stack:
            self._child = stack.enter_context(
                Child(victims.nurse, (target, clock), name="nursery", takes_orders=True)
            )
            self._answer(STARTUP_S)
            self._stack = stack.pop_all()

    def hurt(self, order: Do, place: str) -> Fell:
        """Make a call in a new process at `place`, which dies where it is held, or at its end."""
        fell: Fell = self._ask(victims.Hurt(order, place))
        return fell

    def rage(self, rage: victims.Rage) -> tuple[Client, ...]:
        """Let clients claim until so many answers have come, and kill all at that moment."""
        clients: tuple[Client, ...] = self._ask(rage)
        return clients

    def _ask(self, order: object) -> Any:
        self._child.tell(order)
        return self._answer(3 * victims.VICTIM_S)

    def _answer(self, patience_s: float) -> Any:
        begun_ns = monotonic_ns()
        while True:
            dead = self._child.dead()
            for kind, item in self._child.receive():
                if kind == MESSAGE:
                    return item
                if kind == RAISED:
                    raise RuntimeError(f"no process could be made to be killed: {item}")
            if dead or self._child.overdue(monotonic_ns() - begun_ns, patience_s):
                raise RuntimeError(
                    "no process could be made to be killed: the one that forks them "
                    + ("is gone" if dead else "does not answer")
                )
            wait_readable([self._child], 0.1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
