"""A counterexample in words: a sentence, and a timeline of process by time as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.checker.claims import OLD, ClaimModel
from onewinner.contract import ABSENT
from onewinner.history import Info, Ok

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.checker.shrink import Counterexample
    from onewinner.history import Operation

_BAR: Final = 24
BAR_AT: Final = 38
"""The column at which the bar of a timeline's line begins."""
CALL_AT: Final = BAR_AT + _BAR + 1
"""The column at which the call stands."""
_LONGEST: Final = 48
_REMOVERS: Final = frozenset({"consume", "delete", "clear", "expire", "register"})
_NAMES: Final = {"register_if_absent": "claim"}


def sentence(example: Counterexample) -> str:
    """Say what happened in one sentence; of a claim store in its own words."""
    last = example.failing
    told = ""
    if _is_claim_store(last):
        told = _of_a_claim_store(example.operations, last, example.optional)
    return told or (
        f"no order of {'this call' if len(example.operations) == 1 else 'these calls'} "
        f"explains {call(last)} of {_who(last)}, which answered {answer(last)}"
    )


def _is_claim_store(operation: Operation) -> bool:
    return isinstance(operation.value, dict) and "key" in operation.value


def _of_a_claim_store(
    operations: Sequence[Operation], last: Operation, optional: Sequence[Operation]
) -> str:
    key = f"key {last.value['key']!r}"
    wins = [each for each in operations if _won(each)]
    reads = [each for each in operations if each.f == "lookup"]
    if len(wins) > 1 and not any(_removes(each) for each in operations):
        still = _still_there(wins[0], reads)
        both = f"{key}: {_and(wins)} {'both' if len(wins) == 2 else 'all'} won"
        if any(_between(each, wins) for each in optional):
            return f"{both}, and no removal fits between them{still}"
        return f"{both}, and nothing removed the first one's row{still}"
    result = last.outcome.result if isinstance(last.outcome, Ok) else None
    if last.f == "register_if_absent" and result is False:
        return f"{key}: the claim of {_who(last)} was refused while no row was there to refuse it"
    if last.f in {"lookup", "consume"} and result is ABSENT:
        writes = [each for each in operations if _writes(each)]
        by = f": the {_name(writes[-1])} of {_who(writes[-1])} had succeeded" if writes else ""
        return f"{key}: {call(last)} of {_who(last)} found no row where one had to be{by}"
    if last.f in {"lookup", "consume"}:
        why = _why_not(operations, result)
        return f"{key}: {call(last)} of {_who(last)} answered {answer(last)}, {why}"
    if last.f == "expire":
        until = _ms(last.completed_ns, operations)
        return (
            f"{key}: the row {last.value['value']!r} had to expire by {until}, and was seen later"
        )
    if last.f == "delete":
        there = "a row was there to delete" if result is False else "no row was there"
        return f"{key}: delete of {_who(last)} answered {answer(last)}, but {there}"
    if len(wins) > 1:
        return f"{key}: {_and(wins)} won, and no removal lies between each two of them"
    return ""


def _between(operation: Operation, wins: Sequence[Operation]) -> bool:
    """Tell whether a call may have removed something between the first win and the last."""
    begun, ended = operation.invoked_ns, operation.completed_ns
    first, last = wins[0].invoked_ns, wins[-1].completed_ns
    return (
        operation.f in _REMOVERS
        and (ended is None or ended >= first)
        and (last is None or begun <= last)
    )


def _still_there(winner: Operation, reads: Sequence[Operation]) -> str:
    value = winner.value["value"]
    seen = [read for read in reads if isinstance(read.outcome, Ok) and read.outcome.result == value]
    return f" ({_who(seen[-1])} still saw it afterwards)" if seen else ""


def _why_not(operations: Sequence[Operation], value: Any) -> str:
    writes = [each for each in operations if _writes(each) and each.value["value"] == value]
    takers = [
        each
        for each in operations
        if each.f == "consume" and isinstance(each.outcome, Ok) and each.outcome.result == value
    ]
    if not writes:
        return "which nobody had written by then"
    if len(takers) > 1:
        return "which had been consumed before"
    if any(each.f == "expire" for each in operations):
        return "which had expired by then"
    if any(_removes(each) for each in operations):
        return "which had been removed before"
    return "which another value had replaced" if len(operations) > 2 else "which was gone by then"


def _won(operation: Operation) -> bool:
    return operation.f == "register_if_absent" and operation.outcome == Ok(True)


def _writes(operation: Operation) -> bool:
    return operation.f == "register" or _won(operation)


