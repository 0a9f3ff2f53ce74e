"""`onewinner check`: textbook histories, verdicts, bad files, other tools' formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from claim_histories import claim_history
from onewinner import cli, history
from onewinner.checker import Budgets
from onewinner.history import HistoryError, Ok, edn
from onewinner.report.history import render
from onewinner.report.terminal import Terminal
from onewinner.suite import offline

TEXTBOOK = sorted((Path(__file__).parent / "histories").glob("*.jsonl"))


def judged(path, **more):
    """Judge a file as the command does."""
    given = {"model": None, "budgets": Budgets(timeout_s=30), "eps_ms": 10, "grace_ms": 0}
    return offline.judge_file(str(path), **(given | more))


@pytest.mark.parametrize("path", TEXTBOOK, ids=lambda path: path.stem)
def test_textbook_history(path):
    """Each teaches one lesson, which stands in its first line beside the verdict."""
    lesson = json.loads(path.read_text("utf-8").splitlines()[0])
    found = judged(path)
    assert found.verdict.name == lesson["f"], lesson["value"]
    assert lesson["value"].endswith(".")


def test_there_are_good_and_bad_ones():
    """A checker that always answers alike fails half of them."""
    words = [json.loads(path.read_text("utf-8").splitlines()[0])["f"] for path in TEXTBOOK]
    assert words.count("valid") >= 5
    assert words.count("invalid") >= 10


@pytest.mark.parametrize("path", TEXTBOOK, ids=lambda path: path.stem)
def test_reading_by_stream_answers_alike(path, monkeypatch):
    """A large file is judged while it is read; what that leaves out is said."""
    monkeypatch.setattr(offline, "LARGE_BYTES", 0)
    found = judged(path)
    if path.stem != "listing-of-two-instants":  # the snapshot test needs the whole
        assert found.verdict.name == json.loads(path.read_text("utf-8").splitlines()[0])["f"]
    assert "judged while it was read" in found.notes[-1]


def test_streamed_files_agree_with_whole_ones(tmp_path, monkeypatch):
    """Through a file and piece by piece the verdict is the same."""
    path = tmp_path / "h.jsonl"
    for seed in range(150):
        history.write(path, claim_history(seed, keys=2, most=12))
        monkeypatch.setattr(offline, "LARGE_BYTES", 1 << 40)
        whole = judged(path, eps_ms=0)
        monkeypatch.setattr(offline, "LARGE_BYTES", 0)
        if not whole.mixed:
            assert judged(path, eps_ms=0).verdict.valid is whole.verdict.valid, seed


@pytest.mark.parametrize(("name", "code"), [("one-winner-of-three", 0), ("two-winners", 1)])
def test_command_answers_by_exit_code(name, code, capsys):
    """Valid is 0 and invalid is 1; the last line says which, and why."""
    path = next(each for each in TEXTBOOK if each.stem == name)
    assert cli.main(["check", str(path), "--explain"]) == code
    out = capsys.readouterr().out
    assert ("both won" in out.splitlines()[-1]) is (code == 1)


def test_unknown_is_no_pass(tmp_path, capsys):
    """An empty history, and a budget that ran out, are exit 7."""
    empty = tmp_path / "empty.jsonl"
    empty.write_text('{"type":"info","process":"nemesis","time_ns":0}\n', "utf-8")
    assert cli.main(["check", str(empty), "--model", "claim"]) == 7
    assert "is unknown" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense\n", ":1: not JSON"),
        ('{"type":"ok","process":1,"f":"read","time_ns":1}\n', ":1: process 1 completes"),
        ('{"type":"invoke","process":1,"time_ns":1}\n', ":1: an invoke names"),
        ('{"type":"did","process":1,"time_ns":1}\n', ":1: type 'did'"),
        ('{"type":"invoke","process":1,"f":"x","time_ns":1} 5\n', ":1: not JSON"),
        (
            '{"type":"invoke","process":1,"f":"fly","time_ns":1}\n',
            "no model has the operations fly",
        ),
    ],
)
def test_bad_files_are_usage_errors(tmp_path, capsys, text, why):
    """What is no history is exit 4, with file and line."""
    path = tmp_path / "bad.jsonl"
    path.write_text(text, "utf-8")
    assert cli.main(["check", str(path)]) == 4
    assert why in capsys.readouterr().err


def test_file_that_is_not_there(capsys):
    """A file that cannot be read is named."""
    assert cli.main(["check", "/nowhere/h.jsonl"]) == 4
    assert "/nowhere/h.jsonl cannot be read" in capsys.readouterr().err


def test_torn_last_line_is_said(tmp_path):
    """A killed writer's last line is left out, and that is said."""
    path = tmp_path / "torn.jsonl"
    path.write_bytes(TEXTBOOK[0].read_bytes() + b'{"type":"inv')
    assert any("torn" in note for note in judged(path).notes)


