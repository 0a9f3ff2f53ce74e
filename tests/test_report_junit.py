"""Tests of the result tree as JUnit XML."""

from __future__ import annotations

from dataclasses import replace
from xml.dom import minidom
from xml.etree import ElementTree

import junitparser
from hypothesis import given
from hypothesis import strategies as st

from onewinner.report import junit
from onewinner.suite.tree import Known, RunResult, Status
from results import WHOLE, check, run, violation


def cases(result: RunResult) -> dict[str, ElementTree.Element]:
    """Write a run, read it back, and answer its test cases by name."""
    root = ElementTree.fromstring(junit.dumps(result))
    return {case.attrib["name"]: case for case in root.iter("testcase")}


def test_each_check_of_each_clause_is_a_case() -> None:
    """A clause with two checks is two cases, each with its time, class and properties."""
    two = (check("CLAIM-6"), check("CLAIM-6", check="race_reclaim"))
    found = cases(run(only=("CLAIM-6",), checks={"CLAIM-6": two}))
    assert list(found) == ["CLAIM-6 race_vacant", "CLAIM-6 race_reclaim"]
    case = found["CLAIM-6 race_reclaim"]
    assert (case.attrib["classname"], case.attrib["time"]) == ("onewinner.CLAIM", "0.250")
    told = {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
    assert (told["clause"], told["seed"]) == ("CLAIM-6", "0x51ab")
    assert told["evidence.overlaps"] == "1182"


def test_each_status_has_its_element() -> None:
    """n/a is skipped with its reason, untested a failure of that type, an error an error."""
    statuses = {"CLAIM-1": Status.UNTESTED, "CLAIM-2": Status.FAIL, "CLAIM-3": Status.ERROR}
    found = cases(
        run({**statuses, "CLAIM-4": Status.XFAIL}, capabilities=replace(WHOLE, eviction=None))
    )
    outcome = {
        name.split()[0]: [(e.tag, e.get("type")) for e in case if e.tag != "properties"]
        for name, case in found.items()
    }
    assert outcome["CLAIM-1"] == [("failure", "untested")]
    assert outcome["CLAIM-2"] == [("failure", "violation")]
    assert outcome["CLAIM-3"] == [("error", "error")]
    assert outcome["CLAIM-4"] == [("skipped", "xfail")]
    assert outcome["CLAIM-5"] == []
    assert outcome["EVICT-1"] == [("skipped", "n/a")]
    skipped = found["EVICT-1"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "eviction is not declared"


def test_a_clause_without_a_check_is_a_failure() -> None:
    """A clause that nothing reported on is not left out, and is not green."""
    result = run(only=("CLAIM-1",))
    object.__setattr__(result.clauses[0], "checks", ())
    found = cases(result)["CLAIM-1"].find("failure")
    assert found is not None
    assert (found.get("type"), found.get("message")) == ("untested", "no check ran")


def test_the_totals_are_those_of_the_cases() -> None:
    """A reader that looks at the totals alone comes to the same verdict."""
    result = run(
        {"CLAIM-1": Status.UNTESTED, "CLAIM-2": Status.FAIL, "CLAIM-3": Status.ERROR},
        capabilities=replace(WHOLE, eviction=None),
    )
    root = ElementTree.fromstring(junit.dumps(result))
    for element in (root, root[0]):
        told = [int(element.attrib[name]) for name in ("tests", "failures", "errors", "skipped")]
        assert told == [len(result.clauses), 2, 1, result.count(Status.NA)]


def test_a_failure_says_how_to_see_it_again() -> None:
    """The text of a failure holds what happened, why, and the command, as properties get lost."""
    text = cases(run({"CLAIM-6": Status.FAIL}))["CLAIM-6 race_vacant"].findtext("failure") or ""
    assert 'key "k17" has 2 winners' in text
    assert "Why: between two successful claims" in text
    assert text.endswith("Reproduce:  onewinner verify sqlite -k CLAIM-6 --seed 0x51ab")


def known_and_stale() -> RunResult:
    """Answer a run in which one failure was expected and came, and one is over."""
    result = run({"CLAIM-6": Status.FAIL}, stale=("DUR-1 passes: remove its entry",))
    entry = Known(clause="CLAIM-6", reason="one lock", kind="cannot", signature="has 2 winners")
    clauses = tuple(
        replace(each, known=entry) if each.clause.id == "CLAIM-6" else each
        for each in result.clauses
    )
    return replace(result, clauses=clauses)


def test_a_known_failure_is_skipped_with_its_reason() -> None:
    """A failure that was expected is no failure of the file, and says why it was expected."""
    (outcome,) = [
        each for each in cases(known_and_stale())["CLAIM-6 race_vacant"] if each.tag != "properties"
    ]
    assert (outcome.tag, outcome.get("type")) == ("skipped", "xfail")
    assert (outcome.get("message") or "").startswith('one lock (cannot): key "k17" has 2 winners')


def test_a_stale_entry_is_a_failure() -> None:
    """A reader of the file alone sees that the gate is red, and why."""
    (outcome,) = cases(known_and_stale())["known DUR-1"]
    assert (outcome.tag, outcome.get("type")) == ("failure", "stale")
    assert outcome.text == "DUR-1 passes: remove its entry"


def test_somebody_elses_parser_reads_the_same() -> None:
    """A library for JUnit files counts what the tree counts, suite by suite and case by case."""
    statuses = {"CLAIM-1": Status.UNTESTED, "CLAIM-2": Status.FAIL, "CLAIM-3": Status.ERROR}
    result = run(statuses, stale=("DUR-1 passes",), capabilities=replace(WHOLE, eviction=None))
    (suite,) = junitparser.JUnitXml.fromstring(junit.dumps(result).encode())
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (
        len(result.clauses) + 1, 3, 1, result.count(Status.NA),
    )  # fmt: skip
    outcomes = {case.name.split()[0]: case.result for case in suite if case.classname}
    kinds = {name: [type(each) for each in found] for name, found in outcomes.items()}
    assert kinds["CLAIM-1"] == kinds["CLAIM-2"] == [junitparser.Failure]
    assert kinds["CLAIM-3"] == [junitparser.Error]
    assert kinds["CLAIM-5"] == []
    assert kinds["EVICT-1"] == [junitparser.Skipped]
    told = {each.name: each.value for each in suite.properties()}
    assert told["exit_code"] == "1"


@given(st.text(st.characters()))
def test_nothing_that_a_target_says_breaks_the_file(said: str) -> None:
    """Control characters, surrogates and mark-up are text to two readers, and nothing is lost."""
    broken = violation("CLAIM-6", summary=f"said {said}", happened=(said,), why=said, script="")
    found = check("CLAIM-6", Status.FAIL, violation=broken, evidence={"text": said}, check=said)
    written = junit.dumps(run(only=("CLAIM-6",), checks={"CLAIM-6": (found,)}, target=said))
    case = next(ElementTree.fromstring(written).iter("testcase"))
    again = minidom.parseString(written.encode()).getElementsByTagName("failure")[0]
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == again.getAttribute("message")
    if len(said) < 20 and said.isprintable():
        assert failure.get("message") == f"said {said}"
