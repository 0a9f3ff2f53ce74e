"""Tests of the HTML reports, read by somebody else's parser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from onewinner import cli, history
from onewinner.checker import Budgets
from onewinner.history import Ok, Remark
from onewinner.report import html, verdict
from onewinner.report import json as as_json
from onewinner.report.html import excerpt
from onewinner.report.html.layout import heights, ranked, rows
from onewinner.report.html.markup import Markup, joined, prose, tag
from onewinner.report.html.plots import duration, plots
from onewinner.report.html.timeline import drawn
from onewinner.suite import offline
from onewinner.suite.timeline import Mark
from onewinner.suite.traffic import Traffic
from onewinner.suite.tree import Canary, Known, Status
from pages import (
    bar,
    call,
    kind,
    long_history,
    one,
    parsed,
    source,
    spaced,
    those,
    timeline,
    titled,
    traffic,
    words,
)
from results import WHOLE, check, run, violation

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from onewinner.suite.tree import RunResult

EVERY = {
    "CLAIM-5": Status.FAIL,
    "CLAIM-6": Status.ERROR,
    "CLAIM-1": Status.UNTESTED,
    "READ-1": Status.XFAIL,
}
NASTY = (
    "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[31m\u202e\ud800&amp;"
)


def broken(**changes: object) -> RunResult:
    """Answer a run with a clause of every status, and a violation that is drawn."""
    seen = violation("CLAIM-5", timeline=timeline(), artefact="a1b2", **changes)
    checks = {
        "CLAIM-5": (
            check("CLAIM-5", Status.FAIL, violation=seen),
            check("CLAIM-5", Status.FAIL, check="race_reclaim"),
        )
    }
    offered = replace(WHOLE, eviction=None)
    canary = Canary(
        name="look, then write", level="thread", easiest=True, found_ms=3.2, rounds=9, seconds=0.1
    )
    return run(EVERY, checks=checks, capabilities=offered, traffic=traffic(), canaries=(canary,))


@pytest.fixture(scope="module")
def page() -> Element:
    """The page of a run in which something of everything was found."""
    return parsed(html.dumps(broken()))


class TestOneFile:
    def test_it_is_html_by_the_rules(self, page: Element) -> None:
        """A strict reader finds nothing wrong, and the title says what was judged."""
        assert titled(page) == "onewinner: sqlite, Does not conform"

    def test_a_strict_reader_can_complain(self) -> None:
        """The reader that these tests use does not take everything."""
        with pytest.raises(Exception, match=r"."):
            parsed("<!doctype html><html><body><p></div></body></html>")

    def test_it_loads_nothing(self, page: Element) -> None:
        """No element names another file: links go into the page, the icon is empty."""
        named = [value for node in page.iter() for key, value in node.items() if key == "src"]
        linked = [value for node in page.iter() for key, value in node.items() if key == "href"]
        assert named == []
        assert [link for link in linked if not link.startswith("#")] == ["data:,"]
        assert "url(http" not in words(one(page, "style"))

    def test_only_its_own_script_and_style_may_run(self, page: Element) -> None:
        """The policy names both by their content, and allows nothing else."""
        meta = next(m for m in those(page, "meta") if m.get("http-equiv"))
        policy = dict(part.split(" ", 1) for part in (meta.get("content") or "").split("; "))
        (script,) = (s for s in those(page, "script") if s.get("type") is None)
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == source(script.text or "")
        assert policy["style-src"] == source(one(page, "style").text or "")

    def test_nothing_is_styled_or_scripted_in_place(self, page: Element) -> None:
        """The policy would refuse such attributes, so there are none."""
        names = {key for node in page.iter() for key in node.keys()}  # noqa: SIM118
        assert not {name for name in names if name == "style" or name.startswith("on")}

    def test_every_link_and_id_is_sound(self, page: Element) -> None:
        """Ids are unique, and every link into the page has a target."""
        ids = [value for node in page.iter() if (value := node.get("id")) is not None]
        links = {(a.get("href") or "")[1:] for a in those(page, "a")}
        assert len(ids) == len(set(ids))
        assert links <= set(ids)


class TestAgreement:
    def test_clauses_agree_with_the_json_report(self, page: Element) -> None:
        """Every clause has the status and the checks that the machine's report gives it."""
        told = as_json.as_dict(broken())["clauses"]
        nodes = {node.get("data-clause"): node for node in page.iter() if node.get("data-clause")}
        assert set(nodes) == {clause["id"] for clause in told}
        for clause in told:
            node = nodes[clause["id"]]
            assert node.get("data-status") == clause["status"], clause["id"]
            assert clause["sentence"].replace("`", "") in words(node)
            if clause["status"] != "n/a":
                checks = [(n.get("data-check"), n.get("data-status")) for n in those(node, "li")]
                assert checks == [(c["check"], c["status"]) for c in clause["checks"]]

    def test_the_verdict_is_the_line_of_all_reports(self, page: Element) -> None:
        """The sentence at the top is the one that ends the console report."""
        assert words(one(page, "p", class_="line")) == verdict.line(broken()).partition(": ")[2]

    def test_counts_and_levels_are_told(self, page: Element) -> None:
        """The top says how many clauses have each status, and which levels were reached."""
        counts = as_json.as_dict(broken())["counts"]
        shown = spaced(one(page, "div", class_="counts"))
        assert all(f"{label} {number}" in shown for label, number in counts.items())
        levels = [spaced(each) for each in one(page, "ol", class_="levels")]
        assert "thread not reached" in levels[0]
        assert "crash not asked for" in levels[2]

    def test_a_violation_is_told_whole(self, page: Element) -> None:
        """The card has the sentence, the reason, the commands, the program and what others saw."""
        card = spaced(one(page, "article", id="broken-CLAIM-5"))
        told = violation("CLAIM-5")
        for part in (told.summary, told.why, *told.happened, "onewinner explain a1b2"):
            assert " ".join(part.split()) in card
        assert "onewinner verify sqlite -k CLAIM-5 --seed 0x51ab" in card
        assert "store.register_if_absent('k', 1) is True" in card
        assert "race_reclaim" in card

    @pytest.mark.parametrize(
        ("result", "word"),
        [
            (run(), "Conforms at level process"),
            (run({"CLAIM-6": Status.FAIL}), "Does not conform"),
            (run({"CLAIM-6": Status.ERROR}), "Could not be judged"),
            (run({"CLAIM-6": Status.UNTESTED}), "Inconclusive"),
            (run(interrupted=True), "Interrupted: no verdict"),
            (run(only=("CLAIM-1",), whole=False), "Passes what was selected"),
            (run(only=()), "Nothing ran: no verdict"),
            (run(stale=("CLAIM-1 passes by now",)), "The baseline is stale"),
        ],
        ids=lambda each: each if isinstance(each, str) else "",
    )
    def test_the_verdict_is_seen_at_a_glance(self, result: RunResult, word: str) -> None:
        """The largest words on the page say what came of the run."""
        assert words(one(parsed(html.dumps(result)), "h1")) == word

    def test_a_known_failure_is_told_with_its_issue(self) -> None:
        """What was expected stands apart from what was not, with reason and link."""
        known = Known(
            clause="CLAIM-6", reason="by design", kind="cannot", signature="winners",
            issue="https://example.org/7",
        )  # fmt: skip
        result = run({"CLAIM-6": Status.FAIL})
        clauses = tuple(
            replace(each, known=known) if each.clause.id == "CLAIM-6" else each
            for each in result.clauses
        )
        found = parsed(html.dumps(replace(result, clauses=clauses)))
        assert those(found, "section", id="violations") == []
        assert one(found, "a", href="https://example.org/7").get("rel") == "noreferrer noopener"

    def test_evidence_of_contention_is_told(self) -> None:
        """Contested keys, canaries and what was left open have their tables."""
        evidence = {
            "stress": "0 in 40 rounds", "stress rounds": 40, "contested keys": 1182,
            "keys undecided": 3, "swept": "17 schedules at SQL statements: none bad",
        }  # fmt: skip
        checks = {"CLAIM-6": (check("CLAIM-6", evidence=evidence),)}
        found = one(parsed(html.dumps(run(checks=checks))), "section", id="contention")
        assert "1,182" in words(found)
        assert "keys undecided 3" in spaced(found)
        assert "17 schedules at SQL statements" in words(found)


