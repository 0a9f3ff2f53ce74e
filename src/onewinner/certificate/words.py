"""The words of a certificate: an in-toto Statement, and what onewinner adds to its predicate.

Certificates are read by these types, and the published schema is written from them. Fields that are
not named here are ignored, as in-toto asks; a field is only ever added within one `schemaVersion`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct, field

SCHEMA_VERSION: Final = 1
EXTENSION: Final = "onewinner_certificate"
"""The member of the predicate that holds what in-toto has no word for."""

Sha256: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Text: TypeAlias = Annotated[str, Meta(max_length=200)]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0)]
ClauseId: TypeAlias = Annotated[str, Meta(pattern="^[A-Z]+-[1-9][0-9]*$")]
FileName: TypeAlias = Annotated[str, Meta(pattern=r"^[^/\\\x00]+$", max_length=255)]
HistoryName: TypeAlias = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.jsonl$", max_length=100)
]
LevelName: TypeAlias = Literal["thread", "process", "crash"]
Result: TypeAlias = Literal["PASSED", "WARNED", "FAILED"]
StatusName: TypeAlias = Literal["n/a", "pass", "xfail", "untested", "fail", "error"]
Verdict: TypeAlias = Literal["valid", "invalid", "unknown"]
ScoreOf: TypeAlias = Literal["this version", "another version", "none recorded"]


class NotACertificate(Exception):  # noqa: N818 - a file is not, the kit is well
    """The file holds no certificate of onewinner: what is wrong with it."""


class Word(Struct, frozen=True, kw_only=True, rename="camel"):
    """What all parts share: their fields are named as in-toto names its own."""


class Digest(Word, frozen=True, kw_only=True):
    """A digest, in hex."""

    sha256: Sha256


class Resource(Word, frozen=True, kw_only=True, omit_defaults=True):
    """A ResourceDescriptor of in-toto; `annotations` say what was digested."""

    name: Text
    digest: Digest
    uri: Text = ""
    annotations: dict[str, Text] = {}


class Contract(Word, frozen=True, kw_only=True):
    """What was asked: the clauses that a level requires, and the digest over them."""

    release: Text
    level: LevelName
    clauses: Count
    digest: Digest


class Level(Word, frozen=True, kw_only=True):
    """The level that was asked for, and the highest whose clauses all hold; null for none."""

    asked: LevelName
    reached: LevelName | None


class Clause(Word, frozen=True, kw_only=True):
    """What was found of one clause; `missing` is what is not declared, where that makes it n/a."""

    id: ClauseId
    level: LevelName
    status: StatusName
    reason: Text
    missing: Text | None
    evidence: dict[str, int | float | Text]


class Run(Word, frozen=True, kw_only=True):
    """How it was judged; `server` is the scheme of the address that was given, null for none."""

    seed: Annotated[str, Meta(pattern="^0x[0-9a-f]+$", max_length=20)]
    budget_seconds: Seconds
    started: Text
    seconds: Seconds
    cores: Count
    versions: dict[str, Text]
    server: Text | None
    canaries: list[Text]
    notes: list[Text]


class Score(Word, frozen=True, kw_only=True):
    """How many broken stores the kit caught, and how often it accused a correct one, as measured.

    `source` is the digest of the sources that were measured; each of the `mutants` was judged
    `repeat` times with `budgetSeconds`, and counts as caught where it was each time.
    """

    caught: Count
    mutants: Count
    not_run: Count
    accused: Count
    correct_runs: Count
    repeat: Count
    budget_seconds: Seconds
    cores: Count
    started: Text
    kit_version: Text
    source: Digest


class Kit(Word, frozen=True, kw_only=True):
    """The kit that judged: `source` is the digest of all that can change a verdict."""

    name: Text
    version: Text
    source: Digest
    mutant_score: Score | None
    mutant_score_of: ScoreOf


class History(Word, frozen=True, kw_only=True, omit_defaults=True):
    """A history that was kept: the verdict on it, and the clauses that rest on it.

    `judge` is how it is judged: `claims`, as `onewinner check` does, or a way of `suite.rejudging`,
    which may want to know `rounds` as well.
    """

    name: HistoryName
    digest: Digest
    bytes: Count
    operations: Count
    judge: Text
    verdict: Verdict
    clauses: list[ClauseId]
    rounds: dict[str, dict[str, int]] = {}


class LeftOut(Word, frozen=True, kw_only=True):
    """How many histories were made and are not kept, and why not."""

    histories: Count
    because: list[Text]


class Histories(Word, frozen=True, kw_only=True):
    """The histories, in an archive that lies beside the certificate; null where none was kept."""

    archive: FileName | None
    count: Count
    operations: Count
    left_out: LeftOut
    files: list[History]


class Extension(Word, frozen=True, kw_only=True):
    """What onewinner states besides in-toto's own fields."""

    schema_version: Literal[1]
    target: Text
    contract: Contract
    level: Level
    complete: bool
    exit_code: Count
    capabilities: dict[str, Any]
    clauses: list[Clause]
    run: Run
    kit: Kit
    histories: Histories


class Predicate(Word, frozen=True, kw_only=True):
    """A test result of in-toto: tests are clauses."""

    result: Result
    configuration: list[Resource]
    passed_tests: list[ClauseId]
    warned_tests: list[ClauseId]
    failed_tests: list[ClauseId]
    extension: Extension = field(name=EXTENSION)


class Statement(Word, frozen=True, kw_only=True):
    """A certificate: what was judged, and the predicate about it."""

    type: Literal["https://in-toto.io/Statement/v1"] = field(name="_type")
    subject: Annotated[list[Resource], Meta(min_length=1)]
    predicate_type: Literal["https://in-toto.io/attestation/test-result/v0.1"]
    predicate: Predicate


def dumps(statement: Statement) -> str:
    """Answer a certificate as JSON, ending with a newline."""
    return msgspec.json.format(msgspec.json.encode(statement), indent=2).decode("utf-8") + "\n"


def loads(content: bytes) -> Statement:
    """Answer the certificate that is written there. Raises NotACertificate."""
    try:
        return msgspec.json.decode(content, type=Statement)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotACertificate(
            f"it is no certificate of onewinner ({error}); name a file that `onewinner certify` "
            f"has written"
        ) from error
