"""Tests of the result tree as JSON."""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from onewinner.contract import Capabilities
from onewinner.contract.clauses import CLAUSES
from onewinner.report import json as report
from onewinner.suite.timeline import Bar, Mark, Timeline
from onewinner.suite.traffic import Traffic
from onewinner.suite.tree import SCHEMA_VERSION, Canary, Known, RunResult, Status
from results import SCRIPT, WHOLE, check, run, violation
from tidy import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = json.loads((ROOT / "specs" / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def read_back(*args: Any, **changes: Any) -> dict[str, Any]:
    """Write a run and read it back as a strict reader would, who knows the schema."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    found: dict[str, Any] = json.loads(report.dumps(run(*args, **changes)), parse_constant=refuse)
    VALIDATOR.validate(found)
    return found


def test_the_run_is_told_whole() -> None:
    """A reader finds what was judged, how, and what came of it."""
    found = read_back({"CLAIM-6": Status.FAIL})
    assert found["schema_version"] == SCHEMA_VERSION
    assert found["kit"] == {"name": "onewinner", "version": "0.1.0"}
    assert found["target"] == "sqlite"
    assert (found["level"], found["reached"], found["status"]) == ("process", "thread", "fail")
    assert (found["exit_code"], found["complete"]) == (1, True)
    assert (found["seed"], found["seed_hex"]) == (0x51AB, "0x51ab")
    assert found["counts"]["fail"] == 1
    assert sum(found["counts"].values()) == len(found["clauses"])


def test_a_violation_is_told_whole() -> None:
    """The violating check carries what happened, why it is wrong, and how to see it again."""
    clauses = {clause["id"]: clause for clause in read_back({"CLAIM-6": Status.FAIL})["clauses"]}
    broken = clauses["CLAIM-6"]["checks"][0]
    assert broken["status"] == "fail"
    assert broken["evidence"] == {"overlaps": 1182, "processes": 4}
    assert broken["violation"]["script"] == SCRIPT
    assert broken["violation"]["reproduce"].startswith("onewinner verify sqlite -k CLAIM-6")
    assert clauses["CLAIM-5"]["checks"][0]["violation"] is None


def test_what_is_not_declared_is_told() -> None:
    """A clause that does not apply says what is missing."""
    found = read_back(capabilities=replace(WHOLE, eviction=None))
    clauses = {clause["id"]: clause for clause in found["clauses"]}
    assert clauses["EVICT-1"]["status"] == "n/a"
    assert clauses["EVICT-1"]["missing"] == "eviction is not declared"
    assert "EVICT-1" in found["undeclared"]["eviction"]


def test_long_values_are_shortened() -> None:
    """No text of the target can fill a report; the program to paste is whole."""
    long = violation("CLAIM-6", happened=("x" * 100_000,), summary="y" * 100_000)
    nasty = {"text": "z" * 100_000}
    checks = {"CLAIM-6": (check("CLAIM-6", Status.FAIL, violation=long, evidence=nasty),)}
    found = read_back(only=("CLAIM-6",), checks=checks)
    told = found["clauses"][0]["checks"][0]["violation"]
    assert len(told["happened"][0]) < 240
    assert "99,800 more bytes" in told["happened"][0]
    assert len(found["clauses"][0]["evidence"]["text"]) < 240
    assert len(told["summary"]) < 240
    assert told["script"] == SCRIPT


def test_nothing_that_json_has_not_gets_in() -> None:
    """Surrogates, sets, records and numbers that are not finite are written as JSON can."""
    nasty = {"inf": float("inf"), "text": "\ud800\x1b", "half": 0.5}
    checks = {"CLAIM-6": (check("CLAIM-6", evidence=nasty),)}
    found = read_back(
        only=("CLAIM-6",),
        checks=checks,
        capabilities=None,
        target="\ud800",
        versions={"onewinner": "0.1.0"},
    )
    assert found["clauses"][0]["evidence"] == {"inf": "inf", "text": "\ud800\x1b", "half": 0.5}
    assert "consume" in found["capabilities"]["operations"]
    assert report.dumps(run(target="\ud800")).isascii()


def test_capabilities_may_hold_records() -> None:
    """A capability that is a record, such as the limits' profile, is written field by field."""
    found = read_back(capabilities=None, only=("CLAIM-1",))
    assert found["capabilities"]["scope"] == "process"
    declared = run()
    object.__setattr__(declared, "capabilities", {"profile": Capabilities().profile, "x": object})
    told = report.as_dict(declared)["capabilities"]
    assert told["profile"]["max_key_bytes"] == 512
    assert "object" in told["x"]


def test_a_clause_is_told_as_the_contract_has_it() -> None:
    """`onewinner list --json` shows id, level, severity, sentence and needs."""
    told = report.clause_as_dict(CLAUSES["CLAIM-6"])
    assert told["needs"] == ["register_if_absent", "process-scope"]
    assert (told["family"], told["level"], told["severity"]) == ("CLAIM", "process", "critical")


def rich() -> RunResult:
    """Answer a run in which there is something of everything."""
    bars = (
        Bar(
            process="p1", call="register('k', 1)", answer="True", kind="ok", begun_ns=0, ended_ns=9
        ),
        Bar(process="p2", call="lookup('k')", answer="", kind="info", begun_ns=3, ended_ns=None),
    )
    drawn = Timeline(bars=bars, marks=(Mark(told="p2 is killed", at_ns=5),))
    broken = violation("CLAIM-6", timeline=drawn, artefact="c7f3", history="h/a.jsonl")
    traffic = Traffic(faults=[(3_500_000_000, "a kill")] * 600)
    traffic.calls = {(3, "register"): Counter({4: 99, 40: 1}), (4, "lookup"): Counter({0: 7})}
    result = run(
        {"CLAIM-5": Status.ERROR},
        only=("CLAIM-5", "CLAIM-6", "EVICT-1"),
        capabilities=replace(WHOLE, eviction=None),
        checks={"CLAIM-6": (check("CLAIM-6", Status.FAIL, violation=broken, artefact="c7f3"),)},
        canaries=(
            Canary(name="c", level="thread", easiest=True, found_ms=1.5, rounds=3, seconds=0.1),
            Canary(name="d", level="process", easiest=False, found_ms=None, rounds=0, seconds=0.5),
        ),
        traffic=traffic,
        source=("src/adapter.py", 3),
        stale=("CLAIM-1 passes: remove it",),
        notes=("one processor",),
    )
    known = Known(clause="CLAIM-6", reason="why", kind="cannot", signature="has 2 winners")
    clauses = tuple(
        replace(each, known=known) if each.clause.id == "CLAIM-6" else each
        for each in result.clauses
    )
    return replace(result, clauses=clauses)


FREE = ("capabilities", "counts", "evidence", "undeclared", "versions")
"""Members whose own members are not told by the schema."""


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a document, one of each kind: of a list the first that has most."""
    if isinstance(value, list):
        value = max(value, key=lambda each: len(json.dumps(each)), default=None)
    if isinstance(value, dict):
        yield value
        for name, member in value.items():
            if name not in FREE:
                yield from objects(member)


class TestSchema:
    def test_the_schema_is_one(self) -> None:
        """The published file is a JSON Schema of the draft that it names."""
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def test_everything_that_is_written_is_in_the_schema(self) -> None:
        """A run with something of everything is what the schema says."""
        found = json.loads(report.dumps(rich()))
        VALIDATOR.validate(found)
        (clause,) = [each for each in found["clauses"] if each["id"] == "CLAIM-6"]
        assert (clause["status"], clause["known"]["kind"]) == ("xfail", "cannot")
        assert [each["status"] for each in clause["checks"]] == ["xfail"]
        assert clause["checks"][0]["violation"]["timeline"]["bars"][1]["ended_ns"] is None
        assert found["stale"] == ["CLAIM-1 passes: remove it"]
        assert found["source"] == {"file": "src/adapter.py", "line": 3}

    def test_the_times_of_the_calls_are_told(self) -> None:
        """Percentiles by operation and by second, and when what was done to the store."""
        told = report.as_dict(rich())["traffic"]
        assert told["calls"] == 107
        assert [each["operation"] for each in told["operations"]] == ["register", "lookup"]
        assert told["operations"][0]["p50_us"] == 1.4
        assert told["operations"][0]["worst_us"] == 32.0
        assert [each["second"] for each in told["by_second"]] == [0, 1]
        assert told["faults"][0] == {"at_s": 0.5, "told": "a kill"}
        assert (len(told["faults"]), told["faults_in_all"]) == (500, 600)

    @pytest.mark.parametrize("change", ["unknown", "missing"])
    def test_a_typo_is_no_report(self, change: str) -> None:
        """In each object a member that the schema does not know, or one that lacks, is refused."""
        whole = json.loads(report.dumps(rich()))
        kinds = len(list(objects(whole)))
        assert kinds == 15
        for number in range(kinds):
            broken = copy.deepcopy(whole)
            one = list(objects(broken))[number]
            if change == "unknown":
                one["typo"] = 1
            else:
                del one[next(iter(one))]
            assert not VALIDATOR.is_valid(broken), one

    def test_a_wrong_word_is_no_report(self) -> None:
        """Statuses, levels and ids are of those that there are."""
        for path, value in (("status", "green"), ("level", "galaxy"), ("exit_code", 6)):
            broken = json.loads(report.dumps(rich()))
            broken[path] = value
            assert not VALIDATOR.is_valid(broken)
