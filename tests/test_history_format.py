"""What is written follows the published schema of `specs/history.md`, and the schema can refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from onewinner.clock import monotonic_ns
from onewinner.contract import ABSENT, Entry
from onewinner.generator import Call
from onewinner.history import Fail, Info, Ok, Operation, Outcome, read, write
from onewinner.worker.journal import OK, Journal

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "specs" / "history.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
ARGUMENTS = {"plugin": "p", "namespace": "n", "key": "k", "value": {"a": 1}, "ttl_ms": 5}
CLAIM: dict[str, Any] = {
    "type": "invoke",
    "process": 0,
    "f": "register_if_absent",
    "value": ARGUMENTS,
    "time_ns": 1,
}


def lines(path: Path) -> list[Any]:
    """Answer the events of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def operation(process: int, outcome: Outcome, completed_ns: int | None = 9) -> Operation:
    """Answer a claim."""
    return Operation(
        process=process,
        f="register_if_absent",
        value=ARGUMENTS,
        outcome=outcome,
        invoked_ns=process,
        completed_ns=completed_ns,
        extra={"round": 1, "phase": "volley"},
    )


def test_the_schema_is_one() -> None:
    """The published schema is a schema."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_what_is_written_follows_the_schema(tmp_path: Path) -> None:
    """Every kind of outcome, written to a file and read again, follows the schema and is kept."""
    history = [
        operation(0, Ok(True)),
        operation(1, Ok(None)),
        operation(2, Ok(ABSENT)),
        operation(3, Ok((Entry("k", 1, 2, None), Entry("l", 1, 2, 3)))),
        operation(4, Fail({"code": "LIMIT_EXCEEDED", "operation": "register", "message": ""})),
        operation(5, Info("killed")),
        operation(6, Info("lost"), completed_ns=None),
    ]
    write(tmp_path / "h", history, eps_ms=7)
    for event in lines(tmp_path / "h"):
        VALIDATOR.validate(event)
    again = read(tmp_path / "h")
    assert again.eps_ms == 7
    assert [type(each.outcome) for each in again] == [type(each.outcome) for each in history]
    assert [each.outcome for each in again][:6] == [each.outcome for each in history][:6]


def test_journals_follow_the_schema(tmp_path: Path) -> None:
    """What a client writes while it runs follows the schema too."""
    journal = Journal(tmp_path / "j", 0)
    journal.enter(round=1, phase="volley", worker=0, epoch=0)
    journal.invoke(journal.words(Call("register_if_absent", "p", "n", "k", [1], 5)))
    journal.complete("register_if_absent", OK, ABSENT, monotonic_ns())
    journal.close()
    assert len(lines(tmp_path / "j")) == 2
    for event in lines(tmp_path / "j"):
        VALIDATOR.validate(event)


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "histories").iterdir()), ids=str)
def test_textbook_histories_follow_the_schema(path: Path) -> None:
    """The histories that people are shown are written as the document says."""
    for event in lines(path):
        VALIDATOR.validate(event)


@pytest.mark.parametrize(
    "wrong",
    [
        CLAIM | {"type": "begin"},
        CLAIM | {"time_ns": 1.5},
        CLAIM | {"process": None},
        CLAIM | {"value": ARGUMENTS | {"ttl_ms": "5"}},
        CLAIM | {"extra": {"round": [1]}},
        {name: value for name, value in CLAIM.items() if name != "f"},
        {name: value for name, value in CLAIM.items() if name != "value"},
        {"type": "ok", "process": 0, "time_ns": 1, "absent": True, "value": 1},
        {"type": "ok", "process": 0, "time_ns": 1, "entries": [["k", 1, 2]]},
        [],
    ],
    ids=repr,
)
def test_the_schema_refuses_what_is_wrong(wrong: Any) -> None:
    """A schema that takes everything would prove nothing."""
    assert not VALIDATOR.is_valid(wrong)
