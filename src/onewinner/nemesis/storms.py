"""Storms: clients that claim as fast as they can, and are all killed at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from onewinner.generator import Call

if TYPE_CHECKING:
    from collections.abc import Mapping

CLIENTS: Final = 3
CLAIMS: Final = 200
_ANSWERS_MOST: Final = 150
_SHARED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """One storm: what each client calls, in order, and after how many answers all are killed."""

    number: int
    calls: tuple[tuple[Call, ...], ...]
    answers: int

    @property
    def keys(self) -> Mapping[str, tuple[Call, ...]]:
        """The claims of each key, in the order of the clients."""
        found: dict[str, list[Call]] = {}
        for mine in self.calls:
            for call in mine:
                found.setdefault(str(call.key), []).append(call)
        return {key: tuple(calls) for key, calls in found.items()}


def storm(
    seed: int, number: int, plugin: str, ttl_ms: int | None, *, claims: int = CLAIMS
) -> Storm:
    """Answer storm `number` of the stream that a seed names; every third key is shared by all.

    A client's value names it, so that a row tells who wrote it. Each client makes so many `claims`
    at most.
    """
    calls = tuple(
        tuple(
            Call(
                "register_if_absent",
                plugin,
                "n",
                f"all{place}" if place % _SHARED == 0 else f"c{client}-{place}",
                {"by": client, "n": place},
                ttl_ms if place % 2 else None,
            )
            for place in range(claims)
        )
        for client in range(CLIENTS)
    )
    answers = Random(f"{seed}/{number}").randint(3, _ANSWERS_MOST)
    return Storm(number=number, calls=calls, answers=answers)
