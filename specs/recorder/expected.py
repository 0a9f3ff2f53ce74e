"""What the model allows a store to answer to each step, and for which stores that is so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from onewinner.contract.values import canonical, containers_deep, size_bytes
from onewinner.model import Call, Row, Rules, Space, State, forgetting, outcomes
from onewinner.suite.vectors.answers import allowed
from onewinner.suite.vectors.format import READERS, VALUES, camel, expand, snake
from recorder.notation import kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from onewinner.contract import Profile

Steps = list[dict[str, Any]]

START_MS: Final = 1_700_000_000_000
"""Where virtual time begins: at a whole second, so that times are multiples of many units."""

STATES_MAX: Final = 256
ROOM: Final = 50
"""So many rows every store has room for; where a plugin holds more, the vector says so."""

_CALM_MS: Final = 10_000
_LONG_MS: Final = 3_600_000


class TooOpenError(Exception):
    """The contract leaves so much open that nothing would be held."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What the model allows, step by step, and how many rows a plugin held at most."""

    answers: list[list[Any]]
    rows: int


def walk(
    steps: Steps, rules: Rules, *, cap: int, time_of: Callable[[int, int], int] | None = None
) -> Walk:
    """Answer what may be answered to each step, whichever of the allowed answers came before.

    `time_of` answers the time of a step by its number and the vector's own time.
    """
    places: dict[str, tuple[str, str]] = {}
    states, answers, most = [State(last_ms=START_MS)], [], 0
    for number, step in enumerate(steps):
        at = step["at"] if time_of is None else time_of(number, step["at"])
        states, found = _stepped(states, step, rules, START_MS + at, places, cap)
        answers.append(found)
        held = [
            state.plugin_rows(s.plugin, START_MS + at) for state in states for s in state.spaces
        ]
        most = max(most, *held, 0)
        if len(states) > STATES_MAX:
            raise TooOpenError(f"step {number + 1} may leave {len(states)} states")
    return Walk(answers, most)


def _stepped(
    states: list[State],
    step: dict[str, Any],
    rules: Rules,
    now: int,
    places: dict[str, tuple[str, str]],
    cap: int,
) -> tuple[list[State], list[Any]]:
    if step["op"] in {"connect", "close"}:
        return states, [None]
    if step["op"] == "reopen":
        return list(map(forgetting, states)), [None]
    if step["op"] == "fill":
        return filled(rules, states, step, places[step["on"]], now, cap), [None]
    call = _call(step, places, cap)
    if step["op"] == "open" and isinstance(call.namespace, str):
        places[step["as"]] = (call.plugin, call.namespace)
    refused = [state for state in states if _is_refused(state, call)]
    others = [state for state in states if state not in refused]
    found = [outcome for state in others for outcome in outcomes(rules, state, call, now)]
    told = {canonical(a): a for answer, _ in found for a in allowed(answer, START_MS)}
    return list(dict.fromkeys((*(after for _, after in found), *refused))), list(told.values())


def _is_refused(state: State, call: Call) -> bool:
    """Tell whether the handle was never had, so that a store passes over the step."""
    if call.f in {"open", "sweep_expired"}:
        return False
    space = state.space(call.plugin, call.namespace)
    return space is None or space.closed


def _call(step: dict[str, Any], places: dict[str, tuple[str, str]], cap: int) -> Call:
    f = snake(step["op"])
    if f == "sweep_expired":
        return Call(f=f)
    if f == "open":
        return Call(
            f=f,
            plugin=step["plugin"],
            namespace=expand(step["namespace"]),
            max_entries=step["maxEntries"],
            default_ttl_ms=step.get("defaultTtlMs"),
            overflow_policy=step.get("overflowPolicy"),
        )
    plugin, namespace = places[step["on"]]
    compared = step.get("comparison")
    return Call(
        f=f,
        plugin=plugin,
        namespace=namespace,
        key=expand(step.get("key")),
        value=expand(step.get(VALUES.get(f, "")), cap),
        ttl_ms=step.get("ttlMs"),
        comparison=compared["of"] if isinstance(compared, dict) else compared,
        noted=step["as"] if f == "observe" else None,
    )


