"""Pure seeded streams of rounds: what the clients of a race do, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onewinner.generator import limits, newer, readers, spaces, vacancies
from onewinner.generator.rounds import Call, Pass, Round, Shape, Sheet, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ("KINDS", "Call", "Pass", "Round", "Shape", "Step", "block")

KINDS: Final[dict[str, Callable[[Sheet, int], Iterator[Round]]]] = {
    "alone": vacancies.alone,
    "claims": vacancies.claims,
    "reclaims": vacancies.reclaims,
    "consumers": vacancies.consumers,
    "churn": vacancies.churn,
    "first-opens": vacancies.first_opens,
    "full": limits.full,
    "row-cap": limits.row_cap,
    "visible": readers.visible,
    "snapshots": readers.snapshots,
    "spaces": spaces.spaces,
    "updates": newer.updates,
    "equal-deletes": newer.deletes("delete_if_equal"),
    "conditional-deletes": newer.deletes("delete_if"),
    "comparisons": newer.comparisons,
    "many-lookups": newer.looks("lookup_many"),
    "counts": newer.looks("count"),
    "rejects": newer.rejects,
    "ages": newer.ages,
}


def block(kind: str, shape: Shape, number: int, rounds: int) -> tuple[Round, ...]:
    """Answer block `number` of the stream that `kind`, `shape` and its seed name.

    The same arguments give the same rounds, in any process and on any machine. `rounds` is the
    number wanted; a kind may answer fewer.
    """
    return tuple(KINDS[kind](Sheet(kind, shape, number), rounds))
