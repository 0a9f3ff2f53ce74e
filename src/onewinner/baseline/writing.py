"""Writes a baseline: an entry for each clause that fails, and whatever people wrote before.

What somebody gave a reason for is not written over. An entry goes where its clause is seen to hold,
and where it fails in another way than it says the entry stays, so that the gate stays red.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onewinner.baseline.reading import TABLE
from onewinner.baseline.signature import signature
from onewinner.contract.clauses import CLAUSES
from onewinner.suite.tree import Known, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.suite.tree import ClauseResult, RunResult

TODO: Final = "TODO: say why"
"""The reason of an entry that nobody has given one yet."""

_HEAD: Final = """\
# Failures that are known, see the contract's clauses. `onewinner verify TARGET --baseline FILE`
# expects them, and fails where one of them is gone.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A baseline to be written, and what is new in it: a sentence each.

    `unexplained` are clauses that are violated in ways of which one entry cannot tell both.
    """

    known: tuple[Known, ...]
    changes: tuple[str, ...] = ()
    unexplained: tuple[str, ...] = ()


def written(result: RunResult, before: Sequence[Known] = ()) -> str:
    """Answer the TOML of a baseline for a run, with the entries of an earlier one."""
    return dumps(drafted(result, before))


def drafted(result: RunResult, before: Sequence[Known] = ()) -> Draft:
    """Answer the baseline for a run that was held against the earlier one (`applied`)."""
    judged = {clause.clause.id: clause for clause in result.clauses}
    stale = {sentence.split()[0] for sentence in result.stale}
    known, changes, unexplained = [], [], []
    entries = {entry.clause: entry for entry in before}
    for name in CLAUSES:
        entry, clause = entries.get(name), judged.get(name)
        if entry is not None:
            entry, change = _kept(entry, clause, gone=name in stale)
        elif clause is not None and clause.status is Status.FAIL:
            entry = _new(clause)
            change = f"added {name}: {entry.signature!r}"
        else:
            continue
        changes += [change] if change else []
        if entry is not None:
            known.append(entry)
            failed = clause is not None and clause.status is Status.FAIL
            if clause is not None and failed and not entry.explains(clause.checks):
                unexplained.append(name)
    return Draft(known=tuple(known), changes=tuple(changes), unexplained=tuple(unexplained))


def _kept(entry: Known, clause: ClauseResult | None, *, gone: bool) -> tuple[Known | None, str]:
    """Answer what becomes of an entry, and what is to be said of that."""
    name = entry.clause
    if gone:
        return None, f"removed {name}: it holds ({entry.reason})"
    if clause is None or clause.status is not Status.FAIL or entry.explains(clause.checks):
        return entry, ""
    if entry.reason == TODO:
        new = _new(clause)
        return new, f"changed {name}: {new.signature!r}, it was {entry.signature!r}"
    told = clause.violation.summary if clause.violation else clause.reason
    return entry, (
        f"left {name} as it is, though {entry.signature!r} is not how it fails now ({told}); "
        f"change its signature, or remove the entry and write the baseline again"
    )


def _new(clause: ClauseResult) -> Known:
    told = [check.violation.summary for check in clause.checks if check.violation is not None]
    best = clause.violation
    own = [] if best is None else [best.summary]
    return Known(
        clause=clause.clause.id,
        reason=TODO,
        kind="not-yet",
        signature=signature(told) or signature(own) or "violated",
    )


def dumps(draft: Draft) -> str:
    """Answer the TOML of a baseline."""
    blocks = [_block(entry, lone=entry.clause in draft.unexplained) for entry in draft.known]
    return _HEAD + "".join(f"\n{block}" for block in blocks)


def additions(draft: Draft, before: Sequence[Known]) -> str | None:
    """Answer the TOML of what is new, None where what was there before has changed."""
    had = {entry.clause for entry in before}
    kept = [entry for entry in draft.known if entry.clause in had]
    if sorted(kept, key=_clause) != sorted(before, key=_clause):
        return None
    new = [entry for entry in draft.known if entry.clause not in had]
    return "".join(f"\n{_block(each, lone=each.clause in draft.unexplained)}" for each in new)


def _clause(entry: Known) -> str:
    return entry.clause


def _block(entry: Known, *, lone: bool) -> str:
    fields = {
        "clause": entry.clause,
        "reason": entry.reason,
        "issue": entry.issue,
        "kind": entry.kind,
        "signature": entry.signature,
    }
    lines = [f"[[{TABLE}]]"]
    if lone:
        lines.append("# This does not explain all its violations: they are told in other words.")
    lines += [f"{name} = {_text(value)}" for name, value in fields.items() if value]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """Answer a text as TOML has it between quotes: as JSON, which leaves one character too many."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
