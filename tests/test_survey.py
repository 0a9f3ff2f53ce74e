"""The survey: many stores in processes of their own, what is known of each, and how it is told."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from onewinner import cli
from onewinner.adapters.targets import BUILT_IN, TargetError, resolve
from onewinner.contract.clauses import CLAUSES
from onewinner.runner import Ended, in_children
from onewinner.suite.engine import UsageError
from onewinner.suite.tree import ExitCode, Status
from onewinner.survey import json as as_json
from onewinner.survey import markdown, surveying, words
from onewinner.survey.catalogue import KINDS, Cause, Limit, Listed, catalogue
from onewinner.survey.findings import SCHEMA_VERSION, Seen, Survey, Surveyed, Unjudged
from onewinner.survey.surveying import summary, survey
from onewinner.survey.versions import _told_by, versions_of
from results import check, run, violation

if TYPE_CHECKING:
    from collections.abc import Iterator

TROPHIES = Path(__file__).parents[1] / "docs" / "trophies.md"
KNOWN = Listed(
    target="known",
    project="Project",
    limit=(Limit(says="it forgets", url="https://example.org/limits"),),
    cause=(
        Cause(
            kind="bug",
            because="it looks, then writes",
            url="https://example.org/1",
            clauses=("CLAIM-5",),
            at_times=("CLAIM-6",),
        ),
        Cause(kind="undocumented", because="null is nothing", clauses=("READ-2",)),
    ),
)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the catalogue hold one store, which was made up."""
    monkeypatch.setattr("onewinner.survey.catalogue.catalogue", lambda: {"known": KNOWN})


def seen(clause: str, evidence: str = "two won", reproduce: str = "onewinner verify x") -> Seen:
    """Answer a clause that was seen broken."""
    return Seen(clause=clause, evidence=evidence, reproduce=reproduce)


def store(*broken: str, **changes: Any) -> Surveyed:
    """Answer what was found of the known store: it breaks these clauses, and CLAIM-1 passed."""
    fields: dict[str, Any] = {
        "target": "known",
        "ended": "judged",
        "versions": {"library": "1.2"},
        "kit": {"onewinner": "0.1.0", "python": "3.11.7", "platform": "linux x86_64"},
        "level": "crash",
        "budget_s": 20.0,
        "started": "2026-01-02T03:04:05+00:00",
        "seconds": 31.2,
        "cores": 2,
        "passed": ("CLAIM-1",),
        "seen": tuple(map(seen, broken)),
    }
    return Surveyed(**{**fields, **changes})


NOT_RUN = Surveyed(target="gone", ended="not run", reason="no gone-server was found on PATH")
AS_KNOWN = store("CLAIM-5", "READ-2")


@pytest.mark.usefixtures("known")
class TestExitCode:
    @pytest.mark.parametrize(
        ("found", "code"),
        [
            (AS_KNOWN, ExitCode.CONFORMS),
            (store("CLAIM-5", "CLAIM-6", "READ-2"), ExitCode.CONFORMS),
            (store("CLAIM-5", "READ-2", "TTL-1"), ExitCode.VIOLATION),
            (store("CLAIM-5", passed=("READ-2",)), ExitCode.VIOLATION),
            (store("CLAIM-5"), ExitCode.CONFORMS),  # READ-2 was not asked for
            (
                store("CLAIM-5", untested=(Unjudged(clause="READ-2", reason="too little"),)),
                ExitCode.INCONCLUSIVE,
            ),
            (
                store("CLAIM-5", errors=(Unjudged(clause="READ-2", reason="it hung"),)),
                ExitCode.VIOLATION,
            ),
            (store(passed=()), ExitCode.NOTHING_RAN),
            (NOT_RUN, ExitCode.INCONCLUSIVE),
            (Surveyed(target="x", ended="broke", reason="killed"), ExitCode.INTERNAL_ERROR),
        ],
    )
    def test_only_what_is_as_it_is_known_is_zero(self, found: Surveyed, code: ExitCode) -> None:
        """News, what is known and passes, what was not run and what was not tested are told."""
        assert Survey(stores=(found,)).exit_code is code

    def test_the_worst_counts(self) -> None:
        """A store that could not be run hides no news, and no store is nothing at all."""
        assert Survey(stores=(NOT_RUN, store("TTL-1"), AS_KNOWN)).exit_code is ExitCode.VIOLATION
        assert Survey(stores=()).exit_code is ExitCode.NOTHING_RAN


