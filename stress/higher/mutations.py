"""Mutations of source files: where they are, what they are called, and the text after them.

Not mutated is what decides nothing: docstrings, annotations, decorators, imports, the messages of
errors, and the functions of `WORDS`.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from higher.changes import of_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE: Final = Path(__file__).parents[2] / "src" / "onewinner"

FILES: Final[dict[str, tuple[str, ...]]] = {
    "stores": (
        "stores/sqlite.py",
        "stores/sqlite_file.py",
        "stores/input.py",
        "stores/locations.py",
    ),
    "model": ("model/step.py", "model/moment.py", "model/state.py", "model/refusals.py"),
}
"""What is mutated, by the part that it belongs to. `model/describe.py` is words alone."""

WORDS: Final = frozenset({"_shown", "damage", "DAMAGE"})
"""Functions that only word a message, and the instrument by which the kit damages a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One changed place of one file.

    `scope` is the function, class or constant around the place, and `name` is what reviews know it
    by: it does not move when lines are added above. `write` answers the whole file as changed.
    """

    part: str
    file: str
    line: int
    scope: str
    change: str
    write: Callable[[], str]

    @property
    def name(self) -> str:
        """Where it is and what it is, without its line."""
        return f"{self.file} {self.scope}: {self.change}"


@cache
def mutations(part: str) -> tuple[Mutation, ...]:
    """Answer all mutations of the files of a part, in the order of the text."""
    return tuple(found for file in FILES[part] for found in _of_file(part, file))


def _of_file(part: str, file: str) -> Iterator[Mutation]:
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    told: Counter[tuple[str, str]] = Counter()
    for node, parent, field, scope in list(_places(tree, "")):
        for change, other in of_node(node, parent):
            told[scope, change] += 1
            number = told[scope, change]
            yield Mutation(
                part=part,
                file=file,
                line=getattr(node, "lineno", 1),
                scope=scope,
                change=change if number == 1 else f"{change} ({number})",
                write=partial(_written, tree, parent, field, node, other),
            )


def _written(tree: ast.Module, parent: ast.AST, field: str, node: ast.AST, other: ast.AST) -> str:
    """Answer the file's text with `other` in the place of `node`; the tree is left as it was."""
    _put(parent, field, node, other)
    try:
        return ast.unparse(ast.fix_missing_locations(tree))
    finally:
        _put(parent, field, other, node)


def _put(parent: ast.AST, field: str, old: ast.AST, new: ast.AST) -> None:
    value = getattr(parent, field)
    if isinstance(value, list):
        value[[each is old for each in value].index(True)] = new
    else:
        setattr(parent, field, new)


Place = tuple[ast.AST, ast.AST, str, str]


def _places(node: ast.AST, scope: str) -> Iterator[Place]:
    """Answer each node that decides something: itself, its parent, the field, and its scope."""
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_idle(child, node, field):
                continue
            inner = _named(child, scope)
            if inner.rpartition(".")[2] in WORDS:
                continue
            yield child, node, field, inner or "module"
            yield from _places(child, inner)


def _named(node: ast.AST, scope: str) -> str:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return f"{scope}.{name}".lstrip(".")
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            if "." not in scope and not scope.islower():
                return f"{scope}.{name}".lstrip(".")
    return scope


def _is_idle(node: ast.AST, parent: ast.AST, field: str) -> bool:
    """Tell whether a node decides nothing when the program runs."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.keyword(arg="message") | ast.Expr(value=ast.Constant()):
            return True
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return True
        case ast.Call(func=ast.Name(id="TypeVar")) | ast.ExceptHandler(type=None):
            return True
    if isinstance(parent, ast.Raise) and field == "exc":
        return isinstance(node, ast.Call) and _says_only_words(node)
    return field in ("annotation", "returns", "decorator_list", "bases", "format_spec")


def _says_only_words(call: ast.Call) -> bool:
    """Tell whether an error is raised that has a message and nothing else."""
    name = ast.unparse(call.func)
    return hasattr(builtins, name) or name.startswith("sqlite3.") or name == "self._not_json"
