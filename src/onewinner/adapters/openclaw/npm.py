"""Packages of the npm registry, through `npm`: its settings, proxies and certificates apply."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

_MISSING: Final = frozenset({"E404", "ETARGET", "ENOVERSIONS"})
_TIMEOUT_S: Final = 900.0
# One more try, soon: who is offline wants to be told so.
_TRIES: Final = (
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=500",
    "--fetch-retry-maxtimeout=500",
)


class RegistryError(Exception):
    """A package cannot be had: what was asked of the registry, and what went wrong."""


class NotPublishedError(RegistryError):
    """The registry answers, and has no such package or version."""


def versions(package: str, wanted: str = "*") -> list[str]:
    """Answer the published versions of a package that a range allows, in no order."""
    try:
        found = _asked("view", f"{package}@{wanted}", "version")
    except NotPublishedError:
        return []
    return [found] if isinstance(found, str) else list(found or ())


def all_versions(package: str) -> list[str]:
    """Answer every published version of a package, betas included, in no order."""
    found = _asked("view", package, "versions")
    return [found] if isinstance(found, str) else list(found or ())


def tarball(package: str, version: str, into: Path) -> Path:
    """Download the tarball of a version and answer where it lies.

    Raises RegistryError where it is not the one of which the registry has the checksum.
    """
    wanted = f"{package}@{version}"
    integrity = _asked("view", wanted, "dist.integrity")
    if not isinstance(integrity, str) or not integrity.startswith("sha512-"):
        raise RegistryError(f"the registry answers {integrity!r} for the checksum of {wanted}")
    before = set(into.glob("*.tgz"))
    _run("pack", wanted, "--ignore-scripts", "--pack-destination", str(into))
    (made,) = set(into.glob("*.tgz")) - before
    found = base64.b64encode(_sha512(made)).decode("ascii")
    if found != integrity.removeprefix("sha512-"):
        made.unlink()
        raise RegistryError(
            f"what was downloaded as {wanted} has the checksum sha512-{found}, and the registry "
            f"says {integrity}; try again"
        )
    return made


def install(into: Path, packages: list[str]) -> None:
    """Install packages, each `NAME@RANGE`, with what they need, below `into`; no script is run."""
    _run(
        "install", "--prefix", str(into), "--ignore-scripts", "--no-save", "--no-package-lock",
        "--omit=dev", "--omit=optional", "--omit=peer", *packages,
    )  # fmt: skip


def _sha512(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha512").digest()


def _asked(*words: str) -> Any:
    """Answer what npm says to a question, as JSON says it; None for nothing."""
    said = _run(*words)
    return json.loads(said) if said.strip() else None


def _run(*words: str) -> str:
    program = shutil.which("npm")
    if program is None:
        raise RegistryError(
            "npm, which downloads from the registry, was not found on PATH; install Node.js with "
            "npm (on Debian: apt-get install nodejs npm)"
        )
    told = f"npm {' '.join(words[:2])}"
    try:
        done = subprocess.run(
            [program, *words, "--json", "--no-audit", "--no-fund", *_TRIES],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise RegistryError(f"{told} did not end within {_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        raise _failed(told, done)
    return done.stdout


def _failed(told: str, done: subprocess.CompletedProcess[str]) -> RegistryError:
    """Answer the error of an npm that failed, which tells in JSON why."""
    code, summary = "", ""
    try:
        error = json.loads(done.stdout)["error"]
        code, summary = str(error.get("code") or ""), str(error.get("summary") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        summary = done.stderr.strip().rpartition("\n")[2]
    why = f"{told} failed with {code or f'exit code {done.returncode}'}: {summary.strip():.300}"
    return NotPublishedError(why) if code in _MISSING else RegistryError(why)
