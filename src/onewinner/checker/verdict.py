"""Verdicts: valid, invalid or unknown, each with its reason, as a whole and by partition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onewinner.history import Operation

Validity: TypeAlias = Literal[True, False, "unknown"]

_WORST_FIRST: Final[tuple[Validity, ...]] = (False, "unknown", True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """What a check may cost; whatever runs out makes the verdict `unknown`, never a pass.

    `steps` counts transitions of the search over all partitions, `configurations` bounds how many
    are held at one time (the memory of the search), `timeout_s` is wall-clock time.
    """

    steps: int | None = None
    configurations: int | None = 1_000_000
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionVerdict:
    """What was found of one partition.

    `failing` is the operation at whose return nothing that the model allows is left, where the
    verdict is invalid; `decided_by` names the search that decided.
    """

    key: Any
    valid: Validity
    operations: int
    reason: str = ""
    decided_by: str = ""
    steps: int = 0
    failing: Operation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict on a history: invalid beats unknown beats valid."""

    valid: Validity
    reason: str = ""
    partitions: tuple[PartitionVerdict, ...] = ()
    operations: int = 0
    steps: int = 0
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The verdict as a word: valid, invalid or unknown."""
        if self.valid == "unknown":
            return "unknown"
        return "valid" if self.valid else "invalid"

    def __bool__(self) -> bool:
        """A verdict is true only where the history is valid: unknown is not a pass."""
        return self.valid is True


def merge(validities: Iterable[Validity]) -> Validity:
    """Answer the verdict that counts of several: false beats unknown beats true."""
    seen = list(validities)
    return next((worst for worst in _WORST_FIRST if worst in seen), True)