class TestUntrusted:
    def test_what_a_target_says_is_text(self) -> None:
        """Markup, escapes and surrogates of a target are shown and never carried out."""
        seen = violation(
            "CLAIM-5", summary=NASTY, why=NASTY, happened=(NASTY,), script=NASTY, reproduce=NASTY,
            timeline=timeline(
                bar(0, call=NASTY, answer=NASTY, before=NASTY, after=NASTY, wrong=True),
                marks=(Mark(told=NASTY, at_ns=5),),
            ),
        )  # fmt: skip
        failed = check("CLAIM-5", Status.FAIL, violation=seen, reason=NASTY, notes=(NASTY,))
        result = run(
            checks={"CLAIM-5": (failed,)}, target=NASTY, notes=(NASTY,), versions={NASTY: NASTY},
            printed=(NASTY,),
        )  # fmt: skip
        text = html.dumps(result)
        found = parsed(text)
        assert len([s for s in those(found, "script") if s.get("type") is None]) == 1
        assert those(found, "img") == []
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e\ud800]", text.replace("\t", ""))
        assert "alert(1)" in words(one(found, "p", class_="summary"))

    def test_long_values_are_shortened(self) -> None:
        """No value of more than 200 bytes stands in a page, however it came in."""
        long = "secret" * 300
        states = f"'p'/n: 'k'=\"{long}\" (1..never)"
        seen = violation(
            "CLAIM-5", summary=f"got {long!r}", happened=(f"lookup('k') -> {long!r}",),
            script=f"store.register('k', {long!r})",
            timeline=timeline(bar(0, answer=repr(long), before=states, after=states)),
        )  # fmt: skip
        text = html.dumps(run(checks={"CLAIM-5": (check("CLAIM-5", Status.FAIL, violation=seen),)}))
        assert "secret" * 30 in text
        assert "secret" * 40 not in text

    def test_a_replay_token_is_whole(self) -> None:
        """A command is for pasting, however long one word of it is."""
        command = f"onewinner replay ow1:{'x' * 900}"
        seen = violation("CLAIM-5", reproduce=command)
        text = html.dumps(run(checks={"CLAIM-5": (check("CLAIM-5", Status.FAIL, violation=seen),)}))
        assert command in text

    def test_no_place_of_the_machine_is_named(self, tmp_path: Path) -> None:
        """Directories of whoever ran it stand in no page."""
        place = f"{tmp_path}/store.db"
        seen = violation(
            "CLAIM-5", summary=f"cannot open {place}", happened=(place,), history=place
        )
        failed = check("CLAIM-5", Status.FAIL, violation=seen, reason=f"see {place}")
        result = run(checks={"CLAIM-5": (failed,)}, notes=(place,), printed=(place,))
        text = html.dumps(result) + html.dumps_violation("x", [("location", place)], seen)
        assert str(tmp_path) not in text
        assert str(Path.cwd()) not in text
        assert str(Path.home()) + "/" not in text

    def test_text_is_escaped_and_markup_is_not(self) -> None:
        """An element takes any text; only what is markup already goes in as it is."""
        assert tag("p", "<b>", Markup("<i>")) == "<p>&lt;b&gt;<i></p>"
        assert tag("a", title='"', data_t=1.25, hidden=True, id=None) == (
            '<a title="&quot;" data-t="1.2" hidden></a>'
        )
        assert joined(("a", None, "<"), "&") == "a&amp;&lt;"
        assert prose("answers `<x>` at once") == "answers <code>&lt;x&gt;</code> at once"


