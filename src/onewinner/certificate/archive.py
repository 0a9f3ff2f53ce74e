"""The archive of the histories of a certificate: the same histories make the same bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDING: Final = ".histories.tar.gz"
MOST_BYTES: Final = 256 << 20
"""What an archive may unpack to, so that one from elsewhere cannot fill the memory."""


class ArchiveError(Exception):
    """The archive cannot be read: what is wrong with it."""


def beside(certificate: str) -> Path:
    """Answer where the histories of a certificate lie: beside it, by its name."""
    path = Path(certificate)
    return path.with_name(f"{path.stem}{ENDING}")


def write(path: Path, contents: Mapping[str, bytes]) -> None:
    """Write files by their names. Raises OSError where that cannot be."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def read(path: Path) -> dict[str, bytes]:
    """Answer the files by their names; none is written anywhere.

    Raises FileNotFoundError where there is no archive, ArchiveError where it cannot be read.
    """
    found: dict[str, bytes] = {}
    left = MOST_BYTES
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                left -= member.size
                if refusal := _refusal(member, left, found):
                    raise ArchiveError(refusal)
                content = archive.extractfile(member)
                assert content is not None  # it is a file
                found[member.name] = content.read()
    except FileNotFoundError:
        raise
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ArchiveError(f"it is no archive of histories ({error})") from error
    return found


def _refusal(member: tarfile.TarInfo, left: int, found: Mapping[str, bytes]) -> str:
    """Say why a member is not read; nothing where it is."""
    if not member.isfile():
        return f"{member.name!r} is no file"
    if left < 0:
        return f"it unpacks to more than {MOST_BYTES:,} bytes"
    return f"{member.name!r} stands there twice" if member.name in found else ""
