"""What the site takes from outside of docs/: the specifications, the architecture, linked files.

MkDocs calls the functions that begin with `on_` (`hooks` in mkdocs.yml). Documents are written for
the repository, where each link names a file; here such links are led to the page of that file, or
to the file itself, which is then put into the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    **{
        path.relative_to(ROOT).as_posix(): path.relative_to(ROOT).as_posix()
        for path in sorted(ROOT.glob("specs/**/*.md"))
    },
}
"""Documents that lie elsewhere, with their places in the site."""

_CODE: Final = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK: Final = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_FILES: Final = "files"


def on_config(config: Any) -> Any:
    """Put every specification into the navigation."""
    reference = next(part["Reference"] for part in config.nav if "Reference" in part)
    reference.extend(place for place in PAGES.values() if place.startswith("specs/"))
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the documents from elsewhere, and every file that a document links to."""
    from mkdocs.structure.files import File

    for source, place in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, place, content=text))
    for source in sorted(linked_files()):
        content = (ROOT / source).read_bytes()
        files.append(File.generated(config, f"{_FILES}/{source}", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead the links of a page to where things are in the site."""
    place = page.file.src_uri
    return relinked(markdown, source_of(place), place)


def source_of(place: str) -> str:
    """Answer which file of the repository is shown at a place of the site."""
    elsewhere = {there: source for source, there in PAGES.items()}
    return elsewhere.get(place, f"docs/{place}")


def place_of(source: str) -> str | None:
    """Answer where a file of the repository is in the site, None where it is no file."""
    if source == "README.md":
        return "index.md"
    if source in PAGES:
        return PAGES[source]
    if source.startswith("docs/"):
        return source.removeprefix("docs/")
    return f"{_FILES}/{source}" if (ROOT / source).is_file() else None


def relinked(markdown: str, source: str, place: str) -> str:
    """Answer the text of a document with its links as the site has them."""

    def lead(found: re.Match[str]) -> str:
        words, target = found.groups()
        path, hash_, anchor = target.partition("#")
        if not path or ":" in path:  # within the page, or an address
            return found[0]
        there = place_of(_resolved(source, path))
        if there is None:  # a directory
            return f"{words}"
        link = posixpath.relpath(there, posixpath.dirname(place) or ".")
        return f"[{words}]({link}{hash_}{anchor})"

    return _outside_code(markdown, lambda text: _LINK.sub(lead, text))


def linked_files() -> set[str]:
    """Answer the files of the repository, pages left out, that some document links to."""
    documents = [f"docs/{path.relative_to(ROOT / 'docs').as_posix()}" for path in _documents()]
    found = {
        _resolved(source, path)
        for source in (*documents, *PAGES)
        for path in _linked((ROOT / source).read_text(encoding="utf-8"))
    }
    return {each for each in found if (place_of(each) or "").startswith(f"{_FILES}/")}


def _documents() -> list[Path]:
    return sorted((ROOT / "docs").rglob("*.md"))


def _linked(markdown: str) -> Iterator[str]:
    for _, target in _LINK.findall(_CODE.sub("", markdown)):
        path = target.partition("#")[0]
        if path and ":" not in path:
            yield path


def _resolved(source: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), path))


def _outside_code(markdown: str, change: Callable[[str], str]) -> str:
    parts, at = [], 0
    for code in _CODE.finditer(markdown):
        parts += [change(markdown[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*parts, change(markdown[at:])])