def filled(
    rules: Rules,
    states: Iterable[State],
    step: dict[str, Any],
    place: tuple[str, str],
    now: int,
    cap: int,
) -> list[State]:
    """Answer the states after a namespace was filled with rows, which all have room."""
    count = expand(step["count"], cap)
    return [_filled(rules, state, step, state.space(*place), now, count) for state in states]


def _filled(
    rules: Rules, state: State, step: dict[str, Any], space: Space | None, now: int, count: int
) -> State:
    assert space is not None
    limit = rules.limits.plugin_row_cap
    assert len(space.rows) + count <= space.max_entries or not rules.evicts, step
    assert limit is None or state.plugin_rows(space.plugin, now) + count <= limit, step
    ttl_ms = step.get("ttlMs", space.default_ttl_ms)
    ends = None if ttl_ms is None else now + ttl_ms
    first = now if not rules.strict_ages else max(now, (space.newest_ms or 0) + 1)
    ages = [first + i if rules.strict_ages else now for i in range(count)]
    new = [Row(f"{step['prefix']}{i:06}", str(i), ages[i], ends) for i in range(count)]
    assert not {row.key for row in new} & {row.key for row in space.rows}, step
    bounds = [time for time in (space.first_expiry_ms, ends) if time is not None]
    after = replace(
        space,
        rows=tuple(sorted((*space.rows, *new), key=lambda row: row.age)),
        first_expiry_ms=min(bounds, default=None),
        newest_ms=max(ages, default=None) if rules.strict_ages else None,
    )
    spaces = tuple(after if other is space else other for other in state.spaces)
    return replace(state, spaces=spaces, last_ms=now)


@dataclass(frozen=True, slots=True)
class Conditions:
    """For which stores the answers of a vector are right."""

    needs: tuple[str, ...]
    rules: dict[str, Any]


def conditions(
    steps: Steps, rules: Rules, usual: Walk, *, cap: int, needs: Sequence[str]
) -> Conditions:
    """Answer what a store must declare: that without which the model would answer otherwise.

    `usual` is what it answers with it; `needs` are those of the clause, asked for in any case.
    """

    def matters(*others: Rules) -> bool:
        return any(_otherwise(steps, other, cap, usual) for other in others)

    limits, found, exact = rules.limits, list(needs), {}
    full = _may_be_full(steps, usual.rows)
    other_overflow = _limited(rules, overflow_policy=_OTHER_OVERFLOW[limits.overflow_policy])
    if matters(replace(rules, validates=False)):
        found.append("input-rules")
    if full and not {"reject-new", "overflow-option"} & set(needs):
        found += ["eviction"] if matters(replace(rules, evicts=False)) else []
    if "row-cap" in needs or (usual.rows >= cap and matters(_limited(rules, plugin_row_cap=None))):
        found.append("row-cap")
        if matters(_limited(rules, cap_policy=_OTHER_CAP[limits.cap_policy])):
            exact["capPolicy"] = limits.cap_policy
    elif usual.rows > ROOM:
        exact["rows"] = usual.rows
    if full and not {"eviction", "reject-new"} & set(found) and matters(other_overflow):
        exact["overflowPolicy"] = limits.overflow_policy
    if "strict-ages" not in needs and matters(replace(rules, strict_ages=True)):
        exact["strictAges"] = False
    large = [name for name in _large(steps, limits) if matters(*_sized(rules, name))]
    exact |= {camel(name): getattr(limits, name) for name in large}
    if _needs_virtual_time(steps, rules, cap, usual):
        found.append("virtual-clock")
    return Conditions(tuple(dict.fromkeys((*found, *_declared(steps)))), exact)


_OTHER_CAP: Final = {"reject": "evict-oldest", "evict-oldest": "reject"}
_OTHER_OVERFLOW: Final = {"reject-new": "evict-oldest", "evict-oldest": "reject-new"}
_SIZES: Final = ("max_key_bytes", "max_namespace_bytes", "max_value_bytes", "max_value_depth")
_LIVES: Final = frozenset({"ttlMs", "defaultTtlMs"})