def _removes(operation: Operation) -> bool:
    if operation.f in {"clear", "expire", "register"}:
        return True
    result = operation.outcome.result if isinstance(operation.outcome, Ok) else None
    if operation.f == "consume":
        return result is not ABSENT
    return operation.f == "delete" and bool(result)


def _and(operations: Sequence[Operation]) -> str:
    who = [_who(each) for each in operations]
    return f"the claims of {', '.join(who[:-1])} and {who[-1]}"


def _who(operation: Operation) -> str:
    return "the clock" if operation.process < 0 else f"p{operation.process}"


def _name(operation: Operation) -> str:
    return _NAMES.get(operation.f, operation.f)


def call(operation: Operation) -> str:
    """Write a call as it was made."""
    value = operation.value
    if not _is_claim_store(operation):
        return f"{operation.f}({'' if value is None else _short(repr(value))})"
    if "projected" in operation.extra:
        return f"{operation.extra['projected']}()"
    arguments = [repr(value["key"])]
    if operation.f in {"register", "register_if_absent", "expire"}:
        arguments.append(_short(repr(value.get("value"))))
        if value.get("ttl_ms") is not None:
            arguments.append(f"ttl_ms={value['ttl_ms']}")
    return f"{_name(operation)}({', '.join(arguments)})"


def answer(operation: Operation) -> str:
    """Write what a call answered."""
    outcome = operation.outcome
    if operation.f == "expire":
        return "row expires"
    if isinstance(outcome, Ok):
        if "projected" in operation.extra and operation.f == "lookup":
            there = outcome.result is not ABSENT
            return f"lists {_short(repr(outcome.result))}" if there else "key not listed"
        return "no row" if outcome.result is ABSENT else _short(repr(outcome.result))
    return "unknown" if isinstance(outcome, Info) else f"failed: {outcome.error}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _ms(instant: int | None, operations: Sequence[Operation]) -> str:
    if instant is None:
        return "never"
    zero = min(each.invoked_ns for each in operations)
    return f"{(instant - zero) / 1e6:.3f} ms"


def rows(operations: Sequence[Operation]) -> dict[int, tuple[str, str]]:
    """Answer what a key holds before and after each call, by the identity of the call.

    They are followed in the order of their returns, as far as that explains them; operations of
    another model have no rows.
    """
    if not all(_is_claim_store(each) and isinstance(each.outcome, Ok) for each in operations):
        return {}
    model = ClaimModel()
    state = model.initial()
    found: dict[int, tuple[str, str]] = {}
    for each in sorted(operations, key=_returned):
        after = next(iter(model.step(state, each)), None)
        found[id(each)] = (_held(state), "" if after is None else _held(after))
        if after is None:
            break
        state = after
    return found


def _returned(operation: Operation) -> float:
    return float("inf") if operation.completed_ns is None else operation.completed_ns


def _held(state: Any) -> str:
    held = state[0]
    return "no row" if held is None else "an expired row" if held == OLD else f"holds {held}"


def timeline(example: Counterexample) -> tuple[str, ...]:
    """Draw the operations, a line each: who, when, a bar in rank-compressed time, and the answer.

    Times are milliseconds from the first call. `!` marks the operation that nothing explains.
    """
    operations = example.operations
    instants = sorted({t for each in operations for t in (each.invoked_ns, each.completed_ns) if t})
    column = {
        t: round(rank * (_BAR - 1) / max(len(instants) - 1, 1)) for rank, t in enumerate(instants)
    }
    lines = [_line(each, column, operations, marked=each is example.failing) for each in operations]
    if example.optional:
        calls = sum(each.process >= 0 for each in example.optional)
        if calls:
            lines.append(f"and {calls} more calls: whether or not they took effect does not help")
    return tuple(lines)


def _line(
    operation: Operation, column: dict[int, int], operations: Sequence[Operation], *, marked: bool
) -> str:
    first = column.get(operation.invoked_ns, 0)
    end = operation.completed_ns
    last = _BAR - 1 if end is None else column.get(end, _BAR - 1)
    bar = " " * first + "|" + "-" * max(last - first - 1, 0) + ("|" if last > first else "")
    when = f"{_ms(operation.invoked_ns, operations):>12} .. {_ms(end, operations):<12}"
    mark = "!" if marked else " "
    who = "clock" if operation.process < 0 else f"p{operation.process}"
    return f"{mark} {who:<6} {when} {bar:<{_BAR}} {call(operation)} -> {answer(operation)}"
