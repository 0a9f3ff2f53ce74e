"""Changes of SQL text and of single nodes: what a slip of the hand would leave behind.

Each function answers pairs of what stood there, in words, and what stands there now. Texts are
changed by patterns, nodes by their kind; whether a change is legal SQL or Python is not asked:
what cannot run is found at once.
"""

from __future__ import annotations

import ast
import copy
import re
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Change: TypeAlias = tuple[str, ast.AST]
"""What is changed, in words, and the node that takes the place of the old one."""

SQL: Final = re.compile(
    r"\b(SELECT|UPDATE|DELETE|INSERT|CREATE|BEGIN|COMMIT|ROLLBACK|PRAGMA|AND|OR|WHERE|LIMIT"
    r"|NULL|ORDER BY|RETURNING)\b|= :"
)
_TERM: Final = r"[\w.:]+ (?:<=|<>|=|<|>) (?:\w+\.|:)?\w+(?!\w*\()"

_SQL_CHANGES: Final[tuple[tuple[str, str], ...]] = (
    (r"\bAND\b", "OR"),
    (r"\bOR\b", "AND"),
    (r"<=", "<"),
    (r"<=", ">"),
    (r" > ", " >= "),
    (r" > ", " < "),
    (r"<>", "="),
    (r"(?<![<>]) = (?=:|OLD)", " <> "),
    (_TERM, "1"),
    (r"NOT \(", "("),
    (r"IS NULL", "IS NOT NULL"),
    (r"IS NOT NULL", "IS NULL"),
    (r"(?<=ORDER BY )(\w+)(?=,|$| )", r"\1 DESC"),
    (r"ORDER BY \w+(, \w+)*", ""),
    (r"(?<=ORDER BY )\w+, ", ""),
    (r"(?<=ORDER BY )(\w+), \w+", r"\1"),
    (r"(?<=ORDER BY )(\w+), (\w+)", r"\2, \1"),
    (r"LIMIT max\(.*", "LIMIT 0)"),
    (r"\bmax\(0\b", "max(1"),
    (r"\bsum\(", "max("),
    (r"(?<![\w.])\d+\b", "2"),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r"IMMEDIATE", "DEFERRED"),
    (r"COMMIT", "ROLLBACK"),
    (r"ROLLBACK", "COMMIT"),
    (r"ON CONFLICT.*?DO NOTHING", ""),
    (r"DO NOTHING", "DO UPDATE SET value = excluded.value"),
    (r"CAST\(value AS BLOB\)", "value"),
    (r"\w+ = :\w+, ", ""),
    (r"(?<=, )\w+ = :\w+ (?=WHERE)", "value = value "),
    (r"created_at(?= = :)", "expires_at"),
    (r":now\b", ":expires_at"),
    (r":expires_at\b", "NULL"),
    (r"\bWAL\b", "DELETE"),
    (r"NORMAL", "OFF"),
    (r"AFTER", "BEFORE"),
)

_COMPARISONS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_CALLS: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}


def of_text(text: str) -> Iterator[tuple[str, str]]:
    """Answer each single change of a text of SQL: in words, and the whole text after it."""
    for pattern, new in _SQL_CHANGES:
        for found in re.finditer(pattern, text):
            after = found.expand(new) if "\\" in new else new
            if after != found[0]:
                yield f"{found[0]} -> {after}", text[: found.start()] + after + text[found.end() :]


def of_node(node: ast.AST, parent: ast.AST | None) -> Iterator[Change]:
    """Answer each single change of a node of a syntax tree."""
    match node:
        case ast.Constant():
            yield from _of_constant(node, parent)
        case ast.FormattedValue(value=ast.Name()):
            yield _changed(node, ast.Constant("1"))
        case ast.Compare(ops=[operator]):
            for other in _COMPARISONS[type(operator)]:
                yield _with(node, ops=[other()])
        case ast.BoolOp(op=operator, values=values):
            yield _with(node, op=ast.Or() if isinstance(operator, ast.And) else ast.And())
            for number in range(len(values)):
                yield _changed(node, _without(node, number))
        case ast.UnaryOp(op=ast.Not()):
            yield _changed(node, node.operand)
        case ast.BinOp() | ast.AugAssign() if type(node.op) in _ARITHMETIC:
            yield _with(node, op=_ARITHMETIC[type(node.op)]())
        case ast.Call(func=ast.Name(id=name)) if name in _CALLS:
            yield _with(node, func=ast.Name(_CALLS[name]))
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield from _of_test(node, test)
        case ast.stmt():
            yield from _of_statement(node)


def _of_constant(node: ast.Constant, parent: ast.AST | None) -> Iterator[Change]:
    match node.value:
        case bool():
            yield _changed(node, ast.Constant(not node.value))
        case int():
            yield _changed(node, ast.Constant(node.value + 1))
            yield _changed(node, ast.Constant(node.value - 1))
        case str() if SQL.search(node.value):
            for words, after in of_text(node.value):
                yield words, ast.Constant(after)
        case str() if not isinstance(parent, ast.JoinedStr):
            yield _changed(node, ast.Constant(f"XX{node.value}"))


def _of_test(node: ast.AST, test: ast.expr) -> Iterator[Change]:
    """Answer a turned test; comparisons and negations are turned where they stand."""
    if not isinstance(test, ast.Compare | ast.UnaryOp):
        negated = copy.copy(node)
        negated.test = ast.UnaryOp(ast.Not(), test)  # type: ignore[attr-defined]
        yield f"if {ast.unparse(test)} -> if not", negated


def _of_statement(node: ast.stmt) -> Iterator[Change]:
    """Answer what is left where a statement is forgotten."""
    match node:
        case (
            ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom())
            | ast.Raise()
            | ast.AugAssign()
        ):
            yield _dropped(node)
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield _dropped(node)
        case ast.AnnAssign(target=ast.Attribute(), value=ast.expr()):
            yield _dropped(node)
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield _changed(node, ast.Return(ast.Constant(None)))
        case ast.With(items=[ast.withitem(optional_vars=None)]):
            yield f"with {ast.unparse(node.items[0])}: -> (no with)", _bare(node)


def _bare(node: ast.With) -> ast.If:
    return ast.If(ast.Constant(True), node.body, [])


def _dropped(node: ast.stmt) -> Change:
    return f"{_short(node)} -> (dropped)", ast.Pass()


def _without(node: ast.BoolOp, number: int) -> ast.expr:
    rest = [value for place, value in enumerate(node.values) if place != number]
    return rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def _with(node: ast.AST, **fields: object) -> Change:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return _changed(node, other)


def _changed(node: ast.AST, other: ast.AST) -> Change:
    return f"{_short(node)} -> {_short(other)}", other


def _short(node: ast.AST) -> str:
    """Answer a node on one line; a text in an f-string stands there without its quotes."""
    if isinstance(node, ast.FormattedValue):
        return f"{{{ast.unparse(node.value)}}}"
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else f"{text[:100]}..."
