"""Parts of the documents that are written from the code: run it after a change of an option.

    python docs/generate.py            write them
    python docs/generate.py --check    exit 1 where one is not as the code has it

`tests/test_docs.py` holds them, so that what people read and what the programs do cannot differ.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT: Final = Path(__file__).parents[1]
_DO_NOT_EDIT: Final = "<!-- Written by `python docs/generate.py`; do not edit. -->"


def rendered() -> dict[Path, str]:
    """Answer the documents that have generated parts, as they have to be."""
    docs = ROOT / "docs"
    ci = docs / "how-to" / "ci.md"
    return {
        docs / "reference" / "cli.md": command_line(),
        docs / "reference" / "plugin.md": plugin(),
        ci: with_recipes(ci.read_text(encoding="utf-8")),
    }


# --- the command line ----------------------------------------------------------------------------


def command_line() -> str:
    """Answer the page of the command line, from its parsers."""
    from onewinner.cli import parser

    whole = parser()
    commands = _commands(whole)
    lines = [
        "# Command line",
        "",
        _DO_NOT_EDIT,
        "",
        "Results go to standard output, progress and errors to standard error.",
        "The exit code is the verdict: [what an answer means](answers.md).",
        "`python -m onewinner` is the same as `onewinner`.",
        "",
        *_table(("Command", "What it does"), ((f"[`{n}`](#{n})", h) for n, h, _ in commands)),
    ]
    for name, _, each in commands:
        lines += ["", *_command(name, each)]
    return "\n".join(lines) + "\n"


def _commands(whole: argparse.ArgumentParser) -> list[tuple[str, str, argparse.ArgumentParser]]:
    for action in whole._actions:
        if isinstance(action, argparse._SubParsersAction):
            words = {choice.dest: choice.help or "" for choice in action._choices_actions}
            return [(name, words[name], each) for name, each in action.choices.items()]
    raise LookupError("the command line has no commands")


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    actions = [each for each in parser._actions if "--help" not in each.option_strings]
    positional = [_shown(each) for each in actions if not each.option_strings]
    yield from (f"## {name}", "")
    yield from ("```text", " ".join(["onewinner", name, "[options]", *positional]), "```", "")
    yield from sentences(parser.description or "")
    yield ""
    words = ((f"`{_escaped(_shown(each))}`", _escaped(_meaning(parser, each))) for each in actions)
    yield from _table(("Argument", "Meaning"), words)
    if parser.epilog:
        yield from ("", "```text", parser.epilog.strip("\n"), "```")


def _shown(action: argparse.Action) -> str:
    value = ",".join(map(str, action.choices)) if action.choices else ""
    value = action.metavar or (f"{{{value}}}" if value else action.dest.upper())
    if not action.option_strings:
        return {"*": f"[{value} ...]", "?": f"[{value}]"}.get(str(action.nargs), value)
    name = ", ".join(action.option_strings)
    return name if action.nargs == 0 else f"{name} {value}"


def _meaning(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return parser._get_formatter()._expand_help(action) if action.help else ""


# --- the plugin ----------------------------------------------------------------------------------


def plugin() -> str:
    """Answer the page of the pytest plugin, from its options and its class."""
    from onewinner import pytest_plugin as door
    from onewinner.contract.clauses import LEVELS

    options = (
        (f"`--onewinner-{name}`", f"`onewinner_{name}`", meaning)
        for name, meaning in door._OPTIONS.items()
    )
    levels = ((f"`onewinner_level_{level}`", f"a check of level `{level}`") for level in LEVELS)
    lines = [
        "# The pytest plugin",
        "",
        _DO_NOT_EDIT,
        "",
        "It is there where onewinner is installed, and does nothing where nobody asks for it.",
        "[Write an adapter](../how-to/adapter.md#in-your-own-tests) shows both ways to use it.",
        "",
        "## Options",
        "",
        "The command line beats the class, and the class the ini file.",
        "",
        *_table(("Option", "In the ini file", "Meaning"), options),
        "",
        "## `onewinner.StoreContract`",
        "",
        *_prose(inspect.getdoc(door.StoreContract) or ""),
        "",
        "## Markers",
        "",
        *_table(("Marker", "On"), levels),
        "",
        "`-m onewinner_level_thread` runs the checks of one level.",
        "`-k CLAIM-3` runs what judges one clause.",
        "",
        "## With pytest-xdist",
        "",
        "`-n auto --dist loadgroup` shares the checks out over all cores.",
        "Races, sweeps and faults take turns, for each of them takes all cores itself.",
    ]
    return "\n".join(lines) + "\n"


# --- the recipes for CI --------------------------------------------------------------------------


def with_recipes(page: str) -> str:
    """Answer the page about CI with the files that `onewinner init` writes, and the inputs."""
    for path, text in recipes().items():
        title = rf'^```\w+ title="{re.escape(path)}"\n'
        block = re.compile(rf"({title}).*?(^```$)", re.DOTALL | re.MULTILINE)
        page, count = block.subn(lambda found, text=text: f"{found[1]}{text}{found[2]}", page)
        if count != 1:
            raise LookupError(f"docs/how-to/ci.md has {count} blocks titled {path}; write one")
    table = "\n".join(inputs())
    begin, end = "<!-- inputs: begin -->", "<!-- inputs: end -->"
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n\n{table}\n\n{end}{rest.partition(end)[2]}"


def recipes() -> dict[str, str]:
    """Answer what `onewinner init` writes for each CI service, by its path."""
    from onewinner.starter import files

    adapter = files.start("python", "none").files
    return {
        path: text
        for service in files.SERVICES
        for path, text in files.start("python", service).files.items()
        if path not in adapter
    }


def inputs() -> list[str]:
    """Answer the table of the action's inputs."""
    import yaml

    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    rows = []
    for name, given in action["inputs"].items():
        default = f"`{given['default']}`" if given.get("default") else ""
        default = "required" if given.get("required") else default
        rows.append((f"`{name}`", given["description"], default))
    return _table(("Input", "Meaning", "Default"), rows)


# --- words ---------------------------------------------------------------------------------------


def sentences(text: str) -> list[str]:
    """Answer a text, one sentence a line, as the documents have it."""
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`])", " ".join(text.split()))


def _prose(docstring: str) -> Iterator[str]:
    for number, part in enumerate(docstring.split("\n\n")):
        if number:
            yield ""
        if part.startswith("    "):
            yield from ("```python", textwrap.dedent(part), "```")
        else:
            yield from sentences(part)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the documents, or say which are not as the code has them."""
    parser: Any = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args(argv).check
    old = 0
    for path, text in rendered().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        old += 1
        print(f"{path.relative_to(ROOT)} {'is not as the code has it' if check else 'written'}")
        if not check:
            path.write_text(text, encoding="utf-8")
    return int(check and old > 0)


if __name__ == "__main__":
    sys.exit(main())
