"""Errors: one registry of codes, and exceptions that carry code and operation anywhere."""

from __future__ import annotations

import pickle

import pytest

from onewinner.contract import CODES, ErrorCode, InvalidInput, LimitExceeded, StoreError

ERRORS = [
    StoreError(code="WRITE_FAILED", operation="register", message="the disk is full"),
    StoreError(code="READ_FAILED", operation="lookup"),
    InvalidInput(operation="open", message="the namespace is empty"),
    LimitExceeded(operation="register_if_absent", message="1,000 rows"),
]


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.name)
def test_a_code_is_registered_under_its_name(code: ErrorCode) -> None:
    """The registry's key is the code's name, and the code is put into words."""
    assert CODES[code.name] is code
    assert code.meaning


def test_the_registry_holds_the_contracts_codes() -> None:
    """The codes are those of the contract, section 5, no more and no fewer."""
    assert set(CODES) == {
        "INVALID_INPUT",
        "LIMIT_EXCEEDED",
        "CORRUPT",
        "OPEN_FAILED",
        "READ_FAILED",
        "WRITE_FAILED",
        "SCHEMA_UNSUPPORTED",
        "SQLITE_UNAVAILABLE",
    }


@pytest.mark.parametrize("name", CODES)
def test_the_released_prefix_is_taken_off(name: str) -> None:
    """A store may spell its codes as the released store does."""
    assert StoreError(code=f"PLUGIN_STATE_{name}", operation="register").code == name


@pytest.mark.parametrize(
    ("code", "definite"), [("INVALID_INPUT", True), ("WRITE_FAILED", False), ("MELTED", False)]
)
def test_an_error_is_definite_only_where_the_registry_says_so(code: str, definite: bool) -> None:
    """After an unknown error nothing may be concluded."""
    assert StoreError(code=code, operation="register").definite is definite


@pytest.mark.parametrize("error", ERRORS, ids=str)
def test_an_error_names_code_and_operation(error: StoreError) -> None:
    """The text of an error names its code, its operation and its message (ERR-1)."""
    assert str(error).startswith(f"{error.code} in {error.operation}")
    assert error.message in str(error)


@pytest.mark.parametrize("error", ERRORS, ids=str)
def test_an_error_survives_the_way_between_processes(error: StoreError) -> None:
    """Pickled and read back, an error keeps its class and all that it says."""
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert (arrived.code, arrived.operation, arrived.message, str(arrived)) == (
        error.code,
        error.operation,
        error.message,
        str(error),
    )


@pytest.mark.parametrize(
    ("kind", "code"), [(InvalidInput, "INVALID_INPUT"), (LimitExceeded, "LIMIT_EXCEEDED")]
)
def test_a_refusal_brings_its_code(kind: type[StoreError], code: str) -> None:
    """A refusal is a StoreError that has the contract's code and is definite."""
    error = kind(operation="open")
    assert (error.code, error.definite) == (code, True)
