"""Keeps histories of races and of faults on disk, so that anybody can judge them again.

Only those that the claim model judges: where rows are evicted on purpose it would accuse the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner import history

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from onewinner.history import Operation, Remark


class Kept:
    """The folder into which a check writes each of its histories: `CHECK-NUMBER.jsonl`."""

    def __init__(self, folder: Path, check: str, eps_ms: int) -> None:
        self._eps_ms = eps_ms
        self._folder = folder
        self._check = check
        self._number = 0

    def write(self, operations: Iterable[Operation], remarks: Iterable[Remark] = ()) -> Path:
        """Write one history, and answer where; an older file of that name is overwritten.

        Raises OSError where it cannot be written.
        """
        self._number += 1
        path = self._folder / f"{self._check}-{self._number:04}.jsonl"
        history.write(path, operations, eps_ms=self._eps_ms, remarks=remarks)
        return path
