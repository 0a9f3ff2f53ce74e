"""What can be asked on the command line: commands, options, and how they are spelt."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from onewinner.arguments import asked, count, duration, milliseconds, seed_number
from onewinner.contract.clauses import LEVELS, select
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Command: TypeAlias = "Callable[[argparse.Namespace], ExitCode]"

_EPILOG: Final = """\
TARGET is a built-in store (sqlite, memory, ...), python:package.module:connect,
exec:COMMAND for any language (specs/protocol.md), or mutant:NAME, one of the
kit's own broken stores.

exit codes: 0 conforms; 1 violated; 2 interrupted; 3 internal error; 4 usage, or
the target could not start; 5 nothing ran; 7 inconclusive
"""
_EPILOGS: Final = {
    "list": None,
    "doctor": "exit codes: 0 all is right; 1 one missed, accused or in error; 7 inconclusive\n",
    "survey": """\
TARGET as for verify; without one, the stores of other projects that onewinner has
adapters for. Each is judged in a process of its own, up to the highest level that
its scope allows.

exit codes: 0 all is as the catalogue has it, known violations included; 1 a store
breaks what is not in the catalogue, or keeps what it is known to break; 3 the gate
broke; 4 usage; 5 nothing ran; 7 a store could not be run, or a clause not be tested
""",
    "check": "exit codes: 0 valid; 1 invalid; 4 FILE is no history; 7 unknown\n",
}


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors end with the usage exit code of the gate."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(int(ExitCode.USAGE), f"{self.prog}: {message}\n")


class _Version(argparse.Action):
    """Look the version up only when it is asked for: that takes as long as all the rest."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        import onewinner

        print(f"onewinner {onewinner.__version__}")
        parser.exit(0)


def parser_for(commands_of: Mapping[str, Command]) -> argparse.ArgumentParser:
    """Answer the parser of the command line; each command is given by its name."""
    parser = _Parser(
        prog="onewinner",
        description="Judge a keyed store with an atomic claim, clause by clause.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _verify_parser(commands, commands_of["verify"])
    one = _command(
        commands,
        "smoke",
        commands_of["smoke"],
        "judge the adapter in seconds: one win, one refusal",
    )
    _target_arguments(one)
    _check_parser(commands, commands_of["check"])
    _replay_parser(commands, commands_of["replay"])
    _doctor_parser(commands, commands_of["doctor"])
    _survey_parser(commands, commands_of["survey"])
    show = _command(
        commands, "list", commands_of["list"], "show the clauses, their levels and needs"
    )
    _level_argument(show, "only the clauses that a store must hold at this level")
    show.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _verify_parser(commands: Any, run: Command) -> None:
    parser = _command(commands, "verify", run, "judge a store clause by clause")
    _target_arguments(parser)
    _level_argument(parser, "the highest level to judge (default: the highest that applies)")
    parser.add_argument(
        "--budget", metavar="TIME", type=asked(duration), help="time for programs and races: 60s"
    )
    parser.add_argument(
        "--seed", metavar="N", type=asked(seed_number), help="repeat the choices of a run: 0x51ab"
    )
    _select_argument(parser)
    parser.add_argument(
        "-x", dest="stop_at_first", action="store_true", help="stop at the first violation"
    )
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON")
    parser.add_argument("--junitxml", metavar="FILE", help="write the result as JUnit XML")
    parser.add_argument(
        "--histories", metavar="DIR",
        help="keep histories in which nobody is evicted, of races and faults, for onewinner check",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def _check_parser(commands: Any, run: Command) -> None:
    from onewinner.checker.claims import EPS_MS
    from onewinner.suite.offline import MODELS

    parser = _command(commands, "check", run, "judge a history that was recorded")
    parser.add_argument("file", metavar="FILE", help="JSON Lines, see specs/history.md")
    parser.add_argument(
        "--model", choices=MODELS, help="what was used (default: by the names of the operations)"
    )
    parser.add_argument(
        "--explain", action="store_true", help="show the few operations that make it invalid"
    )
    parser.add_argument(
        "--budget", metavar="TIME", type=asked(duration), default=60.0,
        help="time to search, after which the verdict is unknown (default: 60s)",
    )  # fmt: skip
    parser.add_argument(
        "--eps-ms", metavar="MS", type=asked(milliseconds),
        help="how far the store's clock may be off the history's (default: what the file says, "
        f"else {EPS_MS})",
    )  # fmt: skip
    parser.add_argument(
        "--grace-ms", metavar="MS", type=asked(milliseconds), default=0,
        help="how long an expired row may still be seen (default: 0, by the contract)",
    )  # fmt: skip


def _replay_parser(commands: Any, run: Command) -> None:
    parser = _command(commands, "replay", run, "run one schedule again, as a violation told it")
    parser.add_argument("token", metavar="TOKEN", help="the word that begins with ow1:")
    parser.add_argument(
        "--repeat", metavar="N", type=asked(count), default=1, help="run it so often (default: 1)"
    )
    parser.add_argument("--location", metavar="URL", help="where a server listens")


def _doctor_parser(commands: Any, run: Command) -> None:
    parser = _command(
        commands, "doctor", run, "judge the gate itself, by stores known to be broken"
    )
    parser.add_argument(
        "--budget", metavar="TIME", type=asked(duration), default=60.0,
        help="time for each mutant (default: 60s)",
    )  # fmt: skip
    parser.add_argument(
        "--repeat", metavar="N", type=asked(count), default=1, help="judge each N times"
    )
    parser.add_argument(
        "--jobs", metavar="N", type=asked(count), default=1,
        help="judge N at once; each takes longer then (default: 1)",
    )  # fmt: skip
    parser.add_argument("--family", metavar="F", help="only the mutants of this family: eviction")
    parser.add_argument(
        "--matrix", action="store_true",
        help="run each mutant without stopping too, and show which clauses flag it (takes long)",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON")
    parser.add_argument("--html", metavar="FILE", help="write the result as one HTML file")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def _survey_parser(commands: Any, run: Command) -> None:
    parser = _command(commands, "survey", run, "judge many stores of other projects")
    parser.add_argument("targets", metavar="TARGET", nargs="*", help="the stores (default: all)")
    _level_argument(parser, "the highest level to judge (default: crash)")
    parser.add_argument(
        "--budget", metavar="TIME", type=asked(duration), help="time for each store: 60s"
    )
    _select_argument(parser)
    parser.add_argument(
        "--jobs", metavar="N", type=asked(count), default=1,
        help="judge N at once; they disturb each other then (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--json", metavar="FILE", help="write the result as JSON, after each store anew"
    )
    parser.add_argument(
        "--from", dest="held", metavar="FILE", action="append", default=[],
        help="take over what such a JSON file holds, and judge the rest; may be repeated",
    )  # fmt: skip
    parser.add_argument("--write", metavar="FILE", help="write a page of Markdown")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def _command(commands: Any, name: str, run: Command, help_: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help_,
        description=run.__doc__,
        epilog=_EPILOGS.get(name, _EPILOG),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=run)
    return parser


def _target_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help="the store to judge, see below")
    parser.add_argument("--location", metavar="URL", help="where a server listens")


def _level_argument(parser: argparse.ArgumentParser, help_: str) -> None:
    parser.add_argument("--level", choices=LEVELS, help=help_)


def _select_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-k", dest="select", metavar="CLAUSE", action="append", default=[], type=asked(_pattern),
        help="judge only this clause or family; may be repeated",
    )  # fmt: skip


def _pattern(given: str) -> str:
    select(given)
    return given
