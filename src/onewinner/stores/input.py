"""Input: what the reference stores refuse before they write anything (contract 5).

This is the stores' own reading of section 5. The model has another one, and neither imports the
other, so that a mistake in either shows up as a difference between the two.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from onewinner.contract import InvalidInput, LimitExceeded, StoreError

if TYPE_CHECKING:
    from onewinner.contract import Json, Profile

EXACT_MS_MAX: Final = 2**53 - 1
"""The last millisecond that every JSON reader holds exactly; a later expiry is refused (TTL-7)."""

_WHITE_SPACE = " \t\r\n"
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SCALARS = (type(None), bool, int, str)
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_SPLIT_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


@dataclass(frozen=True, slots=True)
class Opening:
    """A namespace as it was opened; two openings of one namespace must be equal (INPUT-3)."""

    plugin: str
    namespace: str
    max_entries: int
    default_ttl_ms: int | None
    overflow_policy: str = "evict-oldest"


def opening(
    plugin_id: object,
    namespace: object,
    max_entries: object,
    default_ttl_ms: object,
    profile: Profile,
    overflow_policy: object = None,
) -> Opening:
    """Answer the namespace to open (INPUT-1 to INPUT-3, INPUT-6, INPUT-12); raises InvalidInput."""
    if not isinstance(plugin_id, str) or plugin_id.startswith("core:") or _lone(plugin_id):
        raise InvalidInput(
            operation="open",
            message=f"plugin id {_shown(plugin_id)} is not text, begins with the reserved 'core:', "
            f"or holds a lone surrogate; use an id of your own",
        )
    name = namespace.strip(_WHITE_SPACE) if isinstance(namespace, str) else ""
    if not _NAMESPACE.fullmatch(name) or len(name) > profile.max_namespace_bytes:
        raise InvalidInput(
            operation="open",
            message=f"namespace {_shown(namespace)} must begin with a letter or digit, go on with "
            f"those or '._-', and hold at most {profile.max_namespace_bytes} bytes",
        )
    if not _is_count(max_entries):
        raise InvalidInput(
            operation="open", message=f"max_entries is {_shown(max_entries)}; give an integer >= 1"
        )
    policy = profile.overflow_policy if overflow_policy is None else overflow_policy
    if policy not in ("evict-oldest", "reject-new"):
        raise InvalidInput(
            operation="open",
            message=f"overflow_policy is {_shown(policy)}; give 'evict-oldest' or 'reject-new'",
        )
    return Opening(plugin_id, name, max_entries, ttl(default_ttl_ms, "open"), str(policy))


def agreed(known: Opening, wanted: Opening) -> Opening:
    """Answer `wanted` if it agrees with how the namespace is open already (INPUT-3)."""
    if known != wanted:
        raise InvalidInput(
            operation="open",
            message=f"namespace {wanted.namespace!r} of plugin {_shown(wanted.plugin)} is open "
            f"with max_entries={_shown(known.max_entries)}, "
            f"default_ttl_ms={_shown(known.default_ttl_ms)} and "
            f"overflow_policy={known.overflow_policy!r}; open it with the same options, or "
            f"close the other handles first",
        )
    return wanted


def key_text(given: object, operation: str, profile: Profile) -> str:
    """Answer the key as it is kept: trimmed, 1 to `max_key_bytes` bytes of UTF-8 (INPUT-4, 10)."""
    kept = given.strip(_WHITE_SPACE) if isinstance(given, str) else ""
    if not kept:
        raise InvalidInput(
            operation=operation, message=f"key {_shown(given)} is not text or is empty"
        )
    if "\0" in kept or _lone(kept):
        raise InvalidInput(
            operation=operation,
            message=f"key {_shown(given)} holds a NUL or a lone surrogate, which not every tool "
            f"keeps apart; escape it",
        )
    if len(kept.encode()) > profile.max_key_bytes:
        raise InvalidInput(
            operation=operation,
            message=f"key {_shown(given)} has {len(kept.encode())} bytes of UTF-8, more than "
            f"{profile.max_key_bytes}; claim a digest of it",
        )
    return kept


def ttl(given: object, operation: str) -> int | None:
    """Answer a time to live in milliseconds, or None where none is given (INPUT-6)."""
    if given is None or _is_count(given):
        return given
    raise InvalidInput(
        operation=operation, message=f"ttl is {_shown(given)}; give milliseconds, an integer >= 1"
    )


def expiry(now_ms: int, ttl_ms: int | None, operation: str) -> int | None:
    """Answer the instant at which a row written now expires, None for never (TTL-1, TTL-7)."""
    if ttl_ms is None:
        return None
    if now_ms + ttl_ms > EXACT_MS_MAX:
        raise InvalidInput(
            operation=operation,
            message=f"ttl of {_shown(ttl_ms)} ms ends after {EXACT_MS_MAX}, the last millisecond "
            f"that every reader holds exactly; leave the ttl out for a row that never expires",
        )
    return now_ms + ttl_ms


def value_text(value: object, operation: str, profile: Profile) -> str:
    """Answer the JSON text to keep (INPUT-7 to INPUT-10).

    Raises InvalidInput for what is not JSON, LimitExceeded for what is nested too deeply or whose
    compact UTF-8 text is too long.
    """
    if type(value) not in _SCALARS:
        _Inspection(operation, profile).visit(value, level=0)
    try:
        text = _COMPACT.encode(value)
    except ValueError as error:  # an integer of more digits than Python converts
        raise InvalidInput(operation=operation, message=f"value: {error}") from error
    if len(text.encode("utf-8", "surrogatepass")) > profile.max_value_bytes:
        raise _too_large(operation, profile)
    if text.isascii() or not _lone(text):
        return text
    if _SPLIT_PAIR.search(text):
        raise InvalidInput(
            operation=operation,
            message="value holds a surrogate pair as two characters, which JSON reads as one",
        )
    return json.dumps(value, separators=(",", ":"))  # escapes keep a lone surrogate


def value_of(text: str | bytes, operation: str, key: str) -> Json:
    """Answer the value that `text` keeps; raises StoreError CORRUPT where it is damaged."""
    try:
        value: Json = json.loads(text.decode() if isinstance(text, bytes) else text)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(
            code="CORRUPT",
            operation=operation,
            message=f"the stored value of key {key!r:.80} is not JSON ({error}); "
            f"delete the key or register it again",
        ) from error
    return value


def scalar(given: object, operation: str) -> Json:
    """Answer a JSON scalar to compare with (DEL-7); raises InvalidInput for anything else."""
    if isinstance(given, str | bool | int | None) or (
        isinstance(given, float) and math.isfinite(given)
    ):
        return given
    raise InvalidInput(
        operation=operation,
        message=f"{_shown(given)} is no scalar; give null, a boolean, a number or text",
    )


def is_scalar(value: object, wanted: Json) -> bool:
    """Tell whether a value is that scalar: `true` is not `1`, and `1.0` is."""
    return isinstance(value, bool) == isinstance(wanted, bool) and value == wanted


class _Inspection:
    """One walk over a value: plain JSON, no cycle, not too deep.

    The walk ends after as many nodes as the value may have bytes, since every node costs at least
    one: a small value that holds itself twice at every level is as large as 2**levels.
    """

    def __init__(self, operation: str, profile: Profile) -> None:
        self._operation = operation
        self._profile = profile
        self._nodes_left = profile.max_value_bytes
        self._above: list[int] = []

    def visit(self, value: object, level: int) -> None:
        """Raise for the first thing in `value`, itself at `level`, that breaks a rule."""
        self._nodes_left -= 1
        if self._nodes_left < 0:
            raise _too_large(self._operation, self._profile)
        match value:
            case None | bool() | int() | str():
                self._hold_level(level)
            case float() if math.isfinite(value):
                self._hold_level(level)
            case list() | tuple():
                self._visit_members(value, value, level)
            case dict() if all(isinstance(name, str) for name in value):
                self._visit_members(value, value.values(), level)
            case dict():
                raise self._not_json("an object whose keys are not all text")
            case _:
                raise self._not_json(f"{_shown(value)}, a {type(value).__name__}")

    def _visit_members(self, container: object, members: Any, level: int) -> None:
        if id(container) in self._above:
            raise self._not_json("itself")
        self._hold_level(level)
        self._above.append(id(container))
        for member in members:
            self.visit(member, level + 1)
        self._above.pop()

    def _not_json(self, what: str) -> InvalidInput:
        return InvalidInput(
            operation=self._operation,
            message=f"value holds {what}; JSON knows null, booleans, finite numbers, text, arrays "
            f"and objects",
        )

    def _hold_level(self, level: int) -> None:
        if level > self._profile.max_value_depth:
            raise LimitExceeded(
                operation=self._operation,
                message=f"value is nested deeper than {self._profile.max_value_depth} levels",
            )


def _too_large(operation: str, profile: Profile) -> LimitExceeded:
    return LimitExceeded(
        operation=operation,
        message=f"value has more than {profile.max_value_bytes} bytes as compact UTF-8 JSON",
    )


def _is_count(number: object) -> TypeGuard[int]:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1


def _lone(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _shown(given: object) -> str:
    """Answer a short repr; some values have none (nested too deeply, an integer too long)."""
    try:
        return repr(given)[:80]
    except (RecursionError, ValueError):
        return f"a {type(given).__name__} too large to show"
