"""What was reviewed: survivors with the reason why nobody has to see them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from higher.mutations import Mutation

REVIEW: Final = Path(__file__).with_name("survivors.toml")
KINDS: Final = ("equivalent", "outside")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a mutation may survive.

    `kind`: `equivalent` where no caller can tell it from the original, `outside` where one can, and
    the contract says nothing about it or the kit cannot see it.
    """

    kind: str
    because: str


def reviewed(path: Path = REVIEW) -> dict[str, Reason]:
    """Answer the reasons by the names of mutations.

    Raises ValueError where an entry has no reason, an unknown kind, or a name that occurs twice.
    """
    reasons: dict[str, Reason] = {}
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", []):
        reason = Reason(entry["kind"], " ".join(entry["because"].split()))
        if reason.kind not in KINDS or not reason.because:
            raise ValueError(f"{entry['where']}: give a kind of {KINDS} and say because of what")
        for change in entry["changes"]:
            name = f"{entry['where']}: {change}"
            if name in reasons:
                raise ValueError(f"{name} is reviewed twice")
            reasons[name] = reason
    return reasons


def stale(reasons: Iterable[str], known: Iterable[Mutation]) -> list[str]:
    """Answer the names in the review that no mutation has any more."""
    names = {mutation.name for mutation in known}
    return [name for name in reasons if name not in names]
