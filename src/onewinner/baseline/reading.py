"""Reads a baseline: TOML, one table for each clause that is known to be violated.

[[known]]
clause = "TTL-2"
reason = "an expired row is shown until the next sweep"
issue = "https://example.org/issues/12"
kind = "not-yet"
signature = "where the contract has no row"
"""

from __future__ import annotations

import difflib
import tomllib
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from onewinner.contract.clauses import CLAUSES
from onewinner.suite.tree import Known

if TYPE_CHECKING:
    from collections.abc import Collection

Kind = Literal["cannot", "not-yet"]

TABLE: Final = "known"
_NEEDED: Final = ("clause", "reason", "kind", "signature")
_FIELDS: Final = (*_NEEDED, "issue")


class BaselineError(Exception):
    """A text is no baseline: where, what is wrong there, and what to write instead (exit 4)."""


def read(text: str, name: str) -> tuple[Known, ...]:
    """Answer the entries of a baseline in their order; `name` is what errors call the file.

    Raises BaselineError.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BaselineError(
            f"{name} is no TOML: {error}; an entry begins with [[{TABLE}]]"
        ) from error
    for key in found:
        if key != TABLE:
            raise BaselineError(
                f"{name}: {key!r} is no part of a baseline; entries are tables that begin with "
                f"[[{TABLE}]]"
            )
    tables = found.get(TABLE, [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise BaselineError(f"{name}: {TABLE} is no list of tables; begin each with [[{TABLE}]]")
    entries: dict[str, int] = {}
    known = []
    for number, table in enumerate(tables, 1):
        entry = _entry(table, f"{name}, entry {number}")
        if entry.clause in entries:
            raise BaselineError(
                f"{name}, entry {number}: {entry.clause} stands there already, as entry "
                f"{entries[entry.clause]}; one entry explains all violations of a clause, so "
                f"remove one of the two"
            )
        entries[entry.clause] = number
        known.append(entry)
    return tuple(known)


def _entry(table: dict[str, Any], where: str) -> Known:
    for key, value in table.items():
        if key not in _FIELDS:
            raise BaselineError(
                f"{where}: an entry has no {key!r}{_near(key, _FIELDS)}; it has "
                f"{', '.join(_FIELDS)}"
            )
        if not isinstance(value, str):
            raise BaselineError(f"{where}: {key} is {value!r}, which is no text; put it in quotes")
    lacking = [field for field in _NEEDED if field not in table]
    if lacking:
        raise BaselineError(
            f"{where} has no {' and no '.join(lacking)}; an entry needs {', '.join(_NEEDED)}"
        )
    _check(table, where)
    return Known(
        clause=table["clause"],
        reason=table["reason"],
        kind=cast("Kind", table["kind"]),
        signature=table["signature"],
        issue=table.get("issue", ""),
    )


def _check(entry: dict[str, str], where: str) -> None:
    """Hold what an entry says against what can be said."""
    clause, kind, issue = entry["clause"], entry["kind"], entry.get("issue", "")
    if clause not in CLAUSES:
        raise BaselineError(
            f"{where}: no clause is called {clause!r}{_near(clause.upper(), CLAUSES)}; "
            f"`onewinner list` shows them all"
        )
    if kind not in get_args(Kind):
        raise BaselineError(
            f"{where}: {kind!r} is no kind; write 'cannot' where the store cannot keep {clause} by "
            f"its design, and 'not-yet' where it is to keep it one day"
        )
    if not entry["reason"].strip():
        raise BaselineError(f"{where}: its reason is empty; say why {clause} is violated")
    if not entry["signature"].strip():
        raise BaselineError(
            f"{where}: its signature is empty, which would hide every failure of {clause}; copy a "
            f"part of the sentence in which the violation is told"
        )
    if issue and not issue.startswith(("https://", "http://")):
        raise BaselineError(f"{where}: the issue {issue!r} is no link; begin it with https://")


def _near(given: str, known: Collection[str]) -> str:
    found = difflib.get_close_matches(given, list(known), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""