def test_values_of_more_than_one_byte_are_read(tmp_path):
    """Where a character takes several bytes nothing is left over on the line."""
    path = tmp_path / "wide.jsonl"
    lines = [
        '{"type":"invoke","process":1,"f":"write","value":"größe ☃","time_ns":1}',
        '{"type":"ok","process":1,"f":"write","value":null,"time_ns":2}',
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    (found,) = history.read(path)
    assert found.value == "größe ☃"


@pytest.mark.parametrize("width", [30, 100])
def test_report_fits_and_has_no_colour_unless_asked(width):
    """Sentences are wrapped; the verdict is coloured only where colour is wanted."""
    found = judged(next(each for each in TEXTBOOK if each.stem == "zombie"))
    plain = render(found, Terminal(width=width), explain=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31m" in render(found, Terminal(colour=True))
    assert "TTL: 1 row could expire" in plain


# --- other tools' formats -------------------------------------------------------------------------

LOG = """\
INFO  jepsen.core - starting
INFO  jepsen.util - 0\t:invoke\t:write\t3
INFO  jepsen.util - 1\t:invoke\t:read\tnil
INFO  jepsen.util - 0\t:ok\t:write\t3
INFO  jepsen.util - 1\t:ok\t:read\t3
INFO  jepsen.util - 2\t:invoke\t:cas\t[3 4]
INFO  jepsen.util - :nemesis\t:info\t:start\tnil
INFO  jepsen.util - 2\t:info\t:cas\t:timed-out
INFO  jepsen.util - 3\t:invoke\t:cas\t[9 1]
INFO  jepsen.util - 3\t:fail\t:cas\t[9 1]
INFO  jepsen.util - 0\t:invoke\t:read\tnil
INFO  jepsen.util - 0\t:ok\t:read\t4
"""


def written(tmp_path, text):
    """Answer a file with this text."""
    path = tmp_path / "imported"
    path.write_text(text, "utf-8")
    return path


def test_jepsens_log_is_judged(tmp_path):
    """Crashed calls stay open for ever, failed ones are definite, others' lines are counted."""
    found = judged(written(tmp_path, LOG))
    assert (found.model, found.verdict.valid) == ("register", True)
    assert found.notes == ("1 lines of the log are no events and were left out",)
    wrong = LOG.replace("0\t:ok\t:read\t4", "0\t:ok\t:read\t9")
    assert judged(written(tmp_path, wrong)).verdict.valid is False


EDN = """\
{:process 0, :type :invoke, :f :write, :value 1, :time 10, :index 0}
#jepsen.history.Op{:process 0, :type :ok, :f :write, :value 1, :time 20, :index 1} ; done
{:process :nemesis, :type :info, :f :kill, :value #{"n1" \\a}, :time 21}
{:process 1, :type :invoke, :f :read, :value nil, :time 30, :index 2}
{:process 1, :type :ok, :f :read, :value 1, :time 40, :index 3}
"""


@pytest.mark.parametrize("whole", [False, True])
def test_edn_is_judged(tmp_path, whole):
    """One map a line, or all in one vector; with Jepsen's own times."""
    text = f"[{EDN}]" if whole else EDN
    found = judged(written(tmp_path, text))
    assert found.verdict.valid is True
    assert history.read_any(written(tmp_path, text)).operations[1].invoked_ns == 30
    wrong = text.replace(":f :read, :value 1", ":f :read, :value 2")
    assert judged(written(tmp_path, wrong)).verdict.valid is False


PORCUPINE = """\
{:process 0, :type :invoke, :f :append, :key "0", :value "x 0 0 y"}
{:process 1, :type :invoke, :f :get, :key "0", :value nil}
{:process 0, :type :ok, :f :append, :key "0", :value "x 0 0 y"}
{:process 1, :type :ok, :f :get, :key "0", :value "x 0 0 y"}
"""


def test_porcupines_text_by_key_is_judged(tmp_path):
    """Lines without times are events in their order."""
    found = judged(written(tmp_path, PORCUPINE))
    assert (found.model, found.verdict.valid) == ("kv", True)
    wrong = PORCUPINE.replace(
        ':ok, :f :get, :key "0", :value "x 0 0 y"', ':ok, :f :get, :key "0", :value "z"'
    )
    assert judged(written(tmp_path, wrong)).verdict.valid is False


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LOG.replace("\t:write\t3\n", "\t:wri\n", 1).replace(":invoke\t:wri", ":inv"), "cut off"),
        (PORCUPINE.replace('"x 0 0 y"}', '"x 0', 1), ":1: not EDN"),
        (EDN.replace(":time 20", ":time 5"), "is before the event above"),
        (EDN.replace(":type :ok", ":type :done", 1), "'done' is none of"),
        ("{:a 1}\n", "an event is a map with :process"),
    ],
)
def test_bad_imports_name_the_line(tmp_path, text, why):
    """What cannot be read is said with its line."""
    with pytest.raises(HistoryError, match=why):
        history.read_any(written(tmp_path, text))


