"""What goes wrong with files when one system call fails: what is answered, what is tidied up."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onewinner.contract import ABSENT
from onewinner.mutants.file_rows import FileRows, FileRowsBackend
from onewinner.mutants.registry import mutant

if TYPE_CHECKING:
    from collections.abc import Iterator


class _RenameErrorSwallowedRows(FileRows):
    def write(self, key: str, value: Any, ttl_ms: int | None) -> None:
        whole = self.path(key).with_suffix(".new")
        whole.write_text(self.row(value, ttl_ms), "utf-8")
        with contextlib.suppress(OSError):
            whole.replace(self.path(key))


@mutant("ERR-5", shows="faults")
class RenameErrorSwallowed(FileRowsBackend):
    """The row is written, and that it could not get its name is told to nobody: all claims win."""

    store = _RenameErrorSwallowedRows


class _UndoRemovesWhoeverIsThereRows(FileRows):
    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        whole = self.path(key).with_suffix(".new")
        with self.alone():
            if self.read(key) is ABSENT:
                self.path(key).unlink(missing_ok=True)
            whole.write_text(self.row(value, ttl_ms), "utf-8")
            try:
                os.link(whole, self.path(key))
            except FileExistsError:
                return False
            except OSError:
                self.path(key).unlink(missing_ok=True)
                raise
            finally:
                whole.unlink()
            return True


@mutant("ERR-6", shows="faults")
class UndoRemovesWhoeverIsThere(FileRowsBackend):
    """After an error the claim is undone, also where the row that is there is somebody else's."""

    store = _UndoRemovesWhoeverIsThereRows


class _LockTakenAwayOnAnErrorRows(FileRows):
    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        try:
            with super().alone():
                yield
        except OSError:
            Path(self.home, ".lock").unlink(missing_ok=True)
            raise


@mutant("ERR-6", shows="faults")
class LockTakenAwayOnAnError(FileRowsBackend):
    """Whoever meets an error removes the lock file, while another holds it: the next gets in."""

    store = _LockTakenAwayOnAnErrorRows


class _UnlinkErrorSwallowedRows(FileRows):
    def delete(self, key: str) -> bool:
        with self.alone():
            there = self.read(key) is not ABSENT
            with contextlib.suppress(OSError):
                self.path(key).unlink()
            return there


@mutant("DEL-1", shows="faults")
class UnlinkErrorSwallowed(FileRowsBackend):
    """The file could not be removed, and the answer is that it was: the key stays held."""

    store = _UnlinkErrorSwallowedRows