class TestSummary:
    def test_what_a_run_found_is_kept(self) -> None:
        """Violations with the command that shows them, and what is not known, with its reason."""
        result = run(
            {"CLAIM-5": Status.FAIL, "CLAIM-6": Status.UNTESTED, "DUR-2": Status.ERROR},
            only=("CLAIM-1", "CLAIM-5", "CLAIM-6", "DUR-2"),
        )
        found = summary(result, versions={"library": "1.2"}, select=("CLAIM",))
        (broken,) = found.seen
        assert broken.clause == "CLAIM-5"
        assert broken.evidence == 'key "k17" has 2 winners, process 1 and process 3'
        assert broken.reproduce == "onewinner verify sqlite -k CLAIM-5 --seed 0x51ab"
        assert found.untested == (Unjudged(clause="CLAIM-6", reason="it is untested"),)
        assert found.errors == (Unjudged(clause="DUR-2", reason="it is error"),)
        assert (found.passed, found.versions) == (("CLAIM-1",), {"library": "1.2"})

    def test_a_violation_is_seen_though_another_check_broke(self) -> None:
        """An error of one check of a clause does not hide what another has shown."""
        both = (check("CLAIM-5", Status.FAIL), check("CLAIM-5", Status.ERROR))
        found = summary(run(only=("CLAIM-5",), checks={"CLAIM-5": both}), versions={})
        assert [each.clause for each in found.seen] == ["CLAIM-5"]
        assert found.errors == ()

    def test_where_a_run_kept_its_data_is_not_told(self) -> None:
        """The directory is gone when the run is, and has another name each time."""
        told = surveying._line("connect('/dev/shm/onewinner-y_8k/races/fresh-86', clock=...)")
        assert told == "connect('LOCATION', clock=...)"

    def test_what_a_target_says_fits_into_a_line(self) -> None:
        """Lines, surrogates and length of what is quoted break no report."""
        told = violation("CLAIM-5", summary="one\ntwo \ud800" + "x" * 2_000)
        checks = {"CLAIM-5": (check("CLAIM-5", Status.FAIL, violation=told),)}
        (broken,) = summary(run(only=("CLAIM-5",), checks=checks), versions={}).seen
        assert broken.evidence.startswith("one two \\ud800x")
        assert len(broken.evidence) < 400
        assert as_json.dumps(Survey(stores=(store(seen=(broken,)),))).isprintable() is False


@pytest.mark.usefixtures("known")
class TestSurvey:
    def test_every_target_is_told_whatever_becomes_of_it(self) -> None:
        """One conforms, one is broken, one cannot be had: all are there, in their order."""
        told: list[str] = []
        targets = ("memory", "mutant:null-is-absent", "python:nowhere:connect")
        found = survey(
            targets,
            budget_s=1.0,
            select=("READ-2",),
            jobs=2,
            on_surveyed=lambda each, _: told.append(each.target),
        )
        right, wrong, gone = found.stores
        assert [each.target for each in found.stores] == told == [*targets]
        assert (right.ended, right.passed, right.seen) == ("judged", ("READ-2",), ())
        assert (right.level, wrong.level) == ("thread", "crash")
        assert "READ-2" in wrong.news  # a null that is lost may look like an eviction too
        assert "-k READ-2 --seed " in wrong.seen[0].reproduce
        assert gone.ended == "not run"
        assert "importing nowhere raised ModuleNotFoundError" in gone.reason
        assert found.exit_code is ExitCode.VIOLATION

    def test_what_is_held_is_not_judged_again(self) -> None:
        """A target of an earlier survey is taken over as it was."""
        found = survey(("known",), held={"known": AS_KNOWN}, on_surveyed=pytest.fail)
        assert found.stores == (AS_KNOWN,)

    def test_an_unknown_name_ends_it_before_it_begins(self) -> None:
        """A mistake in the last name is told at once, and not after an hour."""
        with pytest.raises(TargetError, match="'rediss' is unknown"):
            survey(("memory", "rediss"), on_surveyed=pytest.fail)

    def test_a_gate_that_dies_is_no_finding(self) -> None:
        """How the child ended is told, with what it printed last."""
        died = Ended(how="signalled", signal_name="SIGKILL", stderr_tail=("a", "b"), seconds=1.5)
        found = surveying._surveyed("known", died)
        assert (found.ended, found.seconds) == ("broke", 1.5)
        assert found.reason == "the process was killed by SIGKILL; b"

    def test_who_stops_listening_ends_what_is_under_way(self) -> None:
        """Calls that would go on for ever are over as soon as nobody wants them."""
        ends = in_children(_first_only, [(0,), (600,), (600,)], jobs=2, silence_s=900)
        assert next(ends).value == 0
        ends.close()  # type: ignore[attr-defined] # it is a generator, and this must return


