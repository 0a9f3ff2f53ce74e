"""The catalogue: the stores of other projects that are surveyed, and what is known of each.

It is data, `stores.toml` beside this module. To survey one more store, add a table there.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind: TypeAlias = Literal["bug", "undocumented", "documented limit"]

KINDS: Final[dict[str, str]] = {
    "bug": "it contradicts what the project documents, or the project has treated the like as one",
    "undocumented": "neither documentation nor an issue was found that tells it",
    "documented limit": "the project's documentation says so",
}
"""The kinds of causes, the worst first, and what each means."""

FILE: Final = Path(__file__).with_name("stores.toml")


class Limit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a store does not offer by its own documentation: a sentence, and where that stands."""

    says: str
    url: str


class Cause(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a store breaks clauses: `clauses` in each whole run, `at_times` by luck or load.

    `url` is an issue or a page that tells it, and is empty for what is undocumented and nowhere
    told.
    """

    kind: Kind
    because: str
    clauses: tuple[str, ...] = ()
    at_times: tuple[str, ...] = ()
    url: str = ""

    @property
    def all_clauses(self) -> tuple[str, ...]:
        """The clauses of either sort."""
        return (*self.clauses, *self.at_times)


class Listed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A store that is surveyed.

    `packages` are the Python distributions whose versions matter; that of its server is asked of
    the server.
    """

    target: str
    project: str
    packages: tuple[str, ...] = ()
    limit: tuple[Limit, ...] = ()
    cause: tuple[Cause, ...] = ()

    def cause_of(self, clause: str) -> Cause | None:
        """Answer why it breaks a clause; None where that is not known."""
        return next((each for each in self.cause if clause in each.all_clauses), None)


class _Catalogue(Struct, frozen=True, forbid_unknown_fields=True):
    store: tuple[Listed, ...]


@cache
def catalogue() -> Mapping[str, Listed]:
    """Answer the stores of the catalogue by their targets, in the order of the file."""
    found = msgspec.convert(tomllib.loads(FILE.read_text("utf-8")), _Catalogue)
    return {store.target: store for store in found.store}


def listed(target: str) -> Listed:
    """Answer what is known of a target: nothing, where the catalogue has it not."""
    return catalogue().get(target) or Listed(target=target, project="")
