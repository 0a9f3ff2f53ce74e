"""Histories: what the processes of a run did, and what was answered; in memory and on disk."""

from onewinner.history.imports import read_any
from onewinner.history.jsonl import HistoryError, Reader, Recording, Remark, read, stream, write
from onewinner.history.operation import Fail, Info, Ok, Operation, Outcome

__all__ = (
    "Fail",
    "HistoryError",
    "Info",
    "Ok",
    "Operation",
    "Outcome",
    "Reader",
    "Recording",
    "Remark",
    "read",
    "read_any",
    "stream",
    "write",
)
