"""What refuses a call before anything is written (contract 5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from onewinner.contract.values import (
    canonical,
    containers_deep,
    has_unkeepable_text,
    is_json,
    levels_deep,
    size_bytes,
)
from onewinner.model.state import EXACT_MS_MAX, WHITE_SPACE, Refused

if TYPE_CHECKING:
    from onewinner.model.state import Call, Rules, Space

_POLICIES = ("evict-oldest", "reject-new")
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9._-]*", re.IGNORECASE | re.ASCII)


def open_refusal(rules: Rules, call: Call, existing: Space | None) -> Refused | None:
    """Answer why a namespace cannot be opened so, None where it can (INPUT-1 to 3, INPUT-6)."""
    name = call.namespace.strip(WHITE_SPACE) if isinstance(call.namespace, str) else ""
    if not _NAMESPACE.fullmatch(name) or _bytes(name) > rules.limits.max_namespace_bytes:
        return Refused("INVALID_INPUT", "INPUT-1")
    if call.plugin.startswith("core:"):
        return Refused("INVALID_INPUT", "INPUT-2")
    if not _positive(call.max_entries):
        return Refused("INVALID_INPUT", "INPUT-3")
    if call.default_ttl_ms is not None and not _positive(call.default_ttl_ms):
        return Refused("INVALID_INPUT", "INPUT-6")
    if call.overflow_policy not in {None, *_POLICIES}:
        return Refused("INVALID_INPUT", "INPUT-12")
    if existing is not None:
        options = (existing.max_entries, existing.default_ttl_ms)
        if options != (call.max_entries, call.default_ttl_ms):
            return Refused("INVALID_INPUT", "INPUT-3")
        default = rules.limits.overflow_policy
        if (existing.overflow_policy or default) != (call.overflow_policy or default):
            return Refused("INVALID_INPUT", "INPUT-12")
    return None


def key_refusal(rules: Rules, key: Any) -> Refused | None:
    """Answer why a key is refused, None where it is not (INPUT-4)."""
    trimmed = key.strip(WHITE_SPACE) if isinstance(key, str) else ""
    if not trimmed or _bytes(trimmed) > rules.limits.max_key_bytes:
        return Refused("INVALID_INPUT", "INPUT-4")
    return None


def write_refusals(rules: Rules, space: Space, call: Call, now: int) -> list[Refused | None]:
    """Answer how a write may be received; None stands for "accepted".

    Where several rules are broken, a store may name any of them.
    """
    if not rules.validates:
        return [None, *_choices(space, call, now)]
    broken = [key_refusal(rules, call.key), _ttl_refusal(call.ttl_ms)]
    certain, possible = _value_refusals(rules, call.value)
    certain += [refusal for refusal in broken if refusal is not None]
    if certain:
        return [*certain, *_choices(space, call, now)]
    return [None, *possible, *_choices(space, call, now)]


def _choices(space: Space, call: Call, now: int) -> list[Refused]:
    """Answer why a store may refuse what another one keeps (INPUT-10, TTL-7)."""
    ways = []
    held = space.find(call.key.strip(WHITE_SPACE)) if isinstance(call.key, str) else None
    known = held is not None and held.live(now)
    unkeepable = isinstance(call.key, str) and has_unkeepable_text(call.key) and not known
    if unkeepable or _unkeepable_value(call.value):
        ways.append(Refused("INVALID_INPUT", "INPUT-10"))
    ttl: Any = call.ttl_ms if call.ttl_ms is not None else space.default_ttl_ms
    if _positive(ttl) and now + ttl > EXACT_MS_MAX:
        ways.append(Refused("INVALID_INPUT", "TTL-7"))
        ways.append(Refused("LIMIT_EXCEEDED", "TTL-7"))
    return ways


def _ttl_refusal(ttl_ms: Any) -> Refused | None:
    if ttl_ms is None or _positive(ttl_ms):
        return None
    return Refused("INVALID_INPUT", "INPUT-6")


def _value_refusals(rules: Rules, value: Any) -> tuple[list[Refused], list[Refused]]:
    """Answer the refusals that are certain and those that the contract leaves open (INPUT-7 to 9).

    Two counts of nesting are in use: one takes the root as level 0, the other counts containers
    and the scalar inside as levels. What only one of them refuses is open.
    """
    too_deep = Refused("LIMIT_EXCEEDED", "INPUT-8")
    try:
        if not is_json(value):
            too_large = len(repr(value)) > rules.limits.max_value_bytes
            also = [Refused("LIMIT_EXCEEDED", "INPUT-9")] if too_large else []
            return [Refused("INVALID_INPUT", "INPUT-7"), *also], []
        edges, containers = levels_deep(value), containers_deep(value)
    except RecursionError:
        return [too_deep], []
    if min(edges, containers) > rules.limits.max_value_depth:
        return [too_deep], []
    if size_bytes(value) > rules.limits.max_value_bytes:
        return [Refused("LIMIT_EXCEEDED", "INPUT-9")], []
    return [], [too_deep] if edges + 1 > rules.limits.max_value_depth else []


def _unkeepable_value(value: Any) -> bool:
    try:
        text = canonical(value)
    except (RecursionError, TypeError, ValueError):
        return False  # no JSON, or too deep to look at: refused for that in any case
    return has_unkeepable_text(text) or "\\u0000" in text


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _positive(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1
