"""Counterexamples for people: of an invalid part the few operations that show why it is.

Leaving out a write can make a right history wrong, so nothing is ever left out that changes
anything. A history is weakened instead: what follows the failing return is cut, observers are
dropped, and what may have changed something is made optional: it happened within its interval, or
not at all, as if its caller had been killed at its end. (With no end it would ask even less, but
the search for what many such calls may do later takes too long.) Each of these keeps a linearizable
history linearizable, so what is invalid after it was invalid before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from onewinner.checker.linearizable import search_for
from onewinner.checker.search import Allowance, Exhausted
from onewinner.checker.verdict import Budgets
from onewinner.history import Fail, Info, Ok

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.checker.search import Model
    from onewinner.history import Operation

SECONDS: Final = 5.0
"""How long a counterexample may be made smaller."""

_WRITES: Final = frozenset({"register", "register_if_absent"})
_LONGEST: Final = 20_000
_SLICE: Final = 100_000
_MADE_OPTIONAL: Final = Info("may have happened or not: the violation does not depend on it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample:
    """Operations of one partition that no order explains, in order of invocation.

    `operations` all happened, and each is needed; `failing` is the one at whose return nothing that
    the model allows is left. `optional` may have happened or not: even that does not help.
    """

    key: Any
    operations: tuple[Operation, ...]
    failing: Operation
    optional: tuple[Operation, ...]


def counterexample(
    key: Any,
    operations: Sequence[Operation],
    failing: Operation,
    model: Model,
    *,
    seconds: float = SECONDS,
) -> Counterexample:
    """Make an invalid part small.

    `operations` is the part as the model's `partition` gave it, `failing` the operation that the
    checker named. It stops after about so many seconds with what it has by then.
    """
    shrinking = _Shrinking(model, Allowance(Budgets(timeout_s=seconds)))
    kept = shrinking.weakened(operations, failing)
    last = failing if shrinking.failing is None else shrinking.failing
    told = [_told(each, last, operations) for each in kept]
    return Counterexample(
        key=key,
        operations=tuple(each for each in told if isinstance(each.outcome, Ok)),
        failing=last,
        optional=tuple(each for each in told if not isinstance(each.outcome, Ok)),
    )


def _told(operation: Operation, failing: Operation, operations: Sequence[Operation]) -> Operation:
    """Answer a write as it was where it wrote what the failing operation saw: people look for it.

    Whether it happened may not matter; that it did is true all the same.
    """
    seen = failing.outcome.result if isinstance(failing.outcome, Ok) else None
    value = operation.value
    if operation.outcome is not _MADE_OPTIONAL or not isinstance(value, dict) or seen is None:
        return operation
    if operation.f not in _WRITES or value.get("value") != seen:
        return operation
    call = (operation.process, operation.invoked_ns)
    return next(each for each in operations if (each.process, each.invoked_ns) == call)


def _until(operations: Sequence[Operation], failing: Operation) -> list[Operation]:
    """Cut what happened after the failing return; a call open at that time is optional."""
    end = failing.completed_ns
    kept = []
    for each in sorted(operations, key=lambda operation: operation.invoked_ns):
        if isinstance(each.outcome, Fail):
            continue
        if end is None or each is failing:
            kept.append(each)
        elif each.invoked_ns <= end:
            open_then = each.completed_ns is None or each.completed_ns > end
            kept.append(_optional(each) if open_then else each)
    return kept


def _optional(operation: Operation) -> Operation:
    return replace(operation, outcome=_MADE_OPTIONAL)


class _Shrinking:
    """Weakens as long as it stays invalid; `failing` is what was named last."""

    def __init__(self, model: Model, allowance: Allowance) -> None:
        self.failing: Operation | None = None
        self._model = model
        self._allowance = allowance
        self._observes = getattr(model, "observes", lambda _: False)

    def weakened(self, operations: Sequence[Operation], failing: Operation) -> list[Operation]:
        """Weaken in halves first, then ever smaller runs, down to single operations.

        Where the failing return could only be named with what was seen after it, nothing is cut.
        """
        kept = _until(operations, failing)
        if not self._invalid(kept):
            kept = sorted(operations, key=lambda operation: operation.invoked_ns)
        size = max(1, min(len(kept), _LONGEST) // 2)
        while True:
            kept = self._pass(kept, size, failing)
            if size == 1:
                return kept
            size = max(1, size // 2)

    def _pass(self, kept: list[Operation], size: int, failing: Operation) -> list[Operation]:
        """Weaken run after run of so many operations, the oldest first."""
        start = 0
        while start < len(kept):
            run = kept[start : start + size]
            weaker = [
                weak
                for each in run
                if (weak := each if each is failing else self._weaker(each)) is not None
            ]
            if weaker != run and self._invalid(kept[:start] + weaker + kept[start + size :]):
                kept = kept[:start] + weaker + kept[start + size :]
                start += len(weaker)
            else:
                start += len(run)
        return kept

    def _weaker(self, operation: Operation) -> Operation | None:
        """Answer an operation that asks less, None where an observer asks nothing any more."""
        if self._observes(operation):
            return None
        if isinstance(operation.outcome, Info):
            return operation
        return _optional(operation)

    def _invalid(self, operations: list[Operation]) -> bool:
        """Tell whether it is certainly invalid; out of time counts as no."""
        try:
            search = search_for(self._model, operations, self._allowance)
            while not search.run(_SLICE):
                pass
        except Exhausted:
            return False
        if search.failing is None:
            return False
        self.failing = search.prepared[search.failing].operation
        return True
