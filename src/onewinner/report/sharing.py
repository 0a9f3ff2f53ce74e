"""A result tree made ready to be shared: no place of this machine, and no long value, stands in it.

Every writer whose output may leave the machine writes this tree instead of the one that was found.
What a clause's status rests on is settled before, so that all reports agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from onewinner.report import text
from onewinner.report.places import shareable
from onewinner.suite.tree import CheckResult, ClauseResult, Status, Violation

if TYPE_CHECKING:
    from onewinner.suite.timeline import Timeline
    from onewinner.suite.tree import RunResult

_LEFT_OUT: Final = (
    "# This program holds values of more than 200 bytes, so it is no part of a report.\n"
    "# The command that reproduces the violation shows it.\n"
)
_AS_THEY_ARE: Final = frozenset({"recorded", "traffic", "clause", "versions"})
"""Fields that hold no prose, or that writers do not write."""

_COMMANDS: Final = frozenset({"reproduce", "target"})
"""Fields that are to be pasted: a replay token is one long word."""


def shared(result: RunResult) -> RunResult:
    """Answer the tree as it may be shared; statuses, counts and times are the same."""
    source = result.source
    told = _members(result, leave={"clauses", "source"})
    return dataclasses.replace(
        result,
        clauses=tuple(map(_clause, result.clauses)),
        source=None if source is None else (shareable(source[0]), source[1]),
        **told,
    )


def _clause(clause: ClauseResult) -> ClauseResult:
    """Answer a clause with the status that it had, whatever rewritten sentences have in common."""
    found = dataclasses.replace(
        clause, checks=tuple(map(_check, clause.checks)), **_members(clause, leave={"checks"})
    )
    if found.status is clause.status or clause.known is None:
        return found
    # A signature may be a part of what was rewritten; whether it explains is known from before.
    expected = clause.status is Status.XFAIL
    known = dataclasses.replace(clause.known, signature="") if expected else None
    return dataclasses.replace(found, known=known)


def _check(check: CheckResult) -> CheckResult:
    seen = check.violation
    return dataclasses.replace(
        check,
        violation=None if seen is None else _violation(seen),
        **_members(check, leave={"violation"}),
    )


def _violation(violation: Violation) -> Violation:
    script = shareable(violation.script)
    if text.shorten_values(script) != script:
        script = _LEFT_OUT
    return dataclasses.replace(violation, script=script, **_members(violation, leave={"script"}))


def _members(value: Any, *, leave: set[str]) -> dict[str, Any]:
    """Answer the fields of a record that differ when they are shared."""
    found = {}
    for field in dataclasses.fields(value):
        if field.name not in leave | _AS_THEY_ARE:
            before = getattr(value, field.name)
            after = _told(before, whole=field.name in _COMMANDS)
            if after is not before:
                found[field.name] = after
    return found


def _told(value: Any, *, whole: bool = False) -> Any:
    """Answer a value with its texts as they may be shared; the same one where none changes."""
    match value:
        case str():
            told = shareable(value)
            told = told if whole else text.shorten_values(told)
            return value if told == value else told
        case Mapping():
            members = {name: _told(member) for name, member in value.items()}
            return value if all(members[name] is value[name] for name in value) else members
        case tuple() if not hasattr(value, "_fields"):
            parts = tuple(_told(member) for member in value)
            return value if all(a is b for a, b in zip(parts, value, strict=True)) else parts
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            changed = _members(value, leave=set())
            return dataclasses.replace(value, **changed) if changed else value
        case _:
            return value


def shared_violation(violation: Violation) -> Violation:
    """Answer one violation as it may be shared."""
    return _violation(violation)


def shared_timeline(timeline: Timeline) -> Timeline:
    """Answer a timeline as it may be shared; its times are the same."""
    told: Timeline = _told(timeline)
    return told