def _first_only(_send: object, seconds: int) -> int:
    from onewinner.clock import sleep

    sleep(seconds)
    return seconds


class TestJson:
    def test_a_survey_is_read_back_as_it_was(self) -> None:
        """Nothing is lost on disk."""
        whole = Survey(stores=(store("CLAIM-5", "TTL-1"), NOT_RUN))
        assert as_json.loads(as_json.dumps(whole), "survey.json") == whole

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "old.json is no survey: "),
            ('{"targets": []}', "old.json is no survey: .*stores"),
            (f'{{"stores": [], "schema_version": {SCHEMA_VERSION + 1}}}', "run the survey again"),
        ],
    )
    def test_what_is_no_survey_is_refused(self, text: str, told: str) -> None:
        """The file is named, what is wrong with it, and what to do."""
        with pytest.raises(UsageError, match=told):
            as_json.loads(text, "old.json")


def tables(page: str) -> Iterator[list[list[str]]]:
    """Yield the tables of a page, as rows of cells without their titles."""
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines()]
        assert len({len(row) for row in rows}) == 1, table
        yield [[cell.strip() for cell in row] for row in rows[2:]]


@pytest.mark.usefixtures("known")
class TestPage:
    def test_every_store_has_its_row(self) -> None:
        """Versions, level, clauses by kind; what was not judged has a table of its own."""
        found = store("CLAIM-5", "READ-2", "TTL-1", untested=(Unjudged(clause="A", reason="b"),))
        first, gone, causes = tables(markdown.dumps(Survey(stores=(found, NOT_RUN))))
        assert first == [
            [
                "`known`", "Project", "library 1.2", "crash", "none", "1",
                "CLAIM-5; new: TTL-1", "READ-2", "-", "A",
            ]
        ]  # fmt: skip
        assert gone == [["`gone`", "not run", "no gone-server was found on PATH"]]
        assert [row[:3] for row in causes] == [
            ["bug", "CLAIM-5", "it looks, then writes"],
            ["undocumented", "READ-2", "null is nothing"],
            ["new", "TTL-1", "nobody has looked into it yet"],
            ["untested", "A", "b"],
        ]
        assert causes[0][3:] == ["CLAIM-5: two won", "<https://example.org/1>"]

    def test_it_says_what_it_is_of(self) -> None:
        """Command, day, cores, versions, limits by the documentation, and how to see it again."""
        page = markdown.dumps(Survey(stores=(AS_KNOWN,)))
        assert "- One run of 31 s, budget 20 s, seed 0x0.\n" in page
        assert "onewinner survey --budget 20s --write docs/trophies.md\n" in page
        assert "1 store of 1 project, judged on 2026-01-02, 2 cores (linux x86_64)" in page
        assert "- Documented limit: it forgets ([source](https://example.org/limits)).\n" in page
        assert "onewinner verify x  # CLAIM-5\n" in page

    def test_what_a_store_says_stays_in_its_cell(self) -> None:
        """Bars and markup in evidence break no table."""
        found = store(seen=(seen("CLAIM-5", "a|b <script> *c*"),))
        _, causes = tables(markdown.dumps(Survey(stores=(found,))))
        assert causes[0][3] == "CLAIM-5: a\\|b &lt;script> \\*c\\*"

    def test_what_a_schedule_repeats_is_shown_first(self) -> None:
        """Of clauses with one cause the page shows one: with a replay, else the shortest."""
        broken = [seen("CLAIM-6", "a", "onewinner verify x"), seen("CLAIM-5", "longer")]
        page = markdown.dumps(Survey(stores=(store(seen=tuple(broken)),)))
        assert "| CLAIM-6: a |" in page
        broken[1] = seen("CLAIM-5", "longer", "onewinner replay ow1:x")
        page = markdown.dumps(Survey(stores=(store(seen=tuple(broken)),)))
        assert "| CLAIM-5: longer |" in page
        assert "onewinner replay ow1:x  # CLAIM-5\n" in page

    def test_a_level_is_told_of_whole_runs_only(self) -> None:
        """Where some clauses were asked for, no level is reached and none is missed."""
        page = markdown.dumps(Survey(stores=(store("CLAIM-5", select=("CLAIM-5",)),)))
        assert next(tables(page))[0][4] == "-"
        assert "onewinner survey --budget 20s -k CLAIM-5 --write" in page
        assert "- Only asked for, so that no level is told: CLAIM-5.\n" in page
        both = Survey(stores=(store(select=("CLAIM-5",)), AS_KNOWN))
        assert "onewinner survey --budget 20s --write" in markdown.dumps(both)

    def test_nothing_judged_is_said(self) -> None:
        """A page without a store does not look like one on which all is well."""
        assert "No store was judged." in markdown.dumps(Survey(stores=(NOT_RUN,)))


