"""Vectors as files: what stands in them, how it is expanded, and which stores can be given them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner.contract.clause import missing_need
from onewinner.contract.clauses import CLAUSES, FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from onewinner.contract import Capabilities

FORMAT: Final = 1
"""The version of the form of the files; what they hold has releases of its own."""

READERS: Final = frozenset({"lookup", "lookup_many", "entries", "count"})
"""What changes nothing: a store that lacks one of these passes over its steps."""

VALUES: Final = {
    "register": "value",
    "register_if_absent": "value",
    "lookup_many": "keys",
    "delete_if_equal": "expected",
    "delete_if": "condition",
    "update": "change",
    "compare_and_apply": "intent",
}
"""The member of a step that holds what an operation is given beside the key."""

_PACKED: Final = Path(__file__).parent / "data"  # in a wheel
_SPECS: Final = Path(__file__).parents[4] / "specs"  # in the source tree
_SCHEMA: Final = "vectors.schema.json"


class VectorError(Exception):
    """The vectors cannot be had: what was looked for, why it is not there, what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """A short program with what must be answered to each of its steps.

    `file` is the stem of the file's name, `needs` the declarations without which the contract would
    have other answers (as those of a clause), `rules` the limits for which the same is true.
    Times are milliseconds; `start_ms` is where virtual time begins, and all others count from it.
    """

    file: str
    name: str
    says: str
    clauses: tuple[str, ...]
    needs: tuple[str, ...]
    rules: Mapping[str, Any]
    steps: tuple[Mapping[str, Any], ...]
    start_ms: int

    def missing(self, capabilities: Capabilities) -> str | None:
        """Say why a store with these capabilities cannot be given the vector, None where it can."""
        tokens = ("|".join(map(snake, need.split("|"))) for need in self.needs)
        for token in tokens:
            if (reason := missing_need(token, capabilities)) is not None:
                return reason
        for name, wanted in self.rules.items():
            if (reason := _ruled_out(name, wanted, capabilities)) is not None:
                return reason
        return self._too_fine(capabilities.ttl_unit_ms or 1)

    def _too_fine(self, unit_ms: int) -> str | None:
        lives = [step[name] for step in self.steps for name in _LIVES if name in step]
        times = [step["at"] for step in self.steps]
        if all(time % unit_ms == 0 for time in (*times, *lives) if type(time) is int):
            return None
        return f"its times are no multiples of {unit_ms} ms"


_LIVES: Final = ("ttlMs", "defaultTtlMs")


def _ruled_out(name: str, wanted: Any, capabilities: Capabilities) -> str | None:
    limits = capabilities.limits
    if name == "rows":
        cap = limits.plugin_row_cap
        return None if cap is None or cap >= wanted else f"a plugin may hold {cap} rows"
    declared = {"strictAges": capabilities.strict_ages}
    found = declared[name] if name in declared else getattr(limits, snake(name))
    return None if found == wanted else f"{name} is {found}, and not {wanted}"


_FOREIGN: Final = frozenset({"$number", "$bytes", "$same", "$cycle", "$other"})


def snake(word: str) -> str:
    """Answer a word of the contract as the Python interface spells it."""
    return re.sub(r"(?<=[a-z])[A-Z]", lambda capital: f"_{capital[0].lower()}", word)


def camel(word: str) -> str:
    """Answer a word of the Python interface as the contract spells it."""
    return re.sub(r"_([a-z])", lambda letter: letter[1].upper(), word)


def expand(noted: Any, cap: int | None = None) -> Any:
    """Answer a value with all that is written in short written out; `cap` is the store's row cap.

    No part of the answer is shared with another, but where the vector says so.
    """
    match noted:
        case {"$repeat": str() as text, "times": times}:
            return text * times
        case {"$repeat": items, "times": times}:
            return [expand(item, cap) for _ in range(times) for item in items]
        case {"$join": parts}:
            return "".join(expand(part, cap) for part in parts)
        case {"$nest": inner, "times": times}:
            nested = expand(inner, cap)
            for _ in range(times):
                nested = [nested]
            return nested
        case {"$filled": count, "prefix": prefix, "at": at}:
            return [[f"{prefix}{i:06}", i, at, None] for i in range(expand(count, cap))]
        case {"$cap": more}:
            return (cap or 0) + more
        case list():
            return [expand(member, cap) for member in noted]
        case dict() if noted.keys() & _FOREIGN:
            return _foreign(noted)
        case dict():
            return {name: expand(member, cap) for name, member in noted.items()}
    return noted


def _foreign(noted: dict[str, Any]) -> Any:
    """Answer a value that JSON cannot hold."""
    match noted:
        case {"$number": name}:
            return float(name)
        case {"$bytes": digits}:
            return bytes.fromhex(digits)
        case {"$same": part, "times": times}:
            return [expand(part)] * times
        case {"$cycle": _}:
            cycle: list[Any] = []
            cycle.append(cycle)
            return cycle
    return object()


def folder() -> Path:
    """Answer the folder of the vectors: in the installed package, else in the source tree.

    Raises VectorError where there is neither.
    """
    found = _PACKED if _PACKED.is_dir() else _SPECS / "vectors"
    if not found.is_dir():
        raise VectorError(
            f"the test vectors are not where they should be ({found}); install onewinner again, or "
            f"run it from its source tree"
        )
    return found


def texts() -> dict[str, str]:
    """Answer the files as they are: the vectors, and the schema that they follow."""
    schema = _PACKED / _SCHEMA if _PACKED.is_dir() else _SPECS / _SCHEMA
    files = [*_files(folder()), schema]
    return {file.name: file.read_text("utf-8") for file in files}


def vectors(patterns: Iterable[str] = ()) -> tuple[Vector, ...]:
    """Answer the vectors of these clauses or families, all where none is given, in their order.

    Raises ValueError where a clause is unknown, VectorError where there are no files.
    """
    from onewinner.contract.clauses import select

    chosen = {clause.id for pattern in patterns for clause in select(pattern)} or set(CLAUSES)
    every = (vector for file in _files(folder()) for vector in _read(file))
    return tuple(vector for vector in every if chosen & set(vector.clauses))


def _files(where: Path) -> list[Path]:
    found = (file for file in where.glob("*.json") if file.name != _SCHEMA)
    order = list(FAMILIES)
    return sorted(found, key=lambda file: (order.index(file.name.split(".")[0]), file.name))


def _read(file: Path) -> Iterable[Vector]:
    whole = json.loads(file.read_text("utf-8"))
    if whole["version"] != FORMAT:
        raise VectorError(
            f"{file} is written in version {whole['version']}; this onewinner reads {FORMAT}"
        )
    for vector in whole["vectors"]:
        yield Vector(
            file=file.stem,
            name=vector["name"],
            says=vector["says"],
            clauses=tuple(vector["clauses"]),
            needs=tuple(vector["needs"]),
            rules=vector["rules"],
            steps=tuple(vector["steps"]),
            start_ms=whole["startMs"],
        )
