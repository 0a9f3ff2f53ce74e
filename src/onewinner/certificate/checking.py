"""Computes again what a certificate states, and tells each thing that differs in one line.

Nothing here trusts the certificate: the verdicts come from the histories, the level, the result and
the lists of tests from the statuses and this kit's own registry of clauses. What was seen and rests
on no history (a case, a sweep, the seed) can only be believed; a signature is for that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from onewinner.certificate import archive, digests, histories, requirements, score
from onewinner.certificate.issuing import configuration
from onewinner.certificate.rebuilding import (
    BROKEN,
    STATUSES,
    VIOLATION,
    bearing,
    broken_by,
    capabilities_of,
    kept_for,
    result_of,
    tree_of,
)
from onewinner.contract.clauses import CLAUSES, by_level
from onewinner.history import HistoryError
from onewinner.report import verdict
from onewinner.suite.tree import ExitCode, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from onewinner.certificate.words import Extension, History, Statement
    from onewinner.contract import Capabilities
    from onewinner.suite.tree import RunResult

_NAMED: Final = 6


@dataclass(slots=True)
class Checked:
    """What came of it: a line for each thing that differs, is unknown, or is good to know.

    `judged` are the verdicts of the histories that were judged again.
    """

    differs: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    judged: dict[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> ExitCode:
        """0 where all is equal, 1 where something differs, 7 where something is unknown."""
        if self.differs:
            return ExitCode.VIOLATION
        return ExitCode.INCONCLUSIVE if self.unknown else ExitCode.CONFORMS


def check(statement: Statement, beside: Path) -> Checked:
    """Compute a certificate again; its archive of histories lies in the folder `beside`."""
    stated = statement.predicate.extension
    capabilities = capabilities_of(stated.capabilities)
    checked = Checked()
    _judge(stated, beside, capabilities, checked)
    statuses = {clause.id: STATUSES[clause.status] for clause in stated.clauses}
    broken = broken_by(stated.histories.files, checked.judged, statuses)
    for clause, history in broken.items():
        told = statuses[clause].label if clause in statuses else "not at all"
        checked.differs.append(f"{clause} is stated {told}, and {history} shows it broken")
    if capabilities is None:
        checked.unknown.append("this kit does not know all of the capabilities that are stated")
    else:
        checked.differs += _applicability(stated, capabilities)
        checked.unknown += _unfounded(stated, capabilities)
    checked.differs += _foundations(stated)
    checked.unknown += (
        f"this kit has no check that keeps {each.name}"
        for each in stated.histories.files
        if bearing(each.name) is None
    )
    checked.differs += _completeness(stated)
    checked.differs += _requirements(stated)
    checked.differs += _conclusions(statement, tree_of(stated, broken))
    checked.differs += _score(stated)
    if stated.kit.source.sha256 != score.source_digest():
        checked.notes.append(
            f"it was judged by another version of the kit ({stated.kit.version}) than this one"
        )
    return checked


def _judge(
    stated: Extension, beside: Path, capabilities: Capabilities | None, checked: Checked
) -> None:
    """Judge each history of the archive again."""
    contents = _contents(stated, beside, checked)
    if contents is None:
        return
    for history in stated.histories.files:
        if history.name not in contents:
            checked.unknown.append(f"the history {history.name} is not in the archive")
        else:
            content = contents[history.name]
            checked.differs += _one(history, content, capabilities, checked)
    known = {each.name for each in stated.histories.files}
    for name in contents.keys() - known:
        checked.differs.append(f"the archive holds {name}, which the certificate does not state")


def _contents(stated: Extension, beside: Path, checked: Checked) -> dict[str, bytes] | None:
    told = stated.histories
    if told.archive is None:
        if told.files:
            checked.unknown.append(
                f"no archive is named, so {len(told.files)} histories are missing"
            )
        return None
    try:
        return archive.read(beside / told.archive)
    except FileNotFoundError:
        checked.unknown.append(
            f"the archive {told.archive} is missing, so nothing could be judged again; put it "
            f"beside the certificate"
        )
    except archive.ArchiveError as error:
        checked.differs.append(f"the archive {told.archive}: {error}")
    return None


def _one(
    history: History, content: bytes, capabilities: Capabilities | None, checked: Checked
) -> Iterator[str]:
    """Yield what is different about one history, and enter its verdict."""
    name = history.name
    if digests.of_bytes(content) != history.digest.sha256:
        yield f"the history {name} has another digest than is stated"
        return
    if (count := histories.operations_in(content)) != history.operations:
        yield f"the history {name} has {count:,} operations, not {history.operations:,}"
    if len(content) != history.bytes:
        yield f"the history {name} has {len(content):,} bytes, not {history.bytes:,}"
    try:
        found = histories.judged(content, history.judge, history.rounds, capabilities)
    except HistoryError:
        yield f"{name} is no history"
        return
    checked.judged[name] = found
    if found == "unknown":
        checked.unknown.append(
            f"the history {name} could not be judged; {history.verdict} is stated"
        )
    elif found != history.verdict:
        yield f"the history {name} is {found}, and {history.verdict} is stated"


def _applicability(stated: Extension, capabilities: Capabilities) -> Iterator[str]:
    """Yield the clauses that apply and are not judged, or are judged and do not apply."""
    races = kept_for(stated.level.asked, capabilities)
    for each in stated.clauses:
        clause = CLAUSES.get(each.id)
        if clause is None:
            continue
        lacking = clause.missing(capabilities)
        status = STATUSES[each.status]
        if lacking is not None and status not in BROKEN | {Status.NA}:
            yield f"{each.id} is stated {each.status}, and does not apply: {lacking}"
        elif lacking is None and each.missing is not None:
            yield f"{each.id} is stated to lack a declaration ({each.missing}), and applies"
        elif status is Status.NA and (not each.reason or each.id in races):
            yield f"{each.id} is stated n/a, and applies"
    listed = {each.id for each in stated.clauses}
    lost = [
        clause.id
        for clause in by_level(stated.level.asked)
        if clause.id not in listed and not clause.of_another_profile(capabilities)
    ]
    if lost and stated.complete:
        yield f"{_named(lost)} missing from the clauses of level {stated.level.asked}"


def _unfounded(stated: Extension, capabilities: Capabilities) -> Iterator[str]:
    """Yield the clauses that pass by races of which no history is kept."""
    founded = {clause for each in stated.histories.files for clause in each.clauses}
    races = kept_for(stated.level.asked, capabilities)
    passed = [each.id for each in stated.clauses if each.status == "pass"]
    bare = [clause for clause in passed if clause in races - founded]
    if bare and stated.complete:
        yield f"no history is kept on which {_named(bare, 'rests', 'rest')}"


def _foundations(stated: Extension) -> Iterator[str]:
    """Yield the histories of which it is not stated on which clauses they bear, or how."""
    applied = {each.id for each in stated.clauses if each.status != "n/a"}
    for each in stated.histories.files:
        due = bearing(each.name)
        if due is None:
            continue
        least = applied & set(due) if stated.complete else set()
        if not least <= set(each.clauses) <= set(due):
            told = ", ".join(each.clauses) or "none"
            yield f"the history {each.name} bears on {', '.join(due)}, and {told} is stated"
        if each.judge != histories.CLAIMS and not each.name.startswith(VIOLATION):
            yield f"the history {each.name} is not judged as {each.judge}"


def _completeness(stated: Extension) -> Iterator[str]:
    """Yield clauses that stand there twice or at another level, and totals that do not add up."""
    levels = {clause.id: clause.level for clause in by_level(stated.level.asked)}
    for clause, number in Counter(each.id for each in stated.clauses).items():
        if number > 1:
            yield f"{clause} is stated {number} times"
    for each in stated.clauses:
        if each.id not in levels:
            yield f"{each.id} is no clause of level {stated.level.asked} that this kit knows"
        elif levels[each.id] != each.level:
            yield f"{each.id} is a clause of level {levels[each.id]}, not {each.level}"
    told = stated.histories
    if told.count != len(told.files):
        yield f"{told.count:,} histories are stated, and {len(told.files):,} are listed"
    if told.operations != (total := sum(each.operations for each in told.files)):
        yield f"{told.operations:,} operations are stated, and the histories have {total:,}"


def _requirements(stated: Extension) -> Iterator[str]:
    """Yield what is different about the clauses that were asked."""
    contract, level = stated.contract, stated.level.asked
    if contract.level != level:
        yield f"the contract is stated for level {contract.level}, and level {level} was asked"
    if contract.digest.sha256 != requirements.digest(level):
        yield (
            f"the clauses of level {level} (release {contract.release}) are not those of this kit "
            f"(release {requirements.RELEASE}): their digests differ"
        )
    elif contract.clauses != len(by_level(level)) or contract.release != requirements.RELEASE:
        yield (
            f"{contract.clauses} clauses of release {contract.release} are stated, and level "
            f"{level} has {len(by_level(level))} of release {requirements.RELEASE}"
        )


def _conclusions(statement: Statement, tree: RunResult) -> Iterator[str]:
    """Yield what does not follow from the statuses: level, result, exit code, lists of tests."""
    predicate = statement.predicate
    stated = predicate.extension
    if tree.reached != stated.level.reached:
        told = stated.level.reached or "none"
        yield f"the level reached is {tree.reached or 'none'}, and {told} is stated"
    if (result := result_of(tree)) != predicate.result:
        yield f"the result is {result}, and {predicate.result} is stated"
    if int(tree.exit_code) != stated.exit_code:
        yield f"the exit code is {int(tree.exit_code)}, and {stated.exit_code} is stated"
    if stated.complete and not verdict.is_complete(tree):
        yield "it is stated to be complete, and is not"
    of = {each.clause.id: each.status for each in tree.clauses}
    for name, tests, statuses in (
        ("passedTests", predicate.passed_tests, {Status.PASS}),
        ("warnedTests", predicate.warned_tests, {Status.UNTESTED}),
        ("failedTests", predicate.failed_tests, BROKEN),
    ):
        due = {clause for clause, status in of.items() if status in statuses}
        if wrong := sorted(due ^ set(tests)):
            yield f"{name} and the clauses differ in {', '.join(wrong[:_NAMED])}"
    if predicate.configuration != configuration(stated.contract, stated.kit):
        yield "configuration states another contract or kit than the certificate does"


def _score(stated: Extension) -> Iterator[str]:
    """Yield what is different about the kit's own score, as far as this kit knows it."""
    told = stated.kit
    known = told.mutant_score
    if (of := score.whose(known, told.source.sha256)) != told.mutant_score_of:
        yield f"the mutant score is of {of}, and {told.mutant_score_of} is stated"
    if told.source.sha256 == score.source_digest() and known != score.recorded():
        yield "the mutant score is not the one that this kit has recorded"


def _named(clauses: list[str], one: str = "is", many: str = "are") -> str:
    shown = ", ".join(clauses[:_NAMED])
    more = len(clauses) - _NAMED
    return f"{shown}{f' and {more} more' if more > 0 else ''} {one if len(clauses) == 1 else many}"