@pytest.mark.usefixtures("known")
class TestWords:
    def test_a_line_tells_all_of_a_store(self) -> None:
        """Level, kinds, what is stale, what is not known; nothing of a terminal."""
        found = store("TTL-1", passed=("CLAIM-5",), errors=(Unjudged(clause="A", reason="\x1b"),))
        assert words.line(found) == (
            "known (library 1.2): none of crash; 1 pass; new: TTL-1; "
            "known to be broken, and passed: CLAIM-5; error: A; 31.2 s"
        )
        assert words.line(NOT_RUN) == "gone: not run: no gone-server was found on PATH"

    def test_the_summary_counts_and_names(self) -> None:
        """How many of how many projects, what was not run, what is new."""
        told = "\n".join(words.summary(Survey(stores=(store("TTL-1"), NOT_RUN))))
        assert "1 store of 1 project judged; 0 seen to break nothing" in told
        assert "not run: gone" in told
        assert "new, not in the catalogue: known TTL-1" in told


class TestVersions:
    def test_they_are_asked_of_what_is_installed(self) -> None:
        """Packages, the library of Python, and what stands behind an @; others are left out."""
        asked = Listed(target="store@2026.5.7", project="", packages=("sqlite", "no-such-package"))
        assert versions_of(asked) == {"store": "2026.5.7", "sqlite": sqlite3.sqlite_version}

    def test_a_program_tells_its_own(self, tmp_path: Path) -> None:
        """The first number with a point; none where it says nothing or cannot be run."""
        program = tmp_path / "server"
        program.write_text("#!/bin/sh\necho server v=7.0.15 sha=0 bits=64\n", "ascii")
        assert _told_by(str(program)) == ""
        program.chmod(0o755)
        assert _told_by(str(program)) == "7.0.15"


