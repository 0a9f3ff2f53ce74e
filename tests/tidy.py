"""The house style as functions: each takes a module and yields what is wrong with it.

No dependency but the standard library's parser. `test_tidy.py` applies the rules to the project and
holds each of them against a snippet that breaks it.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / "src"

FLOORS: Final[dict[str, int]] = {
    "contract": 0,
    "history": 0,
    "clock": 0,
    "model": 1,
    "stores": 2,
    "adapters": 2,
    "mutants": 2,
    "generator": 3,
    "nemesis": 3,
    "strategies": 3,
    "runner": 4,
    "schedule": 4,
    "worker": 4,
    "checker": 4,
    "suite": 5,
    "report": 6,
    "doctor": 6,
    "survey": 6,
    "artefacts": 6,
    "baseline": 6,
    "certificate": 6,
    "starter": 6,
    "arguments": 0,
    "cli": 7,
    "commands": 7,
    "pytest_plugin": 7,
    "conformance": 7,
    "__main__": 7,
    "": 7,  # the package itself: what users import from
}

# Rooms that never import each other, and why.
APART: Final[tuple[tuple[str, str, str], ...]] = (
    ("runner", "checker", "a checker cannot know how a history was made"),
    ("worker", "checker", "a checker cannot know how a history was made"),
    ("schedule", "checker", "a checker cannot know how a history was made"),
    ("stores", "model", "the reference stores and the model judge each other"),
    ("stores", "contract.values", "the reference stores and the model judge each other"),
)

PRINTERS: Final = frozenset({"onewinner.cli", "onewinner.__main__", "onewinner.report.console"})
EMPTY_NAMES: Final = frozenset(
    {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"}
)
# Drivers whose adapter is not called after their module.
ADAPTERS: Final[dict[str, str]] = {"psycopg": "postgres", "pymemcache": "memcached"}
LINES_MAX: Final = 400
# Modules that may be longer, and why.
LONG_BY_NATURE: Final[dict[str, str]] = {}
FUNCTION_LINES_MAX: Final = 70

# Written so that it does not match itself.
MACHINE_PATH: Final = re.compile(r"/(?:work|root|farm)/|/tmp/(?:venv|bash_jobs)|/home/[a-z]+/")


@dataclass(frozen=True)
class Module:
    """One Python file: its dotted name (`onewinner.suite.engine`) and its text."""

    name: str
    text: str

    @classmethod
    def read(cls, path: Path, top: Path = SOURCE) -> Module:
        """Read a file; its name is the path below `top`."""
        parts = path.relative_to(top).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        return cls(name, path.read_text(encoding="utf-8"))

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return ast.parse(self.text)

    @property
    def below(self) -> str:
        """The dotted name without the package: `suite.engine`, empty for the package itself."""
        return self.name.removeprefix("onewinner").removeprefix(".")

    @property
    def room(self) -> str:
        """The first part below the package: `suite`."""
        return self.below.partition(".")[0]

    def imports(self) -> Iterator[tuple[ast.stmt, str]]:
        """Yield every import with the dotted name of what is imported, also where types need it."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                if module == "onewinner":
                    yield from ((node, _from_package(alias.name)) for alias in node.names)
                else:
                    yield node, "." * node.level + module


Rule: TypeAlias = Callable[[Module], Iterator[str]]


def _from_package(name: str) -> str:
    return f"onewinner.{name}" if name in FLOORS else "onewinner"


def _at(node: ast.AST, text: str) -> str:
    return f"line {getattr(node, 'lineno', 1)}: {text}"


def floors(module: Module) -> Iterator[str]:
    """Hold a module to its own floor and lower ones, and apart from what must not know it."""
    if module.room not in FLOORS:
        yield f"the room {module.room!r} has no floor; give it one in FLOORS"
        return
    for node, imported in module.imports():
        if imported.startswith("."):
            yield _at(node, "relative import; write the name from onewinner on")
        if imported.partition(".")[0] != "onewinner":
            continue
        other = Module(imported, "")
        if FLOORS.get(other.room, 99) > FLOORS[module.room]:
            yield _at(node, f"{module.room} imports {imported}, which is on a higher floor")
        for one, another, why in APART:
            if _is_in(module, one) and _is_in(other, another):
                yield _at(node, f"{one} imports {another}: {why}")
            if _is_in(module, another) and _is_in(other, one):
                yield _at(node, f"{another} imports {one}: {why}")


def _is_in(module: Module, room: str) -> bool:
    return f"{module.below}.".startswith(f"{room}.")


def drivers(module: Module) -> Iterator[str]:
    """Keep optional drivers inside a function of their own adapter."""
    late = {
        id(node)
        for function in ast.walk(module.tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node, imported in module.imports():
        top = imported.partition(".")[0]
        if top in runtime_packages() or top in sys.stdlib_module_names or not top:
            continue
        adapter = ADAPTERS.get(top, top)
        if module.below != f"adapters.{adapter}":
            told = f"{top} is no runtime dependency; import it in adapters/{adapter}.py only"
            yield _at(node, told)
        elif id(node) not in late:
            yield _at(node, f"{top} is optional; import it inside the function that needs it")


def runtime_packages() -> frozenset[str]:
    """Answer the packages that are there wherever onewinner is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = (re.match(r"[A-Za-z0-9_.-]+", line) for line in project["dependencies"])
    return frozenset({"onewinner"} | {name[0].replace("-", "_") for name in names if name})


def one_clock(module: Module) -> Iterator[str]:
    """Let only clock.py ask what time it is."""
    if module.below == "clock":
        return
    for node, imported in module.imports():
        if imported.partition(".")[0] == "time":
            yield _at(node, "imports time; use onewinner.clock")


def quiet(module: Module) -> Iterator[str]:
    """Let only the command line and the console report print."""
    if module.name in PRINTERS or module.room == "commands":
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name) and node.id == "print":
            yield _at(node, "prints; answer a value and let cli or report.console show it")


def documented(module: Module) -> Iterator[str]:
    """Ask every module and every public class, function and method what it means."""
    if not ast.get_docstring(module.tree):
        yield "line 1: the module has no docstring"
    yield from _undocumented(module.tree)


def _undocumented(parent: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in parent.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield _at(node, f"{node.name} is public and has no docstring")
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(node)


def short(module: Module) -> Iterator[str]:
    """Keep a module to one sitting and a function to one glance."""
    lines = module.text.count("\n")
    if lines > LINES_MAX and module.name not in LONG_BY_NATURE:
        yield f"{lines} lines, more than {LINES_MAX}; give a part of it a name of its own"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield _at(node, f"{node.name} has {length} lines, more than {FUNCTION_LINES_MAX}")


def named(module: Module) -> Iterator[str]:
    """Refuse names that do not say what lives there."""
    for part in module.name.split("."):
        if part.strip("_") in EMPTY_NAMES:
            yield f"the name {part!r} says nothing; name what lives there"


def tests_say_what_they_hold(module: Module) -> Iterator[str]:
    """Ask every test for the property that it holds, in a sentence."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        if not (ast.get_docstring(node) or "").endswith("."):
            yield _at(node, f"{node.name} has no docstring that is a sentence")


def portable(text: str) -> Iterator[str]:
    """Refuse paths of the machine that a text was written on."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := MACHINE_PATH.search(line):
            yield f"line {number}: {found[0]!r} is a path of one machine"


SOURCE_RULES: Final[tuple[Rule, ...]] = (
    floors,
    drivers,
    one_clock,
    quiet,
    documented,
    short,
    named,
)
