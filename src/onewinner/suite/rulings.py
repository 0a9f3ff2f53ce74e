"""From a played block to rulings: which judge a race has, and what a violation looks like."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from onewinner.checker import narrate
from onewinner.checker.campaign import (
    AGES,
    AT_CAP,
    IN_STEPS,
    NO_ORDER,
    OVER_FULL,
    TORN,
    UNCLEAR,
    UNDECIDED,
    campaign,
)
from onewinner.checker.churn import churn
from onewinner.checker.contention import Contention, contention
from onewinner.checker.invariants import CLAIM, Broken, errors, one_consumer, one_winner
from onewinner.checker.limits import full_namespace, row_cap, within_cap
from onewinner.checker.readers import snapshots, visibility
from onewinner.checker.spaces import SLACK_MS, SpaceModel
from onewinner.contract import BASE
from onewinner.contract.newer import WRITES
from onewinner.generator.rounds import ROOMY
from onewinner.generator.spaces import SIBLING, SPACE
from onewinner.history import Fail, Info, Ok
from onewinner.history.plain import shown
from onewinner.model import Rules
from onewinner.suite.newer_rulings import aged, exact, rejecting
from onewinner.suite.timeline import timeline_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from onewinner.history import Operation
    from onewinner.runner import Played, PlayedBlock
    from onewinner.suite.timeline import Timeline

    Judge: TypeAlias = "Callable[[Sequence[Played]], Iterator[Broken]]"
    Meter: TypeAlias = "Callable[[Sequence[Operation]], Contention]"

DRIFT_MAX_MS: Final = 5
"""A round in which the wall clock was set by more than this is not judged."""

_STEP_MAX_MS: Final = 1
_REFUSALS: Final = frozenset({"LIMIT_EXCEEDED"})
_PLAIN: Final = frozenset({NO_ORDER, OVER_FULL, AGES, AT_CAP})
_VAGUE_MOST: Final = 4
_SHOWN: Final = 12
_DRAWN_MOST: Final = 60
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
            yield from errors(played.operations, _REFUSALS)
            yield from campaign(_crowd(played), _capped_model(facts["free"], evicts=False))


def _crowd(played: Played) -> list[Operation]:
    """Answer what was done in the namespace of the inserts; ages of rows play no part in it."""
    return [each for each in played.operations if each.f in {CLAIM, "lookup", "clear"}]


def _visible(rounds: Sequence[Played]) -> Iterator[Broken]:
    yield from visibility(_all(rounds))
    yield from errors(_all(rounds))


def _snapshots(rounds: Sequence[Played]) -> Iterator[Broken]:
    for played in rounds:
        yield from snapshots(played.operations)
    yield from errors(_all(rounds))


def _spaces(rounds: Sequence[Played]) -> Iterator[Broken]:
    """Exact, and dear: it says which rounds it gave up, and ends once it knows what is wrong.

    A violation that a clear or a listing may be to blame for is told only if no clearer one is met.
    """
    vague: list[Broken] = []
    for played in rounds:
        facts = played.round.facts
        if not facts["virtual"] and played.drift_ms > _STEP_MAX_MS:
            yield _not_judged(played)
            continue
        calls = [each for each in played.operations if each.extra["phase"] != "connect"]
        yield from errors(calls, _REFUSALS if facts["cap"] else frozenset())
        if not facts["cap"]:  # then a refusal is an error, and no sign of a cap
            calls = [each for each in calls if not isinstance(each.outcome, Fail)]
        for broken in campaign(list(_unbounded(calls)), _space_model(facts)):
            if broken.kind == UNDECIDED:
                yield broken
            else:
                vague.append(broken)
        if vague and (vague[-1].kind in _PLAIN or len(vague) == _VAGUE_MOST):
            break
    yield from sorted(vague, key=_vagueness)[:1]


def _unbounded(calls: Sequence[Operation]) -> Iterator[Operation]:
    """A server may still carry out what its client gave up."""
    for each in calls:
        lost = isinstance(each.outcome, Info)
        yield dataclasses.replace(each, completed_ns=None) if lost else each


def _vagueness(broken: Broken) -> int:
    return 0 if broken.kind in _PLAIN else 1 if broken.kind in {TORN, IN_STEPS} else 2


def _not_judged(played: Played) -> Broken:
    """Give up a round; the order of its rows is known only if the store's clock never went back."""
    why = f"the wall clock was set by {played.drift_ms} ms in it"
    return Broken(kind=UNDECIDED, summary="a round", why=why, operations=played.operations[:1])


def _space_model(facts: Mapping[str, int]) -> SpaceModel:
    model = _capped_model(facts["cap"] or None, evicts=bool(facts["evicts"]))
    return dataclasses.replace(
        model,
        rules=dataclasses.replace(model.rules, strict_ages=bool(facts["strict"])),
        max_entries={name: facts[name] for name in (SPACE, SIBLING)},
        virtual=bool(facts["virtual"]),
        slack_ms=SLACK_MS + facts["unit_ms"] - 1,
    )


