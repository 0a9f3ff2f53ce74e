"""The clause registry, the document that is written from it, and the frozen requirement sets."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from onewinner.contract import (
    OPERATIONS,
    OPTIONAL_OPERATIONS,
    PROFILES,
    WHOLE,
    Capabilities,
    Profile,
)
from onewinner.contract.clauses import CLAUSES, FAMILIES, LEVELS, Clause, by_level, select
from onewinner.contract.document import (
    FAMILY_WORDS,
    LEVEL_WORDS,
    NEED_WORDS,
    PROFILE_WORDS,
    SEVERITY_WORDS,
    render,
    sentences,
)

EVERYTHING = dataclasses.replace(WHOLE, virtual_clock=True, private_files=True, damage=True)
ROOT = Path(__file__).parents[1]
CONTRACT = ROOT / "specs" / "contract.md"
RELEASES = sorted((ROOT / "specs" / "requirements").glob("*.toml"))


class TestRegistry:
    @pytest.mark.parametrize("clause", CLAUSES.values(), ids=lambda clause: clause.id)
    def test_every_clause_is_one_rule_in_known_words(self, clause: Clause) -> None:
        """A clause has a known family, level, severity and needs, and whole sentences."""
        assert re.fullmatch(r"[A-Z]+-[1-9][0-9]*", clause.id)
        assert clause.family in FAMILIES
        assert clause.level in LEVELS
        assert clause.severity in SEVERITY_WORDS
        needs = {each for need in clause.needs for each in need.split("|")}
        assert needs <= OPERATIONS | OPTIONAL_OPERATIONS | NEED_WORDS.keys()
        assert clause.sentence.endswith(".")
        assert not clause.note or clause.note.endswith(".")

    @pytest.mark.parametrize("family", FAMILIES)
    def test_numbers_of_a_family_have_no_gap(self, family: str) -> None:
        """Ids count from 1 without a gap, so that a removed clause is noticed."""
        numbers = [int(c.id.partition("-")[2]) for c in CLAUSES.values() if c.family == family]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))

    def test_sentences_are_not_repeated(self) -> None:
        """No two clauses say the same."""
        assert len({clause.sentence for clause in CLAUSES.values()}) == len(CLAUSES)


class TestNeeds:
    @pytest.mark.parametrize("need", sorted(OPERATIONS | OPTIONAL_OPERATIONS))
    def test_an_operation_that_is_not_declared_is_named(self, need: str) -> None:
        """A clause that needs an operation applies iff the operation is declared."""
        clause = Clause("X-1", "thread", "minor", "A sentence.", (need,))
        assert clause.missing(WHOLE) is None
        assert clause.missing(WHOLE.without(need)) == (f"operation {need} is not declared")

    @pytest.mark.parametrize("need", sorted(OPTIONAL_OPERATIONS))
    def test_a_newer_operation_is_promised_by_name_only(self, need: str) -> None:
        """What came later is no part of `Capabilities()`: a store of before goes on to conform."""
        clause = Clause("X-1", "thread", "minor", "A sentence.", (need,))
        assert clause.missing(Capabilities()) == f"operation {need} is not declared"
        assert clause.missing(Capabilities().having(need)) is None

    @pytest.mark.parametrize(
        ("need", "lacking"),
        [
            ("ttl", Capabilities(ttl_unit_ms=None)),
            ("eviction", Capabilities(eviction=None)),
            ("row-cap", Capabilities(plugin_row_cap=None)),
            ("process-scope", Capabilities(scope="thread")),
            ("durable", Capabilities(durable=False)),
            ("virtual-clock", Capabilities(virtual_clock=False)),
            ("input-rules", Capabilities(validates_input=False)),
            ("private-files", Capabilities(private_files=False)),
            ("damage", Capabilities(damage=False)),
            ("overflow-option", Capabilities()),
            ("overflow-option", Capabilities(overflow_option=True, eviction=None)),
            ("strict-ages", Capabilities()),
            ("ttl|durable", Capabilities(ttl_unit_ms=None, durable=False)),
        ],
    )
    def test_a_capability_that_is_not_declared_is_named(
        self, need: str, lacking: Capabilities
    ) -> None:
        """A clause that needs a capability applies iff the capability is declared."""
        clause = Clause("X-1", "thread", "minor", "A sentence.", (need,))
        assert clause.missing(EVERYTHING) is None
        assert clause.missing(lacking) == f"{need.replace('|', ' or ')} is not declared"

    def test_of_needs_that_stand_with_or_one_is_enough(self) -> None:
        """A store that has either of two readers is held to what is said of readers."""
        clause = Clause("X-1", "thread", "minor", "A sentence.", ("lookup|entries",))
        for reader in ("lookup", "entries"):
            assert clause.missing(Capabilities().without(reader)) is None
        assert clause.missing(Capabilities().without("lookup", "entries")) is not None

    def test_the_whole_contract_applies_to_a_store_that_promises_it(self) -> None:
        """`Capabilities()` promises all but what is the kit's, and another profile's policy."""
        assert [c.id for c in CLAUSES.values() if c.missing(EVERYTHING)] == ["EVICT-8"]
        lacking = {c.missing(Capabilities()) for c in CLAUSES.values()}
        needs = ("virtual-clock", "reject-new", "private-files", "damage")
        newer = ("overflow-option", "strict-ages")
        assert lacking - {None} == {
            *(f"{need} is not declared" for need in (*needs, *newer)),
            *(
                f"operation {f} is not declared"
                for f in OPTIONAL_OPERATIONS - {"compare_and_apply"}
            ),
        }

    def test_the_first_missing_need_is_told(self) -> None:
        """Where several declarations are missing, one is enough to know why."""
        clause = Clause("X-1", "thread", "minor", "A sentence.", ("ttl", "eviction"))
        assert clause.missing(Capabilities(ttl_unit_ms=None, eviction=None)) == (
            "ttl is not declared"
        )


class TestCapabilities:
    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"operations": frozenset({"claim"})}, "claim"),
            ({"scope": "cluster"}, "cluster"),
            ({"eviction": "lru"}, "lru"),
            ({"ttl_unit_ms": 0}, "ttl_unit_ms=0"),
            ({"ttl_unit_ms": 7, "virtual_clock": True}, "ttl_unit_ms=7"),
        ],
    )
    def test_a_declaration_that_means_nothing_is_refused(
        self, wrong: dict[str, Any], told: str
    ) -> None:
        """A wrong declaration is refused at once, and the error repeats what was given."""
        with pytest.raises(ValueError, match=re.escape(told)):
            Capabilities(**wrong)

    def test_the_declared_row_cap_takes_the_place_of_the_profiles(self) -> None:
        """`limits` are the profile's with the store's own cap."""
        limits = Capabilities(plugin_row_cap=7, profile=PROFILES["newer"]).limits
        assert (limits.plugin_row_cap, limits.max_value_bytes) == (7, 1_048_576)


class TestSelection:
    def test_a_level_includes_the_lower_ones(self) -> None:
        """What a store must hold at a level is its own clauses and those of every lower level."""
        sizes = [len(by_level(level)) for level in LEVELS]
        assert sizes == sorted(sizes)
        assert set(by_level("thread")) < set(by_level("process")) < set(by_level("crash"))

    @pytest.mark.parametrize("spelling", ["CLAIM-3", "claim-3", "claim_3"])
    def test_a_clause_is_found_by_its_id_in_any_case(self, spelling: str) -> None:
        """Ids are found as people and pytest spell them."""
        assert [c.id for c in select(spelling)] == ["CLAIM-3"]

    def test_a_family_is_all_of_its_clauses(self) -> None:
        """A family's name selects the family and nothing else."""
        assert {c.family for c in select("ttl")} == {"TTL"}
        assert len(select("ttl")) == sum(c.family == "TTL" for c in CLAUSES.values())

    def test_an_unknown_id_names_the_nearest(self) -> None:
        """A slip of the pen is answered with what was meant."""
        with pytest.raises(ValueError, match="CLAIM"):
            select("CLIAM-3")


