"""What was judged, as subjects of a Statement: each has a name and a digest that anybody can take.

A `python:` target is the file that its factory stands in; a command is the files among its words,
or its program where none of them is one; a release is the files that were fetched; what comes with
the kit is the kit's own sources. `annotations.digestOf` says which.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onewinner.adapters.targets import TargetError, command_of
from onewinner.certificate import digests, plain
from onewinner.certificate.score import source_digest
from onewinner.certificate.words import Digest, Resource
from onewinner.survey.catalogue import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.adapters.targets import Target

_FETCHED: Final = "openclaw@"
_NOTE: Final = "release.json"  # which program of this machine runs a release


def subjects_of(target: Target, source: tuple[str, int] | None) -> list[Resource]:
    """Answer what a target is; `source` is where its adapter begins, as far as a run saw it."""
    kind, colon, rest = target.name.partition(":")
    if target.given is not None or (colon and kind == "python"):
        return [_python(target, rest.partition(":")[0], source)]
    if target.name.startswith(_FETCHED):
        return [_release(target)]
    if target.served:
        return list(_command(target)) or [_by_name(target.name, "the command's words")]
    return [_own(target)]


def _python(target: Target, module: str, source: tuple[str, int] | None) -> Resource:
    file = Path(source[0]) if source is not None else _file_of(module)
    if file is None or not file.is_file():
        return _by_name(target.name, "the target's name: its source file was not found")
    return Resource(
        name=plain.told(target.name),
        digest=Digest(sha256=digests.of_file(file)),
        annotations={
            "digestOf": "the source file of the adapter",
            "file": plain.told(file.name),
            **_distribution(module),
        },
    )


def _file_of(module: str) -> Path | None:
    """Answer the file of a module without importing it; None where it cannot be found so."""
    parts = module.split(".")
    where = [str(Path.cwd()), *sys.path]
    with suppress(KeyError, ImportError):  # a part of a namespace whose parent was not imported
        for end in range(1, len(parts) + 1):
            found = importlib.machinery.PathFinder.find_spec(".".join(parts[:end]), where)
            if found is None:
                return None
            if end == len(parts):
                return None if found.origin is None else Path(found.origin)
            where = list(found.submodule_search_locations or ())
    return None


def _distribution(module: str) -> dict[str, str]:
    """Answer name and version of the distribution that holds a module, where there is one."""
    top = module.partition(".")[0]
    name = next(iter(importlib.metadata.packages_distributions().get(top, ())), top)
    try:
        return {"distribution": name, "version": importlib.metadata.version(name)}
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return {}


def _command(target: Target) -> Iterator[Resource]:
    try:
        words = command_of(target.name)
    except TargetError:
        return
    named = {word: Path(word) for word in words if Path(word).is_file()}
    if not named and (program := shutil.which(words[0])):
        named = {words[0]: Path(program)}
    for word, file in named.items():
        name = plain.told(file.name if file.is_absolute() else word)
        with suppress(OSError):
            yield Resource(
                name=name,
                digest=Digest(sha256=digests.of_file(file)),
                annotations={"digestOf": "a file of the command"},
            )


def _release(target: Target) -> Resource:
    name, _, version = target.name.partition("@")
    home = Path(command_of(target.name)[-1])
    files = (f for f in home.rglob("*") if f.is_file() and f != home / _NOTE)
    return Resource(
        name=plain.told(target.name),
        digest=Digest(sha256=digests.of_tree(home, files)),
        uri=f"pkg:npm/{name}@{version}",
        annotations={"digestOf": "the files of the release that hold the store"},
    )


def _own(target: Target) -> Resource:
    """Answer what comes with the kit, an adapter with the packages that it drives."""
    packages = {}
    for package in listed(target.name).packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            packages[f"version of {package}"] = importlib.metadata.version(package)
    version = importlib.metadata.version("onewinner")
    return Resource(
        name=plain.told(target.name),
        digest=Digest(sha256=source_digest()),
        annotations={"digestOf": f"the sources of onewinner {version}", **packages},
    )


def _by_name(name: str, what: str) -> Resource:
    """Answer what has no file: its digest is that of its name, and says nothing more."""
    digest = digests.of_bytes(name.encode("utf-8", "surrogatepass"))
    return Resource(
        name=plain.told(name), digest=Digest(sha256=digest), annotations={"digestOf": what}
    )
