"""Cases: small programs, each about one clause, whose every answer is held against the model."""

from onewinner.suite.cases import (
    caps,
    claims,
    clocks,
    comparisons,
    durability,
    eviction,
    expiry,
    inputs,
    isolation,
    newer,
    newer_writes,
    readers,
    realtime,
    removers,
)
from onewinner.suite.cases.case import CASES, Case, run_case

__all__ = (
    "CASES",
    "Case",
    "caps",
    "claims",
    "clocks",
    "comparisons",
    "durability",
    "eviction",
    "expiry",
    "inputs",
    "isolation",
    "newer",
    "newer_writes",
    "readers",
    "realtime",
    "removers",
    "run_case",
)