class TestTimeline:
    def test_bars_are_in_the_order_of_events(self) -> None:
        """Calls that overlap are drawn so, and one that came after stands to the right."""
        shown = timeline(bar(0), bar(1), bar(2, begun_ns=2_000_000, ended_ns=2_000_001))
        (a, b), (c, d), (e, f) = ranked(shown, [50, 50, 50]).bars
        assert a < c < b < d < e < f
        assert min(b - a, d - c, f - e) >= 50

    def test_calls_that_touch_overlap(self) -> None:
        """A call that begins at the instant of another's return may have come before it."""
        shown = timeline(bar(0, ended_ns=500), bar(1, begun_ns=500, ended_ns=900))
        (_, returned), (begun, _) = ranked(shown, [10, 10]).bars
        assert begun < returned

    def test_a_call_that_never_returned_goes_to_the_edge(self) -> None:
        """It ends where the picture ends, whoever comes later."""
        shown = timeline(bar(0, ended_ns=None, kind="info"), bar(1), bar(2))
        columns = ranked(shown, [40, 40, 40])
        assert columns.bars[0][1] == columns.width
        figure = parsed(f"<!doctype html><title>x</title>{drawn(shown, name='t')}")
        assert len(those(figure, "svg", class_="open")) == 2  # the bar, and the legend's

    def test_rows_are_those_of_processes(self) -> None:
        """Rows are sorted by number, the clock last, and who lost a call goes on in a row below."""
        names, row_of = rows([
            bar(10), bar(2, ended_ns=None), bar(0, process="clock"),
            bar(2, begun_ns=5_000_000, ended_ns=6_000_000), bar(10, begun_ns=7_000_000),
        ])  # fmt: skip
        assert names == ("p2", "p2", "p10", "clock")
        assert row_of == (2, 0, 3, 1, 2)

    def test_words_of_marks_do_not_overlap(self) -> None:
        """Marks that are close have their words on lines of their own."""
        assert heights([0, 10, 200], [100, 100, 10]) == [0, 1, 0]

    def test_the_picture_is_whole_without_script(self) -> None:
        """A bar has its words and its title, the wrong one is marked and can be jumped to."""
        marks = (Mark(told="p0 is killed (SIGKILL)", at_ns=50),)
        figure = parsed(f"<!doctype html><title>x</title>{drawn(timeline(marks=marks), name='t')}")
        calls = one(figure, "svg", class_="tl-calls")
        first, wrong = those(calls, "svg", class_="b")
        assert "claim('k', 0) \u2192 True" in words(first)
        assert "register_if_absent('k', 1)" in words(one(wrong, "title"))
        assert "before: k: no row" in words(one(wrong, "title"))
        assert one(figure, "a", class_="jump").get("href") == f"#{wrong.get('id')}"
        assert [each.get("tabindex") for each in (first, wrong)] == ["-1", "0"]
        assert "SIGKILL" in words(one(calls, "g", class_="mark"))

    def test_states_are_kept_once(self) -> None:
        """What was there before and after a call is told by number, for the script."""
        shown = timeline(bar(0, before="a", after="b"), bar(1, before="b", after=""))
        figure = parsed(f"<!doctype html><title>x</title>{drawn(shown, name='t')}")
        assert json.loads(one(figure, "script").text or "") == ["a", "b"]
        calls = one(figure, "svg", class_="tl-calls")
        around = [each.get("data-s") for each in those(calls, "svg", class_="b")]
        assert around == ["0 1", "1 -1"]

    def test_without_times_there_is_one_layout(self) -> None:
        """A program has an order and no real time, so no other layout is offered."""
        assert "layout" in drawn(timeline(), name="t")
        assert "t-layout" not in drawn(timeline(axis="order"), name="t")

    def test_a_picture_of_nothing_is_one(self) -> None:
        """A timeline without calls does no harm."""
        assert "tl-calls" in drawn(replace(timeline(), bars=()), name="t")


