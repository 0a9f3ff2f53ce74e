"""What is checked and what is expected of it, as `tla/manifest.json` tells."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from formal.tlc import MODULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MANIFEST: Final = MODULES / "manifest.json"

REFINES: Final = "Refines"
"""The property that a design implements the contract; all others are invariants."""

REACH: Final = "Never"
"""What an invariant begins with that is to be violated by the honest store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One run of TLC and what must come of it.

    `design` is empty for the contract by itself. `result` is `holds`, `violated` or `reached`: the
    last is a violation too, of an invariant that denies what can be reached. `states` are distinct
    ones, `trace` is the length of the counterexample, 0 where there is none.
    """

    name: str
    module: str
    instance: str
    checks: tuple[str, ...]
    result: str
    states: int
    trace: int
    design: str = ""

    @property
    def violates(self) -> str:
        """The check that is violated, empty where all hold."""
        return "" if self.result == "holds" else self.checks[0]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The designs with the mutants that are made the same way, the instances, and the runs."""

    designs: Mapping[str, Mapping[str, Any]]
    instances: Mapping[str, Mapping[str, Any]]
    runs: tuple[Expectation, ...]

    def config(self, run: Expectation) -> str:
        """Answer the configuration of a run, as TLC reads it."""
        constants = dict(self.instances[run.instance]["constants"])
        lines = ["SPECIFICATION Spec", "CONSTANTS"]
        if run.design:
            lines.append(f'    Design = "{run.design}"')
        else:
            constants.pop("Kills", None)
        lines += [f"    {name} = {_shown(value, name)}" for name, value in constants.items()]
        invariants = [check for check in run.checks if check != REFINES]
        lines += [f"INVARIANT {check}" for check in invariants]
        lines += [f"PROPERTY {check}" for check in run.checks if check == REFINES]
        if run.design:
            lines.append("VIEW View")
        if run.module != "Recorded":
            lines.append("SYMMETRY Alike")
        return "\n".join(lines) + "\n"

    def mutants(self) -> dict[str, str]:
        """Answer the name of the mutant for each broken design."""
        return {name: what["mutant"] for name, what in self.designs.items() if what["mutant"]}

    def replays(self) -> list[Expectation]:
        """Answer the runs whose traces real stores are taken through.

        One of each broken design, and of the honest one those in which nobody is killed: a thread
        cannot be.
        """
        return [
            run
            for run in self.runs
            if (run.result == "violated" and run.violates != REFINES)
            or (run.result == "reached" and "Kill" not in run.violates)
        ]


def _shown(value: Any, constant: str) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, list):
        quoted = constant == "Asks"
        return "{" + ", ".join(f'"{each}"' if quoted else str(each) for each in value) + "}"
    return str(value)


def load() -> Manifest:
    """Read the manifest."""
    told = json.loads(MANIFEST.read_text(encoding="utf-8"))
    runs = tuple(Expectation(**{**run, "checks": tuple(run["checks"])}) for run in told["runs"])
    return Manifest(told["designs"], told["instances"], runs)


def save(manifest: Manifest, runs: Iterable[Expectation]) -> None:
    """Write the manifest with these runs, one a line, so that a change of one is a line too."""
    lines = ["{"]
    for part, told in (("designs", manifest.designs), ("instances", manifest.instances)):
        lines.append(f'  "{part}": {{')
        lines.append(",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in told.items()))
        lines.append("  },")
    rows = ",\n".join(f"    {json.dumps(_plain(run))}" for run in runs)
    text = "\n".join([*lines, '  "runs": [', rows, "  ]", "}"]) + "\n"
    MANIFEST.write_text(text, encoding="utf-8")


def _plain(run: Expectation) -> dict[str, Any]:
    plain = dataclasses.asdict(run)
    return {name: value for name, value in plain.items() if value != ""}
