"""Runs work in child processes: one call at a time, or rounds of a race on a pool of workers."""

from __future__ import annotations

from onewinner.runner.calling import Ended, call_in_child
from onewinner.runner.plan import Block, Played, PlayedBlock
from onewinner.runner.pool import WorkerLost, WorkerPool
from onewinner.runner.process import Child, ChildError
from onewinner.runner.side_by_side import in_children

__all__ = (
    "Block",
    "Child",
    "ChildError",
    "Ended",
    "Played",
    "PlayedBlock",
    "WorkerLost",
    "WorkerPool",
    "call_in_child",
    "in_children",
)
