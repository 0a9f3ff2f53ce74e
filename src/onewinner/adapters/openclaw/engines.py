"""Node.js for a release: the one on PATH where it will do, else one from the npm registry."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Final

from onewinner.adapters.openclaw import npm

if TYPE_CHECKING:
    from pathlib import Path

_ARCHITECTURES: Final = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_COMPARATOR: Final = re.compile(r"(>=|<=|>|<|\^|=)?v?(\d+)(?:\.(\d+))?(?:\.(\d+))?$")
_INFINITE: Final = (1 << 30, 0, 0)


def satisfies(version: str, wanted: str) -> bool:
    """Tell whether a version is in a range as packages write them: `>=22.14 <23 || >=24.1`.

    Knows comparators and the caret; a range of another form holds no version.
    """
    found = _numbers(version)
    return any(
        all(_within(found, each) for each in part.replace("= ", "=").split())
        for part in wanted.replace("> ", ">").replace("< ", "<").split("||")
    )


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in version.lstrip("v").partition("-")[0].split("."))
    return major, minor, patch


def _within(version: tuple[int, int, int], comparator: str) -> bool:
    found = _COMPARATOR.match(comparator)
    if found is None:
        return False
    bound = (int(found[2]), int(found[3] or 0), int(found[4] or 0))
    match found[1]:
        case ">=":
            return version >= bound
        case ">":
            return version > bound
        case "<=":
            return version <= bound
        case "<":
            return version < bound
        case "^":
            return bound <= version < (bound[0] + 1, 0, 0)
        case _:
            return version == bound


def on_path(wanted: str) -> str | None:
    """Answer the Node.js on PATH where its version is in the range."""
    program = shutil.which("node")
    if program is None:
        return None
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    try:
        return program if satisfies(done.stdout.strip(), wanted) else None
    except ValueError:
        return None


def cached(cache: Path, wanted: str) -> str | None:
    """Answer a Node.js that was downloaded before and is in the range, the oldest line of them."""
    found = [
        path for path in (cache / "node").glob("*/node") if satisfies(path.parent.name, wanted)
    ]
    return str(min(found, key=_preference)) if found else None


def _preference(path: Path) -> tuple[int, int, int]:
    return _first_of_line(path.parent.name)


def _first_of_line(version: str) -> tuple[int, int, int]:
    """Order versions: the oldest line comes first, and in it the newest version."""
    major, minor, patch = _numbers(version)
    return major, -minor, -patch


def download(cache: Path, wanted: str, scratch: Path) -> str:
    """Download the newest Node.js of the oldest line that is in the range.

    It is the program alone. Raises npm.RegistryError where there is none for this machine.
    """
    system, machine = sys.platform, _ARCHITECTURES.get(platform.machine().lower())
    package = f"node-{system}-{machine}"
    found = [each for each in npm.versions(package, wanted) if "-" not in each]
    if not found:
        raise npm.RegistryError(
            f"the registry has no {package} in the range {wanted}; install a Node.js of that range "
            f"and put it on PATH"
        )
    version = min(found, key=_first_of_line)
    tarball = npm.tarball(package, version, scratch)
    made = scratch / "node"
    with tarfile.open(tarball) as archive:
        member = next(each for each in archive if each.name.endswith("/bin/node"))
        content = archive.extractfile(member)
        assert content is not None
        with made.open("wb") as file:
            shutil.copyfileobj(content, file)
    made.chmod(0o755)
    place = cache / "node" / version
    place.mkdir(parents=True, exist_ok=True)
    os.replace(made, place / "node")  # noqa: PTH105 - by name, and whole at once
    return str(place / "node")
