"""Checkers: they judge histories and know nothing of how one was made."""

from onewinner.checker.linearizable import check
from onewinner.checker.models import KeyValueModel, RegisterModel
from onewinner.checker.verdict import Budgets, PartitionVerdict, Verdict

__all__ = (
    "Budgets",
    "KeyValueModel",
    "PartitionVerdict",
    "RegisterModel",
    "Verdict",
    "check",
)
