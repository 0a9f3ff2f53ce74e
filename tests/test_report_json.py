"""Tests of the result tree as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from onewinner.contract import Capabilities
from onewinner.contract.clauses import CLAUSES
from onewinner.report import json as report
from onewinner.suite.tree import SCHEMA_VERSION, Status
from results import SCRIPT, WHOLE, check, run, violation


def read_back(*args: Any, **changes: Any) -> dict[str, Any]:
    """Write a run and read it back as a strict reader would."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    found: dict[str, Any] = json.loads(report.dumps(run(*args, **changes)), parse_constant=refuse)
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