class TestPlots:
    def test_operations_and_seconds_are_plotted(self) -> None:
        """Each operation has its percentiles and its count; the same stands in a table."""
        figures = parsed(f"<!doctype html><title>x</title>{plots(traffic())}")
        by_operation, over_time = those(figures, "figure")
        assert "lookup 150 " in spaced(one(by_operation, "table"))
        assert len(those(one(by_operation, "svg", role="img"), "circle")) == 2
        assert len(those(over_time, "rect", class_="rate")) == 2

    def test_a_second_without_calls_breaks_the_line(self) -> None:
        """Nothing is drawn where nothing was measured."""
        figures = parsed(f"<!doctype html><title>x</title>{plots(traffic(seconds=5))}")
        line = one(figures, "path", class_="l0").get("d") or ""
        assert (line.count("M"), line.count("L")) == (2, 2)

    def test_faults_are_marked(self) -> None:
        """Faults stand at their time, those of one instant in one mark, and are counted below."""
        figures = parsed(f"<!doctype html><title>x</title>{plots(traffic(faults=3))}")
        mark = one(figures, "g", class_="fault")
        assert words(one(mark, "title")) == "p0 is killed (SIGKILL) and 2 more"
        assert "3 faults" in words(figures)

    def test_nothing_measured_is_said(self) -> None:
        """A run that timed no call has no empty plots."""
        found = parsed(html.dumps(run(traffic=Traffic())))
        assert "No call of the store returned" in words(one(found, "section", id="latency"))
        assert those(parsed(html.dumps(run())), "section", id="latency") == []

    @pytest.mark.parametrize(
        ("us", "told"), [(1, "1 \u00b5s"), (999, "999 \u00b5s"), (1000, "1 ms"), (2.5e6, "2.5 s")]
    )
    def test_durations_read_well(self, us: float, told: str) -> None:
        """A time has three digits and the unit that fits."""
        assert duration(us) == told