@pytest.mark.usefixtures("known")
class TestCommand:
    def test_it_writes_what_it_found_and_goes_on_from_it(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The exit code, both files, a line for each store; what a file holds is not run again."""
        kept, page = tmp_path / "survey.json", tmp_path / "page.md"
        options = ["-k", "READ-2", "--budget", "1s", "--json", str(kept), "--write", str(page)]
        assert cli.main(["survey", "memory", *options]) == ExitCode.CONFORMS
        shown = capsys.readouterr()
        assert shown.err.startswith("memory (")
        assert "1 store of 0 projects judged; 1 seen to break nothing" in shown.out
        first = json.loads(kept.read_text("utf-8"))["stores"]
        assert [each["target"] for each in first] == ["memory"]
        assert "| `memory` | - |" in page.read_text("utf-8")
        again = ["survey", "memory", "python:no:where", *options, "--from", str(kept)]
        assert cli.main(again) == ExitCode.INCONCLUSIVE
        assert "memory (" not in capsys.readouterr().err
        both = json.loads(kept.read_text("utf-8"))["stores"]
        assert both[0] == first[0]
        assert (both[1]["target"], both[1]["ended"]) == ("python:no:where", "not run")
        assert "| `python:no:where` | not run |" in page.read_text("utf-8")

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["rediss"], "'rediss' is unknown"),
            (["memory", "--from", "nowhere.json"], "--from nowhere.json: the file cannot be read"),
            (["memory", "--write", "no/where.md"], "--write no/where.md: the file cannot be"),
            (["memory", "--json", "no/where.json"], "--json no/where.json: the file cannot be"),
            (["memory", "-k", "NOPE-1"], "no clause or family"),
            (["memory", "--jobs", "0"], "no number of times"),
        ],
    )
    def test_a_mistake_ends_it_before_it_begins(
        self,
        words: list[str],
        told: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """What cannot be is said with exit code 4, and no page is emptied."""
        monkeypatch.chdir(tmp_path)
        page = tmp_path / "page.md"
        page.write_text("an earlier page", "ascii")
        assert cli.main(["survey", "--write", str(page), *words]) == ExitCode.USAGE
        assert told in capsys.readouterr().err
        assert page.read_text("ascii") == "an earlier page"


class TestCatalogue:
    def test_it_has_every_store_of_other_projects(self) -> None:
        """No adapter of the package is left out of a survey, and every target is one."""
        assert set(BUILT_IN) - {"memory", "sqlite"} <= set(catalogue())
        for target in catalogue():
            assert "@" in target or callable(resolve(target))  # a release is downloaded first

    def test_it_is_as_wide_as_is_promised(self) -> None:
        """Twelve stores at least, of eight projects."""
        assert len(catalogue()) >= 12
        assert len({each.project for each in catalogue().values()}) >= 8

    @pytest.mark.parametrize("target", catalogue())
    def test_what_is_known_can_be_looked_up(self, target: str) -> None:
        """Causes name clauses that exist, each once; what is called documented says where."""
        known = catalogue()[target]
        told = [clause for cause in known.cause for clause in cause.all_clauses]
        assert set(told) <= set(CLAUSES)
        assert len(told) == len(set(told))
        for cause in known.cause:
            assert cause.all_clauses
            assert cause.kind in KINDS
            assert cause.kind == "undocumented" or cause.url
        urls = [each.url for each in (*known.cause, *known.limit) if each.url]
        assert all(re.fullmatch(r"https://[^\s|<>]+", url) for url in urls)
        assert not any(each.says.endswith(".") for each in known.limit)


class TestTrophies:
    def test_the_page_of_the_repository_has_every_store(self) -> None:
        """A store of the catalogue is judged on the page, or its reason stands there."""
        page = TROPHIES.read_text("utf-8")
        targets = {row[0].strip("`") for table in list(tables(page))[:2] for row in table}
        assert set(catalogue()) <= targets

    def test_what_it_says_is_what_the_catalogue_knows(self) -> None:
        """Every violation on the page has its cause in the catalogue, of the kind that is told."""
        page = TROPHIES.read_text("utf-8")
        for row in next(iter(tables(page))):
            known = catalogue()[row[0].strip("`")]
            for kind, cell in zip(KINDS, row[6:9], strict=True):
                for clause in re.findall(r"[A-Z]+-\d+", cell):
                    cause = known.cause_of(clause)
                    assert cause is not None
                    assert cause.kind == kind
        assert "new" not in {row[0] for table in list(tables(page))[1:] for row in table}