def test_edn_values():
    """All that a history may hold is read."""
    text = (
        r'nil true -4 2.5 1e3 7N :k/w sym "a\n\"b\u0041" \newline \x #_ skipped [1 (2 3)] {:a #{1}}'
    )
    assert edn.loads(text) == [
        None, True, -4, 2.5, 1000.0, 7, "k/w", "sym", 'a\n"bA', "\n", "x", [1, [2, 3]], {"a": [1]},
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["[1", "1]", "{:a}", "[1}", "#_", '"open', "[" * 300])
def test_bad_edn_is_refused(text):
    """What is no EDN raises an error of its own, however deep."""
    with pytest.raises(edn.EdnError):
        edn.loads(text)


def test_claims_survive_the_file(tmp_path):
    """What was written is what is read."""
    path = tmp_path / "h.jsonl"
    for seed in range(60):
        operations = claim_history(seed, keys=2, most=12)
        history.write(path, operations)
        found = sorted(history.read(path), key=lambda each: (each.invoked_ns, each.process))
        expected = sorted(operations, key=lambda each: (each.invoked_ns, each.process))
        assert [(e.process, e.f, e.value, e.invoked_ns) for e in found] == [
            (e.process, e.f, e.value, e.invoked_ns) for e in expected
        ]
        assert [e.outcome for e in found if isinstance(e.outcome, Ok)] == [
            e.outcome for e in expected if isinstance(e.outcome, Ok)
        ]


class TestNarrowTerminals:
    def test_lines_of_a_timeline_are_never_broken_in_their_bars(self) -> None:
        """On 60 columns the call stands under its bar, on 40 the bar is left out."""
        judged = offline.judge_file(
            str(Path(__file__).parent / "histories" / "zombie.jsonl"),
            model=None,
            budgets=Budgets(),
            eps_ms=None,
            grace_ms=0,
        )
        wide, narrow, narrower = (
            render(judged, Terminal(width=width), explain=True).splitlines()
            for width in (120, 64, 40)
        )
        assert any(
            "|----| claim('k', 'a', ttl_ms=100) -> True" in " ".join(x.split()) for x in wide
        )
        assert "    claim('k', 'a', ttl_ms=100) -> True" in narrow
        assert any(line.endswith("|----|") for line in narrow)
        assert not any("|" in line for line in narrower)
        for lines, width in ((narrow, 64), (narrower, 40)):
            assert all(len(line) <= width for line in lines[:-1])
