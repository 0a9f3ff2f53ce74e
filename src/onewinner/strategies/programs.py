"""Hypothesis strategies for the arguments of programs: right ones, nasty ones and wrong ones."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from onewinner.strategies.nasty import (
    DISTINCT_KEYS,
    NAMESPACES_REFUSED,
    TRIMMED_PAIRS,
    TRIPLES,
    UNKEEPABLE_KEYS,
    VALUES,
)

PLAIN_KEYS: Final = ("a", "b", "c", "d")
WRONG_COUNTS: Final[tuple[Any, ...]] = (0, -1, 1.5, "1", True, float("nan"))


# Drawn by name and through plain functions: Hypothesis writes down, hashes and compares the text
# of what it samples from and maps with, and these are long.
_WRONG_KEYS: Final[dict[str, Any]] = {
    "empty": "",
    "blank": "  ",
    "tab": "\t",
    "long": "k" * 4_096,
    "wide": "é" * 2_048,
    "none": None,
    "number": 7,
}
_WRONG_VALUES: Final[dict[str, Any]] = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "object": object(),
    "set": {1, 2},
    "nan inside": [float("nan")],
    "object inside": {"a": object()},
    "too big": "x" * 1_048_577,
}


def _wrong_key(name: str) -> Any:
    return _WRONG_KEYS[name]


def _wrong_value(name: str) -> Any:
    return _WRONG_VALUES[name]


def key_pools(*, validates: bool) -> st.SearchStrategy[list[str]]:
    """Pools of three to six keys; a program draws all its keys from one, so that they collide.

    Half of the pools are plain, the others hold keys that careless stores fold into one another.
    """
    groups = [*DISTINCT_KEYS, UNKEEPABLE_KEYS]
    if validates:
        groups += [*TRIMMED_PAIRS, ("k" * 511 + "x", "k" * 511 + "y", "k" * 511)]
    nasty = st.sampled_from(groups).map(lambda group: [*group[:4], "a"])
    return st.one_of(st.just(list(PLAIN_KEYS)), nasty)


def places() -> st.SearchStrategy[tuple[str, str]]:
    """A plugin and a namespace: few of them, so that they repeat, some of them nearly equal."""
    near = st.sampled_from([triple[:2] for triple in TRIPLES])
    plain = st.sampled_from([("p", "n"), ("p", "m"), ("q", "n")])
    return st.one_of(plain, near)


def values() -> st.SearchStrategy[Any]:
    """JSON values: mostly small and distinct, sometimes odd."""
    return st.one_of(st.integers(0, 9), st.sampled_from(VALUES), st.lists(st.integers(0, 3)))


def ttls(unit_ms: int) -> st.SearchStrategy[int | None]:
    """TTLs that a program outlives, in whole units; None for none."""
    few = st.integers(1, 4).map(lambda units: units * unit_ms)
    return st.one_of(st.none(), few, st.just(1000 * unit_ms))


def wrong_keys() -> st.SearchStrategy[Any]:
    """Keys that are refused (INPUT-4)."""
    return st.sampled_from(sorted(_WRONG_KEYS)).map(_wrong_key)


def wrong_ttls() -> st.SearchStrategy[Any]:
    """TTLs that are refused (INPUT-6)."""
    return st.sampled_from(WRONG_COUNTS)


def wrong_values() -> st.SearchStrategy[Any]:
    """Values that are refused (INPUT-7 to INPUT-9)."""
    return st.sampled_from(sorted(_WRONG_VALUES)).map(_wrong_value)


def wrong_openings() -> st.SearchStrategy[dict[str, Any]]:
    """Arguments with which no namespace opens (INPUT-1 to INPUT-3, INPUT-6)."""
    right = {"plugin": "p", "namespace": "never", "max_entries": 3}
    return st.one_of(
        st.sampled_from(NAMESPACES_REFUSED).map(lambda name: {**right, "namespace": name}),
        st.sampled_from(WRONG_COUNTS).map(lambda count: {**right, "max_entries": count}),
        st.just({**right, "plugin": "core:state"}),
    )
