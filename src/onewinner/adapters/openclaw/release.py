"""What of a release is needed: the file with the store, and all that it imports.

A release is one bundle of thousands of files, whose names carry a hash and whose exports are
renamed, so both are read from the files themselves.
"""

from __future__ import annotations

import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import BASE
from onewinner.contract.capabilities import NEWER

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_WITH_STORE: Final = (2026, 4, 29)
"""The first release that has the store."""

_SUFFIXES: Final = frozenset({".js", ".mjs", ".cjs", ".json"})
_IMPORT: Final = re.compile(
    r"""^import\s*(?:[^;"'()]*?\bfrom\s*)?["']([^"'\n]+)["']"""
    r"""|^export\s[^;"'()=]*?\bfrom\s*["']([^"'\n]+)["']""",
    re.MULTILINE,
)
_EXPORTS: Final = re.compile(r"^export\s*\{([^}]*)\}", re.MULTILINE)
_STORES: Final = ("createPluginStateSyncKeyedStore", "createPluginStateKeyedStore")
_CLOSERS: Final = (
    "closePluginStateSqliteStore", "closePluginStateDatabase", "closePluginStateDatabaseAsync",
)  # fmt: skip
_TAKEN: Final = {
    "create": _STORES,
    "close": _CLOSERS,
    "sweepExpired": ("sweepExpiredPluginStateEntries",),
}
_VALUE_BYTES: Final = re.compile(r"VALUE_BYTES = (\d+);|encode\(json\)\.byteLength > (\d+)\)")
_PLUGIN_ROWS: Final = re.compile(r"ENTRIES_PER_PLUGIN = ([\d.e]+);")


class NoStoreError(Exception):
    """A release that has no store, or none that is found where it is looked for."""


@dataclass(frozen=True, slots=True)
class Release:
    """An unpacked release, or what is left of one.

    `entry` is the file with the store, below the release; `exports` are the names under which it
    exports what the adapter uses; `limits` are capabilities that its constants tell, as the
    protocol spells them; `packages` are those that it imports, as `NAME@RANGE`; `node` is the range
    of versions of Node.js that it runs on.
    """

    entry: str
    exports: dict[str, str]
    limits: dict[str, Any]
    files: tuple[str, ...]
    packages: tuple[str, ...]
    node: str


def unpack(tarball: Path, into: Path) -> None:
    """Unpack the code of a package, without what else it brings."""
    with tarfile.open(tarball) as archive:
        for member in archive:
            inside = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            wanted = inside.suffix in _SUFFIXES and inside.parts[0] in {"dist", "package.json"}
            if not member.isfile() or not wanted or ".." in inside.parts:
                continue
            content = archive.extractfile(member)
            assert content is not None
            path = into / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())


def read(directory: Path) -> Release:
    """Find the store in an unpacked release. Raises NoStoreError where there is none."""
    directory = directory.resolve()  # as the paths of its imports are
    package = json.loads((directory / "package.json").read_text("utf-8"))
    entry, exports = _entry(directory / "dist")
    files, bare = _closure(directory, entry)
    ranges: dict[str, str] = package.get("dependencies", {})
    return Release(
        entry=str(entry.relative_to(directory)),
        exports=exports,
        limits=_limits("".join(path.read_text("utf-8") for path in _stores(directory, files))),
        files=("package.json", *sorted(files)),
        packages=tuple(f"{name}@{ranges[name]}" for name in sorted(bare) if name in ranges),
        node=package.get("engines", {}).get("node", ">=22.14"),
    )


def _entry(dist: Path) -> tuple[Path, dict[str, str]]:
    """Answer the file that makes stores, and the names of its exports by what they are for."""
    for path in sorted(dist.glob("plugin-state-store-*js")):
        text = path.read_text("utf-8")
        exports = _exports(text)
        if any(f"function {maker}(" in text and maker in exports for maker in _STORES):
            return path, {
                use: next(exports[name] for name in names if name in exports)
                for use, names in _TAKEN.items()
                if any(name in exports for name in names)
            }
    raise NoStoreError("no file of it defines createPluginStateKeyedStore")


def _exports(text: str) -> dict[str, str]:
    """Answer what a file exports: the name in the file, and the one that others import."""
    named = [part.split(" as ") for each in _EXPORTS.findall(text) for part in each.split(",")]
    return {names[0].strip(): names[-1].strip() for names in named}


def _closure(directory: Path, entry: Path) -> tuple[set[str], set[str]]:
    """Answer the files that are needed, below the release, and the packages that they import."""
    files: set[str] = set()
    bare: set[str] = set()
    waiting = [entry]
    while waiting:
        path = waiting.pop()
        name = str(path.relative_to(directory))
        if name in files:
            continue
        files.add(name)
        for imported in _imports(path.read_text("utf-8")):
            if imported.startswith("."):
                waiting.append((path.parent / imported).resolve())
            elif not imported.startswith("node:"):
                bare.add(_package(imported))
    return files, bare


def _imports(text: str) -> Iterator[str]:
    for found in _IMPORT.finditer(text):
        yield found[1] or found[2]


def _package(imported: str) -> str:
    parts = imported.split("/")
    return "/".join(parts[:2] if imported.startswith("@") else parts[:1])


def _stores(directory: Path, files: set[str]) -> list[Path]:
    """Answer the files of the store itself."""
    return [directory / name for name in files if Path(name).name.startswith("plugin-state-")]


def _limits(text: str) -> dict[str, Any]:
    """Answer what the constants of a store say of its limits.

    A cap of another size comes with another policy (the namespace that is written to is evicted
    from), which no profile describes: it is not declared.
    """
    size, cap = _VALUE_BYTES.search(text), _PLUGIN_ROWS.search(text)
    found: dict[str, Any] = {}
    if size is not None and int(size[1] or size[2]) > BASE.max_value_bytes:
        found["profile"] = NEWER.name
    if cap is not None and float(cap[1]) == BASE.plugin_row_cap:
        found["pluginRowCap"] = BASE.plugin_row_cap
    return found
