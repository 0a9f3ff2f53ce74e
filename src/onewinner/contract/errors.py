"""The errors of the contract: one registry of codes, and the exceptions that carry them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One code of the contract (contract 5, last paragraph).

    `definite` says what a caller may conclude: a definite error means that the operation certainly
    had no effect, so the history records it as `fail`; after any other error the operation may or
    may not have happened, and the history records it as `info`.
    """

    name: str
    definite: bool
    meaning: str


CODES: Final[dict[str, ErrorCode]] = {
    code.name: code
    for code in (
        ErrorCode("INVALID_INPUT", True, "an argument breaks a rule of the contract, section 5"),
        ErrorCode(
            "LIMIT_EXCEEDED", True, "a size, depth, namespace or plugin limit would be passed"
        ),
        ErrorCode("CORRUPT", True, "the stored value of this row cannot be decoded"),
        ErrorCode("OPEN_FAILED", True, "the store could not be opened"),
        ErrorCode("READ_FAILED", True, "a read could not be carried out"),
        ErrorCode("WRITE_FAILED", False, "a write was not acknowledged; it may have happened"),
        ErrorCode("SCHEMA_UNSUPPORTED", True, "the store on disk was written by a newer release"),
        ErrorCode("SQLITE_UNAVAILABLE", True, "the storage engine is not available"),
    )
}

_RELEASED_PREFIX = "PLUGIN_STATE_"


class StoreError(Exception):
    """A store refused or could not carry out an operation.

    `code` is one of `CODES` (the released store's prefix `PLUGIN_STATE_` is taken off), `operation`
    the contract's name of the operation that failed, and `message` free text for people.
    """

    def __init__(self, *, code: str, operation: str, message: str = "") -> None:
        self.code = code.removeprefix(_RELEASED_PREFIX)
        self.operation = operation
        self.message = message
        super().__init__(
            f"{self.code} in {operation}: {message}" if message else f"{self.code} in {operation}"
        )

    @property
    def definite(self) -> bool:
        """Whether the operation certainly had no effect; an unknown code is never definite."""
        known = CODES.get(self.code)
        return known is not None and known.definite

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.code, self.operation, self.message))


class InvalidInput(StoreError):  # noqa: N818 - the contract's name for it
    """An argument breaks a rule of section 5; nothing was written (clauses INPUT-*)."""

    def __init__(self, *, operation: str, message: str = "", code: str = "INVALID_INPUT") -> None:
        super().__init__(code=code, operation=operation, message=message)


class LimitExceeded(StoreError):  # noqa: N818 - the contract's name for it
    """A limit of section 3 or 5 would be passed; nothing was written (clauses CAP-*, INPUT-*)."""

    def __init__(self, *, operation: str, message: str = "", code: str = "LIMIT_EXCEEDED") -> None:
        super().__init__(code=code, operation=operation, message=message)


def _rebuild(kind: type[StoreError], code: str, operation: str, message: str) -> StoreError:
    return kind(code=code, operation=operation, message=message)
