"""A workshop: copies of the package and of the stores, in which one file at a time is mutated.

The tree itself is never touched. A mutated store is a package of its own (`mutated_stores`), judged
by an unchanged kit as anybody's store is. A mutated model sits in a copy of the kit, which then
judges the correct stores, is held against the tests of the model, and must still find the mutants.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from higher.mutations import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from higher.mutations import Mutation

JUDGE: Final = Path(__file__).with_name("judge.py")
TESTS: Final = PACKAGE.parents[1] / "tests"
MODEL_TESTS: Final = ("test_model.py", "test_newer_model.py", "test_space_models.py")
CORRECT: Final = ("memory", "sqlite")
PATIENCE_S: Final = 120.0

_MUTATED: Final = "mutated_stores"
_PROFILES: Final = '''"""A store with the limits of other profiles, small enough to reach."""

from onewinner.contract import NEWER, Profile
from {package}.sqlite import connect

EVICTING = Profile(name=NEWER.name, plugin_row_cap=40, cap_policy="evict-oldest")
REJECTING = Profile(overflow_policy="reject-new")


def evicting(location, *, clock):
    return connect(location, clock=clock, profile=EVICTING)


def rejecting(location, *, clock):
    return connect(location, clock=clock, profile=REJECTING)
'''


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one mutation: by whom it was seen (empty: by nobody), and what that said."""

    by: str = ""
    said: str = ""

    @property
    def killed(self) -> bool:
        """Whether somebody saw it."""
        return bool(self.by)


class Workshop:
    """Two copies below `root` in which one mutation at a time is judged."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stores = root / _MUTATED
        shutil.copytree(PACKAGE, root / "kit" / "onewinner")
        shutil.copytree(PACKAGE / "stores", self._stores)
        for file in self._stores.glob("*.py"):
            file.write_text(_renamed(file.read_text(encoding="utf-8")), encoding="utf-8")
        for package in (_MUTATED, "onewinner.stores"):
            name = "profiles.py" if package == _MUTATED else "correct.py"
            (self._stores / name).write_text(_PROFILES.format(package=package), encoding="utf-8")

    def unchanged(self) -> Trial:
        """Judge what is not mutated: whoever sees something here would see it everywhere."""
        return self._asked("cases", *CORRECT, *_targets(_MUTATED, "profiles"))

    def cases(self, mutation: Mutation) -> Trial:
        """Judge by what is quick: sequential checks, and for a model its tests and the mutants."""
        with self._in_place(mutation):
            if mutation.part == "stores":
                trial = self._asked("cases", *_targets(_MUTATED, "profiles"))
                return trial if trial.by == "cases" else Trial()  # the rest the gate has to say
            trial = self._asked("cases", *CORRECT, *_targets(_MUTATED, "correct")[1:])
            for judge in (self._tested, self._zoo):
                trial = trial if trial.killed else judge()
            return trial

    def gate(self, mutation: Mutation) -> Trial:
        """Judge a store by the whole gate, at level crash."""
        with self._in_place(mutation):
            return self._asked("gate", f"python:{_MUTATED}.sqlite:connect")

    @cached_property
    def seen(self) -> tuple[str, ...]:
        """The mutants that cases see where nothing is mutated."""
        from onewinner.mutants import MUTANTS

        missed = self._run("zoo").get("missed", [])
        return tuple(name for name in sorted(MUTANTS) if name not in missed)

    def _asked(self, *words: str) -> Trial:
        found = self._run(*words)
        match found["how"]:
            case "flagged":
                by = "cases" if words[0] == "cases" else "gate"
                return Trial(by, f"{found['clause']} ({found['check']})")
            case "refused" | "broke" | "hung" as how:
                return Trial(how, found["why"])
        return Trial()

    def _zoo(self) -> Trial:
        found = self._run("zoo", *self.seen)
        if found["how"] == "clean":
            return Trial()
        return Trial("zoo", found.get("why") or f"{found['missed'][0]} passes")

    def _tested(self) -> Trial:
        tests = [str(TESTS / name) for name in MODEL_TESTS if (TESTS / name).exists()]
        words = ["-m", "pytest", "-qx", "-p", "no:cacheprovider", "-n0", *tests]
        ended = self._python(words)
        if ended.returncode == 0:
            return Trial()
        failed = [
            line for line in ended.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))
        ]
        return Trial("tests", (failed or ["pytest ended with an error"])[0][:120])

    def _run(self, *words: str) -> dict[str, Any]:
        try:
            ended = self._python([str(JUDGE), *words])
        except subprocess.TimeoutExpired:
            return {"how": "hung", "why": f"{words[0]}: no answer within {PATIENCE_S:g} s"}
        lines = ended.stdout.splitlines()
        if not lines:
            return {"how": "broke", "why": ended.stderr[-200:]}
        found: dict[str, Any] = json.loads(lines[-1])
        return found

    def _python(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self._root / "kit"), str(self._root)])
        return subprocess.run(
            [sys.executable, *words],
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            cwd=self._root,
            check=False,
        )

    @contextmanager
    def _in_place(self, mutation: Mutation) -> Iterator[None]:
        file = self._root / "kit" / "onewinner" / mutation.file
        source = mutation.write()
        if mutation.part == "stores":
            file, source = self._stores / Path(mutation.file).name, _renamed(source)
        before = file.read_text(encoding="utf-8")
        file.write_text(source, encoding="utf-8")
        for stale in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
            stale.unlink()
        try:
            yield
        finally:
            file.write_text(before, encoding="utf-8")


def _targets(package: str, profiles: str) -> tuple[str, ...]:
    return (
        f"python:{package}.sqlite:connect",
        f"python:{package}.{profiles}:evicting",
        f"python:{package}.{profiles}:rejecting",
    )


def _renamed(source: str) -> str:
    return source.replace("onewinner.stores", _MUTATED)
