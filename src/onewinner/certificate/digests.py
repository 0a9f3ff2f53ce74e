"""Digests that anybody can compute again with `sha256sum`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def of_bytes(content: bytes) -> str:
    """Answer the SHA-256 of some bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def of_file(path: Path) -> str:
    """Answer the SHA-256 of a file; raises OSError where it cannot be read."""
    return of_bytes(path.read_bytes())


def of_tree(root: Path, files: Iterable[Path]) -> str:
    """Answer the SHA-256 of what `sha256sum` writes of files below `root`, sorted by name.

    Raises OSError where one cannot be read.
    """
    named = sorted((path.relative_to(root).as_posix(), path) for path in files)
    return of_bytes("".join(f"{of_file(path)}  {name}\n" for name, path in named).encode())