class TestHistories:
    def judged(self, operations: list[history.Operation], where: Path) -> offline.Judged:
        """Judge a history as the command does."""
        path = where / "some.jsonl"
        history.write(path, operations)
        budgets = Budgets(timeout_s=30)
        return offline.judge_file(str(path), model=None, budgets=budgets, eps_ms=10, grace_ms=0)

    @pytest.mark.parametrize("key", ["k", "<&'\">" * 20], ids=["plain", "nasty"])
    def test_a_long_history_stays_small(self, tmp_path: Path, key: str) -> None:
        """Of 10,000 calls those nearest to the first error are drawn, in less than 1 MB."""
        operations = long_history(10_000, key=key)
        operations[7001] = replace(operations[7001], outcome=Ok(True))
        judged = self.judged(operations, tmp_path)
        text = html.dumps_history(judged, operations)
        assert judged.verdict.name == "invalid"
        assert len(text.encode()) < 1_000_000
        found = one(parsed(text), "section", id="history")
        bars = those(one(found, "svg", class_="tl-calls"), "svg")
        assert f"{len(bars):,} of 10,000 calls are drawn, those nearest to the first" in words(
            found
        )
        assert len(those(found, "a", class_="jump")) == 1

    def test_a_short_history_is_whole(self, tmp_path: Path) -> None:
        """Where all of it is drawn, that is said; acts stand in it as marks."""
        operations = long_history(20)
        acts = [
            Remark(
                process="nemesis",
                f="kill",
                value={"whom": "p1", "where": "at its write", "ms": 0},
                time_ns=400_000,
            )
        ]
        found = parsed(html.dumps_history(self.judged(operations, tmp_path), operations, acts))
        assert words(one(found, "h1")) == "Valid"
        assert "All 20 calls of the history are drawn." in words(found)
        assert "p1 is killed (SIGKILL) at its write" in words(
            one(one(found, "svg", class_="tl-calls"), "g", class_="mark")
        )

    def test_few_calls_show_why(self, tmp_path: Path) -> None:
        """An invalid history begins with the few calls that no order explains."""
        operations = long_history(40)
        operations[21] = replace(operations[21], outcome=Ok(True))
        found = parsed(html.dumps_history(self.judged(operations, tmp_path), operations))
        few = one(found, "section", id="example")
        assert "both won" in words(one(found, "p", class_="line"))
        assert len(those(one(few, "svg", class_="tl-calls"), "svg", class_="b")) == 2
        assert "p / n / k10" in words(one(found, "section", id="parts"))

    def test_the_error_decides_what_is_drawn(self) -> None:
        """What led to the error is drawn before what followed, and the ends are filled up."""
        operations = long_history(100)
        found = excerpt.excerpt(operations, wrong=[operations[60]], most=30)
        assert (found.before, found.after) == (40, 30)
        assert sum(each.wrong for each in found.timeline.bars) == 1
        assert excerpt.excerpt(operations, wrong=[operations[99]], most=30).before == 70
        assert "the first of them" in excerpt.excerpt(operations, most=30).left_out

    def test_the_command_writes_it(self, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
        """`onewinner check FILE --html OUT` writes the page, with what a nemesis did."""
        path, out = tmp_path / "h.jsonl", tmp_path / "h.html"
        act = Remark(process="nemesis", f="advance", value={"ms": 7}, time_ns=10)
        history.write(path, long_history(10), remarks=[act])
        assert cli.main(["check", str(path), "--html", str(out)]) == 0
        assert "h.jsonl is valid" in capsys.readouterr().out
        found = parsed(out.read_text("utf-8"))
        assert titled(found) == "onewinner: h.jsonl is valid"
        assert "7 ms pass" in words(found)

    def test_a_file_that_cannot_be_written_is_usage(
        self, tmp_path: Path, capsys: pytest.CaptureFixture
    ) -> None:
        """It is said before anything is judged."""
        assert cli.main(["check", str(tmp_path / "none"), "--html", str(tmp_path)]) == 4
        assert "--html" in capsys.readouterr().err


class TestKeptFailures:
    def test_a_kept_failure_is_told(self) -> None:
        """The page has the heading, the facts, what the contract says, and the violation."""
        text = html.dumps_violation(
            "CLAIM-5 of sqlite",
            [("seed", "0x51ab"), ("versions", "python 3.11")],
            violation("CLAIM-5", timeline=timeline(), reproduce="onewinner replay ow1:x"),
        )
        found = parsed(text)
        assert words(one(found, "h1")) == "CLAIM-5 is violated"
        for part in ("seed 0x51ab", "CLAIM-5 of sqlite", "onewinner replay ow1:x", "contract.md"):
            assert part in spaced(one(found, "main"))
        assert those(found, "section", id="history") == []

    def test_the_whole_history_marks_the_same_calls(self) -> None:
        """What is wrong in the few calls is found again among all of them."""
        operations = long_history(50)
        seen = replace(
            timeline(),
            bars=(bar(0, begun_ns=0, ended_ns=300_000), bar(1, begun_ns=400_000, ended_ns=700_000,
                                                            wrong=True)),
        )  # fmt: skip
        assert excerpt.seen_in(seen, operations) == [operations[1]]
        text = html.dumps_violation("x", [], violation("CLAIM-5", timeline=seen), operations)
        whole = one(parsed(text), "section", id="history")
        (wrong,) = those(one(whole, "svg", class_="tl-calls"), "svg", class_="wrong")
        assert "claim('k0', 1)" in words(one(wrong, "title"))

    def test_a_call_that_is_not_there_is_not_found(self) -> None:
        """A timeline of other calls marks nothing."""
        seen = timeline(bar(7, wrong=True))
        assert excerpt.seen_in(seen, [call(0, "lookup", begun_ns=0, took_ns=5)]) == []
        assert excerpt.seen_in(None, []) == []

    def test_an_error_has_a_page_too(self) -> None:
        """A check that could not be carried out has no violation to tell."""
        found = parsed(html.dumps_violation("CLAIM-5 of sqlite", [("check", "race")], None))
        assert words(one(found, "h1")) == "A check in error"


def test_bars_without_titles_would_be_seen() -> None:
    """The names of elements are told without their namespace, so that drawings are looked into."""
    figure = parsed(f"<!doctype html><title>x</title>{drawn(timeline(), name='t')}")
    assert {kind(each) for each in those(figure, "svg", class_="b")} == {"svg"}
