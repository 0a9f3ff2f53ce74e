"""What a violation looks like in time: the calls as bars, and what else was done as marks.

A timeline is plain data, so that it can be kept, read back and drawn by whoever reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from onewinner.history import Fail, Info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from onewinner.history import Operation

Kind: TypeAlias = Literal["ok", "fail", "info"]
"""How a call ended: it happened, it certainly did not, or nobody knows."""

Axis: TypeAlias = Literal["real", "order"]
"""Whether times were measured, or only the order of the calls is known."""

Told: TypeAlias = "Callable[[Operation], str]"
States: TypeAlias = "dict[int, tuple[str, str]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One call from its invocation to its return.

    Times are nanoseconds from the first instant of the timeline, `ended_ns` None where the call
    never returned; `at` is how the time is told to people. `wrong`: this is the answer that the
    contract does not allow. `before` and `after` are the rows around it as the model has them,
    empty where no order of the calls tells them.
    """

    process: str
    call: str
    answer: str
    kind: Kind
    begun_ns: int
    ended_ns: int | None
    at: str = ""
    wrong: bool = False
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What was done at an instant by who is no client: a kill, a stop, time that passed."""

    told: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The calls of a violation, in the order in which they were invoked."""

    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...] = ()
    axis: Axis = "real"


def timeline_of(
    operations: Iterable[Operation],
    *,
    call: Told,
    answer: Told,
    marks: Iterable[tuple[int, str]] = (),
    wrong: Sequence[Operation] = (),
    states: States | None = None,
) -> Timeline:
    """Answer the timeline of operations whose times are those of one clock.

    `call` and `answer` put an operation into words. `marks` are instants of the same clock with
    what was done. `wrong` are those among the operations that nothing explains. `states` holds by
    the identity of an operation the rows before and after it.
    """
    ordered = sorted(operations, key=lambda each: each.invoked_ns)
    noted = sorted(marks)
    zero = min([each.invoked_ns for each in ordered] + [at for at, _ in noted], default=0)
    amiss = {id(each) for each in wrong}
    bars = []
    for each in ordered:
        before, after = (states or {}).get(id(each), ("", ""))
        begun = each.invoked_ns - zero
        bars.append(
            Bar(
                process=name_of(each),
                call=call(each),
                answer=answer(each),
                kind=kind_of(each),
                begun_ns=begun,
                ended_ns=None if each.completed_ns is None else each.completed_ns - zero,
                at=f"{begun / 1e6:.3f} ms",
                wrong=id(each) in amiss,
                before=before,
                after=after,
            )
        )
    return Timeline(
        bars=tuple(bars), marks=tuple(Mark(told=told, at_ns=at - zero) for at, told in noted)
    )


def name_of(operation: Operation) -> str:
    """Answer how the process of an operation is called in reports."""
    return "clock" if operation.process < 0 else f"p{operation.process}"


def kind_of(operation: Operation) -> Kind:
    """Answer how an operation ended; one that never returned may have happened or not."""
    if isinstance(operation.outcome, Fail):
        return "fail"
    lost = operation.completed_ns is None and operation.f != "expire"
    return "info" if lost or isinstance(operation.outcome, Info) else "ok"
