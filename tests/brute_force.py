"""An enumerator that is obviously right: try every order that time permits. For tiny histories."""

from __future__ import annotations

from onewinner.history import Fail, Info


def linearizable(history, model):
    """Tell whether some order explains the history; crashed operations may be left out."""
    operations = [each for each in history if not isinstance(each.outcome, Fail)]
    return _explain(model, operations, [model.initial()])


def _explain(model, left, states):
    if not states:
        return False
    if all(_optional(each) for each in left):
        return True
    return any(
        _explain(
            model,
            [other for other in left if other is not first],
            [after for state in states for after in model.step(state, first)],
        )
        for first in left
        if not any(_before(other, first) for other in left if other is not first)
    ) or any(
        _explain(model, [other for other in left if other is not skipped], states)
        for skipped in left
        if _optional(skipped)
    )


def _optional(operation):
    return isinstance(operation.outcome, Info) or operation.completed_ns is None


def _before(one, other):
    """An operation that may never have happened forces no order until it is left out or bounded."""
    ended = one.completed_ns
    return ended is not None and ended < other.invoked_ns
