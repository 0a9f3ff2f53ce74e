"""Which clauses a level requires, in one digest: certificates that share it ask the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from onewinner.certificate import digests
from onewinner.contract.clauses import by_level

if TYPE_CHECKING:
    from onewinner.contract.clauses import Level

RELEASE: Final = "2026-1"
"""The newest release of the contract (`specs/requirements`), to which clauses were only added."""


def digest(level: Level) -> str:
    """Answer the SHA-256 over id, level, sentence and needs of all clauses that `level` requires.

    They stand in a JSON array, sorted by their ids, in ASCII and without a space between them.
    """
    clauses = sorted(by_level(level), key=lambda clause: clause.id)
    told = [[c.id, c.level, c.sentence, list(c.needs)] for c in clauses]
    return digests.of_bytes(json.dumps(told, separators=(",", ":")).encode("ascii"))
