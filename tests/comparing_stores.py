"""Stores some of whose comparisons only the process can use that made them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from onewinner.contract import ABSENT, Compared, InvalidInput, Observation
from onewinner.stores.newer_sqlite import NewerSqliteBackend, NewerSqliteStore

if TYPE_CHECKING:
    from onewinner.contract import Intent
    from onewinner.stores.sqlite import Run


class RefusesStrangers(NewerSqliteStore):
    """What another process observed is called no comparison at all."""

    def _observation(self, look: Run, name: str) -> Observation:
        value, comparison = super()._observation(look, name)
        return Observation(value, f"{comparison}/{os.getpid()}")

    def compare_and_apply(
        self, key: str, comparison: str, intent: Intent, *, ttl_ms: int | None = None
    ) -> Compared:
        """Look first who it was that observed."""
        if not comparison.endswith(f"/{os.getpid()}"):
            raise InvalidInput(operation="compare_and_apply", message="no comparison of mine")
        return super().compare_and_apply(key, comparison, intent, ttl_ms=ttl_ms)


class MarksAbsence(NewerSqliteStore):
    """Where there is no row, each process has a mark of its own for that."""

    def _observation(self, look: Run, name: str) -> Observation:
        value, comparison = super()._observation(look, name)
        return Observation(value, f"none/{os.getpid()}" if value is ABSENT else comparison)


class RefusesStrangersBackend(NewerSqliteBackend):
    """Its handles are those of the reference but for that."""

    store = RefusesStrangers


class MarksAbsenceBackend(NewerSqliteBackend):
    """Its handles are those of the reference but for that."""

    store = MarksAbsence
