"""One name for one defect: in the mutants, the specifications, the documents and the reports."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from onewinner.mutants import MUTANTS
from tidy import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

sys.path.insert(0, str(ROOT / "stress" / "peers"))

import broken_claims
import bugs

OF_NO_MUTANT = {"no-such-bug", "no-such-mutant", "nonsense"}
"""What tests call a mutant that there must not be."""

TOOLS = {"py-key-value", "pytest-run-parallel"}
"""Names of the same kind in those tables that are other people's."""

TEXT = {".md", ".py", ".json", ".toml", ".tla", ".cfg", ".mjs", ".rs"}

_TARGET = re.compile(r"\bmutant:([a-z][a-z-]*[a-z])\b")
_SPOKEN = re.compile(r"\b[Mm]utants? ((?:`[a-z-]+`(?:, | and )?)+)")
_ROW = re.compile(r"^\| ([a-z]+(?:-[a-z]+)+) \|", re.MULTILINE)


def written() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file in which a mutant may be named."""
    tops = ("specs", "docs", "src", "stress", "tests", "adapters")
    found = [path for top in tops for path in sorted((ROOT / top).rglob("*"))]
    for path in (*sorted(ROOT.glob("*.md")), *found):
        if path.suffix in TEXT and path.name != "test_names.py":
            text = path.read_text("utf-8")
            if "utant" in text:
                yield str(path.relative_to(ROOT)), text


def named(text: str) -> set[str]:
    """Answer the mutants that a text names, as targets or in a sentence."""
    spoken = {name for words in _SPOKEN.findall(text) for name in re.findall("[a-z-]+", words)}
    return {*_TARGET.findall(text), *(spoken - {"and"})}


def members(value: Any, name: str) -> Iterator[Any]:
    """Yield each member of that name in a JSON value, however deep."""
    if isinstance(value, dict):
        yield from (member for key, member in value.items() if key == name)
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from members(member, name)


def tables(path: Path) -> set[str]:
    """Answer what the rows of a document's tables are called."""
    return set(_ROW.findall(path.read_text("utf-8")))


def test_whatever_is_called_a_mutant_is_one() -> None:
    """A mutant that is named anywhere is there under just that name."""
    unknown = {(file, n) for file, text in written() for n in named(text) if n not in MUTANTS}
    assert {name for _, name in unknown} - OF_NO_MUTANT == set()


def test_the_search_finds_names() -> None:
    """Names are found as targets and in sentences, one or several."""
    text = "`mutant:a-b` is there, mutants `c-d`, `e-f` and `g-h`, and mutant `i`; not `j-k`."
    assert named(text) == {"a-b", "c-d", "e-f", "g-h", "i"}
    assert sum(len(named(text)) for _, text in written()) > 50


def test_specifications_name_mutants_as_they_are_called() -> None:
    """A design of a specification that stands for a mutant says so by the mutant's own name."""
    files = sorted((ROOT / "specs").rglob("*.json"))
    found = [m for file in files for m in members(json.loads(file.read_text("utf-8")), "mutant")]
    assert [name for name in found if isinstance(name, str) and name not in {*MUTANTS, ""}] == []
    assert list(members([{"designs": {"a": {"mutant": "b"}}}], "mutant")) == ["b"]


@pytest.mark.parametrize("stores", [bugs.BUGS, broken_claims.CLAIMS], ids=["peers", "suites"])
def test_a_benchmark_calls_a_mutant_by_its_name(stores: dict[str, Any]) -> None:
    """What other tools are given is called as the mutant that it is."""
    ours = {s.name: s.target for s in stores.values() if s.target.startswith("mutant:")}
    assert ours == {name: f"mutant:{name}" for name in ours}
    assert len(ours) > 3
    assert not {s.name for s in stores.values()} - ours.keys() & MUTANTS.keys()


@pytest.mark.parametrize(
    "document", ["docs/peers.md", "docs/suites.md", "docs/explanation/counting.md"]
)
def test_the_tables_of_reports_name_what_was_run(document: str) -> None:
    """Each row about a broken store bears the name of one that the benchmarks have."""
    known = {*bugs.BUGS, *broken_claims.CLAIMS, *MUTANTS, *TOOLS}
    found = {name for name in tables(ROOT / document) if name not in known}
    assert {name for name in found if name.count("-") > 1} == set()
    assert tables(ROOT / document) & MUTANTS.keys()
