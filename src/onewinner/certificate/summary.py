"""A certificate for people, and what came of computing it again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from onewinner.certificate.rebuilding import tree_of
from onewinner.report import text
from onewinner.report.verdict import OPTIONAL, undeclared
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.certificate.checking import Checked
    from onewinner.certificate.words import Extension, Statement


def render(statement: Statement) -> str:
    """Answer what a certificate states in a few lines; the last is the verdict."""
    stated = statement.predicate.extension
    lines = [*_about(statement, stated), f"onewinner: {verdict(statement)}"]
    return "".join(f"{text.printable(line, keep='')}\n" for line in lines)


def render_check(statement: Statement, checked: Checked) -> str:
    """Answer what differs, a line each, and in the last line whether the certificate holds."""
    lines = [
        *(f"differs: {each}" for each in checked.differs),
        *(f"unknown: {each}" for each in checked.unknown),
        *(f"note: {each}" for each in checked.notes),
        f"onewinner: {_outcome(statement, checked)}",
    ]
    return "".join(f"{text.printable(line, keep='')}\n" for line in lines)


def verdict(statement: Statement) -> str:
    """Answer in one line what a certificate states of what it is about."""
    stated = statement.predicate.extension
    asked, reached = stated.level.asked, stated.level.reached or "none"
    lost = undeclared(tree_of(stated, {}))
    partial = [each for each in lost if each not in OPTIONAL and " or " not in each]
    match statement.predicate.result:
        case "PASSED":
            told = f"conforms at level {asked}"
        case "FAILED":
            failed = text.count(len(statement.predicate.failed_tests), "clause")
            told = f"does NOT conform at level {asked}: {failed} failed; level reached: {reached}"
        case _ if stated.exit_code == ExitCode.CONFORMS and stated.complete:
            told = f"conforms at level {reached} only, not at {asked}"
        case _:
            told = f"is inconclusive at level {asked}; level reached: {reached}"
    lacking = f"; partial: {', '.join(partial)} not declared" if partial else ""
    return f"{statement.predicate.result}: {stated.target} {told}{lacking}"


def _about(statement: Statement, stated: Extension) -> Iterator[str]:
    for subject in statement.subject:
        of = subject.annotations.get("digestOf", "")
        yield f"subject    {subject.name}  sha256 {subject.digest.sha256}  ({of})"
    contract = stated.contract
    yield (
        f"contract   release {contract.release}, {contract.clauses} clauses at level "
        f"{contract.level}, sha256 {contract.digest.sha256}"
    )
    counts = Counter(clause.status for clause in stated.clauses)
    yield f"clauses    {', '.join(f'{number} {status}' for status, number in counts.items())}"
    run = stated.run
    cores = text.count(run.cores, "core")
    yield f"judged     {run.started}, seed {run.seed}, budget {run.budget_seconds:g} s, {cores}"
    yield f"kit        {stated.kit.name} {stated.kit.version}; {_score(stated)}"
    kept = stated.histories
    where = f" in {kept.archive}" if kept.archive else ""
    yield f"histories  {kept.count:,} with {kept.operations:,} operations{where}"
    for why in kept.left_out.because:
        yield f"left out   {why}"


def _score(stated: Extension) -> str:
    known = stated.kit.mutant_score
    if known is None:
        return "no mutant score was recorded for it"
    return (
        f"it caught {known.caught} of {known.mutants} mutants and accused {known.accused} of "
        f"{known.correct_runs} correct stores ({known.started}, of {stated.kit.mutant_score_of})"
    )


def _outcome(statement: Statement, checked: Checked) -> str:
    judged = text.count(len(checked.judged), "history").replace("historys", "histories")
    match checked.exit_code:
        case ExitCode.CONFORMS:
            return f"the certificate holds, {judged} judged again; {verdict(statement)}"
        case ExitCode.VIOLATION:
            points = text.count(len(checked.differs), "point")
            return f"the certificate does NOT hold: it differs in {points}"
        case _:
            return f"the certificate could not be checked in full, {judged} judged again"
