"""Certificates of runs that were made up, with histories that were made up to match."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onewinner.adapters.targets import Target
from onewinner.certificate import archive, words
from onewinner.certificate.issuing import Issued, issue
from onewinner.certificate.rebuilding import kept_for
from onewinner.history import Ok, Operation, write
from onewinner.suite.provenance import as_plain
from onewinner.suite.races import RACES
from onewinner.suite.rulings import RULINGS
from onewinner.suite.tree import Status
from results import WHOLE, check, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from onewinner.suite.tree import RunResult

KEPT = [race for race in RACES if race.kind in RULINGS and RULINGS[race.kind].keyed]
NAME = "certificate.json"
EXTENSION = "onewinner_certificate"


def claims(*answers: bool, key: str = "k") -> list[Operation]:
    """Answer claims of one key that all meet, a process each."""
    return [
        Operation(
            process=process,
            f="register_if_absent",
            value={"plugin": "p", "namespace": "n", "key": key, "value": process},
            outcome=Ok(answer),
            invoked_ns=process,
            completed_ns=100 + process,
        )
        for process, answer in enumerate(answers)
    ]


def made(statuses: Mapping[str, Status] | None = None, **changes: Any) -> RunResult:
    """Answer a run at level process whose clauses pass, each by a check of its own or its races."""
    found = dict(statuses or {})
    by_races: dict[str, tuple[Any, ...]] = {}
    for race in KEPT:
        clause = race.clauses[0]
        own = check(clause, found.get(clause, Status.PASS), check=race.name)
        by_races[clause] = (*by_races.get(clause, ()), own)
    whole = run(found, capabilities=WHOLE, checks=by_races, **changes)
    return replace(whole, capabilities=as_plain(WHOLE))


def keep(folder: Path, *, invalid: Iterable[str] = ()) -> Path:
    """Write a history for each race of which some are kept; those of `invalid` have two winners."""
    folder.mkdir(exist_ok=True)
    for race in KEPT:
        answers = (True, True) if race.name in invalid else (True, False)
        write(folder / f"{race.name}-0001.jsonl", claims(*answers), eps_ms=0)
    return folder


def issued(home: Path, result: RunResult | None = None, *, invalid: Iterable[str] = ()) -> Issued:
    """Answer the certificate of a run with its histories."""
    folder = keep(home / "histories", invalid=invalid)
    beside = archive.beside(NAME).name
    return issue(made() if result is None else result, Target("sqlite"), folder, beside)


@cache
def passed() -> Issued:
    """Answer the certificate of a run in which all passed; it is made once, for many tests."""
    with tempfile.TemporaryDirectory() as home:
        return issued(Path(home))


def written(home: Path, result: RunResult | None = None, *, invalid: Iterable[str] = ()) -> Path:
    """Write a certificate and its histories, and answer where."""
    plain = result is None and not invalid
    return put(home, passed() if plain else issued(home, result, invalid=invalid))


def put(home: Path, found: Issued) -> Path:
    """Write a certificate and its histories that were issued, and answer where."""
    path = home / NAME
    path.write_text(words.dumps(found.statement), "utf-8")
    archive.write(archive.beside(str(path)), found.contents)
    return path


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the predicate of a certificate; its extension stands there as `x` meanwhile."""
    whole = json.loads(path.read_text("utf-8"))
    predicate = whole["predicate"]
    predicate["x"] = predicate.pop(EXTENSION)
    change(predicate)
    predicate[EXTENSION] = predicate.pop("x")
    path.write_text(json.dumps(whole), "utf-8")


def expected() -> set[str]:
    """Answer the clauses that must rest on a history in a whole run at level process."""
    return kept_for("process", WHOLE)
