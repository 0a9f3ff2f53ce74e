"""Mutants: the reference stores with one defect each, to prove what the gate sees.

Every mutant is a changed line or method of a reference store, carries the lesson of its defect, and
names the clauses that may flag it, the expected one first. Each is a target: `mutant:NAME`.
"""

from onewinner.mutants import (
    answers,
    atomicity,
    caps,
    crashes,
    durability,
    errors,
    eviction,
    expiry,
    file_errors,
    file_rows,
    files,
    handles,
    inputs,
    isolation,
    likenesses,
    locks,
    many_rows,
    newer,
    newer_races,
    newer_writes,
    opening,
    readers,
    servers,
    upserts,
    values,
    widths,
)
from onewinner.mutants.registry import Mutant, collected

MUTANTS: dict[str, Mutant] = collected(
    answers,
    atomicity,
    caps,
    crashes,
    durability,
    errors,
    eviction,
    expiry,
    file_errors,
    file_rows,
    files,
    handles,
    inputs,
    isolation,
    likenesses,
    locks,
    many_rows,
    newer,
    newer_races,
    newer_writes,
    opening,
    readers,
    servers,
    upserts,
    values,
    widths,
)

__all__ = ("MUTANTS", "Mutant")
