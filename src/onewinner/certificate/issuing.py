"""From a run to its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from onewinner.certificate import plain, requirements, score
from onewinner.certificate.histories import packed
from onewinner.certificate.rebuilding import BROKEN, result_of, settled
from onewinner.certificate.subjects import subjects_of
from onewinner.certificate.words import (
    SCHEMA_VERSION,
    Clause,
    Contract,
    Digest,
    Extension,
    Histories,
    Kit,
    Level,
    Predicate,
    Resource,
    Run,
    Statement,
)
from onewinner.contract.clauses import by_level
from onewinner.report import verdict
from onewinner.suite.tree import Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from onewinner.adapters.targets import Target
    from onewinner.certificate.histories import Packed
    from onewinner.certificate.words import StatusName
    from onewinner.suite.tree import ClauseResult, RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate, the tree that it states, and the contents of its histories by their names."""

    statement: Statement
    result: RunResult
    contents: Mapping[str, bytes]


def issue(result: RunResult, target: Target, folder: Path, archive: str) -> Issued:
    """Answer the certificate of a run, whose histories lie in `folder`.

    They are judged again; where one is invalid, what rests on it has failed. `archive` is the name
    of the file that will hold them, beside the certificate.
    """
    kept = packed(result, folder)
    tree = settled(result, kept.histories)
    return Issued(
        statement=_statement(tree, target, kept, archive), result=tree, contents=kept.contents
    )


def _statement(tree: RunResult, target: Target, kept: Packed, archive: str) -> Statement:
    contract = Contract(
        release=requirements.RELEASE,
        level=tree.level,
        clauses=len(by_level(tree.level)),
        digest=Digest(sha256=requirements.digest(tree.level)),
    )
    kit = score.kit(tree.versions.get("onewinner", ""), score.recorded())
    predicate = Predicate(
        result=result_of(tree),
        configuration=configuration(contract, kit),
        passed_tests=_with(tree, Status.PASS),
        warned_tests=_with(tree, Status.UNTESTED),
        failed_tests=_with(tree, *BROKEN),
        extension=Extension(
            schema_version=SCHEMA_VERSION,
            target=plain.told(tree.target),
            contract=contract,
            level=Level(asked=tree.level, reached=tree.reached),
            complete=verdict.is_complete(tree),
            exit_code=int(tree.exit_code),
            capabilities=plain.of(tree.capabilities),
            clauses=[_clause(each) for each in tree.clauses],
            run=_run(tree, target),
            kit=kit,
            histories=_histories(kept, archive),
        ),
    )
    return Statement(
        type="https://in-toto.io/Statement/v1",
        subject=subjects_of(target, tree.source),
        predicate_type="https://in-toto.io/attestation/test-result/v0.1",
        predicate=predicate,
    )


def configuration(contract: Contract, kit: Kit) -> list[Resource]:
    """Answer what a run was configured with, as resources: the clauses that were asked, the kit."""
    return [
        Resource(
            name=f"contract {contract.release}, level {contract.level}", digest=contract.digest
        ),
        Resource(name=f"{kit.name} {kit.version}", digest=kit.source),
    ]


def _with(tree: RunResult, *statuses: Status) -> list[str]:
    return [clause.clause.id for clause in tree.clauses if clause.status in statuses]


def _clause(found: ClauseResult) -> Clause:
    label: Any = found.status.label
    status: StatusName = label
    return Clause(
        id=found.clause.id,
        level=found.clause.level,
        status=status,
        reason=plain.told(found.reason),
        missing=None if found.missing is None else plain.told(found.missing),
        evidence=plain.of(verdict.evidence(found)),
    )


def _run(tree: RunResult, target: Target) -> Run:
    return Run(
        seed=verdict.seed_text(tree.seed),
        budget_seconds=tree.budget_s,
        started=tree.started,
        seconds=round(tree.seconds, 3),
        cores=tree.cores,
        versions=plain.of(tree.versions),
        server=None if target.address is None else plain.told(urlsplit(target.address).scheme),
        canaries=[plain.told(canary.told) for canary in tree.canaries],
        notes=[plain.told(note) for note in tree.notes],
    )


def _histories(kept: Packed, archive: str) -> Histories:
    return Histories(
        archive=archive if kept.histories else None,
        count=len(kept.histories),
        operations=sum(each.operations for each in kept.histories),
        left_out=kept.left_out,
        files=list(kept.histories),
    )
