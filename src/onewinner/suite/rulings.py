"""From a played block to rulings: which judge a race has, and what a violation looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from onewinner.checker.churn import churn
from onewinner.checker.contention import Contention, contention
from onewinner.checker.invariants import CLAIM, Broken, errors, one_consumer, one_winner
from onewinner.checker.limits import full_namespace, row_cap, within_cap
from onewinner.checker.readers import snapshots, visibility
from onewinner.history import Fail, Info, Ok

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from onewinner.history import Operation
    from onewinner.runner import Played, PlayedBlock

    Judge: TypeAlias = "Callable[[Sequence[Played]], Iterator[Broken]]"
    Meter: TypeAlias = "Callable[[Sequence[Operation]], Contention]"

DRIFT_MAX_MS: Final = 5
"""A round in which the wall clock was set by more than this is not judged."""

_SHOWN: Final = 12
_LONGEST_ANSWER: Final = 160


def sound_rounds(block: PlayedBlock, *, real_time: bool) -> list[Played]:
    """Answer the rounds that can be judged: what the leader prepared worked, and no clock jumped.

    A claim of the leader that was refused is not what the round was written for either; other
    checks say what is wrong there.
    """
    return [
        played
        for played in block.played
        if not (real_time and played.drift_ms > DRIFT_MAX_MS)
        and all(_prepared(each) for each in played.operations if each.extra["phase"] == "prepare")
    ]


def _prepared(operation: Operation) -> bool:
    if not isinstance(operation.outcome, Ok):
        return False
    return operation.f != CLAIM or operation.outcome.result is True


def broken_chain(block: PlayedBlock) -> str:
    """Say which step of the leader failed, so that no later round can build on it; else nothing."""
    for operation in block.operations:
        phase = operation.extra["phase"]
        if phase == "prepare" and not _prepared(operation):
            return f"filling the plugin failed: {_call(operation)} -> {_answer(operation)}"
        if phase == "inspect" and operation.f == "clear" and not isinstance(operation.outcome, Ok):
            return f"making room again failed: {_call(operation)} -> {_answer(operation)}"
    return ""


def _all(rounds: Sequence[Played]) -> list[Operation]:
    return [operation for played in rounds for operation in played.operations]


def _claims(rounds: Sequence[Played]) -> Iterator[Broken]:
    yield from one_winner(_all(rounds))
    yield from errors(_all(rounds))


def _reclaims(rounds: Sequence[Played]) -> Iterator[Broken]:
    yield from one_winner(_all(rounds), planted=False)
    yield from errors(_all(rounds))


def _consumers(rounds: Sequence[Played]) -> Iterator[Broken]:
    yield from one_consumer(_all(rounds))
    yield from errors(_all(rounds))


def _churn(rounds: Sequence[Played]) -> Iterator[Broken]:
    yield from churn(_all(rounds))
    yield from errors(_all(rounds))


def _first_opens(rounds: Sequence[Played]) -> Iterator[Broken]:
    """Here the errors come first: a first open that fails is what the race is about."""
    volleys = [each for each in _all(rounds) if each.extra["phase"] != "connect"]
    for broken in errors(volleys):
        yield Broken(
            kind=broken.kind if broken.kind == "stalled" else "open-failed",
            summary=broken.summary,
            why="first opens that race must all succeed or wait for each other",
            operations=broken.operations,
        )
    yield from one_winner(_all(rounds))


def _full(rounds: Sequence[Played]) -> Iterator[Broken]:
    for played in rounds:
        yield from full_namespace(played.operations, max_entries=played.round.facts["max_entries"])
    yield from errors(_all(rounds))


def _row_cap(rounds: Sequence[Played]) -> Iterator[Broken]:
    for played in rounds:
        facts = played.round.facts
        if not facts:  # a round that only fills
            continue
        if facts["evicts"]:
            yield from within_cap(played.operations, cap=facts["cap"])
            yield from errors(played.operations)
        else:
            yield from row_cap(played.operations, free=facts["free"], cap=facts["cap"])
            yield from errors(played.operations, frozenset({"LIMIT_EXCEEDED"}))


def _visible(rounds: Sequence[Played]) -> Iterator[Broken]:
    yield from visibility(_all(rounds))
    yield from errors(_all(rounds))


def _snapshots(rounds: Sequence[Played]) -> Iterator[Broken]:
    for played in rounds:
        yield from snapshots(played.operations)
    yield from errors(_all(rounds))


def _meter(**how: Any) -> Meter:
    return lambda operations: contention(operations, **how)


@dataclass(frozen=True, slots=True)
class Ruling:
    """How a kind of race is judged, and how it is measured that it was one.

    `timed`: its rounds depend on real clocks where time is real. `chained`: a round builds on what
    the leader did in earlier ones.
    """

    judge: Judge
    meter: Meter
    timed: bool = False
    chained: bool = False


_CLAIMS: Final = frozenset({CLAIM})
_PUTS: Final = frozenset({CLAIM, "register"})
_TAKES: Final = frozenset({"delete", "consume"})

RULINGS: Final[dict[str, Ruling]] = {
    "claims": Ruling(_claims, _meter(writes=_CLAIMS)),
    "reclaims": Ruling(_reclaims, _meter(writes=_CLAIMS), timed=True),
    "consumers": Ruling(_consumers, _meter(writes=frozenset({"consume"}))),
    "churn": Ruling(_churn, _meter(writes=_CLAIMS | _TAKES)),
    "first-opens": Ruling(_first_opens, _meter(writes=frozenset({"open"}))),
    "full": Ruling(_full, _meter(writes=_CLAIMS), timed=True),
    "row-cap": Ruling(_row_cap, _meter(writes=_CLAIMS, by_key=False), chained=True),
    "visible": Ruling(_visible, _meter(writes=_PUTS | _TAKES, reads=frozenset({"lookup"}))),
    "snapshots": Ruling(
        _snapshots,
        _meter(writes=_PUTS | _TAKES, reads=frozenset({"entries"}), by_key=False),
    ),
}


def happened(operations: Sequence[Operation]) -> tuple[str, ...]:
    """Write operations one a line, in the order they began, times counted from the first."""
    ordered = sorted(operations, key=lambda each: each.invoked_ns)
    if not ordered:
        return ()
    zero = ordered[0].invoked_ns
    lines = [_line(each, zero) for each in ordered[:_SHOWN]]
    if len(ordered) > _SHOWN:
        lines.append(f"... and {len(ordered) - _SHOWN} more")
    return tuple(lines)


def _line(operation: Operation, zero: int) -> str:
    begun = (operation.invoked_ns - zero) / 1e6
    ended = (
        "        never"
        if operation.completed_ns is None
        else (f"{(operation.completed_ns - zero) / 1e6:+10.3f} ms")
    )
    who = f"client {operation.process} in process {operation.extra.get('worker', 0)}"
    return f"{begun:+10.3f} .. {ended}  {who}  {_call(operation)} -> {_answer(operation)}"


def _call(operation: Operation) -> str:
    value = operation.value
    arguments = [] if value["key"] is None else [repr(value["key"])]
    if operation.f in _PUTS:
        arguments.append(repr(value["value"]))
        if value["ttl_ms"] is not None:
            arguments.append(f"ttl_ms={value['ttl_ms']}")
    return f"{operation.f}({', '.join(arguments)})"


def _answer(operation: Operation) -> str:
    match operation.outcome:
        case Ok(result):
            text = "[" + ", ".join(map(_row, result)) + "]" if _listed(result) else repr(result)
        case Fail(error):
            text = f"raised {error['code']} in {error['operation']}: {error['message']}"
        case Info(reason):
            text = f"raised {reason}"
    return text if len(text) <= _LONGEST_ANSWER else text[:_LONGEST_ANSWER] + " ..."


def _listed(result: Any) -> bool:
    return isinstance(result, tuple)


def _row(row: Any) -> str:
    return f"{row.key}: {row.value!r} ({row.created_at}..{row.expires_at})"
