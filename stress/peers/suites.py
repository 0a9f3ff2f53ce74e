"""The suites that are compared: what each was given, and what its interface offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite of tests.

    `file` is run by pytest, or is `barrier.py` or empty (onewinner). `offers` are keys of
    `broken_claims.LACKS`; what is not among them cannot be asked of the suite.
    """

    name: str
    given: str
    offers: frozenset[str]
    file: str = ""
    packages: tuple[str, ...] = ()
    smoke: bool = False


_ALL: Final = frozenset({"claim", "answer", "ttl", "limit", "plugins"})

SUITES: Final = (
    Suite(
        name="zarr",
        file="zarr_suite.py",
        given="`zarr.testing.store.StoreTests` and `ZarrStoreStateMachine` (50 examples); "
        "`set_if_not_exists` is a claim, of which zarr drops the answer",
        offers=frozenset({"claim"}),
        packages=("zarr==3.1.6", "hypothesis", "pytest==9.2.0", "pytest-asyncio==1.5.0"),
    ),
    Suite(
        name="dogpile",
        file="dogpile_suite.py",
        given="`_GenericMutexTestSuite`, then `_GenericBackendTestSuite` of "
        "`dogpile.testing.fixtures`; a mutex is a claim, with a lease of 10 s where the defect "
        "is about a TTL",
        offers=frozenset({"claim", "answer", "ttl"}),
        packages=("dogpile.cache==1.5.0", "pytest==9.2.0"),
        smoke=True,
    ),
    Suite(
        name="py-key-value",
        file="py_key_value_suite.py",
        given="`BaseStoreTests` of its repository, which no package has: with "
        "`--py-key-value CHECKOUT`; at most 500 rows a collection",
        offers=frozenset({"ttl", "limit"}),
    ),
    Suite(
        name="barrier and count",
        file="barrier.py",
        given="four claimants at a `Barrier` for four seconds, each round on a fresh key, or on "
        "one whose row has just expired where the defect is about a TTL; one must win",
        offers=_ALL,
        smoke=True,
    ),
    Suite(
        name="onewinner",
        given="`onewinner verify TARGET -x`, with `--level crash` for `commits-late`; "
        "a correct store without `-x`",
        offers=_ALL,
        smoke=True,
    ),
)