def _may_be_full(steps: Steps, rows: int) -> bool:
    """Tell whether a namespace may be full, or its policy be compared with another."""
    return any(
        "overflowPolicy" in step or (type(step["maxEntries"]) is int and step["maxEntries"] <= rows)
        for step in steps
        if step["op"] == "open"
    )


def _limited(rules: Rules, **limits: Any) -> Rules:
    return replace(rules, limits=replace(rules.limits, **limits))


def _sized(rules: Rules, name: str) -> list[Rules]:
    limit = getattr(rules.limits, name)
    return [_limited(rules, **{name: n}) for n in (limit + 1, limit - 1, 2 * limit, limit // 2)]


def _large(steps: Steps, limits: Profile) -> list[str]:
    """Answer the limits of sizes that half as much would not do for."""
    keys = [expand(k) for s in steps for k in (s.get("key"), *_listed(s.get("keys")))]
    spaces = [expand(s["namespace"]) for s in steps if "namespace" in s]
    values = [kept(expand(s[n])) for s in steps for n in set(VALUES.values()) & set(s)]
    found = {
        "max_key_bytes": max(map(_bytes, keys), default=0),
        "max_namespace_bytes": max(map(_bytes, spaces), default=0),
        "max_value_bytes": max(map(size_bytes, values), default=0) * 2,  # two may become one
        "max_value_depth": max(map(containers_deep, values), default=0) + 2,
    }
    return [name for name in _SIZES if found[name] > getattr(limits, name) // 2]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _bytes(value: Any) -> int:
    return len(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else 0


def _otherwise(steps: Steps, rules: Rules, cap: int, usual: Walk) -> bool:
    try:
        return walk(steps, rules, cap=cap).answers != usual.answers
    except (AssertionError, TooOpenError):
        return True
    except (AttributeError, TypeError, ValueError):
        return True  # input that no rule refuses then, and that means nothing


def _declared(steps: Steps) -> list[str]:
    """Answer what the steps themselves ask for: operations, time to live, closing, an option."""
    ops = dict.fromkeys(step["op"] for step in steps)
    used = [op for op in ops if op not in _OF_EVERY_STORE and snake(op) not in READERS]
    if any(_LIVES & set(step) for step in steps):
        used.append("ttl")
    if "reopen" in ops:
        used.append("durable")
    if "fill" in ops:
        used.append("register")
    if any("overflowPolicy" in step for step in steps):
        used.append("overflow-option")
    return used


_OF_EVERY_STORE: Final = frozenset({"open", "connect", "close", "reopen", "fill"})


def _needs_virtual_time(steps: Steps, rules: Rules, cap: int, usual: Walk) -> bool:
    """Tell whether a store that keeps its own time would be answered otherwise, or waited for.

    It does not matter where no life is short, and the answers, without their times, are the same
    on a quick machine and on one that takes ten seconds for each step.
    """
    times = [step["at"] for step in steps]
    lives = [step[name] for step in steps for name in _LIVES & set(step)]
    if times != sorted(times) or times[-1] > _CALM_MS:
        return True
    if any(type(life) is int and 0 < life < _LONG_MS for life in lives):
        return True
    real = replace(rules, exact=False)
    wanted = _timeless(steps, usual)
    for pace in (1, 10_000):
        walked = walk(steps, real, cap=cap, time_of=lambda n, _, pace=pace: n * pace)
        if _timeless(steps, walked) != wanted:
            return True
    return False


def _timeless(steps: Steps, walked: Walk) -> list[list[str]]:
    return [
        sorted({_without_times(a) if step["op"] == "entries" else canonical(a) for a in found})
        for step, found in zip(steps, walked.answers, strict=True)
    ]


def _without_times(rows: Any) -> str:
    if not isinstance(rows, list):
        return canonical(rows)
    lives = [[k, v, None if ends is None else ends - born] for k, v, born, ends in rows]
    return canonical(sorted(lives, key=canonical))
