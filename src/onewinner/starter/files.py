"""Which files a start takes, and how they come into somebody's directory: none is overwritten."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from importlib import metadata, resources
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Language: TypeAlias = Literal["python", "stdio"]
Service: TypeAlias = Literal["github", "gitlab", "shell", "none"]

LANGUAGES: Final[tuple[Language, ...]] = ("python", "stdio")
SERVICES: Final[tuple[Service, ...]] = ("github", "gitlab", "shell", "none")

TARGETS: Final[dict[Language, str]] = {
    "python": "python:onewinner_adapter:connect",
    "stdio": "exec:python3 onewinner_adapter.py",
}
"""What is judged, for a run from the directory that holds the adapter."""

_ADAPTERS: Final[dict[Language, tuple[tuple[str, str], ...]]] = {
    "python": (
        ("onewinner_adapter.py", "adapter_python"),
        ("test_conformance.py", "test_conformance"),
    ),
    "stdio": (("onewinner_adapter.py", "adapter_stdio"),),
}
_RECIPES: Final[dict[Service, tuple[tuple[str, str], ...]]] = {
    "github": ((".github/workflows/onewinner.yml", "github"),),
    "gitlab": ((".gitlab/onewinner.yml", "gitlab"),),
    "shell": (("onewinner-ci.sh", "shell"),),
    "none": (),
}
_NOBODY: Final = "OWNER/onewinner"


class Occupied(Exception):  # noqa: N818 - a directory is, not the kit
    """A file to be written is there already; the text names each, and says what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is written for a start: texts by their paths, what is judged then, and what is left.

    `todo` are sentences about what nobody but the user can put right.
    """

    files: dict[str, str]
    target: str
    todo: tuple[str, ...] = ()

    @property
    def commands(self) -> tuple[str, str]:
        """The two commands that come next, from the directory that holds the adapter."""
        target = shlex.quote(self.target)
        return f"onewinner smoke {target}", f"onewinner verify {target}"

    def write(self, directory: Path) -> None:
        """Write the files, and none where one is there already (Occupied); raises OSError."""
        taken = [path for path in self.files if _is_there(directory / path)]
        if taken:
            raise Occupied(_occupied(directory, taken))
        for path, text in self.files.items():
            file = directory / path
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as opened:  # never over one that came meanwhile
                opened.write(text)
            if text.startswith("#!"):
                file.chmod(file.stat().st_mode | 0o111)


def start(language: Language, service: Service) -> Start:
    """Answer what is written for an adapter in this language, and for this CI service."""
    target, repository = TARGETS[language], _repository()
    version = metadata.version("onewinner")
    words = {
        "@target@": target,
        "@quoted@": shlex.quote(target),
        "@action@": f"{repository}@v{version}",
        "@requirement@": f"onewinner=={version}",
    }
    return Start(
        files={
            path: _filled(template, words)
            for path, template in (*_ADAPTERS[language], *_RECIPES[service])
        },
        target=target,
        todo=tuple(_todo(service, repository)),
    )


def _filled(template: str, words: dict[str, str]) -> str:
    text = resources.files("onewinner.starter").joinpath("templates", f"{template}.txt")
    filled = text.read_text(encoding="utf-8")
    for word, meaning in words.items():
        filled = filled.replace(word, meaning)
    return filled


def _repository() -> str:
    """Answer `owner/name` of the repository that holds the action, as this package states it."""
    begin = "https://github.com/"
    stated: list[str] = metadata.metadata("onewinner").get_all("Project-URL") or []
    for line in stated:
        label, _, url = line.partition(", ")
        if label.casefold() in {"repository", "source"} and url.startswith(begin):
            return url.removeprefix(begin).removesuffix("/")
    return _NOBODY


def _todo(service: Service, repository: str) -> Iterator[str]:
    if service == "github" and repository == _NOBODY:
        yield (
            "in .github/workflows/onewinner.yml write the account that holds onewinner in place "
            "of OWNER"
        )
    if service == "gitlab":
        yield "let .gitlab-ci.yml include .gitlab/onewinner.yml, as its first lines say"


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _occupied(directory: Path, taken: list[str]) -> str:
    named = ", ".join(str(directory / path) for path in taken)
    recipes = {path for files in _RECIPES.values() for path, _ in files}
    more = ", or leave the CI file out (--ci none)" if recipes.issuperset(taken) else ""
    return (
        f"{named}: there already, and init overwrites nothing; move it away, or name another "
        f"directory (onewinner init DIR){more}"
    )