def _capped_model(cap: int | None, *, evicts: bool) -> SpaceModel:
    """Answer the model of a plugin in whose namespaces nobody is evicted for `maxEntries`."""
    policy: Literal["evict-oldest", "reject"] = "evict-oldest" if evicts else "reject"
    limits = dataclasses.replace(BASE, plugin_row_cap=cap, cap_policy=policy)
    return SpaceModel(max_entries=ROOMY, rules=Rules(limits=limits))


def _meter(**how: Any) -> Meter:
    return lambda operations: contention(operations, **how)


@dataclass(frozen=True, slots=True)
class Ruling:
    """How a kind of race is judged, and how it is measured that it was one.

    `timed`: its rounds depend on real clocks where time is real. `chained`: a round builds on what
    the leader did in earlier ones. `elsewhere` names, by kind of violation, the clause that it
    breaks where that is not the first of the race. `keyed`: nobody is evicted and no cap reached,
    so that each key's history can be judged by itself. `counted`: it is known how many calls of a
    round must win, so that a block ends where more or fewer do.
    """

    judge: Judge
    meter: Meter
    timed: bool = False
    chained: bool = False
    keyed: bool = False
    counted: bool = False
    elsewhere: Mapping[str, str] = field(default_factory=dict)


_CLAIMS: Final = frozenset({CLAIM})
_PUTS: Final = frozenset({CLAIM, "register"})
_TAKES: Final = frozenset({"delete", "consume"})
_CLEARS: Final = frozenset({"clear"})
_CONDITIONAL: Final = frozenset({"delete_if_equal", "delete_if"})
_LOOKS: Final = frozenset({"lookup_many", "count"})

RULINGS: Final[dict[str, Ruling]] = {
    "claims": Ruling(_claims, _meter(writes=_CLAIMS), keyed=True, counted=True),
    "reclaims": Ruling(_reclaims, _meter(writes=_CLAIMS), timed=True, keyed=True, counted=True),
    "consumers": Ruling(
        _consumers, _meter(writes=frozenset({"consume"})), keyed=True, counted=True
    ),
    "churn": Ruling(_churn, _meter(writes=_CLAIMS | _TAKES), keyed=True),
    "first-opens": Ruling(_first_opens, _meter(writes=frozenset({"open"})), keyed=True),
    "full": Ruling(_full, _meter(writes=_CLAIMS), timed=True),
    "row-cap": Ruling(_row_cap, _meter(writes=_CLAIMS, by_key=False), chained=True),
    "visible": Ruling(
        _visible, _meter(writes=_PUTS | _TAKES, reads=frozenset({"lookup"})), keyed=True
    ),
    "snapshots": Ruling(
        _snapshots,
        _meter(writes=_PUTS | _TAKES, reads=frozenset({"entries"}), by_key=False),
        keyed=True,
    ),
    "spaces": Ruling(
        _spaces,
        _meter(
            writes=_PUTS | _TAKES | _CLEARS, reads=frozenset({"entries", "lookup"}), by_key=False
        ),
        timed=True,
        elsewhere={TORN: "READ-5", IN_STEPS: "DEL-5", UNCLEAR: "DEL-5"},
    ),
    "updates": Ruling(exact, _meter(writes=frozenset({"update"}))),
    "equal-deletes": Ruling(exact, _meter(writes=_CONDITIONAL | _PUTS), counted=True),
    "conditional-deletes": Ruling(exact, _meter(writes=_CONDITIONAL | _PUTS), counted=True),
    "comparisons": Ruling(exact, _meter(writes=frozenset({"compare_and_apply"}))),
    "many-lookups": Ruling(exact, _meter(writes=_PUTS | _TAKES, reads=_LOOKS, by_key=False)),
    "counts": Ruling(exact, _meter(writes=_PUTS | _TAKES, reads=_LOOKS, by_key=False)),
    "rejects": Ruling(rejecting, _meter(writes=_PUTS | _TAKES, by_key=False)),
    "ages": Ruling(aged, _meter(writes=_PUTS, by_key=False)),
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


def drawn(broken: Broken) -> Timeline:
    """Answer how it is drawn; of the checker's few operations the last is the one to look at."""
    operations = broken.operations[:_DRAWN_MOST]
    if broken.drawn:
        return timeline_of(
            operations,
            call=narrate.call,
            answer=narrate.answer,
            wrong=operations[-1:],
            states=narrate.rows(operations),
        )
    return timeline_of(operations, call=_call, answer=_answer, wrong=operations)


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
    if operation.f in WRITES or value["value"] is not None:
        arguments.append(repr(value["value"]))
        if value["ttl_ms"] is not None:
            arguments.append(f"ttl_ms={value['ttl_ms']}")
    return f"{operation.f}({', '.join(arguments)})"


def _answer(operation: Operation) -> str:
    match operation.outcome:
        case Ok(result):
            listed = _listed(result)
            text = f"[{', '.join(map(_row, result))}]" if listed else shown(operation.f, result)
        case Fail(error):
            text = f"raised {error['code']} in {error['operation']}: {error['message']}"
        case Info(reason):
            text = f"raised {reason}"
    return text if len(text) <= _LONGEST_ANSWER else text[:_LONGEST_ANSWER] + " ..."


def _listed(result: Any) -> bool:
    return isinstance(result, tuple)


def _row(row: Any) -> str:
    return f"{row.key}: {row.value!r} ({row.created_at}..{row.expires_at})"