class TestDocument:
    def test_the_file_is_what_the_registry_says(self) -> None:
        """`specs/contract.md` equals what the registries say now."""
        assert CONTRACT.read_text(encoding="utf-8") == render()

    def test_the_module_prints_the_document(self) -> None:
        """The command that the file names as its source prints the file."""
        told = subprocess.run(
            [sys.executable, "-X", "utf8", "-m", "onewinner.contract.document"],
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert told.stdout.decode() == render()

    def test_every_clause_has_an_anchor_and_its_sentence(self) -> None:
        """Every clause is one heading of its own, so that `contract.md#claim-3` is a link."""
        headings = re.findall(r"^### ([A-Z]+-[0-9]+)$", render(), re.MULTILINE)
        assert headings == list(CLAUSES)

    def test_links_lead_to_clauses_that_exist(self) -> None:
        """Every link inside the document names a clause."""
        links = re.findall(r"\[([A-Z]+-[0-9]+)\]\(#([a-z]+-[0-9]+)\)", render())
        assert links
        assert [(text, anchor) for text, anchor in links if text not in CLAUSES] == []
        assert [(text, anchor) for text, anchor in links if text.lower() != anchor] == []

    def test_every_word_of_the_registries_is_explained(self) -> None:
        """A level, need, family or limit that is added must be put into words."""
        assert list(LEVEL_WORDS) == list(LEVELS)
        assert list(FAMILY_WORDS) == list(FAMILIES)
        assert {*PROFILE_WORDS, "name"} == {f.name for f in dataclasses.fields(Profile)}
        needs = [need for clause in CLAUSES.values() for need in clause.needs]
        needed = {each for need in needs for each in need.split("|")}
        assert needed - OPERATIONS - OPTIONAL_OPERATIONS == NEED_WORDS.keys()

    def test_prose_has_one_sentence_a_line(self) -> None:
        """Outside tables and code no line holds two sentences."""
        prose = re.sub(
            r"```.*?```|^\|.*?$|<!--.*?-->", "", render(), flags=re.DOTALL | re.MULTILINE
        )
        assert [line for line in prose.splitlines() if len(sentences(line)) > 1] == []

    def test_sentences_are_split_at_their_ends_only(self) -> None:
        """A full stop inside a name or figure ends no sentence."""
        assert sentences("One `a.b` is 1.5 wide. `Two` ends! Three?") == [
            "One `a.b` is 1.5 wide.",
            "`Two` ends!",
            "Three?",
        ]


class TestRequirements:
    def test_there_is_a_frozen_release(self) -> None:
        """At least one release of the contract is frozen."""
        assert [path.stem for path in RELEASES][:1] == ["2026-1"]

    @pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
    def test_a_frozen_clause_keeps_its_level(self, path: Path) -> None:
        """Every id of a frozen set exists in the registry, with the level that it was frozen at."""
        levels = tomllib.loads(path.read_text(encoding="utf-8"))["levels"]
        assert list(levels) == list(LEVELS)
        frozen = {name: level for level, names in levels.items() for name in names}
        assert {name: CLAUSES[name].level for name in frozen} == frozen
        assert sum(map(len, levels.values())) == len(frozen)

    @pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
    def test_every_clause_is_frozen_or_listed_as_added_later(self, path: Path) -> None:
        """A new clause cannot slip into a frozen release: it is listed in `added_after`."""
        release = tomllib.loads(path.read_text(encoding="utf-8"))
        frozen = {name for names in release["levels"].values() for name in names}
        assert release["release"] == path.stem
        assert frozen.isdisjoint(release["added_after"])
        assert frozen | set(release["added_after"]) == CLAUSES.keys()

    def test_the_first_release_is_what_it_was(self) -> None:
        """Release 2026-1 holds 57 clauses for threads and 10 for processes, for ever."""
        release = tomllib.loads(RELEASES[0].read_text(encoding="utf-8"))
        sizes = {level: len(names) for level, names in release["levels"].items()}
        assert sizes == {"thread": 57, "process": 10, "crash": 0}
